//! The state of one server, and one `step` for every input.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::disk::{Disk, ForWhom};
use super::early_learners::EarlyLearners;
use super::elections::Elections;
use super::io::{Input, Output};
use super::leader_dials::LeaderDials;
use super::leaving::{HandingOver, Stopping};
use super::page_state::PageState;
use super::queue::Queue;
use super::role::{AfterLoad, Course, Role};
use super::snapshot_state::Snapshots;
use super::word_state::Words;
use crate::base::{Mono, Note, Now, Zxid};
use crate::config::ServerConfig;
use crate::database::Database;
use crate::metrics::{Metrics, Summary};
use crate::quorum::QuorumVerifier;
use crate::runtime::Order;
use crate::server;
use crate::server::{Seeds, Service};
use crate::storage::LogRequest;
use crate::tree::AclRules;
use crate::tree::DataTree;

#[derive(Clone, Serialize, Deserialize)]
pub struct Peer {
    pub(super) config: Rc<ServerConfig>,
    pub(super) verifier: QuorumVerifier,
    pub(super) db: Database,
    pub(super) role: Role,
    pub(super) course: Course,
    pub(super) elections: Elections,
    pub(super) leader_dials: LeaderDials,
    pub(super) early_learners: EarlyLearners,
    pub(super) service: Service,
    pub(super) disk: Disk,
    #[serde(skip)]
    pub(super) queue: Queue,
    pub(super) words: Words,
    pub(super) snapshots: Snapshots,
    #[serde(skip)]
    pub(super) metrics: Metrics,
    #[serde(skip)]
    pub(super) page: PageState,
    /// This leader looks for somebody to take its place.
    pub(super) handing_over: Option<HandingOver>,
    /// This server is told to end.
    pub(super) stopping: Option<Stopping>,
}

/// What a timer may be for, in the order in which one `Input::Timer` looks at them.
#[derive(Clone, Copy)]
enum Timer {
    Election,
    EarlyLearners,
    Role,
    Draining,
    Sessions,
    ReadOnly,
    Clients,
    Containers,
    Purge,
    HandingOver,
}

const TIMERS: [Timer; 10] = [
    Timer::Election,
    Timer::EarlyLearners,
    Timer::Role,
    Timer::Draining,
    Timer::Sessions,
    Timer::ReadOnly,
    Timer::Clients,
    Timer::Containers,
    Timer::Purge,
    Timer::HandingOver,
];

/// Holds nothing yet but the configuration, which a server alone leaves out as Apache's does.
fn database_of(config: &ServerConfig, verifier: &QuorumVerifier) -> Database {
    let db = Database::empty(config.sync.committed_log_count).with_acl_rules(AclRules::of(config));
    if config.is_standalone() {
        return db;
    }
    db.with_config(verifier.config_text().into(), Zxid(verifier.version()))
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("sid", &self.config.my_id)
            .field("role", &self.role_name())
            .field("last_logged", &self.db.last_logged())
            .finish_non_exhaustive()
    }
}

impl Peer {
    /// A server that has not read its disk yet: it begins with `Input::Begin`.
    pub fn new(now: Now, config: ServerConfig, seeds: Seeds) -> Peer {
        let verifier = if config.is_standalone() {
            QuorumVerifier::alone(config.my_id)
        } else {
            QuorumVerifier::new(&config)
        };
        let metrics = Metrics::default();
        Peer {
            db: database_of(&config, &verifier),
            role: Role::Loading(AfterLoad::Begin),
            course: Course::new(now.mono),
            elections: Elections::new(&config, verifier.clone()),
            leader_dials: LeaderDials::new(),
            early_learners: EarlyLearners::default(),
            service: Service::new(&config, seeds, metrics.clone()),
            disk: Disk::new(&config),
            queue: Queue::new(),
            words: Words::new(),
            snapshots: Snapshots::default(),
            metrics,
            page: PageState::begin(now),
            handing_over: None,
            stopping: None,
            verifier,
            config: Rc::new(config),
        }
    }

    pub fn step(&mut self, now: Now, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.step_into(now, input, &mut out);
        out
    }

