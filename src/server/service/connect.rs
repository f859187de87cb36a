//! A connection gets its session: the decision of the handshake is carried out.
//!
//! Apart from mod.rs because no request takes this way: it ends where the session is open.

use bytes::Bytes;

use super::{Output, Service};
use crate::base::{ConnId, Now, SessionId};
use crate::database::Database;
use crate::jute::client::{ConnectRequest, op};
use crate::jute::{Jute, Reader};
use crate::metrics::{Counter, Summary};
use crate::server::connection::State;
use crate::server::connection_stats::LastOp;
use crate::server::handshake::{Decision, Serving};
use crate::server::local_sessions::create_session;
use crate::server::replies;
use crate::session::IdGenerator;

impl Service {
    pub(super) fn on_connect_request(
        &mut self,
        now: Now,
        conn: ConnId,
        frame: Bytes,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Ok(request) = ConnectRequest::decode(&mut Reader::new(frame)) else {
            return self.close(conn, out);
        };
        let is_new = request.session == SessionId(0);
        if self.is_serving && !self.gate.admits_session(now.mono, is_new) {
            tracing::warn!(%conn, "turning a client away: too many sessions begin at once");
            return self.close(conn, out);
        }
        self.metrics.count(Counter::ConnectionRequestCount);
        self.metrics.record(Summary::ConnectionTokenDeficit, self.gate.session_token_deficit());
        match self.handshake.decide(&request, self.serving(), db) {
            Decision::TurnAway => {
                if matches!(self.serving(), Serving::Nobody) {
                    self.metrics.count(Counter::CnxnClosedWithoutZkServerRunning);
                }
                self.close(conn, out);
            }
            Decision::Create { timeout_ms, read_only } => {
                let session = self.next_session_id(now);
                let Some(connection) = self.connections.get_mut(&conn) else { return };
                let asked = now.mono;
                connection.state = State::Creating { session, timeout_ms, read_only, asked };
                self.by_session.insert(session, conn);
                if self.local.open(session, timeout_ms, now.mono) {
                    self.note_session_created(now, conn, db);
                    return self.open(now, conn, session, timeout_ms, read_only, out);
                }
                out.push(Output::Submit(create_session(session, timeout_ms)));
            }
            Decision::Resume { session, timeout_ms, read_only, proven } => {
                self.metrics.count(Counter::ConnectionRevalidateCount);
                // Apache's order: the old connection goes before the password is looked at.
                if let Some(old) = self.by_session.get(&session).copied() {
                    self.close(old, out);
                }
                if !proven {
                    return self.refuse(conn, read_only, out);
                }
                let Some(connection) = self.connections.get_mut(&conn) else { return };
                connection.state = State::Revalidating { session, timeout_ms, read_only };
                self.by_session.insert(session, conn);
                match self.local.resume(session, timeout_ms, now.mono) {
                    Some(valid) => self.on_revalidated(now, session, valid, out),
                    None => out.push(Output::Revalidate { session, timeout_ms }),
                }
            }
        }
    }

    fn serving(&self) -> Serving {
        match (self.is_serving, self.is_read_only()) {
            (true, _) if self.turns_away => Serving::Nobody,
            (true, _) => Serving::Everybody,
            (false, true) => Serving::Readers,
            (false, false) => Serving::Nobody,
        }
    }

    fn next_session_id(&mut self, now: Now) -> SessionId {
        let sid = self.handshake.sid();
        let wall_ms = u64::try_from(now.wall_ms).unwrap_or(0);
        self.ids.get_or_insert_with(|| IdGenerator::new(sid, wall_ms)).next_id()
    }

    /// The leader's word, or our own, on a session that wants to go on here.
    pub(super) fn on_revalidated(
        &mut self,
        now: Now,
        session: SessionId,
        valid: bool,
        out: &mut Vec<Output>,
    ) {
        let Some(conn) = self.by_session.get(&session).copied() else { return };
        let Some(connection) = self.connections.get(&conn) else { return };
        let State::Revalidating { timeout_ms, read_only, .. } = connection.state else { return };
        if valid {
            self.open(now, conn, session, timeout_ms, read_only, out);
        } else {
            self.refuse(conn, read_only, out);
        }
    }

    /// (PrepRequestProcessor: SessionMovedException)
    pub(super) fn on_session_moved(&mut self, session: SessionId) {
        let conn = self.by_session.get(&session);
        if let Some(connection) = conn.and_then(|conn| self.connections.get_mut(conn)) {
            connection.moved = true;
        }
    }

    /// A session is about to be open. Its client has waited for it as for any answer.
    pub(super) fn note_session_created(&mut self, now: Now, conn: ConnId, db: &Database) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let State::Creating { asked, .. } = connection.state else { return };
        let millis = now.mono.since(asked).as_millis() as u64;
        let (op, cxid) = (LastOp::Op(op::CREATE_SESSION), 0);
        self.metrics.record_request(op::CREATE_SESSION, millis);
        connection.stats.note_answer(now.mono, op, cxid, db.last_applied(), millis);
    }

    pub(super) fn open(
        &mut self,
        now: Now,
        conn: ConnId,
        session: SessionId,
        timeout_ms: i32,
        read_only: Option<bool>,
        out: &mut Vec<Output>,
    ) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.state = State::Open { session, timeout_ms };
        let read_only = self.read_only_byte(read_only);
        self.write(conn, replies::connected(session, timeout_ms, read_only), out);
        self.hear(now, session, timeout_ms, op::CREATE_SESSION, out);
        self.gate.recheck(conn);
    }

    fn refuse(&mut self, conn: ConnId, read_only: Option<bool>, out: &mut Vec<Output>) {
        let refused = replies::refused(self.read_only_byte(read_only));
        self.send_away(conn, Some(refused), out);
    }

    /// What `readOnly` says in an answer to a client that knows of it.
    fn read_only_byte(&self, asked: Option<bool>) -> Option<bool> {
        asked.map(|_| self.is_read_only())
    }
}
