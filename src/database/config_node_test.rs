//! /zookeeper/config is this server's own, whatever comes from a disk or from a leader.

use std::rc::Rc;

use bytes::Bytes;

use super::Database;
use crate::base::paths::CONFIG;
use crate::base::{Epoch, SessionId, Zxid};
use crate::jute::Jute;
use crate::jute::data::{Stat, StatPersisted};
use crate::jute::persist::SnapshotNode;
use crate::jute::txn::{Proposal, SetDataTxn, Txn, TxnHeader, kind};
use crate::storage::{Loaded, SnapshotData, SnapshotEncoder};
use crate::tree::SnapshotCursor;

const OURS: &[u8] = b"server.1=a:1:2:participant\nversion=0";
const OTHERS: &[u8] = b"server.1=elsewhere:1:2:participant\nversion=100000007";

fn ours() -> Database {
    Database::empty(10).with_config(Bytes::from_static(OURS), Zxid::ZERO)
}

fn others() -> Database {
    Database::empty(10).with_config(Bytes::from_static(OTHERS), Zxid(0x1_0000_0007))
}

fn node_of(db: &Database) -> (Bytes, Stat) {
    let (data, stat) = db.tree().get_data(CONFIG).expect("every tree has it");
    (data.expect("it has data"), stat)
}

/// With the stat that Apache gives it, but for mtime, and with the list that it always had.
#[track_caller]
fn assert_ours(db: &Database) {
    let (text, stat) = node_of(db);
    assert_eq!(text, OURS);
    let want =
        Stat { version: -1, aversion: -1, data_length: OURS.len() as i32, ..Stat::default() };
    assert_eq!(stat, want);
    let list_of = |db: &Database| db.tree().get_acl(CONFIG).map(|(list, _)| list);
    assert_eq!(list_of(db), list_of(&Database::empty(10)));
    assert_eq!(db.tree().audit_digests(), (db.tree().digest(), db.tree().state_digest()));
}

/// What a SNAP brings of this tree, or the content of its snapshot file.
fn stream_of(db: &Database) -> Bytes {
    let (nodes, end) = db.snapshot_slice(&mut SnapshotCursor::new(), 100);
    assert!(end);
    [db.snapshot_head(), nodes].concat().into()
}

/// As releases before 3.5 wrote it.
fn without_the_node() -> Vec<SnapshotNode> {
    let node = |path: &str| SnapshotNode {
        path: path.into(),
        data: Some(Bytes::new()),
        acl: -1,
        stat: StatPersisted::default(),
    };
    [node(""), node("/zookeeper"), node("/zookeeper/quota")].into()
}

fn loaded(nodes: Vec<SnapshotNode>, acls: Vec<(i64, Vec<crate::jute::data::Acl>)>) -> Loaded {
    let zxid = Zxid::new(Epoch(1), 6);
    let nodes = nodes.into();
    let snapshot = Some(SnapshotData { zxid, nodes, acls, ..SnapshotData::default() });
    Loaded { snapshot, last_logged: zxid, ..Loaded::default() }
}

fn nodes_of(db: &Database) -> Vec<SnapshotNode> {
    db.tree().snapshot_slice(&mut SnapshotCursor::new(), 100)
}

/// As a super user may set it, and as a reconfiguration of Apache does.
fn set(zxid: Zxid) -> Rc<Proposal> {
    let header =
        TxnHeader { client_id: SessionId(7), cxid: 1, zxid, time: 5, kind: kind::SET_DATA };
    let data = Some(Bytes::from_static(OTHERS));
    let txn = SetDataTxn { path: CONFIG.into(), data, version: 3 };
    Rc::new(Proposal::new(header, Txn::SetData(txn), None))
}

#[test]
fn a_server_with_an_empty_disk_names_the_members() {
    assert_ours(&ours());
    let mut db = ours();
    db.restore(Loaded::default()).expect("an empty disk");
    assert_ours(&db);
}

#[test]
fn what_a_disk_holds_of_another_configuration_is_passed_over() {
    let from = others();
    let mut db = ours();
    db.restore(loaded(nodes_of(&from), from.tree().acl_map())).expect("a tree");
    assert_ours(&db);
    db.restore(loaded(without_the_node(), Vec::new())).expect("a tree");
    assert_ours(&db);
    let zxid = Zxid::new(Epoch(1), 7);
    let mut behind = loaded(nodes_of(&from), from.tree().acl_map());
    behind.txns.push(set(zxid));
    behind.last_logged = zxid;
    db.restore(behind).expect("a tree and a log");
    assert_eq!(db.last_applied(), zxid);
    assert_ours(&db);
}

#[test]
fn what_a_leaders_snapshot_holds_is_passed_over() {
    let mut db = ours();
    let zxid = Zxid::new(Epoch(1), 6);
    db.install_stream(zxid, stream_of(&others())).expect("a tree");
    assert_ours(&db);
    db.install_stream(zxid, stream_of(&Database::empty(10))).expect("a tree");
    assert_ours(&db);

    let mut encoder = SnapshotEncoder::for_learner();
    encoder.sessions(&[]);
    encoder.acls(&[]);
    encoder.nodes(&without_the_node());
    let mut stream = encoder.finish(None, None).to_vec();
    "BenWasHere".to_string().encode(&mut stream);
    db.install_stream(zxid, stream).expect("a tree");
    assert_ours(&db);
}

#[test]
fn a_transaction_changes_it_as_any_other_node() {
    let mut db = ours();
    db.append(set(Zxid::new(Epoch(1), 1)));
    db.commit_to(db.last_logged());
    let (_, applied) = db.apply_next().expect("it was committed just now");
    assert!(applied.outcome.change.is_some(), "those who watch it are told");
    let (text, stat) = node_of(&db);
    assert_eq!((&text[..], stat.version, stat.mtime), (OTHERS, 3, 5));
}

#[test]
fn servers_with_different_texts_are_in_one_state() {
    let (one, other, none) = (ours(), others(), Database::empty(10));
    for db in [&one, &other] {
        assert_eq!(db.state_digest(), none.state_digest());
        assert_eq!(db.tree().digest(), none.tree().digest());
    }
    assert_eq!(node_of(&other).1.mzxid, Zxid(0x1_0000_0007), "the version of the configuration");
}

#[test]
fn a_server_without_an_ensemble_leaves_it_as_it_is_found() {
    let mut db = Database::empty(10);
    assert_eq!(node_of(&db), (Bytes::new(), Stat { aversion: -1, ..Stat::default() }));
    let from = others();
    db.restore(loaded(nodes_of(&from), from.tree().acl_map())).expect("a tree");
    assert_eq!(node_of(&db), node_of(&from));
}