    /// The same, into `out`, which is empty: its room is used again.
    pub fn step_into(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        if matches!(self.role, Role::Halted) {
            return;
        }
        self.queue.swap(out);
        match input {
            Input::Begin => self.disk.ask_log(ForWhom::Load, LogRequest::Load, &mut self.queue),
            Input::Election(event) => self.elections.on_event(now, event, &mut self.queue),
            Input::Quorum(event) => self.on_quorum_event(now, event),
            Input::Client(event) => self.on_client_event(now, event),
            Input::Admin(event) => self.on_admin_event(now, event),
            Input::Stored(ticket, result) => self.on_stored(now, ticket, result),
            Input::Order(order) => self.on_order(now, order),
            Input::Reread(config) => self.on_reread(now, *config),
            Input::Timer => self.on_timer(now),
            Input::Apply => self.apply_one(now),
            Input::SlowStep { doing, took } => self.on_slow_step(doing, took),
        }
        self.dispatch(now);
        if self.handing_over.is_some() || self.stopping.is_some() {
            self.try_to_leave(now);
        }
        self.queue.end_step();
        self.queue.swap(out);
    }

    /// The next time this server wants [`Input::Timer`].
    pub fn wake_at(&self) -> Mono {
        let role = match &self.role {
            Role::Leading(leading) | Role::Standalone(leading) => leading.wake_at(),
            Role::Learning(learner) => learner.next_deadline(),
            Role::Draining(draining) if self.disk.is_quiet() && self.may_look(draining) => {
                draining.rest_until
            }
            Role::Draining(_) | Role::Loading(_) | Role::Looking | Role::Halted => Mono::FAR,
        };
        let clients = self.service.next_deadline().min(self.read_only_at());
        let elections = self.elections.wake_at().min(self.early_learners.wake_at());
        let ends = self.handing_over_until().min(self.stopping_until());
        role.min(elections).min(clients).min(self.disk.next_purge()).min(ends)
    }

    /// Whether [`Input::Apply`] would do something.
    pub fn has_work_to_apply(&self) -> bool {
        self.service.is_serving() && self.db.next_to_apply().is_some()
    }

    /// Whether clients are served, be it reads alone.
    pub(super) fn serves(&self) -> bool {
        self.service.is_serving() || self.service.is_read_only()
    }

    /// What one timer causes is done before the next is looked at.
    fn on_timer(&mut self, now: Now) {
        self.metrics.forget_old(now.mono);
        for timer in TIMERS {
            self.on_one_timer(now, timer);
            self.dispatch(now);
        }
    }

    fn on_one_timer(&mut self, now: Now, timer: Timer) {
        let (db, queue) = (&mut self.db, &mut self.queue);
        match (timer, &mut self.role) {
            (Timer::Election, _) => self.elections.on_timer(now, queue),
            (Timer::EarlyLearners, _) => self.early_learners.on_timer(now, queue),
            (Timer::Role, Role::Leading(leading)) => leading.on_timer(now, db, queue),
            (Timer::Role, Role::Learning(learner)) if now.mono >= learner.next_deadline() => {
                self.step_learner(now, crate::zab::learner::Input::Timer);
            }
            (Timer::Draining, Role::Draining(_)) => self.try_look(now),
            (Timer::Sessions, Role::Leading(leading) | Role::Standalone(leading)) => {
                leading.close_expired_sessions(now, db, queue);
            }
            (Timer::ReadOnly, Role::Looking) => self.begin_read_only(now),
            (Timer::Clients, _) if now.mono >= self.service.next_deadline() => {
                self.step_service(now, server::Input::Timer);
            }
            (Timer::Containers, Role::Leading(leading) | Role::Standalone(leading)) => {
                leading.reap(now, db, queue);
            }
            (Timer::Purge, _) => self.disk.on_timer(now, queue),
            (Timer::HandingOver, _) => self.stop_handing_over(now),
            // Not due, or of a role that this server has not.
            (Timer::Role | Timer::Draining | Timer::Sessions, _)
            | (Timer::ReadOnly | Timer::Clients | Timer::Containers, _) => {}
        }
    }

    fn on_order(&mut self, now: Now, order: Order) {
        match order {
            Order::Stop => self.stop(now),
            Order::HandOver => self.hand_over(now, None),
            Order::Reread => {} // It was, and `Input::Reread` follows if something has changed.
        }
    }

    /// A leadership that is handed over ends, and then the server, if it is told to.
    fn try_to_leave(&mut self, now: Now) {
        self.try_to_hand_over(now);
        self.dispatch(now);
        self.try_to_stop(now);
        self.dispatch(now);
    }

    /// A step that loads a tree may last: nobody is served meanwhile.
    fn on_slow_step(&mut self, doing: &'static str, took: Duration) {
        if self.service.is_serving() {
            tracing::warn!(?took, "a step was slow: {doing}");
            self.metrics.record_ms(Summary::SlowStep, took);
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            self.note(Note::SlowStep { took_ms });
        }
    }

    pub(super) fn note(&mut self, note: Note) {
        self.count_note(&note);
        self.queue.note(note);
    }

    /// What was applied.
    pub fn tree(&self) -> &DataTree {
        self.db.tree()
    }
}
