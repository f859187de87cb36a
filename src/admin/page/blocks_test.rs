//! Each rule speaks when its numbers are bad, and is silent beside a calm server.

use super::*;
use crate::admin::page::changes::{Changes, Turn};
use crate::admin::page::glance::{BusyClient, Clients, Figures, Learner, Member};
use crate::admin::page::history::{Counts, History, Interval};
use crate::base::{Epoch, GaveUp, ServerId, Zxid};
use crate::metrics::{Digest, Spread};

/// What a glance borrows.
#[derive(Default)]
struct Past {
    history: History,
    changes: Changes,
}

fn member(sid: i64, state: State) -> Member {
    let quorum = format!("zk{sid}:2888");
    Member { sid: ServerId(sid), votes: true, quorum, client: None, page: None, state }
}

fn learner() -> Learner {
    Learner {
        is_observer: false,
        serves: true,
        phase: "Serving",
        heard_ms: 3,
        acked: None,
        unacked: 0,
        unacked_ms: None,
        sync: None,
        acks_ms: None,
    }
}

/// Server 1, which leads 2 and 3 in calm.
fn leader(past: &Past) -> Glance<'_> {
    let members =
        [(1, State::Itself), (2, State::Learns(learner())), (3, State::Learns(learner()))];
    Glance {
        me: ServerId(1),
        at_ms: 1_000_000_000,
        role: RoleName::Leading,
        serves: true,
        reads_only: false,
        leader: Some(ServerId(1)),
        epoch: Epoch(4),
        applied: Zxid(7),
        durable: Zxid(7),
        since_ms: 60_000,
        unserved_ms: None,
        leader_heard_ms: None,
        sync_timeout: Duration::from_secs(10),
        tick: Duration::from_secs(2),
        fsync_warning: Duration::from_secs(1),
        servers: members.map(|(sid, state)| member(sid, state)).into(),
        can_lose_one: true,
        counts: Counts::default(),
        figures: Figures { outstanding_max: 1000, ..Figures::default() },
        latency_ms: Digest::default(),
        fsync_us: Digest::default(),
        commit_us: Digest::default(),
        quorum_wait_us: Digest::default(),
        clients: Clients::default(),
        history: &past.history,
        changes: &past.changes,
        shows_tree: false,
    }
}

/// The one block there is.
fn only(glance: &Glance<'_>) -> (Level, &'static str, String) {
    let [block] = &find(glance)[..] else { panic!("{:?}", find(glance)) };
    assert!(!block.do_this.is_empty());
    (block.level, block.id, block.what.clone())
}

#[test]
fn nothing_is_in_the_way_of_a_calm_server() {
    assert_eq!(find(&leader(&Past::default())), []);
}

#[test]
fn who_looks_for_a_leader_serves_nobody() {
    let past = Past::default();
    let mut glance = leader(&past);
    (glance.role, glance.serves, glance.leader) = (RoleName::Looking, false, None);
    (glance.unserved_ms, glance.servers) = (Some(61_500), Vec::new());
    let (level, id, what) = only(&glance);
    assert_eq!((level, id), (Level::Alarm, "no_leader"));
    assert!(what.contains("1 min 1 s"), "{what}");
    (glance.role, glance.leader) = (RoleName::Following, Some(ServerId(3)));
    assert_eq!(only(&glance).1, "not_level");
}

#[test]
fn a_voter_that_is_absent_is_an_alarm_when_the_next_loss_ends_the_quorum() {
    let past = Past::default();
    let mut glance = leader(&past);
    glance.servers[2].state = State::Absent;
    assert_eq!(only(&glance).0, Level::Warning);
    glance.can_lose_one = false;
    let (level, id, what) = only(&glance);
    assert_eq!((level, id), (Level::Alarm, "voter_absent"));
    assert!(what.contains("server 3"), "{what}");
    glance.servers[2].votes = false;
    assert_eq!(only(&glance).1, "observer_absent");
}

