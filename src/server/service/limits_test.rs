//! One server's clients, with a leader that commits when it is told to.
//!
//! Over 500 lines: one bench, and a case for each limit.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Input, Output, Seeds, Service};
use crate::base::limits::{CLIENT_HELD_BYTES_MAX, CLIENT_UNSENT_BYTES_HOLD};
use crate::base::{ConnId, Mono, Now, SessionId, Zxid};
use crate::config::{ClientLimits, ServerConfig};
use crate::database::Database;
use crate::jute::client::{
    ConnectRequest, ConnectResponse, CreateRequest, PathWatchRequest, ReplyHeader, RequestHeader,
    SetDataRequest, code, op, xid,
};
use crate::jute::data::Acl;
use crate::jute::{Jute, Reader};
use crate::metrics::Metrics;
use crate::prepare::{Prepare, PrepareOptions, Request};
use crate::session::SessionTracker;

pub(super) const A: ConnId = ConnId(1);
pub(super) const B: ConnId = ConnId(2);
pub(super) const C: ConnId = ConnId(3);
const TIMEOUT_MS: i32 = 6000;

pub(super) struct World {
    pub(super) service: Service,
    db: Database,
    prepare: Prepare,
    sessions: SessionTracker,
    pub(super) now: Now,
    pub(super) zxid: i64,
    submitted: VecDeque<Request>,
    /// xid and error of every reply, and how many bytes they all have.
    replies: BTreeMap<ConnId, Vec<(i32, i32)>>,
    written_bytes: BTreeMap<ConnId, usize>,
    touched: Vec<SessionId>,
    /// Everything else, in order.
    others: Vec<String>,
}

impl World {
    pub(super) fn new(change: impl FnOnce(&mut ClientLimits)) -> World {
        World::of(|config| change(&mut config.limits))
    }

    fn of(change: impl FnOnce(&mut ServerConfig)) -> World {
        let mut config = ServerConfig::defaults(crate::base::ServerId(1));
        config.session_timeout_min = Duration::from_secs(1);
        change(&mut config);
        let mut world = World {
            service: Service::new(&config, Seeds::default(), Metrics::default()),
            db: Database::empty(10),
            prepare: Prepare::new(PrepareOptions::default()),
            sessions: SessionTracker::new(Duration::from_secs(2)),
            now: Now::default(),
            zxid: 0,
            submitted: VecDeque::new(),
            replies: BTreeMap::new(),
            written_bytes: BTreeMap::new(),
            touched: Vec::new(),
            others: Vec::new(),
        };
        world.input(Input::Serve);
        world
    }

