//! S-16  Equal state: servers with the same history have the same tree.
//!
//! Checked whenever a server tells the digest of its state at a zxid: it must be the digest that
//! the first server with the same history told for this zxid. The digest covers all: data, every
//! field of every stat, ACLs and sessions.
//!
//! Not compared: a learner that has installed a leader's snapshot and not yet applied what the
//! leader sends behind it (`HalfSynced` in the ghost state). What a server reads from its disk is
//! S-17.

use quorate::base::Note;

use super::fact::told_state;
use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct EqualState;

impl Checker for EqualState {
    fn after(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let Some(note) = note(fact).filter(|note| !matches!(note, Note::Recovered { .. })) else {
            return;
        };
        let Some((zxid, digest)) = told_state(note) else { return };
        if let Some((first, by)) = ghost.state_at(fact.server, zxid)
            && first != digest
        {
            let words =
                format!("its state at {zxid} differs from that of {by} at the same history");
            out.add("S-16", fact, &[by], words);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, h, z};
    use quorate::base::Note;

    #[test]
    fn another_state_after_the_same_history_is_caught() {
        let mut script = FactScript::healthy();
        let zxid = z(1, 3);
        script.write(3, &[1], zxid);
        script.log(2, zxid);
        script.note(2, Note::Applied { zxid, hash: h(zxid), state_digest: 1 });
        script.assert_violates("S-16");
    }

    #[test]
    fn states_after_different_histories_are_not_compared() {
        let mut script = FactScript::healthy();
        script.note(3, Note::Proposed { zxid: z(1, 3), hash: h(z(1, 3)) });
        script.log(3, z(1, 3));
        script.note(3, Note::FastForwarded { to: z(1, 3), state_digest: 5 });
        script
            .note(1, Note::FastForwarded { to: z(1, 2), state_digest: z(1, 2).0 as u64 ^ 0x1234 });
        script.assert_holds();
    }
}
