//! What docs/monitoring.md, its dashboard and its rules say, against the scrapes of servers that run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use quorate::jute::client::op;

use crate::admin::get;
use crate::ensemble::{Ensemble, Plan, set_request, wait_for};
use crate::promql::{Labels, Sample, Scrapes, evaluate, names, read_scrape};

/// A metric that has this value, or that is not there.
type Change = (&'static str, Option<f64>);

/// Each rule, and what makes it fire.
const BAD: &[(&str, &[Change])] = &[
    ("ZooKeeperDown", &[("up", Some(0.0))]),
    ("ZooKeeperNoLeader", &[("leader_uptime", None)]),
    ("ZooKeeperFollowersMissing", &[("synced_followers", Some(1.0))]),
    ("ZooKeeperElections", &[("looking_count", Some(9.0))]),
    ("ZooKeeperSnapshotsToLearners", &[("snap_count", Some(9.0))]),
    ("ZooKeeperUnrecoverableError", &[("unrecoverable_error_count", Some(1.0))]),
    ("ZooKeeperSlowReads", &[("readlatency_sum", Some(1e9))]),
    ("ZooKeeperSlowUpdates", &[("updatelatency", Some(501.0))]),
    ("ZooKeeperOutstandingRequests", &[("outstanding_requests", Some(1001.0))]),
    ("ZooKeeperPendingSyncs", &[("pending_syncs", Some(11.0))]),
    ("ZooKeeperSlowDisk", &[("fsynctime_sum", Some(1e9))]),
    ("ZooKeeperStuckDisk", &[("quorate_fsync_threshold_exceed_count", Some(1e9))]),
    ("ZooKeeperLogBehind", &[("quorate_log_waiting_bytes", Some(1e8))]),
    ("ZooKeeperSlowSteps", &[("quorate_slow_step_ms_count", Some(1e9))]),
    ("ZooKeeperConnectionsRejected", &[("connection_rejected", Some(1.0))]),
    ("ZooKeeperSessionsExpire", &[("stale_sessions_expired", Some(11.0))]),
    ("ZooKeeperAuthFailures", &[("auth_failed_count", Some(11.0))]),
    ("ZooKeeperThrottled", &[("throttled_ops", Some(1.0))]),
    ("ZooKeeperQuotaExceeded", &[("quota_exceeded_error_per_namespace", Some(1.0))]),
    ("ZooKeeperFileDescriptors", &[("max_file_descriptor_count", Some(1.0))]),
    ("ZooKeeperTreeIsLarge", &[("approximate_data_size", Some(2e9))]),
    ("ZooKeeperClientsDoNotRead", &[("quorate_client_unsent_bytes", Some(2e8))]),
];

fn file(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// An ensemble of three that has something to tell.
fn ensemble() -> Ensemble {
    let ensemble = Plan::voters(&[1, 2, 3]).setting("admin.enableServer=true").start();
    let leader = ensemble.leader();
    wait_for("both followers", || {
        let samples = scrape(&ensemble).0;
        samples.iter().any(|s| s.name == "synced_followers" && s.value == 2.0).then_some(())
    });
    work(&ensemble, leader, "/app");
    ensemble
}

/// Writes and reads at the leader and at a follower.
fn work(ensemble: &Ensemble, leader: i64, path: &str) {
    for id in [leader, ensemble.followers()[0]] {
        let mut client = ensemble.client(id);
        let path = format!("{path}{id}");
        client.create(&path, "x", 0).expect("a new node");
        client.get(&path, true).expect("it is there");
        client.set(&path, "y").expect("it is there");
        client.close_session().expect("it ends");
    }
}

/// All servers, as Prometheus sees them: with their places as `instance`, and `up`.
fn scrape(ensemble: &Ensemble) -> (Vec<Sample>, BTreeMap<String, String>) {
    let (mut all, mut types) = (Vec::new(), BTreeMap::new());
    for n in 0..ensemble.servers.len() {
        let (samples, own_types) = read_scrape(&get(ensemble.admin(n), "/metrics").1);
        let up = Sample { name: "up".into(), labels: Labels::new(), value: 1.0 };
        for mut sample in samples.into_iter().chain([up]) {
            sample.labels.insert("job".into(), "zookeeper".into());
            sample.labels.insert("instance".into(), n.to_string());
            all.push(sample);
        }
        types.extend(own_types);
    }
    (all, types)
}

/// Rule and expression.
fn rules() -> Vec<(String, String)> {
    let text = file("docs/monitoring/alerts.yml");
    let values = |key: &str| -> Vec<String> {
        let of = |line: &str| {
            Some(line.trim().trim_start_matches("- ").strip_prefix(key)?.trim().into())
        };
        text.lines().filter_map(of).collect()
    };
    let (alerts, exprs) = (values("alert:"), values("expr:"));
    assert_eq!(alerts.len(), exprs.len());
    alerts.into_iter().zip(exprs).collect()
}

/// The expressions of all panels.
fn panels() -> Vec<String> {
    let dashboard: Value =
        serde_json::from_str(&file("docs/monitoring/grafana.json")).expect("JSON");
    let targets = |panel: &Value| panel["targets"].as_array().cloned().unwrap_or_default();
    let panels = dashboard["panels"].as_array().expect("panels").iter().flat_map(targets);
    panels.map(|target| target["expr"].as_str().expect("a text").into()).collect()
}

/// The names in the table under `Left out`.
fn left_out() -> BTreeSet<String> {
    let text = file("docs/monitoring.md");
    let (_, section) = text.split_once("\n## Left out\n").expect("the section");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let rows: Vec<&str> = rows.collect();
    rows.iter()
        .flat_map(|row| row.split("`, `"))
        .map(|name| name.trim_matches('`').into())
        .collect()
}

fn altered(healthy: &[Sample], changes: &[Change]) -> Vec<Sample> {
    let mut samples = healthy.to_vec();
    for (name, value) in changes {
        match value {
            None => samples.retain(|sample| sample.name != *name),
            Some(value) => {
                let labels = Labels::from([("key".into(), "app".into())]);
                if !samples.iter().any(|sample| sample.name == *name) {
                    samples.push(Sample { name: (*name).into(), labels, value: *value });
                }
                samples.iter_mut().filter(|s| s.name == *name).for_each(|s| s.value = *value);
            }
        }
    }
    samples
}

/// The least value of a metric over all servers that have it, and the greatest.
fn range(samples: &[Sample], name: &str) -> (f64, f64) {
    let values = samples.iter().filter(|sample| sample.name == name).map(|sample| sample.value);
    values.fold((f64::MAX, f64::MIN), |(min, max), value| (min.min(value), max.max(value)))
}

/// The acks of one zxid in a thousand are counted.
fn write_often(ensemble: &Ensemble) {
    let mut client = ensemble.client(1);
    client.create("/often", "", 0).expect("a node");
    for _ in 0..1000 {
        client.send(op::SET_DATA, &set_request("/often", "")).expect("it is sent");
    }
    for _ in 0..1000 {
        client.receive().expect("it is written");
    }
}

#[test]
fn what_three_servers_and_their_clients_do_is_counted() {
    let ensemble = ensemble();
    write_often(&ensemble);
    let samples = scrape(&ensemble).0;
    for name in [
        "dbinittime_count",
        "election_time_count",
        "fsynctime_count",
        "looking_count",
        "propagation_latency_count",
        "quorate_elections",
        "request_commit_queued",
        "startup_snap_load_time_count",
        "sync_processor_request_queued",
        "unavailable_time_count",
    ] {
        assert!(range(&samples, name).0 >= 1.0, "{name}: every server");
    }
    for name in [
        "bytes_received_count",
        "commit_count",
        "commit_propagation_latency_count",
        "connection_request_count",
        "diff_count",
        "follower_sync_time_count",
        "leader_unavailable_time_count",
        "learner_commit_received_count",
        "learner_proposal_received_count",
        "non_mtls_local_conn_count",
        "node_changed_watch_count_count",
        "proposal_ack_creation_latency_count",
        "proposal_count",
        "quorate_commit_latency_us_count",
        "quorum_ack_latency_count",
        "readlatency_count",
        "response_bytes",
        "updatelatency_count",
        "watch_bytes",
    ] {
        let (least, greatest) = range(&samples, name);
        assert!(least >= 0.0 && greatest >= 1.0, "{name}: {greatest}");
    }
    let of = |name: &str| -> BTreeSet<&str> {
        let of_it = samples.iter().filter(|sample| sample.name == name);
        of_it.map(|sample| sample.labels["key"].as_str()).collect()
    };
    // Those that came before the quorum was there.
    assert!(of("ack_latency_count").len() >= 2);
    assert_eq!(of("quorate_elections"), ["start"].into());
    let operations = of("quorate_request_latency_ms_count");
    assert!(operations.is_superset(&["create", "getData", "setData", "closeSession"].into()));
    for name in ["commit_count", "proposal_count"] {
        assert_eq!(range(&samples, name).0, 0.0, "{name}: a follower has none");
    }
}

#[test]
fn a_slow_sync_is_told_of_and_counted_and_srst_leaves_that_count() {
    let plan = Plan::standalone().setting("admin.enableServer=true");
    let ensemble = plan.setting("fsync.warningthresholdms=0").start();
    let numbers = |name: &str| -> Value {
        let (_, body) = get(ensemble.admin(0), &format!("/commands/{name}"));
        serde_json::from_str(&body).expect("JSON")
    };
    let mut client = ensemble.client(1);
    client.create("/slow", "x", 0).expect("a new node");
    ensemble.servers[0].wait_for_words("a sync of the log was slow: 1 transactions with");
    let slow = numbers("server_stats")["server_stats"]["fsync_threshold_exceed_count"].as_u64();
    assert!(slow >= Some(2), "{slow:?}: a session and a node");
    assert!(numbers("monitor")["cnt_fsynctime"].as_u64() >= Some(2));
    numbers("stat_reset");
    assert_eq!(numbers("monitor")["cnt_fsynctime"], 0);
    assert!(numbers("monitor")["non_mtls_local_conn_count"].as_u64() >= Some(1));
    let sizes = &numbers("server_stats")["server_stats"]["client_response_stats"];
    assert_eq!(sizes["max_buffer_size"], -1, "they begin anew");
}

#[test]
fn each_rule_is_silent_when_all_is_well_and_fires_when_it_is_not() {
    let ensemble = ensemble();
    let before = scrape(&ensemble).0;
    work(&ensemble, ensemble.leader(), "/more");
    let after = scrape(&ensemble).0;
    let rules = rules();
    let known: BTreeSet<&str> = BAD.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(rules.iter().map(|(rule, _)| rule.as_str()).collect::<BTreeSet<_>>(), known);
    for (rule, expr) in &rules {
        let scrapes = Scrapes { before: before.clone(), after: after.clone() };
        assert_eq!(evaluate(expr, &scrapes), [], "{rule} fires: {expr}");
        let changes = BAD.iter().find(|(known, _)| known == rule).expect("it is known").1;
        let bad = Scrapes { before: before.clone(), after: altered(&after, changes) };
        assert!(!evaluate(expr, &bad).is_empty(), "{rule} is silent: {expr}");
    }
}

#[test]
fn what_the_dashboard_and_the_rules_ask_for_is_in_a_scrape() {
    let ensemble = ensemble();
    let (samples, types) = scrape(&ensemble);
    let mut there: BTreeSet<String> = samples.into_iter().map(|sample| sample.name).collect();
    there.extend(types.into_keys());
    let rules = rules().into_iter().map(|(_, expr)| expr);
    let asked: Vec<String> = panels().into_iter().chain(rules).collect();
    assert!(asked.len() > 50, "{asked:?}");
    for expr in asked {
        let missing: Vec<String> =
            names(&expr).into_iter().filter(|n| !there.contains(n)).collect();
        assert!(missing.is_empty(), "{missing:?} of {expr}");
    }
}

/// A row: name, type, `key` if there is one for each key, and how much of a summary is shown.
#[test]
fn every_metric_of_apache_is_there_with_its_type_or_is_left_out_with_a_reason() {
    let ensemble = ensemble();
    let (samples, types) = scrape(&ensemble);
    let left_out = left_out();
    let apaches = file("tests/golden/texts/3.9.3/metrics.txt");
    let mut names = BTreeSet::new();
    for row in apaches.lines() {
        let mut words = row.split(' ');
        let (name, kind) = (words.next().expect("a name"), words.next().expect("a type"));
        let rest: Vec<&str> = words.collect();
        names.insert(name.to_owned());
        let ours = types.get(name).map(String::as_str);
        assert_ne!(ours.is_some(), left_out.contains(name), "{name}: {ours:?}");
        let Some(ours) = ours else { continue };
        assert_eq!(ours, kind, "{name}");
        let of_it = samples.iter().filter(|sample| sample.name == name);
        let quantiles: BTreeSet<&str> = of_it
            .clone()
            .filter_map(|sample| Some(sample.labels.get("quantile")?.as_str()))
            .collect();
        let expected: &[&str] = match rest.last() {
            _ if of_it.clone().next().is_none() => &[],
            Some(&"BASIC") => &["0.5"],
            Some(&"ADVANCED") => &["0.5", "0.9", "0.99"],
            _ => &[],
        };
        assert_eq!(quantiles, expected.iter().copied().collect(), "{name}");
        for sample in of_it {
            assert_eq!(sample.labels.contains_key("key"), rest.contains(&"key"), "{sample:?}");
        }
    }
    for name in types.keys().filter(|name| !names.contains(*name)) {
        assert!(name.starts_with("quorate_"), "{name} is not Apache's");
        assert!(
            file("docs/monitoring.md").contains(&format!("| `{name}`"))
                || file("docs/monitoring.md").contains(&format!(", `{name}`")),
            "{name} is not told of"
        );
    }
    let unknown: Vec<&String> = left_out.difference(&names).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
