//! S-20  Quorum evidence: every decision rests on a quorum of different voters.
//!
//! Whoever wins an election, chooses an epoch, is established, commits, or stays leader names the
//! voters that it counted. Checked each time: their weights make a quorum, and no observer and no
//! voter of weight 0 is among them.

use quorate::base::{Note, ServerId};

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct QuorumEvidence;

impl Checker for QuorumEvidence {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let (what, voters): (&str, &Vec<ServerId>) = match note(fact) {
            Some(Note::Elected { voters, .. }) => ("an election", voters),
            Some(Note::EpochOffered { voters, .. }) => ("the choice of an epoch", voters),
            Some(Note::Established { voters, .. }) => ("the establishment of a leader", voters),
            Some(Note::Committed { voters, .. }) => ("a commit", voters),
            Some(Note::QuorumAlive { voters }) => ("a leader's keep-alive", voters),
            _ => return,
        };
        if !ghost.ensemble.is_quorum(voters) {
            out.add("S-20", fact, &[], format!("{what} rests on {voters:?}, which is no quorum"));
        }
        for voter in voters.iter().filter(|voter| ghost.ensemble.weight(**voter) <= 0) {
            out.add("S-20", fact, &[*voter], format!("{what} counted {voter}, which has no vote"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, s};
    use quorate::base::Note;

    #[test]
    fn one_voter_counted_twice_is_caught() {
        let mut script = FactScript::healthy();
        script.note(3, Note::QuorumAlive { voters: vec![s(3), s(1)] });
        script.assert_holds();
        script.note(3, Note::QuorumAlive { voters: vec![s(3), s(3)] });
        script.assert_violates("S-20");
    }

    #[test]
    fn an_observer_counted_is_caught() {
        let mut script = FactScript::healthy();
        script.note(3, Note::QuorumAlive { voters: vec![s(1), s(3), s(9)] });
        script.assert_violates("S-20");
    }

    #[test]
    fn weights_decide_where_there_are_some() {
        let mut script =
            FactScript::of("[ensemble]\nvoters = [1, 2, 3, 4, 5]\nweights = { 1 = 3 }\n");
        script.note(2, Note::QuorumAlive { voters: vec![s(1), s(2)] });
        script.assert_holds();
        script.note(2, Note::QuorumAlive { voters: vec![s(2), s(3), s(4)] });
        script.assert_violates("S-20");
    }
}