    fn route(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Write(conn, bytes) => {
                    *self.written_bytes.entry(conn).or_default() += bytes.len();
                    let mut frame = Reader::new(bytes.slice(4..));
                    // A ConnectResponse has 36 or 37 bytes, and begins with version 0.
                    if bytes.len() >= 40 && bytes[4..8] == [0; 4] {
                        let connected = ConnectResponse::decode(&mut frame).expect("a response");
                        self.others.push(format!("{conn} connected {}", connected.timeout_ms));
                    } else {
                        let header = ReplyHeader::decode(&mut frame).expect("a reply");
                        self.replies.entry(conn).or_default().push((header.xid, header.err));
                    }
                }
                Output::Submit(request) => self.submitted.push_back(request),
                Output::Touch { session, .. } => self.touched.push(session),
                Output::Close(conn) => self.others.push(format!("{conn} closed")),
                Output::Pause(conn) => self.others.push(format!("{conn} paused")),
                Output::Resume(conn) => self.others.push(format!("{conn} resumed")),
                Output::NotifyDrained(conn) => self.others.push(format!("{conn} drained?")),
                other => self.others.push(format!("{other:?}")),
            }
        }
    }

    pub(super) fn input(&mut self, input: Input) {
        let mut out = Vec::new();
        self.service.step(self.now, input, &self.db, &mut out);
        self.route(out);
    }

    fn accept(&mut self, conn: ConnId, peer: &str) {
        self.input(Input::Accepted { conn, peer: peer.into(), subject: None });
    }

    pub(super) fn frame(&mut self, conn: ConnId, body: Vec<u8>) {
        self.input(Input::Frame { conn, body: body.into() });
    }

    fn greet(&mut self, conn: ConnId) {
        self.accept(conn, "10.0.0.1:5");
        let connect = ConnectRequest { timeout_ms: TIMEOUT_MS, ..ConnectRequest::default() };
        self.frame(conn, connect.to_jute());
    }

    /// A connection with an open session.
    pub(super) fn connect(&mut self, conn: ConnId) {
        self.greet(conn);
        self.commit(1);
        assert_eq!(self.take_others(), [format!("{conn} connected {TIMEOUT_MS}")]);
    }

    pub(super) fn ask(&mut self, conn: ConnId, xid: i32, op: i32, body: impl Jute) {
        let mut frame = RequestHeader { xid, op }.to_jute();
        body.encode(&mut frame);
        self.frame(conn, frame);
    }

    pub(super) fn write(&mut self, conn: ConnId, xid: i32) {
        let set = SetDataRequest { path: "/".into(), data: None, version: -1 };
        self.ask(conn, xid, op::SET_DATA, set);
    }

    pub(super) fn read(&mut self, conn: ConnId, xid: i32, path: &str) {
        let read = PathWatchRequest { path: path.into(), watch: false };
        self.ask(conn, xid, op::GET_DATA, read);
    }

    pub(super) fn ping(&mut self, conn: ConnId) {
        self.frame(conn, RequestHeader { xid: -2, op: op::PING }.to_jute());
    }

    /// The leader commits so many of the requests it was sent.
    pub(super) fn commit(&mut self, count: usize) {
        for _ in 0..count {
            let request = self.submitted.pop_front().expect("it was submitted");
            self.zxid += 1;
            let (zxid, tree) = (Zxid(self.zxid), self.db.tree());
            let proposal = self.prepare.prepare(&request, zxid, self.now, tree, &mut self.sessions);
            self.db.append(proposal.into());
            self.db.commit_to(zxid);
            let (proposal, applied) = self.db.apply_next().expect("it is committed");
            self.prepare.applied(zxid);
            self.input(Input::Applied { proposal, applied });
        }
    }

    /// Time passes, and every timer on the way is served.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while self.service.next_deadline() <= end {
            self.now.mono = self.now.mono.max(self.service.next_deadline());
            self.input(Input::Timer);
            assert!(self.service.next_deadline() > self.now.mono, "a timer was served");
        }
        self.now.mono = end;
    }

    pub(super) fn take_others(&mut self) -> Vec<String> {
        std::mem::take(&mut self.others)
    }

    pub(super) fn take_bytes(&mut self, conn: ConnId) -> usize {
        self.written_bytes.remove(&conn).unwrap_or(0)
    }

    /// What a request does, as it is.
    pub(super) fn outputs(
        &mut self,
        conn: ConnId,
        xid: i32,
        op: i32,
        record: &[u8],
    ) -> Vec<Output> {
        let body = [&RequestHeader { xid, op }.to_jute(), record].concat().into();
        let mut out = Vec::new();
        self.service.step(self.now, Input::Frame { conn, body }, &self.db, &mut out);
        out
    }

    pub(super) fn take_replies(&mut self, conn: ConnId) -> Vec<(i32, i32)> {
        self.replies.remove(&conn).unwrap_or_default()
    }

    pub(super) fn take_xids(&mut self, conn: ConnId) -> Vec<i32> {
        let replies = self.take_replies(conn);
        assert!(replies.iter().all(|(_, err)| *err == code::OK), "{replies:?}");
        replies.into_iter().map(|(xid, _)| xid).collect()
    }

    pub(super) fn submitted_xids(&self) -> Vec<i32> {
        self.submitted.iter().map(|request| request.cxid).collect()
    }

    pub(super) fn make_node(&mut self, conn: ConnId, path: &str, bytes: usize) {
        let data = Some(vec![7; bytes].into());
        let create = CreateRequest { path: path.into(), data, acl: Some(Acl::open()), flags: 0 };
        self.ask(conn, -9, op::CREATE, create);
        self.commit(1);
        assert_eq!(self.take_xids(conn), [-9]);
    }
}

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn an_ordinary_session_is_neither_paused_nor_asked_whether_it_reads() {
    let mut world = World::new(|_| {});
    world.connect(A);
    for xid in 1..500 {
        world.write(A, 2 * xid);
        world.read(A, 2 * xid + 1, "/");
        world.ping(A);
    }
    world.commit(499);
    assert_eq!(world.take_replies(A).len(), 3 * 499);
    assert_eq!(world.take_others(), Vec::<String>::new());
    assert_eq!(world.service.gate.in_process().0, 0);
}

