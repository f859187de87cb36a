//! How much clients may take of a server. (NIOServerCnxnFactory, ZooKeeperServer.shouldThrottle)
//!
//! A client that asks for more than the server can do is slowed down, never refused in the middle:
//! its frames are held, and once they are many its connection is not read any more.
//!
//!     a frame is held while its connection    has no session yet (createSession is on its way)
//!                                             waits for an answer, and all requests in process are
//!                                                 more than globalOutstandingLimit
//!                                             does not read what it was sent
//!     it is closed once it                    has no session within nio.sessionlessCnxnTimeout
//!                                             was not heard for its session's timeout
//!                                             sends a large request too many
//!                                             lets watch events pile up
//!     it is closed at once if there are       maxCnxns, or maxClientCnxns from its address
//!
//! Connections expire in buckets as sessions do, one sessionless timeout wide: at most that much
//! later than they might. Only the connection ends then; the session goes on.
//!
//! LI-1  frames of one connection are carried out in their order, held or not
//! LI-2  a connection is paused only while it has held frames
//! LI-3  what is held of a connection, and what it is sent, is bounded: by `CLIENT_HELD_BYTES_MAX`
//!       and what one read brings, by `CLIENT_UNSENT_BYTES_HOLD` and the replies to what is pending
//!
//! Different from Apache on purpose: pings and other requests without an xid count too; Apache has
//! no bound on what waits to be sent.
//!
//! Not here: the queue of requests that wait (throttle.rs), new sessions (blue_throttle.rs).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::blue_throttle::BlueThrottle;
use super::connection::{Connection, State, ip_of};
use super::service::{Output, Service};
use super::throttle::RequestThrottler;
use crate::base::limits::{
    CLIENT_HELD_BYTES_MAX, CLIENT_UNSENT_BYTES_HOLD, CLIENT_UNSENT_BYTES_MAX,
};
use crate::base::{ConnId, Mono, Now};
use crate::config::{LearnerType, ServerConfig};
use crate::database::Database;
use crate::jute::client::xid;

/// Of the whole server.
#[derive(Debug)]
pub(super) struct Limits {
    connections_max: u32,
    per_address_max: u32,
    outstanding_max: usize,
    large_request_threshold: usize,
    large_requests_bytes_max: usize,
    sessionless_timeout: Duration,
    pub(super) throttle: RequestThrottler,
    pub(super) sessions: BlueThrottle,
    /// When each connection expires.
    expiry: BTreeSet<(Mono, ConnId)>,
    in_process: Rc<InProcess>,
    /// Connections with held frames that wait for others to be answered.
    waiting: VecDeque<ConnId>,
    /// Connections to be closed at the end of this step.
    doomed: Vec<ConnId>,
}

/// What is asked and not answered. Shared with every request in process.
#[derive(Debug, Default)]
struct InProcess {
    requests: Cell<usize>,
    large_bytes: Cell<usize>,
    /// Held frames of all connections.
    held: Cell<usize>,
    /// Connections whose frames may have become free.
    stirred: RefCell<VecDeque<ConnId>>,
}

/// A request counts as in process as long as this lives.
#[derive(Debug)]
pub(super) struct Admission {
    conn: ConnId,
    /// 0 unless it is a large request.
    large_bytes: usize,
    /// It waited too long, and is answered THROTTLEDOP in its turn.
    pub(super) is_throttled: bool,
    counts: Rc<InProcess>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let counts = &self.counts;
        counts.requests.set(counts.requests.get() - 1);
        counts.large_bytes.set(counts.large_bytes.get() - self.large_bytes);
        counts.stir(self.conn);
    }
}

impl InProcess {
    fn stir(&self, conn: ConnId) {
        if self.held.get() > 0 {
            self.stirred.borrow_mut().push_back(conn);
        }
    }
}

