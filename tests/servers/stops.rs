//! Servers that are told to end, and leaders that are told to hand over.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use quorate::jute::client::op;

use crate::admin::{get, request};
use crate::ensemble::{Client, Plan, set_request, wait_for};

/// Creates nodes until it may stop; the answer is how many were acknowledged, and how often it lost
/// its connection.
fn create_until(stop: &AtomicBool, acked: &AtomicUsize, mut client: Client) -> (usize, bool) {
    let mut has_lost = false;
    while !stop.load(Ordering::Relaxed) {
        let n = acked.load(Ordering::Relaxed);
        match client.create(&format!("/n{n}"), "", 0) {
            Ok(_) => acked.store(n + 1, Ordering::Relaxed),
            Err(_) => {
                has_lost = true;
                break;
            }
        }
    }
    (acked.load(Ordering::Relaxed), has_lost)
}

#[test]
fn a_leader_that_is_terminated_hands_over_and_ends_with_0() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    let leader = ensemble.leader();
    let client = ensemble.client(leader);
    let session = client.session.clone();
    let (stop, acked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (count, has_lost) = thread::scope(|scope| {
        let writer = scope.spawn(|| create_until(&stop, &acked, client));
        wait_for("some writes", || (acked.load(Ordering::Relaxed) >= 20).then_some(()));
        ensemble.server(leader).terminate();
        let ended = ensemble.server_mut(leader).wait_for_its_end();
        assert_eq!(ended.code(), Some(0), "{}", ensemble.server(leader).log());
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("the writer asserts nothing that fails")
    });
    assert!(has_lost, "the server that it writes to has ended");
    let log = ensemble.server(leader).log();
    assert!(log.contains("the leadership is handed over to server"), "{log}");
    let next = ensemble.leader();
    assert_ne!(next, leader);
    let mut client = Client::reach(&[ensemble.server(next).address], &session);
    assert_eq!(client.session.id, session.id, "sessions go on");
    for n in 0..count {
        assert!(
            matches!(client.exists(&format!("/n{n}"), false), Ok(Some(_))),
            "/n{n} was acknowledged"
        );
    }
    ensemble.server_mut(leader).start();
    ensemble.wait_until_all_serve();
    assert_eq!(ensemble.leader(), next);
}

#[test]
fn a_second_signal_ends_a_server_at_once() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).setting("stop.timeout=600000").start();
    let leader = ensemble.leader();
    let mut client = ensemble.client(leader);
    // Nobody can take its place, nor what a client asks for now.
    let others: Vec<i64> = [1, 2, 3].into_iter().filter(|id| *id != leader).collect();
    others.iter().for_each(|id| ensemble.server_mut(*id).stop());
    client.send(op::SET_DATA, &set_request("/", "x")).expect("it is connected");
    wait_for("the request", || ensemble.server(leader).srvr("Outstanding").filter(|n| n != "0"));
    ensemble.server(leader).terminate();
    ensemble.server(leader).wait_for_words("stopping, within 600s");
    ensemble.server(leader).terminate();
    let ended = ensemble.server_mut(leader).wait_for_its_end();
    assert_eq!(ended.code(), Some(128 + 15), "{}", ensemble.server(leader).log());
    others.iter().for_each(|id| ensemble.server_mut(*id).go_on());
}

#[test]
fn a_leader_hands_over_by_word_and_by_command() {
    let plan = Plan::voters(&[1, 2, 3]).setting("4lw.commands.whitelist=srvr, hand");
    let plan = plan.setting("admin.enableServer=true").setting("admin.handOver.enabled=true");
    let mut ensemble = plan.start();
    let leader = ensemble.leader();
    let said = ensemble.server(leader).word("hand").expect("it is answered");
    let next = said.trim().strip_prefix("handed over to server ").expect(&said);
    let next: i64 = next.parse().expect("a number");
    assert_ne!(next, leader);
    ensemble.wait_until_all_serve();
    assert_eq!(ensemble.leader(), next);
    let said = ensemble.server(leader).word("hand").expect("it is answered");
    assert_eq!(said, format!("not handed over: server {next} leads\n"));

    let place = ensemble.servers.iter().position(|server| server.id == next).expect("it is one");
    let (status, said) = get(ensemble.admin(place), "/commands/hand_over");
    assert_eq!((status, said.as_str()), (405, "POST\n"));
    let (status, said) = request(ensemble.admin(place), "POST /commands/hand_over HTTP/1.1");
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((status, &said["error"]), (200, &serde_json::Value::Null));
    ensemble.wait_until_all_serve();
    assert_eq!(Some(ensemble.leader()), said["to"].as_i64());
    ensemble.servers.iter_mut().for_each(|server| server.assert_it_lives());
}

#[test]
fn without_its_key_the_command_does_nothing() {
    let server = Plan::standalone().setting("admin.enableServer=true").start();
    let (status, said) = request(server.admin(0), "POST /commands/hand_over HTTP/1.1");
    assert_eq!((status, said.contains("admin.handOver.enabled=true")), (403, true), "{said}");
    assert!(!get(server.admin(0), "/commands").1.contains("hand_over"));
}
