//! The state of one server, and one `step` for every input.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use super::reach::Reach;
use super::reaper::Reaper;
use super::snapshotter::Snapshotter;
use crate::base::{ConnId, LinkId, Mono, Note, Now};
use crate::config::ServerConfig;
use crate::database::Database;
use crate::election::driver::ElectionEvent;
use crate::election::{Election, Links};
use crate::prepare::{Prepare, PrepareOptions};
use crate::quorum::QuorumVerifier;
use crate::runtime::{Halt, HostPort, Label};
use crate::server::driver::ClientEvent;
use crate::server::{Seeds, Service};
use crate::session::SessionTracker;
use crate::storage::{LogRequest, Outcome, SnapshotRequest, StorageError, Ticket};
use crate::tree::AclRules;
use crate::tree::DataTree;
use crate::zab::driver::QuorumEvent;
use crate::zab::leader::Leader;
use crate::zab::learner::Learner;

/// Everything that can happen to a server.
#[derive(Debug)]
pub enum Input {
    Election(ElectionEvent),
    Quorum(QuorumEvent),
    Client(ClientEvent),
    Stored(Ticket, Result<Outcome, StorageError>),
    /// One of the times in [`Peer::wake_at`] has come.
    Timer,
    /// A committed transaction may be applied.
    Apply,
}

/// Everything a server can do.
#[derive(Debug)]
pub enum Output {
    ElectionDial { link: LinkId, to: HostPort, handshake: Bytes },
    ElectionWrite { link: LinkId, body: Bytes },
    ElectionClose { link: LinkId },
    QuorumListen(HostPort),
    QuorumUnlisten,
    QuorumDial { link: LinkId, to: HostPort },
    QuorumWrite { link: LinkId, bytes: Bytes, label: Label },
    QuorumNotifyDrained { link: LinkId },
    QuorumClose { link: LinkId },
    ClientWrite { conn: ConnId, bytes: Bytes },
    ClientClose { conn: ConnId },
    ClientPause { conn: ConnId },
    ClientResume { conn: ConnId },
    ClientNotifyDrained { conn: ConnId },
    Log(Ticket, LogRequest),
    Snapshot(Ticket, SnapshotRequest),
    Halt(Halt),
    Note(Note),
}

/// What a server is doing. At most one of leader and learner exists.
pub(super) enum Role {
    /// Reading the disk; `then` says what for.
    Loading(AfterLoad),
    /// The role ended; what is on its way to the log must arrive first.
    Settling,
    Looking,
    Leading(Leader),
    Learning(Learner),
    Standalone(Leader),
    /// The process is about to end.
    Halted,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AfterLoad {
    /// The first start: write snapshot.0 if there is no snapshot, then look or serve.
    Begin,
    /// What the role left half done is gone; look again.
    Look,
}

pub struct Peer {
    pub(super) config: ServerConfig,
    pub(super) verifier: QuorumVerifier,
    pub(super) db: Database,
    pub(super) role: Role,
    pub(super) election: Election,
    pub(super) election_links: Links,
    pub(super) election_wake: Mono,
    pub(super) election_reach: Reach,
    pub(super) leader_reach: Reach,
    pub(super) service: Service,
    pub(super) prepare: Prepare,
    /// Leader and standalone: when sessions die.
    pub(super) tracker: Option<SessionTracker>,
    /// Leader and standalone, while they serve.
    pub(super) reaper: Option<Reaper>,
    pub(super) snapshotter: Snapshotter,
    pub(super) next_ticket: u64,
    /// Requests the log lane has not answered, and for whom.
    pub(super) on_log: BTreeMap<Ticket, ForWhom>,
    pub(super) next_link: u64,
    pub(super) next_purge: Mono,
    pub(super) role_since: Mono,
    pub(super) last_election: std::time::Duration,
    pub(super) reload: bool,
    /// Learners in a row that ended before they served.
    pub(super) fruitless: u32,
    /// No election begins before.
    pub(super) rest_until: Mono,
    pub(super) proposal_sizes: ProposalSizes,
    pub(super) out: Vec<Output>,
}

/// Sizes of proposals in bytes, for `srvr` and `mntr` on a leader.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProposalSizes {
    pub(super) last: usize,
    pub(super) min: usize,
    pub(super) max: usize,
}

