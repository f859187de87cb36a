//! Who said yes to one thing, and whether those are a quorum.  (SyncedLearnerTracker)

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::QuorumVerifier;
use super::museum::Miscount;
use crate::base::{Exhibit, Museum, ServerId};

/// The distinct voters that said yes to one thing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AckSet {
    sids: BTreeSet<ServerId>,
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
        self.sids.insert(sid)
    }

    /// Takes a yes back: what it stood for is gone.
    pub fn remove(&mut self, sid: ServerId) {
        self.sids.remove(&sid);
    }

    pub fn contains(&self, sid: ServerId) -> bool {
        self.sids.contains(&sid)
    }

    pub fn has_quorum(&self, verifier: &QuorumVerifier) -> bool {
        verifier.contains_quorum(&self.sids) || self.miscount.has_quorum(self.sids.len(), verifier)
    }

    pub fn sids(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.sids.iter().copied()
    }

    pub fn to_vec(&self) -> Vec<ServerId> {
        self.sids.iter().copied().collect()
    }
}
