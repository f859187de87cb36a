//! Which of two votes is better, and which two votes say the same (Vote, totalOrderPredicate).
//!
//! - E-2  (peer_epoch, zxid, sid) orders votes strictly and totally. ZOOKEEPER-1419 lost a pair of
//!   parentheses: votes then beat each other in a circle, and no election ended.
//! - E-4  a candidate of weight 0 never wins

use serde::{Deserialize, Serialize};

use super::packet::{Notification, PeerState};
use crate::base::{Epoch, ServerId, Zxid};
use crate::quorum::QuorumVerifier;

/// What one server says of who shall lead, or who leads.
///
/// `==` compares every field; whether two servers name the same leader is [`Vote::agrees_with`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Vote {
    pub leader: ServerId,
    /// The candidate's last logged zxid.
    pub zxid: Zxid,
    /// The round (logicalclock) in which the vote was given.
    pub election_epoch: i64,
    /// The candidate's `currentEpoch`; once it is established, the epoch it leads.
    pub peer_epoch: Epoch,
    /// The state of the server whose vote this is.
    pub state: PeerState,
    /// Of the message it came in; 0 where that does not matter.
    pub version: i32,
}

impl Vote {
    /// The vote of a server that does not vote: whoever can win beats it.
    pub fn nobody() -> Vote {
        Vote {
            leader: ServerId::NOBODY,
            zxid: Zxid(i64::MIN),
            election_epoch: 0,
            peer_epoch: Epoch(i64::MIN),
            state: PeerState::Looking,
            version: 0,
        }
    }

    /// The vote in a notification.
    pub fn heard(n: &Notification) -> Vote {
        Vote {
            leader: n.leader,
            zxid: n.zxid,
            election_epoch: n.election_epoch,
            peer_epoch: n.peer_epoch,
            state: n.state,
            version: n.version,
        }
    }

    /// What the order of votes looks at. The epoch comes first: a longer log of an older epoch
    /// may hold proposals that a later leader cut off.
    pub fn rank(&self) -> (Epoch, Zxid, ServerId) {
        (self.peer_epoch, self.zxid, self.leader)
    }

    /// Whether a server that votes for `other` should change to this (totalOrderPredicate).
    pub fn beats(&self, other: &Vote, verifier: &QuorumVerifier) -> bool {
        verifier.weight(self.leader) > 0 && self.rank() > other.rank()
    }