/// Whom a completion of the log lane is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ForWhom {
    Role,
    LearnerSync(LinkId),
    Load,
    /// The learner's log was cut, or begins anew behind a leader's snapshot.
    Replace,
    Snapshotter,
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
    /// A server that has not read its disk yet. `roll_at`: see [`Snapshotter`].
    pub fn new(now: Now, config: ServerConfig, seeds: Seeds) -> Peer {
        let verifier = if config.is_standalone() {
            QuorumVerifier::alone(config.my_id)
        } else {
            QuorumVerifier::new(&config)
        };
        Peer {
            db: Database::empty(config.committed_log_count).with_acl_rules(AclRules::of(&config)),
            role: Role::Loading(AfterLoad::Begin),
            election: Election::new(&config, verifier.clone()),
            election_links: Links::new(&config),
            election_wake: Mono::FAR,
            election_reach: Reach::of("server"),
            leader_reach: Reach::of("leader"),
            service: Service::new(&config, seeds),
            prepare: Prepare::new(PrepareOptions::of(&config)),
            tracker: None,
            reaper: None,
            snapshotter: Snapshotter::new(config.snap_count),
            next_ticket: 1,
            on_log: BTreeMap::new(),
            next_link: 2,
            next_purge: Mono::FAR,
            role_since: now.mono,
            last_election: std::time::Duration::ZERO,
            reload: false,
            fruitless: 0,
            rest_until: now.mono,
            proposal_sizes: ProposalSizes::default(),
            out: Vec::new(),
            verifier,
            config,
        }
    }

    /// Asks for the disk's content. Everything else follows from the answer.
    pub fn begin(&mut self) -> Vec<Output> {
        self.ask_log(ForWhom::Load, LogRequest::Load);
        std::mem::take(&mut self.out)
    }

    pub fn step(&mut self, now: Now, input: Input) -> Vec<Output> {
        if matches!(self.role, Role::Halted) {
            return Vec::new();
        }
        match input {
            Input::Election(event) => self.on_election_event(now, event),
            Input::Quorum(event) => self.on_quorum_event(now, event),
            Input::Client(event) => self.on_client_event(now, event),
            Input::Stored(ticket, result) => self.on_stored(now, ticket, result),
            Input::Timer => self.on_timer(now),
            Input::Apply => self.apply_one(now),
        }
        std::mem::take(&mut self.out)
    }

    /// The next time this server wants [`Input::Timer`].
    pub fn wake_at(&self) -> Mono {
        let role = match &self.role {
            Role::Leading(leader) | Role::Standalone(leader) => leader.next_deadline(),
            Role::Learning(learner) => learner.next_deadline(),
            Role::Settling if self.is_disk_quiet() => self.rest_until,
            _ => Mono::FAR,
        };
        let sessions = self.tracker.as_ref().and_then(SessionTracker::next_expiry);
        let reaper = self.reaper.as_ref().map_or(Mono::FAR, Reaper::wake_at);
        let sessions = sessions.unwrap_or(Mono::FAR);
        let clients = self.service.next_deadline().min(self.read_only_at());
        role.min(self.election_wake).min(sessions).min(clients).min(reaper).min(self.next_purge)
    }

    /// Whether [`Input::Apply`] would do something.
    pub fn has_work_to_apply(&self) -> bool {
        self.service.is_serving() && self.db.next_to_apply().is_some()
    }

    fn on_timer(&mut self, now: Now) {
        if now.mono >= self.election_wake {
            self.election_wake = Mono::FAR;
            let delivered = self.election_links.all_delivered();
            self.step_election(now, crate::election::core::Input::Timer { delivered });
        }
        match &self.role {
            Role::Leading(leader) if now.mono >= leader.next_deadline() => {
                self.step_leader(now, crate::zab::leader::Input::Timer);
            }
            Role::Learning(learner) if now.mono >= learner.next_deadline() => {
                self.step_learner(now, crate::zab::learner::Input::Timer);
            }
            _ => {}
        }
        self.try_look(now);
        self.close_expired_sessions(now);
        self.begin_read_only(now);
        self.on_service_timer(now);
        self.reap_containers(now);
        if now.mono >= self.next_purge {
            let interval = self.config.purge_interval.expect("set, or there is no next purge");
            self.next_purge = now.mono + interval;
            self.purge();
        }
    }

    pub(super) fn note(&mut self, note: Note) {
        self.out.push(Output::Note(note));
    }

    pub(super) fn halt(&mut self, halt: Halt) {
        self.role = Role::Halted;
        self.out.push(Output::Halt(halt));
    }

    pub(super) fn ask_log(&mut self, whom: ForWhom, request: LogRequest) {
        let ticket = self.take_ticket();
        self.on_log.insert(ticket, whom);
        self.out.push(Output::Log(ticket, request));
    }

    pub(super) fn ask_snapshot(&mut self, request: SnapshotRequest) {
        let ticket = self.take_ticket();
        self.out.push(Output::Snapshot(ticket, request));
    }

    fn take_ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// What was applied.
    pub fn tree(&self) -> &DataTree {
        self.db.tree()
    }
}
