use super::*;
use quorate::base::Epoch;
use quorate::jute::txn::{CloseSessionTxn, CreateTxn, DeleteTxn, ErrorTxn, SetAclTxn, SetDataTxn};

use crate::workload::op::Create;

fn proposal(counter: u32, session: i64, kind: i32, txn: Txn) -> Proposal {
    let zxid = Zxid::new(Epoch(1), counter);
    let client_id = SessionId(session);
    Proposal::new(TxnHeader { client_id, cxid: 1, zxid, time: 7, kind }, txn, None)
}

fn create_txn(counter: u32, path: &str, ephemeral: bool) -> Txn {
    let data = Some(Bytes::from_static(b"x"));
    let parent_cversion = counter as i32;
    Txn::Create(CreateTxn { path: path.into(), data, acl: None, ephemeral, parent_cversion })
}

fn create(counter: u32, session: i64, path: &str, ephemeral: bool) -> Proposal {
    proposal(counter, session, kind::CREATE, create_txn(counter, path, ephemeral))
}

fn model_of(proposals: &[Proposal]) -> Model {
    let mut model = Model::default();
    for proposal in proposals {
        assert_eq!(model.apply(proposal).wrong, None);
    }
    model
}

#[test]
fn the_tree_of_an_empty_server_has_apaches_digest() {
    assert_eq!(Model::default().digest(), 1_371_985_504);
}

#[test]
fn a_created_node_counts_in_its_parent() {
    let model = Model::default();
    assert_eq!(model.stat("/").map(|stat| (stat.cversion, stat.num_children)), Some((-1, 1)));
    let model = model_of(&[create(1, 5, "/a", false)]);
    let root = model.stat("/").expect("the root");
    assert_eq!((root.cversion, root.num_children, root.pzxid.counter()), (0, 2, 1));
    assert_eq!(model.children("/"), Some(vec!["a".to_owned(), "zookeeper".to_owned()]));
}

#[test]
fn a_deletion_takes_back_what_a_creation_added_to_the_digest() {
    let delete = Txn::Delete(DeleteTxn { path: "/a/b".into() });
    let with = model_of(&[create(1, 5, "/a", false), create(2, 5, "/a/b", false)]);
    let mut without = with.clone();
    without.apply(&proposal(3, 5, kind::DELETE, delete));
    assert_ne!(with.digest(), without.digest());
    // What is left of it is the parent's cversion and pzxid.
    let sum: u64 = without.nodes.iter().map(|(path, node)| node.digest(path)).sum();
    assert_eq!(without.digest(), sum);
}

#[test]
fn an_ephemeral_that_outlives_its_session_is_told() {
    let mut model = model_of(&[create(1, 5, "/e", true)]);
    let close = |listed: &[&str]| {
        let paths_to_delete = listed.iter().map(|path| (*path).to_owned()).collect();
        Txn::CloseSession(Some(CloseSessionTxn { paths_to_delete }))
    };
    let mut other = model.clone();
    assert!(model.apply(&proposal(2, 5, kind::CLOSE_SESSION, close(&[]))).wrong.is_some());
    let closed = other.apply(&proposal(2, 5, kind::CLOSE_SESSION, close(&["/e"])));
    assert_eq!((closed.wrong, closed.changes.len()), (None, 1));
    assert!(other.apply(&create(3, 5, "/f", true)).wrong.is_some_and(|w| w.contains("closed")));
}

#[test]
fn of_a_multi_with_a_failed_part_nothing_happens() {
    let set = SetDataTxn { path: "/a".into(), data: None, version: 1 };
    let error = (kind::ERROR, Txn::Error(ErrorTxn { err: code::NO_NODE }));
    let good = (kind::SET_DATA, Txn::SetData(set));
    let mut model = model_of(&[create(1, 5, "/a", false)]);
    let before = model.digest();
    let failed = Txn::Multi(vec![good.clone(), error]);
    assert!(model.apply(&proposal(2, 5, kind::MULTI, failed)).changes.is_empty());
    assert_eq!(model.digest(), before);
    let parts = vec![(kind::CREATE, create_txn(2, "/a/b", false)), good];
    let effects = model.apply(&proposal(3, 5, kind::MULTI, Txn::Multi(parts)));
    let kinds: Vec<i32> = effects.changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [event::CREATED, event::DATA_CHANGED]);
    assert_eq!(effects.stats[1].as_ref().map(|stat| stat.version), Some(1));
}

#[test]
fn an_acl_decides_who_fails_and_who_is_told() {
    let mut model = model_of(&[create(1, 5, "/a", false), create(2, 5, "/a/b", false)]);
    let acl = Some(for_anyone(perms::ADMIN | perms::CREATE));
    let set_acl = SetAclTxn { path: "/a".into(), acl, version: 1 };
    let effects = model.apply(&proposal(3, 5, kind::SET_ACL, Txn::SetAcl(set_acl)));
    assert_eq!((effects.changes.len(), model.stat("/a").map(|s| s.aversion)), (0, Some(1)));
    let path = || "/a".to_owned();
    let delete = Op::Delete { path: "/a/b".into(), version: -1 };
    assert_eq!(model.failure(&delete), Some(code::NO_AUTH));
    assert_eq!(model.failure(&Op::Check { path: path(), version: 0 }), Some(code::NO_AUTH));
    assert_eq!(model.failure(&Op::SetAcl { path: path(), perms: 31, version: 1 }), None);
    assert_eq!(model.failure(&Op::create("/a/c".into(), Bytes::new())), None);
    let effects = model.apply(&create(4, 5, "/a/c", false));
    let change = &effects.changes[0];
    assert_eq!((change.readable, change.parent.clone()), (true, Some((path(), false))));
}

#[test]
fn an_ephemeral_has_no_children() {
    let model = model_of(&[create(1, 5, "/e", true)]);
    let child = |sequential| {
        let (path, data) = ("/e/x".into(), Bytes::new());
        Op::Create(Create { path, data, sequential, ..Create::default() })
    };
    assert_eq!(model.failure(&child(false)), Some(code::NO_CHILDREN_FOR_EPHEMERALS));
    assert_eq!(model.failure(&child(true)), Some(code::NO_CHILDREN_FOR_EPHEMERALS));
}
