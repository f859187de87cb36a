//! `srvr`, and what `stat` has in common with it. (StatCommand, ServerStats.toString)

use std::fmt::Write as _;

use super::stats::{ServerStats, VERSION};

pub(super) fn srvr(stats: &ServerStats) -> String {
    format!("{}{}", heading(stats), summary(stats))
}

/// The first lines of `srvr` and `stat`.
pub(super) fn heading(stats: &ServerStats) -> String {
    let read_only = match stats.read_only {
        true => "READ-ONLY mode; serving only read-only clients\n",
        false => "",
    };
    format!("Zookeeper version: {VERSION}\n{read_only}")
}

/// The last lines of `srvr` and `stat`.
pub(super) fn summary(stats: &ServerStats) -> String {
    let mut text = String::new();
    let (min, max) = (stats.latency_min_ms, stats.latency_max_ms);
    let _ = writeln!(text, "Latency min/avg/max: {min}/{}/{max}", average(stats.latency_avg_ms));
    let _ = writeln!(text, "Received: {}", stats.received);
    let _ = writeln!(text, "Sent: {}", stats.sent);
    let _ = writeln!(text, "Connections: {}", stats.clients.len());
    let _ = writeln!(text, "Outstanding: {}", stats.outstanding);
    let _ = writeln!(text, "Zxid: {}", stats.zxid);
    let _ = writeln!(text, "Mode: {}", stats.server_state());
    let _ = writeln!(text, "Node count: {}", stats.node_count);
    if let Some(leader) = &stats.leader {
        let [last, min, max] = leader.shown_proposal_sizes();
        let _ = writeln!(text, "Proposal sizes last/min/max: {last}/{min}/{max}");
    }
    text
}

/// Java's text of a double that was rounded to four decimals: `0.0`, `1.2222`.
pub(super) fn average(value: f64) -> String {
    format!("{:?}", (value * 10_000.0).round() / 10_000.0)
}
