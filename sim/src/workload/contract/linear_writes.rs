//! C-1  Writes are linearizable, also conditional writes and multis.
//!
//! Checked at the end of a run: the zxid of a write is greater than that of every write that had
//! been answered when this one was asked for. And its result, value or error, is what the same
//! operation gives in the reference tree at this place of the committed history.

use std::collections::BTreeMap;

use quorate::base::{Stamp, Zxid};
use quorate::jute::client::code;
use quorate::jute::txn::{Proposal, Txn};

use super::answer::wrong_answer;
use super::{Evidence, Judgement, Reply, has_failed, multi_atomic, reply};
use crate::workload::history::Record;
use crate::workload::model::{Effects, Model};
use crate::workload::op::{Answer, Op, is_tree_error};

/// Whether this reply is that of a transaction.
pub(super) fn is_transaction(record: &Record, reply: &Reply<'_>) -> bool {
    record.op.is_write() && (reply.err == code::OK || is_tree_error(reply.err))
}

/// Real time order of writes is their zxid order.
pub(super) fn in_real_time(evidence: &Evidence<'_>, out: &mut Judgement) {
    let records = &evidence.history.records;
    let mut events: Vec<(Stamp, bool, usize)> = Vec::new();
    for (n, record) in records.iter().enumerate() {
        let Some(reply) = reply(record) else { continue };
        if is_transaction(record, &reply) && reply.zxid > Zxid::ZERO {
            // At one stamp, what is asked does not yet know what is answered.
            events.push((record.invoked, false, n));
            events.push((reply.at, true, n));
        }
    }
    events.sort_unstable();
    let mut done = Zxid::ZERO;
    let mut done_when_asked: BTreeMap<usize, Zxid> = BTreeMap::new();
    for (at, is_reply, n) in events {
        let record = &records[n];
        let Some(Reply { zxid, .. }) = reply(record) else { continue };
        if !is_reply {
            done_when_asked.insert(n, done);
            continue;
        }
        out.count("C-1");
        let before = done_when_asked.get(&n).copied().unwrap_or_default();
        if zxid <= before {
            let words = format!(
                "write {} of client {} got {zxid}, though {before} was done when it was asked",
                record.xid, record.client
            );
            out.add("C-1", at, record.server, words);
        }
        done = done.max(zxid);
    }
}

/// The results a write must have: for a single one its error, for a multi one of each part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Single(Option<i32>),
    Multi(Vec<i32>),
}

/// What this write must come to in the tree before its transaction.
pub(super) fn expect(op: &Op, proposal: &Proposal, before: &Model) -> Expected {
    match op {
        Op::Multi(parts) => Expected::Multi(multi_atomic::expect(parts, proposal, before)),
        op => Expected::Single(before.failure(op)),
    }
}

/// Compares a write's result with what was expected and what its transaction did.
pub(super) fn compare(
    record: &Record,
    proposal: &Proposal,
    expected: &Expected,
    effects: &Effects,
    after: &Model,
    out: &mut Judgement,
) {
    let Some(reply) = reply(record) else { return };
    let header = &proposal.header;
    let (session, cxid) = (header.client_id, header.cxid);
    if session != record.session || cxid != record.xid {
        let words = format!("the transaction there is request {cxid} of session {session}");
        return out.add_about("C-1", record, &words);
    }
    let wrong = match expected {
        Expected::Multi(codes) => {
            return multi_atomic::compare(record, proposal, codes, effects, out);
        }
        Expected::Single(error) if reply.err != code::OK || error.is_some() => {
            let logged = match &proposal.txn {
                Txn::Error(error) => Some(error.err),
                _ => None,
            };
            let right = *error == Some(reply.err) && logged == *error;
            (!right).then(|| {
                format!("answered {}, logged {logged:?}, the tree gives {error:?}", reply.err)
            })
        }
        Expected::Single(_) => wrong_success(&record.op, &proposal.txn, reply.answer, after),
    };
    if let Some(words) = wrong {
        out.add_about("C-1", record, &words);
    }
}

/// What is wrong with the result of a write that succeeded.
fn wrong_success(op: &Op, txn: &Txn, answer: Option<&Answer>, after: &Model) -> Option<String> {
    if has_failed(txn) {
        return Some("succeeded, but what was committed is an error".into());
    }
    let path = match (op, txn) {
        (Op::Create(_), Txn::Create(t)) => &t.path,
        (Op::Set { path, .. }, Txn::SetData(t)) if t.path == *path => path,
        (Op::SetAcl { path, .. }, Txn::SetAcl(t)) if t.path == *path => path,
        (Op::Delete { path, .. }, Txn::Delete(t)) if t.path == *path => path,
        _ => return Some(format!("succeeded, but {txn:?} was committed")),
    };
    wrong_answer(op, path, answer, after.stat(path))
}

#[cfg(test)]
mod tests {
    use quorate::base::Stamp;
    use quorate::jute::client::code;
    use quorate::jute::txn::{ErrorTxn, Txn, kind};

    use crate::workload::contract::testing::{ClientScript, S};
    use crate::workload::history::Outcome;
    use crate::workload::op::{Answer, Op};

    #[test]
    fn a_write_ordered_before_one_that_was_done_is_caught() {
        let mut clients = ClientScript::new();
        clients.write(ClientScript::set("/a", -1));
        clients.assert_holds();
        // The first write was asked for when the last one had been answered.
        let late = clients.now + 10;
        clients.history.records[0].invoked = Stamp(late);
        let Some(Outcome::Reply { at, .. }) = &mut clients.history.records[0].outcome else {
            return;
        };
        *at = Stamp(late + 10);
        clients.assert_violates("C-1");
    }

    #[test]
    fn an_answer_that_differs_from_the_transaction_is_caught() {
        let mut clients = ClientScript::new();
        let n = clients.ask(ClientScript::create("/c", false));
        clients.commit_asked(n);
        clients.answer(n, clients.last(), code::OK, Some(Answer::Created("/d".into(), None)));
        clients.assert_violates("C-1");
    }

    #[test]
    fn an_error_the_tree_does_not_give_is_caught() {
        for (path, holds) in [("/none", true), ("/a/b", false)] {
            let mut clients = ClientScript::new();
            let n = clients.ask(Op::Delete { path: path.into(), version: -1 });
            let error = Txn::Error(ErrorTxn { err: code::NO_NODE });
            clients.commit(S, 3, kind::ERROR, error);
            clients.answer(n, clients.last(), code::NO_NODE, None);
            if holds { clients.assert_holds() } else { clients.assert_violates("C-1") }
        }
    }

    #[test]
    fn a_condition_that_was_not_met_is_caught() {
        let mut clients = ClientScript::new();
        let op = ClientScript::set("/a", 7);
        let n = clients.ask(op.clone());
        let (kind, txn) = clients.txn(&op);
        clients.commit(S, 3, kind, txn);
        clients.answer(n, clients.last(), code::OK, clients.done(&op));
        clients.assert_violates("C-1");
    }

    #[test]
    fn an_answer_with_the_zxid_of_another_request_is_caught() {
        let mut clients = ClientScript::new();
        let n = clients.ask(ClientScript::set("/a", -1));
        clients.happen(&ClientScript::set("/a", -1));
        clients.answer(n, clients.last(), code::OK, clients.done(&ClientScript::set("/a", -1)));
        let ids: Vec<String> = clients.judge().found.into_iter().map(|found| found.id).collect();
        // It is in the history of nobody, either.
        assert_eq!(ids, ["C-6", "C-1"]);
    }
}
