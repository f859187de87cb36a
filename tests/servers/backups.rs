//! `quorate backup` beside servers under load, and servers that start on what `quorate restore` makes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

use quorate::jute::client::op;

use crate::ensemble::{
    Client, Ensemble, Plan, Server, Tree, create_request, delete_request, pipeline_sets, read_tree,
    set_request, wait_for,
};

/// Transactions between two moments whose trees are kept.
const BATCH: usize = 150;

fn quorate(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(args).output().expect("the program of this package")
}

/// What it says in JSON.
#[track_caller]
fn good(args: &[&str]) -> Value {
    let output = quorate(args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {error}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Exit code and words of one that is refused.
fn refused(args: &[&str]) -> (Option<i32>, String) {
    let output = quorate(args);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary files have plain names")
}

/// A directory for backups beside the servers.
fn target_of(ensemble: &Ensemble) -> PathBuf {
    ensemble.servers[0].home.parent().expect("below a directory").join("backups")
}

#[track_caller]
fn back_up(server: &Server, target: &Path, more: &[&str]) -> Value {
    let data = server.data_dir();
    let words = ["backup", "--from", text(&data), "--to", text(target), "--json"];
    good(&[&words, more].concat())
}

/// Puts a state into the place of all that a server has.
#[track_caller]
fn restore(server: &Server, target: &Path, more: &[&str]) -> Value {
    server.wipe();
    let data = server.data_dir();
    let words = ["restore", "--from", text(target), "--to", text(&data), "--json"];
    good(&[&words, more].concat())
}

/// Creates, sets and deletes nodes, so that few states are alike.
fn churn(client: &mut Client, round: usize) -> i64 {
    for n in 0..BATCH {
        let path = format!("/busy/{}", n % 40);
        let sent = match (n + round) % 5 {
            0 => client.send(op::CREATE, &create_request(&format!("/busy/{round}-{n}"), "new", 0)),
            1 => client.send(op::DELETE, &delete_request(&path)),
            2 => client.send(op::CREATE, &create_request(&path, "again", 0)),
            _ => client.send(op::SET_DATA, &set_request(&path, &format!("{round} {n}"))),
        };
        sent.expect("the server runs");
    }
    let mut last = 0;
    for _ in 0..BATCH {
        // Some of them fail, on purpose.
        last = client.receive().expect("the server runs").0.zxid.0.max(last);
    }
    last
}

fn hex(zxid: i64) -> String {
    format!("0x{zxid:x}")
}

/// Trees by the zxid that they were read at.
fn moments(server: &Server, client: &mut Client, rounds: usize) -> Vec<(i64, Tree)> {
    (0..rounds).map(|round| (churn(client, round), read_tree(server.address))).collect()
}

#[test]
fn the_state_of_any_moment_is_restored_just_as_it_was() {
    let plan = Plan::standalone().setting("snapCount=100");
    let ensemble = plan.setting("admin.enableServer=true").start();
    let (server, target) = (ensemble.server(1), target_of(&ensemble));
    let mut client = ensemble.client(1);
    client.create("/busy", "", 0).expect("a new node");
    let known = moments(server, &mut client, 6);
    // Somebody goes on writing meanwhile.
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 100;
            while !stop.load(Ordering::Relaxed) {
                churn(&mut client, round);
                round += 1;
            }
        });
        let admin = ensemble.admin(0).to_string();
        let first = back_up(server, &target, &["--snapshots", "20", "--admin", &admin]);
        assert_eq!(first["committed"]["known_by"], "server");
        let again = back_up(server, &target, &["--snapshots", "20"]);
        assert!(again["found"]["parts"].as_u64() > Some(0), "{again}");
        stop.store(true, Ordering::Relaxed);
    });
    let verified = good(&["backup", "verify", text(&target), "--json"]);
    assert_eq!(verified["whole"].as_array().map(Vec::len), Some(2));

    let mut other = Plan::standalone().lay_out();
    for (zxid, tree) in &known {
        let told = restore(other.server(1), &target, &["--at", &hex(*zxid)]);
        assert_eq!(
            (told["zxid"].as_str(), &told["exact"]),
            (Some(hex(*zxid).as_str()), &true.into())
        );
        other.start_all();
        other.wait_until_all_serve();
        assert!(read_tree(other.server(1).address) == *tree, "another tree at {}", hex(*zxid));
        // It goes on, and starts again on what it has written.
        pipeline_sets(&mut other.client(1), "/busy", 10).expect("it is there");
        other.server_mut(1).restart();
        other.wait_until_all_serve();
        other.server_mut(1).kill();
    }
    // The directory is in use now.
    let data = other.server(1).data_dir();
    let words = ["restore", "--from", text(&target), "--to", text(&data)];
    let (code, why) = refused(&words);
    assert_eq!((code, why.contains("is not empty")), (Some(2), true), "{why}");
}

/// Everything that the backup is known to hold for certain, on every server.
fn restore_all(ensemble: &mut Ensemble, ids: &[i64], target: &Path, more: &[&str]) {
    for id in ids {
        if ensemble.server(*id).is_running() {
            ensemble.server_mut(*id).kill();
        }
        restore(ensemble.server(*id), target, more);
    }
}

fn has_logged(server: &Server, words: &str) -> bool {
    let logs = server.files("data").into_iter().filter(|name| name.starts_with("log."));
    logs.map(|name| fs::read(server.file("data", &name)).expect("a readable file"))
        .any(|log| log.windows(words.len()).any(|window| window == words.as_bytes()))
}

