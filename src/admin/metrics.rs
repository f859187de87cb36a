//! Everything that is counted or measured, in one list: for `mntr`, `/commands/monitor` and Prometheus.
//!
//! Prometheus, in the text format 0.0.4 as simpleclient 0.9 writes it (PrometheusMetricsProvider):
//!
//! ```text
//! # HELP ack_latency ack_latency
//! # TYPE ack_latency summary
//! ack_latency{key="2",quantile="0.5",} 3.0
//! ack_latency_count{key="2",} 17.0
//! ack_latency_sum{key="2",} 51.0
//! ```
//!
//! `mntr` and `/commands/monitor` make several numbers of a summary, as Apache's DefaultMetricsProvider:
//!
//! ```text
//! avg_2_ack_latency 3.0    min_ max_ cnt_ sum_    and of advanced ones    p50_ p95_ p99_ p999_
//! ```
//!
//! Not here: what is counted (metrics), what is read from the server (peer).

use std::fmt::{self, Write as _};

use serde_json::Value as Json;

use super::answer::Answer;
use super::shown::Shown;
use super::srvr::average;
use super::stats::{Mode, ServerStats};
use crate::metrics::{Digest, Family, Kind, Number, Value};

/// The content type of the text format.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Quantiles of a summary in Prometheus, and in `mntr` with what stands before the name.
const BASIC: [f64; 1] = [0.5];
const ADVANCED: [f64; 3] = [0.5, 0.9, 0.99];
const PERCENTILES: [(&str, f64); 4] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)];

/// As `mntr` shows it: whole, or with at most four decimals.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Whole(n) => write!(f, "{n}"),
            Number::Real(n) => f.write_str(&average(*n)),
        }
    }
}

impl From<Number> for Json {
    fn from(number: Number) -> Json {
        match number {
            Number::Whole(n) => n.into(),
            Number::Real(n) => n.into(),
        }
    }
}

/// Every metric that has a meaning for this server now.
fn families(server: &impl Shown) -> Vec<Family> {
    let mut families: Vec<Family> = gauges(&server.stats())
        .into_iter()
        .map(|(name, number)| Family::one(name, Kind::Gauge, Value::Number(number)))
        .collect();
    families.extend(server.families());
    families
}

/// Name and value of each gauge without a key.
fn gauges(stats: &ServerStats) -> Vec<(&'static str, Number)> {
    let [last_response, min_response, max_response] = stats.shown_response_sizes();
    let mut gauges = vec![
        ("approximate_data_size", stats.approximate_data_size.into()),
        ("avg_latency", stats.latency_avg_ms.into()),
        ("connection_drop_probability", stats.connection_drop_chance.into()),
        ("ephemerals_count", stats.ephemerals_count.into()),
        ("global_sessions", stats.global_sessions.into()),
        ("last_client_response_size", last_response.into()),
        ("local_sessions", stats.local_sessions.into()),
        ("max_client_response_size", max_response.into()),
        ("max_latency", stats.latency_max_ms.into()),
        ("min_client_response_size", min_response.into()),
        ("min_latency", stats.latency_min_ms.into()),
        ("num_alive_connections", (stats.clients.len() as u64).into()),
        ("outstanding_requests", stats.outstanding.into()),
        ("packets_received", stats.received.into()),
        ("packets_sent", stats.sent.into()),
        ("quorate_client_unsent_bytes", stats.unsent_bytes.into()),
        ("quorate_log_waiting_bytes", stats.log_waiting_bytes.into()),
        ("quorate_log_waiting_txns", stats.log_waiting_txns.into()),
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
            ("quorate_syncing_bytes_sent", leader.syncing_bytes.into()),
            ("quorate_syncing_learners", leader.syncing_learners.into()),
            ("quorate_syncing_percent", leader.syncing_percent.unwrap_or(100).into()),
            ("synced_followers", leader.synced_followers.into()),
            ("synced_non_voting_followers", 0_u64.into()),
            ("synced_observers", leader.synced_observers.into()),
        ]);
    }
    gauges
}

/// Each number of `mntr` and of `/commands/monitor`, by the name it has there.
pub(super) fn numbers(server: &impl Shown) -> Vec<(String, Number)> {
    let mut numbers = Vec::new();
    for Family { name, kind, samples } in families(server) {
        for sample in samples {
            let key = sample.key.map_or(String::new(), |key| format!("{key}_"));
            match sample.value {
                Value::Number(number) => numbers.push((format!("{key}{name}"), number)),
                Value::Summary(digest) => numbers.extend(
                    numbers_of(kind, &digest).map(|(what, n)| (format!("{what}_{key}{name}"), n)),
                ),
            }
        }
    }
    numbers
}

/// (AvgMinMaxCounter, AvgMinMaxPercentileCounter)
fn numbers_of(kind: Kind, digest: &Digest) -> impl Iterator<Item = (&'static str, Number)> {
    let percentiles: &[_] = if kind == Kind::ADVANCED { &PERCENTILES } else { &[] };
    let percentile = |(what, q): &(_, f64)| (*what, digest.quantile(*q).unwrap_or(0).into());
    let all = [
        ("avg", digest.average().into()),
        ("min", digest.min.into()),
        ("max", digest.max.into()),
        ("cnt", digest.count.into()),
        ("sum", digest.sum.into()),
    ];
    all.into_iter().chain(percentiles.iter().map(percentile))
}

/// The answer to `/metrics`. A server that serves nobody has numbers too.
pub fn metrics(server: &impl Shown) -> Answer {
    let mut text = String::new();
    for family in families(server) {
        write_family(&family, &mut text).expect("a string takes everything");
    }
    Answer::new(200, PROMETHEUS_TEXT, text)
}

fn write_family(family: &Family, text: &mut String) -> fmt::Result {
    let Family { name, kind, samples } = family;
    let (type_name, quantiles): (_, &[f64]) = match kind {
        Kind::Gauge => ("gauge", &[]),
        Kind::Counter => ("counter", &[]),
        Kind::Summary { is_advanced: false } => ("summary", &BASIC),
        Kind::Summary { is_advanced: true } => ("summary", &ADVANCED),
    };
    writeln!(text, "# HELP {name} {name}\n# TYPE {name} {type_name}")?;
    for sample in samples {
        let key = sample.key.as_deref().map(|key| format!("key=\"{}\",", escaped(key)));
        let key = key.unwrap_or_default();
        let braced = if key.is_empty() { String::new() } else { format!("{{{key}}}") };
        match sample.value {
            Value::Number(number) => writeln!(text, "{name}{braced} {}", as_java(number))?,
            Value::Summary(digest) => {
                for q in quantiles {
                    let value = digest.quantile(*q).map_or(f64::NAN, |value| value as f64);
                    writeln!(text, "{name}{{{key}quantile=\"{q}\",}} {value:?}")?;
                }
                writeln!(text, "{name}_count{braced} {:?}", digest.count as f64)?;
                writeln!(text, "{name}_sum{braced} {:?}", digest.sum as f64)?;
            }
        }
    }
    Ok(())
}

/// As Java prints a double.
fn as_java(number: Number) -> String {
    match number {
        Number::Whole(n) => format!("{:?}", n as f64),
        Number::Real(n) => format!("{n:?}"),
    }
}

/// The value of a label.
fn escaped(key: &str) -> String {
    key.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
