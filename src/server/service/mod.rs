//! All client connections of one server: what comes in, in the order in which it is dealt with.
//!
//! The way of a request stands here whole, in `on_frame`, `carry_out` and `begin`:
//!
//!     gate        may its connection be heard now?                    Admit, Hold, Refuse
//!     state       is a session open, or does this ask for one?        then connect.rs
//!     session     it was heard; is it closing?
//!     gate        does the request wait in the queue first?           Admit, Hold
//!     authority   is it a proof, and may this client ask at all?      a decision of auth/
//!     gate        is it one large request too many?
//!     begin       who answers: the leader by a transaction or a sync, or this server in its turn
//!
//! Those who are asked answer with values: they neither write, close nor submit. What goes back to
//! clients is answer.rs; what an operator is shown, figures.rs.

mod answer;
mod auditing;
#[cfg(test)]
mod auditing_test;
#[cfg(test)]
mod bench;
mod closing;
mod connect;
mod figures;
#[cfg(test)]
mod handshake_test;
mod invariants;
#[cfg(test)]
mod limits_test;
#[cfg(test)]
mod local_sessions_test;
mod messages;
#[cfg(test)]
mod reads_test;
#[cfg(test)]
mod replies_test;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::audit::{Audit, Audited};
use super::auth::{Authority, Decision};
use super::connection::{Connection, Pending, State, Wait};
use super::gate::{Asked, Gate, Leaving, Queued, Verdict};
use super::handshake::Handshake;
use super::local_sessions::Local;
use super::reads;
use super::watches::Watches;
use crate::base::{ConnId, Mono, Now, SessionId};
use crate::config::ServerConfig;
use crate::database::Database;
use crate::jute::client::{RequestHeader, op};
use crate::jute::{Jute, Reader};
use crate::metrics::{Counter, Metrics};
use crate::prepare::{self, Request};
use crate::runtime::ip_of;
use crate::session::IdGenerator;

pub use messages::{
    ConnectionFlow, ConnectionLine, Input, Output, Seeds, ServiceStats, WaitingConnections,
};

/// What a frame has in front.
const LENGTH_BYTES: u64 = 4;

/// Every connection, what belongs to all of them, and who is asked about them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Service {
    /// Each apart: a map of them as they are has room for as many that are not there.
    connections: BTreeMap<ConnId, Box<Connection>>,
    by_session: BTreeMap<SessionId, ConnId>,
    /// Connections with a sync that waits for the tree to come so far.
    reaching: BTreeSet<ConnId>,
    gate: Gate,
    authority: Authority,
    handshake: Handshake,
    local: Local,
    watches: Watches,
    ids: Option<IdGenerator>,
    is_serving: bool,
    /// Serves, and takes no clients.
    turns_away: bool,
    stats: ServiceStats,
    #[serde(skip)]
    metrics: Metrics,
    #[serde(skip)]
    audit: Audit,
}

impl Service {
    pub fn new(config: &ServerConfig, seeds: Seeds, metrics: Metrics) -> Service {
        Service {
            connections: BTreeMap::new(),
            by_session: BTreeMap::new(),
            reaching: BTreeSet::new(),
            gate: Gate::new(config, seeds.connection_throttle),
            authority: Authority::new(config, seeds.nonces, metrics.clone()),
            handshake: Handshake::new(config),
            local: Local::new(config),
            watches: Watches::default(),
            ids: None,
            is_serving: false,
            turns_away: false,
            stats: ServiceStats::default(),
            metrics,
            audit: Audit::new(config),
        }
    }

    pub fn step(&mut self, now: Now, input: Input, db: &Database, out: &mut Vec<Output>) {
        self.gate.begin_step(now.mono);
        self.on_input(now, input, db, out);
        self.invariants();
    }

