//! How much clients may take, as the operator wrote it. Zero means no limit where it says so.
//!
//! Not here: how the limits are kept (`server/gate`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::limits::{
    CLIENT_UNSENT_BYTES_HOLD, JUTE_FIELD_BYTES_MAX, JUTE_MAXBUFFER_BYTES, RESPONSE_BYTES_MAX,
    UNSENT_BYTES_MAX,
};

/// Limits on clients. The defaults are Apache's, where Apache has the limit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientLimits {
    /// `maxCnxns`: connections of all clients together; 0 is no limit.
    pub connections_max: u32,
    /// `jute.maxbuffer`: bytes of a request, inclusive.
    pub jute_max_buffer: usize,
    /// `jute.maxbuffer.extrasize`: bytes that a string or buffer between servers and on the disk may
    /// have beyond `jute.maxbuffer`.
    pub jute_extra_size: usize,
    /// `globalOutstandingLimit`: requests in process before busy connections are not read.
    pub outstanding_max: u32,
    /// `nio.sessionlessCnxnTimeout`: how long a connection may be without a session.
    pub sessionless_timeout: Duration,
    /// `largeRequestThreshold` in bytes; `None` is off (-1).
    pub large_request_threshold: Option<usize>,
    /// `largeRequestMaxBytes`: bytes of all large requests in process.
    pub large_requests_bytes_max: usize,
    /// `maxResponseBytes`: bytes of a reply, with its length.
    pub response_bytes_max: usize,
    /// `maxClientPendingResponseBytes`: bytes on the way to a client before its requests wait.
    pub pending_response_bytes_max: usize,
    /// `maxPendingResponseBytes`: bytes on the way to all clients before requests wait.
    pub pending_responses_bytes_max: usize,
    /// `request_throttle_max_requests`: requests in process before others queue; 0 is off.
    pub throttle_requests_max: u32,
    /// `request_throttle_stall_time`: how long a queued request waits at a time.
    pub throttle_stall: Duration,
    /// `request_throttle_drop_stale`: a stale request is dropped rather than carried out.
    pub throttle_drop_stale: bool,
    /// `request_stale_latency_check`: a request is stale once it is older than its session's timeout.
    pub stale_latency_check: bool,
    /// `request_stale_connection_check`: a request is stale once its connection is closed.
    pub stale_connection_check: bool,
    /// `throttled_op_wait_time`: a request that waited longer is answered THROTTLEDOP; zero is off.
    pub throttled_op_wait: Duration,
    /// `connection_throttle_*`.
    pub connection_throttle: ConnectionThrottle,
}

/// The token bucket of new sessions (BlueThrottle).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConnectionThrottle {
    /// Tokens in the full bucket; 0 is off.
    pub tokens_max: u32,
    pub fill_time: Duration,
    pub fill_count: u32,
    /// `None` (-1): the drop probability is never adapted.
    pub freeze_time: Option<Duration>,
    pub drop_increase: f64,
    pub drop_decrease: f64,
    pub decrease_ratio: f64,
    /// Whether sessions weigh differently.
    pub weighted: bool,
    pub global_weight: u32,
    pub renew_weight: u32,
    pub local_weight: u32,
}

impl ClientLimits {
    /// The longest string or buffer between servers and on the disk, in bytes: whatever a client may
    /// send must travel. A small `jute.maxbuffer` does not lessen it, nor does a small extra size: a server's own messages, and
    /// what it logged before, are longer.
    pub fn field_bytes_max(&self) -> usize {
        let extra = self.jute_extra_size.max(self.jute_max_buffer);
        self.jute_max_buffer.saturating_add(extra).clamp(JUTE_FIELD_BYTES_MAX, i32::MAX as usize)
    }
}

impl ClientLimits {
    /// Lowers `maxCnxns` to what the process has room for.
    pub fn fit(&mut self, connections_max: usize) {
        let room = u32::try_from(connections_max).unwrap_or(u32::MAX);
        self.connections_max = match self.connections_max {
            0 => room,
            given => given.min(room),
        };
    }
}

impl Default for ClientLimits {
    fn default() -> ClientLimits {
        ClientLimits {
            connections_max: 0,
            jute_max_buffer: JUTE_MAXBUFFER_BYTES,
            jute_extra_size: 0,
            outstanding_max: 1000,
            sessionless_timeout: Duration::from_secs(10),
            large_request_threshold: None,
            large_requests_bytes_max: 100 * 1024 * 1024,
            response_bytes_max: RESPONSE_BYTES_MAX,
            pending_response_bytes_max: CLIENT_UNSENT_BYTES_HOLD,
            pending_responses_bytes_max: UNSENT_BYTES_MAX,
            throttle_requests_max: 0,
            throttle_stall: Duration::from_millis(100),
            throttle_drop_stale: true,
            stale_latency_check: false,
            stale_connection_check: true,
            throttled_op_wait: Duration::ZERO,
            connection_throttle: ConnectionThrottle::default(),
        }
    }
}

impl Default for ConnectionThrottle {
    fn default() -> ConnectionThrottle {
        ConnectionThrottle {
            tokens_max: 0,
            fill_time: Duration::from_millis(1),
            fill_count: 1,
            freeze_time: None,
            drop_increase: 0.02,
            drop_decrease: 0.002,
            decrease_ratio: 0.0,
            weighted: false,
            global_weight: 3,
            renew_weight: 2,
            local_weight: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_connections_than_the_process_has_room_for() {
        let fitted = |given, room| {
            let mut limits = ClientLimits { connections_max: given, ..ClientLimits::default() };
            limits.fit(room);
            limits.connections_max
        };
        assert_eq!(fitted(0, 704), 704, "no limit of one's own");
        assert_eq!((fitted(100, 704), fitted(1000, 704)), (100, 704));
        assert_eq!(fitted(0, usize::MAX), u32::MAX);
    }
}
