//! Requests as frames, and the replies and events they bring.
//!
//! Over 500 lines: one rig, and a case for each request.

use std::rc::Rc;

use bytes::Bytes;

use crate::base::limits::CLIENT_IDS_MAX;
use crate::base::{ConnId, Mono, Now, ServerId, SessionId, Zxid};
use crate::config::ServerConfig;
use crate::database::Database;
use crate::jute::client::*;
use crate::jute::data::{Acl, Id, perms};
use crate::jute::txn::*;
use crate::jute::{Jute, Reader};
use crate::metrics::Metrics;
use crate::server::connection::{Connection, State};
use crate::server::{Input, Output, Seeds, Service};
use crate::tree::AclRules;

const ME: ConnId = ConnId(1);
const OTHER: ConnId = ConnId(2);
const NULL: [u8; 4] = [255; 4];

fn id(scheme: &str, id: &str) -> Id {
    Id { scheme: scheme.into(), id: id.into() }
}

fn only(perms: i32, of: &str) -> Vec<Acl> {
    vec![Acl { perms, id: id("digest", of) }]
}

fn path_of(path: &str) -> Vec<u8> {
    path.to_owned().to_jute()
}

fn session_of(conn: ConnId) -> SessionId {
    SessionId(conn.0 as i64 + 0x100)
}

/// A server with two open connections, and no ensemble: transactions are applied as they are given.
struct Rig {
    service: Service,
    db: Database,
    out: Vec<Output>,
}

/// What a connection was sent: events as (type, path), then a reply as (err, body).
type Sent = (Vec<(i32, String)>, Option<(i32, Vec<u8>)>);

impl Rig {
    fn new() -> Rig {
        Rig::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut ServerConfig)) -> Rig {
        let mut config = ServerConfig::defaults(ServerId(1));
        change(&mut config);
        let mut service = Service::new(&config, Seeds::default(), Metrics::default());
        for conn in [ME, OTHER] {
            let session = session_of(conn);
            let mut connection = Connection::new(Now::default(), "10.0.0.1:5000".into());
            connection.state = State::Open { session, timeout_ms: 4000 };
            let gate = &mut service.gate;
            gate.accept(Mono(0), conn, "10.0.0.1", &mut connection.flow).expect("within limits");
            service.connections.insert(conn, Box::new(connection));
            service.by_session.insert(session, conn);
        }
        let db = Database::empty(0).with_acl_rules(AclRules::of(&config));
        Rig { service, db, out: Vec::new() }
    }

    fn authenticate(&mut self, conn: ConnId, as_: Id) {
        let connection = self.service.connections.get_mut(&conn).expect("it is open");
        std::rc::Rc::make_mut(&mut connection.auth).push(as_);
    }

    fn apply(&mut self, txn: Txn) {
        self.apply_of(SessionId(0), txn);
    }

    fn apply_of(&mut self, client_id: SessionId, txn: Txn) {
        let zxid = Zxid(self.db.last_applied().0 + 1);
        let header = TxnHeader { client_id, cxid: 0, zxid, time: 0, kind: 0 };
        self.db.append(Rc::new(Proposal::new(header, txn, None)));
        self.db.commit_to(zxid);
        let (proposal, applied) = self.db.apply_next().expect("it was committed just now");
        let input = Input::Applied { proposal, applied };
        self.service.step(Now::default(), input, &self.db, &mut self.out);
    }

    fn create(&mut self, path: &str, acl: Vec<Acl>) {
        self.apply(created(path, acl, false));
    }

    fn delete(&mut self, path: &str) {
        self.apply(Txn::Delete(DeleteTxn { path: path.into() }));
    }

    fn set(&mut self, path: &str) {
        let data = Some(Bytes::new());
        self.apply(Txn::SetData(SetDataTxn { path: path.into(), data, version: 1 }));
    }

    /// What the connection was sent since the last time it was asked.
    fn sent(&mut self, conn: ConnId) -> Sent {
        let (mut events, mut reply) = (Vec::new(), None);
        let (mine, others) = std::mem::take(&mut self.out)
            .into_iter()
            .partition(|output| matches!(output, Output::Write(to, _) if *to == conn));
        self.out = others;
        for output in Vec::from_iter(mine) {
            let Output::Write(_, bytes) = output else { continue };
            let mut from = Reader::new(bytes.slice(4..));
            let header = ReplyHeader::decode(&mut from).expect("a header");
            if header.xid == xid::NOTIFICATION {
                assert_eq!(reply, None, "an event behind the reply");
                let event = WatcherEvent::decode(&mut from).expect("an event");
                events.push((event.kind, event.path));
            } else {
                assert_eq!(header.zxid, self.db.last_applied());
                reply = Some((header.err, from.rest().to_vec()));
            }
        }
        (events, reply)
    }

    fn events(&mut self, conn: ConnId) -> Vec<(i32, String)> {
        self.sent(conn).0
    }

    fn ask_as(&mut self, conn: ConnId, op: i32, record: &[u8]) -> (i32, Vec<u8>) {
        let mut body = RequestHeader { xid: 7, op }.to_jute();
        body.extend_from_slice(record);
        let input = Input::Frame { conn, body: body.into() };
        self.service.step(Now::default(), input, &self.db, &mut self.out);
        self.sent(conn).1.expect("a reply")
    }

    fn ask(&mut self, op: i32, record: &impl Jute) -> (i32, Vec<u8>) {
        self.ask_as(ME, op, &record.to_jute())
    }

    fn watch(&mut self, op: i32, path: &str) -> i32 {
        self.ask(op, &PathWatchRequest { path: path.into(), watch: true }).0
    }

    fn watches(&self) -> usize {
        self.service.watch_count()
    }
}

