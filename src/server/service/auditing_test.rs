//! The lines of the audit log, as the log is told of them.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use super::Input;
use super::bench::{self, Bench, create_request, created, failed};
use crate::base::{AUDIT_TARGET, ConnId, SessionId};
use crate::jute::client::{
    CreateRequest, CreateTtlRequest, DeleteContainerRequest, DeleteRequest, MultiHeader,
    SetAclRequest, SetDataRequest, code, create_flags, op,
};
use crate::jute::data::{Acl, Id, perms};
use crate::jute::txn::{
    CloseSessionTxn, CreateContainerTxn, CreateTtlTxn, DeleteTxn, SetAclTxn, SetDataTxn, Txn, kind,
};
use crate::jute::{DecodeError, Jute, Reader};

const ME: ConnId = ConnId(1);
const EPHEMERALS: &str = "ephemeralZNodeDeletionOnSessionCloseOrExpire";

/// Fields of the audit's lines, with `|` for a tab.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == AUDIT_TARGET {
            let mut line = Line::default();
            event.record(&mut line);
            self.0.lock().expect("one thread").push(line.0);
        }
    }
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let bar = if self.0.is_empty() { "" } else { "|" };
        write!(self.0, "{bar}{}={value:?}", field.name()).expect("a string");
    }
}

/// A server with an audit log, and one client with the ids of two schemes.
struct Rig {
    bench: Bench,
    session: SessionId,
}

impl Rig {
    fn new() -> Rig {
        let mut config = bench::config();
        config.audit = true;
        Rig::with(Bench::serving(&config))
    }

    fn with(mut bench: Bench) -> Rig {
        let session = bench.open_global(ME);
        let connection = bench.service.connections.get_mut(&ME).expect("it is open");
        let bob = Id { scheme: "digest".into(), id: "bob:SECRET".into() };
        connection.grant(vec![bob]);
        bench.service.set_process_user(Some("zk".into()));
        Rig { bench, session }
    }

    /// What is told of a request that comes to this.
    fn told(&mut self, op: i32, record: &impl Jute, txn: Txn) -> Vec<String> {
        said(|| {
            self.bench.ask(ME, op, record);
            self.bench.apply(self.session, self.bench.last_cxid(), txn);
        })
    }

    /// The same of one line, behind the fields that say who asks.
    fn tells(&mut self, op: i32, record: &impl Jute, txn: Txn) -> String {
        let lines = self.told(op, record, txn);
        let who = format!("session={}|user=bob,10.0.0.1|ip=10.0.0.1|", self.session);
        let [line] = &lines[..] else { panic!("one line: {lines:?}") };
        line.strip_prefix(&who).unwrap_or_else(|| panic!("{who}: {line}")).to_owned()
    }
}

fn said(act: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    tracing::subscriber::with_default(registry().with(lines.clone()), act);
    std::mem::take(&mut *lines.0.lock().expect("one thread"))
}

/// A record that is written already.
struct Written(Vec<u8>);

impl Jute for Written {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn decode(from: &mut Reader) -> Result<Written, DecodeError> {
        Ok(Written(from.rest().to_vec()))
    }
}

fn delete(path: &str) -> (DeleteRequest, Txn) {
    let path = path.to_owned();
    (DeleteRequest { path: path.clone(), version: -1 }, Txn::Delete(DeleteTxn { path }))
}

fn set(path: &str) -> (SetDataRequest, Txn) {
    let (path, data) = (path.to_owned(), None);
    let request = SetDataRequest { path: path.clone(), data: data.clone(), version: -1 };
    (request, Txn::SetData(SetDataTxn { path, data, version: 1 }))
}

