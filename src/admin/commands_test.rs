//! Answers of the admin port, beside what Apache ZooKeeper 3.9.3 answered.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::commands::{Command, Membership, answer, index, unknown};
use super::metrics::metrics;
use super::mntr::mntr;
use super::words_test::Sample;
use super::{ClientLine, LastOp, LeaderStats, Mode, ServerStats, SessionLine};
use crate::base::{Now, ServerId, SessionId, Zxid};
use crate::config::{ServerConfig, ServerSpec};
use crate::metrics::{Counter, CounterSet};
use crate::runtime::HostPort;

/// Fields of Apache's answers that are not in ours: nothing counts them.
const LEFT_OUT: [&str; 5] = [
    "observers.packets_received",
    "observers.packets_sent",
    "observers.queued_packets",
    "observers.remote_socket_address",
    "observers.requests",
];

fn golden(role: &str, name: &str) -> Value {
    let root = env!("CARGO_MANIFEST_DIR");
    let path = format!("{root}/tests/golden/texts/3.9.3/{role}/admin-{name}.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).expect("Apache's answer is JSON")
}

/// Server 3 of the golden ensemble: it leads 1 and 2.
fn config() -> ServerConfig {
    let mut config = ServerConfig::defaults(ServerId(3));
    for sid in 1..=3_u16 {
        let on = |port| HostPort::new("127.0.0.1", port + sid);
        let spec = ServerSpec::participant(on(2220), on(2230));
        config.servers.insert(ServerId(i64::from(sid)), spec);
    }
    config
}

fn stats(role: &str) -> ServerStats {
    let leader = LeaderStats { learners: 3, synced_followers: 2, ..LeaderStats::default() };
    ServerStats {
        mode: match role {
            "leader" => Mode::Leader,
            "follower" => Mode::Follower,
            "observer" => Mode::Observer,
            _ => Mode::Standalone,
        },
        leader: (role == "leader").then_some(leader),
        clients: vec![ClientLine { session: Some(session_line()), ..ClientLine::default() }],
        file_descriptors: Some((74, 20_000)),
        zxid: Zxid(0x1_0000_000a),
        ..ServerStats::default()
    }
}

fn session_line() -> SessionLine {
    SessionLine {
        id: SessionId(5),
        timeout_ms: 20_000,
        established_ms: 1,
        last_op: LastOp::NotAvailable,
        last_cxid: None,
        last_zxid: Zxid(-1),
        last_response_ms: 0,
        last_latency_ms: 0,
        latency_min_ms: 0,
        latency_avg_ms: 0,
        latency_max_ms: 0,
    }
}

fn ask(role: &str, name: &str) -> Value {
    let mut config = config();
    match role {
        "standalone" => config.servers.clear(),
        "follower" => config.my_id = ServerId(1),
        _ => {}
    }
    let mut server = Sample::of(stats(role));
    server.is_serving = role != "looking";
    server.watches = vec![(SessionId(0x0300_0000_0000_0000), vec!["/p", "/n"])];
    let membership = Membership {
        config: &config,
        leader: (role == "leader" || role == "follower").then_some(ServerId(3)),
        last_zxid: Zxid(0x1_0000_000a),
        zab_state: "broadcast",
    };
    let command = Command::named(name).unwrap_or_else(|| panic!("no command {name}"));
    let answer = answer(command, &server, &membership);
    assert_eq!((answer.status, answer.content_type), (200, "application/json"));
    serde_json::from_slice(answer.bytes()).expect("JSON")
}

/// The paths of all fields.
fn fields(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    let object = match value {
        Value::Object(object) => object,
        Value::Array(items) if items.first().is_some_and(Value::is_object) => {
            return fields(&items[0], at, found);
        }
        _ => return,
    };
    for (name, value) in object {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        fields(value, &path, found);
        found.insert(path);
    }
}

fn all_fields(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    fields(value, "", &mut found);
    found.retain(|field| !LEFT_OUT.iter().any(|out| field.starts_with(out)));
    found
}

#[test]
fn every_answer_has_the_fields_of_apaches() {
    for role in ["leader", "follower", "standalone", "looking"] {
        for name in [
            "configuration",
            "connection_stat_reset",
            "connections",
            "dirs",
            "environment",
            "get_trace_mask",
            "hash",
            "initial_configuration",
            "is_read_only",
            "last_snapshot",
            "leader",
            "observer_connection_stat_reset",
            "observers",
            "ruok",
            "server_stats",
            "stat_reset",
            "stats",
            "voting_view",
            "watch_summary",
            "zabstate",
        ] {
            if role == "looking" && !["leader", "ruok", "voting_view", "zabstate"].contains(&name) {
                continue; // Not captured; the same refusal.
            }
            let (ours, theirs) = (ask(role, name), golden(role, name));
            assert_eq!(all_fields(&ours), all_fields(&theirs), "{name} of a {role}: {ours:#}");
            assert_eq!(ours["error"], theirs["error"], "{name} of a {role}");
            assert_eq!(ours["command"], theirs["command"], "{name} of a {role}");
        }
    }
}

#[test]
fn what_says_who_is_who_is_apaches_to_the_value() {
    for (role, name) in [
        ("leader", "leader"),
        ("follower", "leader"),
        ("leader", "voting_view"),
        ("leader", "zabstate"),
        ("follower", "zabstate"),
        ("standalone", "zabstate"),
        ("leader", "nosuch"),
    ] {
        let ours = match name {
            "nosuch" => serde_json::from_slice(unknown(name).bytes()).expect("JSON"),
            _ => ask(role, name),
        };
        assert_eq!(ours, golden(role, name), "{name} of a {role}");
    }
}

#[test]
fn what_is_named_by_sessions_and_paths_is_in_apaches_maps() {
    let session = (0x0300_0000_0000_0000_i64).to_string();
    let watches = &ask("leader", "watches")["session_id_to_watched_paths"];
    assert_eq!(watches[&session], serde_json::json!(["/p", "/n"]));
    let by_path = &ask("leader", "watches_by_path")["path_to_session_ids"];
    assert_eq!(by_path["/p"], serde_json::json!([0x0300_0000_0000_0000_i64]));
    let (ours, theirs) = (ask("leader", "dump"), golden("leader", "dump"));
    for name in ["expiry_time_to_session_ids", "session_id_to_ephemeral_paths"] {
        assert!(ours[name].is_object() && theirs[name].is_object(), "{ours:#}");
    }
}

#[test]
fn what_is_counted_has_apaches_names() {
    let (ours, theirs) = (ask("leader", "monitor"), golden("leader", "monitor"));
    let names = |value: &Value| value.as_object().map(Map::len).unwrap_or_default();
    assert!(names(&ours) > 200, "{ours:#}");
    for name in ours.as_object().expect("an object").keys() {
        let is_known = !theirs[name].is_null() || name == "error";
        assert_ne!(is_known, name.contains("quorate_"), "{name}");
    }
}

fn scrape(server: &Sample) -> String {
    let answer = metrics(server);
    assert_eq!(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    String::from_utf8(answer.bytes().to_vec()).expect("text")
}

#[test]
fn prometheus_reads_each_metric_with_its_type() {
    let leader = Sample::of(stats("leader"));
    leader.metrics.count(Counter::LookingCount);
    for (sid, wall_ms) in [(1, 7), (2, 9)] {
        let now = Now { wall_ms, ..Now::default() };
        leader.metrics.record_ack(ServerId(sid), now, 0);
    }
    leader.metrics.count_under(CounterSet::Elections, "a\"\\b");
    let text = scrape(&leader);
    for found in [
        "# HELP learners learners\n# TYPE learners gauge\nlearners 3.0\n",
        "\navg_latency 0.0\n",
        "# TYPE auth_failed_count gauge\nauth_failed_count 0.0\n",
        "# TYPE looking_count counter\nlooking_count 1.0\n",
        "# TYPE quota_exceeded_error_per_namespace counter\n# HELP",
        "# TYPE fsynctime summary\nfsynctime{quantile=\"0.5\",} NaN\nfsynctime_count 0.0\nfsynctime_sum 0.0\n",
        "# TYPE ack_latency summary\nack_latency{key=\"1\",quantile=\"0.5\",} 7.0\n\
         ack_latency{key=\"1\",quantile=\"0.9\",} 7.0\nack_latency{key=\"1\",quantile=\"0.99\",} 7.0\n\
         ack_latency_count{key=\"1\",} 1.0\nack_latency_sum{key=\"1\",} 7.0\nack_latency{key=\"2\",",
        "quorate_elections{key=\"a\\\"\\\\b\",} 1.0\n",
    ] {
        assert!(text.contains(found), "{found} is not in {text}");
    }
    let text = scrape(&Sample::of(stats("standalone")));
    assert!(!text.contains("quorum_size") && !text.contains("learners"), "{text}");
}

#[test]
fn mntr_makes_several_numbers_of_a_summary() {
    let leader = Sample::of(stats("leader"));
    leader.metrics.record_ack(ServerId(2), Now { wall_ms: 3, ..Now::default() }, 0);
    leader.metrics.record_ack(ServerId(2), Now { wall_ms: 6, ..Now::default() }, 0);
    let text = mntr(&leader);
    let names = ["avg", "min", "max", "cnt", "sum", "p50", "p95", "p99", "p999"];
    let values = ["4.5", "3", "6", "2", "9", "3", "6", "6", "6"];
    for (name, value) in names.into_iter().zip(values) {
        let line = format!("\nzk_{name}_2_ack_latency\t{value}\n");
        assert!(text.contains(&line), "{line} is not in {text}");
    }
    assert!(text.contains("\nzk_avg_fsynctime\t0.0\n") && !text.contains("p50_fsynctime"));
}

#[test]
fn the_index_names_each_command_once_and_every_name_finds_its_command() {
    let page = String::from_utf8(index("/commands", true).bytes().to_vec()).expect("text");
    assert!(page.contains("<a href=\"/commands/zabstate\">zabstate</a>"), "{page}");
    for (name, other) in [("mntr", "monitor"), ("conf", "configuration"), ("stat", "stats")] {
        assert_eq!(Command::named(name), Command::named(other));
        assert!(Command::named(name).is_some() && !page.contains(&format!(">{name}<")));
    }
}
