//! What a change of role begins and ends. The only place where `role` changes.

use std::time::Duration;

use super::core::{AfterLoad, ForWhom, Peer, Role};
use super::reaper::Reaper;
use crate::base::{Exhibit, Note, Now, RoleName, ServerId};
use crate::election::PeerState;
use crate::prepare::{Prepare, PrepareOptions};
use crate::server;
use crate::session::SessionTracker;
use crate::storage::LogRequest;
use crate::zab::leader::Leader;
use crate::zab::learner::Learner;

/// The first rest of a learner that fails again, as long as the pause between two dials.
const REST_MIN: Duration = Duration::from_millis(100);

impl Peer {
    pub fn role_name(&self) -> RoleName {
        match &self.role {
            Role::Leading(_) => RoleName::Leading,
            Role::Standalone(_) => RoleName::Standalone,
            Role::Learning(_) if self.verifier.is_observer(self.config.my_id) => {
                RoleName::Observing
            }
            Role::Learning(_) => RoleName::Following,
            _ => RoleName::Looking,
        }
    }

    /// Ends the present role. Clients go; what is on its way to the log is waited for.
    pub(super) fn become_looking(&mut self, now: Now, why: String) {
        if matches!(self.role, Role::Settling | Role::Looking | Role::Halted) {
            return;
        }
        self.note(Note::GaveUp { why });
        self.begin_rest(now);
        self.stop_serving(now);
        self.close_quorum_links(now);
        // A snapshot of a state that the ensemble may yet cut must not survive (ZOOKEEPER-1549).
        self.reload |= self.snapshotter.is_installing()
            && !self.config.museum.on(Exhibit::SnapshotKeptInMemory);
        self.abort_snapshot();
        self.role = Role::Settling;
        self.role_since = now.mono;
        self.note(Note::Role { role: RoleName::Looking, epoch: self.db.current_epoch() });
        self.try_look(now);
    }

    fn begin_rest(&mut self, now: Now) {
        let is_fruitless = matches!(self.role, Role::Learning(_)) && !self.service.is_serving();
        self.fruitless = if is_fruitless { self.fruitless.saturating_add(1) } else { 0 };
        self.rest_until = now.mono + rest_after(self.fruitless, self.config.tick_time);
    }

    pub(super) fn stop_serving(&mut self, now: Now) {
        self.step_service(now, server::Input::Stop);
        self.tracker = None;
        self.reaper = None;
        self.prepare = Prepare::new(PrepareOptions::of(&self.config));
    }

    /// Looks once nothing is on its way to the disk any more (S-19), and the rest is over. A
    /// snapshot that got its name behind the look would come back with the next start, under a
    /// log that had gone on without it.
    pub(super) fn try_look(&mut self, now: Now) {
        let settles = matches!(self.role, Role::Settling);
        if !settles || !self.is_disk_quiet() || now.mono < self.rest_until {
            return;
        }
        if self.reload {
            self.reload = false;
            self.role = Role::Loading(AfterLoad::Look);
            return self.ask_log(ForWhom::Load, LogRequest::Load);
        }
        self.look(now);
    }

    pub(super) fn is_disk_quiet(&self) -> bool {
        // ZOOKEEPER-4712 did not wait for the log.
        let is_log_quiet =
            self.on_log.is_empty() || self.config.museum.on(Exhibit::LookBeforeLogIsQuiet);
        is_log_quiet && self.snapshotter.is_quiet()
    }

    /// Tree, log and vote say the same from here on; then the election starts.
    pub(super) fn look(&mut self, now: Now) {
        let mut zxid = self.db.last_applied();
        if !self.config.museum.on(Exhibit::VoteFromTree) {
            self.db.fast_forward();
            let to = self.db.last_logged();
            self.note(Note::FastForwarded { to, state_digest: self.db.state_digest() });
            zxid = self.db.vote_zxid();
        }
        self.role = Role::Looking;
        self.role_since = now.mono;
        let epoch = self.db.current_epoch();
        self.step_election(now, crate::election::core::Input::Look { zxid, epoch });
    }

    /// The election is over.
    pub(super) fn on_decided(&mut self, now: Now, leader: ServerId, role: PeerState) {
        if !matches!(self.role, Role::Looking) {
            return;
        }
        self.end_read_only(now);
        self.last_election = now.mono.since(self.role_since);
        self.role_since = now.mono;
        match role {
            PeerState::Leading => self.become_leading(now),
            PeerState::Following => self.become_learning(now, leader, false),
            PeerState::Observing => self.become_learning(now, leader, true),
            PeerState::Looking => {}
        }
    }

    fn become_leading(&mut self, now: Now) {
        let listen = self.verifier.servers()[&self.config.my_id].quorum.clone();
        let listen = if self.config.quorum_listen_on_all_ips {
            crate::runtime::HostPort::new("0.0.0.0", listen.port)
        } else {
            listen
        };
        self.out.push(super::core::Output::QuorumListen(listen));
        let mut outputs = Vec::new();
        let verifier = self.verifier.clone();
        let leader = Leader::new(now, &self.config, verifier, &self.db, &mut outputs);
        self.role = Role::Leading(leader);
        self.note(Note::Role { role: RoleName::Leading, epoch: self.db.current_epoch() });
        self.route_leader(now, outputs);
    }

    fn become_learning(&mut self, now: Now, leader: ServerId, observer: bool) {
        let mut outputs = Vec::new();
        let link = self.take_link();
        let learner =
            Learner::new(now, &self.config, leader, observer, link, &self.db, &mut outputs);
        self.role = Role::Learning(learner);
        let role = self.role_name();
        self.note(Note::Role { role, epoch: self.db.current_epoch() });
        self.route_learner(now, outputs);
    }

    /// A server without an ensemble serves as soon as its disk is read.
    pub(super) fn become_standalone(&mut self, now: Now) {
        self.role = Role::Standalone(Leader::standalone(&self.config, &self.db));
        self.note(Note::Role { role: RoleName::Standalone, epoch: self.db.current_epoch() });
        self.begin_serving(now);
    }

    /// Established, or UPTODATE: clients are welcome.
    pub(super) fn begin_serving(&mut self, now: Now) {
        if matches!(self.role, Role::Leading(_) | Role::Standalone(_)) {
            let mut tracker = SessionTracker::new(self.config.tick_time);
            if self.config.local_sessions && !self.config.is_standalone() {
                tracker = tracker.allow_local_sessions(self.config.my_id);
            }
            for (session, timeout_ms) in self.db.sessions().iter() {
                tracker.add(session, timeout_ms, now.mono);
            }
            self.tracker = Some(tracker);
            self.reaper = Reaper::new(now, &self.config.containers);
        }
        self.db.become_initialised();
        self.step_service(now, server::Input::Serve);
    }
}

/// How long a learner rests before it looks again, by how many ended in a row without having
/// served. A settled ensemble elects the same leader at once: a server that this leader cannot
/// have, such as one that promised a later epoch, would come back a thousand times a second.
fn rest_after(fruitless: u32, tick: Duration) -> Duration {
    let doublings = fruitless.saturating_sub(2).min(16);
    if fruitless < 2 { Duration::ZERO } else { (REST_MIN * (1 << doublings)).min(tick) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learner_that_fails_again_and_again_rests_for_up_to_a_tick() {
        let tick = Duration::from_millis(2000);
        let rests = [0, 1, 2, 3, 4, 7, u32::MAX].map(|n| rest_after(n, tick).as_millis());
        assert_eq!(rests, [0, 0, 100, 200, 400, 2000, 2000]);
    }
}
