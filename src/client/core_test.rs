//! Inputs in, outputs out: no socket and no clock.

use super::*;
use crate::client::request::Ticket;
use crate::client::settings::Credentials;
use crate::jute::client::{PathWatchRequest, SetWatches2};
use crate::runtime::HostPort;

const T0: Mono = Mono::from_millis(1_000);

fn plan(servers: &[&str]) -> Plan {
    let servers = servers.iter().map(|host| HostPort::new(*host, 2181)).collect();
    Plan { servers, timeout: Duration::from_secs(30), read_only: false, sasl: None }
}

fn request(ticket: u64, afterwards: Afterwards) -> Request {
    Request { ticket: Ticket(ticket), op: op::EXISTS, body: Vec::new(), afterwards }
}

fn at(millis: u64) -> Mono {
    Mono::from_millis(1_000 + millis)
}

fn reply(xid: i32, zxid: i64, err: i32, record: &[u8]) -> Input {
    let mut bytes = ReplyHeader { xid, zxid: Zxid(zxid), err }.to_jute();
    bytes.extend_from_slice(record);
    Input::Frame(bytes.into())
}

fn greeting(session: i64, timeout_ms: i32) -> Input {
    let response = ConnectResponse {
        timeout_ms,
        session: SessionId(session),
        password: Some(Bytes::from_static(&[7; 16])),
        read_only: Some(false),
        ..ConnectResponse::default()
    };
    Input::Frame(response.to_jute().into())
}

/// With a session at the first server.
fn open(plan: Plan) -> Core {
    let mut core = Core::new(plan, T0);
    core.step(T0, Input::Timer);
    core.step(T0, Input::Dialled(Ok(())));
    core.step(T0, greeting(5, 30_000));
    core
}

fn failure(ticket: u64, why: &str) -> Output {
    Output::Answer(Ticket(ticket), Err(Failure::connection_loss(why)))
}

/// Of a request that was sent.
fn lost(ticket: u64, why: &str) -> Output {
    let failure = Failure { was_sent: true, ..Failure::connection_loss(why) };
    Output::Answer(Ticket(ticket), Err(failure))
}

fn told(state: KeeperState) -> Output {
    Output::Event(WatchedEvent::of_state(state))
}

/// The xid and op of each frame that is sent.
fn sent(outputs: &[Output]) -> Vec<(i32, i32)> {
    let frames = outputs.iter().filter_map(|output| match output {
        Output::Send(bytes) => Some(Reader::new(bytes.slice(4..))),
        _ => None,
    });
    frames.map(|mut frame| (frame.int().expect("xid"), frame.int().expect("op"))).collect()
}

#[test]
fn a_request_waits_until_every_server_was_tried_once() {
    let mut core = Core::new(plan(&["a", "b"]), T0);
    assert!(core.step(T0, Input::Ask(request(1, Afterwards::Nothing))).is_empty());
    let dial = |host: &str| Output::Dial(HostPort::new(host, 2181), Duration::from_secs(15));
    assert_eq!(core.step(T0, Input::Timer), [dial("a")]);
    assert_eq!(core.step(T0, Input::Dialled(Err("a: refused".into()))), [Output::HangUp]);
    assert_eq!(core.step(T0, Input::Timer), [dial("b")]);
    let outputs = core.step(T0, Input::Dialled(Err("b: refused".into())));
    assert_eq!(outputs, [Output::HangUp, failure(1, "b: refused")]);
    assert_eq!(core.wake_at(), Some(T0 + ROUND_REST));
}

#[test]
fn what_was_sent_fails_when_its_connection_ends_and_what_waits_is_sent_on_the_next() {
    let mut core = open(plan(&["a", "b"]));
    let outputs = core.step(T0, Input::Ask(request(1, Afterwards::Nothing)));
    assert_eq!(sent(&outputs), [(1, op::EXISTS)]);
    let outputs = core.step(T0, Input::Lost("gone".into()));
    assert_eq!(outputs, [Output::HangUp, told(KeeperState::Disconnected), lost(1, "gone")]);
    core.step(T0, Input::Ask(request(2, Afterwards::Nothing)));
    core.step(T0, Input::Timer);
    core.step(T0, Input::Dialled(Ok(())));
    let outputs = core.step(T0, greeting(5, 30_000));
    assert_eq!(outputs[0], told(KeeperState::SyncConnected));
    assert_eq!(sent(&outputs), [(2, op::EXISTS)]);
}

