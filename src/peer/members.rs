//! The configuration of the ensemble, as others tell it: its version, and the end of this server
//! where the members are not those that it counts. (QuorumPeer.processReconfig)
//!
//! Not here: what a text says (quorum), when it is listened to (election, zab).

use super::core::Peer;
use crate::base::{MembersChanged, Now};
use crate::election;
use crate::runtime::Halt;
use crate::zab::{leader, learner};

/// ExitCode.QUORUM_PACKET_ERROR
const EXIT_CODE: i32 = 13;

impl Peer {
    /// The configuration of our members has a newer version, whoever of our cores has heard it. From
    /// here on each of them reports it, and a leader takes the learners that have it.
    pub(super) fn on_config_version(&mut self, now: Now, version: i64) {
        let sid = self.config.my_id;
        tracing::info!(%sid, "version {version:x} of the configuration has our members");
        self.verifier.learn_version(version);
        let input = election::core::Input::ConfigVersion(version);
        self.elections.step(now, input, &mut self.queue);
        self.step_leader(now, leader::Input::ConfigVersion(version));
        self.step_learner(now, learner::Input::ConfigVersion(version));
    }

    /// The process ends, before it votes or acks again.
    pub(super) fn end_over_members(&mut self, why: &MembersChanged) {
        self.become_halted(Halt::new(EXIT_CODE, why.to_string()));
    }
}

#[cfg(test)]
#[path = "members_test.rs"]
mod tests;
