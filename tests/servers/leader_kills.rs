//! A client writes while the leader is killed again and again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use quorate::jute::client::create_flags::SEQUENTIAL;

use crate::ensemble::{Client, Plan, Session, wait_for};

const KILLS: usize = 3;
/// Writes acknowledged between two kills.
const WRITES: usize = 40;

/// What the writer has to say when it stops.
struct Written {
    /// Text of the node, and the path that was acknowledged for it.
    acked: BTreeMap<String, String>,
    sent: usize,
    /// The session at each connection.
    sessions: Vec<Session>,
}

/// Creates one sequential node after another, each with a text of its own, and never the same
/// text twice: a write whose reply was lost is given up.
fn write_until(stop: &AtomicBool, acked_count: &AtomicUsize, at: &[SocketAddr]) -> Written {
    let mut client = Client::reach(at, &Session::new(30_000));
    let mut written =
        Written { acked: BTreeMap::new(), sent: 0, sessions: vec![client.session.clone()] };
    while !stop.load(Ordering::Relaxed) {
        let text = format!("write {}", written.sent);
        written.sent += 1;
        match client.create("/q/n-", &text, SEQUENTIAL) {
            Ok(path) => {
                written.acked.insert(text, path);
                acked_count.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {
                client = Client::reach(at, &client.drop_connection());
                written.sessions.push(client.session.clone());
            }
        }
    }
    client.close_session().expect("the ensemble is whole");
    written
}

#[test]
fn acknowledged_writes_survive_kills_of_the_leader_exactly_once() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut setup = ensemble.client(1);
    setup.create("/q", "", 0).expect("a new node");

    let (stop, acked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut addresses = ensemble.addresses();
    // The client begins at the leader, so that the first kill cuts its connection.
    let leader = ensemble.server(ensemble.leader()).address;
    addresses.sort_by_key(|address| *address != leader);
    let written = thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(&stop, &acked, &addresses));
        for _ in 0..KILLS {
            let before = acked.load(Ordering::Relaxed);
            wait_for("writes to be acknowledged", || {
                assert!(!writer.is_finished(), "the writer failed");
                (acked.load(Ordering::Relaxed) >= before + WRITES).then_some(())
            });
            let leader = ensemble.leader();
            ensemble.server_mut(leader).kill();
            assert_ne!(ensemble.leader(), leader);
            ensemble.server_mut(leader).start();
            ensemble.wait_until_all_serve();
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("the writer asserts nothing that fails")
    });

    assert!(written.sessions.len() > 1, "no kill cut the client's connection");
    let first = &written.sessions[0];
    for session in &written.sessions {
        assert_eq!((session.id, &session.password), (first.id, &first.password));
    }
    check_history(&written, &ensemble.assert_same_trees());
}

fn check_history(written: &Written, tree: &crate::ensemble::Tree) {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, (data, ..)) in tree.iter().filter(|(path, _)| path.starts_with("/q/")) {
        let text = String::from_utf8_lossy(data.as_deref().unwrap_or_default()).into_owned();
        found.entry(text).or_default().push(path.clone());
    }
    for (text, path) in &written.acked {
        assert_eq!(found.get(text), Some(&vec![path.clone()]), "{text} was acknowledged");
    }
    for (text, paths) in &found {
        assert_eq!(paths.len(), 1, "{text} was sent once");
    }
    assert!(found.len() <= written.sent, "{} nodes from {} writes", found.len(), written.sent);
}
