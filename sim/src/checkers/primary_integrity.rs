//! I-7  Primary integrity: before a leader proposes for the first time, it has applied everything
//! that was committed in earlier epochs. Checked at the first proposal of each epoch.

use std::collections::BTreeSet;

use quorate::base::{Epoch, Note, Zxid};

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug, Default)]
pub(super) struct PrimaryIntegrity {
    seen: BTreeSet<Epoch>,
}

impl Checker for PrimaryIntegrity {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let Some(Note::Proposed { zxid, .. }) = note(fact) else { return };
        if !self.seen.insert(zxid.epoch()) {
            return;
        }
        let (leader, epoch) = (ghost.server(fact.server), zxid.epoch());
        // A leader that slept through its own end proposes in its old epoch, while later epochs
        // have a history already: that it need not have.
        let due = ghost.committed.last_below(Zxid::new(epoch, 0));
        let held = leader.log.chain_upto(due);
        if held.is_some() && held != ghost.committed.chain_upto(due) {
            let words = format!("proposes in epoch {epoch} without the history up to {due}");
            out.add("I-7", fact, &[], words);
        } else if leader.applied < due {
            let applied = leader.applied;
            let words = format!("proposes in epoch {epoch} having applied {applied} of {due}");
            out.add("I-7", fact, &[], words);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, h, z};
    use quorate::base::Note;

    #[test]
    fn a_leader_that_lacks_a_committed_transaction_is_caught() {
        let mut script = FactScript::healthy();
        script.write(3, &[1], z(1, 3));
        script.elect(2, &[1, 2], 2);
        script.note(2, Note::Proposed { zxid: z(2, 1), hash: h(z(2, 1)) });
        script.assert_violates("I-7");
    }

    #[test]
    fn a_leader_that_wakes_up_late_owes_nothing_to_later_epochs() {
        let mut script = FactScript::healthy();
        script.elect(2, &[1, 2], 2);
        script.write(2, &[1], z(2, 1));
        script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.assert_quiet("I-7");
    }

    #[test]
    fn a_leader_that_has_not_applied_it_is_caught() {
        let mut script = FactScript::healthy();
        script.write(3, &[1], z(1, 3));
        script.log(2, z(1, 3));
        script.note(2, Note::Proposed { zxid: z(2, 1), hash: h(z(2, 1)) });
        script.assert_violates("I-7");
    }
}
