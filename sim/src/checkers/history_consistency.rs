//! I-10  History consistency: two logs that both hold some zxid are equal up to that zxid.
//!
//! Checked at every append, by a hash over the whole log up to there. It must be the hash of the
//! log that held this zxid first: the leader's that proposed it, or one that the scenario put on a
//! disk.

use quorate::base::Note;

use super::log::extend;
use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct HistoryConsistency;

impl Checker for HistoryConsistency {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let Some(Note::Appended { zxid, hash }) = note(fact) else { return };
        let log = &ghost.server(fact.server).log;
        let Some(known) = ghost.known_chain(*zxid) else { return };
        let mine = extend(log.chain(), *zxid, *hash);
        if mine.is_some_and(|mine| mine != known) {
            let words = format!("logged {zxid} behind another history than its leader's");
            out.add("I-10", fact, &[], words);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, h, z};
    use quorate::base::Note;

    #[test]
    fn a_log_that_keeps_what_its_leader_never_had_is_caught() {
        let mut script = FactScript::healthy();
        // 3 logs (1,3) alone; 2 leads epoch 2 without it; 3 is not truncated.
        script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.log(3, z(1, 3));
        script.elect(2, &[1, 2], 2);
        script.establish(2, &[1], 2);
        script.write(2, &[1], z(2, 1));
        script.assert_holds();
        script.log(3, z(2, 1));
        script.assert_violates("I-10");
    }

    #[test]
    fn a_truncated_log_may_go_on() {
        let mut script = FactScript::healthy();
        script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.log(3, z(1, 3));
        script.elect(2, &[1, 2], 2);
        script.establish(2, &[1], 2);
        script.write(2, &[1], z(2, 1));
        script.note(3, Note::Truncated { to: z(1, 2) });
        script.log(3, z(2, 1));
        script.assert_holds();
    }
}
