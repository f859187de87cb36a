//! Answers against what Apache ZooKeeper 3.8.0 and 3.9.3 said in the same situation.
//!
//! A golden text is compared as it is, but for our version in the place of theirs.
//!
//! Over 500 lines: each word has its text, and what a server shows for it is written out.

use super::stats::VERSION;
use super::{
    ClientLine, Conf, Dump, ExpiryBucket, LastOp, LeaderStats, Mode, ObserverLine, QuorumConf,
    ServerStats, SessionLine, SessionsDump, Shown, TRACE_MASK, WatchSummary, admit,
};
use crate::base::{ServerId, SessionId, Zxid};
use crate::jute::client::op;
use crate::metrics::{Family, Metrics};
use crate::runtime::Environment;

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

/// What a word asks of a server, filled in by hand.
#[derive(Clone)]
pub(super) struct Sample {
    pub(super) is_serving: bool,
    stats: ServerStats,
    pub(super) metrics: Metrics,
    conf: Conf,
    environment: Environment,
    pub(super) dump: Dump<'static>,
    pub(super) watches: Vec<(SessionId, Vec<&'static str>)>,
    digests: Vec<(Zxid, i64)>,
}

impl Sample {
    pub(super) fn of(stats: ServerStats) -> Sample {
        let sessions = SessionsDump::Known { local: None, global: Vec::new() };
        Sample {
            is_serving: true,
            stats,
            metrics: Metrics::default(),
            conf: Conf::default(),
            environment: Environment::default(),
            dump: Dump { sessions, ephemerals: Vec::new(), connections: Vec::new() },
            watches: Vec::new(),
            digests: Vec::new(),
        }
    }
}

impl Shown for Sample {
    fn is_serving(&self) -> bool {
        self.is_serving
    }

    fn is_read_only(&self) -> bool {
        self.stats.read_only
    }

    fn stats(&self) -> ServerStats {
        self.stats.clone()
    }

    fn families(&self) -> Vec<Family> {
        self.metrics.families()
    }

    fn conf(&self) -> Conf {
        self.conf.clone()
    }

    fn environment(&self) -> &Environment {
        &self.environment
    }

    fn trace_mask(&self) -> i64 {
        TRACE_MASK
    }

    fn dump(&self) -> Dump<'_> {
        self.dump.clone()
    }

    fn watch_summary(&self) -> WatchSummary {
        let watches = self.watches.iter().map(|(_, paths)| paths.len()).sum();
        WatchSummary { connections: self.watches.len(), paths: watches, watches }
    }

    fn watches_by_session(&self) -> Vec<(SessionId, Vec<&str>)> {
        self.watches.clone()
    }

    /// No two sessions of a sample watch the same path.
    fn watches_by_path(&self) -> Vec<(&str, Vec<SessionId>)> {
        let pairs = |(id, paths): &(SessionId, Vec<&'static str>)| -> Vec<(&str, Vec<SessionId>)> {
            paths.iter().map(|path| (*path, vec![*id])).collect()
        };
        self.watches.iter().flat_map(pairs).collect()
    }

    fn digests(&self) -> Vec<(Zxid, i64)> {
        self.digests.clone()
    }

    fn last_snapshot(&self) -> Option<(Zxid, Option<i64>)> {
        Some((Zxid(0x1f), Some(1_795_260_166)))
    }

    fn observers(&self) -> Vec<ObserverLine> {
        if self.stats.leader.is_none() {
            return Vec::new();
        }
        let sid = ServerId(4);
        vec![ObserverLine { sid, established_ms: 1_795_260_170_515, last_zxid: Zxid(0x1f) }]
    }
}

/// What a server says to a word of its connection's first four bytes.
fn say(word: [u8; 4], server: &Sample, whitelist: &[String]) -> String {
    admit(word, whitelist).map_or_else(|refusal| refusal, |word| super::answer(word, server))
}

/// What a server with these numbers says.
fn answer(word: [u8; 4], stats: &ServerStats, whitelist: &[String]) -> String {
    say(word, &Sample::of(stats.clone()), whitelist)
}

fn bytes(word: &str) -> [u8; 4] {
    word.as_bytes().try_into().expect("words have four letters")
}

fn all() -> Vec<String> {
    vec!["*".into()]
}

