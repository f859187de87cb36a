//! What one connection was answered, for `cons`. (ServerCnxn.updateStatsForResponse)

use serde::{Deserialize, Serialize};

use crate::base::{Mono, Now, SessionId, Zxid};

/// Counted with each answer and kept small: thousands of connections have nothing else to do.
/// Latencies are in milliseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct ConnectionStats {
    /// When the connection was accepted, by the wall clock.
    established_ms: i64,
    last_op: LastOp,
    last_cxid: i32,
    last_zxid: Zxid,
    last_response: Mono,
    last_latency: u32,
    latency_min: u32,
    latency_max: u32,
    count: u32,
    latency_sum: u64,
}

/// What was answered last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LastOp {
    /// Nothing yet: the session came from elsewhere.
    Nothing,
    /// A refusal, or nothing since the counts were reset.
    NotAvailable,
    /// This operation (a number of `jute::client::op`).
    Op(i32),
}

/// A connection's session, and what it was answered.
#[derive(Clone, Copy, Debug)]
pub struct SessionLine {
    pub session: SessionId,
    pub timeout_ms: i32,
    pub established_ms: i64,
    pub last_op: LastOp,
    /// Negative after a reset.
    pub last_cxid: i32,
    pub last_zxid: Zxid,
    pub last_response: Mono,
    pub last_latency_ms: u64,
    pub latency_min_ms: u64,
    pub latency_avg_ms: u64,
    pub latency_max_ms: u64,
}

impl ConnectionStats {
    pub(super) fn new(now: Now) -> ConnectionStats {
        ConnectionStats {
            established_ms: now.wall_ms,
            last_op: LastOp::Nothing,
            last_cxid: 0,
            last_zxid: Zxid::ZERO,
            last_response: Mono(0),
            last_latency: 0,
            latency_min: 0,
            latency_max: 0,
            count: 0,
            latency_sum: 0,
        }
    }

    /// As new, but for what Apache does not take back.
    pub(super) fn reset(&mut self) {
        let established_ms = self.established_ms;
        *self = ConnectionStats::new(Now { wall_ms: established_ms, ..Now::default() });
        (self.last_op, self.last_cxid, self.last_zxid) = (LastOp::NotAvailable, -1, Zxid(-1));
    }

    /// A request is answered, and the tree has applied all up to `zxid`.
    pub(super) fn note_answer(
        &mut self,
        now: Mono,
        last_op: LastOp,
        xid: i32,
        zxid: Zxid,
        latency_ms: u64,
    ) {
        // Pings and the like have a number of their own, and do not hide the last real request.
        if xid >= 0 {
            self.last_cxid = xid;
        }
        let latency = u32::try_from(latency_ms).unwrap_or(u32::MAX);
        (self.last_op, self.last_zxid, self.last_response) = (last_op, zxid, now);
        self.last_latency = latency;
        self.latency_min = if self.count == 0 { latency } else { self.latency_min.min(latency) };
        self.latency_max = self.latency_max.max(latency);
        self.latency_sum += u64::from(latency);
        self.count = self.count.saturating_add(1);
    }

    pub(super) fn line(&self, session: SessionId, timeout_ms: i32) -> SessionLine {
        SessionLine {
            session,
            timeout_ms,
            established_ms: self.established_ms,
            last_op: self.last_op,
            last_cxid: self.last_cxid,
            last_zxid: self.last_zxid,
            last_response: self.last_response,
            last_latency_ms: self.last_latency.into(),
            latency_min_ms: self.latency_min.into(),
            latency_avg_ms: self.latency_sum / u64::from(self.count.max(1)),
            latency_max_ms: self.latency_max.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_pays_for_no_more_than_64_bytes() {
        assert!(size_of::<ConnectionStats>() <= 64, "{} bytes", size_of::<ConnectionStats>());
    }

    #[test]
    fn the_least_latency_is_that_of_an_answer_also_after_a_reset() {
        let now = Now { mono: Mono::from_millis(7), wall_ms: 1000 };
        let mut stats = ConnectionStats::new(now);
        let note = |stats: &mut ConnectionStats, latency_ms| {
            stats.note_answer(now.mono, LastOp::Op(1), 1, Zxid(5), latency_ms);
        };
        let latencies = |stats: &ConnectionStats| {
            let line = stats.line(SessionId(1), 4000);
            [line.latency_min_ms, line.latency_avg_ms, line.latency_max_ms, line.last_latency_ms]
        };
        for latency_ms in [4, 9, 2] {
            note(&mut stats, latency_ms);
        }
        assert_eq!(latencies(&stats), [2, 5, 9, 2]);
        stats.reset();
        assert_eq!(latencies(&stats), [0; 4]);
        note(&mut stats, 3);
        assert_eq!(latencies(&stats), [3; 4]);
        assert_eq!(stats.line(SessionId(1), 4000).established_ms, 1000, "that stays");
    }
}
