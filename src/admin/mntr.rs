//! The numbers of `mntr`. (MonitorCommand)

use std::fmt::Write as _;

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
    line("ephemerals_count", &stats.ephemerals_count);
    line("num_alive_connections", &stats.clients.len());
    line("avg_latency", &average(stats.latency_avg_ms));
    line("min_latency", &stats.latency_min_ms);
    line("max_latency", &stats.latency_max_ms);
    line("outstanding_requests", &stats.outstanding);
    line("znode_count", &stats.node_count);
    line("watch_count", &stats.watch_count);
    line("approximate_data_size", &stats.approximate_data_size);
    line("global_sessions", &stats.global_sessions);
    line("local_sessions", &stats.local_sessions);
    line("packets_received", &stats.received);
    line("packets_sent", &stats.sent);
    line("uptime", &stats.uptime_ms);
    if let Some((open, allowed)) = stats.file_descriptors {
        line("open_file_descriptor_count", &open);
        line("max_file_descriptor_count", &allowed);
    }
    if let Some(took) = stats.election_ms {
        line("avg_election_time", &average(took as f64));
    }
    line("slow_steps", &stats.slow_steps);
    line("max_slow_step", &stats.slow_step_max_ms);
    if stats.mode != Mode::Standalone {
        line("quorum_size", &stats.quorum_size);
    }
    if let Some(leader) = &stats.leader {
        let sizes = leader.proposal_sizes.map(|(a, b, c)| [a as i64, b as i64, c as i64]);
        let [last, min, max] = sizes.unwrap_or([-1; 3]);
        line("last_proposal_size", &last);
        line("min_proposal_size", &min);
        line("max_proposal_size", &max);
        line("learners", &leader.learners);
        line("synced_followers", &leader.synced_followers);
        line("synced_non_voting_followers", &0);
        line("synced_observers", &leader.synced_observers);
        line("syncing_learners", &leader.syncing_learners);
        line("syncing_bytes_sent", &leader.syncing_bytes);
        line("syncing_percent", &leader.syncing_percent.unwrap_or(100));
        line("pending_syncs", &leader.pending_syncs);
        line("leader_uptime", &leader.uptime_ms);
    }
    text
}