    fn on_input(&mut self, now: Now, input: Input, db: &Database, out: &mut Vec<Output>) {
        match input {
            Input::Accepted { conn, peer, subject } => {
                self.on_accepted(now, conn, peer, subject, out);
            }
            Input::Frame { conn, body } => self.on_frame(now, conn, body, db, out),
            Input::Lost { conn } => {
                if self.connections.contains_key(&conn) {
                    self.metrics.count(Counter::ConnectionDropCount);
                }
                self.forget(conn);
                self.gate.on_gone(conn);
            }
            Input::Drained { conn } => self.on_drained(now, conn, db, out),
            Input::Applied { proposal, applied } => {
                self.on_applied(now, &proposal, &applied, db, out);
            }
            Input::SyncDone { conn, zxid } => self.on_sync_done(now, conn, zxid, db, out),
            Input::Revalidated { session, valid } => {
                self.on_revalidated(now, session, valid, out);
            }
            Input::Timer => self.on_timer(now, out),
            Input::Limits(config) => self.gate.set_limits(&config),
            // Nothing that was held becomes free by these.
            Input::Word { conn } => return self.count_word(conn),
            Input::Serve => return self.begin_serving(false),
            Input::ServeLearners => return self.begin_serving(true),
            Input::ServeReadOnly => {
                self.audit.on_serving();
                return self.local.begin_read_only();
            }
            Input::Finish => return self.gate.finish(),
            Input::Stop => return self.stop(out),
            Input::SessionMoved { session } => return self.on_session_moved(session),
        }
        self.end_step(now, db, out);
    }

    /// The way of a request, first part: a frame has come. Those before it may be held.
    fn on_frame(
        &mut self,
        now: Now,
        conn: ConnId,
        frame: Bytes,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.received += 1;
        self.stats.received += 1;
        self.metrics.add(Counter::BytesReceived, LENGTH_BYTES + frame.len() as u64);
        if connection.is_closing() {
            return; // Whatever it asks, its session is over.
        }
        match self.gate.judge_frame(&frame, &connection.flow, connection.standing()) {
            Verdict::Admit => self.carry_out(now, conn, frame, db, out),
            Verdict::Hold => self.hold(now, conn, frame, out),
            Verdict::Refuse => return self.close_for_large_requests(conn, out),
        }
        if let Some(connection) = self.connections.get_mut(&conn) {
            let timeout_ms = connection.timeout_ms();
            self.gate.touch(now.mono, conn, timeout_ms, &mut connection.flow);
        }
    }

    /// Second part: the frame's turn has come, at once or after it was held.
    fn carry_out(
        &mut self,
        now: Now,
        conn: ConnId,
        frame: Bytes,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(connection) = self.connections.get(&conn) else { return };
        let (session, timeout_ms) = match connection.state {
            State::Greeting => return self.on_connect_request(now, conn, frame, db, out),
            State::Creating { .. } | State::Revalidating { .. } => return,
            State::Open { session, timeout_ms } => (session, timeout_ms),
        };
        let mut from = Reader::new(frame);
        let Ok(header) = RequestHeader::decode(&mut from) else { return self.close(conn, out) };
        if !self.hear(now, session, timeout_ms, header.op, out) {
            return;
        }
        let (body, received) = (from.rest(), now.mono);
        let (is_throttled, is_stale) = (false, false);
        let asked = Asked { session, timeout_ms, header, body, received, is_throttled, is_stale };
        match self.gate.judge_request(asked.header.op) {
            // `end_step` takes it out of the queue again.
            Verdict::Hold => self.enqueue(conn, asked),
            _ => self.begin(now, conn, asked, db, out),
        }
    }

    /// Third part: a request is taken up, at once or out of the queue. It takes its place behind
    /// those of its connection, to be answered in their order.
    fn begin(
        &mut self,
        now: Now,
        conn: ConnId,
        asked: Asked,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Asked { session, header, body, received, is_throttled, .. } = asked;
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let Connection { peer, auth, sasl, .. } = &mut **connection;
        let decision = match is_throttled {
            true => Decision::Pass,
            false => self.authority.screen(peer, auth, sasl, &header, &body, db),
        };
        let refused = match decision {
            Decision::Pass => None,
            Decision::Refuse(err) => Some(err),
            Decision::Reply { ids, reply } => {
                connection.grant(ids);
                return self.write(conn, reply, out);
            }
            Decision::Dismiss { reply } => return self.send_away(conn, reply, out),
        };
        let Some(admission) = self.gate.admit(body.len(), &mut connection.flow) else {
            return self.close_for_large_requests(conn, out);
        };
        let wait = match (refused, header.op) {
            (Some(err), _) => Wait::Refused(err),
            _ if is_throttled => Wait::Throttled,
            (None, op) if has_moved(connection, op) => Wait::Moved,
            (None, op) if self.local.stays_here(session, op) => Wait::Turn,
            (None, op) if let Some(decoded) = prepare::read(op, &body) => {
                let upgrade = self.local.upgrade(session, op, &body);
                out.extend(upgrade.map(Output::Submit));
                let (cxid, auth, body) = (header.xid, connection.auth.clone(), body.clone());
                let request = Request { session, cxid, op, body, decoded, auth, origin: 0 };
                out.push(Output::Submit(request));
                Wait::Commit
            }
            (None, op::SYNC) => {
                out.push(Output::Sync { conn, session, cxid: header.xid, body: body.clone() });
                Wait::SyncAnswer
            }
            (None, _) => Wait::Turn,
        };
        let pending = Pending { header, body, wait, received, admission, reply: None };
        if connection.pending.capacity() == 0 {
            connection.pending.reserve_exact(1);
        }
        connection.pending.push_back(pending);
        connection.counts_idle = true;
        self.answer_ready(now, conn, db, out);
    }

