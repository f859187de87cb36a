//! The numbers of `mntr`. (MonitorCommand)

use std::fmt::Write as _;

use super::metrics::gauges;
use super::srvr::average;
use super::stats::{Mode, ServerStats, VERSION};

/// `zk_NAME`, a tab, the value. Consumers look lines up by name; the order says nothing.
pub(super) fn mntr(stats: &ServerStats) -> String {
    let mut text = format!("zk_version\t{VERSION}\n");
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "zk_{name}\t{value}");
    };
    match stats.read_only {
        true => line("server_state", &"read-only"),
        false => line("server_state", &stats.mode),
    }
    match stats.mode {
        Mode::Standalone => {}
        Mode::Leader => line("peer_state", &"leading - broadcast"),
        Mode::Follower => line("peer_state", &"following - broadcast"),
        Mode::Observer => line("peer_state", &"observing - broadcast"),
    }
    if let Some(master) = stats.observer_master {
        line("observer_master_id", &master);
    }
    for (name, number) in gauges(stats) {
        line(name, &number);
    }
    if let Some(took) = stats.election_ms {
        line("avg_election_time", &average(took as f64));
    }
    text
}
