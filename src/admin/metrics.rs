//! Everything that is counted, under Apache's names: for `mntr`, `/commands/monitor` and Prometheus.
//!
//! ```text
//! # HELP znode_count znode_count
//! # TYPE znode_count gauge
//! znode_count 11.0
//! ```
//!
//! That is the text format 0.0.4 as simpleclient 0.9 writes it, whose names dashboards and alert rules
//! know (PrometheusMetricsProvider). Times are milliseconds and sizes bytes, as in Apache.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};

use super::answer::Answer;
use super::srvr::average;
use super::stats::{Mode, ServerStats};

/// The content type of the text format.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Prints as Java does in `mntr`: a real number with at most four decimals.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Number {
    Whole(i64),
    Real(f64),
}

impl From<u64> for Number {
    fn from(n: u64) -> Number {
        Number::Whole(i64::try_from(n).unwrap_or(i64::MAX))
    }
}

impl From<i64> for Number {
    fn from(n: i64) -> Number {
        Number::Whole(n)
    }
}

impl From<f64> for Number {
    fn from(n: f64) -> Number {
        Number::Real(n)
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Value {
        match number {
            Number::Whole(n) => n.into(),
            Number::Real(n) => n.into(),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Whole(n) => write!(f, "{n}"),
            Number::Real(n) => f.write_str(&average(*n)),
        }
    }
}

impl Number {
    /// As Java prints a double.
    fn as_java(self) -> String {
        match self {
            Number::Whole(n) => format!("{:?}", n as f64),
            Number::Real(n) => format!("{n:?}"),
        }
    }
}

/// Name and value of each gauge that has a meaning for this server now.
pub(super) fn gauges(stats: &ServerStats) -> Vec<(&'static str, Number)> {
    let mut gauges: Vec<(&'static str, Number)> = vec![
        ("approximate_data_size", stats.approximate_data_size.into()),
        ("avg_latency", stats.latency_avg_ms.into()),
        ("ephemerals_count", stats.ephemerals_count.into()),
        ("global_sessions", stats.global_sessions.into()),
        ("local_sessions", stats.local_sessions.into()),
        ("max_latency", stats.latency_max_ms.into()),
        ("max_slow_step", stats.slow_step_max_ms.into()),
        ("min_latency", stats.latency_min_ms.into()),
        ("num_alive_connections", (stats.clients.len() as u64).into()),
        ("outstanding_requests", stats.outstanding.into()),
        ("packets_received", stats.received.into()),
        ("packets_sent", stats.sent.into()),
        ("slow_steps", stats.slow_steps.into()),
        ("uptime", stats.uptime_ms.into()),
        ("watch_count", stats.watch_count.into()),
        ("znode_count", stats.node_count.into()),
    ];
    if let Some((open, allowed)) = stats.file_descriptors {
        gauges.push(("open_file_descriptor_count", open.into()));
        gauges.push(("max_file_descriptor_count", allowed.into()));
    }
    if stats.mode != Mode::Standalone {
        gauges.push(("quorum_size", stats.quorum_size.into()));
    }
    if let Some(leader) = &stats.leader {
        let [last, min, max] = leader.shown_proposal_sizes();
        gauges.extend([
            ("last_proposal_size", last.into()),
            ("leader_uptime", leader.uptime_ms.into()),
            ("learners", leader.learners.into()),
            ("max_proposal_size", max.into()),
            ("min_proposal_size", min.into()),
            ("pending_syncs", leader.pending_syncs.into()),
            ("synced_followers", leader.synced_followers.into()),
            ("synced_non_voting_followers", 0_u64.into()),
            ("synced_observers", leader.synced_observers.into()),
            ("syncing_bytes_sent", leader.syncing_bytes.into()),
            ("syncing_learners", leader.syncing_learners.into()),
            ("syncing_percent", leader.syncing_percent.unwrap_or(100).into()),
        ]);
    }
    gauges
}

/// The fields of `/commands/monitor`.
pub(super) fn fields(stats: &ServerStats) -> Map<String, Value> {
    gauges(stats).into_iter().map(|(name, number)| (name.into(), number.into())).collect()
}

/// The answer to `/metrics`. A server that serves nobody has numbers too.
pub fn metrics(stats: &ServerStats) -> Answer {
    let mut text = String::new();
    for (name, number) in gauges(stats) {
        let value = number.as_java();
        let _ = writeln!(text, "# HELP {name} {name}\n# TYPE {name} gauge\n{name} {value}");
    }
    Answer::new(200, PROMETHEUS_TEXT, text)
}