    /// Ends a step: closes those who do not read, and carries out what was held or queued and may
    /// go on now.
    fn end_step(&mut self, now: Now, db: &Database, out: &mut Vec<Output>) {
        loop {
            for conn in self.gate.take_overfull() {
                if self.connections.contains_key(&conn) {
                    tracing::warn!(%conn, "closing a client that does not read what it is sent");
                    self.close(conn, out);
                }
            }
            self.ask_who_was_not_asked(out);
            self.drain_queue(now, db, out);
            if let Some(conn) = self.gate.next_with_room().or_else(|| self.gate.next_in_turn()) {
                self.go_on(now, conn, db, out);
                continue;
            }
            match self.gate.next_to_recheck() {
                Some((conn, has_waited)) => self.release(now, conn, has_waited, db, out),
                None if self.gate.has_overfull() => {}
                None => return,
            }
        }
    }

    /// Carries out the oldest held frame of a connection if it may be.
    fn release(
        &mut self,
        now: Now,
        conn: ConnId,
        has_waited: bool,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let standing = connection.standing();
        let released = self.gate.release(conn, has_waited, &mut connection.flow, standing);
        let Some((frame, resumes)) = released else { return };
        if resumes {
            out.push(Output::Resume(conn));
        }
        self.carry_out(now, conn, frame, db, out);
        self.gate.recheck(conn);
    }

    /// Lets requests leave the queue as long as there is room for them.
    fn drain_queue(&mut self, now: Now, db: &Database, out: &mut Vec<Output>) {
        loop {
            let is_connected = |conn| self.connections.contains_key(&conn);
            match self.gate.next_queued(now.mono, is_connected) {
                Some(Leaving::Request(queued)) => self.leave_queue(now, queued, db, out),
                Some(Leaving::Stale(conn, requests)) => {
                    self.metrics.add(Counter::StaleRequestsDropped, requests as u64);
                    tracing::warn!(%conn, requests, "dropping stale requests");
                    if self.connections.contains_key(&conn) {
                        self.close(conn, out);
                    }
                }
                None => return,
            }
        }
    }