fn created(path: &str, acl: Vec<Acl>, ephemeral: bool) -> Txn {
    let (data, acl) = (Some(Bytes::new()), Some(acl));
    Txn::Create(CreateTxn { path: path.into(), data, acl, ephemeral, parent_cversion: -1 })
}

fn event(kind: i32, path: &str) -> (i32, String) {
    (kind, path.into())
}

#[test]
fn who_may_not_read_a_node_is_not_told_of_it_and_its_watch_is_spent() {
    let mut rig = Rig::new();
    rig.create("/a", Acl::open());
    rig.authenticate(OTHER, id("digest", "bob:x"));
    for conn in [ME, OTHER] {
        let watch = PathWatchRequest { path: "/a".into(), watch: true }.to_jute();
        assert_eq!(rig.ask_as(conn, op::GET_DATA, &watch).0, code::OK);
    }
    let acl = Some(only(perms::READ, "bob:x"));
    rig.apply(Txn::SetAcl(SetAclTxn { path: "/a".into(), acl, version: 1 }));
    rig.set("/a");
    assert_eq!(rig.events(ME), []);
    assert_eq!(rig.events(OTHER), [event(event::DATA_CHANGED, "/a")]);
    assert_eq!(rig.watches(), 0);
}

#[test]
fn another_permission_than_read_does_not_let_an_event_pass() {
    let mut rig = Rig::new();
    rig.authenticate(ME, id("digest", "bob:x"));
    for (perms, told) in [(perms::ALL & !perms::READ, false), (perms::READ, true)] {
        assert_eq!(rig.watch(op::EXISTS, "/a"), code::NO_NODE);
        rig.create("/a", only(perms, "bob:x"));
        assert_eq!(rig.events(ME).len(), usize::from(told), "{perms}");
        rig.delete("/a");
    }
}

#[test]
fn a_node_and_its_parent_are_told_of_by_the_list_of_each() {
    let mut rig = Rig::new();
    rig.create("/p", Acl::open());
    rig.create("/q", only(perms::ALL, "bob:x"));
    for path in ["/p", "/q"] {
        let request = AddWatchRequest { path: path.into(), mode: 0 };
        assert_eq!(rig.ask(op::ADD_WATCH, &request), (0, vec![0; 4]));
        let request = AddWatchRequest { path: path.into(), mode: 1 };
        assert_eq!(rig.ask(op::ADD_WATCH, &request), (0, vec![0; 4]));
    }
    rig.create("/p/hidden", only(perms::ALL, "bob:x"));
    assert_eq!(rig.events(ME), [event(event::CHILDREN_CHANGED, "/p")], "the parent is open");
    rig.delete("/p/hidden");
    assert_eq!(rig.events(ME), [event(event::CHILDREN_CHANGED, "/p")], "the node was hidden");
    rig.create("/q/open", Acl::open());
    assert_eq!(rig.events(ME), [event(event::CREATED, "/q/open")], "the parent is hidden");
    rig.delete("/q/open");
    assert_eq!(rig.events(ME), [event(event::DELETED, "/q/open")]);
    rig.authenticate(ME, id("digest", "bob:x"));
    rig.create("/q/open", Acl::open());
    assert_eq!(rig.events(ME).len(), 2, "who proves who it is hears of both");
}

