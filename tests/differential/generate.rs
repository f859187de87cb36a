//! Streams out of a seed. Few paths, so that operations meet; every operation, and odd ones.

use quorate::jute::client::{create_flags, op, xid};

use crate::random::Random;
use crate::request::{AclEntry, Field, OPEN, Request};
use crate::step::{CONNECTIONS, Frame, Greeting, Step};
use crate::versions::Rules;

/// Requests of a stream, about.
const REQUESTS: usize = 150;

/// Nodes below the root of the stream that operations are about.
const PATHS: [&str; 14] = [
    "~",
    "~",
    "~/a",
    "~/a",
    "~/b",
    "~/a/a",
    "~/a/b",
    "~/b/a",
    "~/a/a/c",
    "~/e",
    "~/a/e",
    "~/c",
    "~/s0000000001",
    "~/a/s0000000000",
];

/// Paths of which a server has something to say.
const ODD_PATHS: [&str; 26] = [
    "",
    "/",
    "a",
    "~/",
    "~//a",
    "~/a/",
    "~/.",
    "~/..",
    "~/./a",
    "~/../a",
    "~/a/.",
    "~/\u{0}",
    "~/a\u{1}",
    "~/\u{7f}",
    "~/\u{85}",
    "~/\u{e000}",
    "~/\u{fff0}",
    "~/\u{1f600}",
    "~/\u{fc}\u{4e2d}",
    "/zookeeper",
    "/zookeeper/quota",
    "/zookeeper/config",
    "/zookeeper/quota~",
    "~ /x",
    "//",
    "/.",
];

/// Of these paths are made that are no UTF-8, or only to some.
const ODD_BYTES: &[u8] =
    b"/a\x80\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xed\xee\xef\xf0\xf1\xf4\xf5\xff";

const OTHER_ACLS: [&[AclEntry]; 18] = [
    &[(1, "world", "anyone")],
    &[(30, "world", "anyone")],
    &[(2, "world", "anyone"), (31, "digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=")],
    &[(31, "digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=")],
    &[(31, "digest", "al:nobody"), (17, "world", "anyone")],
    &[(31, "auth", "")],
    &[(31, "auth", "whatever"), (1, "world", "anyone")],
    &[(31, "ip", "127.0.0.1")],
    &[(31, "ip", "127.0.0.0/8"), (1, "ip", "10.0.0.1")],
    &[(31, "ip", "10.0.0.0/8"), (5, "world", "anyone")],
    &[(0, "world", "anyone")],
    &[OPEN, OPEN, (1, "world", "anyone")],
    &[(33, "world", "anyone"), (-1, "digest", "a:b")],
    &[],
    &[(31, "nope", "x")],
    &[(31, "world", "everyone")],
    &[(31, "digest", "nocolon"), OPEN],
    &[(31, "ip", "300.1.1.1")],
];

const DATA: [&[u8]; 6] =
    [b"", b"x", b"yy", b"twelve bytes", b"\x00\xff", b"a longer text: 30 bytes of it."];

const QUOTA_PATHS: [&str; 6] = [
    "/zookeeper/quota~",
    "/zookeeper/quota~/a",
    "/zookeeper/quota~/zookeeper_limits",
    "/zookeeper/quota~/zookeeper_stats",
    "/zookeeper/quota~/a/zookeeper_limits",
    "/zookeeper/quota~/a/zookeeper_stats",
];

const QUOTA_TEXTS: [&[u8]; 6] = [
    b"count=3,bytes=10",
    b"count=-1,bytes=-1",
    b"count=-1,bytes=-1=;byteHardLimit=20;countHardLimit=4",
    b"count=2,bytes=5=;byteHardLimit=-1;countHardLimit=3",
    b"count=0,bytes=0",
    b"count=1,bytes=-1=;byteHardLimit=8;countHardLimit=-1",
];

const AUTHS: [(&str, &[u8]); 7] = [
    ("digest", b"bob:pw"),
    ("digest", b"al:x"),
    ("digest", b"super:test"),
    ("digest", b"super:wrong"),
    ("digest", b"nocolon"),
    ("ip", b"127.0.0.1"),
    ("nope", b"x"),
];

pub(crate) struct Generator {
    random: Random,
    rules: Rules,
    /// Streams have either quotas or bursts: what a quota has counted when a write is judged
    /// depends on how far the writes before it have come, in Apache as here.
    has_quotas: bool,
}

impl Generator {
    pub(crate) fn new(seed: u64, rules: Rules) -> Generator {
        let mut random = Random::new(seed);
        let has_quotas = random.percent(35);
        Generator { random, rules, has_quotas }
    }

