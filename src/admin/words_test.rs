//! Answers against what Apache ZooKeeper 3.8.0 and 3.9.3 said in the same situation.

use super::stats::VERSION;
use super::{ClientLine, LeaderStats, Mode, ServerStats, answer};
use crate::base::{ServerId, Zxid};

fn golden(version: &str, name: &str) -> String {
    let path = format!("{}/tests/golden/texts/{version}/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The golden text with our version in the place of theirs.
fn with_our_version(text: &str) -> String {
    let ours = |line: &str| match line.split_once(": ") {
        Some(("Zookeeper version", _)) => format!("Zookeeper version: {VERSION}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(ours).collect()
}

fn all() -> Vec<String> {
    vec!["*".into()]
}

/// The leader of the golden files (3.9.3): its two clients are the capturing ones.
fn leader() -> ServerStats {
    let client = |address: &str, has_session, received, sent| ClientLine {
        address: address.into(),
        has_session,
        queued: 0,
        received,
        sent,
    };
    ServerStats {
        serving: true,
        mode: Mode::Leader,
        latency_min_ms: 0,
        latency_avg_ms: 4.2,
        latency_max_ms: 9,
        received: 14,
        sent: 15,
        zxid: Zxid(0x1_0000_000a),
        node_count: 11,
        leader: Some(LeaderStats {
            proposal_sizes: Some((89, 48, 90)),
            learners: 3,
            synced_followers: 2,
            synced_observers: 1,
            syncing_learners: 1,
            syncing_bytes: 5_000_000,
            syncing_percent: Some(42),
            pending_syncs: 0,
            uptime_ms: 1396,
        }),
        clients: vec![
            client("127.0.0.1:54680", true, 10, 12),
            client("127.0.0.1:54708", false, 1, 0),
        ],
        ..ServerStats::default()
    }
}

#[test]
fn srvr_of_a_leader_is_the_golden_one() {
    let expected = with_our_version(&golden("3.9.3", "leader/4lw-srvr.txt"));
    assert_eq!(answer(*b"srvr", &leader(), &all()), expected);
}

#[test]
fn stat_of_a_leader_is_the_golden_one() {
    let stats = ServerStats { received: 15, sent: 16, ..leader() };
    let expected = with_our_version(&golden("3.9.3", "leader/4lw-stat.txt"));
    assert_eq!(answer(*b"stat", &stats, &all()), expected);
}

#[test]
fn srvr_of_other_roles_is_the_golden_one() {
    let base = ServerStats { leader: None, clients: vec![ClientLine::default(); 2], ..leader() };
    let of = |mode, latency: (u64, f64, u64)| ServerStats {
        mode,
        latency_min_ms: latency.0,
        latency_avg_ms: latency.1,
        latency_max_ms: latency.2,
        received: 6,
        sent: 5,
        ..base.clone()
    };
    let standalone = ServerStats {
        received: 12,
        sent: 12,
        zxid: Zxid(5),
        node_count: 8,
        ..of(Mode::Standalone, (0, 15.0 / 9.0, 6))
    };
    for (version, name, stats) in [
        ("3.9.3", "follower", of(Mode::Follower, (3, 3.5, 4))),
        ("3.9.3", "observer", of(Mode::Observer, (4, 4.0, 4))),
        ("3.8.0", "standalone", standalone),
    ] {
        let expected = with_our_version(&golden(version, &format!("{name}/4lw-srvr.txt")));
        assert_eq!(answer(*b"srvr", &stats, &all()), expected, "{version} {name}");
    }
}

#[test]
fn a_server_that_is_looking_answers_as_apache_does() {
    for version in ["3.8.0", "3.9.3"] {
        for word in ["ruok", "isro", "srvr", "stat", "mntr"] {
            let expected = golden(version, &format!("looking/4lw-{word}.txt"));
            let bytes: [u8; 4] = word.as_bytes().try_into().expect("words have four letters");
            assert_eq!(answer(bytes, &ServerStats::default(), &all()), expected, "{word}");
        }
    }
}

#[test]
fn ruok_and_isro_are_the_golden_ones() {
    for role in ["leader", "follower", "observer"] {
        for word in [*b"ruok", *b"isro"] {
            let name = String::from_utf8_lossy(&word);
            let expected = golden("3.9.3", &format!("{role}/4lw-{name}.txt"));
            assert_eq!(answer(word, &leader(), &all()), expected);
        }
    }
    let read_only = ServerStats { read_only: true, ..leader() };
    assert_eq!(answer(*b"isro", &read_only, &all()), "ro");
    assert!(answer(*b"srvr", &read_only, &all()).contains("\nMode: read-only\n"));
}

#[test]
fn every_mntr_name_is_one_of_apache_and_numbers_are_numbers() {
    let observer = ServerStats {
        mode: Mode::Observer,
        leader: None,
        observer_master: Some(ServerId(3)),
        file_descriptors: Some((70, 20_000)),
        election_ms: Some(12),
        quorum_size: 3,
        ..leader()
    };
    for (role, stats) in [("leader", leader()), ("observer", observer)] {
        let theirs = golden("3.9.3", &format!("{role}/4lw-mntr.txt"));
        let ours = answer(*b"mntr", &stats, &all());
        assert!(ours.starts_with(&format!("zk_version\t{VERSION}\nzk_server_state\t{role}\n")));
        for line in ours.lines() {
            let (name, value) = line.split_once('\t').expect("a name, a tab, a value");
            if name.starts_with("zk_syncing_") || name.contains("slow_step") {
                assert!(value.parse::<u64>().is_ok(), "{line}: ours alone");
                continue;
            }
            let counterpart = theirs.lines().find_map(|l| l.strip_prefix(&format!("{name}\t")));
            let theirs = counterpart.unwrap_or_else(|| panic!("Apache has no {name}"));
            assert_eq!(value.parse::<f64>().is_ok(), theirs.parse::<f64>().is_ok(), "{line}");
            assert_eq!(value.contains('.'), theirs.contains('.'), "{line}: {theirs}");
        }
    }
}

#[test]
fn mntr_shows_what_dashboards_watch() {
    let text = answer(*b"mntr", &leader(), &all());
    for line in [
        "zk_peer_state\tleading - broadcast",
        "zk_avg_latency\t4.2",
        "zk_znode_count\t11",
        "zk_synced_followers\t2",
        "zk_synced_observers\t1",
        "zk_learners\t3",
        "zk_syncing_learners\t1",
        "zk_syncing_bytes_sent\t5000000",
        "zk_syncing_percent\t42",
        "zk_pending_syncs\t0",
        "zk_last_proposal_size\t89",
        "zk_leader_uptime\t1396",
    ] {
        assert!(text.lines().any(|l| l == line), "{line:?} is missing in {text}");
    }
    assert!(
        !answer(*b"mntr", &ServerStats { leader: None, ..leader() }, &all()).contains("synced")
    );
}

#[test]
fn a_word_outside_the_whitelist_is_not_executed() {
    let whitelist = vec!["srvr".to_string()];
    let text = answer(*b"ruok", &leader(), &whitelist);
    assert_eq!(text, "ruok is not executed because it is not in the whitelist.\n");
    assert!(answer(*b"srvr", &leader(), &whitelist).contains("Mode: leader"));
    assert!(answer(*b"srvr", &leader(), &[]).contains("not in the whitelist"));
}

#[test]
fn words_of_apache_are_known_and_lengths_are_not() {
    assert!(answer(*b"wchp", &leader(), &[]).contains("not in the whitelist"));
    for other in [*b"xxxx", [0, 0, 0, 45], *b"SRVR"] {
        assert_eq!(answer(other, &leader(), &all()), "");
    }
    assert!(answer(*b"dump", &leader(), &all()).contains("not supported yet"));
}

#[test]
fn the_version_reads_like_one_of_apache() {
    let (number, rest) = VERSION.split_once("-quorate-").expect("the product's name");
    assert!(number.split('.').all(|part| part.parse::<u32>().is_ok()), "{number}");
    assert!(rest.contains(", built on 20") && rest.ends_with(" UTC"), "{rest}");
}