/// Of one connection.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Frames that may not be carried out yet.
    held: VecDeque<Bytes>,
    held_bytes: usize,
    /// It is not read.
    is_paused: bool,
    /// It stands in the queue of those who wait for others.
    is_waiting: bool,
    /// Written, and not known to have left.
    unsent_bytes: usize,
    /// So many of them were there when it was asked whether they have left.
    drain_asked: Option<usize>,
    /// Requests in the throttler's queue.
    pub(super) queued: usize,
    /// Its place in `Limits::expiry`.
    expires: Mono,
}

impl Limits {
    pub(super) fn new(config: &ServerConfig, seed: u64) -> Limits {
        let limits = &config.limits;
        Limits {
            connections_max: limits.connections_max,
            per_address_max: config.max_client_cnxns,
            outstanding_max: outstanding_max(config),
            large_request_threshold: limits.large_request_threshold.unwrap_or(usize::MAX),
            large_requests_bytes_max: limits.large_requests_bytes_max,
            sessionless_timeout: limits.sessionless_timeout.max(Duration::from_millis(1)),
            throttle: RequestThrottler::new(limits),
            sessions: BlueThrottle::new(&limits.connection_throttle, config.local_sessions, seed),
            expiry: BTreeSet::new(),
            in_process: Rc::default(),
            waiting: VecDeque::new(),
            doomed: Vec::new(),
        }
    }

    /// Requests that are asked and not answered.
    pub(super) fn in_process(&self) -> usize {
        self.in_process.requests.get()
    }

    fn is_overloaded(&self) -> bool {
        self.outstanding_max < self.in_process() || self.outstanding_max < self.throttle.len()
    }

    /// Why no further connection from this address is taken, if so.
    fn refuses(&self, all: usize, from_address: u32) -> Option<&'static str> {
        if self.connections_max > 0 && all >= self.connections_max as usize {
            Some("maxCnxns")
        } else if self.per_address_max > 0 && from_address >= self.per_address_max {
            Some("maxClientCnxns")
        } else {
            None
        }
    }

    /// Of large requests, and among these.
    fn fits(&self, bytes: usize) -> bool {
        let in_process = self.in_process.large_bytes.get();
        bytes <= self.large_request_threshold
            || in_process.saturating_add(bytes) <= self.large_requests_bytes_max
    }

    fn admit(&self, conn: ConnId, bytes: usize, is_throttled: bool) -> Admission {
        let counts = Rc::clone(&self.in_process);
        let large_bytes = if bytes > self.large_request_threshold { bytes } else { 0 };
        counts.requests.set(counts.requests.get() + 1);
        counts.large_bytes.set(counts.large_bytes.get() + large_bytes);
        Admission { conn, large_bytes, is_throttled, counts }
    }

    /// The connection was heard now. (NIOServerCnxnFactory.touchCnxn)
    fn touch(&mut self, now: Mono, conn: ConnId, connection: &mut Connection) {
        let timeout = match connection.state {
            State::Greeting => self.sessionless_timeout,
            State::Creating { timeout_ms, .. }
            | State::Revalidating { timeout_ms, .. }
            | State::Open { timeout_ms, .. } => {
                Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0))
            }
        };
        let bucket = u64::try_from(self.sessionless_timeout.as_nanos()).unwrap_or(u64::MAX);
        let expires = Mono(((now + timeout).0 / bucket).saturating_add(1).saturating_mul(bucket));
        let before = std::mem::replace(&mut connection.flow.expires, expires);
        if before != expires {
            self.expiry.remove(&(before, conn));
            self.expiry.insert((expires, conn));
        }
    }

    /// Of a connection that is no more.
    pub(super) fn forget(&mut self, conn: ConnId, connection: &Connection) {
        self.expiry.remove(&(connection.flow.expires, conn));
        let held = &self.in_process.held;
        held.set(held.get() - connection.flow.held.len());
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.in_process.stirred.borrow_mut().clear();
        self.throttle.clear();
    }
}

/// Each server's share of globalOutstandingLimit: the leader prepares what all of them let pass.
/// (FollowerZooKeeperServer, LeaderZooKeeperServer.getGlobalOutstandingLimit)
fn outstanding_max(config: &ServerConfig) -> usize {
    let votes = |kind: LearnerType| kind == LearnerType::Participant;
    let voters = config.servers.values().filter(|server| votes(server.learner_type)).count();
    let is_voter = config.servers.get(&config.my_id).is_some_and(|me| votes(me.learner_type));
    let divisor = if is_voter && voters > 2 { voters - 1 } else { 1 };
    config.limits.outstanding_max as usize / divisor
}

