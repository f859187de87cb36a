//! E-4  Only voters count: no observer, no server of weight 0 and no server without a history of
//! its own (zxid -1) is counted in an election, is elected or leads.
//!
//! Checked whenever a vote is counted, an election is decided or a leader is established.

use quorate::base::{Note, ServerId};

use super::{Checker, Fact, Findings, Ghost, note};

#[derive(Debug)]
pub(super) struct VotersOnly;

impl Checker for VotersOnly {
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        match note(fact) {
            Some(Note::VoteCounted { from, leader, .. }) => {
                may(ghost, fact, *from, "counted a vote of", out);
                may(ghost, fact, *leader, "counted a vote for", out);
            }
            Some(Note::Elected { leader, .. }) => may(ghost, fact, *leader, "elected", out),
            Some(Note::Established { .. }) => may(ghost, fact, fact.server, "is led by", out),
            _ => {}
        }
    }
}

fn may(ghost: &Ghost, fact: &Fact, whom: ServerId, did: &str, out: &mut Findings) {
    let Some(server) = ghost.servers.get(&whom) else {
        return out.add("E-4", fact, &[], format!("{did} {whom}, a stranger"));
    };
    if ghost.ensemble.weight(whom) <= 0 {
        out.add("E-4", fact, &[whom], format!("{did} {whom}, which has no vote"));
    } else if server.uninitialised {
        out.add("E-4", fact, &[whom], format!("{did} {whom}, which has no history of its own"));
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, s};
    use quorate::base::Note;

    #[test]
    fn an_observers_vote_is_caught() {
        let mut script = FactScript::new();
        script.note(1, Note::VoteCounted { round: 1, from: s(9), leader: s(1) });
        script.assert_violates("E-4");
    }

    #[test]
    fn a_leader_of_weight_0_is_caught() {
        let mut script = FactScript::of("[ensemble]\nvoters = [1, 2, 3]\nweights = { 3 = 0 }\n");
        script.note(1, Note::Elected { round: 1, leader: s(3), voters: vec![s(1), s(2)] });
        script.assert_violates("E-4");
    }

    #[test]
    fn a_vote_of_a_server_without_a_history_is_caught() {
        let mut script =
            FactScript::of("[ensemble]\nvoters = [1, 2, 3]\ndisk.3 = { uninitialised = true }\n");
        script.note(1, Note::VoteCounted { round: 1, from: s(2), leader: s(2) });
        script.assert_holds();
        script.note(1, Note::VoteCounted { round: 1, from: s(3), leader: s(2) });
        script.assert_violates("E-4");
    }
}