#[test]
fn the_slowest_follower_is_named_with_its_lag() {
    let past = Past::default();
    let mut glance = leader(&past);
    let slow = Learner { unacked: 1812, unacked_ms: Some(2345), heard_ms: 2400, ..learner() };
    glance.servers[1].state = State::Learns(Learner { unacked_ms: Some(600), ..learner() });
    glance.servers[2].state = State::Learns(slow);
    let (_, id, what) = only(&glance);
    assert_eq!(id, "slow_follower");
    for part in ["server 3", "1,812 proposals", "2.3 s", "2.4 s ago", "10.0 s"] {
        assert!(what.contains(part), "{what}");
    }
    glance.servers[1].state = State::Learns(learner());
    glance.servers[2].state = State::Learns(Learner { heard_ms: 2001, ..learner() });
    assert_eq!(only(&glance).1, "silent_follower");
    let sync = Learner { serves: false, sync: Some((40, 3 << 20)), ..learner() };
    glance.servers[2].state = State::Learns(sync);
    assert!(only(&glance).2.contains("about 40 %, 3.0 MiB sent"));
}

#[test]
fn a_slow_sync_of_the_log_is_told_of_for_five_minutes() {
    let mut past = Past::default();
    let fsync = |max| Interval {
        fsync_us: Some(Spread { p50: 900, p99: max, max }),
        ..Interval::default()
    };
    past.history.push(fsync(1_500_000));
    let (_, id, what) = only(&leader(&past));
    assert_eq!(id, "slow_fsync");
    assert!(what.contains("took 1.5 s"), "{what}");
    (0..30).for_each(|_| past.history.push(fsync(2_000)));
    assert_eq!(find(&leader(&past)), []);
    past.history.push(fsync(150_000));
    assert!(only(&leader(&past)).2.contains("takes 150 ms"));
}

#[test]
fn clients_that_wait_are_counted_and_the_worst_is_named() {
    let past = Past::default();
    let mut glance = leader(&past);
    let worst = BusyClient {
        address: "10.0.0.9:4711".into(),
        session: None,
        unread_bytes: 2 << 20,
        queued: 12,
    };
    glance.clients = Clients { paused: 0, unread: 1, worst: vec![worst] };
    let (_, id, what) = only(&glance);
    assert_eq!(id, "clients_unread");
    assert!(
        what.starts_with("1 connection: ") && what.contains("10.0.0.9:4711, session none (2.0 MiB"),
        "{what}"
    );
    glance.clients.unread = 0;
    glance.clients.paused = 3;
    assert_eq!(only(&glance).1, "clients_paused");
}

#[test]
fn what_nears_its_limit_is_told_of() {
    let past = Past::default();
    let of = |figures: Figures| {
        let mut glance = leader(&past);
        glance.figures = Figures { outstanding_max: 1000, ..figures };
        only(&glance).1
    };
    let none = Figures::default();
    assert_eq!(of(Figures { outstanding: 800, ..none }), "many_outstanding");
    assert_eq!(of(Figures { descriptors: Some((80, 100)), ..none }), "descriptors");
    assert_eq!(of(Figures { drop_chance: 0.25, ..none }), "sessions_dropped");
    assert_eq!(of(Figures { log_waiting_bytes: 1 << 20, ..none }), "log_waits");
}

#[test]
fn a_commit_that_waits_for_others_is_not_blamed_on_the_disk() {
    let past = Past::default();
    let mut glance = leader(&past);
    let of = |us| Digest { quantiles: Some([us; 5]), ..Digest::default() };
    (glance.commit_us, glance.quorum_wait_us) = (of(150_000), of(100_000));
    assert_eq!(only(&glance).1, "others_slow");
    glance.quorum_wait_us = of(10_000);
    assert_eq!(find(&glance), []);
}

#[test]
fn a_follower_misses_its_leader_and_an_ensemble_its_calm() {
    let mut past = Past::default();
    for n in 0..3 {
        let why = GaveUp::LeaderLost { error: "reset".into() };
        past.changes.push(999_999_000 + n, Turn::ended(RoleName::Following, 9, &why));
    }
    let mut glance = leader(&past);
    (glance.role, glance.leader) = (RoleName::Following, Some(ServerId(2)));
    (glance.servers, glance.leader_heard_ms) = (Vec::new(), Some(100));
    assert_eq!(only(&glance).1, "no_calm");
    glance.leader_heard_ms = Some(3000);
    let ids: Vec<_> = find(&glance).iter().map(|block| block.id).collect();
    assert_eq!(ids, ["leader_silent", "no_calm"]);
}