#[test]
fn each_operation_has_its_line() {
    let mut rig = Rig::new();
    let line = rig.tells(op::CREATE, &create_request("/a", 0), created("/a", 0));
    assert_eq!(line, "operation=create|znode=/a|znode_type=persistent|result=success");
    let (request, txn) = set("/a");
    let line = rig.tells(op::SET_DATA, &request, txn);
    assert_eq!(line, "operation=setData|znode=/a|result=success");
    let bobs = Acl { perms: perms::READ | perms::ADMIN, id: rig_id("digest", "bob:SECRET") };
    let acl = vec![Acl { perms: perms::ALL, id: rig_id("world", "anyone") }, bobs];
    let request = SetAclRequest { path: "/a".into(), acl: Some(acl.clone()), version: -1 };
    let txn = Txn::SetAcl(SetAclTxn { path: "/a".into(), acl: Some(acl), version: 1 });
    let line = rig.tells(op::SET_ACL, &request, txn);
    assert_eq!(
        line, "operation=setAcl|znode=/a|acl=world:anyone:cdrwadigest:bob:ra|result=success",
        "Apache puts nothing between two entries; the digest is nobody's business"
    );
    let (request, txn) = delete("/a");
    let line = rig.tells(op::DELETE, &request, txn);
    assert_eq!(line, "operation=delete|znode=/a|result=success");
}

fn rig_id(scheme: &str, id: &str) -> Id {
    Id { scheme: scheme.into(), id: id.into() }
}

#[test]
fn a_node_is_told_of_as_it_is_called_and_with_its_kind() {
    let mut rig = Rig::new();
    let sequential = create_flags::SEQUENTIAL;
    let line =
        rig.tells(op::CREATE2, &create_request("/s", sequential), created("/s0000000000", 0));
    assert_eq!(
        line,
        "operation=create|znode=/s0000000000|znode_type=persistent_sequential|result=success"
    );
    let both = sequential | create_flags::EPHEMERAL;
    let line = rig.tells(op::CREATE, &create_request("/e", both), created("/e1", both));
    assert_eq!(line, "operation=create|znode=/e1|znode_type=ephemeral_sequential|result=success");
    let (path, data, acl) = ("/c".to_owned(), None, Some(Acl::open()));
    let request = CreateRequest { path, data, acl, flags: create_flags::CONTAINER };
    let CreateRequest { path, data, acl, .. } = request.clone();
    let txn = Txn::CreateContainer(CreateContainerTxn { path, data, acl, parent_cversion: -1 });
    let line = rig.tells(op::CREATE_CONTAINER, &request, txn);
    assert_eq!(line, "operation=create|znode=/c|znode_type=container|result=success");
    let request = DeleteContainerRequest { path: Some("/c".into()) };
    let line = rig.tells(op::DELETE_CONTAINER, &request, delete("/c").1);
    assert_eq!(line, "operation=delete|znode=/c|result=success");
    let (path, data, acl) = ("/t".to_owned(), None, Some(Acl::open()));
    let (flags, ttl) = (create_flags::TTL, 1000);
    let request = CreateTtlRequest { path, data, acl, flags, ttl };
    let CreateTtlRequest { path, data, acl, .. } = request.clone();
    let txn = Txn::CreateTtl(CreateTtlTxn { path, data, acl, parent_cversion: -1, ttl });
    let line = rig.tells(op::CREATE_TTL, &request, txn);
    assert_eq!(line, "operation=create|znode=/t|znode_type=persistent_with_ttl|result=success");
}

#[test]
fn what_fails_is_told_of_with_what_was_asked() {
    let mut rig = Rig::new();
    let line = rig.tells(op::CREATE, &create_request("/a/b", 1), failed(code::NO_AUTH));
    assert_eq!(line, "operation=create|znode=/a/b|znode_type=ephemeral|result=failure");
    let line = rig.tells(op::DELETE, &delete("/none").0, failed(code::NO_NODE));
    assert_eq!(line, "operation=delete|znode=/none|result=failure");
    let line = rig.tells(op::SET_DATA, &set("/a").0, failed(code::NO_AUTH));
    assert_eq!(line, "operation=setData|znode=/a|result=failure");
    let request = SetAclRequest { path: "/a".into(), acl: Some(Vec::new()), version: -1 };
    let line = rig.tells(op::SET_ACL, &request, failed(code::INVALID_ACL));
    assert_eq!(line, "operation=setAcl|znode=/a|acl=|result=failure");
    let nulls = Written([vec![0xff; 12], vec![0; 8]].concat());
    let line = rig.tells(op::RECONFIG, &nulls, failed(code::RECONFIG_DISABLED));
    assert_eq!(line, "operation=reconfig|result=failure");
}

