//! S-11  Leader completeness: when a leader is established, its history contains every committed
//! transaction.
//!
//! This is stronger than I-8: a transaction counts as committed as soon as a quorum has it on disk
//! in its own epoch, even if its leader died before it could commit it. If this fails, acknowledged
//! writes are lost.

use quorate::base::Note;

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct LeaderCompleteness;

impl Checker for LeaderCompleteness {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let Some(Note::Established { epoch, history_end, .. }) = note(fact) else { return };
        let committed = &ghost.committed;
        let held = ghost.server(fact.server).log.chain_upto(committed.last());
        if *history_end < committed.last() || (held.is_some() && held != committed.chain()) {
            let words = format!(
                "leads epoch {epoch} with a history up to {history_end}, without all of what was \
                 committed up to {}",
                committed.last()
            );
            out.add("S-11", fact, &[], words);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, h, z};
    use quorate::base::Note;

    #[test]
    fn what_a_quorum_held_without_knowing_must_survive() {
        let mut script = FactScript::healthy();
        // Logged by 3 and 1, acked to nobody; 2 leads without it.
        script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.log(3, z(1, 3));
        script.log(1, z(1, 3));
        script.elect(2, &[1, 2], 2);
        script.assert_quiet("S-11");
        script.establish(2, &[1], 2);
        script.assert_violates("S-11");
    }

    #[test]
    fn what_one_server_held_may_be_lost() {
        let mut script = FactScript::healthy();
        script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.log(3, z(1, 3));
        script.elect(2, &[1, 2], 2);
        script.establish(2, &[1], 2);
        script.assert_holds();
    }
}