#[test]
fn more_than_max_cnxns_are_closed_until_one_goes() {
    let mut world = World::new(|limits| limits.connections_max = 2);
    for (conn, peer) in [(A, "10.0.0.1:5"), (B, "10.0.0.2:5"), (C, "10.0.0.3:5")] {
        world.accept(conn, peer);
    }
    assert_eq!(world.take_others(), [format!("{C} closed")]);
    world.input(Input::Lost { conn: C });
    world.input(Input::Lost { conn: A });
    world.accept(ConnId(4), "10.0.0.3:6");
    world.accept(ConnId(5), "10.0.0.3:7");
    assert_eq!(world.take_others(), [format!("{} closed", ConnId(5))]);
}

#[test]
fn more_than_max_client_cnxns_from_one_address_are_closed() {
    let mut world = World::of(|config| config.max_client_cnxns = 1);
    for (conn, peer) in [(A, "10.0.0.1:5"), (B, "10.0.0.1:6"), (C, "[::1]:5")] {
        world.accept(conn, peer);
    }
    assert_eq!(world.take_others(), [format!("{B} closed")]);
    world.input(Input::Lost { conn: B });
    world.accept(ConnId(4), "10.0.0.1:7");
    assert_eq!(world.take_others().len(), 1, "the one that was refused does not make room");
    world.input(Input::Lost { conn: A });
    world.accept(ConnId(5), "10.0.0.1:8");
    assert_eq!(world.take_others(), Vec::<String>::new());
}

#[test]
fn a_connection_without_a_session_expires_within_twice_its_time() {
    let mut world = World::new(|limits| limits.sessionless_timeout = seconds(10));
    world.pass(seconds(7));
    world.accept(A, "10.0.0.1:5");
    world.pass(seconds(10));
    assert_eq!(world.take_others(), Vec::<String>::new());
    world.pass(seconds(3));
    assert_eq!(world.take_others(), [format!("{A} closed")]);
    assert_eq!(world.service.next_deadline(), Mono::FAR, "nothing is left to expire");
}

#[test]
fn a_connection_expires_when_it_was_not_heard_for_its_sessions_timeout() {
    let mut world = World::new(|limits| limits.sessionless_timeout = seconds(1));
    world.connect(A);
    for _ in 0..5 {
        world.pass(seconds(5));
        world.ping(A);
    }
    assert_eq!(world.take_others(), Vec::<String>::new());
    world.pass(seconds(6));
    assert_eq!(world.take_others(), Vec::<String>::new());
    world.pass(seconds(1));
    assert_eq!(world.take_others(), [format!("{A} closed")]);
    assert_eq!(world.db.sessions().len(), 1, "the session goes on");
}

#[test]
fn frames_before_the_session_wait_in_order_and_then_stop_the_reading() {
    let mut world = World::new(|_| {});
    world.connect(B);
    world.make_node(B, "/a", 3);
    world.greet(A);
    for xid in 1..=3 {
        world.read(A, xid, "/a");
    }
    assert_eq!(world.take_others(), Vec::<String>::new());
    assert_eq!(world.take_xids(A), Vec::<i32>::new());
    let long = PathWatchRequest { path: "/x".repeat(CLIENT_HELD_BYTES_MAX / 2), watch: false };
    world.ask(A, 4, op::EXISTS, long);
    assert_eq!(world.take_others(), [format!("{A} paused")]);
    world.read(A, 5, "/a");
    world.commit(1);
    assert_eq!(
        world.take_others(),
        [format!("{A} connected {TIMEOUT_MS}"), format!("{A} resumed")]
    );
    let no_node = code::NO_NODE;
    assert_eq!(world.take_replies(A), [(1, 0), (2, 0), (3, 0), (4, no_node), (5, 0)], "LI-1");
    assert_eq!(world.service.gate.held_and_queued().0, 0);
}

#[test]
fn beyond_the_outstanding_limit_a_busy_connection_waits_and_an_idle_one_does_not() {
    let mut world = World::new(|limits| limits.outstanding_max = 2);
    world.connect(A);
    world.connect(B);
    for xid in 1..=5 {
        world.write(A, xid);
    }
    assert_eq!(world.submitted_xids(), [1, 2, 3], "one more than the limit, as in Apache");
    world.write(B, 11);
    world.write(B, 12);
    assert_eq!(world.submitted_xids(), [1, 2, 3, 11], "one of its own each may always have");
    world.commit(2);
    assert_eq!(world.submitted_xids(), [3, 11, 4], "room for one, and A came first");
    world.commit(3);
    assert_eq!(world.submitted_xids(), [12, 5]);
    world.commit(2);
    assert_eq!(world.take_xids(A), [1, 2, 3, 4, 5], "LI-1");
    assert_eq!(world.take_xids(B), [11, 12]);
}

