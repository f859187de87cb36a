//! A server ends in good order.
//!
//!     told to --> no new clients, and what clients ask from now on waits
//!             --> a leader hands over (handing_over.rs)
//!             --> what was asked before is answered, the role ends, connections close
//!             --> the log is durable, and what was written has left: the process ends
//!
//! It lasts `stop.timeout` at most; then the process ends with what it has. Sessions go on: their
//! clients come to other servers. One that is told while it does not serve ends at once.
//!
//! A server that has handed over takes part in one more election, with its vote for the successor: the
//! others need not find out that it has gone. Any other is silent, and refuses connections soon.

use std::collections::BTreeSet;

use super::core::Peer;
use super::io::Output;
use super::leaving::Stopping;
use super::role::Role;
use crate::admin::HandOver;
use crate::base::{ConnId, GaveUp, Mono, Now};
use crate::runtime::Halt;
use crate::server;

impl Peer {
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    pub(super) fn stop(&mut self, now: Now) {
        if self.is_stopping() {
            return;
        }
        let until = now.mono + self.config.stop_timeout;
        tracing::info!("stopping, within {:?}", self.config.stop_timeout);
        self.stopping = Some(Stopping { until, has_voted: false, closing: BTreeSet::new() });
        self.queue.push(Output::ClientUnlisten);
        self.step_service(now, server::Input::Finish);
        self.hand_over(now, None);
    }

    /// When the process ends: now, if nothing is missing and nothing else may wake it any more.
    pub(super) fn stopping_until(&self) -> Mono {
        match &self.stopping {
            None => Mono::FAR,
            Some(stopping) if self.has_stopped(stopping) => Mono(0),
            Some(stopping) => stopping.until,
        }
    }

    /// The role is about to end, and the connections of clients with it.
    pub(super) fn on_role_ending(&mut self) {
        self.end_handing_over(HandOver::NotLeading);
        if let Some(stopping) = &mut self.stopping {
            stopping.closing.extend(self.service.connections());
        }
    }

    /// This connection has ended.
    pub(super) fn on_closed(&mut self, conn: ConnId) {
        if let Some(stopping) = &mut self.stopping {
            stopping.closing.remove(&conn);
        }
    }

    pub(super) fn has_voted(&mut self) {
        if let Some(stopping) = &mut self.stopping {
            stopping.has_voted = true;
        }
    }

    /// The last thing of a step.
    pub(super) fn try_to_stop(&mut self, now: Now) {
        let Some(stopping) = &self.stopping else { return };
        let is_over = now.mono >= stopping.until;
        match &self.role {
            Role::Halted => {}
            _ if is_over || self.has_stopped(stopping) => {
                self.become_halted(Halt::new(0, "it was told to"));
            }
            Role::Leading(_) | Role::Learning(_) | Role::Standalone(_) => {
                let is_busy = self.handing_over.is_some() || self.service.has_outstanding();
                if !is_busy {
                    // What was written in this step leaves behind it: the process ends in a later one.
                    self.become_draining(now, GaveUp::Stopped);
                }
            }
            Role::Loading(_) | Role::Draining(_) | Role::Looking => {}
        }
    }

    /// Its role is over, and nothing is missing.
    fn has_stopped(&self, stopping: &Stopping) -> bool {
        match &self.role {
            Role::Leading(_) | Role::Learning(_) | Role::Standalone(_) | Role::Halted => false,
            Role::Draining(draining) => draining.successor.is_none() && self.has_left(stopping),
            Role::Looking => stopping.has_voted && self.has_left(stopping),
            // Its disk is read, and nobody was told anything.
            Role::Loading(_) => true,
        }
    }

    /// Everything that was asked of the disk is done, and nothing is on its way to a client.
    fn has_left(&self, stopping: &Stopping) -> bool {
        self.disk.is_quiet() && stopping.closing.is_empty()
    }
}

#[cfg(test)]
#[path = "stopping_test.rs"]
mod tests;