    fn leave_queue(&mut self, now: Now, queued: Queued, db: &Database, out: &mut Vec<Output>) {
        let Queued { conn, asked, auth } = queued;
        self.count_queued(now, &asked);
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.flow.leave_queue();
            return self.begin(now, conn, asked, db, out);
        }
        // Nobody waits for the answer any more, but what was asked is done.
        let Asked { session, header: RequestHeader { xid: cxid, op }, body, is_throttled, .. } =
            asked;
        if !is_throttled && let Some(decoded) = prepare::read(op, &body) {
            if self.audit.is_on() {
                let (body, auth) = (body.clone(), auth.clone());
                self.audit.keep(Audited { session, cxid, op, body, auth });
            }
            let request = Request { session, cxid, op, body, decoded, auth, origin: 0 };
            out.push(Output::Submit(request));
        }
    }

    fn enqueue(&mut self, conn: ConnId, asked: Asked) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let auth = connection.auth.clone();
        if self.gate.queue_is_full() {
            self.metrics.count(Counter::RequestThrottleWaitCount);
        }
        self.gate.enqueue(conn, asked, auth, &mut connection.flow);
    }

    fn hold(&mut self, now: Now, conn: ConnId, frame: Bytes, out: &mut Vec<Output>) {
        // It waits here, but it was heard.
        let state = self.connections.get(&conn).map(|connection| connection.state);
        if let Some(State::Open { session, timeout_ms }) = state
            && let Ok(header) = RequestHeader::decode(&mut Reader::new(frame.clone()))
        {
            self.hear(now, session, timeout_ms, header.op, out);
        }
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if self.gate.hold(conn, frame, &mut connection.flow) {
            out.push(Output::Pause(conn));
        }
    }

    /// The session was heard, unless it only tried to prove who it is: who gets nowhere with that is to
    /// lose the session some time. (ZooKeeperServer.processPacket)
    /// False: it is closing, and what it asks is dropped (LS-1).
    fn hear(
        &mut self,
        now: Now,
        session: SessionId,
        timeout_ms: i32,
        op: i32,
        out: &mut Vec<Output>,
    ) -> bool {
        if matches!(op, op::AUTH | op::SASL) {
            return !self.local.is_closing(session);
        }
        let touched = self.local.touch(session, timeout_ms, now.mono);
        if touched.is_none() {
            out.push(Output::Touch { session, timeout_ms });
        }
        touched.unwrap_or(true)
    }

    fn on_accepted(
        &mut self,
        now: Now,
        conn: ConnId,
        peer: String,
        subject: Option<String>,
        out: &mut Vec<Output>,
    ) {
        let mut connection = Connection::new(now, peer);
        let ip = ip_of(&connection.peer);
        if let Err(limit) = self.gate.accept(now.mono, conn, ip, &mut connection.flow) {
            tracing::warn!(peer = connection.peer, limit, "Too many connections");
            self.metrics.count(Counter::ConnectionRejected);
            return out.push(Output::Close(conn));
        }
        match subject {
            Some(subject) => connection.grant(self.authority.ids_of_subject(subject)),
            None => self.count_without_certificate(&connection.peer),
        }
        self.connections.insert(conn, Box::new(connection));
    }

    fn on_drained(&mut self, now: Now, conn: ConnId, db: &Database, out: &mut Vec<Output>) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if self.gate.on_drained(conn, &mut connection.flow) {
            out.push(Output::NotifyDrained(conn));
        }
        self.go_on(now, conn, db, out);
    }

    fn on_timer(&mut self, now: Now, out: &mut Vec<Output>) {
        for session in self.local.expire(now.mono) {
            tracing::info!(%session, "local session expired");
            self.metrics.count(Counter::StaleSessionsExpired);
            if let Some(conn) = self.by_session.get(&session).copied() {
                self.close(conn, out);
            }
        }
        while let Some(conn) = self.gate.next_expired(now.mono) {
            let peer = self.connections.get(&conn).map_or("", |connection| &connection.peer);
            tracing::info!(peer, "closing a client that was not heard: its connection expired");
            self.metrics.count(Counter::SessionlessConnectionsExpired);
            self.close(conn, out);
        }
        while let Some(conn) = self.gate.next_unread(now.mono) {
            let peer = self.connections.get(&conn).map_or("", |connection| &connection.peer);
            tracing::warn!(peer, "closing a client that does not read, while others wait for room");
            self.close(conn, out);
        }
    }

    fn begin_serving(&mut self, turns_away: bool) {
        (self.is_serving, self.turns_away) = (true, turns_away);
        self.audit.on_serving();
    }

    /// The role ended.
    fn stop(&mut self, out: &mut Vec<Output>) {
        (self.is_serving, self.turns_away) = (false, false);
        self.gate.clear();
        let all: BTreeSet<ConnId> = self.connections.keys().copied().collect();
        for conn in all {
            self.close(conn, out);
        }
        self.local.end();
        self.audit.clear();
    }

    /// When [`Input::Timer`] has something to do, `Mono::FAR` if never.
    pub fn next_deadline(&self) -> Mono {
        self.gate.next_deadline().min(self.local.next_expiry().unwrap_or(Mono::FAR))
    }

    pub fn is_serving(&self) -> bool {
        self.is_serving
    }

    /// Clients are told to look elsewhere.
    pub fn turns_away(&self) -> bool {
        self.turns_away
    }

    pub fn is_read_only(&self) -> bool {
        self.local.is_read_only()
    }
}

/// Whether a request comes too late, from where its session is no more. Of writes the leader judges
/// when it prepares them, and a session may be closed from anywhere.
fn has_moved(connection: &Connection, op: i32) -> bool {
    connection.moved && reads::is_known(op) && !prepare::supports(op)
}
