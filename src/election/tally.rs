//! Counting the votes of one election.                      (FastLeaderElection.getVoteTracker)
//!
//! - E-4   only voters have a ballot, and only voters are voted for
//! - S-20  counted are exactly the voters whose newest vote agrees with the one that is counted for

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::vote::Vote;
use crate::base::{Museum, ServerId, invariant};
use crate::quorum::{AckSet, QuorumVerifier};

/// The newest vote of each voter, and how far the count for one of them is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Ballots {
    pub(super) votes: BTreeMap<ServerId, Vote>,
    pub(super) target: Option<Vote>,
    pub(super) backers: AckSet,
}

impl Ballots {
    /// What must hold whenever nobody is just counting.
    pub(super) fn invariants(&self, verifier: &QuorumVerifier) {
        for (from, vote) in &self.votes {
            let voters = verifier.is_voter(*from) && verifier.is_voter(vote.leader);
            invariant!(voters, "E-4", "a ballot of {from} for {}", vote.leader);
        }
        let agrees = |vote: &Vote| self.target.is_some_and(|target| target.agrees_with(vote));
        let backs = |(from, vote): &(&ServerId, &Vote)| agrees(vote) && verifier.weight(**from) > 0;
        let counted = self.votes.iter().filter(backs).map(|(from, _)| *from);
        let counts = counted.eq(self.backers.sids());
        invariant!(counts, "S-20", "{:?} of {:?}", self.backers, self.votes);
    }
}

/// The voters whose ballots agree with `target`, if they are a quorum (getVoteTracker). `from` is
/// the voter heard last; its ballot lies in `ballots` already.
///
/// Counting goes on while the target stays the same, and starts anew when it changes or when a
/// voter takes its vote back.
pub(super) fn tally_votes(
    ballots: &mut Ballots,
    from: ServerId,
    target: Vote,
    verifier: &QuorumVerifier,
    museum: Museum,
) -> Option<Vec<ServerId>> {
    let agrees = |vote: &Vote| target.agrees_with(vote);
    let newest_agrees = ballots.votes.get(&from).is_some_and(agrees);
    let taken_back = !newest_agrees && ballots.backers.contains(from);
    if ballots.target != Some(target) || taken_back {
        ballots.target = Some(target);
        ballots.backers = AckSet::new(museum);
        for (sid, _) in ballots.votes.iter().filter(|(_, vote)| agrees(vote)) {
            ballots.backers.add(*sid, verifier);
        }
    } else if newest_agrees {
        ballots.backers.add(from, verifier);
    }
    ballots.backers.has_quorum(verifier).then(|| ballots.backers.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::invariant::testing::each_fires;
    use crate::base::{Epoch, Zxid};
    use crate::election::test_ensemble::Ensemble;

    fn verifier() -> QuorumVerifier {
        QuorumVerifier::new(&Ensemble::of_voters(3).config(1))
    }

    fn vote(leader: i64) -> Vote {
        let leader = ServerId(leader);
        Vote { leader, zxid: Zxid::ZERO, peer_epoch: Epoch(0), ..Vote::nobody() }
    }

    /// 1 and 3 vote for 3, 2 for itself.
    fn counted() -> Ballots {
        let mut ballots = Ballots::default();
        for (from, leader) in [(2, 2), (1, 3), (3, 3)] {
            ballots.votes.insert(ServerId(from), vote(leader));
            tally_votes(&mut ballots, ServerId(from), vote(3), &verifier(), Museum::default());
        }
        ballots
    }

    #[test]
    fn each_invariant_fires() {
        each_fires(
            include_str!("tally.rs"),
            |ballots| ballots.invariants(&verifier()),
            &[
                ("E-4", counted, |ballots| _ = ballots.votes.insert(ServerId(9), vote(3))),
                ("E-4", counted, |ballots| _ = ballots.votes.insert(ServerId(2), vote(9))),
                ("S-20", counted, |ballots| _ = ballots.votes.insert(ServerId(3), vote(2))),
                ("S-20", counted, |ballots| _ = ballots.votes.remove(&ServerId(1))),
                ("S-20", counted, |ballots| ballots.backers.remove(ServerId(3))),
                ("S-20", counted, |ballots| ballots.target = Some(vote(2))),
            ],
        );
    }
}
