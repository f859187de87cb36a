//! E-5  Votes only improve: within one election the round of a server never falls, and within a
//! round its vote only changes to a better one. Checked whenever a server votes.

use std::collections::BTreeMap;

use quorate::base::{Note, ServerId};

use super::vote_order::Rank;
use super::{Checker, Event, Fact, Findings, Ghost};

#[derive(Debug, Default)]
pub(super) struct VoteMonotone {
    last: BTreeMap<ServerId, (u64, Rank)>,
}

impl Checker for VoteMonotone {
    fn before(&mut self, _: &Ghost, fact: &Fact, out: &mut Findings) {
        match &fact.event {
            Event::Note(Note::Vote { round, leader, zxid, epoch }) => {
                let rank = (*epoch, *zxid, *leader);
                match self.last.insert(fact.server, (*round, rank)) {
                    Some((before, _)) if *round < before => {
                        out.add("E-5", fact, &[], format!("went from round {before} to {round}"));
                    }
                    Some((before, old)) if *round == before && rank < old => {
                        let words = format!("changed its vote from {old:?} to a worse {rank:?}");
                        out.add("E-5", fact, &[], words);
                    }
                    _ => {}
                }
            }
            // A server that joins an ensemble takes its round, be it an older one.
            Event::Note(Note::Elected { .. }) | Event::Died => {
                self.last.remove(&fact.server);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::{FactScript, s, z};
    use quorate::base::{Epoch, Note};

    fn vote(round: u64, leader: i64) -> Note {
        Note::Vote { round, leader: s(leader), zxid: z(0, 0), epoch: Epoch(0) }
    }

    #[test]
    fn a_worse_vote_in_the_same_round_is_caught() {
        let mut script = FactScript::new();
        script.note(1, vote(1, 1));
        script.note(1, vote(1, 3));
        script.assert_holds();
        script.note(1, vote(1, 2));
        script.assert_violates("E-5");
    }

    #[test]
    fn an_older_round_is_caught_unless_the_server_joined_it() {
        let mut script = FactScript::new();
        script.note(1, vote(4, 1));
        script.note(1, Note::Elected { round: 2, leader: s(3), voters: vec![s(2), s(3)] });
        script.note(1, vote(3, 1));
        script.assert_holds();
        script.note(1, vote(2, 1));
        script.assert_violates("E-5");
    }
}