/// The leader of the golden files (3.9.3): its two clients are the capturing ones.
fn leader() -> ServerStats {
    let client = |address: &str, session, received, sent| ClientLine {
        address: address.into(),
        queued: 0,
        received,
        sent,
        session,
    };
    let session = SessionLine {
        id: SessionId(0x0300_0076_5fa6_0000),
        timeout_ms: 20_000,
        established_ms: 1_795_260_170_633,
        last_op: LastOp::Op(op::CREATE),
        last_cxid: Some(9),
        last_zxid: Zxid(0x1_0000_0008),
        last_response_ms: 7_757_909,
        last_latency_ms: 5,
        latency_min_ms: 0,
        latency_avg_ms: 4,
        latency_max_ms: 9,
    };
    ServerStats {
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
            client("127.0.0.1:54680", Some(session), 10, 12),
            client("127.0.0.1:54708", None, 1, 0),
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
    let looking = Sample { is_serving: false, ..Sample::of(ServerStats::default()) };
    for version in ["3.8.0", "3.9.3"] {
        for word in ["ruok", "isro", "srvr", "stat", "mntr"] {
            let expected = golden(version, &format!("looking/4lw-{word}.txt"));
            assert_eq!(say(bytes(word), &looking, &all()), expected, "{word}");
        }
    }
    // Nobody has captured these of a server that looks: they are from Apache's source.
    let refusal = golden("3.9.3", "looking/4lw-srvr.txt");
    for word in ["conf", "cons", "crst", "dirs", "dump", "srst", "wchc", "wchp", "wchs"] {
        assert_eq!(say(bytes(word), &looking, &all()), refusal, "{word}");
    }
    assert_eq!(say(*b"hash", &looking, &all()), refusal.trim_end(), "no end of line");
    assert_eq!(say(*b"gtmk", &looking, &all()), "306");
    assert!(say(*b"envi", &looking, &all()).starts_with("Environment:\n"));
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
    let srvr = answer(*b"srvr", &read_only, &all());
    assert!(srvr.contains("\nMode: read-only\n"), "{srvr}");
    assert_eq!(srvr.lines().nth(1), Some("READ-ONLY mode; serving only read-only clients"));
}

#[test]
fn every_mntr_name_is_one_of_apache_and_numbers_are_numbers() {
    let observer = ServerStats {
        mode: Mode::Observer,
        leader: None,
        observer_master: Some(ServerId(3)),
        file_descriptors: Some((70, 20_000)),
        quorum_size: 3,
        ..leader()
    };
    for (role, stats) in [("leader", leader()), ("observer", observer)] {
        let theirs = golden("3.9.3", &format!("{role}/4lw-mntr.txt"));
        let ours = answer(*b"mntr", &stats, &all());
        assert!(ours.starts_with(&format!("zk_version\t{VERSION}\nzk_server_state\t{role}\n")));
        for line in ours.lines() {
            let (name, value) = line.split_once('\t').expect("a name, a tab, a value");
            if name.contains("quorate_") {
                assert!(value.parse::<f64>().is_ok(), "{line}: ours alone");
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
        "zk_quorate_syncing_learners\t1",
        "zk_quorate_syncing_bytes_sent\t5000000",
        "zk_quorate_syncing_percent\t42",
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
}

const SESSION_1: SessionId = SessionId(0x0100_0076_5f8d_0000);
const SESSION_3: SessionId = SessionId(0x0300_0076_5fa6_0000);
const SESSION_4: SessionId = SessionId(0x0400_0076_5fbb_0000);
/// 21 November 2026, 11:23 UTC.
const MINUTE_MS: i64 = 1_795_260_180_000;

fn bucket<T>(seconds: i64, members: Vec<T>) -> ExpiryBucket<T> {
    ExpiryBucket { at_ms: MINUTE_MS + seconds * 1000, members }
}

/// The quorum's servers of the golden files: `port` is the last digit of its ports.
fn member_conf(server_id: i64, observes: bool) -> Conf {
    let port = |from: u16| from + server_id as u16;
    let kind = |sid| if sid == 4 { "observer" } else { "participant" };
    let line =
        |sid| format!("server.{sid}=127.0.0.1:{}:{}:{}\n", 2220 + sid, 2230 + sid, kind(sid));
    Conf {
        client_port: Some(port(2210)),
        data_dir_bytes: 17_050,
        data_log_bytes: 17_050,
        tick_time_ms: 1000,
        session_timeout_min_ms: 2000,
        session_timeout_max_ms: 20_000,
        server_id,
        quorum: Some(QuorumConf {
            init_limit: 10,
            sync_limit: 5,
            election_port: port(2230),
            quorum_port: port(2220),
            is_observer: observes,
            membership: Some((1..=4).map(line).collect::<String>() + "version=100000000"),
        }),
        ..standalone_conf()
    }
}

fn standalone_conf() -> Conf {
    Conf {
        client_port: Some(2191),
        data_dir: "<dataDir>/version-2".into(),
        data_dir_bytes: 16_878,
        data_log_dir: "<dataDir>/version-2".into(),
        data_log_bytes: 16_878,
        tick_time_ms: 2000,
        max_client_cnxns: 60,
        session_timeout_min_ms: 4000,
        session_timeout_max_ms: 40_000,
        ..Conf::default()
    }
}

#[test]
fn conf_and_dirs_are_the_golden_ones() {
    for (role, conf) in [
        ("standalone", standalone_conf()),
        ("leader", member_conf(3, false)),
        ("follower", member_conf(1, false)),
        ("observer", member_conf(4, true)),
    ] {
        let sample = Sample { conf, ..Sample::of(leader()) };
        for word in ["conf", "dirs"] {
            let expected = golden("3.9.3", &format!("{role}/4lw-{word}.txt"));
            assert_eq!(say(bytes(word), &sample, &all()), expected, "{role} {word}");
        }
    }
}

#[test]
fn a_read_only_server_does_not_show_its_members() {
    let mut conf = member_conf(3, false);
    conf.client_port = None;
    conf.secure_client_port = Some(2281);
    conf.quorum.as_mut().expect("it has one").membership = None;
    let text = say(*b"conf", &Sample { conf, ..Sample::of(leader()) }, &all());
    assert!(text.starts_with("clientPort=-1\nsecureClientPort=2281\n"), "{text}");
    assert!(text.ends_with("\npeerType=0\n"), "{text}");
}

#[test]
fn cons_is_the_golden_one() {
    let mut stats = leader();
    stats.clients.swap(0, 1);
    stats.clients[0].address = "127.0.0.1:54728".into();
    let expected = golden("3.9.3", "leader/4lw-cons.txt");
    assert_eq!(answer(*b"cons", &stats, &all()), expected);
}

#[test]
fn cons_after_crst_and_of_a_session_from_elsewhere() {
    let mut stats = leader();
    let session = stats.clients[0].session.as_mut().expect("it has one");
    (session.last_op, session.last_cxid) = (LastOp::NotAvailable, None);
    session.last_zxid = Zxid(-1);
    let text = answer(*b"cons", &stats, &all());
    assert!(text.contains(",lop=NA,est="), "{text}");
    assert!(text.contains(",to=20000,lzxid=0xffffffffffffffff,lresp="), "{text}");
    let session = stats.clients[0].session.as_mut().expect("it has one");
    session.last_op = LastOp::Nothing;
    assert!(answer(*b"cons", &stats, &all()).contains(",lop=null,"));
}

#[test]
fn dump_of_a_leader_and_of_a_standalone_server_are_the_golden_ones() {
    let ephemerals = vec![
        (SESSION_3, vec!["/n/x0", "/n/e2", "/n/e1"]),
        (SESSION_1, vec!["/n/x1"]),
        (SESSION_4, vec!["/n/x2"]),
    ];
    let sessions = vec![bucket(10, vec![]), bucket(11, vec![SESSION_3, SESSION_4, SESSION_1])];
    let dump = Dump {
        sessions: SessionsDump::Tracked { local: None, global: (3, sessions) },
        ephemerals: ephemerals.clone(),
        connections: vec![
            bucket(2, vec![("127.0.0.1:54756", SessionId(0))]),
            bucket(12, vec![("127.0.0.1:54680", SESSION_3)]),
        ],
    };
    let sample = Sample { dump, ..Sample::of(leader()) };
    assert_eq!(say(*b"dump", &sample, &all()), golden("3.9.3", "leader/4lw-dump.txt"));

    let known = [SESSION_1, SESSION_3, SESSION_4].map(|id| (id, 20_000)).into();
    let dump = Dump {
        sessions: SessionsDump::Known { local: None, global: known },
        ephemerals,
        connections: vec![
            bucket(2, vec![("127.0.0.1:33582", SessionId(0))]),
            bucket(12, vec![("127.0.0.1:33512", SESSION_1)]),
        ],
    };
    let sample = Sample { dump, ..Sample::of(leader()) };
    assert_eq!(say(*b"dump", &sample, &all()), golden("3.9.3", "follower/4lw-dump.txt"));

    let alone = SessionId(0x0100_0075_37ba_0000);
    let sessions = vec![bucket(-54, vec![alone])];
    let dump = Dump {
        sessions: SessionsDump::Tracked { local: None, global: (1, sessions) },
        ephemerals: vec![(alone, vec!["/n/e2", "/n/e1"])],
        connections: vec![
            bucket(-68, vec![("127.0.0.1:47242", SessionId(0))]),
            bucket(-48, vec![("127.0.0.1:47170", alone)]),
        ],
    };
    let sample = Sample { dump, ..Sample::of(leader()) };
    assert_eq!(say(*b"dump", &sample, &all()), golden("3.9.3", "standalone/4lw-dump.txt"));
}

#[test]
fn local_sessions_stand_before_the_global_ones() {
    let local = Some((2, vec![bucket(0, vec![SESSION_1])]));
    let empty = Dump {
        sessions: SessionsDump::Tracked { local: local.clone(), global: (0, vec![]) },
        ephemerals: vec![],
        connections: vec![],
    };
    let sample = Sample { dump: empty.clone(), ..Sample::of(leader()) };
    let locals = "SessionTracker dump:\nLocal Session Sets (1)/(2):\n\
                  1 expire at Sat Nov 21 11:23:00 UTC 2026:\n\t0x10000765f8d0000\n";
    let rest = "ephemeral nodes dump:\nSessions with Ephemerals (0):\n\
                Connections dump:\nConnections Sets (0)/(0):\n";
    let expected = format!("{locals}Global Session Sets (0)/(0):\n{rest}");
    assert_eq!(say(*b"dump", &sample, &all()), expected);
    let sessions = SessionsDump::Known { local, global: vec![] };
    let sample = Sample { dump: Dump { sessions, ..empty }, ..Sample::of(leader()) };
    let expected = format!("{locals}Global Sessions(0):\n{rest}");
    assert_eq!(say(*b"dump", &sample, &all()), expected);
}

#[test]
fn watches_are_the_golden_ones() {
    let watching = Sample { watches: vec![(SESSION_3, vec!["/p", "/n"])], ..Sample::of(leader()) };
    for (role, sample) in [("leader", watching), ("follower", Sample::of(leader()))] {
        for word in ["wchs", "wchc", "wchp"] {
            let expected = golden("3.9.3", &format!("{role}/4lw-{word}.txt"));
            assert_eq!(say(bytes(word), &sample, &all()), expected, "{role} {word}");
        }
    }
}

#[test]
fn words_of_one_line_are_the_golden_ones() {
    for role in ["standalone", "leader", "follower", "observer"] {
        for word in ["crst", "srst", "gtmk", "stmk", "hash"] {
            let expected = golden("3.9.3", &format!("{role}/4lw-{word}.txt"));
            assert_eq!(answer(bytes(word), &leader(), &all()), expected, "{role} {word}");
        }
    }
}

#[test]
fn hash_shows_each_digest_behind_its_zxid() {
    let digests = vec![(Zxid(0x1_0000_0080), 1_371_985_504), (Zxid(0x1_0000_0100), -7)];
    let sample = Sample { digests, ..Sample::of(leader()) };
    assert_eq!(say(*b"hash", &sample, &all()), "100000080: 1371985504\n100000100: -7\n");
}

#[test]
fn envi_has_the_lines_of_the_golden_one() {
    let key = |line: &str| line.split('=').next().map(String::from);
    let theirs = golden("3.9.3", "leader/4lw-envi.txt");
    let environment = Environment {
        host_name: Some("h1".into()),
        memory_bytes: Some(3 << 30),
        ..Environment::default()
    };
    let ours = say(*b"envi", &Sample { environment, ..Sample::of(leader()) }, &all());
    assert!(ours.lines().map(key).eq(theirs.lines().map(key)), "{ours}");
    for line in ["host.name=h1", "java.version=<NA>", "os.memory.total=3072MB"] {
        assert!(ours.lines().any(|shown| shown == line), "{line} is not in {ours}");
    }
}

#[test]
fn the_version_reads_like_one_of_apache() {
    let (number, rest) = VERSION.split_once("-quorate-").expect("the product's name");
    assert!(number.split('.').all(|part| part.parse::<u32>().is_ok()), "{number}");
    assert!(rest.contains(", built on 20") && rest.ends_with(" UTC"), "{rest}");
}