#[test]
fn a_multi_has_a_line_for_each_part_or_one_if_it_failed() {
    let mut rig = Rig::new();
    let mut parts = Vec::new();
    for (kind, record) in [
        (op::CREATE, create_request("/s", create_flags::SEQUENTIAL).to_jute()),
        (op::SET_DATA, set("/s7").0.to_jute()),
        (op::DELETE, delete("/s7").0.to_jute()),
    ] {
        MultiHeader { kind, done: false, err: -1 }.encode(&mut parts);
        parts.extend(record);
    }
    MultiHeader { kind: -1, done: true, err: -1 }.encode(&mut parts);
    let done = vec![
        (op::CREATE, created("/s7", 0)),
        (op::SET_DATA, set("/s7").1),
        (op::DELETE, delete("/s7").1),
    ];
    let lines = rig.told(op::MULTI, &Written(parts.clone()), Txn::Multi(done));
    let ends = [
        "operation=create|znode=/s7|znode_type=persistent_sequential|result=success",
        "operation=setData|znode=/s7|result=success",
        "operation=delete|znode=/s7|result=success",
    ];
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.iter().zip(ends).all(|(line, end)| line.ends_with(end)), "{lines:?}");

    let part = |err| (kind::ERROR, failed(err));
    let undone = vec![part(code::OK), part(code::NO_NODE), part(code::RUNTIME_INCONSISTENCY)];
    let line = rig.tells(op::MULTI, &Written(parts.clone()), Txn::Multi(undone));
    assert_eq!(line, "operation=multiOperation|result=failure");
    let line = rig.tells(op::MULTI, &Written(parts), failed(code::MARSHALLING_ERROR));
    assert_eq!(line, "operation=multiOperation|result=failure");
}

#[test]
fn ephemerals_that_go_with_any_session_are_told_of_as_the_servers_own_doing() {
    let mut rig = Rig::new();
    rig.tells(op::CREATE, &create_request("/e", 1), created("/e", 1));
    let stranger = SessionId(0x77);
    let lines = said(|| drop(rig.bench.apply(stranger, 1, created("/f", 1))));
    assert_eq!(lines, Vec::<String>::new(), "it is its own server's to tell");
    let close = |path: &str| {
        Txn::CloseSession(Some(CloseSessionTxn { paths_to_delete: vec![path.into()] }))
    };
    for (session, path) in [(stranger, "/f"), (rig.session, "/e")] {
        let lines = said(|| drop(rig.bench.apply(session, 2, close(path))));
        let line =
            format!("session={session}|user=zk|operation={EPHEMERALS}|znode={path}|result=success");
        assert_eq!(lines, [line]);
    }
}

#[test]
fn who_hangs_up_at_once_is_told_of_all_the_same() {
    let mut rig = Rig::new();
    rig.bench.create(ME, "/a", 0);
    let cxid = rig.bench.last_cxid();
    let again = Txn::Error(crate::jute::txn::ErrorTxn { err: code::NODE_EXISTS });
    let lines = said(|| {
        rig.bench.step(Input::Lost { conn: ME });
        rig.bench.apply(rig.session, cxid, created("/a", 0));
        rig.bench.apply(rig.session, cxid, again);
    });
    let who = format!("session={}|user=bob,10.0.0.1|ip=10.0.0.1|", rig.session);
    let line = "operation=create|znode=/a|znode_type=persistent|result=success";
    assert_eq!(lines, [format!("{who}{line}")], "once");
}

#[test]
fn without_an_audit_nothing_is_told() {
    let mut rig = Rig::with(Bench::serving(&bench::config()));
    let lines = rig.told(op::CREATE, &create_request("/e", 1), created("/e", 1));
    assert_eq!(lines, Vec::<String>::new());
    let lines = said(|| {
        rig.bench.apply(rig.session, 2, Txn::CloseSession(None));
        rig.bench.service.note_end(0);
    });
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn a_server_starts_once_and_ends() {
    let mut config = bench::config();
    config.audit = true;
    let lines = said(|| {
        let mut bench = Bench::serving(&config);
        bench.step(Input::Stop);
        bench.step(Input::Serve);
        bench.service.note_end(14);
    });
    let of = |what: &str| format!("user=<NA>|operation={what}");
    assert_eq!(lines, [of("serverStart|result=success"), of("serverStop|result=invoked")]);
}