impl Service {
    pub(super) fn on_accepted(
        &mut self,
        now: Now,
        conn: ConnId,
        peer: String,
        out: &mut Vec<Output>,
    ) {
        let count = self.per_address.get(ip_of(&peer)).copied().unwrap_or(0);
        if let Some(limit) = self.limits.refuses(self.connections.len(), count) {
            tracing::warn!(%peer, limit, "Too many connections");
            return out.push(Output::Close(conn));
        }
        self.per_address.insert(ip_of(&peer).to_string(), count + 1);
        let mut connection = Connection::new(peer);
        self.limits.touch(now.mono, conn, &mut connection);
        self.connections.insert(conn, connection);
    }

    /// When [`super::Input::Timer`] has something to do, `Mono::FAR` if never.
    pub fn next_deadline(&self) -> Mono {
        let expiry = self.limits.expiry.first().map_or(Mono::FAR, |(at, _)| *at);
        let sessions = self.next_local_expiry().unwrap_or(Mono::FAR);
        expiry.min(sessions).min(self.limits.throttle.next_check())
    }

    pub(super) fn on_timer(&mut self, now: Now, out: &mut Vec<Output>) {
        self.expire_local_sessions(now, out);
        while let Some((at, conn)) = self.limits.expiry.first().copied() {
            if at > now.mono {
                break;
            }
            let peer = self.connections.get(&conn).map_or("", |connection| &connection.peer);
            tracing::info!(peer, "closing a client that was not heard: its connection expired");
            self.drop_connection(conn, out);
        }
    }

    /// A whole frame of a connection. Those before it may be held.
    pub(super) fn on_frame(
        &mut self,
        now: Now,
        conn: ConnId,
        body: Bytes,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.received += 1;
        self.stats.received += 1;
        if !self.limits.fits(body.len()) {
            return self.reject_large(conn, out);
        }
        if connection.flow.held.is_empty() && !self.is_blocked(conn) {
            self.take_frame(now, conn, body, db, out);
        } else {
            self.hold(now, conn, body, out);
        }
        if let Some(connection) = self.connections.get_mut(&conn) {
            self.limits.touch(now.mono, conn, connection);
        }
    }

    fn reject_large(&mut self, conn: ConnId, out: &mut Vec<Output>) {
        let peer = self.connections.get(&conn).map_or("", |connection| &connection.peer);
        tracing::warn!(peer, "closing a client: too many bytes of large requests are in process");
        self.drop_connection(conn, out);
    }

    /// Counts a request as in process; `None` ends its connection, and did so already.
    pub(super) fn admit(
        &mut self,
        conn: ConnId,
        bytes: usize,
        is_throttled: bool,
        out: &mut Vec<Output>,
    ) -> Option<Admission> {
        if self.limits.fits(bytes) {
            return Some(self.limits.admit(conn, bytes, is_throttled));
        }
        self.reject_large(conn, out);
        None
    }

    /// Whether a frame of this connection must wait.
    fn is_blocked(&self, conn: ConnId) -> bool {
        let Some(connection) = self.connections.get(&conn) else { return false };
        let waits_for_others = connection.is_busy() && self.limits.is_overloaded();
        waits_for_others || self.is_blocked_alone(connection)
    }

    /// For a reason of its own.
    fn is_blocked_alone(&self, connection: &Connection) -> bool {
        matches!(connection.state, State::Creating { .. } | State::Revalidating { .. })
            || connection.flow.unsent_bytes >= CLIENT_UNSENT_BYTES_HOLD
    }

