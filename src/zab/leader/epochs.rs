//! Whose acceptedEpoch the next epoch must be above.               (Leader.getEpochToPropose)
//!
//! An epoch above all that its quorum has accepted is what Zab needs; a higher one harms nothing, but
//! epochs are 31 bits, and anybody who reaches the quorum port may report one. What is believed:
//!
//!     our own                                         always
//!     what two other voters have reached              up to EPOCH_OF_NOBODY
//!     any report that is EPOCH_REACH above these      so that who is a little ahead can join
//!
//! A voter beyond that is not counted for the epoch, and does not follow it: it keeps its promise
//! (decision 0012). Apache believes everybody.
//!
//! - I-1  the epoch is above every epoch that a counted voter had accepted

use super::core::{Leader, Output};
use crate::base::limits::{EPOCH_MAX, EPOCH_OF_NOBODY, EPOCH_REACH};
use crate::base::{Epoch, GaveUp, ServerId};

impl Leader {
    /// A learner reports what it has accepted. Of several links that say they are one server the
    /// lowest report is taken for its own: a liar must not keep it out.
    pub(super) fn hear_accepted(&mut self, sid: ServerId, accepted: Epoch) {
        if self.is_member(sid) {
            let told = self.reports.entry(sid).or_insert(accepted);
            *told = accepted.min(*told);
        }
        let sure = self.own_accepted.max(self.supported());
        let told = self.reports.values().copied().chain([accepted, sure]);
        let believed = told.filter(|told| told.0 <= sure.0 + EPOCH_REACH).max();
        self.max_accepted = self.max_accepted.max(believed.unwrap_or(sure));
        // Observers make no quorum (ZOOKEEPER-2959). But whoever has accepted a later epoch,
        // voter or not, refuses an earlier one: the next is above all of them.
        for (sid, told) in &self.reports {
            if *told <= self.max_accepted {
                self.connecting.add(*sid, &self.verifier);
            }
        }
    }

    /// The highest epoch that two voters beside us have reached.
    fn supported(&self) -> Epoch {
        let is_voice = |sid: ServerId| sid != self.sid && self.verifier.weight(sid) > 0;
        let voters = self.reports.iter().filter(|(sid, _)| is_voice(**sid));
        let mut told: Vec<Epoch> = voters.map(|(_, told)| *told).collect();
        told.retain(|told| *told <= EPOCH_OF_NOBODY);
        told.sort_unstable();
        told.iter().rev().nth(1).copied().unwrap_or(self.own_accepted)
    }

    /// The epoch above what is believed; none is left if that is the last.
    pub(super) fn choose_epoch(&mut self, out: &mut Vec<Output>) -> Option<Epoch> {
        if self.max_accepted >= EPOCH_MAX {
            self.give_up(GaveUp::EpochsUsedUp, out);
            return None;
        }
        Some(self.max_accepted.next())
    }
}
