//! How much clients may take of a server.   (NIOServerCnxnFactory, ZooKeeperServer.shouldThrottle)
//!
//! Every connection, frame, request and session of a client passes here and is admitted, held or
//! refused. The gate decides and counts; who asks it, in which order, stands in service/mod.rs.
//!
//! A client that asks for more than the server can do is slowed down, never refused in the middle:
//! its frames are held, and once they are many its connection is not read any more.
//!
//!     a frame is held while its connection    has no session yet (createSession is on its way)
//!                                             waits for an answer, and all requests in process are
//!                                                 more than globalOutstandingLimit
//!                                             does not read what it was sent, or waits to be sent more
//!                                             has many bytes of requests in process
//!                                             and any, once the server is about to end
//!     it is closed once it                    has no session within nio.sessionlessCnxnTimeout
//!                                             was not heard for its session's timeout
//!                                             sends a large request too many
//!                                             lets watch events pile up
//!                                             lets lie what others wait for to leave (outflow.rs)
//!     it is closed at once if there are       maxCnxns, or maxClientCnxns from its address
//!
//! Connections expire in buckets as sessions do, one sessionless timeout wide: at most that much
//! later than they might. Only the connection ends then; the session goes on.
//!
//! LI-1  frames of one connection are carried out in their order, held or not
//! LI-2  a connection is paused only while it has held frames
//! LI-3  what is held of a connection, what it is asked, and what it is sent, is bounded: by
//!       `CLIENT_HELD_BYTES_MAX` and what one read brings, by `CLIENT_PENDING_BYTES_HOLD` and one
//!       request, by `maxClientPendingResponseBytes` and one reply. The replies to writes in
//!       process come on top: they are made when they are committed, and are no longer than four
//!       times the requests
//!
//! Different from Apache on purpose: pings and other requests without an xid count too; Apache has
//! no bound on what waits to be sent.
//!
//! Over 500 lines: one type, with every limit that it keeps.
//!
//! queue.rs is the queue of requests that wait, outflow.rs is about what is sent and not taken,
//! turn.rs about how much one step answers (sending.rs is what the service asks of both), blue_throttle.rs about new sessions,
//! figures.rs what is counted of all this.

mod blue_throttle;
mod figures;
mod invariants;
mod outflow;
mod queue;
mod sending;
mod turn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::base::limits::{CLIENT_HELD_BYTES_MAX, CLIENT_PENDING_BYTES_HOLD};
use crate::base::{ConnId, Mono};
use crate::config::{LearnerType, ServerConfig};
use crate::jute::client::{op, xid};
use crate::jute::data::Ids;

use blue_throttle::BlueThrottle;
use outflow::{Outflow, Sent};
use queue::RequestQueue;
pub(super) use queue::{Asked, Leaving, Queued};
use serde::{Deserialize, Serialize};
use turn::{Taken, Turns};

/// What becomes of a frame or of a request now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Admit,
    Hold,
    /// Its connection is to be closed.
    Refuse,
}

/// A request counts as in process from when this is made until it is given back.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Admission {
    /// 1, or 0 once it is in process no longer.
    requests: usize,
    bytes: usize,
    /// 0 unless it is a large request.
    large_bytes: usize,
}

impl Admission {
    /// Of what is not in process.
    pub(super) const NONE: Admission = Admission { requests: 0, bytes: 0, large_bytes: 0 };
}

/// What the gate is told of a connection whose frame it judges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// Its session is on its way.
    pub(super) awaits_session: bool,
    /// Requests of it are in process.
    pub(super) awaits_answer: bool,
}

/// What the gate keeps with each connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Flow {
    /// Frames that may not be carried out yet.
    held: VecDeque<Bytes>,
    held_bytes: usize,
    /// It is not read.
    is_paused: bool,
    /// It stands among `Gate::waiting`.
    is_waiting: bool,
    sent: Sent,
    taken: Taken,
    /// Bytes of its requests in process.
    pending_bytes: usize,
    /// Requests in the queue.
    queued: usize,
    /// Its place in `Gate::expiry`.
    expires: Mono,
}

/// What one connection counts for.
#[derive(Clone)]
pub(super) struct Member<'a> {
    ip: &'a str,
    flow: &'a Flow,
    /// Its requests in process, and the bytes of the large ones.
    requests: usize,
    bytes: usize,
    large_bytes: usize,
}

