//! The numbers of `mntr`. (MonitorCommand)

use std::fmt::Write as _;

use super::metrics::gauges;
use super::srvr::average;
use super::stats::{ServerStats, VERSION};

/// `zk_NAME`, a tab, the value. Consumers look lines up by name; the order says nothing.
pub(super) fn mntr(stats: &ServerStats) -> String {
    let mut text = format!("zk_version\t{VERSION}\n");
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "zk_{name}\t{value}");
    };
    line("server_state", &stats.server_state());
    if let Some(peer_state) = stats.mode.peer_state() {
        line("peer_state", &peer_state);
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