/// What no quorum has is in the log of a leader that dies.
fn lose_proposals(ensemble: &mut Ensemble) -> i64 {
    let (leader, followers) = (ensemble.leader(), ensemble.followers());
    let mut client = ensemble.client(leader);
    client.create("/kept", "", 0).expect("a new node");
    ensemble.assert_same_trees();
    for id in &followers {
        ensemble.server_mut(*id).stop();
    }
    client.send(op::CREATE, &create_request("/lost", "", 0)).expect("it runs");
    wait_for("the proposal to be logged", || {
        has_logged(ensemble.server(leader), "/lost").then_some(())
    });
    ensemble.server_mut(leader).kill();
    for id in followers {
        ensemble.server_mut(id).kill();
    }
    leader
}

#[test]
fn what_may_never_have_been_committed_is_restored_only_if_that_is_said() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    let target = target_of(&ensemble);
    let leader = lose_proposals(&mut ensemble);
    let told = back_up(ensemble.server(leader), &target, &[]);
    assert_eq!(told["committed"]["known_by"], "epochs");

    let to = ensemble.servers[0].home.join("refused");
    let (code, why) = refused(&["restore", "--from", text(&target), "--to", text(&to)]);
    assert_eq!((code, why.contains("--uncommitted")), (Some(1), true), "{why}");
    assert!(!to.join("version-2").exists());
    restore_all(&mut ensemble, &[1, 2, 3], &target, &["--uncommitted"]);
    ensemble.start_all();
    ensemble.wait_until_all_serve();
    let tree = ensemble.assert_same_trees();
    assert_eq!(tree.keys().map(String::as_str).collect::<Vec<_>>(), ["/", "/kept", "/lost"]);

    // The new leader's epoch lies far ahead of all that the old ensemble had.
    let zxid = ensemble.server(1).srvr("Zxid").expect("it serves");
    let epoch = i64::from_str_radix(zxid.trim_start_matches("0x"), 16).expect("a zxid") >> 32;
    assert!((1000..1010).contains(&epoch), "{epoch}");
}

#[test]
fn an_old_directory_that_joins_by_mistake_does_not_bring_back_what_it_has() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).setting("admin.enableServer=true").start();
    let target = target_of(&ensemble);
    let mut client = ensemble.client(1);
    client.create("/old", "", 0).expect("a new node");
    ensemble.assert_same_trees();
    let index = ensemble.servers.iter().position(|server| server.id == 1).expect("it is one");
    let admin = ensemble.admin(index).to_string();
    back_up(ensemble.server(1), &target, &["--admin", &admin]);
    // The mistake that is to be undone, and elections since.
    client.create("/mistake", "", 0).expect("a new node");
    ensemble.assert_same_trees();
    for _ in 0..2 {
        let leader = ensemble.leader();
        ensemble.server_mut(leader).restart();
        ensemble.wait_until_all_serve();
    }
    ensemble.client(ensemble.leader()).create("/newer", "", 0).expect("a new node");
    ensemble.assert_same_trees();
    restore_all(&mut ensemble, &[1, 2], &target, &[]);
    ensemble.server_mut(3).kill();
    ensemble.start_all();
    ensemble.wait_until_all_serve();
    let tree = ensemble.assert_same_trees();
    assert_eq!(tree.keys().map(String::as_str).collect::<Vec<_>>(), ["/", "/old"]);
    // One that starts empty is brought level.
    ensemble.server_mut(3).kill();
    ensemble.server(3).wipe();
    ensemble.server_mut(3).start();
    ensemble.wait_until_all_serve();
    assert_eq!(ensemble.assert_same_trees(), tree);
}

#[test]
fn a_running_server_is_backed_up_through_its_admin_port() {
    let plan = Plan::standalone().setting("admin.enableServer=true").setting("snapCount=100");
    let mut ensemble = plan.setting("admin.rateLimiterIntervalInMS=0").start();
    let target = target_of(&ensemble);
    let admin = ensemble.admin(0).to_string();
    let words = ["backup", "--from", &admin, "--to", text(&target), "--json"];
    let (code, why) = refused(&words);
    assert_eq!((code, why.contains("--authorization")), (Some(1), true), "{why}");
    let words = [&words[..], &["--authorization", "digest who:ever"]].concat();

    let mut client = ensemble.client(1);
    client.create("/busy", "", 0).expect("a new node");
    churn(&mut client, 0);
    good(&words);
    let known = moments(ensemble.server(1), &mut client, 3);
    let told = good(&words);
    assert_eq!(told["committed"]["known_by"], "server");
    let mut other = Plan::standalone().lay_out();
    for (zxid, tree) in &known {
        restore(other.server(1), &target, &["--at", &hex(*zxid)]);
        other.start_all();
        other.wait_until_all_serve();
        assert!(read_tree(other.server(1).address) == *tree, "another tree at {}", hex(*zxid));
        other.server_mut(1).kill();
    }

    // The same zxids, and another history: nothing of the first is taken for it.
    let server = ensemble.server_mut(1);
    server.kill();
    server.wipe();
    server.start();
    ensemble.wait_until_all_serve();
    let mut client = ensemble.client(1);
    client.create("/busy", "other", 0).expect("a new node");
    let (zxid, tree) = moments(ensemble.server(1), &mut client, 6).pop().expect("the last");
    let told = good(&words);
    assert_eq!(told["snapshots"].as_array().map(Vec::len), Some(1), "{told}");
    restore(other.server(1), &target, &["--at", &hex(zxid + 2)]);
    other.start_all();
    other.wait_until_all_serve();
    assert!(read_tree(other.server(1).address) == tree);
}
