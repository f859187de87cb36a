//! The first message of a client: a session, new or its own again.   (ZooKeeperServer.processConnectRequest)

use bytes::Bytes;

use super::connection::State;
use super::service::{Output, Service};
use super::{reads, replies};
use crate::base::{ConnId, Now, SessionId};
use crate::database::Database;
use crate::jute::client::{ConnectRequest, ConnectResponse, CreateSessionRequest, op};
use crate::jute::{Jute, Reader};
use crate::prepare::{self, Request};
use crate::session::{negotiate, password, was_opened_by};

impl Service {
    pub(super) fn on_connect_request(
        &mut self,
        now: Now,
        conn: ConnId,
        body: Bytes,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Ok(request) = ConnectRequest::decode(&mut Reader::new(body)) else {
            return self.drop_connection(conn, out);
        };
        let welcome = self.is_serving() || (self.is_read_only() && request.read_only == Some(true));
        if self.is_serving() && !self.takes_session(now, request.session == SessionId(0)) {
            tracing::warn!(%conn, "turning a client away: too many sessions begin at once");
            return self.drop_connection(conn, out);
        }
        // A client that has seen more than we have would go back in time here (C-2).
        if !welcome || request.last_zxid_seen > db.last_applied() {
            return self.drop_connection(conn, out);
        }
        let timeout_ms =
            negotiate(request.timeout_ms, self.session_timeout_min_ms, self.session_timeout_max_ms);
        if request.session == SessionId(0) {
            self.create_session(now, conn, timeout_ms, request.read_only, db, out);
        } else {
            self.resume_session(now, conn, &request, timeout_ms, db, out);
        }
    }

    fn create_session(
        &mut self,
        now: Now,
        conn: ConnId,
        timeout_ms: i32,
        read_only: Option<bool>,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let session = self.next_session_id(now);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.state = State::Creating { session, timeout_ms, read_only };
        self.by_session.insert(session, conn);
        if self.local.is_next() {
            self.local.sessions.open(session, timeout_ms, now.mono);
            return self.open(now, conn, session, timeout_ms, read_only, db, out);
        }
        let body = CreateSessionRequest { timeout: timeout_ms }.to_jute();
        out.push(Output::Submit(Request {
            session,
            cxid: 0,
            op: op::CREATE_SESSION,
            body: body.into(),
            auth: Vec::new(),
            origin: 0,
        }));
    }

    /// Apache's order: the old connection goes before the password is looked at.
    fn resume_session(
        &mut self,
        now: Now,
        conn: ConnId,
        request: &ConnectRequest,
        timeout_ms: i32,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let session = request.session;
        // Only of a session that it opened itself does a read-only server know whether it is over:
        // one that is unknown here may have been opened since the others were heard of last (C-5).
        let is_foreign = db.sessions().contains(session) || !was_opened_by(self.sid, session);
        if self.is_read_only() && is_foreign {
            return self.drop_connection(conn, out);
        }
        if let Some(old) = self.by_session.get(&session).copied() {
            self.drop_connection(old, out);
        }
        let read_only = request.read_only;
        let given = request.password.as_deref().unwrap_or_default();
        if given != password(session).as_slice() {
            return self.refuse(conn, read_only, out);
        }
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.state = State::Revalidating { session, timeout_ms, read_only };
        self.by_session.insert(session, conn);
        if self.is_read_only() || self.local.sessions.contains(session) {
            let valid = self.local.sessions.touch(session, timeout_ms, now.mono);
            return self.on_revalidated(now, session, valid, db, out);
        }
        out.push(Output::Revalidate { session, timeout_ms });
    }

    /// (PrepRequestProcessor: SessionMovedException)
    pub(super) fn on_session_moved(&mut self, session: SessionId) {
        let conn = self.by_session.get(&session);
        if let Some(connection) = conn.and_then(|conn| self.connections.get_mut(conn)) {
            connection.moved = true;
        }
    }

    /// Whether a request comes too late, from where its session is no more. Of writes the leader
    /// judges when it prepares them, and a session may be closed from anywhere.
    pub(super) fn has_moved(&self, conn: ConnId, op: i32) -> bool {
        let moved = self.connections.get(&conn).is_some_and(|connection| connection.moved);
        moved && reads::is_known(op) && !prepare::supports(op)
    }

    pub(super) fn on_revalidated(
        &mut self,
        now: Now,
        session: SessionId,
        valid: bool,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(conn) = self.by_session.get(&session).copied() else { return };
        let Some(connection) = self.connections.get(&conn) else { return };
        let State::Revalidating { timeout_ms, read_only, .. } = connection.state else { return };
        if valid {
            self.open(now, conn, session, timeout_ms, read_only, db, out);
        } else {
            self.refuse(conn, read_only, out);
        }
    }

    fn refuse(&mut self, conn: ConnId, read_only: Option<bool>, out: &mut Vec<Output>) {
        let refused = replies::refused(self.read_only_byte(read_only));
        self.write(conn, replies::connected(&refused), out);
        self.drop_connection(conn, out);
    }

    #[allow(clippy::too_many_arguments)] // one call site each; a struct would only rename them
    pub(super) fn open(
        &mut self,
        now: Now,
        conn: ConnId,
        session: SessionId,
        timeout_ms: i32,
        read_only: Option<bool>,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.state = State::Open { session, timeout_ms };
        let response = connect_response(session, timeout_ms, self.read_only_byte(read_only));
        self.write(conn, replies::connected(&response), out);
        self.touch_session(now, session, timeout_ms, out);
        self.stir(conn);
        self.settle(now, db, out);
    }
}

/// `read_only`: what the client is told of it, if it asked.
pub(super) fn connect_response(
    session: SessionId,
    timeout_ms: i32,
    read_only: Option<bool>,
) -> ConnectResponse {
    ConnectResponse {
        protocol_version: 0,
        timeout_ms,
        session,
        password: Some(Bytes::copy_from_slice(&password(session))),
        read_only,
    }
}

#[cfg(test)]
#[path = "handshake_test.rs"]
mod tests;
