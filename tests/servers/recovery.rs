//! Followers that were killed, wiped or away: what they come back with, and how.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use quorate::jute::client::{code, op};
use quorate::storage::log_format::read_records;

use crate::ensemble::{
    Client, Ensemble, Plan, Server, create_request, delete_request, pipeline_sets, set_request,
    wait_for,
};

const KILLS: usize = 12;
/// So many that a snapshot is written in several slices, between which transactions apply.
const STILL_NODES: usize = 1_200;
/// Nodes that are created, changed and deleted all the time.
const BUSY_NODES: usize = 40;
/// Transactions between two kills: more than snapCount.
const WRITES: usize = 150;

/// Creates many nodes that nobody touches afterwards.
fn plant(client: &mut Client, parent: &str, count: usize) {
    client.create(parent, "", 0).expect("a new node");
    let text = "x".repeat(50);
    for batch in (0..count).collect::<Vec<_>>().chunks(200) {
        for n in batch {
            let node = create_request(&format!("{parent}/{n:05}"), &text, 0);
            client.send(op::CREATE, &node).expect("the server runs");
        }
        for _ in batch {
            let (head, _) = client.receive().expect("the server runs");
            assert_eq!(head.err, code::OK);
        }
    }
}

/// Creates, changes and deletes the same few nodes over and over, many requests in one go.
fn churn(client: &mut Client, stop: &AtomicBool, done: &AtomicUsize) {
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..BUSY_NODES {
            let path = format!("/busy/{}", n * 7 % BUSY_NODES);
            let sent = match n % 5 {
                0 => client.send(op::CREATE, &create_request(&path, "new", 0)),
                1 => client.send(op::DELETE, &delete_request(&path)),
                _ => client.send(op::SET_DATA, &set_request(&path, &n.to_string())),
            };
            sent.expect("the leader runs");
            n += 1;
        }
        for _ in 0..BUSY_NODES {
            // Many of them fail, on purpose: those are transactions too.
            client.receive().expect("the leader runs");
        }
        done.fetch_add(BUSY_NODES, Ordering::Relaxed);
    }
}

#[test]
fn learners_killed_under_load_are_equal_again_after_each_restart() {
    let plan = Plan::voters(&[1, 2, 3]).observer(9).setting("snapCount=100");
    let plan = plan.setting("autopurge.snapRetainCount=3").setting("autopurge.purgeInterval=1");
    let mut ensemble = plan.start();
    let follower = ensemble.followers()[0];
    let mut client = ensemble.client(ensemble.leader());
    plant(&mut client, "/still", STILL_NODES);
    client.create("/busy", "", 0).expect("a new node");

    for kill in 0..KILLS {
        let victim = if kill % 4 == 3 { 9 } else { follower };
        let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            let load = scope.spawn(|| churn(&mut client, &stop, &done));
            let wait_for_writes = || {
                let from = done.load(Ordering::Relaxed);
                wait_for("writes to be acknowledged", || {
                    let ended = load.is_finished();
                    (ended || done.load(Ordering::Relaxed) >= from + WRITES).then_some(())
                });
            };
            wait_for_writes();
            ensemble.server_mut(victim).kill();
            wait_for_writes();
            ensemble.server_mut(victim).start();
            ensemble.wait_until_all_serve();
            wait_for_writes();
            stop.store(true, Ordering::Relaxed);
        });
        ensemble.assert_same_trees();
    }

    // The last start had much to purge; what is left must be enough for one more.
    let victim = follower;
    ensemble.server_mut(victim).restart();
    ensemble.wait_until_all_serve();
    wait_for("old snapshots to be purged", || {
        let names = ensemble.server(victim).files("data");
        let snapshots = names.iter().filter(|name| name.starts_with("snapshot.")).count();
        (snapshots <= 3).then_some(())
    });
    ensemble.server_mut(victim).restart();
    ensemble.wait_until_all_serve();
    ensemble.assert_same_trees();
}

/// Payloads of all records of a server's logs.
fn logged(server: &Server) -> usize {
    let names = server.files("data").into_iter().filter(|name| name.starts_with("log."));
    names
        .map(|name| {
            let log = fs::read(server.file("data", &name)).expect("a readable file");
            let mut count = 0;
            read_records(&log.into(), |_, _| count += 1);
            count
        })
        .sum()
}

/// Proposals that no follower ever read are in the log of a leader that dies. The others elect,
/// `meanwhile` happens, and the old leader comes back. Returns how it was synchronised.
fn lose_proposals(ensemble: &mut Ensemble, meanwhile: impl FnOnce(&Ensemble)) -> String {
    const LOST: usize = 7;
    let (leader, followers) = (ensemble.leader(), ensemble.followers());
    let mut client = ensemble.client(leader);
    client.create("/a", "", 0).expect("a new node");
    ensemble.assert_same_trees();

    // The followers stand still, and are killed as they stand.
    for id in &followers {
        ensemble.server_mut(*id).stop();
    }
    let before = logged(ensemble.server(leader));
    for n in 0..LOST {
        client.send(op::CREATE, &create_request(&format!("/lost-{n}"), "", 0)).expect("it runs");
    }
    wait_for("the proposals to be logged", || {
        (logged(ensemble.server(leader)) == before + LOST).then_some(())
    });
    ensemble.server_mut(leader).kill();
    for id in &followers {
        ensemble.server_mut(*id).kill();
        ensemble.server_mut(*id).start();
    }
    ensemble.wait_until_all_serve();
    meanwhile(ensemble);

    ensemble.server_mut(leader).start();
    ensemble.wait_until_all_serve();
    let sync = ensemble.server(ensemble.leader()).last_sync_of(leader);
    sync.expect("the old leader follows")
}

