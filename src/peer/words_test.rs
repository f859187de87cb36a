//! Words to a standalone server without sockets: what they show, change and wait for.

use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::base::limits::WORD_ANSWERS_BYTES_MAX;
use crate::base::{Mono, ServerId, Zxid};
use crate::config::ServerConfig;
use crate::jute::Jute;
use crate::jute::client::{
    ConnectRequest, CreateRequest, PathWatchRequest, RequestHeader, create_flags, op,
};
use crate::jute::data::Acl;
use crate::peer::Input;
use crate::server::Seeds;
use crate::server::driver::ClientEvent;
use crate::storage::{Loaded, LogPosition, LogRequest, Outcome, SnapshotData, SnapshotRequest};
use crate::tree::SnapshotCursor;

const CLIENT: ConnId = ConnId(1);
const SIZES: DirSizes = DirSizes { data: 1234, log: 5678 };

/// Ten seconds after its machine began, on 21 November 2026 at 11:23 UTC.
const BEGIN: Now = Now { mono: Mono(10_000_000_000), wall_ms: 1_795_260_180_000 };

struct World {
    peer: Peer,
    now: Now,
    next_conn: u64,
    xid: i32,
    /// What was written to each connection since it was looked at.
    written: BTreeMap<ConnId, Vec<u8>>,
    /// Measurements that the disk was asked for and has not answered.
    measurements: VecDeque<crate::storage::Ticket>,
}

impl World {
    /// A standalone server that serves.
    fn new() -> World {
        let mut config = ServerConfig::defaults(ServerId(1));
        config.four_letter_words = vec!["*".into()];
        config.data_dir = "data".into();
        config.data_log_dir = "/log".into();
        let peer = Peer::new(BEGIN, config, Seeds::default());
        let (written, measurements) = (BTreeMap::new(), VecDeque::new());
        let mut world = World { peer, now: BEGIN, next_conn: 100, xid: 0, written, measurements };
        world.step(Input::Begin);
        world
    }

    fn step(&mut self, input: Input) {
        let mut open = VecDeque::from(self.peer.step(self.now, input));
        loop {
            while let Some(output) = open.pop_front() {
                if let Some(input) = self.carry_out(output) {
                    open.extend(self.peer.step(self.now, input));
                }
            }
            if !self.peer.has_work_to_apply() {
                return;
            }
            open.extend(self.peer.step(self.now, Input::Apply));
        }
    }

    /// The disk answers at once, but for measurements.
    fn carry_out(&mut self, output: Output) -> Option<Input> {
        let (ticket, outcome) = match output {
            Output::Log(ticket, LogRequest::Load) => {
                let nodes = crate::database::Database::empty(10);
                let nodes = nodes.tree().snapshot_slice(&mut SnapshotCursor::new(), 100).into();
                let snapshot = Some(SnapshotData { nodes, ..SnapshotData::default() });
                let loaded = Loaded { snapshot, initialised: true, ..Loaded::default() };
                (ticket, Outcome::Loaded(Box::new(loaded)))
            }
            Output::Log(ticket, LogRequest::Append(proposal)) => {
                let at = LogPosition { log: Zxid(1), offset: 0 };
                (ticket, Outcome::Durable { zxid: proposal.zxid(), at, time_ms: 0, batch: None })
            }
            Output::Snapshot(ticket, SnapshotRequest::Measure) => {
                self.measurements.push_back(ticket);
                return None;
            }
            Output::ClientWrite { conn, bytes } => {
                self.written.entry(conn).or_default().extend_from_slice(&bytes);
                return None;
            }
            _ => return None,
        };
        Some(Input::Stored(ticket, Ok(outcome)))
    }

    /// The disk answers the oldest measurement.
    fn measure(&mut self) {
        let ticket = self.measurements.pop_front().expect("the disk was asked");
        self.step(Input::Stored(ticket, Ok(Outcome::Measured(SIZES))));
    }

    fn wait(&mut self, millis: u64) {
        self.now.mono = Mono(self.now.mono.0 + millis * 1_000_000);
        self.now.wall_ms += millis as i64;
    }

    fn accept(&mut self, conn: ConnId) {
        let peer = format!("10.0.0.1:{}", 4000 + conn.0);
        self.step(Input::Client(ClientEvent::Accepted { conn, peer, subject: None }));
    }

    fn lose(&mut self, conn: ConnId) {
        self.step(Input::Client(ClientEvent::Lost { conn }));
    }

    fn frame(&mut self, conn: ConnId, body: Vec<u8>) {
        self.step(Input::Client(ClientEvent::Frame { conn, body: body.into() }));
    }

    /// The client gets its session.
    fn connect(&mut self, conn: ConnId) {
        self.accept(conn);
        let request = ConnectRequest { timeout_ms: 8000, ..ConnectRequest::default() };
        self.frame(conn, request.to_jute());
        self.written.clear();
    }

    fn ask(&mut self, op: i32, record: &impl Jute) {
        self.xid += 1;
        let mut body = RequestHeader { xid: self.xid, op }.to_jute();
        record.encode(&mut body);
        self.frame(CLIENT, body);
    }

