//! What a server has while it leads, or stands alone: the leader, and all that only a leader needs.
//!
//!     request --prepare--> transaction --Propose--> leader ... applied --> prepare, sessions forget it
//!
//! Sessions are tracked, and unused containers looked for, from the moment the leader serves.
//!
//! Not here: how a transaction is agreed upon (zab), what one holds (prepare).

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::queue::Queue;
use super::reaper::Reaper;
use crate::base::{LinkId, Mono, Note, Now, SessionId};
use crate::config::ServerConfig;
use crate::database::Database;
use crate::jute::client::op;
use crate::jute::txn::{Proposal, Txn};
use crate::metrics::Metrics;
use crate::prepare::{Prepare, PrepareOptions, Request};
use crate::quorum::QuorumVerifier;
use crate::session::{LOCAL_OWNER, SessionTracker};
use crate::zab::leader::{Input, Leader, SessionAt, SyncOrigin};

/// Expired sessions whose closeSession is on the way, at most.
const EXPIRING_SESSIONS_MAX: usize = 256;
/// Sessions and ephemerals that end in one step. The session that passes this is its last.
const EXPIRING_NODES_MAX: usize = 1024;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Leading {
    leader: Leader,
    prepare: Prepare,
    sizes: ProposalSizes,
    /// From the moment the leader serves.
    serving: Option<Serving>,
    /// What would be proposed if the leadership were not about to be handed over.
    held: Option<Vec<Request>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Serving {
    sessions: SessionTracker,
    /// `None` where nothing is to be deleted.
    reaper: Option<Reaper>,
}

/// Sizes of proposals in bytes, for `srvr` and `mntr`. Zeros before the first.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct ProposalSizes {
    pub(super) last: usize,
    pub(super) min: usize,
    pub(super) max: usize,
}

impl Leading {
    /// The election named this server.
    pub(super) fn begin(
        now: Now,
        config: &ServerConfig,
        verifier: QuorumVerifier,
        db: &Database,
        metrics: Metrics,
        queue: &mut Queue,
    ) -> Leading {
        let leader = queue.of_leader(|out| Leader::new(now, config, verifier, db, out));
        Leading::of(leader, config, metrics)
    }

    /// A server without an ensemble.
    pub(super) fn alone(config: &ServerConfig, db: &Database, metrics: Metrics) -> Leading {
        Leading::of(Leader::standalone(config, db), config, metrics)
    }

    fn of(leader: Leader, config: &ServerConfig, metrics: Metrics) -> Leading {
        let prepare = Prepare::new(PrepareOptions::of(config)).counting_in(metrics.clone());
        let leader = leader.counting_in(metrics);
        Leading { leader, prepare, sizes: ProposalSizes::default(), serving: None, held: None }
    }

    pub(super) fn leader(&self) -> &Leader {
        &self.leader
    }

    pub(super) fn sizes(&self) -> ProposalSizes {
        self.sizes
    }

    /// `None` before the leader serves.
    pub(super) fn sessions(&self) -> Option<&SessionTracker> {
        self.serving.as_ref().map(|serving| &serving.sessions)
    }

    /// `srst` begins the sizes anew.
    pub(super) fn reset_sizes(&mut self) {
        self.sizes = ProposalSizes::default();
    }

    pub(super) fn step(&mut self, now: Now, input: Input, db: &mut Database, queue: &mut Queue) {
        queue.of_leader(|out| self.leader.step(now, input, db, out));
    }

    /// Established: every session of the ensemble gets a new deadline here.
    pub(super) fn serve(&mut self, now: Now, config: &ServerConfig, db: &Database) {
        let mut sessions = SessionTracker::new(config.tick_time);
        if config.local_sessions && !config.is_standalone() {
            sessions = sessions.allow_local_sessions(config.my_id);
        }
        for (session, timeout_ms) in db.sessions().iter() {
            sessions.add(session, timeout_ms, now.mono);
        }
        let reaper = Reaper::new(now, &config.containers);
        self.serving = Some(Serving { sessions, reaper });
    }

    /// From now on nothing is proposed: requests wait, and no session ends.
    pub(super) fn hold(&mut self) {
        self.held.get_or_insert_default();
    }

    /// The requests that waited, in their order. What comes now is proposed again.
    pub(super) fn release(&mut self) -> Vec<Request> {
        self.held.take().unwrap_or_default()
    }

    /// When `on_timer`, `close_expired_sessions` or `reap` has something to do.
    pub(super) fn wake_at(&self) -> Mono {
        let serving = self.serving.as_ref().filter(|_| self.held.is_none());
        let serving = serving.map_or(Mono::FAR, Serving::wake_at);
        self.leader.next_deadline().min(serving)
    }

    pub(super) fn on_timer(&mut self, now: Now, db: &mut Database, queue: &mut Queue) {
        if now.mono >= self.leader.next_deadline() {
            self.step(now, Input::Timer, db, queue);
        }
    }

    /// Prepares a request against everything proposed before it, and proposes it.
    pub(super) fn propose(
        &mut self,
        now: Now,
        request: &Request,
        db: &mut Database,
        queue: &mut Queue,
    ) {
        let Some(serving) = self.serving.as_mut() else {
            // Of a learner that was not told yet that it may serve: no client waits for an answer.
            tracing::warn!(session = %request.session, "a request before the leader serves");
            return;
        };
        if let Some(held) = &mut self.held {
            return held.push(request.clone());
        }
        let zxid = self.leader.next_zxid();
        let proposal = self.prepare.prepare(request, zxid, now, db.tree(), &mut serving.sessions);
        self.sizes.add(proposal.bytes().len());
        self.step(now, Input::Propose(Rc::new(proposal)), db, queue);
    }

