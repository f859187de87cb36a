//! An observer beside three voters, all on one host, with logs and snapshots apart.

use crate::ensemble::{Plan, wait_for};

const OBSERVER: i64 = 128;

#[test]
fn an_observer_serves_reads_and_forwards_writes() {
    let plan = Plan::voters(&[130, 131, 132]).observer(OBSERVER).log_dirs();
    let mut ensemble = plan.start();
    assert_eq!(ensemble.server(OBSERVER).mode().as_deref(), Some("observer"));
    assert!([130, 131, 132].contains(&ensemble.leader()));

    let mut client = ensemble.client(OBSERVER);
    client.create("/by-observer", "x", 0).expect("the leader takes it");
    let mut voter = ensemble.client(131);
    voter.sync("/").expect("the ensemble is whole");
    voter.get("/by-observer", true).expect("it was acknowledged");
    client.set("/by-observer", "y").expect("the leader takes it");
    voter.sync("/").expect("the ensemble is whole");
    assert_eq!(voter.events.len(), 1);
    voter.create("/by-voter", "z", 0).expect("a new node");
    client.sync("/").expect("the ensemble is whole");
    assert_eq!(client.get("/by-voter", false).map(|(text, _)| text), Ok("z".into()));
    ensemble.assert_same_trees();

    for server in &ensemble.servers {
        let (data, log) = (server.files("data"), server.files("log"));
        let of =
            |names: &[String], kind: &str| names.iter().filter(|n| n.starts_with(kind)).count();
        assert_eq!((of(&data, "snapshot."), of(&log, "snapshot.")), (1, 0), "{data:?} {log:?}");
        assert_eq!(of(&data, "log."), 0, "{data:?}");
        assert!(of(&log, "log.") > 0, "{log:?}");
    }

    // The observer comes and goes; nobody else minds, and it catches up.
    let leader = ensemble.leader();
    ensemble.server_mut(OBSERVER).kill();
    voter.set("/by-voter", "while it was away").expect("the voters are whole");
    ensemble.server_mut(OBSERVER).start();
    ensemble.wait_until_all_serve();
    ensemble.assert_same_trees();
    assert_eq!(ensemble.leader(), leader);
    let sync = ensemble.server(leader).last_sync_of(OBSERVER).expect("it was synchronised");
    assert!(sync.contains("DIFF"), "{sync}");

    ensemble.server_mut(OBSERVER).kill();
    ensemble.server(OBSERVER).wipe();
    ensemble.server_mut(OBSERVER).start();
    ensemble.wait_until_all_serve();
    let sync = ensemble.server(leader).last_sync_of(OBSERVER).expect("it was synchronised");
    assert!(sync.contains("SNAP"), "{sync}");
    ensemble.assert_same_trees();
}

#[test]
fn an_observer_makes_no_quorum() {
    let plan = Plan::voters(&[130, 131, 132]).observer(OBSERVER).log_dirs();
    let mut ensemble = plan.start();
    let leader = ensemble.leader();
    for follower in ensemble.followers() {
        ensemble.server_mut(follower).kill();
    }
    for id in [leader, OBSERVER] {
        wait_for(&format!("server {id} to stop serving"), || {
            let answer = ensemble.server(id).word("srvr").ok()?;
            answer.contains("not currently serving").then_some(())
        });
    }
    for server in &mut ensemble.servers {
        if !server.is_running() {
            server.start();
        }
    }
    ensemble.wait_until_all_serve();
    ensemble.client(OBSERVER).create("/again", "", 0).expect("the ensemble is whole again");
}