#[test]
fn an_answer_belongs_to_the_oldest_request() {
    let mut core = open(plan(&["a"]));
    core.step(T0, Input::Ask(request(1, Afterwards::Nothing)));
    core.step(T0, Input::Ask(request(2, Afterwards::Nothing)));
    let record = Bytes::from_static(b"record");
    let outputs = core.step(T0, reply(1, 3, code::OK, &record));
    assert_eq!(outputs, [Output::Answer(Ticket(1), Ok(record))]);
    let outputs = core.step(T0, reply(7, 3, code::OK, &[]));
    assert_eq!(outputs.last(), Some(&lost(2, "the server answered 7, and 2 was the next one")));
}

#[test]
fn a_session_that_is_refused_has_expired() {
    let mut core = open(plan(&["a"]));
    core.step(T0, Input::Lost("gone".into()));
    core.step(at(2_000), Input::Timer);
    core.step(at(2_000), Input::Dialled(Ok(())));
    core.step(at(2_000), Input::Ask(request(1, Afterwards::Nothing)));
    let expired = Err(Failure::of(code::SESSION_EXPIRED));
    let outputs = core.step(at(2_000), greeting(0, 0));
    assert_eq!(
        outputs,
        [Output::HangUp, Output::Answer(Ticket(1), expired.clone()), told(KeeperState::Expired)]
    );
    assert_eq!((core.state(), core.wake_at()), (State::Closed, None));
    let outputs = core.step(at(2_000), Input::Ask(request(2, Afterwards::Nothing)));
    assert_eq!(outputs, [Output::Answer(Ticket(2), expired)]);
}

#[test]
fn a_server_that_takes_a_session_and_drops_it_is_not_dialled_without_a_rest() {
    let mut core = open(plan(&["a"]));
    core.step(at(500), Input::Lost("gone".into()));
    assert_eq!(core.wake_at(), Some(at(500) + ROUND_REST));
    core.step(at(2_000), Input::Timer);
    core.step(at(2_000), Input::Dialled(Ok(())));
    core.step(at(2_000), greeting(5, 30_000));
    core.step(at(9_000), Input::Lost("gone".into()));
    assert_eq!(core.wake_at(), Some(at(9_000)), "one that has served is dialled again at once");
}

#[test]
fn a_session_of_a_server_without_a_leader_ends_with_its_connection() {
    let mut core = Core::new(Plan { read_only: true, ..plan(&["a"]) }, T0);
    core.step(T0, Input::Timer);
    core.step(T0, Input::Dialled(Ok(())));
    let response = ConnectResponse {
        timeout_ms: 30_000,
        session: SessionId(9),
        password: Some(Bytes::from_static(&[7; 16])),
        read_only: Some(true),
        ..ConnectResponse::default()
    };
    let outputs = core.step(T0, Input::Frame(response.to_jute().into()));
    assert_eq!(outputs, [told(KeeperState::ConnectedReadOnly)]);
    core.step(T0, Input::Lost("the election is over".into()));
    core.step(at(2_000), Input::Timer);
    let greeted = core.step(at(2_000), Input::Dialled(Ok(())));
    let Some(Output::Send(bytes)) = greeted.first() else { panic!("{greeted:?}") };
    let asked = ConnectRequest::decode(&mut Reader::new(bytes.slice(4..))).expect("a record");
    assert_eq!(asked.session, SessionId(0), "no server that leads knows it");
    assert_eq!(core.step(at(2_000), greeting(5, 30_000)), [told(KeeperState::SyncConnected)]);
}

#[test]
fn a_silent_connection_is_asked_and_then_given_up() {
    let mut core = open(plan(&["a"]));
    assert_eq!(core.wake_at(), Some(at(10_000)));
    assert_eq!(sent(&core.step(at(10_000), Input::Timer)), [(xid::PING, op::PING)]);
    assert_eq!(core.wake_at(), Some(at(20_000)));
    let outputs = core.step(at(20_000), Input::Timer);
    assert_eq!(outputs, [Output::HangUp, told(KeeperState::Disconnected)]);
}

