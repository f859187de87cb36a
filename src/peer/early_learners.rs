//! The quorum port while nobody leads here yet, and the learners that come early.
//!
//! Servers do not decide at one moment: one that has heard enough dials its leader, which may still
//! wait for a better vote. So the port is open from the look on, and who comes then is kept:
//!
//!     accepted, FOLLOWERINFO --we lead--> the leader, as if it came now
//!                            --we follow, or it waits too long--> closed: it looks again
//!
//! A server that follows has its port closed, as Apache's have: it refuses.
//!
//! - PE-12 so many wait at most, each with one packet and for so long: a learner of ours would
//!   otherwise wait for initLimit, where a refused dial sends it back to the election.
//!
//! Not here: what a leader makes of them (zab/leader), how many one address may have (runtime/link).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::io::Output;
use super::queue::Queue;
use crate::base::limits::EARLY_LEARNERS_MAX;
use crate::base::{LinkId, Mono, Now};
use crate::runtime::HostPort;
use crate::zab::Packet;

/// How long a learner waits here. A little longer than one that is refused goes on dialling.
const EARLY_WAIT: Duration = Duration::from_millis(500);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct EarlyLearners {
    /// The port is open, or about to be.
    is_open: bool,
    waiting: BTreeMap<LinkId, Early>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Early {
    until: Mono,
    /// FOLLOWERINFO or OBSERVERINFO. It says nothing more before it is answered.
    info: Option<Packet>,
}

impl EarlyLearners {
    /// Opens the port, unless it is.
    pub(super) fn open(&mut self, on: HostPort, queue: &mut Queue) {
        if !self.is_open {
            self.is_open = true;
            queue.push(Output::QuorumListen(on));
        }
    }

    pub(super) fn on_bind_failed(&mut self) {
        self.is_open = false;
    }

    /// This server follows: the port closes, and whoever waits goes.
    pub(super) fn close(&mut self, queue: &mut Queue) {
        for link in std::mem::take(&mut self.waiting).into_keys() {
            queue.push(Output::QuorumClose { link });
        }
        if std::mem::take(&mut self.is_open) {
            queue.push(Output::QuorumUnlisten);
        }
    }

    /// This server leads: who waits, and what each has said.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (LinkId, Option<Packet>)> + use<> {
        std::mem::take(&mut self.waiting).into_iter().map(|(link, early)| (link, early.info))
    }

    pub(super) fn on_accepted(&mut self, now: Now, link: LinkId, queue: &mut Queue) {
        if self.waiting.len() >= EARLY_LEARNERS_MAX {
            return queue.push(Output::QuorumClose { link });
        }
        self.waiting.insert(link, Early { until: now.mono + EARLY_WAIT, info: None });
    }

    /// Of a link that does not wait: it was the last role's.
    pub(super) fn on_packet(&mut self, link: LinkId, packet: Packet, queue: &mut Queue) {
        let Some(early) = self.waiting.get_mut(&link) else { return };
        let is_info = matches!(packet, Packet::FollowerInfo { .. } | Packet::ObserverInfo { .. });
        if is_info && early.info.is_none() {
            early.info = Some(packet);
        } else {
            self.waiting.remove(&link);
            queue.push(Output::QuorumClose { link });
        }
    }

    pub(super) fn on_lost(&mut self, link: LinkId) {
        self.waiting.remove(&link);
    }

    /// When the next one has waited too long.
    pub(super) fn wake_at(&self) -> Mono {
        // In the order of their numbers they came.
        self.waiting.values().next().map_or(Mono::FAR, |early| early.until)
    }

    pub(super) fn on_timer(&mut self, now: Now, queue: &mut Queue) {
        while let Some(first) = self.waiting.first_entry()
            && first.get().until <= now.mono
        {
            queue.push(Output::QuorumClose { link: first.remove_entry().0 });
        }
    }
}

#[cfg(test)]
#[path = "early_learners_test.rs"]
mod tests;