    fn create(&mut self, path: &str, flags: i32) {
        let acl = Some(Acl::open());
        self.ask(op::CREATE, &CreateRequest { path: path.into(), data: None, acl, flags });
    }

    fn watch(&mut self, path: &str) {
        self.ask(op::EXISTS, &PathWatchRequest { path: path.into(), watch: true });
    }

    /// Asks over a connection of its own, which stays.
    fn begin_word(&mut self, word: &[u8; 4], mask: Option<i64>) -> ConnId {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        self.accept(conn);
        self.step(Input::Client(ClientEvent::Word { conn, word: *word, mask }));
        conn
    }

    /// What was written to it.
    fn answer(&mut self, conn: ConnId) -> Option<String> {
        let bytes = self.written.remove(&conn)?;
        Some(String::from_utf8(bytes).expect("text"))
    }

    /// Asks over a connection that ends then.
    fn word(&mut self, word: &[u8; 4]) -> String {
        let conn = self.begin_word(word, None);
        let answer = self.answer(conn).expect("an answer");
        self.lose(conn);
        answer
    }
}

#[test]
fn conf_and_dirs_wait_for_the_disk_which_is_asked_once() {
    let mut world = World::new();
    let (conf, dirs) = (world.begin_word(b"conf", None), world.begin_word(b"dirs", None));
    let gone = world.begin_word(b"dirs", None);
    world.lose(gone);
    assert_eq!((world.answer(conf), world.measurements.len()), (None, 1));
    world.measure();
    let expected = "datadir_size: 1234\nlogdir_size: 5678\n";
    assert_eq!(world.answer(dirs).as_deref(), Some(expected));
    let conf = world.answer(conf).expect("it waited");
    assert!(conf.contains("dataDir=data/version-2\ndataDirSize=1234\n"), "{conf}");
    assert!(conf.contains("dataLogDir=/log/version-2\ndataLogSize=5678\n"), "{conf}");
    assert!(conf.ends_with("serverId=0\n"), "alone it has no number: {conf}");
    assert_eq!(world.answer(gone), None);
    let again = world.begin_word(b"dirs", None);
    world.measure();
    assert_eq!(world.answer(again).as_deref(), Some(expected), "asked anew");
}

#[test]
fn a_relative_data_dir_is_shown_below_the_working_directory() {
    let mut world = World::new();
    let user_dir = Some("/srv/zk".to_string());
    world.peer.set_environment(Environment { user_dir, ..Environment::default() });
    let conf = world.begin_word(b"conf", None);
    world.measure();
    let conf = world.answer(conf).expect("it waited");
    assert!(conf.contains("dataDir=/srv/zk/data/version-2\n"), "{conf}");
    assert!(conf.contains("dataLogDir=/log/version-2\n"), "{conf}");
    assert!(world.word(b"envi").contains("user.dir=/srv/zk\n"));
}

#[test]
fn cons_shows_what_was_asked_and_crst_begins_anew() {
    let mut world = World::new();
    world.connect(CLIENT);
    let cons = world.word(b"cons");
    let first = cons.lines().next().expect("a connection");
    assert!(first.contains("recved=1,sent=1,sid=0x"), "{first}");
    let rest = ",lop=SESS,est=1795260180000,to=8000,lcxid=0x0,lzxid=0x1,lresp=10000,llat=0,\
                minlat=0,avglat=0,maxlat=0)";
    assert!(first.ends_with(rest), "{first}");

    world.wait(50);
    world.create("/a", 0);
    world.frame(CLIENT, RequestHeader { xid: -2, op: op::PING }.to_jute());
    let cons = world.word(b"cons");
    let rest = ",lop=PING,est=1795260180000,to=8000,lcxid=0x1,lzxid=0x2,lresp=10050,llat=0,";
    assert!(cons.lines().next().expect("a connection").contains(rest), "{cons}");
    world.create("/a", 0);
    let cons = world.word(b"cons");
    assert!(cons.contains(",lop=NA,est=1795260180000,to=8000,lcxid=0x2,lzxid=0x3,"), "{cons}");
    world.watch("/nowhere");
    assert!(world.word(b"cons").contains(",lop=EXIS,"));

    assert_eq!(world.word(b"crst"), "Connection stats reset.\n");
    let cons = world.word(b"cons");
    let first = cons.lines().next().expect("a connection");
    let rest = ",lop=NA,est=1795260180000,to=8000,lzxid=0xffffffffffffffff,lresp=0,llat=0,\
                minlat=0,avglat=0,maxlat=0)";
    assert!(first.contains("recved=0,sent=0,sid=0x") && first.ends_with(rest), "{first}");
    let own = " /10.0.0.1:4105[0](queued=0,recved=1,sent=0)\n\n";
    assert!(cons.ends_with(own), "{cons}");
    world.accept(ConnId(50));
    let silent = "[1](queued=0,recved=0,sent=0)\n";
    assert!(world.word(b"cons").contains(silent), "who says nothing is listened to");
}

