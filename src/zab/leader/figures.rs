//! What an operator is shown of a leader. (Leader.java, QuorumPeer.ZabState)

use std::time::Duration;

use super::core::{Leader, Stage};
use super::handler::{Handler, Phase};
use super::progress::{SyncProgress, progress_of};
use crate::base::{Mono, ServerId, Zxid};
use crate::database::Database;

/// What a leader knows of one learner.
#[derive(Clone, Copy, Debug)]
pub struct LearnerFigures {
    pub sid: ServerId,
    pub is_observer: bool,
    /// It was told UPTODATE.
    pub serves: bool,
    pub phase: &'static str,
    /// How long ago something was heard of it.
    pub heard: Duration,
    /// Up to where it has acked everything that was proposed, once it follows. Observers ack nothing.
    pub acked: Option<Zxid>,
    /// Proposals that it was sent and has not acked, and how long the oldest waits.
    pub unacked: usize,
    pub oldest_unacked: Option<Duration>,
    /// While it is brought level.
    pub sync: Option<SyncProgress>,
}

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

    /// Every learner that has said who it is.
    pub fn learners(&self, now: Mono, db: &Database) -> impl Iterator<Item = LearnerFigures> {
        let known = self.handlers.values().filter(|h| h.phase > Phase::Greeting && !h.shadow);
        known.map(move |h| LearnerFigures {
            sid: h.sid,
            is_observer: h.observer,
            serves: h.phase >= Phase::Serving,
            phase: h.phase.name(),
            heard: now.since(h.heard),
            acked: (h.speaks() && !h.observer).then(|| match h.unacked.first() {
                Some(zxid) => Zxid(zxid.0 - 1),
                None => self.broadcast.last_proposed(),
            }),
            unacked: h.unacked.len(),
            oldest_unacked: h.unacked.oldest().map(|sent| now.since(sent)),
            sync: h.is_synchronising().then(|| progress_of(h, db)),
        })
    }

    /// The observers that are up to date: since when they have been brought there, and up to where they
    /// were sent all that is committed.
    pub fn observers(&self) -> impl Iterator<Item = (ServerId, Mono, Zxid)> + '_ {
        let is_synced = |h: &&Handler| h.phase >= Phase::Synced && h.observer;
        self.handlers.values().filter(is_synced).map(|h| (h.sid, h.sync_began, h.sent_to))
    }
}