/// What was lost is nowhere, and a restart does not bring it back.
fn assert_stays_lost(ensemble: &mut Ensemble, expected: &[&str]) {
    let tree = ensemble.assert_same_trees();
    assert_eq!(tree.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    for server in &mut ensemble.servers {
        server.restart();
    }
    ensemble.wait_until_all_serve();
    assert_eq!(ensemble.assert_same_trees(), tree);
}

#[test]
fn what_only_a_dead_leader_logged_is_cut_when_it_comes_back() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    let sync = lose_proposals(&mut ensemble, |_| {});
    assert!(sync.contains("TRUNC"), "{sync}");
    assert_stays_lost(&mut ensemble, &["/", "/a"]);
}

#[test]
fn what_only_a_dead_leader_logged_is_replaced_once_a_new_epoch_has_transactions() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    let sync = lose_proposals(&mut ensemble, |ensemble| {
        let mut client = ensemble.client(ensemble.leader());
        client.create("/b", "", 0).expect("two of three are a quorum");
    });
    // A log is not cut across an epoch's end, as in Apache.
    assert!(sync.contains("SNAP"), "{sync}");
    assert_stays_lost(&mut ensemble, &["/", "/a", "/b"]);
}

#[test]
fn a_wiped_follower_comes_back_by_a_snapshot() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    let (leader, follower) = (ensemble.leader(), ensemble.followers()[0]);
    let mut client = ensemble.client(leader);
    plant(&mut client, "/still", STILL_NODES);
    ensemble.server_mut(follower).kill();
    ensemble.server(follower).wipe();
    ensemble.server_mut(follower).start();
    ensemble.wait_until_all_serve();
    let sync = ensemble.server(leader).last_sync_of(follower).expect("it was synchronised");
    assert!(sync.contains("SNAP") && sync.contains("from=0x0 "), "{sync}");
    ensemble.assert_same_trees();

    // What it took over is its own now.
    pipeline_sets(&mut client, "/still/00000", 20).expect("it is there");
    ensemble.server_mut(follower).restart();
    ensemble.wait_until_all_serve();
    let sync = ensemble.server(leader).last_sync_of(follower).expect("it was synchronised");
    assert!(sync.contains("DIFF"), "{sync}");
    ensemble.assert_same_trees();
}

#[test]
fn a_follower_killed_while_it_takes_over_a_snapshot_starts_over() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    let (leader, follower) = (ensemble.leader(), ensemble.followers()[0]);
    let mut client = ensemble.client(leader);
    plant(&mut client, "/still", 5 * STILL_NODES);
    for round in 0..12 {
        ensemble.server_mut(follower).kill();
        if round % 4 == 0 {
            ensemble.server(follower).wipe();
        }
        // Something new each time, so that what it has is never the same.
        pipeline_sets(&mut client, "/still/00000", 5).expect("it is there");
        ensemble.server_mut(follower).start();
        // Somewhere between the start and the end of what it does.
        thread::sleep(Duration::from_millis(15 * (round % 8)));
    }
    ensemble.wait_until_all_serve();
    ensemble.assert_same_trees();
    ensemble.server_mut(follower).restart();
    ensemble.wait_until_all_serve();
    ensemble.assert_same_trees();
}

#[test]
fn a_follower_that_was_away_comes_back_by_a_diff() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    let (leader, follower) = (ensemble.leader(), ensemble.followers()[0]);
    let mut client = ensemble.client(leader);
    client.create("/a", "", 0).expect("a new node");
    ensemble.assert_same_trees();
    ensemble.server_mut(follower).kill();
    pipeline_sets(&mut client, "/a", 100).expect("it is there");
    ensemble.server_mut(follower).start();
    ensemble.wait_until_all_serve();
    let sync = ensemble.server(leader).last_sync_of(follower).expect("it was synchronised");
    assert!(sync.contains("DIFF"), "{sync}");
    ensemble.assert_same_trees();
}

#[test]
fn a_follower_far_behind_gets_the_log_on_disk_if_that_is_less_than_a_snapshot() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    let (leader, follower) = (ensemble.leader(), ensemble.followers()[0]);
    let mut client = ensemble.client(leader);
    // A tree that costs more than the log of what follows.
    let large = "x".repeat(500_000);
    for path in ["/large", "/large/1"] {
        client.create(path, &large, 0).expect("a new node");
    }
    client.create("/a", "", 0).expect("a new node");
    ensemble.assert_same_trees();
    ensemble.server_mut(follower).kill();
    // More than the 500 that the leader keeps in memory.
    pipeline_sets(&mut client, "/a", 800).expect("it is there");
    ensemble.server_mut(follower).start();
    ensemble.wait_until_all_serve();
    let sync = ensemble.server(leader).last_sync_of(follower).expect("it was synchronised");
    let zxid = |name: &str| {
        let text = sync.split(name).nth(1).and_then(|rest| rest.split(' ').next());
        let digits = text.and_then(|text| text.strip_prefix("0x")).expect("a zxid in the line");
        i64::from_str_radix(digits, 16).expect("a zxid in the line")
    };
    assert!(sync.contains("DIFF"), "{sync}");
    assert!(zxid("to=") - zxid("from=") >= 800, "{sync}");
    ensemble.assert_same_trees();
}
