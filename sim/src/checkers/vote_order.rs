//! E-2  The order of votes has no circles: of two votes at most one beats the other.
//!
//! Votes are compared by (currentEpoch, zxid, id). Whenever a server changes its vote within a
//! round, it says that the new one beats the old one. Checked then: no server has said the
//! opposite. In ZOOKEEPER-1419 a pair of parentheses was missing, and servers changed between two
//! votes for ever.

use std::collections::{BTreeMap, BTreeSet};

use quorate::base::{Epoch, Note, ServerId, Zxid};

use super::{Checker, Event, Fact, Findings, Ghost};

/// What votes are compared by, in this order.
pub(super) type Rank = (Epoch, Zxid, ServerId);

#[derive(Debug, Default)]
pub(super) struct VoteOrder {
    last: BTreeMap<ServerId, (u64, Rank)>,
    beaten_by: BTreeSet<(Rank, Rank)>,
}

impl Checker for VoteOrder {
    fn before(&mut self, _: &Ghost, fact: &Fact, out: &mut Findings) {
        match &fact.event {
            Event::Note(Note::Vote { round, leader, zxid, epoch }) => {
                let rank = (*epoch, *zxid, *leader);
                let old = self.last.insert(fact.server, (*round, rank));
                let Some((_, old)) = old.filter(|(r, old)| r == round && *old != rank) else {
                    return;
                };
                self.beaten_by.insert((old, rank));
                if self.beaten_by.contains(&(rank, old)) {
                    let words = format!("votes {old:?} and {rank:?} beat each other");
                    out.add("E-2", fact, &[], words);
                }
            }
            Event::Note(Note::Elected { .. }) | Event::Died => {
                self.last.remove(&fact.server);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rank;
    use crate::checkers::testing::{FactScript, s, z};
    use quorate::base::{Epoch, Note, Zxid};

    #[test]
    fn votes_that_beat_each_other_are_caught() {
        let mut script = FactScript::new();
        let vote = |epoch, leader| Note::Vote {
            round: 1,
            leader: s(leader),
            zxid: z(0, 0),
            epoch: Epoch(epoch),
        };
        script.note(1, vote(0, 1));
        script.note(1, vote(1, 2));
        script.assert_quiet("E-2");
        script.note(2, vote(1, 2));
        script.note(2, vote(0, 1));
        script.assert_violates("E-2");
    }

    /// The order itself, on every triple of a small domain.
    #[test]
    fn the_order_is_strict_and_total() {
        let mut votes: Vec<Rank> = Vec::new();
        for epoch in 0..3 {
            for zxid in 0..3 {
                votes.extend((1..=3).map(|id| (Epoch(epoch), Zxid(zxid), s(id))));
            }
        }
        for a in &votes {
            assert!(a.partial_cmp(a) == Some(std::cmp::Ordering::Equal));
            for b in &votes {
                assert_eq!(a > b, b < a);
                assert!(a == b || (a > b) != (b > a));
                assert!(votes.iter().all(|c| !(a > b && b > c) || a > c));
            }
        }
    }
}