impl<'a> Member<'a> {
    pub(super) fn new(
        ip: &'a str,
        flow: &'a Flow,
        in_process: impl Iterator<Item = Admission>,
    ) -> Member<'a> {
        let (mut requests, mut bytes, mut large_bytes) = (0, 0, 0);
        for admission in in_process {
            requests += admission.requests;
            bytes += admission.bytes;
            large_bytes += admission.large_bytes;
        }
        Member { ip, flow, requests, bytes, large_bytes }
    }
}

/// The limits of the whole server, and what counts against them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Gate {
    connections_max: u32,
    per_address_max: u32,
    outstanding_max: usize,
    large_request_threshold: usize,
    large_requests_bytes_max: usize,
    sessionless_timeout: Duration,

    /// What clients ask from now on waits: the server is about to end.
    is_finishing: bool,

    connections: usize,
    per_address: BTreeMap<String, u32>,
    /// When each connection expires.
    expiry: BTreeSet<(Mono, ConnId)>,
    /// Requests that are asked and not answered, and the bytes of the large ones among them.
    requests: usize,
    large_bytes: usize,
    /// Held frames of all connections.
    held: usize,
    /// Connections whose held frames may have become free.
    to_recheck: VecDeque<ConnId>,
    /// Connections with held frames that wait until fewer requests are in process.
    waiting: VecDeque<ConnId>,
    /// Connections that let too many watch events pile up.
    overfull: Vec<ConnId>,
    outflow: Outflow,
    turns: Turns,
    queue: RequestQueue,
    sessions: BlueThrottle,
}

impl Gate {
    /// `seed`: random bits, for whom to turn away.
    pub(super) fn new(config: &ServerConfig, seed: u64) -> Gate {
        let limits = &config.limits;
        Gate {
            connections_max: limits.connections_max,
            per_address_max: config.max_client_cnxns,
            outstanding_max: outstanding_max(config),
            large_request_threshold: limits.large_request_threshold.unwrap_or(usize::MAX),
            large_requests_bytes_max: limits.large_requests_bytes_max,
            sessionless_timeout: limits.sessionless_timeout.max(Duration::from_millis(1)),
            is_finishing: false,
            connections: 0,
            per_address: BTreeMap::new(),
            expiry: BTreeSet::new(),
            requests: 0,
            large_bytes: 0,
            held: 0,
            to_recheck: VecDeque::new(),
            waiting: VecDeque::new(),
            overfull: Vec::new(),
            outflow: Outflow::new(limits),
            turns: Turns::default(),
            queue: RequestQueue::new(limits),
            sessions: BlueThrottle::new(&limits.connection_throttle, config.local_sessions, seed),
        }
    }

    /// Other limits count from now on. Who has more than is allowed now keeps it.
    pub(super) fn set_limits(&mut self, config: &ServerConfig) {
        let limits = &config.limits;
        self.connections_max = limits.connections_max;
        self.per_address_max = config.max_client_cnxns;
        self.outstanding_max = outstanding_max(config);
        self.large_request_threshold = limits.large_request_threshold.unwrap_or(usize::MAX);
        self.large_requests_bytes_max = limits.large_requests_bytes_max;
        self.sessions.set_limits(&limits.connection_throttle, config.local_sessions);
    }

