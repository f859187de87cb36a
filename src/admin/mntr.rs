//! The numbers of `mntr`. (MonitorCommand)

use std::fmt::Write as _;

use super::metrics::numbers;
use super::shown::Shown;
use super::stats::VERSION;

/// `zk_NAME`, a tab, the value. Consumers look lines up by name; the order says nothing.
pub(super) fn mntr(server: &impl Shown) -> String {
    let stats = server.stats();
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
    for (name, number) in numbers(server) {
        line(&name, &number);
    }
    text
}
