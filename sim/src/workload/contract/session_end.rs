//! C-5 (second half)  A session that is over owns nothing, then and later, and nothing is done in
//! its name; and a client is told that its session is over only if it was closed.

use quorate::jute::client::code;
use quorate::jute::txn::{Proposal, Txn};

use super::{Evidence, Judgement, has_failed, reply, session_view};
use crate::workload::history::Record;
use crate::workload::model::{Effects, Model};
use crate::workload::op::Op;

/// One transaction: `before` is the tree without it, `effects` what it did.
pub(super) fn transaction(
    evidence: &Evidence<'_>,
    proposal: &Proposal,
    acts_when_closed: bool,
    effects: &Effects,
    out: &mut Judgement,
) {
    let is_session = matches!(proposal.txn, Txn::CreateSession(_) | Txn::CloseSession(_));
    if matches!(proposal.txn, Txn::CloseSession(_)) {
        out.count("C-5");
    }
    let acts = acts_when_closed && !is_session && !has_failed(&proposal.txn);
    let words = effects.wrong.clone().or_else(|| {
        let session = proposal.header.client_id;
        acts.then(|| format!("session {session} was closed, and goes on: {proposal}"))
    });
    if let Some(words) = words {
        let (at, server) = session_view::about_nobody(evidence);
        out.add("C-5", at, server, format!("at {}: {words}", proposal.zxid()));
    }
}

/// A session that ends, or is over, is told so only at its end.
pub(super) fn answered(
    record: &Record,
    proposal: Option<&Proposal>,
    tree: &Model,
    out: &mut Judgement,
) {
    let Some(reply) = reply(record) else { return };
    if reply.err == code::SESSION_EXPIRED && !tree.is_closed(record.session) {
        out.add_about("C-5", record, "answered that the session is over, which it is not");
    }
    let closes = |p: &Proposal| {
        p.header.client_id == record.session && matches!(p.txn, Txn::CloseSession(_))
    };
    if record.op == Op::Close && reply.err == code::OK && !proposal.is_some_and(closes) {
        out.add_about("C-5", record, "answered, but no closeSession was committed there");
    }
}

/// Connections that were refused because the session is over.
pub(super) fn told(evidence: &Evidence<'_>, end: &Model, out: &mut Judgement) {
    for (session, at, server) in &evidence.history.expired {
        out.count("C-5");
        if !end.is_closed(*session) {
            let words = format!("told that session {session} is over, which was never closed");
            out.add("C-5", *at, *server, words);
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate::base::{ServerId, SessionId, Stamp};
    use quorate::jute::client::code;

    use crate::workload::contract::testing::{S, Tale};
    use crate::workload::op::{Answer, Op};

    #[test]
    fn an_ephemeral_that_stays_is_caught() {
        for (listed, holds) in [(&["/e"][..], true), (&[][..], false)] {
            let mut tale = Tale::new();
            tale.write(Tale::create("/e", true));
            tale.close(S, listed);
            if holds { tale.assert_holds() } else { tale.assert_violates("C-5") }
        }
    }

    #[test]
    fn a_session_that_goes_on_after_its_end_is_caught() {
        for ephemeral in [false, true] {
            let mut tale = Tale::new();
            tale.close(S, &[]);
            let n = tale.ask(Tale::create("/late", ephemeral));
            tale.commit_asked(n);
            tale.assert_violates("C-5");
        }
    }

    #[test]
    fn an_unfounded_end_is_caught() {
        let mut tale = Tale::new();
        tale.close(SessionId(7), &[]);
        tale.history.expired.push((SessionId(7), Stamp(3), ServerId(2)));
        tale.assert_holds();
        tale.history.expired.push((S, Stamp(3), ServerId(2)));
        tale.assert_violates("C-5");
        let mut tale = Tale::new();
        tale.read(Op::Sync { path: "/".into() }, code::OK, Some(Answer::Nothing));
        tale.read(Op::Close, code::OK, Some(Answer::Nothing));
        tale.assert_violates("C-5");
    }
}
