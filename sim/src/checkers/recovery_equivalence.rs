//! S-17  Recovery equivalence: a server that restarts has the tree that it had before, as far as
//! its log goes.
//!
//! What a disk gives back is its newest snapshot and the log replayed on top. Its digest must be
//! the one that a server in memory had at the same history. Replaying the log a second time must
//! change nothing, as a snapshot may already hold effects of what is replayed. Checked when a
//! server has read its disk, and in between: `run/rebuild.rs` recovers copies of the disk beside
//! the run, once of all that was written and once of what was durable.
//!
//! Not compared: the disk of a learner that has saved a leader's snapshot and not yet acked
//! NEWLEADER. The snapshot may hold effects of transactions beyond its zxid (`HalfSynced` in the
//! ghost state), which the learner gets before NEWLEADER. Until then it can neither win an
//! election, since a quorum has those transactions, nor serve. From its ack on, and if it is
//! established, its tree must be exact: ZOOKEEPER-3104 violated this.

use quorate::base::{Note, Zxid};

use super::{Checker, Event, Fact, Findings, Ghost};

#[derive(Debug)]
pub(super) struct RecoveryEquivalence;

impl Checker for RecoveryEquivalence {
    fn after(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        match &fact.event {
            Event::Note(Note::Recovered { last_applied, tree_digest, .. }) => {
                is_the_state(ghost, fact, *last_applied, *tree_digest, "read its disk to", out);
            }
            Event::Rebuilt(rebuilt) => {
                let what = match rebuilt.durable {
                    true => "after a power loss would find",
                    false => "after a kill would find",
                };
                is_the_state(ghost, fact, rebuilt.last_applied, rebuilt.digest, what, out);
                let (once, twice) = rebuilt.replayed;
                if once != twice {
                    let zxid = rebuilt.last_applied;
                    let words = format!("its log up to {zxid}, replayed twice, is another tree");
                    out.add("S-17", fact, &[], words);
                }
            }
            Event::Note(Note::Established { epoch, .. }) => {
                if let Some(half) = ghost.server(fact.server).half_synced {
                    let words = format!(
                        "leads epoch {epoch} with a snapshot of {} that may hold effects up to {}",
                        half.from, half.upto
                    );
                    out.add("S-17", fact, &[], words);
                }
            }
            _ => {}
        }
    }
}

fn is_the_state(
    ghost: &Ghost,
    fact: &Fact,
    zxid: Zxid,
    digest: u64,
    what: &str,
    out: &mut Findings,
) {
    if let Some((state, by)) = ghost.state_at(fact.server, zxid)
        && state != digest
    {
        let words = format!("{what} {zxid}: another state than {by} had there");
        out.add("S-17", fact, &[by], words);
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::Event;
    use crate::checkers::Rebuilt;
    use crate::checkers::testing::{FactScript, digest, s, z};
    use quorate::base::{AckKind, Epoch, Note, Zxid};

    fn recovered(zxid: Zxid, tree_digest: u64) -> Note {
        let (accepted, current) = (Epoch(1), Epoch(1));
        Note::Recovered { last_logged: zxid, last_applied: zxid, accepted, current, tree_digest }
    }

    fn rebuilt(zxid: Zxid, digest: u64) -> Event {
        let replayed = (7, 7);
        Event::Rebuilt(Rebuilt { durable: true, last_applied: zxid, digest, replayed })
    }

    /// 1 gets a snapshot of (1,1), written while (1,2) and (1,3) were applied.
    fn snapshot_on_its_way() -> FactScript {
        let mut script = FactScript::healthy();
        script.write(3, &[2], z(1, 3));
        let voters = vec![s(1), s(3)];
        script.note(1, Note::Elected { round: 2, leader: s(3), voters });
        script.note(3, Note::SnapshotSent { learner: s(1), upto: z(1, 3) });
        script.note(1, Note::SnapshotInstalled { zxid: z(1, 1), tree_digest: 99 });
        script
    }

    #[test]
    fn a_start_with_another_tree_is_caught() {
        let mut script = FactScript::healthy();
        script.event(1, Event::Died);
        script.event(1, Event::Started);
        script.note(1, recovered(z(1, 2), digest(z(1, 2))));
        script.assert_holds();
        script.note(1, recovered(z(1, 2), 5));
        script.assert_violates("S-17");
    }

    #[test]
    fn a_disk_that_would_give_another_tree_is_caught() {
        let mut script = FactScript::healthy();
        script.event(1, rebuilt(z(1, 1), digest(z(1, 1))));
        script.event(1, rebuilt(z(1, 2), digest(z(1, 2))));
        script.assert_holds();
        script.event(1, rebuilt(z(1, 1), digest(z(1, 2))));
        script.assert_violates("S-17");
    }

    #[test]
    fn a_replay_that_does_more_the_second_time_is_caught() {
        let mut script = FactScript::healthy();
        let (last_applied, digest) = (z(1, 2), digest(z(1, 2)));
        let replayed = (7, 8);
        let durable = false;
        script.event(1, Event::Rebuilt(Rebuilt { durable, last_applied, digest, replayed }));
        script.assert_violates("S-17");
    }

    #[test]
    fn a_half_synced_disk_is_excused_until_newleader_is_acked() {
        let mut script = snapshot_on_its_way();
        script.note(1, Note::SnapshotDurable { zxid: z(1, 1) });
        script.event(1, rebuilt(z(1, 1), 99));
        script.event(1, Event::Died);
        script.event(1, Event::Started);
        script.note(1, recovered(z(1, 1), 99));
        script.assert_quiet("S-17");
        script.assert_quiet("S-16");
        script.note(1, Note::AckSent { kind: AckKind::NewLeader, zxid: z(1, 0) });
        script.event(1, rebuilt(z(1, 1), 99));
        script.assert_violates("S-17");
    }

    #[test]
    fn a_half_synced_disk_is_excused_until_the_next_snapshot_is_on_it() {
        let mut script = snapshot_on_its_way();
        script.note(1, Note::SnapshotDurable { zxid: z(1, 1) });
        let (zxid, tree_digest) = (z(1, 3), digest(z(1, 3)));
        script.note(1, Note::SnapshotInstalled { zxid, tree_digest });
        script.event(1, rebuilt(z(1, 1), 99));
        script.assert_quiet("S-17");
        script.note(1, Note::SnapshotDurable { zxid });
        script.event(1, rebuilt(z(1, 1), 99));
        script.assert_violates("S-17");
    }

    #[test]
    fn beyond_what_its_snapshot_may_hold_no_disk_is_excused() {
        let mut script = snapshot_on_its_way();
        script.event(1, rebuilt(z(1, 3), digest(z(1, 3))));
        script.assert_quiet("S-17");
        script.event(1, rebuilt(z(1, 3), 99));
        script.assert_violates("S-17");
    }

    #[test]
    fn a_leader_with_a_half_synced_tree_is_caught() {
        let mut script = snapshot_on_its_way();
        let (epoch, history_end) = (Epoch(2), z(1, 1));
        script.note(1, Note::Established { epoch, voters: vec![s(1), s(2)], history_end });
        script.assert_violates("S-17");
    }
}
