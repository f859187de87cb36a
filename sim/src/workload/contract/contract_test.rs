use bytes::Bytes;
use quorate::base::{Epoch, ServerId, SessionId, Stamp, Zxid};
use quorate::jute::client::code;
use quorate::jute::txn::{
    CloseSessionTxn, CreateTxn, ErrorTxn, Proposal, SetDataTxn, Txn, TxnHeader, kind,
};

use super::super::history::{History, Outcome, Record};
use super::super::model::Model;
use super::super::op::{Answer, Op};
use super::judge;

const S: SessionId = SessionId(5);

fn z(counter: u32) -> Zxid {
    Zxid::new(Epoch(1), counter)
}

fn txn(counter: u32, cxid: i32, kind: i32, txn: Txn) -> Proposal {
    let header = TxnHeader { client_id: S, cxid, zxid: z(counter), time: 1, kind };
    Proposal::new(header, txn, None)
}

fn created(counter: u32, cxid: i32, path: &str, ephemeral: bool) -> Proposal {
    let data = Some(Bytes::from_static(b"v"));
    let t = CreateTxn { path: path.into(), data, acl: None, ephemeral, parent_cversion: 1 };
    txn(counter, cxid, kind::CREATE, Txn::Create(t))
}

fn set(counter: u32, cxid: i32, path: &str, version: i32) -> Proposal {
    let data = Some(Bytes::from_static(b"w"));
    let t = SetDataTxn { path: path.into(), data, version };
    txn(counter, cxid, kind::SET_DATA, Txn::SetData(t))
}

fn record(xid: i32, op: Op, when: (u64, u64), zxid: Zxid, err: i32, ok: Option<Answer>) -> Record {
    Record {
        client: "c1".into(),
        session: S,
        xid,
        server: ServerId(1),
        op,
        invoked: Stamp(when.0),
        outcome: Some(Outcome::Reply { at: Stamp(when.1), zxid, err, answer: ok }),
    }
}

fn create_a(xid: i32, when: (u64, u64), zxid: Zxid) -> Record {
    let data = Bytes::from_static(b"v");
    let op = Op::Create { path: "/a".into(), data, ephemeral: false, sequential: false };
    record(xid, op, when, zxid, code::OK, Some(Answer::Created("/a".into())))
}

fn set_a(xid: i32, when: (u64, u64)) -> Record {
    let mut model = Model::default();
    for proposal in &[created(1, 1, "/a", false), set(2, 2, "/a", 1)] {
        model.apply(proposal);
    }
    let stat = model.stat("/a").expect("it was created");
    let op = Op::Set { path: "/a".into(), data: Bytes::from_static(b"w"), version: -1 };
    record(xid, op, when, z(2), code::OK, Some(Answer::Stat(stat)))
}

fn ids(records: Vec<Record>, sequence: &[Proposal]) -> Vec<String> {
    let history = History { records, ..History::default() };
    judge(&history, sequence, true).into_iter().map(|violation| violation.id).collect()
}

#[test]
fn a_read_must_show_the_tree_at_its_zxid() {
    let sequence = [created(1, 1, "/a", false), set(2, 2, "/a", 1)];
    let mut model = Model::default();
    model.apply(&sequence[0]);
    let stat = model.stat("/a").expect("it was created");
    let get = |when, zxid| {
        let data = Some(Bytes::from_static(b"v"));
        let answer = Some(Answer::Data(data, stat.clone()));
        record(3, Op::Get { path: "/a".into() }, when, zxid, code::OK, answer)
    };
    let records = vec![create_a(1, (1, 5), z(1)), get((6, 9), z(1)), set_a(2, (10, 15))];
    assert_eq!(ids(records, &sequence), Vec::<String>::new());
    // The same answer after the second write is that of another tree.
    let late = vec![create_a(1, (1, 5), z(1)), get((16, 20), z(2))];
    assert_eq!(ids(late, &sequence), ["C-2"]);
}

#[test]
fn a_write_ordered_before_one_that_was_done_is_caught() {
    let sequence = [created(1, 1, "/a", false), set(2, 2, "/a", 1)];
    let records = vec![create_a(1, (20, 25), z(1)), set_a(2, (1, 5))];
    assert!(ids(records, &sequence).contains(&"C-1".to_owned()));
}

#[test]
fn an_acknowledged_write_that_was_never_committed_is_caught() {
    assert_eq!(ids(vec![create_a(1, (1, 5), z(1))], &[]), ["C-2"]);
    let other = [created(1, 9, "/a", false)];
    assert_eq!(ids(vec![create_a(1, (1, 5), z(1))], &other), ["C-1"]);
}

#[test]
fn a_view_that_goes_back_is_caught() {
    let sequence = [created(1, 1, "/a", false), set(2, 2, "/a", 1)];
    let sync = |xid, when, zxid| {
        record(xid, Op::Sync { path: "/".into() }, when, zxid, code::OK, Some(Answer::Nothing))
    };
    let records = vec![sync(1, (1, 2), z(2)), sync(2, (3, 4), z(1))];
    assert_eq!(ids(records, &sequence), ["C-2"]);
}

#[test]
fn an_error_the_tree_does_not_give_is_caught() {
    let error = |counter, cxid, err| txn(counter, cxid, kind::ERROR, Txn::Error(ErrorTxn { err }));
    let delete = |err| {
        let op = Op::Delete { path: "/a".into(), version: -1 };
        record(2, op, (6, 9), z(2), err, None)
    };
    let sequence = [created(1, 1, "/a", false), error(2, 2, code::NO_NODE)];
    assert_eq!(ids(vec![create_a(1, (1, 5), z(1)), delete(code::NO_NODE)], &sequence), ["C-1"]);
    let sequence = [error(2, 2, code::NO_NODE)];
    assert_eq!(ids(vec![delete(code::NO_NODE)], &sequence), Vec::<String>::new());
}

#[test]
fn an_ephemeral_that_stays_and_an_unfounded_expiry_are_caught() {
    let close = Txn::CloseSession(Some(CloseSessionTxn { paths_to_delete: vec![] }));
    let sequence = [created(1, 1, "/e", true), txn(2, 2, kind::CLOSE_SESSION, close)];
    assert_eq!(ids(vec![], &sequence), ["C-5"]);
    let expired = vec![(SessionId(77), Stamp(3), ServerId(2))];
    let found = judge(&History { expired, ..History::default() }, &[], true);
    assert_eq!(found.iter().map(|v| v.id.as_str()).collect::<Vec<_>>(), ["C-5"]);
}