#[test]
fn a_lost_connection_makes_room_for_others() {
    let mut world = World::new(|limits| limits.outstanding_max = 1);
    world.connect(A);
    world.connect(B);
    for xid in 1..=4 {
        world.write(A, xid);
    }
    world.write(B, 11);
    world.write(B, 12);
    assert_eq!(world.submitted_xids(), [1, 2, 11]);
    world.input(Input::Lost { conn: A });
    assert_eq!(world.submitted_xids(), [1, 2, 11, 12]);
    assert_eq!(world.service.gate.held_and_queued().0, 0, "what A sent is forgotten");
}

#[test]
fn a_held_client_is_still_heard() {
    let mut world = World::new(|limits| limits.outstanding_max = 0);
    world.connect(A);
    world.write(A, 1);
    world.touched.clear();
    world.ping(A);
    assert_eq!(world.take_xids(A), Vec::<i32>::new(), "the ping is held");
    assert_eq!(world.touched.len(), 1);
}

#[test]
fn a_client_that_does_not_read_is_not_answered_without_bound() {
    let mut world = World::new(|_| {});
    world.connect(A);
    world.make_node(A, "/big", 300_000);
    for xid in 1..=100 {
        world.read(A, xid, "/big");
    }
    let unsent = world.written_bytes[&A];
    assert!(unsent < CLIENT_UNSENT_BYTES_HOLD + 300_200, "LI-3: {unsent}");
    assert_eq!(world.take_xids(A), [1, 2, 3, 4]);
    assert_eq!(world.take_others(), [format!("{A} drained?")]);
    // Asked with two of them written, and again at once for the other two.
    world.input(Input::Drained { conn: A });
    assert_eq!(world.take_xids(A), [5, 6]);
    assert_eq!(world.take_others(), [format!("{A} drained?")]);
    for _ in 0..60 {
        world.input(Input::Drained { conn: A });
    }
    assert_eq!(world.take_xids(A), (7..=100).collect::<Vec<_>>(), "LI-1");
    assert_eq!(world.service.gate.held_and_queued().0, 0);
}

#[test]
fn a_client_that_lets_events_pile_up_is_closed() {
    let mut world = World::new(|_| {});
    world.connect(A);
    let mut out = Vec::new();
    let mut event = vec![0; 1 << 20];
    event[4..8].copy_from_slice(&xid::NOTIFICATION.to_be_bytes());
    for _ in 0..64 {
        world.service.write(A, event.clone().into(), &mut out);
    }
    world.service.end_step(world.now, &world.db, &mut out);
    assert!(!out.iter().any(|output| matches!(output, Output::Close(_))));
    world.service.write(A, event.clone().into(), &mut out);
    world.service.write(A, event.into(), &mut out);
    world.service.end_step(world.now, &world.db, &mut out);
    assert!(matches!(out.last(), Some(Output::Close(A))));
}

#[test]
fn a_large_request_too_many_ends_its_connection() {
    let mut world = World::new(|limits| {
        limits.large_request_threshold = Some(100);
        limits.large_requests_bytes_max = 1000;
    });
    let large = |world: &mut World, conn, xid| {
        let data = Some(vec![7; 400].into());
        let set = SetDataRequest { path: "/".into(), data, version: -1 };
        world.ask(conn, xid, op::SET_DATA, set);
    };
    world.connect(A);
    world.connect(B);
    large(&mut world, A, 1);
    large(&mut world, A, 2);
    world.write(B, 1);
    large(&mut world, B, 2);
    assert_eq!(world.take_others(), [format!("{B} closed")], "small ones do not matter");
    world.commit(1);
    large(&mut world, A, 3);
    assert_eq!(world.submitted_xids(), [2, 1, 3], "what is answered makes room");
    assert_eq!(world.take_others(), Vec::<String>::new());
    world.commit(3);
    assert_eq!(world.service.gate.in_process().1, 0);
}

