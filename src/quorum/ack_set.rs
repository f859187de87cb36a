//! Counting, as a type.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::QuorumVerifier;
use crate::base::{Exhibit, Museum, ServerId};

/// The distinct voters that said yes to one thing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AckSet {
    sids: BTreeSet<ServerId>,
    /// Museum only: how often anybody said yes.
    heard: usize,
    /// Museum only: whoever says yes counts, voter or not.
    takes_everybody: bool,
    museum: Museum,
}

impl AckSet {
    pub fn new(museum: Museum) -> AckSet {
        AckSet { museum, ..AckSet::default() }
    }

    /// A set that takes observers for voters while the exhibit is on.
    #[must_use]
    pub fn fooled_by(mut self, exhibit: Exhibit) -> AckSet {
        self.takes_everybody = self.museum.on(exhibit);
        self
    }

    /// Counts a yes of `sid`. Answers whether it is new: false for observers, strangers, servers
    /// of weight 0, and for a voter that was counted before.
    pub fn add(&mut self, sid: ServerId, verifier: &QuorumVerifier) -> bool {
        if verifier.weight(sid) <= 0 && !self.takes_everybody {
            return false;
        }
        self.heard += 1;
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
        if self.museum.on(Exhibit::VoteCountedTwice) {
            return self.heard > verifier.voters().count() / 2;
        }
        if self.takes_everybody {
            return self.sids.len() > verifier.voters().count() / 2;
        }
        verifier.contains_quorum(&self.sids)
    }

    pub fn sids(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.sids.iter().copied()
    }

    pub fn to_vec(&self) -> Vec<ServerId> {
        self.sids.iter().copied().collect()
    }
}
