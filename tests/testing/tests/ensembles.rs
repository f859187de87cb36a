//! What the library promises: servers that are killed, revived and paused, and nothing left behind.

use std::net::TcpStream;
use std::panic;

use quorate_testing::{Ensemble, servers};

/// Long enough for SIGSTOP to be a silence of more than syncLimit.
const CALM: &str = "syncLimit=2";

fn modes(ensemble: &Ensemble) -> Vec<Option<String>> {
    ensemble.ids().into_iter().map(|id| ensemble.mode(id)).collect()
}

#[test]
fn a_server_that_was_killed_follows_when_it_is_revived() {
    let mut ensemble = servers(3).start();
    let dead = ensemble.wait_for_leader();
    ensemble.kill(dead);
    assert_eq!(ensemble.mode(dead), None);
    let next = ensemble.wait_for_leader();
    assert_ne!(next, dead);
    ensemble.revive(dead);
    ensemble.wait_until_it_serves(dead);
    assert_eq!(ensemble.mode(dead).as_deref(), Some("follower"));
    assert_eq!(ensemble.followers().len(), 2);
}

#[test]
fn a_leader_that_is_paused_has_a_successor() {
    let mut ensemble = servers(3).setting(CALM).start();
    let paused = ensemble.wait_for_leader();
    ensemble.pause(paused);
    let next = ensemble.wait_for_leader();
    assert_ne!(next, paused);
    ensemble.resume(paused);
    ensemble.kill(next);
    ensemble.wait_for_leader();
}

#[test]
fn observers_follow_the_voters() {
    let ensemble = servers(2).observers(1).start();
    assert_eq!(modes(&ensemble)[2].as_deref(), Some("observer"));
    assert_eq!(ensemble.followers().len(), 1);
}

#[test]
fn ensembles_of_several_tests_run_at_one_time_and_leave_nothing() {
    let all: Vec<Ensemble> = (0..3).map(|_| servers(1).start()).collect();
    let addresses: Vec<_> = all.iter().map(|ensemble| ensemble.address(1)).collect();
    for ensemble in &all {
        assert_eq!(modes(ensemble), [Some("standalone".to_owned())]);
        assert!(TcpStream::connect(ensemble.admin_address(1)).is_ok(), "the admin port");
    }
    drop(all);
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_err()));
}

#[test]
fn a_server_that_ends_at_once_is_no_port_that_is_taken() {
    let started = panic::catch_unwind(|| servers(1).setting("tickTime=soon").start());
    let problem = started.expect_err("no server takes that");
    let problem = problem.downcast_ref::<String>().expect("words");
    assert!(problem.contains("server 1 ended"), "{problem}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let started = panic::catch_unwind(|| servers(1).program("no/such/quorate").start());
    let problem = started.expect_err("there is none");
    let problem = problem.downcast_ref::<String>().expect("words");
    assert!(problem.contains("no/such/quorate cannot be started"), "{problem}");
}
