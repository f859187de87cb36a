//! S-15  Memory not ahead of the log where it matters: a server votes with, and reports to a
//! leader, the end of its log and nothing else; and when it votes for itself or acks NEWLEADER, its
//! tree holds nothing that is not durable.
//!
//! In between a tree may well be ahead: a COMMIT can come before the follower's own fsync ends.
//!
//! The detector of ZOOKEEPER-2845 and 4882: a tree that kept what the log lost, or the reverse.

use quorate::base::{AckKind, Note, Zxid};

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct MemoryBehindLog;

impl Checker for MemoryBehindLog {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        match note(fact) {
            Some(Note::Vote { leader, zxid, .. }) if *leader == fact.server => {
                is_end_of_log(ghost, fact, *zxid, "votes for itself with", out);
                is_durable(ghost, fact, "votes for itself", out);
            }
            Some(Note::AckSent { kind: AckKind::Epoch, zxid }) => {
                is_end_of_log(ghost, fact, *zxid, "reports to a leader", out);
            }
            Some(Note::AckSent { kind: AckKind::NewLeader, .. }) => {
                is_durable(ghost, fact, "acks NEWLEADER", out);
            }
            _ => {}
        }
    }
}

/// What the tree holds is durable.
fn is_durable(ghost: &Ghost, fact: &Fact, does: &str, out: &mut Findings) {
    let server = ghost.server(fact.server);
    let (applied, durable) = (server.applied, server.durable_upto());
    if applied > durable {
        let words = format!("{does} with {applied} in its tree and {durable} durable");
        out.add("S-15", fact, &[], words);
    }
}

fn is_end_of_log(ghost: &Ghost, fact: &Fact, zxid: Zxid, does: &str, out: &mut Findings) {
    let server = ghost.server(fact.server);
    let last = server.log.last();
    // Apache counts (epoch, 0) as the last zxid of a leader that has proposed nothing yet.
    let empty_epoch = zxid.counter() == 0 && zxid >= last && zxid.epoch() <= server.current;
    let uninitialised = server.uninitialised && zxid == Zxid::UNINITIALISED;
    if zxid != last && server.installed != Some(zxid) && !empty_epoch && !uninitialised {
        out.add("S-15", fact, &[], format!("{does} {zxid}, its log ends at {last}"));
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{Story, h, s, z};
    use quorate::base::{AckKind, Epoch, Note, RoleName};

    #[test]
    fn a_vote_with_more_than_the_log_holds_is_caught() {
        let mut story = Story::healthy();
        story.note(1, Note::Role { role: RoleName::Looking, epoch: Epoch(1) });
        story.note(1, Note::Truncated { to: z(1, 1) });
        let (epoch, zxid) = (Epoch(1), z(1, 2));
        story.note(1, Note::Vote { round: 2, leader: s(1), zxid, epoch });
        story.assert_violates("S-15");
    }

    #[test]
    fn an_ack_of_newleader_with_an_undurable_tree_is_caught() {
        let mut story = Story::healthy();
        story.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        story.note(1, Note::Appended { zxid: z(1, 3), hash: h(z(1, 3)) });
        story.note(1, Note::FastForwarded { to: z(1, 3), state_digest: 3 });
        story.assert_quiet("S-15");
        story.note(1, Note::AckSent { kind: AckKind::NewLeader, zxid: z(2, 0) });
        story.assert_violates("S-15");
    }
}
