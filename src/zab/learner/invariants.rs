//! What must hold of a learner between two of its steps.
//!
//! - S-13  the leader's epoch is on our disk as accepted before its history comes, and as current
//!   before NEWLEADER is acked
//! - S-18  the history of the epoch is durable before its currentEpoch is written
//! - I-11  what the ack of NEWLEADER promises is committed here
//! - S-14  what is held for the log follows what is in it
//! - LN-2  only a synchronisation holds proposals back, the committed ones first
//! - LN-3  packets wait only for the disk
//! - LN-4  a leader is dialled again only while there is no connection to it
//! - LN-5  only who serves clients has asked for a sync
//!
//! A role that is over is not looked at: its last step may have been left half way.

use super::core::{DIALS_MAX, Learner, Phase};
use crate::base::{Exhibit, Mono, invariant};
use crate::database::Database;

impl Learner {
    pub(super) fn invariants(&self, db: &Database) {
        if self.gave_up {
            return;
        }
        let (phase, epoch) = (self.phase, self.epoch);
        let holds =
            matches!(phase, Phase::Syncing | Phase::PersistingHistory | Phase::PersistingEpoch);
        let held = self.to_log.len();
        invariant!(holds || held == 0, "LN-2", "{held} proposals are held in {phase:?}");
        let committed = self.committed_in_sync;
        let counts = if phase == Phase::Syncing { committed <= held } else { committed == 0 };
        invariant!(counts, "LN-2", "{committed} of {held} are committed in {phase:?}");
        let (logged, next) = (db.last_logged(), self.to_log.front().map(|p| p.zxid()));
        let follows = next.is_none_or(|next| logged.is_followed_by(next));
        invariant!(follows, "S-14", "{next:?} is held, {logged} is logged");
        let persists = Phase::PersistingHistory <= phase && phase <= Phase::PersistingProposals;
        let waits = phase == Phase::Replacing || persists;
        let waiting = self.waiting.len();
        invariant!(waits || waiting == 0, "LN-3", "{waiting} packets wait in {phase:?}");
        let redials = self.dial_at != Mono::FAR;
        let may_dial = phase == Phase::Connecting && self.dials < DIALS_MAX;
        invariant!(!redials || may_dial, "LN-4", "dial {} in {phase:?}", self.dials);
        let syncs = self.syncs.len();
        invariant!(syncs == 0 || phase == Phase::Broadcast, "LN-5", "{syncs} syncs in {phase:?}");

        let excused = self.museum.on(Exhibit::EpochNotPromised);
        let promised = phase < Phase::AwaitSync || db.accepted_epoch() == epoch;
        let accepted = db.accepted_epoch();
        invariant!(promised || excused, "S-13", "{phase:?} of {epoch}, {accepted} is accepted");
        let current = db.current_epoch();
        let taken = phase < Phase::AwaitUpToDate || current == epoch;
        invariant!(taken, "S-13", "{phase:?} of {epoch}, the epoch is {current}");
        let excused = self.museum.on(Exhibit::NewleaderAckBeforeFlush);
        let durable = phase < Phase::PersistingEpoch || self.durable >= self.history_end;
        let (have, want) = (self.durable, self.history_end);
        invariant!(durable || excused, "S-18", "{phase:?} with {have} of {want} durable");
        let known = phase < Phase::AwaitUpToDate || db.committed() >= want;
        invariant!(known, "I-11", "{phase:?} with {} of {want} committed", db.committed());
    }
}
