//! While no leader is in sight: reads of what this server has. (ReadOnlyZooKeeperServer)
//!
//! With readonlymode.enabled a server that has been LOOKING for two seconds (or a tick, if that is
//! longer) serves clients that ask for it, from its tree as it stands, while the election goes
//! on. They go when it is over, whatever came of it.
//!
//! Also here: when the sessions end that this server alone knows.
//!
//! Not here: whom it lets in and what it refuses (server/local_sessions.rs).

use std::time::Duration;

use super::core::{Peer, Role};
use crate::base::{Mono, Now};

/// Elections that go well are over before.
const GRACE_MIN: Duration = Duration::from_millis(2000);

impl Peer {
    /// The next time `on_service_deadline` wants to be called.
    pub(super) fn service_deadline(&self) -> Mono {
        self.read_only_at().min(self.service.next_local_expiry().unwrap_or(Mono::FAR))
    }

    pub(super) fn on_service_deadline(&mut self, now: Now) {
        if now.mono >= self.read_only_at() {
            tracing::info!(sid = %self.config.my_id, "no leader in sight: serving read-only");
            self.service.serve_read_only();
        }
        if self.service.next_local_expiry().is_some_and(|at| now.mono >= at) {
            let mut outputs = Vec::new();
            self.service.expire_local_sessions(now, &mut self.db, &mut outputs);
            self.route_service(now, outputs);
        }
    }

    fn read_only_at(&self) -> Mono {
        let waits = matches!(self.role, Role::Looking) && !self.service.is_read_only();
        if waits && self.config.read_only_mode {
            self.role_since + GRACE_MIN.max(self.config.tick_time)
        } else {
            Mono::FAR
        }
    }

    /// The election is over.
    pub(super) fn end_read_only(&mut self) {
        if self.service.is_read_only() {
            self.stop_serving();
        }
    }
}

#[cfg(test)]
#[path = "read_only_test.rs"]
mod tests;
