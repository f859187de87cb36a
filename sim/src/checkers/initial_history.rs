//! I-8  Initial history: a leader begins with a history that contains the history with which every
//! earlier leader began. Checked when a leader is established.

use quorate::base::Note;

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct InitialHistory;

impl Checker for InitialHistory {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let Some(Note::Established { epoch, history_end, .. }) = note(fact) else { return };
        let log = &ghost.server(fact.server).log;
        // The one before the last: it contains those before it, or was reported itself.
        let Some((before, earlier)) = ghost.leaders.range(..*epoch).next_back() else { return };
        let held = log.chain_upto(earlier.history_end);
        let lacks = held.is_some() && earlier.chain.is_some() && held != earlier.chain;
        if lacks || *history_end < earlier.history_end {
            let words = format!(
                "leads epoch {epoch} without the initial history of epoch {before} (up to {})",
                earlier.history_end
            );
            out.add("I-8", fact, &[earlier.leader], words);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, s, z};
    use quorate::base::{Epoch, Note};

    #[test]
    fn a_leader_without_the_history_of_the_one_before_is_caught() {
        let mut script = FactScript::healthy();
        script.elect(2, &[1, 2], 2);
        script.establish(2, &[1], 2);
        script.assert_holds();
        // 3 lost its log and leads all the same.
        script.note(3, Note::Truncated { to: z(1, 1) });
        let voters = vec![s(1), s(3)];
        script.note(3, Note::Established { epoch: Epoch(3), voters, history_end: z(1, 1) });
        script.assert_violates("I-8");
    }
}
