//! Who said yes to one thing, and whether those are a quorum.  (SyncedLearnerTracker)

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::QuorumVerifier;
use super::museum::Miscount;
use crate::base::{Exhibit, Museum, ServerId};

/// The distinct voters that said yes to one thing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AckSet {
    /// In ascending order. One set goes with each transaction: few voters need no memory of their own.
    sids: SmallVec<[ServerId; 7]>,
    miscount: Miscount,
}

impl AckSet {
    pub fn new(museum: Museum) -> AckSet {
        AckSet { miscount: Miscount::new(museum), ..AckSet::default() }
    }

    /// A set that takes observers for voters while the exhibit is on.
    #[must_use]
    pub fn fooled_by(mut self, exhibit: Exhibit) -> AckSet {
        self.miscount.take_everybody(exhibit);
        self
    }

    /// Counts a yes of `sid`. Answers whether it is new: false for observers, strangers, servers
    /// of weight 0, and for a voter that was counted before.
    pub fn add(&mut self, sid: ServerId, verifier: &QuorumVerifier) -> bool {
        if verifier.weight(sid) <= 0 && !self.miscount.takes_everybody() {
            return false;
        }
        self.miscount.hear();
        let place = self.sids.binary_search(&sid);
        if let Err(place) = place {
            self.sids.insert(place, sid);
        }
        place.is_err()
    }

    /// Takes a yes back: what it stood for is gone.
    pub fn remove(&mut self, sid: ServerId) {
        self.sids.retain(|other| *other != sid);
    }

    pub fn contains(&self, sid: ServerId) -> bool {
        self.sids.binary_search(&sid).is_ok()
    }

    pub fn has_quorum(&self, verifier: &QuorumVerifier) -> bool {
        verifier.contains_quorum(&self.sids) || self.miscount.has_quorum(self.sids.len(), verifier)
    }

    pub fn sids(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.sids.iter().copied()
    }

    pub fn to_vec(&self) -> Vec<ServerId> {
        self.sids.to_vec()
    }
}