    /// A new connection. An error is the limit for which it is refused.
    pub(super) fn accept(
        &mut self,
        now: Mono,
        conn: ConnId,
        ip: &str,
        flow: &mut Flow,
    ) -> Result<(), &'static str> {
        let from_address = self.per_address.get(ip).copied().unwrap_or(0);
        if self.connections_max > 0 && self.connections >= self.connections_max as usize {
            return Err("maxCnxns");
        }
        if self.per_address_max > 0 && from_address >= self.per_address_max {
            return Err("maxClientCnxns");
        }
        self.connections += 1;
        self.per_address.insert(ip.to_owned(), from_address + 1);
        self.touch(now, conn, None, flow);
        Ok(())
    }

    /// The connection is gone. What is in process of it is given back one by one.
    pub(super) fn forget(&mut self, conn: ConnId, ip: &str, flow: &Flow) {
        self.connections -= 1;
        self.outflow.forget(conn, &flow.sent);
        self.expiry.remove(&(flow.expires, conn));
        self.held -= flow.held.len();
        if let Some(count) = self.per_address.get_mut(ip) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(ip);
            }
        }
    }

    /// The connection has ended, and nothing that was written to it is on the way any more.
    pub(super) fn on_gone(&mut self, conn: ConnId) {
        self.outflow.on_gone(conn);
    }

    /// The server is about to end: it carries out nothing more than it has begun.
    pub(super) fn finish(&mut self) {
        self.is_finishing = true;
    }

    /// Whether anything that was asked is not answered yet.
    pub(super) fn has_outstanding(&self) -> bool {
        self.requests > 0 || self.queue.len() > 0
    }

    /// The role ended: nothing waits any more.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.turns.clear();
        self.to_recheck.clear();
        self.queue.clear();
    }

    /// The connection was heard now. `timeout_ms` is that of its session, if it has one.
    /// (NIOServerCnxnFactory.touchCnxn)
    pub(super) fn touch(
        &mut self,
        now: Mono,
        conn: ConnId,
        timeout_ms: Option<i32>,
        flow: &mut Flow,
    ) {
        let timeout = timeout_ms.map_or(self.sessionless_timeout, |timeout_ms| {
            Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0))
        });
        let bucket = u64::try_from(self.sessionless_timeout.as_nanos()).unwrap_or(u64::MAX);
        let expires = Mono(((now + timeout).0 / bucket).saturating_add(1).saturating_mul(bucket));
        let before = std::mem::replace(&mut flow.expires, expires);
        if before != expires {
            self.expiry.remove(&(before, conn));
            self.expiry.insert((expires, conn));
        }
    }

    /// When each connection expires, the earliest first.
    pub(super) fn expiry(&self) -> impl Iterator<Item = (Mono, ConnId)> {
        self.expiry.iter().copied()
    }

    /// A connection that was not heard for too long.
    pub(super) fn next_expired(&self, now: Mono) -> Option<ConnId> {
        self.expiry.first().filter(|(at, _)| *at <= now).map(|(_, conn)| *conn)
    }

    /// When a connection expires or the queue wants to be looked at, at the earliest.
    pub(super) fn next_deadline(&self) -> Mono {
        let expiry = self.expiry.first().map_or(Mono::FAR, |(at, _)| *at);
        let sending = self.outflow.next_deadline().min(self.turns.next_deadline());
        expiry.min(self.queue.next_check()).min(sending)
    }

    /// A frame that has come, with those before it perhaps still held.
    pub(super) fn judge_frame(&self, frame: &Bytes, flow: &Flow, standing: Standing) -> Verdict {
        if !self.fits(frame.len()) {
            return Verdict::Refuse;
        }
        let waits_for_others = standing.is_busy(flow) && self.is_overloaded();
        if flow.held.is_empty() && !waits_for_others && !self.waits_alone(standing, flow) {
            Verdict::Admit
        } else {
            Verdict::Hold
        }
    }

    /// Keeps a frame for later. True: its connection is to be paused.
    #[must_use]
    pub(super) fn hold(&mut self, conn: ConnId, frame: Bytes, flow: &mut Flow) -> bool {
        flow.held_bytes += frame.len();
        flow.held.push_back(frame);
        self.held += 1;
        self.recheck(conn);
        let pauses = flow.held_bytes > CLIENT_HELD_BYTES_MAX && !flow.is_paused;
        flow.is_paused |= pauses;
        pauses
    }

    /// What held frames of this connection were waiting for may have come.
    pub(super) fn recheck(&mut self, conn: ConnId) {
        if self.held > 0 {
            self.to_recheck.push_back(conn);
        }
    }

    /// A connection whose held frames may go on, and whether it has waited its turn.
    pub(super) fn next_to_recheck(&mut self) -> Option<(ConnId, bool)> {
        if let Some(conn) = self.to_recheck.pop_front() {
            return Some((conn, false));
        }
        if self.is_overloaded() {
            return None;
        }
        self.waiting.pop_front().map(|conn| (conn, true))
    }

    /// Hands out the oldest held frame of a connection if it may be carried out now, and whether
    /// the connection is to be read again.
    pub(super) fn release(
        &mut self,
        conn: ConnId,
        has_waited: bool,
        flow: &mut Flow,
        standing: Standing,
    ) -> Option<(Bytes, bool)> {
        flow.is_waiting &= !has_waited;
        if flow.held.is_empty() || self.waits_alone(standing, flow) {
            return None;
        }
        let others_first = !has_waited && !self.waiting.is_empty();
        if standing.is_busy(flow) && (self.is_overloaded() || others_first) {
            if !flow.is_waiting {
                flow.is_waiting = true;
                self.waiting.push_back(conn);
            }
            return None;
        }
        let frame = flow.held.pop_front()?;
        flow.held_bytes -= frame.len();
        self.held -= 1;
        let resumes = flow.held.is_empty() && std::mem::take(&mut flow.is_paused);
        Some((frame, resumes))
    }

    /// A request of an open session: whether it waits in the queue first.
    pub(super) fn judge_request(&self, op: i32) -> Verdict {
        let queues = self.queue.is_on() && !matches!(op, op::AUTH | op::SASL);
        if queues { Verdict::Hold } else { Verdict::Admit }
    }

    /// Puts a request into the queue, with what its connection had proven when it asked.
    pub(super) fn enqueue(&mut self, conn: ConnId, asked: Asked, auth: Ids, flow: &mut Flow) {
        flow.queued += 1;
        self.queue.push(Queued { conn, asked, auth });
    }

    /// What leaves the queue next, if there is room for it.
    pub(super) fn next_queued(
        &mut self,
        now: Mono,
        is_connected: impl Fn(ConnId) -> bool,
    ) -> Option<Leaving> {
        self.queue.next(now, self.requests, is_connected)
    }

    /// A request is taken up; `None` if it is a large one too many.
    pub(super) fn admit(&mut self, bytes: usize, flow: &mut Flow) -> Option<Admission> {
        if !self.fits(bytes) {
            return None;
        }
        let large_bytes = if bytes > self.large_request_threshold { bytes } else { 0 };
        self.requests += 1;
        self.large_bytes += large_bytes;
        flow.pending_bytes += bytes;
        Some(Admission { requests: 1, bytes, large_bytes })
    }

    /// A request of this connection was answered, or is not waited for any more.
    pub(super) fn give_back(&mut self, conn: ConnId, admission: Admission, flow: &mut Flow) {
        self.requests -= admission.requests;
        self.large_bytes -= admission.large_bytes;
        flow.pending_bytes -= admission.bytes;
        self.recheck(conn);
    }

    /// Whether a session may begin, or go on here, now.
    pub(super) fn admits_session(&mut self, now: Mono, is_new: bool) -> bool {
        self.sessions.check_limit(now, is_new)
    }

    /// Bytes were written to a connection. True: it is to be asked whether they have left.
    #[must_use]
    pub(super) fn note_written(&mut self, conn: ConnId, frame: &[u8], flow: &mut Flow) -> bool {
        // Replies end with the requests, which are held; events come by themselves.
        let is_event = frame.get(4..8) == Some(&xid::NOTIFICATION.to_be_bytes());
        if is_event && self.outflow.is_overfull(&flow.sent) {
            self.overfull.push(conn);
        }
        self.outflow.note_written(conn, &mut flow.sent, frame.len())
    }

    /// What was written when it was asked has left. True: it is to be asked again.
    #[must_use]
    pub(super) fn on_drained(&mut self, conn: ConnId, flow: &mut Flow) -> bool {
        self.recheck(conn);
        self.outflow.on_drained(conn, &mut flow.sent)
    }

    /// Those who do not read what they are sent, to be closed.
    pub(super) fn take_overfull(&mut self) -> Vec<ConnId> {
        std::mem::take(&mut self.overfull)
    }

    pub(super) fn has_overfull(&self) -> bool {
        !self.overfull.is_empty()
    }

    /// Requests that are asked and not answered.
    #[cfg(test)]
    pub(super) fn in_process(&self) -> (usize, usize) {
        (self.requests, self.large_bytes)
    }

    #[cfg(test)]
    pub(super) fn held_and_queued(&self) -> (usize, usize) {
        (self.held, self.queue.len())
    }

    /// Its frames must wait for a reason of its own.
    fn waits_alone(&self, standing: Standing, flow: &Flow) -> bool {
        standing.awaits_session
            || self.is_finishing
            || flow.awaits_sending()
            || !self.may_send(flow)
            || flow.pending_bytes >= CLIENT_PENDING_BYTES_HOLD
    }

    fn is_overloaded(&self) -> bool {
        self.outstanding_max < self.requests || self.outstanding_max < self.queue.len()
    }

    /// Of large requests, and among these.
    fn fits(&self, bytes: usize) -> bool {
        bytes <= self.large_request_threshold
            || self.large_bytes.saturating_add(bytes) <= self.large_requests_bytes_max
    }
}

impl Standing {
    /// It waits for an answer.
    fn is_busy(self, flow: &Flow) -> bool {
        self.awaits_answer || flow.queued > 0
    }
}

impl Flow {
    /// One of its requests has left the queue.
    pub(super) fn leave_queue(&mut self) {
        self.queued -= 1;
    }

    /// Its oldest request has only to be answered, and that cannot be sent yet.
    pub(super) fn awaits_sending(&self) -> bool {
        self.sent.awaits_something()
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

#[cfg(test)]
pub(super) use turn::TURN_REQUESTS_MAX;

#[cfg(test)]
mod gate_test;