#[test]
fn srst_begins_the_counts_and_the_sizes_of_proposals_anew() {
    let mut world = World::new();
    world.connect(CLIENT);
    world.create("/a", 0);
    let srvr = world.word(b"srvr");
    assert!(srvr.contains("\nReceived: 3\nSent: 2\n"), "{srvr}");
    let again = world.word(b"srvr");
    assert!(again.contains("\nReceived: 4\nSent: 3\n"), "an answer to a word is sent too: {again}");
    assert_eq!(world.word(b"srst"), "Server stats reset.\n");
    let srvr = world.word(b"srvr");
    assert!(srvr.contains("\nReceived: 1\nSent: 1\n"), "this word, and the answer before: {srvr}");
    assert!(world.word(b"cons").contains("recved=2,sent=2,sid="), "connections keep theirs");
}

#[test]
fn a_word_outside_the_whitelist_resets_nothing() {
    let mut world = World::new();
    let mut config = (*world.peer.config).clone();
    config.four_letter_words = vec!["srvr".into()];
    world.peer.config = std::rc::Rc::new(config);
    world.connect(CLIENT);
    assert!(world.word(b"srst").contains("not in the whitelist"));
    assert!(world.word(b"srvr").contains("\nReceived: 3\n"));
}

#[test]
fn stmk_sets_what_gtmk_shows() {
    let mut world = World::new();
    assert_eq!(world.word(b"gtmk"), "306");
    let conn = world.begin_word(b"stmk", Some(-2));
    assert_eq!(world.answer(conn).as_deref(), Some("-2"));
    assert_eq!(world.word(b"gtmk"), "-2");
}

#[test]
fn dump_shows_sessions_ephemerals_and_connections() {
    let mut world = World::new();
    world.connect(CLIENT);
    world.create("/e", create_flags::EPHEMERAL);
    let dump = world.word(b"dump");
    let session = dump.lines().nth(3).expect("a session").trim_start().to_string();
    assert!(session.starts_with("0x1"), "{dump}");
    // Sessions die in buckets of a tick, three seconds; connections in buckets of ten.
    let expected = format!(
        "SessionTracker dump:\nSession Sets (1)/(1):\n\
         1 expire at Sat Nov 21 11:23:11 UTC 2026:\n\t{session}\n\
         ephemeral nodes dump:\nSessions with Ephemerals (1):\n{session}:\n\t/e\n\
         Connections dump:\nConnections Sets (2)/(2):\n\
         1 expire at Sat Nov 21 11:23:10 UTC 2026:\n\tip: /10.0.0.1:4001 sessionId: {session}\n\
         1 expire at Sat Nov 21 11:23:20 UTC 2026:\n\tip: /10.0.0.1:4100 sessionId: 0x0\n"
    );
    assert_eq!(dump, expected);
}

#[test]
fn watches_are_shown_by_session_and_by_path_until_they_fire() {
    let mut world = World::new();
    world.connect(CLIENT);
    world.create("/a", 0);
    for path in ["/a", "/b"] {
        world.watch(path);
    }
    assert_eq!(world.word(b"wchs"), "1 connections watching 2 paths\nTotal watches:2\n");
    let wchc = world.word(b"wchc");
    let session = wchc.lines().next().expect("a session").to_string();
    assert_eq!(wchc, format!("{session}\n\t/a\n\t/b\n\n"));
    assert_eq!(world.word(b"wchp"), format!("/a\n\t{session}\n/b\n\t{session}\n\n"));
    world.create("/b", 0);
    assert_eq!(world.word(b"wchc"), format!("{session}\n\t/a\n\n"));
    world.lose(CLIENT);
    assert_eq!(world.word(b"wchs"), "0 connections watching 0 paths\nTotal watches:0\n");
    assert_eq!(world.word(b"wchp"), "\n");
}

#[test]
fn hash_shows_the_digest_behind_every_128th_transaction() {
    let mut world = World::new();
    world.connect(CLIENT);
    assert_eq!(world.word(b"hash"), "");
    for n in 2..=128 {
        world.create(&format!("/n{n}"), 0);
    }
    let digest = world.peer.db.tree().digest();
    assert_eq!(world.word(b"hash"), format!("80: {digest}\n"));
}

#[test]
fn long_answers_are_refused_while_too_many_are_on_their_way() {
    let mut world = World::new();
    world.connect(CLIENT);
    world.watch("/a");
    let unread = world.begin_word(b"wchp", None);
    let taken = world.answer(unread).expect("an answer").len();
    assert_eq!(world.peer.words.long_bytes(), taken);
    world.peer.words.note_answer(ConnId(7), Word::Wchc, WORD_ANSWERS_BYTES_MAX - taken);
    let refusal = "wchp is not executed because too many answers are on their way.\n";
    assert_eq!(world.word(b"wchp"), refusal);
    assert_eq!(world.word(b"ruok"), "imok", "a short one");
    world.lose(unread);
    assert!(world.word(b"wchp").starts_with("/a\n"), "one of them has ended");
    world.peer.words.forget(ConnId(7));
    assert_eq!(world.peer.words.long_bytes(), 0);
}
