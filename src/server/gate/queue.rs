//! The queue of requests that wait to be taken up. (RequestThrottler)
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
//! Not here: globalOutstandingLimit (mod.rs), which slows clients down where this gives up on them.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::{ConnId, Mono, SessionId};
use crate::config::ClientLimits;
use crate::jute::client::{RequestHeader, op};
use crate::jute::data::Ids;

/// A request of an open session, not yet taken up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::server) struct Asked {
    pub(in crate::server) session: SessionId,
    /// Of the session.
    pub(in crate::server) timeout_ms: i32,
    pub(in crate::server) header: RequestHeader,
    pub(in crate::server) body: Bytes,
    pub(in crate::server) received: Mono,
    /// It waited too long in the queue.
    pub(in crate::server) is_throttled: bool,
    /// Nobody waits for its answer any more, and it was not dropped.
    pub(in crate::server) is_stale: bool,
}

/// A request in the queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::server) struct Queued {
    pub(in crate::server) conn: ConnId,
    pub(in crate::server) asked: Asked,
    /// What the connection had proven when it asked.
    pub(in crate::server) auth: Ids,
}

/// What leaves the queue.
#[derive(Debug)]
pub(in crate::server) enum Leaving {
    /// A request that there is room for now.
    Request(Queued),
    /// So many requests of this connection were stale, and dropped.
    Stale(ConnId, usize),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RequestQueue {
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

impl RequestQueue {
    pub(super) fn new(limits: &ClientLimits) -> RequestQueue {
        RequestQueue {
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

    pub(super) fn is_on(&self) -> bool {
        self.requests_max > 0
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn next_check(&self) -> Mono {
        self.next_check
    }

    /// Nothing leaves while so many requests are in process.
    pub(super) fn waits(&self, in_process: usize) -> bool {
        in_process >= self.requests_max
    }

    pub(super) fn push(&mut self, queued: Queued) {
        self.queue.push_back(queued);
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.next_check = Mono::FAR;
    }

    /// What leaves next, with so many requests in process.
    pub(super) fn next(
        &mut self,
        now: Mono,
        in_process: usize,
        is_connected: impl Fn(ConnId) -> bool,
    ) -> Option<Leaving> {
        self.next_check = Mono::FAR;
        let front = self.queue.front()?;
        if self.drops_stale && self.is_stale(&front.asked, is_connected(front.conn), now) {
            return Some(self.drop_stale(front.conn));
        }
        if self.waits(in_process) {
            if self.checks_latency && self.drops_stale {
                self.next_check = now + self.stall;
            }
            return None;
        }
        let mut queued = self.queue.pop_front()?;
        queued.asked.is_stale = self.is_stale(&queued.asked, is_connected(queued.conn), now);
        queued.asked.is_throttled = self.is_throttled(&queued.asked, now);
        Some(Leaving::Request(queued))
    }

    /// A stale request goes, and everything of its connection that still queues (TH-1).
    fn drop_stale(&mut self, conn: ConnId) -> Leaving {
        let before = self.queue.len();
        self.queue.retain(|queued| queued.conn != conn);
        Leaving::Stale(conn, before - self.queue.len())
    }

    fn is_stale(&self, asked: &Asked, is_connected: bool, now: Mono) -> bool {
        let timeout = Duration::from_millis(u64::try_from(asked.timeout_ms).unwrap_or(0));
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
