//! E-3  Winner dominance: no member of the quorum that accepts a new epoch is ahead of its leader.
//!
//! Checked whenever a leader counts an ACKEPOCH: the (currentEpoch, last zxid) in it is not greater
//! than the leader's own. Otherwise the leader may lack something that is committed.

use quorate::base::Note;

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct WinnerDominance;

impl Checker for WinnerDominance {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let Some(Note::EpochAckCounted { epoch, from, current, zxid }) = note(fact) else { return };
        let leader = ghost.server(fact.server);
        let own = (leader.current, leader.log.last());
        if (*current, *zxid) > own {
            let words = format!(
                "counts {from} for epoch {epoch}, which is ahead: {current} {zxid}, own {} {}",
                own.0, own.1
            );
            out.add("E-3", fact, &[*from], words);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, s, z};
    use quorate::base::{Epoch, Note};

    #[test]
    fn a_follower_ahead_of_its_leader_is_caught() {
        let mut script = FactScript::healthy();
        script.note(1, Note::AcceptedEpochDurable { epoch: Epoch(2) });
        let (epoch, current) = (Epoch(2), Epoch(1));
        script.note(2, Note::EpochAckCounted { epoch, from: s(1), current, zxid: z(1, 2) });
        script.assert_holds();
        script.note(2, Note::EpochAckCounted { epoch, from: s(1), current, zxid: z(1, 3) });
        script.assert_violates("E-3");
    }
}
