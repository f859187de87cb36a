//! What an operator is shown of a leader. (Leader.java, QuorumPeer.ZabState)

use super::core::{Leader, Stage};
use super::handler::{Handler, Phase};
use crate::base::{Mono, ServerId, Zxid};

impl Leader {
    /// How far it is, in the words of Apache's QuorumPeer.ZabState.
    pub fn zab_state(&self) -> &'static str {
        match self.stage {
            Stage::Discovery | Stage::OfferingEpoch | Stage::EpochAcks | Stage::TakingEpoch => {
                "discovery"
            }
            Stage::Synchronisation => "synchronization",
            Stage::Broadcast => "broadcast",
        }
    }

    /// Learners connected, synced followers and synced observers, for `mntr`.
    pub fn learner_counts(&self) -> (usize, usize, usize) {
        let synced = |observer: bool| {
            let is = |h: &&Handler| h.phase >= Phase::Synced && h.observer == observer;
            self.handlers.values().filter(is).count()
        };
        (self.handlers.len(), synced(false), synced(true))
    }

    /// The observers that are up to date: since when they have been brought there, and up to where they
    /// were sent all that is committed.
    pub fn observers(&self) -> impl Iterator<Item = (ServerId, Mono, Zxid)> + '_ {
        let is_synced = |h: &&Handler| h.phase >= Phase::Synced && h.observer;
        self.handlers.values().filter(is_synced).map(|h| (h.sid, h.sync_began, h.sent_to))
    }
}
