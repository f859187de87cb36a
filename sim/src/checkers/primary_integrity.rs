//! I-7  Primary integrity: before its first proposal a leader has delivered everything that was
//! committed in earlier epochs.

use std::collections::BTreeSet;

use quorate::base::{Epoch, Note};

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
        let leader = ghost.server(fact.server);
        let committed = &ghost.committed;
        let held = leader.log.chain_upto(committed.last());
        if held.is_some() && held != committed.chain() {
            let words = format!(
                "proposes in epoch {} without the committed history up to {}",
                zxid.epoch(),
                committed.last()
            );
            out.add("I-7", fact, &[], words);
        } else if leader.applied < committed.last() {
            let words = format!(
                "proposes in epoch {} having applied {} of {}",
                zxid.epoch(),
                leader.applied,
                committed.last()
            );
            out.add("I-7", fact, &[], words);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{Story, h, z};
    use quorate::base::Note;

    #[test]
    fn a_leader_that_lacks_a_committed_transaction_is_caught() {
        let mut story = Story::healthy();
        story.write(3, &[1], z(1, 3));
        story.elect(2, &[1, 2], 2);
        story.note(2, Note::Proposed { zxid: z(2, 1), hash: h(z(2, 1)) });
        story.assert_violates("I-7");
    }

    #[test]
    fn a_leader_that_has_not_applied_it_is_caught() {
        let mut story = Story::healthy();
        story.write(3, &[1], z(1, 3));
        story.log(2, z(1, 3));
        story.note(2, Note::Proposed { zxid: z(2, 1), hash: h(z(2, 1)) });
        story.assert_violates("I-7");
    }
}