#[test]
fn without_acl_checks_everybody_is_told_and_may_read() {
    let mut rig = Rig::with(|config| config.access.skip_acl = true);
    rig.create("/a", only(0, "bob:x"));
    assert_eq!(rig.watch(op::GET_DATA, "/a"), code::OK);
    rig.set("/a");
    assert_eq!(rig.events(ME), [event(event::DATA_CHANGED, "/a")]);
    let (err, body) = rig.ask(op::GET_ACL, &PathRequest { path: "/a".into() });
    let acl = GetAclResponse::decode(&mut Reader::new(body.into())).expect("a list").acl;
    assert_eq!((err, acl), (code::OK, only(0, "bob:x")), "and nothing is masked");
}

#[test]
fn what_set_watches_catches_up_on_is_told_to_everybody() {
    let mut rig = Rig::new();
    rig.create("/a", only(perms::ALL, "bob:x"));
    let paths = || vec!["/a".to_owned()];
    let request = SetWatches2 {
        exist_watches: paths(),
        persistent_watches: paths(),
        ..SetWatches2::default()
    };
    let body = RequestHeader { xid: xid::SET_WATCHES, op: op::SET_WATCHES2 };
    let body = [body.to_jute(), request.to_jute()].concat().into();
    rig.service.step(Now::default(), Input::Frame { conn: ME, body }, &rig.db, &mut rig.out);
    let (events, reply) = rig.sent(ME);
    assert_eq!(events, [event(event::CREATED, "/a")]);
    assert_eq!(reply, Some((code::OK, Vec::new())));
    assert_eq!(rig.watches(), 2, "the persistent one, in two tables");
    rig.set("/a");
    assert_eq!(rig.events(ME), [], "but what happens from now on is not");
}

#[test]
fn a_read_needs_the_node_and_then_the_permission() {
    let mut rig = Rig::new();
    rig.create("/hidden", only(perms::ALL & !perms::READ, "bob:x"));
    rig.authenticate(ME, id("digest", "bob:x"));
    for op in [op::EXISTS, op::GET_DATA, op::GET_CHILDREN, op::GET_CHILDREN2] {
        assert_eq!(rig.watch(op, "/hidden"), code::NO_AUTH, "{}", op_name(op));
        assert_eq!(rig.watches(), 0, "{}", op_name(op));
        assert_eq!(rig.watch(op, "/none"), code::NO_NODE, "{}", op_name(op));
        assert_eq!(rig.watches(), usize::from(op == op::EXISTS), "{}", op_name(op));
        rig.service.watches.remove_conn(ME);
    }
    let path = |path: &str| PathRequest { path: path.into() };
    let op = op::GET_ALL_CHILDREN_NUMBER;
    assert_eq!(rig.ask(op, &path("/hidden")), (code::NO_AUTH, Vec::new()));
    assert_eq!(rig.ask(op, &path("/none")), (code::NO_NODE, Vec::new()));
    assert_eq!(rig.ask(op, &path("/")), (code::OK, 4_i32.to_jute()));
    assert_eq!(rig.ask(op::GET_ACL, &path("/none")).0, code::NO_NODE);
    assert_eq!(rig.ask(op::GET_ACL, &path("/hidden")).0, code::OK, "ADMIN does as well");
    rig.service.connections.get_mut(&ME).expect("it is open").auth = Default::default();
    assert_eq!(rig.ask(op::GET_ACL, &path("/hidden")).0, code::NO_AUTH);
}

#[test]
fn odd_paths_name_no_node_and_the_root_has_two_names() {
    let mut rig = Rig::new();
    rig.create("/a", Acl::open());
    for path in ["a", "/a/", "//a", "/a//b", "/.", "/a/..", "/\u{1f600}", " ", "/a "] {
        for op in [op::EXISTS, op::GET_DATA, op::GET_CHILDREN, op::GET_CHILDREN2] {
            assert_eq!(rig.watch(op, path), code::NO_NODE, "{} {path:?}", op_name(op));
        }
    }
    for (op, err) in [
        (op::EXISTS, code::BAD_ARGUMENTS),
        (op::GET_DATA, code::NO_NODE),
        (op::GET_CHILDREN, code::NO_NODE),
        (op::GET_CHILDREN2, code::NO_NODE),
    ] {
        assert_eq!(rig.watch(op, "/a\0"), err, "{}", op_name(op));
        let by_slash = rig.ask(op, &PathWatchRequest { path: "/".into(), watch: false });
        let by_nothing = rig.ask(op, &PathWatchRequest { path: String::new(), watch: false });
        assert_eq!(by_slash.0, code::OK);
        assert_eq!(by_slash, by_nothing, "{}", op_name(op));
    }
}

