//! Counting, as a type.

use std::collections::BTreeSet;

use super::QuorumVerifier;
use crate::base::{Exhibit, Museum, ServerId};

/// The distinct voters that said yes to one thing.
#[derive(Clone, Debug, Default)]
pub struct AckSet {
    sids: BTreeSet<ServerId>,
    /// Museum only: how often anybody said yes.
    heard: usize,
    museum: Museum,
}

impl AckSet {
    pub fn new(museum: Museum) -> AckSet {
        AckSet { sids: BTreeSet::new(), heard: 0, museum }
    }

    /// Counts a yes of `sid`. Answers whether it is new: false for observers, strangers, servers
    /// of weight 0, and for a voter that was counted before.
    pub fn add(&mut self, sid: ServerId, verifier: &QuorumVerifier) -> bool {
        if verifier.weight(sid) <= 0 {
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
        verifier.contains_quorum(&self.sids)
    }

    pub fn sids(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.sids.iter().copied()
    }

    pub fn to_vec(&self) -> Vec<ServerId> {
        self.sids.iter().copied().collect()
    }
}
