//! The first message of a client: a session, new or its own again.   (ZooKeeperServer.processConnectRequest)

use bytes::Bytes;

use super::connection::State;
use super::replies;
use super::service::{Output, Service};
use crate::base::{ConnId, Now, SessionId};
use crate::database::Database;
use crate::jute::client::{ConnectRequest, ConnectResponse, CreateSessionRequest, op};
use crate::jute::{Jute, Reader};
use crate::pipeline::Request;
use crate::session::{negotiate, password};

impl Service {
    pub(super) fn on_connect_request(
        &mut self,
        now: Now,
        conn: ConnId,
        body: Bytes,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        let Ok(request) = ConnectRequest::decode(&mut Reader::new(body)) else {
            return self.drop_connection(conn, db, out);
        };
        // A client that has seen more than we have would go back in time here (C-2).
        if !self.is_serving() || request.last_zxid_seen > db.last_applied() {
            return self.drop_connection(conn, db, out);
        }
        let timeout_ms =
            negotiate(request.timeout_ms, self.session_timeout_min_ms, self.session_timeout_max_ms);
        if request.session == SessionId(0) {
            self.create_session(now, conn, timeout_ms, request.read_only, out);
        } else {
            self.resume_session(conn, &request, timeout_ms, db, out);
        }
    }

    fn create_session(
        &mut self,
        now: Now,
        conn: ConnId,
        timeout_ms: i32,
        read_only: Option<bool>,
        out: &mut Vec<Output>,
    ) {
        let session = self.next_session_id(now);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.state = State::Creating { session, timeout_ms, read_only };
        self.by_session.insert(session, conn);
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
        conn: ConnId,
        request: &ConnectRequest,
        timeout_ms: i32,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        let session = request.session;
        if let Some(old) = self.by_session.get(&session).copied() {
            self.drop_connection(old, db, out);
        }
        let read_only = request.read_only;
        let given = request.password.as_deref().unwrap_or_default();
        if given != password(session).as_slice() {
            return self.refuse(conn, read_only, db, out);
        }
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.state = State::Revalidating { session, timeout_ms, read_only };
        self.by_session.insert(session, conn);
        out.push(Output::Revalidate { session, timeout_ms });
    }

    /// The leader's word on a session that wants to go on here.
    pub fn revalidated(
        &mut self,
        now: Now,
        session: SessionId,
        valid: bool,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        let Some(conn) = self.by_session.get(&session).copied() else { return };
        let Some(connection) = self.connections.get(&conn) else { return };
        let State::Revalidating { timeout_ms, read_only, .. } = connection.state else { return };
        if valid {
            self.open(now, conn, session, timeout_ms, read_only, db, out);
        } else {
            self.refuse(conn, read_only, db, out);
        }
    }

    fn refuse(
        &mut self,
        conn: ConnId,
        read_only: Option<bool>,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        self.write(conn, replies::connected(&replies::refused(read_only)), out);
        self.drop_connection(conn, db, out);
    }

    #[allow(clippy::too_many_arguments)] // one call site each; a struct would only rename them
    pub(super) fn open(
        &mut self,
        now: Now,
        conn: ConnId,
        session: SessionId,
        timeout_ms: i32,
        read_only: Option<bool>,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.state = State::Open { session, timeout_ms };
        let early = std::mem::take(&mut connection.early);
        let response = connect_response(session, timeout_ms, read_only);
        self.write(conn, replies::connected(&response), out);
        out.push(Output::Touch { session, timeout_ms });
        for body in early {
            self.on_frame(now, conn, body, db, out);
        }
    }
}

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
        read_only: read_only.map(|_| false),
    }
}