#[test]
fn after_a_reconnect_the_server_learns_who_this_is_and_what_is_watched() {
    let mut core = open(plan(&["a"]));
    core.step(T0, Input::AddAuth { scheme: "digest".into(), auth: Bytes::from_static(b"a:b") });
    let watch = |path: &str, kind| Afterwards::Watch { path: path.into(), kind };
    core.step(T0, Input::Ask(request(1, watch("/a", WatchedAs::Exists))));
    core.step(T0, reply(1, 9, code::NO_NODE, &[]));
    core.step(T0, Input::Ask(request(2, watch("/b", WatchedAs::Data))));
    core.step(T0, reply(2, 9, code::NO_NODE, &[]));
    core.step(T0, Input::Ask(request(3, watch("/c", WatchedAs::Persistent))));
    core.step(T0, reply(3, 9, code::OK, &[]));
    core.step(T0, Input::Lost("gone".into()));
    core.step(at(2_000), Input::Timer);
    let greeted = core.step(at(2_000), Input::Dialled(Ok(())));
    let Some(Output::Send(bytes)) = greeted.first() else { panic!("{greeted:?}") };
    let asked = ConnectRequest::decode(&mut Reader::new(bytes.slice(4..))).expect("a record");
    assert_eq!((asked.session, asked.last_zxid_seen), (SessionId(5), Zxid(9)));
    let outputs = core.step(at(2_000), greeting(5, 30_000));
    let both = [(xid::AUTH, op::AUTH), (xid::SET_WATCHES, op::SET_WATCHES2)];
    assert_eq!(sent(&outputs), both);
    let Some(Output::Send(bytes)) = outputs.last() else { panic!("{outputs:?}") };
    let told = SetWatches2::decode(&mut Reader::new(bytes.slice(12..))).expect("a record");
    assert_eq!(told.relative_zxid, Zxid(9));
    assert_eq!((told.exist_watches, told.data_watches), (vec!["/a".to_owned()], Vec::new()));
    assert_eq!(told.persistent_watches, ["/c"]);
}

#[test]
fn an_event_that_nobody_waits_for_is_not_told() {
    let mut core = open(plan(&["a"]));
    let event = || {
        let event = WatcherEvent { kind: 3, state: 3, path: "/a".into() };
        reply(xid::NOTIFICATION, 4, code::OK, &event.to_jute())
    };
    assert_eq!(core.step(T0, event()), []);
    let afterwards = Afterwards::Watch { path: "/a".into(), kind: WatchedAs::Data };
    core.step(T0, Input::Ask(request(1, afterwards)));
    core.step(T0, reply(1, 3, code::OK, &[]));
    let (state, kind) = (KeeperState::SyncConnected, EventKind::NodeDataChanged);
    let told = WatchedEvent { state, kind, path: Some("/a".into()), zxid: 4 };
    assert_eq!(
        told.to_string(),
        "WatchedEvent state:SyncConnected type:NodeDataChanged path:/a zxid: 4"
    );
    assert_eq!(core.step(T0, event()), [Output::Event(told)]);
    assert_eq!(core.step(T0, event()), []);
}

#[test]
fn a_refused_proof_ends_the_session() {
    let mut core = open(plan(&["a"]));
    core.step(T0, Input::AddAuth { scheme: "nope".into(), auth: Bytes::new() });
    core.step(T0, Input::Ask(request(1, Afterwards::Nothing)));
    let outputs = core.step(T0, reply(xid::AUTH, 0, code::AUTH_FAILED, &[]));
    let refused = Output::Answer(Ticket(1), Err(Failure::of(code::AUTH_FAILED)));
    assert_eq!(outputs, [Output::HangUp, refused, told(KeeperState::AuthFailed)]);
    assert_eq!(core.state(), State::AuthFailed);
}