    pub(crate) fn stream(&mut self) -> Vec<Step> {
        let mut steps = vec![Step::Ask(0, create(op::CREATE, path("~"), 0))];
        let mut requests = 0;
        while requests < REQUESTS {
            let step = self.step();
            requests += crate::step::count_requests(std::slice::from_ref(&step));
            steps.push(step);
        }
        steps
    }

    fn step(&mut self) -> Step {
        let conn = self.random.below(CONNECTIONS);
        match self.random.weighted(&[880, 60, 15, 15, 8, 5, 8, 9]) {
            0 => Step::Ask(conn, self.request(conn)),
            1 if !self.has_quotas => {
                let count = 2 + self.random.below(8);
                let requests = (0..count).map(|_| self.burst_request(conn));
                Step::Burst(conn, requests.collect())
            }
            2 => Step::CloseSession(conn),
            3 => Step::Drop(conn),
            4 => Step::Move(conn),
            5 => Step::WrongPassword(conn),
            6 => Step::Greet(self.greeting()),
            7 => Step::Stray(self.stray()),
            _ => Step::Ask(conn, self.request(conn)),
        }
    }

    /// auth is answered past the queue: no order with other answers of a burst is promised. By
    /// which list Apache judges what comes behind a setACL depends on how far that has come.
    fn burst_request(&mut self, conn: usize) -> Request {
        loop {
            let request = self.request(conn);
            if request.op != op::AUTH && request.op != op::SET_ACL {
                return request;
            }
        }
    }

    fn request(&mut self, conn: usize) -> Request {
        let mut request = match self.random.weighted(&[300, 300, 160, 110, 80, 35, 10]) {
            0 => self.write(),
            1 => self.read(conn),
            2 => self.watch(conn),
            3 => self.multi(),
            4 if self.has_quotas => self.quota(),
            5 => self.about_the_session(),
            6 => self.administration(),
            _ => self.write(),
        };
        if request.op != op::AUTH && self.random.percent(1) && self.rules.may_cut(request.op) {
            request.cut = 1 + self.random.below(24);
        }
        request
    }

    fn path(&mut self) -> Field {
        match self.random.below(1000) {
            0..950 => path(self.random.pick(&PATHS)),
            950..990 => path(self.random.pick(&ODD_PATHS)),
            990..996 => {
                let count = 1 + self.random.below(6);
                Field::Data(Some((0..count).map(|_| self.random.pick(ODD_BYTES)).collect()))
            }
            _ => Field::Text(None),
        }
    }

    /// To Apache's watches null is a path like any other, and not the empty one.
    fn watched_path(&mut self) -> Field {
        match self.path() {
            Field::Text(None) => path(""),
            other => other,
        }
    }

    fn data(&mut self) -> Field {
        match self.random.below(8) {
            0 => Field::Data(None),
            _ => Field::Data(Some(self.random.pick(&DATA).to_vec())),
        }
    }

    fn acl(&mut self) -> Field {
        match self.random.below(100) {
            0..82 => Field::Acl(Some(vec![OPEN])),
            82 => Field::Acl(None),
            _ => Field::Acl(Some(self.rules.acl(self.random.pick(&OTHER_ACLS)))),
        }
    }

    fn version(&mut self) -> Field {
        Field::Int(match self.random.below(10) {
            0..6 => -1,
            6..9 => self.random.below(3) as i32,
            _ => self.random.pick(&[i32::MAX, -2, 77]),
        })
    }

    fn write(&mut self) -> Request {
        match self.random.weighted(&[55, 20, 17, 8]) {
            0 => self.create(),
            1 => self.delete(),
            2 => self.set_data(),
            _ => Request::new(op::SET_ACL, vec![self.path(), self.acl(), self.version()]),
        }
    }

    fn delete(&mut self) -> Request {
        Request::new(op::DELETE, vec![self.path(), self.version()])
    }

    fn set_data(&mut self) -> Request {
        Request::new(op::SET_DATA, vec![self.path(), self.data(), self.version()])
    }

