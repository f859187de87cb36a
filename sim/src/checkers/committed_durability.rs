//! S-12  Committed durability: every committed transaction is durable on the disks of a quorum.
//!
//! Checked when a leader commits, and again whenever a server cuts its log or has read it after a
//! start: the others must still be a quorum without what it lost. At a start, also: the server
//! finds all that was durable before, and nothing that it never wrote. If this fails, an
//! acknowledged write can vanish.
//!
//! Not a violation: a transaction that a quorum has on disk, but that nobody has committed, is cut
//! by its own leader and proposed again. ZooKeeper does this when a follower reconnects. The leader
//! must not count the old acks then; the check at the commit finds it if it does.
//!
//! A scenario that wipes a disk takes away what was durable. That is not reported here; if a
//! committed transaction is lost by it, S-11 reports that.

use quorate::base::{Note, Zxid};

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct CommittedDurability;

impl Checker for CommittedDurability {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        match note(fact) {
            Some(Note::Recovered { last_logged, .. }) => {
                let server = ghost.server(fact.server);
                let durable = server.durable_upto();
                // It died while its leader's TRUNC or snapshot was on the way, or there already.
                let replaced = Some(*last_logged) == server.saving
                    || server.cutting_to.is_some_and(|to| to <= *last_logged);
                if (*last_logged).max(Zxid::ZERO) < durable && !replaced {
                    let words = format!("found its log up to {last_logged}, {durable} was durable");
                    out.add("S-12", fact, &[], words);
                }
                let written = server.log.last().max(durable);
                if *last_logged > written && Some(*last_logged) != server.saving {
                    let words = format!(
                        "found its log up to {last_logged}, it had written {written} at most"
                    );
                    out.add("S-12", fact, &[], words);
                }
                still_held(ghost, fact, *last_logged, out);
            }
            Some(Note::Truncated { to }) => still_held(ghost, fact, *to, out),
            Some(Note::Committed { zxid, .. }) => {
                let holders = ghost.holders(*zxid);
                if !ghost.ensemble.is_quorum(holders.iter()) {
                    let words = format!("committed {zxid}, which only {holders:?} hold durably");
                    out.add("S-12", fact, &holders, words);
                }
            }
            _ => {}
        }
    }
}

/// After this server has lost everything beyond `kept`, does a quorum hold what was committed?
fn still_held(ghost: &Ghost, fact: &Fact, kept: Zxid, out: &mut Findings) {
    let server = ghost.server(fact.server);
    let last = ghost.firm.min(server.durable_upto());
    let loses_committed = last > kept
        && ghost.committed.covers(last)
        && server.log.chain_upto(last) == ghost.committed.chain_upto(last);
    if !loses_committed {
        return;
    }
    let mut holders = ghost.holders(last);
    holders.retain(|holder| *holder != fact.server);
    if !ghost.ensemble.is_quorum(holders.iter()) {
        let words = format!("cut its log at {kept}: only {holders:?} still hold committed {last}");
        out.add("S-12", fact, &holders, words);
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::Event;
    use crate::checkers::testing::{FactScript, digest, h, s, z};
    use quorate::base::{Epoch, Note, RoleName, SyncMode};

    fn recovered(last_logged: quorate::base::Zxid) -> Note {
        let (accepted, current) = (Epoch(1), Epoch(1));
        Note::Recovered {
            last_logged,
            last_applied: last_logged,
            accepted,
            current,
            tree_digest: digest(z(1, 2)),
        }
    }

    #[test]
    fn a_truncation_that_leaves_no_quorum_is_caught() {
        let mut script = FactScript::healthy();
        script.note(1, Note::Truncated { to: z(1, 1) });
        script.assert_holds();
        script.note(2, Note::Truncated { to: z(1, 1) });
        script.assert_violates("S-12");
    }

    #[test]
    fn a_commit_by_acks_of_what_was_cut_since_is_caught() {
        let mut script = FactScript::healthy();
        let zxid = z(1, 3);
        script.note(3, Note::Proposed { zxid, hash: h(zxid) });
        script.log(1, zxid);
        script.note(3, Note::AckCounted { zxid, from: s(1) });
        script.note(1, Note::Truncated { to: z(1, 2) });
        script.log(2, zxid);
        script.note(3, Note::AckCounted { zxid, from: s(2) });
        script.assert_holds();
        script.note(3, Note::Committed { zxid, voters: vec![s(1), s(2)] });
        script.assert_violates("S-12");
    }

    #[test]
    fn a_restart_without_what_was_durable_is_caught() {
        let mut script = FactScript::healthy();
        script.event(1, Event::Died);
        script.event(1, Event::Started);
        script.note(1, recovered(z(1, 2)));
        script.assert_holds();
        script.event(1, Event::Died);
        script.note(1, recovered(z(1, 1)));
        script.assert_violates("S-12");
    }

    #[test]
    fn a_death_while_the_log_is_cut_may_leave_it_cut_and_no_shorter() {
        for (left, holds) in [(z(1, 2), true), (z(1, 1), false)] {
            let mut script = FactScript::healthy();
            script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
            script.log(1, z(1, 3));
            let (mode, peer, to) = (SyncMode::Trunc, z(1, 3), z(1, 2));
            script.note(3, Note::SyncChosen { learner: s(1), mode, peer, to });
            script.event(1, Event::Died);
            script.note(1, recovered(left));
            if holds { script.assert_holds() } else { script.assert_violates("S-12") }
        }
    }

    #[test]
    fn a_restart_may_lose_what_was_not_durable() {
        let mut script = FactScript::healthy();
        script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.note(1, Note::Appended { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.event(1, Event::Died);
        script.note(1, recovered(z(1, 2)));
        script.assert_holds();
    }

    #[test]
    fn a_snapshot_that_became_durable_behind_a_lost_role_may_be_found() {
        let mut script = FactScript::healthy();
        script.note(1, Note::SnapshotInstalled { zxid: z(2, 9), tree_digest: digest(z(2, 9)) });
        script.note(1, Note::Role { role: RoleName::Looking, epoch: Epoch(1) });
        script.note(1, recovered(z(2, 9)));
        script.assert_holds();
        script.note(1, recovered(z(2, 10)));
        script.assert_violates("S-12");
    }

    #[test]
    fn a_commit_that_disks_do_not_back_is_caught() {
        let mut script = FactScript::healthy();
        script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.log(3, z(1, 3));
        script.note(1, Note::Appended { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.note(3, Note::Committed { zxid: z(1, 3), voters: vec![s(1), s(3)] });
        script.assert_violates("S-12");
    }
}
