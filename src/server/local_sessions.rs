//! Sessions that only this server knows: who gets one, what it may not do, how it becomes global.
//! (QuorumZooKeeperServer.checkUpgradeSession, LearnerSessionTracker, ReadOnlyRequestProcessor)
//!
//!     localSessionsEnabled    every new session is local: no transaction opens or closes it
//!     read-only               no leader is in sight: local sessions, and reads alone
//!
//! A local session writes like any other, but owns no ephemerals. Its first create of one asks
//! the leader for a global session of the same id, and follows behind that request; where
//! upgrading is off the create fails. The leader knows the session as little then as before: what
//! it refuses as expired, the session's own server answers as EPHEMERALONLOCALSESSION.
//!
//! LS-1  what a local session asks after its closeSession is dropped: it cannot be upgraded by
//!       then (ZOOKEEPER-3471)
//! LS-2  a read-only server neither opens, resumes nor ends a global session (ZOOKEEPER-3863), and
//!       tells nobody that one is over
//!
//! Different from Apache on purpose: a read-only server has local sessions whether or not
//! localSessionsEnabled says so; there it can open none without it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::{Mono, SessionId};
use crate::config::ServerConfig;
use crate::jute::Jute;
use crate::jute::client::{CreateSessionRequest, code, op};
use crate::prepare::{Request, creates_ephemeral};
use crate::session::{LocalSessions, SessionTracker};

/// How a request ends that no other server hears of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    /// A session that asks for itself once more hears what it has heard before.
    Welcome,
    /// The session was local, and is over.
    Goodbye,
    NotReadOnly,
}

/// The local sessions of this server, and whether it serves readers only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Local {
    sessions: LocalSessions,
    enabled: bool,
    upgrading: bool,
    read_only: bool,
}

impl Local {
    pub(super) fn new(config: &ServerConfig) -> Local {
        // A server without an ensemble has nobody to hide its sessions from.
        let enabled = config.local_sessions && !config.is_standalone();
        Local {
            sessions: LocalSessions::new(config.tick_time),
            enabled,
            upgrading: enabled && config.local_sessions_upgrading,
            read_only: false,
        }
    }

    pub(super) fn begin_read_only(&mut self) {
        self.read_only = true;
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The role ended.
    pub(super) fn end(&mut self) {
        self.sessions.clear();
        self.read_only = false;
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// All of them, where there may be some.
    pub(super) fn tracker(&self) -> Option<&SessionTracker> {
        self.opens_local().then(|| self.sessions.tracker())
    }

    /// When the next local session dies, at the earliest.
    pub(super) fn next_expiry(&self) -> Option<Mono> {
        self.sessions.next_expiry()
    }

    /// Takes out those whose time ran out.
    pub(super) fn expire(&mut self, now: Mono) -> Vec<SessionId> {
        self.sessions.expire(now)
    }

    /// A new session: true if it is a local one, which is open at once.
    pub(super) fn open(&mut self, session: SessionId, timeout_ms: i32, now: Mono) -> bool {
        let is_local = self.opens_local();
        if is_local {
            self.sessions.open(session, timeout_ms, now);
        }
        is_local
    }

    /// A session wants to go on here: whether it lives, if that is known without asking the leader.
    pub(super) fn resume(
        &mut self,
        session: SessionId,
        timeout_ms: i32,
        now: Mono,
    ) -> Option<bool> {
        let is_known = self.read_only || self.sessions.contains(session);
        is_known.then(|| self.sessions.touch(session, timeout_ms, now))
    }

    /// The session was heard. `None`: it is not local. False: it is closing, and what it asks is
    /// dropped (LS-1).
    pub(super) fn touch(&mut self, session: SessionId, timeout_ms: i32, now: Mono) -> Option<bool> {
        let is_local = self.sessions.contains(session);
        is_local.then(|| self.sessions.touch(session, timeout_ms, now))
    }

    /// Its end waits for its turn.
    pub(super) fn is_closing(&self, session: SessionId) -> bool {
        self.sessions.is_closing(session)
    }

    /// The session is in the tree's list now, whoever made it.
    pub(super) fn on_global(&mut self, session: SessionId) {
        self.sessions.remove(session);
    }

    /// Its connection is gone. A session that was closing has nobody left to wait for.
    pub(super) fn on_disconnected(&mut self, session: SessionId) {
        if self.sessions.is_closing(session) {
            self.sessions.remove(session);
        }
    }

    /// Whether a request is answered here whatever it asks: its turn is all it waits for.
    pub(super) fn stays_here(&mut self, session: SessionId, op: i32) -> bool {
        let closes = op == op::CLOSE_SESSION && self.sessions.contains(session);
        if closes {
            self.sessions.set_closing(session);
        }
        let opens = op == op::CREATE_SESSION && self.opens_local();
        opens || closes || self.read_only
    }

    /// Its turn has come. `None`: it is none of those that end here.
    pub(super) fn ending(&self, session: SessionId, op: i32) -> Option<Ending> {
        match op {
            op::CREATE_SESSION if self.opens_local() => Some(Ending::Welcome),
            op::CLOSE_SESSION if self.sessions.contains(session) => Some(Ending::Goodbye),
            op if self.read_only && changes_something(op) => Some(Ending::NotReadOnly),
            _ => None,
        }
    }

    /// Before a request goes to the leader: a local session that is to own an ephemeral becomes a
    /// global one, if it may, by what is to be submitted first.
    pub(super) fn upgrade(&mut self, session: SessionId, op: i32, body: &Bytes) -> Option<Request> {
        if !self.upgrading || !creates_ephemeral(op, body) {
            return None;
        }
        let timeout = self.sessions.remove(session)?;
        tracing::info!(%session, "upgrading a local session");
        Some(create_session(session, timeout))
    }

    /// The result of a write as its own server reports it.
    pub(super) fn as_reported(
        &self,
        session: SessionId,
        op: i32,
        body: &Bytes,
        result: Result<Vec<u8>, i32>,
    ) -> Result<Vec<u8>, i32> {
        let is_refused_ephemeral = result == Err(code::SESSION_EXPIRED)
            && self.sessions.contains(session)
            && creates_ephemeral(op, body);
        if is_refused_ephemeral { Err(code::EPHEMERAL_ON_LOCAL_SESSION) } else { result }
    }

    /// Whether the next new session is a local one.
    fn opens_local(&self) -> bool {
        self.enabled || self.read_only
    }
}

/// What asks the leader for a global session.
pub(super) fn create_session(session: SessionId, timeout: i32) -> Request {
    Request {
        session,
        op: op::CREATE_SESSION,
        body: CreateSessionRequest { timeout }.to_jute().into(),
        ..Request::default()
    }
}

/// What a read-only server refuses: everything that a leader would have to see.
fn changes_something(op: i32) -> bool {
    matches!(
        op,
        op::SYNC
            | op::CREATE
            | op::CREATE2
            | op::CREATE_TTL
            | op::CREATE_CONTAINER
            | op::DELETE
            | op::DELETE_CONTAINER
            | op::SET_DATA
            | op::RECONFIG
            | op::SET_ACL
            | op::MULTI
            | op::CHECK
    )
}
