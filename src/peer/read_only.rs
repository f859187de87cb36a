//! While no leader is in sight: reads of what this server has. (ReadOnlyZooKeeperServer)
//!
//! With readonlymode.enabled a server that has been LOOKING for two seconds (or a tick, if that is
//! longer) serves clients that ask for it, from its tree as it stands, while the election goes
//! on. They go when it is over, whatever came of it.
//!
//! Not from a leader's snapshot before NEWLEADER's history is in the log: the snapshot was written
//! while transactions were applied, and a tree like it may never have been anywhere. The guard file
//! says so after a restart.
//!
//! Not here: whom it lets in and what it refuses (server/local_sessions.rs).

use std::time::Duration;

use super::core::Peer;
use super::role::Role;
use crate::base::{Mono, Now};
use crate::server;

/// Elections that go well are over before.
const GRACE_MIN: Duration = Duration::from_millis(2000);

impl Peer {
    pub(super) fn begin_read_only(&mut self, now: Now) {
        if now.mono >= self.read_only_at() {
            tracing::info!(sid = %self.config.my_id, "no leader in sight: serving read-only");
            self.step_service(now, server::Input::ServeReadOnly);
        }
    }

    /// When `begin_read_only` has something to do.
    pub(super) fn read_only_at(&self) -> Mono {
        let waits = matches!(self.role, Role::Looking) && !self.service.is_read_only();
        if waits && self.config.read_only_mode && !self.db.is_unfinished() {
            self.course.since + GRACE_MIN.max(self.config.tick_time)
        } else {
            Mono::FAR
        }
    }

    /// The election is over.
    pub(super) fn end_read_only(&mut self, now: Now) {
        if self.service.is_read_only() {
            self.step_service(now, server::Input::Stop);
        }
    }
}

#[cfg(test)]
#[path = "read_only_test.rs"]
mod tests;