    fn create(&mut self) -> Request {
        let sequential = self.random.percent(20);
        let path = match sequential {
            true => path(self.random.pick(&["~/s", "~/a/s", "~/", "~/a/", "~/b/s"])),
            false => self.path(),
        };
        let (op, flags) = match self.random.below(100) {
            0..40 => (op::CREATE, 0),
            40..65 => (op::CREATE2, 0),
            65..83 => (self.random.pick(&[op::CREATE, op::CREATE2]), create_flags::EPHEMERAL),
            83..90 => (op::CREATE_CONTAINER, create_flags::CONTAINER),
            90..97 => return self.create_ttl(path, sequential),
            _ => {
                let op = self.random.pick(&[op::CREATE, op::CREATE2, op::CREATE_CONTAINER]);
                (op, self.random.pick(&[4, 5, 6, 7, 9, -1, 2, 3]))
            }
        };
        let flags = if sequential && flags < 2 { flags + create_flags::SEQUENTIAL } else { flags };
        Request::new(op, vec![path, self.data(), self.acl(), Field::Int(flags)])
    }

    fn create_ttl(&mut self, path: Field, sequential: bool) -> Request {
        let flags = if sequential { create_flags::SEQUENTIAL_TTL } else { create_flags::TTL };
        let (flags, ttl) = match self.random.below(10) {
            0 => (flags, self.random.pick(&[0, -1, 0x100_0000_0000, i64::MIN])),
            1 => (self.random.pick(&[0, 1, 2, 4, 7]), 1_000_000_000),
            _ => (flags, self.random.pick(&[1_000_000_000, 0xff_ffff_ffff])),
        };
        let (flags, ttl) = (Field::Int(flags), Field::Long(ttl));
        Request::new(op::CREATE_TTL, vec![path, self.data(), self.acl(), flags, ttl])
    }

    fn read(&mut self, conn: usize) -> Request {
        let reads = [op::EXISTS, op::GET_DATA, op::GET_CHILDREN, op::GET_CHILDREN2];
        match self.random.weighted(&[60, 12, 6, 6, 8]) {
            0 => {
                let watch = self.rules.may_watch_once(conn) && self.random.percent(50);
                Request::new(self.random.pick(&reads), vec![self.path(), Field::Flag(watch)])
            }
            1 => Request::new(op::GET_ACL, vec![self.path()]),
            2 => Request::new(op::GET_ALL_CHILDREN_NUMBER, vec![self.path()]),
            3 => Request::new(op::GET_EPHEMERALS, vec![self.path()]),
            _ => self.multi_read(),
        }
    }

    fn watch(&mut self, conn: usize) -> Request {
        match self.random.weighted(&[40, 18, 18, 14, 14]) {
            0 => {
                let odd = self.random.percent(4);
                let mode = if odd { 7 } else { self.rules.watch_mode(conn, &mut self.random) };
                Request::new(op::ADD_WATCH, vec![self.watched_path(), Field::Int(mode)])
            }
            n @ (1 | 2) => {
                let kind = match self.random.below(20) {
                    0 => self.random.pick(&[0, 6, -1]),
                    _ => self.rules.watcher_type(conn, &mut self.random),
                };
                let checks = n == 1 && self.rules.has_check_watches();
                let op = if checks { op::CHECK_WATCHES } else { op::REMOVE_WATCHES };
                Request::new(op, vec![self.watched_path(), Field::Int(kind)])
            }
            n => self.set_watches(conn, n == 3),
        }
    }

    fn set_watches(&mut self, conn: usize, old: bool) -> Request {
        let seen = Field::Zxid(self.random.below(150) as i64);
        let mut lists: Vec<Field> = (0..5).map(|_| self.some_paths()).collect();
        self.rules.keep_to_mode(conn, &mut lists);
        lists.insert(0, seen);
        if old {
            lists.truncate(4);
        }
        let op = if old { op::SET_WATCHES } else { op::SET_WATCHES2 };
        let mut request = Request::new(op, lists);
        request.xid = Some(xid::SET_WATCHES);
        request
    }

    fn some_paths(&mut self) -> Field {
        let count = self.random.below(4);
        Field::Texts((0..count).map(|_| self.random.pick(&PATHS).to_string()).collect())
    }

    fn multi(&mut self) -> Request {
        let count = self.random.below(5);
        let mut parts = Vec::new();
        for _ in 0..count {
            let part = self.multi_part();
            parts.extend(self.rules.part(part));
        }
        if self.random.percent(3) {
            parts.push(Request::new(op::GET_DATA, vec![self.path(), Field::Flag(false)]));
        }
        Request::new(op::MULTI, vec![Field::Parts(parts)])
    }

    fn multi_part(&mut self) -> Request {
        match self.random.weighted(&[45, 20, 20, 25]) {
            0 => self.create(),
            1 => self.delete(),
            2 => self.set_data(),
            _ => Request::new(op::CHECK, vec![self.path(), self.version()]),
        }
    }