    /// Whether two votes back the same leader (Vote.equals).
    ///
    /// Votes of an election in progress must agree in everything. Members that are not LOOKING may
    /// remember different rounds and zxids of one leader, since they joined it at different times
    /// (ZOOKEEPER-1732); servers before 3.4.6 have no useful peer epoch either (1805).
    pub fn agrees_with(&self, other: &Vote) -> bool {
        if self.state == PeerState::Looking || other.state == PeerState::Looking {
            return self.rank() == other.rank() && self.election_epoch == other.election_epoch;
        }
        let one_is_old = (self.version > 0) != (other.version > 0);
        self.leader == other.leader && (one_is_old || self.peer_epoch == other.peer_epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ServerConfig, ServerSpec};

    /// Voters 1 to 3, of which 3 has the weight given.
    fn verifier(weight_of_3: i64) -> QuorumVerifier {
        let mut config = ServerConfig::defaults(ServerId(1));
        config.hierarchical = true;
        for sid in 1..=3 {
            let weight = if sid == 3 { weight_of_3 } else { 1 };
            let spec = ServerSpec { weight, group: Some(1), ..ServerSpec::test(sid) };
            config.servers.insert(ServerId(sid), spec);
        }
        QuorumVerifier::new(&config)
    }

    fn vote(epoch: i64, zxid: i64, leader: i64) -> Vote {
        Vote {
            leader: ServerId(leader),
            zxid: Zxid(zxid),
            peer_epoch: Epoch(epoch),
            election_epoch: 1,
            ..Vote::nobody()
        }
    }

    fn domain() -> Vec<Vote> {
        let mut votes = Vec::new();
        for epoch in 0..3 {
            for zxid in [-1, 0, 1 << 32, 2 << 32] {
                votes.extend((1..=3).map(|leader| vote(epoch, zxid, leader)));
            }
        }
        votes
    }

    #[test]
    fn e2_the_order_of_votes_is_strict_and_total() {
        let verifier = verifier(1);
        let votes = domain();
        for a in &votes {
            assert!(!a.beats(a, &verifier), "E-2: {a:?} beats itself");
            for b in &votes {
                let (ab, ba) = (a.beats(b, &verifier), b.beats(a, &verifier));
                assert!(!(ab && ba), "E-2: {a:?} and {b:?} beat each other");
                assert!(a == b || ab || ba, "E-2: neither of {a:?} and {b:?} is better");
                for c in &votes {
                    let circle = ab && b.beats(c, &verifier) && !a.beats(c, &verifier);
                    assert!(!circle, "E-2: {a:?} beats {b:?} beats {c:?}, in a circle");
                }
            }
        }
    }

    #[test]
    fn e4_a_candidate_of_weight_zero_or_unknown_beats_nobody() {
        let verifier = verifier(0);
        for a in domain().into_iter().filter(|a| a.leader == ServerId(3)) {
            for b in domain() {
                assert!(!a.beats(&b, &verifier), "E-4: {a:?} beats {b:?}");
            }
            assert!(!a.beats(&Vote::nobody(), &verifier));
            let stranger = Vote { leader: ServerId(9), ..a };
            assert!(!stranger.beats(&Vote::nobody(), &verifier));
        }
    }

    #[test]
    fn epoch_beats_zxid_beats_sid() {
        let verifier = verifier(1);
        assert!(vote(2, 1, 1).beats(&vote(1, 9, 3), &verifier));
        assert!(vote(1, 9, 1).beats(&vote(1, 8, 3), &verifier));
        assert!(vote(1, 9, 3).beats(&vote(1, 9, 2), &verifier));
    }

    #[test]
    fn whoever_can_win_beats_the_vote_for_nobody() {
        assert!(vote(0, 0, 1).beats(&Vote::nobody(), &verifier(1)));
    }

    #[test]
    fn votes_of_an_election_in_progress_agree_in_everything() {
        let a = vote(1, 2, 3);
        let following = Vote { state: PeerState::Following, ..a };
        assert!(a.agrees_with(&a) && a.agrees_with(&following) && following.agrees_with(&a));
        for b in [vote(2, 2, 3), vote(1, 3, 3), vote(1, 2, 2), Vote { election_epoch: 2, ..a }] {
            assert!(!a.agrees_with(&b) && !b.agrees_with(&a), "{b:?}");
            let b = Vote { state: PeerState::Following, ..b };
            assert!(!a.agrees_with(&b) && !b.agrees_with(&a), "{b:?}");
        }
    }

    #[test]
    fn votes_of_members_in_a_role_agree_by_leader_and_epoch() {
        let a = Vote { state: PeerState::Following, version: 2, ..vote(4, 2, 3) };
        let b =
            Vote { zxid: Zxid(77), election_epoch: 9, state: PeerState::Leading, version: 1, ..a };
        assert!(a.agrees_with(&b) && b.agrees_with(&a));
        assert!(!a.agrees_with(&Vote { peer_epoch: Epoch(5), ..b }));
        assert!(!a.agrees_with(&Vote { leader: ServerId(2), ..b }));
    }

    #[test]
    fn of_a_server_without_versions_only_the_leader_counts() {
        let new = Vote { state: PeerState::Following, version: 2, ..vote(4, 2, 3) };
        let old = Vote { version: 0, peer_epoch: Epoch(0), ..new };
        assert!(new.agrees_with(&old) && old.agrees_with(&new));
        assert!(!old.agrees_with(&Vote { peer_epoch: Epoch(1), ..old }));
        assert!(!new.agrees_with(&Vote { leader: ServerId(2), ..old }));
    }
}
