//! C-5 (second half)  When a session is over, nothing is left of it; and no client is told so
//! wrongly.
//!
//! Checked in the committed history: a closed session has no ephemeral nodes, and no transaction is
//! done in its name afterwards. Checked in what clients were told: a client hears that its session
//! is over only if it was closed or a leader had decided to let it expire.
//!
//! Such a decision need not be committed: a leader that is cut off from its quorum still lets
//! sessions expire, and tells clients that come back, as ZooKeeper's does. The session and its
//! ephemerals then stay, without their client, until the next leader lets it expire. Whether the
//! leader had waited long enough is the first half (`checkers/session_expiry.rs`).

use quorate::jute::client::code;
use quorate::jute::txn::{Proposal, Txn};

use super::{Evidence, Judgement, about_nobody, has_failed, reply};
use crate::workload::history::{History, Record};
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
        let (at, server) = about_nobody(evidence);
        out.add("C-5", at, server, format!("at {}: {words}", proposal.zxid()));
    }
}

/// A session that ends, or is over, is told so only at its end.
pub(super) fn answered(
    history: &History,
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
    let is_local = history.local.contains(&record.session);
    if record.op == Op::Close && !is_local && reply.err == code::OK && !proposal.is_some_and(closes)
    {
        out.add_about("C-5", record, "answered, but no closeSession was committed there");
    }
}

/// Connections that were refused because the session is over.
pub(super) fn told(evidence: &Evidence<'_>, end: &Model, out: &mut Judgement) {
    for (session, at, server) in &evidence.history.expired {
        out.count("C-5");
        let asked = |record: &Record| record.session == *session && record.op == Op::Close;
        // Of a session that one server alone knew, no other knows anything.
        let was_decided = evidence.history.local.contains(session)
            || end.is_closed(*session)
            || evidence.deeds.let_expire(*session, *at)
            || evidence.history.records.iter().any(asked);
        if !was_decided {
            let words = format!("told that session {session} is over, which nobody closed");
            out.add("C-5", *at, *server, words);
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate::base::{Note, ServerId, SessionId, Stamp};
    use quorate::jute::client::code;

    use crate::checkers::testing::FactScript;
    use crate::workload::contract::testing::{ClientScript, S};
    use crate::workload::op::{Answer, Op};

    #[test]
    fn an_ephemeral_that_stays_is_caught() {
        for (listed, holds) in [(&["/e"][..], true), (&[][..], false)] {
            let mut clients = ClientScript::new();
            clients.write(ClientScript::create("/e", true));
            clients.close(S, listed);
            if holds { clients.assert_holds() } else { clients.assert_violates("C-5") }
        }
    }

    #[test]
    fn a_session_that_goes_on_after_its_end_is_caught() {
        for ephemeral in [false, true] {
            let mut clients = ClientScript::new();
            clients.close(S, &[]);
            let n = clients.ask(ClientScript::create("/late", ephemeral));
            clients.commit_asked(n);
            clients.assert_violates("C-5");
        }
    }

    #[test]
    fn an_unfounded_end_is_caught() {
        let mut clients = ClientScript::new();
        clients.close(SessionId(7), &[]);
        clients.history.expired.push((SessionId(7), Stamp(3), ServerId(2)));
        clients.assert_holds();
        clients.history.expired.push((S, Stamp(3), ServerId(2)));
        clients.assert_violates("C-5");
        // A leader that decided so may have said so, but not before.
        for (told_after, holds) in [(true, true), (false, false)] {
            let mut script = FactScript::healthy();
            let before = script.now();
            script.note(3, Note::SessionExpired { session: S, timeout_ms: 1 });
            let told = if told_after { script.now() } else { Stamp(before.0 - 1) };
            let mut clients = ClientScript::new();
            clients.deeds = script.checkers.deeds.clone();
            clients.history.expired.push((S, told, ServerId(2)));
            if holds { clients.assert_holds() } else { clients.assert_violates("C-5") }
        }
        let mut clients = ClientScript::new();
        clients.read(Op::Sync { path: "/".into() }, code::OK, Some(Answer::Nothing));
        clients.read(Op::Close, code::OK, Some(Answer::Nothing));
        clients.assert_violates("C-5");
    }
}
