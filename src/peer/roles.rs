//! What a change of role begins and ends: `become_*` for each role.
//!
//! - S-19  at `look` nothing is on its way to the log any more, and no snapshot that was aborted
//!   can get its name (ZOOKEEPER-4712).
//! - PE-8  an election ends while this server looks; leaders and learners alone begin to serve.
//!
//! Not here: which changes are legal (role.rs).

use std::time::Duration;

use super::core::Peer;
use super::disk::ForWhom;
use super::io::Output;
use super::leading::Leading;
use super::role::{AfterLoad, Draining, Role};
use crate::base::invariant::{broken, invariant};
use crate::base::{Exhibit, GaveUp, Mono, Note, Now, RoleName, ServerId};
use crate::election;
use crate::election::PeerState;
use crate::metrics::{Counter, Summary};
use crate::runtime::{Halt, HostPort};
use crate::server;
use crate::storage::LogRequest;
use crate::zab::leader;
use crate::zab::learner;
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
            Role::Loading(_) | Role::Draining(_) | Role::Looking | Role::Halted => {
                RoleName::Looking
            }
        }
    }

    /// Ends the present role. Clients go; what is on its way to the log is waited for.
    pub(super) fn become_draining(&mut self, now: Now, why: GaveUp) {
        if matches!(self.role, Role::Draining(_) | Role::Looking | Role::Halted) {
            return; // The disk refused what a role had asked for that is over already.
        }
        let successor = match why {
            GaveUp::HandedOver { to } => Some(to),
            _ => None,
        };
        self.count_election(Some(&why));
        self.note_role_ended(now, &why);
        self.note(Note::GaveUp { why });
        self.on_role_ending();
        self.course.unavailable_since.get_or_insert(now.mono);
        let rest_until = self.choose_rest(now);
        let after_term = self.is_established();
        self.step_service(now, server::Input::Stop);
        self.step_leader(now, leader::Input::Stop);
        self.step_learner(now, learner::Input::Stop);
        // A snapshot of a state that the ensemble may yet cut must not survive (ZOOKEEPER-1549).
        let reload =
            self.disk.is_installing() && !self.config.museum.on(Exhibit::SnapshotKeptInMemory);
        self.disk.abort_snapshot(&mut self.queue);
        self.forget_asked_snapshot();
        let draining = Draining { rest_until, reload, after_term, successor };
        self.role.become_next(Role::Draining(draining));
        self.course.since = now.mono;
        self.note(Note::Role { role: RoleName::Looking, epoch: self.db.current_epoch() });
        self.try_look(now);
    }

    /// Whether this server leads an ensemble that serves, or serves under a leader.
    fn is_established(&self) -> bool {
        match &self.role {
            Role::Leading(leading) => leading.leader().is_established(),
            Role::Learning(_) => self.service.is_serving(),
            _ => false,
        }
    }

    fn choose_rest(&mut self, now: Now) -> Mono {
        let is_fruitless = matches!(self.role, Role::Learning(_)) && !self.service.is_serving();
        let before = self.course.fruitless;
        self.course.fruitless = if is_fruitless { before.saturating_add(1) } else { 0 };
        now.mono + rest_after(self.course.fruitless, self.config.tick_time)
    }

    /// Looks once nothing is on its way to the disk any more (S-19), and the rest is over. A
    /// snapshot that got its name behind the look would come back with the next start, under a
    /// log that had gone on without it.
    pub(super) fn try_look(&mut self, now: Now) {
        let Role::Draining(draining) = self.role else { return };
        if !self.disk.is_quiet() || now.mono < draining.rest_until {
            return;
        }
        if !self.may_look(&draining) {
            return;
        }
        if draining.reload {
            self.role.become_next(Role::Loading(AfterLoad::Look));
            self.disk.ask_log(ForWhom::Load, LogRequest::Load, &mut self.queue);
        } else {
            self.become_looking(now, draining.after_term, draining.successor);
        }
    }

    /// A server that is about to end would only be in the way of those that stay, unless it votes for
    /// its successor.
    pub(super) fn may_look(&self, draining: &Draining) -> bool {
        !self.is_stopping() || draining.successor.is_some()
    }

    /// Tree, log and vote say the same from here on; then the election starts. `after_term`: of a
    /// leader that was established. `successor`: to whom this server, that leader, has handed over.
    pub(super) fn become_looking(
        &mut self,
        now: Now,
        after_term: bool,
        successor: Option<ServerId>,
    ) {
        invariant!(self.disk.is_quiet(), "S-19", "{:?} is on its way at look", self.disk);
        let mut zxid = self.db.last_applied();
        if !self.config.museum.on(Exhibit::VoteFromTree) {
            self.db.fast_forward();
            let to = self.db.last_logged();
            self.note(Note::FastForwarded { to, state_digest: self.db.state_digest() });
            zxid = self.db.vote_zxid();
        }
        self.role.become_next(Role::Looking);
        self.course.since = now.mono;
        self.metrics.count(Counter::LookingCount);
        if self.config.read_only_mode && self.db.is_unfinished() {
            let sid = self.config.my_id;
            tracing::warn!(%sid, "a synchronisation was cut short: no read-only service before the next one");
        }
        self.open_quorum_port();
        let epoch = self.db.current_epoch();
        let look = election::core::Input::Look { zxid, epoch, after_term, successor };
        self.elections.step(now, look, &mut self.queue);
    }

    /// The election is over.
    pub(super) fn on_decided(&mut self, now: Now, leader: ServerId, role: PeerState) {
        let looks = matches!(self.role, Role::Looking);
        invariant!(looks, "PE-8", "an election ends while the role is {:?}", self.role);
        if self.is_stopping() {
            return self.has_voted(); // It has voted for its successor, and takes no role any more.
        }
        self.end_read_only(now);
        self.metrics.record_ms(Summary::ElectionTime, now.mono.since(self.course.since));
        self.note_elected(now, leader);
        self.course.since = now.mono;
        match role {
            PeerState::Leading => self.become_leading(now),
            PeerState::Following | PeerState::Observing => self.become_learning(now, leader),
            PeerState::Looking => broken("PE-8", "an election that is over goes on".to_string()),
        }
    }

    /// From the look on: whoever has decided before this server does would be refused, and come again
    /// only after a while.
    fn open_quorum_port(&mut self) {
        let me = self.config.my_id;
        if self.verifier.weight(me) <= 0 {
            return; // It never leads.
        }
        let listen = self.verifier.servers()[&me].quorum.clone();
        let listen = if self.config.quorum_listen_on_all_ips {
            HostPort::new("0.0.0.0", listen.port)
        } else {
            listen
        };
        self.early_learners.open(listen, &mut self.queue);
    }

    fn become_leading(&mut self, now: Now) {
        self.open_quorum_port();
        let verifier = self.verifier.clone();
        let (config, metrics) = (&self.config, self.metrics.clone());
        let leading = Leading::begin(now, config, verifier, &self.db, metrics, &mut self.queue);
        self.role.become_next(Role::Leading(leading));
        self.note(Note::Role { role: RoleName::Leading, epoch: self.db.current_epoch() });
        for (link, info) in self.early_learners.take() {
            self.step_leader(now, leader::Input::Accepted(link));
            if let Some(info) = info {
                self.step_leader(now, leader::Input::Packet(link, info));
            }
        }
    }

    fn become_learning(&mut self, now: Now, leader: ServerId) {
        self.early_learners.close(&mut self.queue);
        let (verifier, link) = (self.verifier.clone(), self.leader_dials.take_link());
        let learner = self.queue.of_learner(|out| {
            Learner::new(now, &self.config, verifier, leader, link, &self.db, out)
        });
        self.role.become_next(Role::Learning(learner));
        let role = self.role_name();
        self.note(Note::Role { role, epoch: self.db.current_epoch() });
    }

    /// A server without an ensemble serves as soon as its disk is read.
    pub(super) fn become_standalone(&mut self, now: Now) {
        self.role.become_next(Role::Standalone(Leading::alone(
            &self.config,
            &self.db,
            self.metrics.clone(),
        )));
        self.note(Note::Role { role: RoleName::Standalone, epoch: self.db.current_epoch() });
        self.begin_serving(now);
    }

    /// The process ends.
    pub(super) fn become_halted(&mut self, halt: Halt) {
        self.metrics.count(Counter::UnrecoverableErrorCount);
        self.service.note_end(halt.exit_code);
        self.role.become_next(Role::Halted);
        self.queue.push(Output::Halt(halt));
    }

    /// A leader is established, or a learner was told UPTODATE.
    pub(super) fn on_established(&mut self, now: Now) {
        self.begin_serving(now);
        // Members answer later joiners with one and the same epoch (ZOOKEEPER-1732).
        let epoch = self.db.current_epoch();
        let established = election::core::Input::Established { epoch };
        self.elections.step(now, established, &mut self.queue);
    }

    /// Clients are welcome, unless this server leads and `leaderServes` says no.
    fn begin_serving(&mut self, now: Now) {
        let leads = matches!(self.role, Role::Leading(_));
        match &mut self.role {
            Role::Leading(leading) | Role::Standalone(leading) => {
                leading.serve(now, &self.config, &self.db);
            }
            Role::Learning(_) => {}
            other => broken("PE-8", format!("{other:?} begins to serve")),
        }
        self.note_serving(now);
        self.count_serving(now);
        self.db.become_initialised();
        let serve = match leads && !self.config.leader_serves {
            true => server::Input::ServeLearners,
            false => server::Input::Serve,
        };
        self.step_service(now, serve);
    }
}

/// How long a learner rests before it looks again, by how many ended in a row without having
/// served. An ensemble that serves elects the same leader at once: a server that this leader cannot
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