    /// A client's operation that a learner forwards. Whatever it is, somebody waits for the
    /// answer: what is no record becomes an error transaction.
    pub(super) fn on_request(
        &mut self,
        now: Now,
        link: LinkId,
        request: &Request,
        db: &mut Database,
        queue: &mut Queue,
    ) {
        let sessions = self.serving.as_ref().map(|serving| &serving.sessions);
        let timeout_ms = sessions.and_then(|sessions| sessions.timeout_ms(request.session));
        self.touch(now, request.session, timeout_ms.unwrap_or(0), queue);
        if request.op == op::SYNC {
            return self.step(now, Input::Sync(SyncOrigin::Learner(link)), db, queue);
        }
        self.propose(now, request, db, queue);
    }

    /// The session was heard of. One that is over stays over.
    pub(super) fn touch(
        &mut self,
        now: Now,
        session: SessionId,
        timeout_ms: i32,
        queue: &mut Queue,
    ) {
        let serving = self.serving.as_mut();
        if serving.is_some_and(|s| s.sessions.touch(session, timeout_ms, now.mono)) {
            queue.note_routine(|| Note::SessionTouched { session });
        }
    }

    /// A session wants to go on there: whether it is known to live. If so, it speaks from there from
    /// now on. If not, the leader asks a quorum whether it may say so.
    pub(super) fn take_over(
        &mut self,
        now: Now,
        session: SessionId,
        timeout_ms: i32,
        at: SessionAt,
        db: &mut Database,
        queue: &mut Queue,
    ) -> bool {
        let Some(serving) = self.serving.as_mut() else { return false };
        if !serving.sessions.touch(session, timeout_ms, now.mono) {
            self.step(now, Input::UnknownSession { session, at }, db, queue);
            return false;
        }
        let owner = match at {
            SessionAt::Here => LOCAL_OWNER,
            SessionAt::Learner(link) => link.0,
        };
        serving.sessions.set_owner(session, owner);
        queue.note_routine(|| Note::SessionTouched { session });
        true
    }

    /// The tree holds it.
    pub(super) fn applied(&mut self, proposal: &Proposal) {
        self.prepare.applied(proposal.zxid());
        if let (Some(serving), Txn::CloseSession(_)) = (self.serving.as_mut(), &proposal.txn) {
            serving.sessions.remove(proposal.header.client_id);
        }
    }

    /// Asks for the end of sessions whose time has run out: of so many that a step stays short, and
    /// only while few such ends are on the way. Then a failover with many thousands of sessions,
    /// which all have one deadline, leaves room for pings and acks.
    pub(super) fn close_expired_sessions(
        &mut self,
        now: Now,
        db: &mut Database,
        queue: &mut Queue,
    ) {
        let Some(serving) = self.serving.as_mut().filter(|_| self.held.is_none()) else { return };
        if serving.sessions.next_expiry().is_none_or(|at| now.mono < at) {
            return;
        }
        let mut nodes = 0;
        while nodes < EXPIRING_NODES_MAX
            && let Some(serving) = self.serving.as_mut()
            && serving.sessions.expiring() < EXPIRING_SESSIONS_MAX
            && let Some(session) = serving.sessions.expire_next(now.mono)
        {
            nodes += 1 + db.tree().ephemerals(session).count();
            self.close_expired(now, session, db, queue);
        }
    }

    fn close_expired(
        &mut self,
        now: Now,
        session: SessionId,
        db: &mut Database,
        queue: &mut Queue,
    ) {
        let sessions = self.serving.as_ref().map(|serving| &serving.sessions);
        let timeout_ms = sessions.and_then(|sessions| sessions.timeout_ms(session)).unwrap_or(0);
        let timeout_ms = u32::try_from(timeout_ms).unwrap_or(0);
        queue.note_in_turn(Note::SessionExpired { session, timeout_ms });
        let (op, origin) = (op::CLOSE_SESSION, LOCAL_OWNER);
        self.propose(now, &Request { session, op, origin, ..Request::default() }, db, queue);
    }

    /// Asks for the deletion of containers and TTL nodes that nobody uses.
    pub(super) fn reap(&mut self, now: Now, db: &mut Database, queue: &mut Queue) {
        while self.held.is_none()
            && let Some(reaper) = self.serving.as_mut().and_then(|s| s.reaper.as_mut())
            && let Some(request) = reaper.reap(now, db.tree())
        {
            self.propose(now, &request, db, queue);
        }
    }
}

impl Serving {
    fn wake_at(&self) -> Mono {
        let may_expire = self.sessions.expiring() < EXPIRING_SESSIONS_MAX;
        let next_expiry = self.sessions.next_expiry().filter(|_| may_expire);
        let sessions = next_expiry.unwrap_or(Mono::FAR);
        sessions.min(self.reaper.as_ref().map_or(Mono::FAR, Reaper::wake_at))
    }
}

impl ProposalSizes {
    fn add(&mut self, bytes: usize) {
        self.last = bytes;
        self.max = self.max.max(bytes);
        self.min = if self.min == 0 { bytes } else { self.min.min(bytes) };
    }
}
