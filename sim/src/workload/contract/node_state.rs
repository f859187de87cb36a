//! C-9  Every field of every node is that of the reference tree: versions, zxids, counts, lengths,
//! times, owner and ACL, as clients are shown them and, after every transaction, in the digest of
//! the whole tree that the leader put into it. Who may not read a node does not.

use quorate::jute::txn::Proposal;

use super::{Evidence, Judgement, session_view};
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
        let (at, server) = session_view::about_nobody(evidence);
        let words = format!(
            "{proposal} says the tree's digest is {:x}, that of the reference is {:x}",
            digest.tree_digest,
            after.digest()
        );
        out.add("C-9", at, server, words);
    }
}
