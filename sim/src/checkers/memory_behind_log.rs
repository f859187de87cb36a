//! S-15  A server does not vote or ack with a state that its log does not have.
//!
//! Checked when a server votes for itself or reports its last zxid to a leader: the zxid is the end
//! of its log. And when it votes for itself or acks NEWLEADER: everything in its tree is durable in
//! its log. If this fails, a server wins an election with transactions that its next restart loses.
//!
//! At other times the tree may be ahead of the disk: a COMMIT can come before the follower's own
//! fsync has ended. In ZOOKEEPER-2845 and 4882 the tree kept what the log had lost, or lacked what
//! the log had.

use std::collections::BTreeMap;

use quorate::base::{AckKind, Epoch, Note, ServerId, Zxid};

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug, Default)]
pub(super) struct MemoryBehindLog {
    /// The newest vote of each server: who shall lead, with which zxid in which epoch.
    votes: BTreeMap<ServerId, (ServerId, Zxid, Epoch)>,
}

impl Checker for MemoryBehindLog {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        match note(fact) {
            Some(Note::Vote { leader, zxid, epoch, .. }) => {
                let vote = (*leader, *zxid, *epoch);
                // Its own words of an earlier life, come back by another's vote. They make it a
                // leader only if his followers have less than it has now (E-3).
                let is_echo = self.votes.iter().any(|(by, v)| *by != fact.server && *v == vote);
                if *leader == fact.server && !is_echo {
                    is_end_of_log(ghost, fact, *zxid, "votes for itself with", out);
                }
                if *leader == fact.server {
                    is_durable(ghost, fact, "votes for itself", out);
                }
                self.votes.insert(fact.server, vote);
            }
            // It asks for a snapshot, and is not counted.
            Some(Note::AckSent { kind: AckKind::Epoch, zxid: Zxid::IN_NO_HISTORY }) => {}
            Some(Note::EpochAckCounted { from, zxid: Zxid::IN_NO_HISTORY, .. }) => {
                let words = format!("counts {from}, which hides where its log ends");
                out.add("S-15", fact, &[*from], words);
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
    use crate::checkers::testing::{FactScript, h, s, z};
    use quorate::base::{AckKind, Epoch, Note, RoleName, Zxid};

    #[test]
    fn a_vote_with_more_than_the_log_holds_is_caught() {
        let mut script = FactScript::healthy();
        script.note(1, Note::Role { role: RoleName::Looking, epoch: Epoch(1) });
        script.note(1, Note::Truncated { to: z(1, 1) });
        let (epoch, zxid) = (Epoch(1), z(1, 2));
        script.note(1, Note::Vote { round: 2, leader: s(1), zxid, epoch });
        script.assert_violates("S-15");
    }

    #[test]
    fn a_vote_of_an_earlier_life_may_come_back_from_others() {
        let mut script = FactScript::healthy();
        let (epoch, zxid) = (Epoch(1), z(1, 2));
        script.note(2, Note::Role { role: RoleName::Looking, epoch });
        script.note(2, Note::Vote { round: 2, leader: s(1), zxid, epoch });
        script.note(1, Note::Truncated { to: z(1, 1) });
        script.note(1, Note::Role { role: RoleName::Looking, epoch });
        script.note(1, Note::Vote { round: 2, leader: s(1), zxid, epoch });
        script.assert_quiet("S-15");
    }

    #[test]
    fn a_leader_that_counts_who_asks_for_a_snapshot_is_caught() {
        let mut script = FactScript::healthy();
        let hidden = Zxid::IN_NO_HISTORY;
        script.note(1, Note::AckSent { kind: AckKind::Epoch, zxid: hidden });
        script.assert_quiet("S-15");
        let (epoch, current) = (Epoch(2), Epoch(1));
        script.note(3, Note::EpochAckCounted { epoch, from: s(1), current, zxid: hidden });
        script.assert_violates("S-15");
    }

    #[test]
    fn an_ack_of_newleader_with_an_undurable_tree_is_caught() {
        let mut script = FactScript::healthy();
        script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.note(1, Note::Appended { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.note(1, Note::FastForwarded { to: z(1, 3), state_digest: 3 });
        script.assert_quiet("S-15");
        script.note(1, Note::AckSent { kind: AckKind::NewLeader, zxid: z(2, 0) });
        script.assert_violates("S-15");
    }
}
