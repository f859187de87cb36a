//! The last hour of a server in numbers, kept in memory: an interval of ten seconds each.
//!
//! What is counted is read when an interval ends: no request pays for it. An interval is some 220 bytes,
//! and an hour of them all there ever is.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use crate::metrics::Spread;

/// How long an interval lasts.
pub const INTERVAL: Duration = Duration::from_secs(10);
/// An hour of them.
const INTERVALS_MAX: usize = 360;

/// What a server did in one interval, and how it stood at its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Interval {
    /// Its end, in milliseconds since 1970.
    pub at_ms: i64,
    pub took_ms: u64,
    /// Requests answered.
    pub reads: u64,
    pub writes: u64,
    /// Transactions applied.
    pub txns: u64,
    /// From a request's arrival to its answer, in milliseconds.
    pub latency_ms: Option<Spread>,
    /// Write and sync of the log, in microseconds.
    pub fsync_us: Option<Spread>,
    /// On a leader, from a proposal to its commit, in microseconds.
    pub commit_us: Option<Spread>,
    /// Requests between arrival and answer.
    pub outstanding: u64,
    pub log_waiting_bytes: u64,
    pub connections: u64,
    pub sessions: u64,
    pub nodes: u64,
    pub data_bytes: u64,
    /// On a leader: how long the oldest proposal waits that a follower has not acked.
    pub lag_ms: Option<u64>,
    pub serves: bool,
}

/// Counters as they were at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub mono_ms: u64,
    pub reads: u64,
    pub writes: u64,
    pub txns: u64,
}

impl Counts {
    /// How much more they are than at an earlier moment; a counter that was reset began at 0.
    pub fn since(&self, earlier: &Counts) -> Counts {
        let more = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
        Counts {
            mono_ms: self.mono_ms.saturating_sub(earlier.mono_ms),
            reads: more(self.reads, earlier.reads),
            writes: more(self.writes, earlier.writes),
            txns: more(self.txns, earlier.txns),
        }
    }
}

/// The intervals of the last hour, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct History(VecDeque<Interval>);

impl History {
    pub fn push(&mut self, interval: Interval) {
        if self.0.len() == INTERVALS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(interval);
    }

    pub fn last(&self) -> Option<&Interval> {
        self.0.back()
    }

    /// The newest ones that ended in this time, the newest first.
    pub(super) fn newest(&self, time: Duration) -> impl Iterator<Item = &Interval> {
        let count = time.as_millis() / INTERVAL.as_millis();
        self.0.iter().rev().take(count as usize)
    }

    /// Columns of what ended behind this moment, `null` where there is no value.
    pub(super) fn columns(&self, behind_ms: i64) -> Value {
        let column = |value: &dyn Fn(&Interval) -> Value| -> Value {
            self.0.iter().filter(|interval| interval.at_ms > behind_ms).map(value).collect()
        };
        let spread = |of: fn(&Interval) -> Option<Spread>| {
            let part = |part: fn(Spread) -> u64| column(&move |i| json!(of(i).map(part)));
            json!({ "p50": part(|s| s.p50), "p99": part(|s| s.p99), "max": part(|s| s.max) })
        };
        json!({
            "at_ms": column(&|i| i.at_ms.into()),
            "took_ms": column(&|i| i.took_ms.into()),
            "reads": column(&|i| i.reads.into()),
            "writes": column(&|i| i.writes.into()),
            "txns": column(&|i| i.txns.into()),
            "latency_ms": spread(|i| i.latency_ms),
            "fsync_us": spread(|i| i.fsync_us),
            "commit_us": spread(|i| i.commit_us),
            "outstanding": column(&|i| i.outstanding.into()),
            "log_waiting_bytes": column(&|i| i.log_waiting_bytes.into()),
            "connections": column(&|i| i.connections.into()),
            "sessions": column(&|i| i.sessions.into()),
            "nodes": column(&|i| i.nodes.into()),
            "data_bytes": column(&|i| i.data_bytes.into()),
            "lag_ms": column(&|i| json!(i.lag_ms)),
            "serves": column(&|i| i.serves.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at_ms: i64) -> Interval {
        Interval { at_ms, ..Interval::default() }
    }

    #[test]
    fn an_hour_takes_less_than_90_kilobytes() {
        let bytes = INTERVALS_MAX * size_of::<Interval>();
        assert!(bytes < 90_000, "{bytes}");
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let mut history = History::default();
        (0..1000).for_each(|n| history.push(at(n)));
        let columns = history.columns(i64::MIN);
        let kept = columns["at_ms"].as_array().expect("a column");
        assert_eq!((kept.len(), &kept[0], &kept[359]), (360, &640.into(), &999.into()));
        assert_eq!(history.columns(997)["at_ms"], json!([998, 999]));
        assert_eq!(history.columns(998)["latency_ms"]["p99"], json!([null]));
        assert_eq!(history.newest(Duration::from_secs(25)).count(), 2);
    }

    #[test]
    fn a_counter_that_was_reset_began_at_nothing() {
        let earlier = Counts { mono_ms: 10, reads: 100, writes: 7, txns: 7 };
        let now = Counts { mono_ms: 20, reads: 4, writes: 9, txns: 7 };
        let since = now.since(&earlier);
        assert_eq!([since.mono_ms, since.reads, since.writes, since.txns], [10, 4, 2, 0]);
    }
}