#[test]
fn a_null_path_is_a_request_that_does_not_decode_unless_nobody_looks_at_it() {
    let mut rig = Rig::new();
    let null_and = |rest: &[u8]| [&NULL, rest].concat();
    for op in [
        op::EXISTS,
        op::GET_DATA,
        op::GET_CHILDREN,
        op::GET_CHILDREN2,
        op::GET_ACL,
        op::GET_ALL_CHILDREN_NUMBER,
    ] {
        let refused = (code::MARSHALLING_ERROR, Vec::new());
        assert_eq!(rig.ask_as(ME, op, &null_and(&[1])), refused, "{}", op_name(op));
    }
    assert_eq!(rig.watches(), 0);
    assert_eq!(rig.ask_as(ME, op::REMOVE_WATCHES, &null_and(&[0, 0, 0, 3])).0, code::NO_WATCHER);
    assert_eq!(rig.ask_as(ME, op::ADD_WATCH, &null_and(&[0, 0, 0, 1])), (0, vec![0; 4]));
    assert_eq!(rig.ask_as(ME, op::CHECK_WATCHES, &null_and(&[0, 0, 0, 5])).0, code::OK);
    rig.create("/a", Acl::open());
    assert_eq!(rig.events(ME), [], "nothing lies below a path that is none");
}

#[test]
fn a_short_record_is_a_marshalling_error_and_leaves_the_connection_open() {
    let mut rig = Rig::new();
    for op in [
        op::EXISTS,
        op::GET_ACL,
        op::CHECK_WATCHES,
        op::REMOVE_WATCHES,
        op::MULTI_READ,
        op::SET_WATCHES,
        op::GET_EPHEMERALS,
        op::GET_ALL_CHILDREN_NUMBER,
        op::SET_WATCHES2,
        op::ADD_WATCH,
    ] {
        let refused = (code::MARSHALLING_ERROR, Vec::new());
        assert_eq!(rig.ask_as(ME, op, &[0, 0]), refused, "{}", op_name(op));
    }
    assert!(rig.out.iter().all(|output| !matches!(output, Output::Close(_))));
}

#[test]
fn ephemerals_are_those_of_the_session_whose_paths_begin_so() {
    let mut rig = Rig::new();
    for (path, conn) in [("/b", ME), ("/ab", ME), ("/a", ME), ("/aa", OTHER)] {
        rig.apply_of(session_of(conn), created(path, only(0, "bob:x"), true));
    }
    for (prefix, found) in [
        (None, vec!["/a", "/ab", "/b"]),
        (Some(""), vec!["/a", "/ab", "/b"]),
        (Some(" / "), vec!["/a", "/ab", "/b"]),
        (Some("/a"), vec!["/a", "/ab"]),
        (Some("/ab/"), vec![]),
        (Some("/a "), vec![]),
    ] {
        let request = GetEphemeralsRequest { prefix_path: prefix.map(str::to_owned) };
        let (err, body) = rig.ask(op::GET_EPHEMERALS, &request);
        let ephemerals = found.into_iter().map(str::to_owned).collect();
        let expected = GetEphemeralsResponse { ephemerals }.to_jute();
        assert_eq!((err, body), (code::OK, expected), "{prefix:?}");
    }
}

#[test]
fn a_client_learns_who_it_is_but_no_digest() {
    let mut rig = Rig::new();
    rig.authenticate(ME, id("digest", "bob:secret"));
    rig.authenticate(ME, id("super", ""));
    rig.authenticate(ME, id("x509", "CN=bob:x"));
    let (err, body) = rig.ask_as(ME, op::WHO_AM_I, &[]);
    let who = WhoAmIResponse::decode(&mut Reader::new(body.into())).expect("a list").client_info;
    let who: Vec<_> = who.iter().map(|i| (i.auth_scheme.as_str(), i.user.as_str())).collect();
    assert_eq!(err, code::OK);
    assert_eq!(who, [("ip", "10.0.0.1"), ("digest", "bob"), ("super", ""), ("x509", "CN=bob:x")]);
}

