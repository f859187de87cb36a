//! What must hold of a leadership between two of its steps.
//!
//! - S-20  each stage stands on its quorum, which holds the leader itself (ZOOKEEPER-1270), and
//!   only voters are counted
//! - I-1   the epoch is above every epoch that a counted voter had accepted
//! - S-13  our own disk holds the epoch before it is offered, and as ours before history goes out
//! - I-7   nothing is proposed before the leadership is established
//! - LD-2  at most one link speaks for a server, and a shadow has a speaker
//! - LD-3  no learner is further than the leadership, and none is left behind by it
//! - LD-4  a history that is not all sent awaits something that brings it on; a snapshot is on its
//!   way to whom it is sent, and to nobody else
//! - I-11  every voter that acked NEWLEADER is counted for it
//!
//! A leadership that is over is not looked at: its last step may have been left half way.

use std::collections::BTreeSet;

use super::core::{Leader, Stage};
use super::handler::{Handler, Phase};
use crate::base::{COSTLY_CHECKS, Epoch, Exhibit, LinkId, invariant};
use crate::database::Database;
use crate::quorum::AckSet;

impl Leader {
    pub(super) fn invariants(&self, db: &Database) {
        if self.gave_up {
            return;
        }
        let proposes = self.stage == Stage::Broadcast;
        let idle = self.broadcast.is_idle();
        invariant!(proposes || idle, "I-7", "proposals in stage {:?}", self.stage);
        if self.stage >= Stage::Synchronisation {
            let commits = self.stage >= Stage::Broadcast;
            self.broadcast.invariants(commits, db, &self.verifier);
        }
        if self.standalone {
            return;
        }
        self.invariants_of_stage(db);
        if COSTLY_CHECKS {
            self.invariants_of_sets();
            self.handlers.iter().for_each(|(link, handler)| self.invariants_of(*link, handler));
            let speak = |h: &&Handler| h.speaks() && self.is_member(h.sid);
            let mut spoken_for = BTreeSet::new();
            for Handler { sid, .. } in self.handlers.values().filter(speak) {
                invariant!(spoken_for.insert(*sid), "LD-2", "two links speak for {sid}");
            }
            let mut shadows = self.handlers.values().filter(|h| h.shadow);
            let alone = shadows.find(|h| !spoken_for.contains(&h.sid)).map(|h| h.sid);
            invariant!(alone.is_none(), "LD-2", "a shadow of {alone:?} stands alone");
        }
    }

    fn invariants_of_stage(&self, db: &Database) {
        let (stage, epoch) = (self.stage, self.epoch);
        let offers = stage >= Stage::OfferingEpoch;
        let above = if offers { epoch > self.max_accepted } else { epoch == Epoch(-1) };
        invariant!(above, "I-1", "epoch {epoch}, {} was accepted", self.max_accepted);
        let promised = stage < Stage::EpochAcks || db.accepted_epoch() == epoch;
        invariant!(promised, "S-13", "{epoch} is offered, we accepted {}", db.accepted_epoch());
        let taken = stage < Stage::Synchronisation || db.current_epoch() == epoch;
        invariant!(taken, "S-13", "we lead {epoch}, our epoch is {}", db.current_epoch());
    }

    /// Costly: it counts again.
    fn invariants_of_sets(&self) {
        let stands = |set: &AckSet| set.contains(self.sid) && set.has_quorum(&self.verifier);
        let stage = self.stage;
        let reported = stage < Stage::OfferingEpoch || stands(&self.connecting);
        invariant!(reported, "S-20", "{stage:?} on the reports of {:?}", self.connecting);
        let acked = stage < Stage::TakingEpoch || stands(&self.electing);
        invariant!(acked, "S-20", "{stage:?} on the acks of {:?}", self.electing);
        let synced = stage < Stage::Broadcast || stands(&self.newleader_acks);
        invariant!(synced, "S-20", "{stage:?} on {:?}", self.newleader_acks);
        let excused = self.museum.on(Exhibit::ObserversChooseEpoch);
        for set in [&self.connecting, &self.electing, &self.newleader_acks] {
            let other = set.sids().find(|sid| self.verifier.weight(*sid) <= 0);
            invariant!(other.is_none() || excused, "S-20", "{other:?} is no voter, but counted");
        }
    }

    fn invariants_of(&self, link: LinkId, handler: &Handler) {
        let Handler { sid, phase, snapshot, awaits, .. } = handler;
        let fits = match phase {
            Phase::Greeting => true,
            Phase::AwaitEpoch => self.stage <= Stage::OfferingEpoch,
            Phase::AwaitAckEpoch => self.stage >= Stage::EpochAcks,
            Phase::AwaitElection if self.stage >= Stage::Synchronisation => {
                handler.waits_since.is_some() && self.speaker_beside(link).is_some()
            }
            Phase::AwaitElection => self.stage >= Stage::EpochAcks,
            Phase::ReadingLog | Phase::SendingSnapshot | Phase::SendingHistory | Phase::Syncing => {
                self.stage >= Stage::Synchronisation
            }
            Phase::Synced => self.stage == Stage::Synchronisation,
            Phase::Serving => self.stage == Stage::Broadcast,
        };
        invariant!(fits, "LD-3", "{link} of {sid} is {phase:?}, we are in {:?}", self.stage);
        let waits = matches!(phase, Phase::ReadingLog | Phase::SendingHistory);
        invariant!(awaits.is_some() == waits, "LD-4", "{sid} is {phase:?}, and awaits {awaits:?}");
        let sends = *phase == Phase::SendingSnapshot;
        invariant!(snapshot.is_some() == sends, "LD-4", "a snapshot for {sid}: {phase:?}");
        let acked = *phase >= Phase::Synced && self.verifier.weight(*sid) > 0;
        let counted = self.newleader_acks.contains(*sid);
        invariant!(!acked || counted, "I-11", "{sid} acked NEWLEADER: {:?}", self.newleader_acks);
    }
}
