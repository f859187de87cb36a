//! The four-letter words: `ruok`, `srvr`, `stat`, `mntr`, `isro`. (Z/server/command)
//!
//! Probes, `zkServer.sh status` and dashboards parse these texts line by line, so their shapes are
//! Apache's to the byte. The connection is closed behind each answer.

use std::fmt::Write as _;

use super::stats::{Mode, ServerStats, VERSION};

/// Every word of Apache 3.9: what a client port must recognise as a word rather than as the
/// length of a frame.
const KNOWN: [&[u8; 4]; 18] = [
    b"conf", b"cons", b"crst", b"dirs", b"dump", b"envi", b"gtmk", b"hash", b"isro", b"mntr",
    b"ruok", b"srst", b"srvr", b"stat", b"stmk", b"wchc", b"wchp", b"wchs",
];

/// Whether these first four bytes of a connection are a word. Anything else is the length of a
/// frame, and most likely an absurd one.
fn word_is_known(word: [u8; 4]) -> bool {
    KNOWN.contains(&&word)
}

/// The answer to a word. `whitelist` is `4lw.commands.whitelist`; `*` in it is all words.
/// A word that is not known has no answer: Apache closes the connection in silence.
pub fn answer(word: [u8; 4], stats: &ServerStats, whitelist: &[String]) -> String {
    let Some(name) = std::str::from_utf8(&word).ok().filter(|_| word_is_known(word)) else {
        return String::new();
    };
    if !whitelist.iter().any(|listed| listed == "*" || listed == name) {
        return format!("{name} is not executed because it is not in the whitelist.\n");
    }
    match name {
        "ruok" => "imok".into(),
        "isro" if !stats.serving => "null".into(),
        "isro" if stats.read_only => "ro".into(),
        "isro" => "rw".into(),
        "srvr" | "stat" | "mntr" if !stats.serving => {
            "This ZooKeeper instance is not currently serving requests\n".into()
        }
        "srvr" => srvr(stats),
        "stat" => stat(stats),
        "mntr" => mntr(stats),
        _ => format!("{name} is not executed because it is not supported yet.\n"),
    }
}

fn srvr(stats: &ServerStats) -> String {
    format!("Zookeeper version: {VERSION}\n{}", summary(stats))
}

fn stat(stats: &ServerStats) -> String {
    let mut text = format!("Zookeeper version: {VERSION}\nClients:\n");
    for client in &stats.clients {
        let _ = writeln!(
            text,
            " /{}[{}](queued={},recved={},sent={})",
            client.address,
            u8::from(client.has_session),
            client.queued,
            client.received,
            client.sent
        );
    }
    text.push('\n');
    text.push_str(&summary(stats));
    text
}

/// What `srvr` and `stat` have in common.
fn summary(stats: &ServerStats) -> String {
    let mut text = String::new();
    let (min, max) = (stats.latency_min_ms, stats.latency_max_ms);
    let _ = writeln!(text, "Latency min/avg/max: {min}/{}/{max}", average(stats.latency_avg_ms));
    let _ = writeln!(text, "Received: {}", stats.received);
    let _ = writeln!(text, "Sent: {}", stats.sent);
    let _ = writeln!(text, "Connections: {}", stats.clients.len());
    let _ = writeln!(text, "Outstanding: {}", stats.outstanding);
    let _ = writeln!(text, "Zxid: {}", stats.zxid);
    let mode = if stats.read_only { "read-only".into() } else { stats.mode.to_string() };
    let _ = writeln!(text, "Mode: {mode}");
    let _ = writeln!(text, "Node count: {}", stats.node_count);
    if let Some(leader) = &stats.leader {
        let _ = match leader.proposal_sizes {
            Some((last, min, max)) => {
                writeln!(text, "Proposal sizes last/min/max: {last}/{min}/{max}")
            }
            None => writeln!(text, "Proposal sizes last/min/max: -1/-1/-1"),
        };
    }
    text
}

/// Java's text of a double that was rounded to four decimals: `0.0`, `1.2222`.
fn average(value: f64) -> String {
    format!("{:?}", (value * 10_000.0).round() / 10_000.0)
}

/// `zk_NAME`, a tab, the value. Consumers look lines up by name; the order says nothing.
fn mntr(stats: &ServerStats) -> String {
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
