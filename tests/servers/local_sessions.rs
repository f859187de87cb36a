//! Sessions that only their own server knows.

use quorate::jute::client::code;
use quorate::jute::client::create_flags::EPHEMERAL;

use crate::ensemble::{Client, Ensemble, Failure, Plan, Session, wait_for};

fn plan(upgrading: bool) -> Plan {
    Plan::voters(&[1, 2, 3])
        .observer(4)
        .setting("localSessionsEnabled=true")
        .setting(&format!("localSessionsUpgradingEnabled={upgrading}"))
}

/// `zk_global_sessions` and `zk_local_sessions` of a server.
fn sessions(ensemble: &Ensemble, id: i64) -> (u32, u32) {
    let mntr = ensemble.server(id).word("mntr").expect("the server answers");
    let value = |name: &str| {
        let line = mntr.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {mntr}"))
    };
    (value("zk_global_sessions"), value("zk_local_sessions"))
}

#[test]
fn a_local_session_writes_at_any_server_and_is_known_at_its_own_alone() {
    let ensemble = plan(false).start();
    let mut clients: Vec<Client> = [1, 2, 3, 4].map(|id| ensemble.client(id)).into();
    for (client, id) in clients.iter_mut().zip(1..) {
        let path = format!("/by-{id}");
        client.create(&path, "", 0).expect("a new node");
        client.set(&path, "data").expect("its own");
        client.sync("/").expect("the ensemble is whole");
        assert_eq!(client.get(&path, false).map(|(data, _)| data), Ok("data".into()));
        assert_eq!(sessions(&ensemble, id), (0, 1), "server {id}");
        let failure = client.create(&format!("/e-{id}"), "", EPHEMERAL);
        let err = code::EPHEMERAL_ON_LOCAL_SESSION;
        assert_eq!(failure, Err(Failure::Code(err)), "server {id}");
        client.delete(&path).expect("the session goes on");
    }
    // Elsewhere it is unknown, and there no more when its server has closed it.
    let session = clients.remove(0).drop_connection();
    let elsewhere = Client::ask(&[ensemble.server(2).address], &session).err();
    assert_eq!(elsewhere, Some(code::SESSION_EXPIRED));
    let again = Client::reach(&[ensemble.server(1).address], &session);
    assert_eq!(again.session.id, session.id);
    again.close_session().expect("its own server");
    let closed = Client::ask(&[ensemble.server(1).address], &session).err();
    assert_eq!(closed, Some(code::SESSION_EXPIRED));
    assert_eq!(sessions(&ensemble, 1), (0, 0));
}

#[test]
fn the_first_ephemeral_makes_a_local_session_global() {
    let ensemble = plan(true).start();
    for id in [1, 2, 3, 4] {
        let mut client = ensemble.client(id);
        let before = client.session.id;
        client.create(&format!("/plain-{id}"), "", 0).expect("a new node");
        assert_eq!(sessions(&ensemble, id), (0, 1), "server {id}");
        let path = format!("/e-{id}");
        let (_, stat) = client.create2(&path, "", EPHEMERAL).expect("a new node");
        assert_eq!((stat.ephemeral_owner, client.session.id), (before.0, before));
        assert_eq!(sessions(&ensemble, id), (1, 0), "server {id}");
        // Now it may go where it likes.
        let next = id % 4 + 1;
        let session = client.drop_connection();
        let mut client = Client::reach(&[ensemble.server(next).address], &session);
        assert!(client.exists(&path, false).expect("it lives").is_some());
        client.close_session().expect("the ensemble is whole");
        let mut other = ensemble.client(next);
        other.sync("/").expect("the ensemble is whole");
        assert_eq!(other.exists(&path, false), Ok(None), "gone with its session");
        other.close_session().expect("the ensemble is whole");
    }
    ensemble.assert_same_trees();
}

#[test]
fn a_local_session_expires_at_its_own_server() {
    let ensemble = plan(false).start();
    let client = Client::reach(&[ensemble.server(1).address], &Session::new(1_000));
    let session = client.drop_connection();
    wait_for("the session to expire", || (sessions(&ensemble, 1) == (0, 0)).then_some(()));
    let again = Client::ask(&[ensemble.server(1).address], &session).err();
    assert_eq!(again, Some(code::SESSION_EXPIRED));
    ensemble.server(1).wait_for_words("local session expired");
}

#[test]
fn an_upgraded_session_outlives_its_server() {
    let mut ensemble = plan(true).start();
    let follower = ensemble.followers()[0];
    let mut client = ensemble.client(follower);
    client.create("/e", "", EPHEMERAL).expect("a new node");
    let lone = ensemble.client(follower).drop_connection();
    let session = client.drop_connection();
    ensemble.server_mut(follower).kill();
    let leader = [ensemble.server(ensemble.leader()).address];
    let mut client = Client::reach(&leader, &session);
    assert!(client.exists("/e", false).expect("it lives").is_some());
    assert_eq!(Client::ask(&leader, &lone).err(), Some(code::SESSION_EXPIRED), "it was local");
}