    fn hold(&mut self, now: Now, conn: ConnId, body: Bytes, out: &mut Vec<Output>) {
        // It waits here, but it was heard.
        let state = self.connections.get(&conn).map(|connection| connection.state);
        if let Some(State::Open { session, timeout_ms }) = state {
            self.touch_session(now, session, timeout_ms, out);
        }
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let flow = &mut connection.flow;
        flow.held_bytes += body.len();
        flow.held.push_back(body);
        if flow.held_bytes > CLIENT_HELD_BYTES_MAX && !flow.is_paused {
            flow.is_paused = true;
            out.push(Output::Pause(conn));
        }
        let counts = &self.limits.in_process;
        counts.held.set(counts.held.get() + 1);
        counts.stir(conn);
    }

    /// What the connection was waiting for may have come.
    pub(super) fn stir(&self, conn: ConnId) {
        self.limits.in_process.stir(conn);
    }

    /// Ends a step: carries out what was held and may go on now, and closes who must go.
    pub(super) fn settle(&mut self, now: Now, db: &Database, out: &mut Vec<Output>) {
        loop {
            for conn in std::mem::take(&mut self.limits.doomed) {
                if self.connections.contains_key(&conn) {
                    tracing::warn!(%conn, "closing a client that does not read what it is sent");
                    self.drop_connection(conn, out);
                }
            }
            self.drain_throttle(now, db, out);
            let stirred = self.limits.in_process.stirred.borrow_mut().pop_front();
            if let Some(conn) = stirred {
                self.release_one(now, conn, false, db, out);
                continue;
            }
            let next =
                if self.limits.is_overloaded() { None } else { self.limits.waiting.pop_front() };
            match next {
                Some(conn) => self.release_one(now, conn, true, db, out),
                None if self.limits.doomed.is_empty() => return,
                None => {}
            }
        }
    }

    /// Carries out the oldest held frame of a connection if it may be; `its_turn`: it has waited.
    fn release_one(
        &mut self,
        now: Now,
        conn: ConnId,
        its_turn: bool,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.flow.is_waiting &= !its_turn;
        let connection = &self.connections[&conn];
        if connection.flow.held.is_empty() || self.is_blocked_alone(connection) {
            return;
        }
        let others_first = !its_turn && !self.limits.waiting.is_empty();
        let waits = connection.is_busy() && (self.limits.is_overloaded() || others_first);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let flow = &mut connection.flow;
        if waits {
            if !flow.is_waiting {
                flow.is_waiting = true;
                self.limits.waiting.push_back(conn);
            }
            return;
        }
        let Some(body) = flow.held.pop_front() else { return };
        flow.held_bytes -= body.len();
        let held = &self.limits.in_process.held;
        held.set(held.get() - 1);
        if flow.held.is_empty() && flow.is_paused {
            flow.is_paused = false;
            out.push(Output::Resume(conn));
        }
        self.take_frame(now, conn, body, db, out);
        self.stir(conn);
    }

    /// Bytes were written to a connection: once they are many, we ask whether they have left.
    pub(super) fn note_written(&mut self, conn: ConnId, frame: &[u8], out: &mut Vec<Output>) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let flow = &mut connection.flow;
        // Replies end with the requests, which are held; events come by themselves.
        let is_event = frame.get(4..8) == Some(&xid::NOTIFICATION.to_be_bytes());
        if is_event && flow.unsent_bytes > CLIENT_UNSENT_BYTES_MAX {
            self.limits.doomed.push(conn);
        }
        flow.unsent_bytes += frame.len();
        ask_drained(conn, flow, out);
    }

    pub(super) fn on_drained(&mut self, conn: ConnId, out: &mut Vec<Output>) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let flow = &mut connection.flow;
        flow.unsent_bytes -= flow.drain_asked.take().unwrap_or(0);
        ask_drained(conn, flow, out);
        self.stir(conn);
    }
}

fn ask_drained(conn: ConnId, flow: &mut Flow, out: &mut Vec<Output>) {
    if flow.drain_asked.is_none() && flow.unsent_bytes >= CLIENT_UNSENT_BYTES_HOLD / 2 {
        flow.drain_asked = Some(flow.unsent_bytes);
        out.push(Output::NotifyDrained(conn));
    }
}

#[cfg(test)]
#[path = "limits_test.rs"]
mod tests;
