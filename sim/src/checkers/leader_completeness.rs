//! S-11  Leader completeness: when a leader is established, its history contains every transaction
//! that was committed in an epoch below its own.
//!
//! This is stronger than I-8: a transaction counts as committed as soon as a quorum has it on disk
//! in its own epoch, even if its leader died before it could commit it. If this fails, acknowledged
//! writes are lost.
//!
//! What later epochs committed does not count: a leader that counts its last ack of NEWLEADER while
//! its followers have gone over to a later epoch, unnoticed behind a cut, is established too late.
//! It can commit nothing, and steps down within syncLimit (L-3).

use quorate::base::{Note, Zxid};

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct LeaderCompleteness;

impl Checker for LeaderCompleteness {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let Some(Note::Established { epoch, history_end, .. }) = note(fact) else { return };
        let committed = &ghost.committed;
        let last = committed.last_below(Zxid::new(*epoch, 0));
        let held = ghost.server(fact.server).log.chain_upto(last);
        if *history_end < last || (held.is_some() && held != committed.chain_upto(last)) {
            let words = format!(
                "leads epoch {epoch} with a history up to {history_end}, without all of what was \
                 committed up to {last}"
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
    fn a_leader_established_behind_a_later_one_lacks_nothing_of_the_epochs_below_its_own() {
        let mut script = FactScript::healthy();
        script.elect(2, &[1, 2], 2);
        script.elect(3, &[1, 3], 3);
        script.establish(3, &[1], 3);
        script.note(3, Note::Proposed { zxid: z(3, 1), hash: h(z(3, 1)) });
        script.log(3, z(3, 1));
        script.log(1, z(3, 1));
        script.establish(2, &[1], 2);
        script.assert_quiet("S-11");
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
