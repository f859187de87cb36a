//! C-6  A request is carried out at most once.
//!
//! A request is known by its session and cxid. Checked at the end of a run: the committed history
//! holds no request twice; one that was answered without error is in it; of one that was answered
//! with an error no effect is in it. If a client never got the answer, its request may have been
//! carried out or not.

use std::collections::BTreeMap;

use quorate::base::SessionId;
use quorate::jute::client::code;
use quorate::jute::txn::{Proposal, Txn};

use super::{Evidence, Judgement, about_nobody, has_failed, reply};
use crate::workload::op::{Answer, Op};

pub(super) fn check(evidence: &Evidence<'_>, out: &mut Judgement) {
    let mut happened: BTreeMap<(SessionId, i32), &Proposal> = BTreeMap::new();
    for proposal in evidence.sequence {
        // A leader's own requests have no number: createSession, and closeSession at expiry.
        if proposal.header.cxid == 0 || matches!(proposal.txn, Txn::CreateSession(_)) {
            continue;
        }
        let request = (proposal.header.client_id, proposal.header.cxid);
        if let Some(before) = happened.insert(request, proposal) {
            // Transactions that a scenario puts on the disks have no client.
            if evidence.history.sessions.contains_key(&request.0) {
                let (at, server) = about_nobody(evidence);
                let words = format!(
                    "request {} of session {} happened twice: {before} and {proposal}",
                    request.1, request.0
                );
                out.add("C-6", at, server, words);
            }
        }
    }
    for record in &evidence.history.records {
        let found = happened.get(&(record.session, record.xid));
        let Some(reply) = reply(record) else {
            if found.is_some() {
                out.count("C-6");
            }
            continue;
        };
        if !record.op.is_write() {
            if found.is_some() && record.op != Op::Close {
                out.add_about("C-6", record, "is no write, but was committed");
            }
            continue;
        }
        out.count("C-6");
        let failed = reply.err != code::OK
            || matches!(reply.answer, Some(Answer::Multi(all)) if all.iter().any(Result::is_err));
        match found {
            None if !failed && evidence.complete => {
                out.add_about("C-6", record, "was answered without error, and never happened");
            }
            Some(proposal) if failed && !has_failed(&proposal.txn) => {
                let words = format!("was answered with {}, and happened: {proposal}", reply.err);
                out.add_about("C-6", record, &words);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate::base::Stamp;
    use quorate::jute::client::code;

    use crate::workload::contract::testing::{ClientScript, S};
    use crate::workload::history::Outcome;

    #[test]
    fn a_request_that_happens_twice_is_caught() {
        let mut clients = ClientScript::new();
        let n = clients.ask(ClientScript::set("/a", -1));
        clients.history.complete(n, Outcome::Lost { at: Stamp(1) });
        clients.assert_holds();
        clients.commit_asked(n);
        clients.assert_holds();
        clients.commit_asked(n);
        clients.assert_violates("C-6");
    }

    #[test]
    fn an_answered_write_that_never_happened_is_caught() {
        let mut clients = ClientScript::new();
        let n = clients.ask(ClientScript::set("/a", -1));
        clients.answer(n, clients.last(), code::OK, clients.done(&ClientScript::set("/a", -1)));
        let found = clients.judge().found;
        assert!(found.iter().any(|violation| violation.id == "C-6"), "{found:?}");
    }

    #[test]
    fn a_refused_write_that_happened_is_caught() {
        let mut clients = ClientScript::new();
        let op = ClientScript::set("/a", -1);
        let n = clients.ask(op.clone());
        let (kind, txn) = clients.txn(&op);
        clients.commit(S, 3, kind, txn);
        clients.answer(n, clients.last(), code::BAD_VERSION, None);
        let found = clients.judge().found;
        assert!(found.iter().any(|violation| violation.id == "C-6"), "{found:?}");
    }
}