#[test]
fn sasl_comes_before_every_other_request() {
    let credentials = Credentials { username: "bob".into(), password: "secret".into() };
    let sasl = Some((credentials, "cnonce".to_owned()));
    let mut core = Core::new(Plan { sasl, ..plan(&["a"]) }, T0);
    core.step(T0, Input::Timer);
    core.step(T0, Input::Dialled(Ok(())));
    core.step(T0, Input::Ask(request(1, Afterwards::Nothing)));
    assert_eq!(sent(&core.step(T0, greeting(5, 30_000))), [(1, op::SASL)]);
    let token = |text: &str| SaslToken { token: Some(Bytes::from(text.to_owned())) }.to_jute();
    let challenge = token("realm=\"zk-sasl-md5\",nonce=\"n\",charset=utf-8,algorithm=md5-sess");
    assert_eq!(sent(&core.step(T0, reply(1, 0, code::OK, &challenge))), [(2, op::SASL)]);
    let Phase::Proving { exchange: Exchange::Answered { rspauth }, .. } = &core.phase else {
        panic!("{:?}", core.phase);
    };
    let proof = token(&format!("rspauth={rspauth}"));
    let outputs = core.step(T0, reply(2, 0, code::OK, &proof));
    assert_eq!(outputs[0], told(KeeperState::SaslAuthenticated));
    assert_eq!(sent(&outputs), [(3, op::EXISTS)]);
}

#[test]
fn a_close_is_answered_whether_or_not_a_server_hears_of_it() {
    let done = || Output::Answer(Ticket(1), Ok(Bytes::new()));
    let mut core = open(plan(&["a"]));
    core.step(T0, Input::Ask(request(1, Afterwards::Close)));
    let outputs = core.step(T0, reply(1, 3, code::OK, &[]));
    assert_eq!(outputs, [done(), Output::HangUp, told(KeeperState::Closed)]);
    let mut core = open(plan(&["a"]));
    core.step(T0, Input::Ask(request(1, Afterwards::Close)));
    let outputs = core.step(T0, Input::Lost("gone".into()));
    assert_eq!(outputs, [done(), Output::HangUp, told(KeeperState::Closed)]);
    let mut core = Core::new(plan(&["a"]), T0);
    let outputs = core.step(T0, Input::Ask(request(1, Afterwards::Close)));
    assert_eq!(outputs, [done(), Output::HangUp, told(KeeperState::Closed)]);
}

#[test]
fn removed_watches_are_told_to_whoever_watched() {
    let mut core = open(plan(&["a"]));
    let afterwards = Afterwards::Watch { path: "/a".into(), kind: WatchedAs::Children };
    core.step(T0, Input::Ask(request(1, afterwards)));
    core.step(T0, reply(1, 3, code::OK, &[]));
    let unwatch = |local| Afterwards::Unwatch { path: "/a".into(), kind: 3, local };
    core.step(T0, Input::Ask(request(2, unwatch(false))));
    let outputs = core.step(T0, reply(2, 3, code::NO_WATCHER, &[]));
    let refused = Err(Failure::of(code::NO_WATCHER));
    assert_eq!(outputs, [Output::Answer(Ticket(2), refused)]);
    core.step(T0, Input::Ask(request(3, unwatch(true))));
    let outputs = core.step(T0, Input::Lost("gone".into()));
    let removed = outputs.iter().any(|output| {
        matches!(output, Output::Event(event) if event.kind == EventKind::ChildWatchRemoved)
    });
    assert!(removed, "{outputs:?}");
    assert!(outputs.contains(&Output::Answer(Ticket(3), Ok(Bytes::new()))));
}

#[test]
fn requests_carry_what_they_were_given() {
    let mut core = open(plan(&["a"]));
    let body = PathWatchRequest { path: "/a".into(), watch: true }.to_jute();
    let asked = Request { body: body.clone(), ..request(1, Afterwards::Nothing) };
    let outputs = core.step(T0, Input::Ask(asked));
    let [Output::Send(bytes)] = &outputs[..] else { panic!("{outputs:?}") };
    let length = i32::try_from(8 + body.len()).expect("short");
    assert_eq!((&bytes[..4], &bytes[12..]), (&length.to_be_bytes()[..], &body[..]));
}