/// One operation of a multi.
fn part(kind: i32, record: &[u8]) -> Vec<u8> {
    [MultiHeader { kind, done: false, err: -1 }.to_jute(), record.to_vec()].concat()
}

const END: [u8; 9] = [255, 255, 255, 255, 1, 255, 255, 255, 255];

fn failed(err: i32) -> Vec<u8> {
    [MultiHeader { kind: -1, done: false, err }.to_jute(), err.to_jute()].concat()
}

#[test]
fn each_read_of_a_multi_read_has_its_own_result_and_sets_no_watch() {
    let mut rig = Rig::new();
    rig.create("/a", Acl::open());
    rig.create("/hidden", only(perms::ALL, "bob:x"));
    let watched = |path: &str| PathWatchRequest { path: path.into(), watch: true }.to_jute();
    let mut request = part(op::GET_CHILDREN, &watched("/a"));
    request.extend(part(op::GET_DATA, &watched("/none")));
    request.extend(part(op::GET_DATA, &watched("/hidden")));
    request.extend(END);
    let ok = MultiHeader { kind: op::GET_CHILDREN, done: false, err: 0 }.to_jute();
    let expected = [
        ok,
        GetChildrenResponse::default().to_jute(),
        failed(code::NO_NODE),
        failed(code::NO_AUTH),
        END.to_vec(),
    ];
    assert_eq!(rig.ask_as(ME, op::MULTI_READ, &request), (code::OK, expected.concat()));
    assert_eq!(rig.watches(), 0);
    assert_eq!(rig.ask_as(ME, op::MULTI_READ, &END), (code::OK, END.to_vec()));
}

#[test]
fn a_multi_read_that_breaks_off_says_so_and_how_far_it_came() {
    let mut rig = Rig::new();
    let none = part(op::GET_DATA, &[path_of("/none"), vec![0]].concat());
    let null = part(op::GET_DATA, &[&NULL[..], &[0]].concat());
    let delete = part(op::DELETE, &DeleteRequest { path: "/a".into(), version: -1 }.to_jute());
    let exists = part(op::EXISTS, &[path_of("/none"), vec![0]].concat());
    let so_far = [failed(code::NO_NODE), END.to_vec()].concat();
    for (parts, body, why) in [
        (vec![&delete, &delete], END.to_vec(), "writes decode, and break off at once"),
        (vec![&none, &null, &none], so_far, "a null path decodes, too"),
        (vec![&none, &delete], vec![], "reads and writes do not decode"),
        (vec![&delete, &none], vec![], "in no order"),
        (vec![&exists], vec![], "nor do other reads"),
    ] {
        let mut request: Vec<u8> = parts.into_iter().flatten().copied().collect();
        request.extend(END);
        let reply = rig.ask_as(ME, op::MULTI_READ, &request);
        assert_eq!(reply, (code::MARSHALLING_ERROR, body), "{why}");
    }
    let reply = rig.ask_as(ME, op::MULTI_READ, &none);
    assert_eq!(reply, (code::MARSHALLING_ERROR, vec![]), "it has no end");
}

#[test]
fn watches_are_checked_and_removed_by_type_on_their_own_connection() {
    let mut rig = Rig::new();
    rig.create("/a", Acl::open());
    assert_eq!(rig.watch(op::GET_CHILDREN, "/a"), code::OK);
    let request = |kind| WatcherTypeRequest { path: "/a".into(), kind }.to_jute();
    for (kind, err) in [
        (0, code::MARSHALLING_ERROR),
        (1, code::OK),
        (2, code::NO_WATCHER),
        (3, code::OK),
        (4, code::NO_WATCHER),
        (5, code::NO_WATCHER),
        (6, code::MARSHALLING_ERROR),
    ] {
        assert_eq!(rig.ask_as(ME, op::CHECK_WATCHES, &request(kind)), (err, vec![]), "{kind}");
    }
    for (conn, op, kind, err) in [
        (OTHER, op::CHECK_WATCHES, 3, code::NO_WATCHER),
        (OTHER, op::REMOVE_WATCHES, 3, code::NO_WATCHER),
        (ME, op::REMOVE_WATCHES, 7, code::MARSHALLING_ERROR),
        (ME, op::REMOVE_WATCHES, 2, code::NO_WATCHER),
        (ME, op::REMOVE_WATCHES, 1, code::OK),
        (ME, op::REMOVE_WATCHES, 1, code::NO_WATCHER),
    ] {
        assert_eq!(rig.ask_as(conn, op, &request(kind)), (err, vec![]), "{} {kind}", op_name(op));
    }
    rig.create("/a/b", Acl::open());
    assert_eq!(rig.sent(ME), (vec![], None), "a removal is no event, and the watch is gone");
}

