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

use super::connection::{Pending, State};
use super::handshake::connect_response;
use super::replies;
use super::service::{Output, Service};
use crate::base::{ConnId, Mono, Now, SessionId};
use crate::config::ServerConfig;
use crate::database::Database;
use crate::jute::Jute;
use crate::jute::client::{CreateSessionRequest, code, op};
use crate::prepare::{Request, creates_ephemeral};
use crate::session::LocalSessions;

/// The service's part of it.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) sessions: LocalSessions,
    enabled: bool,
    upgrading: bool,
    pub(super) read_only: bool,
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

    /// Whether the next new session is a local one.
    pub(super) fn is_next(&self) -> bool {
        self.enabled || self.read_only
    }

    /// The role ended.
    pub(super) fn end(&mut self) {
        self.sessions.clear();
        self.read_only = false;
    }
}

impl Service {
    pub fn is_read_only(&self) -> bool {
        self.local.read_only
    }

    pub fn local_session_count(&self) -> usize {
        self.local.sessions.len()
    }

    /// When the next local session dies, at the earliest.
    pub(super) fn next_local_expiry(&self) -> Option<Mono> {
        self.local.sessions.next_expiry()
    }

    pub(super) fn expire_local_sessions(&mut self, now: Now, out: &mut Vec<Output>) {
        for session in self.local.sessions.expire(now.mono) {
            tracing::info!(%session, "local session expired");
            if let Some(conn) = self.by_session.get(&session).copied() {
                self.drop_connection(conn, out);
            }
        }
    }

    /// What `readOnly` says in an answer to a client that knows of it.
    pub(super) fn read_only_byte(&self, asked: Option<bool>) -> Option<bool> {
        asked.map(|_| self.is_read_only())
    }

    /// The session was heard. False: it is closing, and what it asks is dropped (LS-1).
    pub(super) fn touch_session(
        &mut self,
        now: Now,
        session: SessionId,
        timeout_ms: i32,
        out: &mut Vec<Output>,
    ) -> bool {
        if self.local.sessions.contains(session) {
            return self.local.sessions.touch(session, timeout_ms, now.mono);
        }
        out.push(Output::Touch { session, timeout_ms });
        true
    }

    /// Whether a request is answered here whatever it asks: its turn is all it waits for.
    pub(super) fn stays_here(&mut self, session: SessionId, op: i32) -> bool {
        let closes = op == op::CLOSE_SESSION && self.local.sessions.contains(session);
        if closes {
            self.local.sessions.set_closing(session);
        }
        let opens = op == op::CREATE_SESSION && self.local.is_next();
        opens || closes || self.is_read_only()
    }

    /// Its turn has come. False: it is none of those that end here.
    pub(super) fn answer_here(
        &mut self,
        conn: ConnId,
        pending: &Pending,
        db: &Database,
        out: &mut Vec<Output>,
    ) -> bool {
        let zxid = db.last_applied();
        let (op, xid) = (pending.header.op, pending.header.xid);
        let state = self.connections.get(&conn).map(|connection| connection.state);
        match state {
            // A session that asks for itself once more, and hears what it has heard before.
            Some(State::Open { session, timeout_ms })
                if op == op::CREATE_SESSION && self.local.is_next() =>
            {
                let response = connect_response(session, timeout_ms, Some(self.is_read_only()));
                self.write(conn, replies::connected(&response), out);
            }
            Some(State::Open { session, .. })
                if op == op::CLOSE_SESSION && self.local.sessions.contains(session) =>
            {
                self.write(conn, replies::reply(xid, zxid, Ok(Vec::new())), out);
                self.drop_connection(conn, out);
            }
            _ if self.is_read_only() && changes_something(op) => {
                self.write(conn, replies::reply(xid, zxid, Err(code::NOT_READ_ONLY)), out);
            }
            _ => return false,
        }
        true
    }

    /// A connection is gone. A session that was closing has nobody left to wait for.
    pub(super) fn forget_closing(&mut self, session: SessionId) {
        if self.local.sessions.is_closing(session) {
            self.local.sessions.remove(session);
        }
    }

    /// Before a request goes to the leader: a local session that is to own an ephemeral becomes a
    /// global one, if it may.
    pub(super) fn upgrade_session(
        &mut self,
        session: SessionId,
        op: i32,
        body: &Bytes,
        out: &mut Vec<Output>,
    ) {
        if !self.local.upgrading || !creates_ephemeral(op, body) {
            return;
        }
        let Some(timeout) = self.local.sessions.remove(session) else { return };
        tracing::info!(%session, "upgrading a local session");
        out.push(Output::Submit(Request {
            session,
            cxid: 0,
            op: op::CREATE_SESSION,
            body: CreateSessionRequest { timeout }.to_jute().into(),
            auth: Vec::new(),
            origin: 0,
        }));
    }

    /// The result of a write as its own server reports it.
    pub(super) fn as_reported(
        &self,
        session: SessionId,
        pending: &Pending,
        result: Result<Vec<u8>, i32>,
    ) -> Result<Vec<u8>, i32> {
        let is_refused_ephemeral = result == Err(code::SESSION_EXPIRED)
            && self.local.sessions.contains(session)
            && creates_ephemeral(pending.header.op, &pending.body);
        if is_refused_ephemeral { Err(code::EPHEMERAL_ON_LOCAL_SESSION) } else { result }
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

#[cfg(test)]
#[path = "local_sessions_test.rs"]
mod tests;