    fn multi_read(&mut self) -> Request {
        let count = self.random.below(4);
        let mut parts = Vec::new();
        for _ in 0..count {
            let op = self.random.pick(&[op::GET_DATA, op::GET_CHILDREN]);
            parts.push(Request::new(op, vec![self.path(), Field::Flag(false)]));
        }
        if self.random.percent(4) {
            parts.push(self.delete());
        }
        Request::new(op::MULTI_READ, vec![Field::Parts(parts)])
    }

    fn quota(&mut self) -> Request {
        let at = path(self.random.pick(&QUOTA_PATHS));
        let text = Field::Data(Some(self.random.pick(&QUOTA_TEXTS).to_vec()));
        match self.random.weighted(&[50, 15, 20, 20]) {
            0 => {
                let acl = Field::Acl(Some(vec![OPEN]));
                Request::new(op::CREATE, vec![at, text, acl, Field::Int(0)])
            }
            1 => Request::new(op::SET_DATA, vec![at, text, Field::Int(-1)]),
            2 => Request::new(op::GET_DATA, vec![at, Field::Flag(false)]),
            _ => Request::new(op::DELETE, vec![at, Field::Int(-1)]),
        }
    }

    fn about_the_session(&mut self) -> Request {
        match self.random.weighted(&[35, 25, 20, 20]) {
            0 => self.auth(),
            1 => Request::new(op::WHO_AM_I, Vec::new()),
            2 => Request::new(op::SYNC, vec![self.path()]),
            _ => {
                let mut ping = Request::new(op::PING, Vec::new());
                ping.xid = Some(self.random.pick(&[xid::PING, 5]));
                ping
            }
        }
    }

    fn auth(&mut self) -> Request {
        let (scheme, auth) = self.random.pick(&AUTHS[..]);
        let scheme = Field::Text(Some(scheme.into()));
        let fields = vec![Field::Int(0), scheme, Field::Data(Some(auth.to_vec()))];
        Request { xid: Some(xid::AUTH), ..Request::new(op::AUTH, fields) }
    }

    fn administration(&mut self) -> Request {
        if self.random.percent(80) && self.rules.has_delete_container() {
            return Request::new(op::DELETE_CONTAINER, vec![self.path()]);
        }
        let leaving = Field::Text(Some("3".into()));
        let fields = vec![Field::Text(None), leaving, Field::Text(None), Field::Long(-1)];
        Request::new(op::RECONFIG, fields)
    }

    fn greeting(&mut self) -> Greeting {
        let odd_password = self.random.pick(&[None, Some(vec![]), Some(vec![7; 3])]);
        let plain = Greeting::plain();
        Greeting {
            timeout_ms: self.random.pick(&[30_000, 0, -5, 1, 5_001, 39_999, i32::MAX, i32::MIN]),
            seen: self.random.pick(&[None, Some(0), Some(1 << 40)]),
            session: self.random.pick(&[0, 0, 0, 0x1234_5678_9abc_def0]),
            password: if self.random.percent(30) { odd_password } else { plain.password },
            read_only: self.random.pick(&[None, Some(false), Some(true)]),
        }
    }

    fn stray(&mut self) -> Vec<Frame> {
        let ping = Frame::Request(Request::new(op::PING, Vec::new()));
        let odd = match self.random.below(6) {
            0 => {
                let unknown = [0, 9999, 10, 23, 99, 108, -1, -2, i32::MIN];
                Frame::Request(Request::new(self.random.pick(&unknown), vec![self.path()]))
            }
            1 if self.rules.refuses_lone_check() => {
                Frame::Request(Request::new(op::CHECK, vec![self.path(), self.version()]))
            }
            2 => Frame::Request(Request::new(op::SASL, vec![self.data()])),
            3 => {
                let length = self.random.pick(&[-1, i32::MIN, 1_048_576, i32::MAX]);
                Frame::Bytes(length.to_be_bytes().to_vec())
            }
            4 => {
                // Too short for a header.
                let length = self.random.below(8);
                Frame::Bytes(crate::wire::framed(&vec![0; length]))
            }
            _ => {
                let auth = self.auth();
                Frame::Request(Request { cut: 1 + self.random.below(16), ..auth })
            }
        };
        if self.random.percent(30) { vec![ping.clone(), odd, ping] } else { vec![odd, ping] }
    }
}

fn path(path: &str) -> Field {
    Field::Text(Some(path.into()))
}

fn create(op: i32, path: Field, flags: i32) -> Request {
    let (data, acl) = (Field::Data(None), Field::Acl(Some(vec![OPEN])));
    Request::new(op, vec![path, data, acl, Field::Int(flags)])
}