fn with_throttle(change: impl FnOnce(&mut ClientLimits)) -> World {
    let mut world = World::new(|limits| {
        limits.throttle_requests_max = 1;
        limits.sessionless_timeout = seconds(100);
        change(limits);
    });
    world.connect(A);
    world.connect(B);
    world
}

#[test]
fn the_throttler_lets_requests_of_all_clients_go_in_their_order() {
    let mut world = with_throttle(|_| {});
    world.write(A, 1);
    world.write(B, 11);
    world.write(A, 2);
    world.read(B, 12, "/");
    assert_eq!(world.submitted_xids(), [1]);
    world.commit(1);
    assert_eq!(world.submitted_xids(), [11]);
    world.commit(1);
    assert_eq!(world.submitted_xids(), [2]);
    assert_eq!(world.take_xids(B), [11]);
    world.commit(1);
    assert_eq!(world.take_xids(B), [12]);
    assert_eq!(world.take_xids(A), [1, 2]);
    assert_eq!(world.take_others(), Vec::<String>::new());
}

#[test]
fn requests_of_a_closed_connection_are_dropped_all_or_carried_out_all() {
    for (drops_stale, left) in [(true, vec![]), (false, vec![11, 12])] {
        let mut world = with_throttle(|limits| limits.throttle_drop_stale = drops_stale);
        world.write(A, 1);
        world.write(B, 11);
        world.write(B, 12);
        world.ask(B, 13, op::GET_DATA, String::from("no answer is wanted"));
        world.input(Input::Lost { conn: B });
        world.commit(1);
        assert_eq!(world.submitted_xids(), left, "TH-1");
        assert_eq!(world.service.gate.held_and_queued().1, 0);
        assert_eq!(world.take_others(), Vec::<String>::new());
    }
}

#[test]
fn a_close_session_is_never_stale_but_falls_with_what_was_dropped_before_it() {
    let close = |world: &mut World, conn| {
        world.frame(conn, RequestHeader { xid: 9, op: op::CLOSE_SESSION }.to_jute());
        world.input(Input::Lost { conn });
    };
    let mut world = with_throttle(|_| {});
    world.write(A, 1);
    close(&mut world, B);
    world.commit(1);
    assert_eq!(world.submitted_xids(), [9]);
    let mut world = with_throttle(|_| {});
    world.write(A, 1);
    world.write(B, 11);
    close(&mut world, B);
    world.commit(1);
    assert_eq!(world.submitted_xids(), Vec::<i32>::new(), "TH-1");
}

#[test]
fn a_request_older_than_its_sessions_timeout_is_dropped_with_its_connection() {
    for (checks, xids) in [(false, vec![11, 12]), (true, vec![])] {
        let mut world = with_throttle(|limits| limits.stale_latency_check = checks);
        world.write(A, 1);
        world.write(B, 11);
        world.write(B, 12);
        world.pass(Duration::from_millis(TIMEOUT_MS as u64 + 200));
        let closed = if checks { vec![format!("{B} closed")] } else { vec![] };
        assert_eq!(world.take_others(), closed, "with nothing else happening");
        world.commit(1);
        if !checks {
            world.commit(2);
        }
        assert_eq!(world.take_xids(B), xids);
        assert_eq!(world.submitted_xids(), Vec::<i32>::new());
    }
}

#[test]
fn a_request_that_waited_too_long_is_throttled_in_its_turn_and_a_ping_never() {
    let mut world = with_throttle(|limits| limits.throttled_op_wait = seconds(1));
    world.write(A, 1);
    world.write(A, 2);
    world.write(B, 11);
    world.ping(B);
    world.pass(seconds(1));
    world.commit(1);
    assert_eq!(world.take_replies(A), [(1, code::OK)], "one second is not too long");
    world.pass(seconds(1));
    world.commit(1);
    assert_eq!(world.take_replies(A), [(2, code::OK)]);
    assert_eq!(world.take_replies(B), [(11, code::THROTTLED_OP), (-2, code::OK)]);
    assert_eq!(world.submitted_xids(), Vec::<i32>::new());
}

#[test]
fn a_session_without_a_token_is_turned_away_by_closing() {
    let mut world = World::new(|limits| limits.connection_throttle.tokens_max = 1);
    world.connect(A);
    world.greet(B);
    assert_eq!(world.take_others(), [format!("{B} closed")]);
    assert_eq!(world.submitted.len(), 0);
    world.pass(seconds(1));
    world.connect(C);
}
