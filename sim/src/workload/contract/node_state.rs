//! C-9  Every node is right in every field, and nobody reads a node without permission.
//!
//! Checked against the reference tree: every stat and ACL that a client is shown (versions, zxids,
//! counts, lengths, times, owner). And, for what no client asks for: after each transaction the
//! digest of the whole tree, which the leader has put into the transaction.

use quorate::jute::txn::Proposal;

use super::{Evidence, Judgement, about_nobody};
use crate::workload::model::Model;
use crate::workload::op::Answer;

/// What is wrong with a stat or an ACL in this answer.
pub(super) fn wrong_stat(path: &str, answer: Option<&Answer>, tree: &Model) -> Option<String> {
    let (stat, acl) = match answer {
        Some(Answer::Data(_, stat) | Answer::Stat(stat)) => (stat, None),
        Some(Answer::Acl(acl, stat)) => (stat, Some(acl.as_slice())),
        _ => return None,
    };
    let expected = tree.stat(path);
    if expected.as_ref() != Some(stat) {
        return Some(format!("answered {stat:?}, the tree has {expected:?}"));
    }
    let is_other = acl.is_some() && acl != tree.acl(path);
    is_other.then(|| format!("answered {acl:?}, the tree has {:?}", tree.acl(path)))
}

/// After each transaction: the digest the leader foretold.
pub(super) fn digest(
    evidence: &Evidence<'_>,
    proposal: &Proposal,
    after: &Model,
    out: &mut Judgement,
) {
    let Some(digest) = &proposal.digest else { return };
    out.count("C-9");
    if digest.tree_digest as u64 != after.digest() {
        let (at, server) = about_nobody(evidence);
        let words = format!(
            "{proposal} says the tree's digest is {:x}, that of the reference is {:x}",
            digest.tree_digest,
            after.digest()
        );
        out.add("C-9", at, server, words);
    }
}

#[cfg(test)]
mod tests {
    use quorate::jute::client::code;
    use quorate::jute::data::Acl;
    use quorate::jute::txn::{Proposal, TxnDigest};

    use crate::workload::contract::testing::ClientScript;
    use crate::workload::op::{Answer, Op, for_anyone};

    #[test]
    fn a_stat_that_differs_in_one_field_is_caught() {
        let mut clients = ClientScript::new();
        let mut stat = clients.model.stat("/a").expect("it was created");
        stat.cversion += 1;
        clients.read(
            Op::Exists { path: "/a".into(), watch: false },
            code::OK,
            Some(Answer::Stat(stat)),
        );
        clients.assert_violates("C-9");
    }

    #[test]
    fn another_acl_and_a_refusal_without_reason_are_caught() {
        for (acl, holds) in [(Acl::open(), true), (for_anyone(1), false)] {
            let mut clients = ClientScript::new();
            let stat = clients.model.stat("/a").expect("it was created");
            let answer = Some(Answer::Acl(acl, stat));
            clients.read(Op::GetAcl { path: "/a".into() }, code::OK, answer);
            if holds { clients.assert_holds() } else { clients.assert_violates("C-9") }
        }
        let mut clients = ClientScript::new();
        clients.read(Op::Get { path: "/a".into(), watch: false }, code::NO_AUTH, None);
        clients.assert_violates("C-9");
    }

    #[test]
    fn another_digest_of_the_whole_tree_is_caught() {
        for wrong in [0, 1] {
            let mut clients = ClientScript::new();
            let tree_digest = clients.model.digest() as i64 + wrong;
            let last = clients.sequence.pop().expect("two transactions");
            let digest = Some(TxnDigest { version: 2, tree_digest });
            clients.sequence.push(Proposal::new(last.header.clone(), last.txn.clone(), digest));
            if wrong == 0 { clients.assert_holds() } else { clients.assert_violates("C-9") }
        }
    }
}
