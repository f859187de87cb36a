//! The queue of requests that wait to be carried out. (RequestThrottler)
//!
//! With a limit on requests in process (`request_throttle_max_requests`), requests of all clients
//! stand in one queue, in the order in which they came. Without it there is no queue.
//!
//!     stale      its connection is closed, or it is older than its session's timeout
//!     dropped    without a reply, and its connection with it: no later request of that connection
//!                may be carried out either
//!     throttled  it waited longer than `throttled_op_wait_time`: answered THROTTLEDOP in its turn
//!
//! closeSession is never stale, and ping, createSession and closeSession are never throttled.
//! Authentication does not queue at all.
//!
//! TH-1  requests of one connection leave the queue in their order, or none after a dropped one
//!
//! Not here: globalOutstandingLimit (limits.rs), which slows clients down where this gives up on them.

use std::collections::VecDeque;
use std::time::Duration;

use super::service::{Asked, Output, Service};
use crate::base::{ConnId, Mono, Now};
use crate::config::ClientLimits;
use crate::database::Database;
use crate::jute::client::{RequestHeader, op};
use crate::jute::data::Id;
use crate::prepare::{self, Request};

/// A request in the queue.
#[derive(Debug)]
struct Queued {
    conn: ConnId,
    asked: Asked,
    /// What the connection had proven when it asked.
    auth: Vec<Id>,
}

#[derive(Debug)]
pub(super) struct RequestThrottler {
    /// 0 is off.
    requests_max: usize,
    stall: Duration,
    drops_stale: bool,
    checks_latency: bool,
    checks_connection: bool,
    /// Zero is off.
    op_wait: Duration,
    queue: VecDeque<Queued>,
    /// When the front of the queue is looked at again, whether requests have ended or not.
    next_check: Mono,
}

impl RequestThrottler {
    pub(super) fn new(limits: &ClientLimits) -> RequestThrottler {
        RequestThrottler {
            requests_max: limits.throttle_requests_max as usize,
            stall: limits.throttle_stall.max(Duration::from_millis(1)),
            drops_stale: limits.throttle_drop_stale,
            checks_latency: limits.stale_latency_check,
            checks_connection: limits.stale_connection_check,
            op_wait: limits.throttled_op_wait,
            queue: VecDeque::new(),
            next_check: Mono::FAR,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn next_check(&self) -> Mono {
        self.next_check
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.next_check = Mono::FAR;
    }

    fn is_stale(&self, asked: &Asked, is_connected: bool, now: Mono) -> bool {
        let (_, timeout_ms) = asked.session;
        let timeout = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
        asked.header.op != op::CLOSE_SESSION
            && ((self.checks_connection && !is_connected)
                || (self.checks_latency && now.since(asked.received) > timeout))
    }

    fn is_throttled(&self, asked: &Asked, now: Mono) -> bool {
        let exempt = [op::PING, op::CREATE_SESSION, op::CLOSE_SESSION];
        !self.op_wait.is_zero()
            && !exempt.contains(&asked.header.op)
            && now.since(asked.received) > self.op_wait
    }
}

impl Service {
    /// Whether requests of this kind stand in the queue first.
    pub(super) fn queues(&self, op: i32) -> bool {
        self.limits.throttle.requests_max > 0 && !matches!(op, op::AUTH | op::SASL)
    }

    /// `settle`, at the end of the step, takes it out again.
    pub(super) fn enqueue(&mut self, conn: ConnId, asked: Asked) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.flow.queued += 1;
        let auth = connection.auth.clone();
        self.limits.throttle.queue.push_back(Queued { conn, asked, auth });
    }

    /// Lets requests go as long as there is room for them.
    pub(super) fn drain_throttle(&mut self, now: Now, db: &Database, out: &mut Vec<Output>) {
        self.limits.throttle.next_check = Mono::FAR;
        while let Some(front) = self.limits.throttle.queue.front() {
            let throttle = &self.limits.throttle;
            let is_connected = self.connections.contains_key(&front.conn);
            if throttle.drops_stale && throttle.is_stale(&front.asked, is_connected, now.mono) {
                self.drop_stale(front.conn, out);
                continue;
            }
            if self.limits.in_process() >= throttle.requests_max {
                if throttle.checks_latency && throttle.drops_stale {
                    self.limits.throttle.next_check = now.mono + throttle.stall;
                }
                return;
            }
            let is_throttled = throttle.is_throttled(&front.asked, now.mono);
            if let Some(mut request) = self.limits.throttle.queue.pop_front() {
                request.asked.is_throttled = is_throttled;
                self.leave_queue(now, request, db, out);
            }
        }
    }

    /// The connection of a stale request, and everything of it that still queues (TH-1).
    fn drop_stale(&mut self, conn: ConnId, out: &mut Vec<Output>) {
        let queue = &mut self.limits.throttle.queue;
        let before = queue.len();
        queue.retain(|request| request.conn != conn);
        tracing::warn!(%conn, requests = before - queue.len(), "dropping stale requests");
        if self.connections.contains_key(&conn) {
            self.drop_connection(conn, out);
        }
    }

    fn leave_queue(
        &mut self,
        now: Now,
        Queued { conn, asked, auth }: Queued,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.flow.queued -= 1;
            return self.begin_request(now, conn, asked, db, out);
        }
        // Nobody waits for the answer any more, but what was asked is done.
        let Asked { session: (session, _), header, body, is_throttled, .. } = asked;
        if prepare::supports(header.op) && prepare::decodable(header.op, &body) && !is_throttled {
            let RequestHeader { xid: cxid, op } = header;
            out.push(Output::Submit(Request { session, cxid, op, body, auth, origin: 0 }));
        }
    }
}