#[test]
fn a_watch_of_an_unknown_mode_is_refused() {
    let mut rig = Rig::new();
    for mode in [-1, 2] {
        let request = AddWatchRequest { path: "/a".into(), mode };
        assert_eq!(rig.ask(op::ADD_WATCH, &request), (code::MARSHALLING_ERROR, vec![]));
    }
    assert_eq!(rig.watches(), 0);
}

/// Adding to the ids used to bring all of them into their order anew.
#[test]
fn an_identity_may_be_proven_again_and_again() {
    let mut rig = Rig::new();
    let prove = |rig: &mut Rig, user: &str| {
        let auth = Some(Bytes::from(format!("{user}:pw")));
        let packet = AuthPacket { kind: 0, scheme: "digest".into(), auth }.to_jute();
        let body = [RequestHeader { xid: xid::AUTH, op: op::AUTH }.to_jute(), packet].concat();
        let input = Input::Frame { conn: ME, body: body.into() };
        rig.service.step(Now::default(), input, &rig.db, &mut rig.out);
        let out = std::mem::take(&mut rig.out);
        !out.iter().any(|output| matches!(output, Output::Close(_)))
    };
    assert!(prove(&mut rig, &"x".repeat(400_000)));
    for _ in 0..20_000 {
        assert!(prove(&mut rig, "bob"));
    }
    let connection = &rig.service.connections[&ME];
    assert_eq!(connection.auth.len(), 3, "its address, and two users");
    for n in 3..CLIENT_IDS_MAX {
        assert!(prove(&mut rig, &n.to_string()), "AU-3: {n}");
    }
    assert!(prove(&mut rig, "bob"), "nothing new");
    assert!(!prove(&mut rig, "one more"), "AU-3");
    assert!(!rig.service.connections.contains_key(&ME));
}

/// Each looked at all that the session owns: 1,600,000,000 comparisons.
#[test]
fn who_asks_for_ephemerals_with_a_prefix_pays_for_what_there_is_of_it() {
    let mut rig = Rig::new();
    for n in 0..80_000 {
        let zxid = Zxid(n + 1);
        let header = TxnHeader { client_id: session_of(ME), zxid, ..TxnHeader::default() };
        let txn = created(&format!("/e{n:05}"), Acl::open(), true);
        rig.db.append(Rc::new(Proposal::new(header, txn, None)));
        rig.db.commit_to(zxid);
        assert!(rig.db.apply_next().is_some());
    }
    let mut ask = |prefix: &str| {
        let request = GetEphemeralsRequest { prefix_path: Some(prefix.into()) };
        let (err, body) = rig.ask(op::GET_EPHEMERALS, &request);
        assert_eq!(err, code::OK);
        GetEphemeralsResponse::decode(&mut Reader::new(body.into())).expect("a list").ephemerals
    };
    for _ in 0..20_000 {
        assert_eq!(ask("/e8"), Vec::<String>::new());
    }
    assert_eq!((ask("/e7999").len(), ask("/e79999")), (10, vec!["/e79999".to_owned()]));
}

/// Each part read the list from end to end: 800,000,000 comparisons of texts.
#[test]
fn a_multi_read_asks_the_list_of_a_node_once() {
    let mut rig = Rig::new();
    let entry = |n: usize| only(perms::READ, &format!("{n:05}:x")).remove(0);
    rig.create("/a", (0..40_000).map(entry).collect());
    let read = part(op::GET_DATA, &[path_of("/a"), vec![0]].concat());
    let mut request = read.repeat(40_000);
    request.extend(END);
    let result_bytes = |rig: &mut Rig| {
        let (err, body) = rig.ask_as(ME, op::MULTI_READ, &request);
        assert_eq!(err, code::OK);
        (body.len() - END.len()) / 40_000
    };
    assert_eq!(result_bytes(&mut rig), failed(code::NO_AUTH).len());
    rig.authenticate(ME, id("digest", "39999:x"));
    assert_eq!(result_bytes(&mut rig), 9 + 4 + 68);
}
