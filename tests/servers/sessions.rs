//! Sessions: their ephemerals, their moves from server to server, their end.

use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use quorate::base::{Epoch, Zxid};
use quorate::jute::client::code;
use quorate::jute::client::create_flags::EPHEMERAL;
use quorate::jute::client::event::{CHILDREN_CHANGED, DELETED};

use crate::ensemble::{Client, Failure, Plan, Session, wait_for};

#[test]
fn ephemerals_vanish_when_their_session_is_closed() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut owner = ensemble.client(1);
    owner.create("/e", "", 0).expect("a new node");
    for path in ["/e/a", "/e/b"] {
        let (_, stat) = owner.create2(path, "", EPHEMERAL).expect("a new node");
        assert_eq!(stat.ephemeral_owner, owner.session.id.0, "{path}");
    }
    let failure = owner.create("/e/a/below", "", 0);
    assert_eq!(failure, Err(Failure::Code(code::NO_CHILDREN_FOR_EPHEMERALS)));

    let mut others: Vec<Client> = [1, 2, 3].map(|id| ensemble.client(id)).into();
    for other in &mut others {
        other.sync("/").expect("the ensemble is whole");
        assert_eq!(other.children("/e", true), Ok(vec!["a".into(), "b".into()]));
    }
    let session = owner.session.clone();
    owner.close_session().expect("the ensemble is whole");
    for (other, id) in others.iter_mut().zip([1, 2, 3]) {
        other.sync("/").expect("the ensemble is whole");
        assert_eq!(other.children("/e", false), Ok(vec![]), "server {id}");
        let event = (CHILDREN_CHANGED, "/e".into());
        assert_eq!(other.take_events(), [event], "server {id}: once, for both");
    }
    let again = Client::ask(&[ensemble.server(2).address], &session).err();
    assert_eq!(again, Some(code::SESSION_EXPIRED));
}

#[test]
fn a_session_moves_to_another_server_with_its_ephemerals() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut client = ensemble.client(1);
    client.create("/of-1", "", EPHEMERAL).expect("a new node");
    let before = client.session.clone();
    for (n, id) in [2, 3, 1].into_iter().enumerate() {
        let session = client.drop_connection();
        client = Client::reach(&[ensemble.server(id).address], &session);
        assert_eq!((client.session.id, &client.session.password), (before.id, &before.password));
        let (_, stat) = client.create2(&format!("/at-{id}"), "", EPHEMERAL).expect("it lives");
        assert_eq!(stat.ephemeral_owner, before.id.0);
        let children = client.children("/", false).expect("the session lives");
        assert_eq!(children.len(), n + 3, "{children:?} at server {id}, /zookeeper among them");
    }
    let mut wrong = client.session.clone();
    wrong.password = vec![7; 16].into();
    let refused = Client::ask(&[ensemble.server(2).address], &wrong).err();
    assert_eq!(refused, Some(code::SESSION_EXPIRED), "a wrong password");
    client.close_session().expect("the server of the session was asked by nobody");
    let mut other = ensemble.client(2);
    other.sync("/").expect("the ensemble is whole");
    assert_eq!(other.children("/", false), Ok(vec!["zookeeper".into()]));
}

#[test]
fn a_session_expires_in_silence_and_takes_its_ephemerals_along() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    // At a follower: the leader has to hear of the silence, and its word has to come back.
    let follower = ensemble.server(ensemble.followers()[0]).address;
    let mut silent = Client::reach(&[follower], &Session::new(1_000));
    assert_eq!(silent.session.timeout_ms, 1_000);
    silent.create("/gone", "", EPHEMERAL).expect("a new node");
    let mut other = ensemble.client(ensemble.leader());
    assert!(other.exists("/gone", true).expect("the ensemble is whole").is_some());
    let session = silent.drop_connection();

    wait_for("the session to expire", || {
        other.ping().expect("the ensemble is whole");
        (!other.events.is_empty()).then_some(())
    });
    assert_eq!(other.take_events(), [(DELETED, "/gone".into())]);
    assert_eq!(other.exists("/gone", false), Ok(None));
    for server in &ensemble.servers {
        let refused = Client::ask(&[server.address], &session).err();
        assert_eq!(refused, Some(code::SESSION_EXPIRED), "server {}", server.id);
    }
    let line = format!("session expired session={}", session.id);
    ensemble.server(ensemble.leader()).wait_for_words(&line);
}

#[test]
fn pings_at_any_server_keep_a_session_alive() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    let connect = |id| Client::reach(&[ensemble.server(id).address], &Session::new(3_000));
    let mut clients = [1, 2, 3].map(connect);
    for (n, client) in clients.iter_mut().enumerate() {
        client.create(&format!("/{n}"), "", EPHEMERAL).expect("a new node");
    }
    // Twice the timeout and more, by nothing but pings.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(6_500) {
        for client in &mut clients {
            client.ping().expect("the session lives");
        }
        thread::sleep(Duration::from_millis(100));
    }
    for (n, client) in clients.iter_mut().enumerate() {
        client.sync("/").expect("the session lives");
        assert!(client.exists(&format!("/{n}"), false).expect("the session lives").is_some());
    }
}

#[test]
fn timeouts_are_kept_within_the_bounds_of_the_configuration() {
    let server = Plan::standalone().setting("maxSessionTimeout=7000").start();
    let address = server.server(1).address;
    for (wanted, given) in [(1, 500), (500, 500), (6_000, 6_000), (60_000, 7_000)] {
        let client = Client::reach(&[address], &Session::new(wanted));
        assert_eq!(client.session.timeout_ms, given, "of {wanted}");
    }
}

#[test]
fn a_client_that_has_seen_more_than_the_server_is_sent_elsewhere() {
    let alone = Plan::standalone().start();
    let address = alone.server(1).address;
    let mut from_the_future = Session::new(30_000);
    from_the_future.last_zxid = Zxid::new(Epoch(1), 0);
    let refused = Client::connect(address, &from_the_future).err();
    assert_eq!(refused, Some(Failure::Lost(ErrorKind::UnexpectedEof)), "no answer, and an end");
    let mut up_to_date = Session::new(30_000);
    up_to_date.last_zxid = alone.client(1).session.last_zxid;
    assert!(Client::connect(address, &up_to_date).is_ok());
}

#[test]
fn a_second_connection_takes_the_session_from_the_first() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut first = ensemble.client(1);
    first.create("/a", "", 0).expect("a new node");
    // At the same server the old connection ends at once.
    let mut second = Client::connect(ensemble.server(1).address, &first.session).expect("it lives");
    assert!(matches!(first.ping(), Err(Failure::Lost(_))));
    // At another one it ends with its next write, which does not happen.
    let mut third = Client::reach(&[ensemble.server(2).address], &second.session);
    assert!(third.exists("/a", false).expect("the session is here now").is_some());
    assert!(matches!(second.set("/a", "moved"), Err(Failure::Lost(_))));
    assert_eq!(third.set("/a", "here").map(|stat| stat.version), Ok(1));
    third.close_session().expect("the ensemble is whole");
}

#[test]
fn at_the_leader_even_a_read_finds_out_that_its_session_has_moved() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    let (leader, follower) = (ensemble.leader(), ensemble.followers()[0]);
    for with_a_read in [true, false] {
        let mut first = ensemble.client(leader);
        let mut second = Client::reach(&[ensemble.server(follower).address], &first.session);
        second.exists("/", false).expect("the session is here now");
        let end = if with_a_read { first.exists("/", false).map(drop) } else { first.ping() };
        assert_eq!(end, Err(Failure::Lost(ErrorKind::UnexpectedEof)), "without a reply");
        second.close_session().expect("it lives where it went");
    }
    // A follower does not know: its old connection reads on until it writes.
    let mut first = ensemble.client(follower);
    first.create("/a", "", 0).expect("a new node");
    let mut second = Client::reach(&[ensemble.server(leader).address], &first.session);
    second.exists("/a", false).expect("the session is here now");
    assert!(first.exists("/a", false).expect("a follower asks nobody").is_some());
    let end = first.delete("/a");
    assert_eq!(end, Err(Failure::Lost(ErrorKind::UnexpectedEof)), "without a reply");
    assert!(second.exists("/a", false).expect("the session is here").is_some());
}

#[test]
fn a_resumed_session_expires_by_its_new_timeout() {
    let ensemble = Plan::voters(&[1, 2, 3]).setting("maxSessionTimeout=600000").start();
    let leader = ensemble.leader();
    let mut other = ensemble.client(leader);
    for (id, path) in [(ensemble.followers()[0], "/at-a-follower"), (leader, "/at-the-leader")] {
        let address = [ensemble.server(id).address];
        // Longer than a test waits by far.
        let mut first = Client::reach(&address, &Session::new(600_000));
        assert_eq!(first.session.timeout_ms, 600_000);
        first.create(path, "", EPHEMERAL).expect("a new node");
        let mut session = first.drop_connection();
        session.timeout_ms = 1_000;
        let second = Client::reach(&address, &session);
        assert_eq!(second.session.timeout_ms, 1_000);
        drop(second);
        wait_for("the session to expire", || {
            other.exists(path, false).expect("the ensemble is whole").is_none().then_some(())
        });
    }
}

#[test]
fn one_address_gets_as_many_connections_as_the_configuration_says() {
    let alone = Plan::standalone().setting("maxClientCnxns=2").start();
    let address = alone.server(1).address;
    let _first = alone.client(1);
    let second = alone.client(1);
    let refused = Client::connect(address, &Session::new(30_000)).err();
    assert!(matches!(refused, Some(Failure::Lost(_))), "{refused:?}");
    alone.server(1).wait_for_words("Too many connections");
    second.close_session().expect("the server runs");
    drop(alone.client(1));
}

#[test]
fn a_leader_that_takes_no_clients_leads_all_the_same() {
    let plan = Plan::voters(&[1, 2, 3]).setting("leaderServes=no");
    let mut ensemble = plan.start();
    let (leader, followers) = (ensemble.leader(), ensemble.followers());
    let mut client = ensemble.client(followers[0]);
    client.create("/a", "x", EPHEMERAL).expect("the leader takes it from its follower");
    let closed = Failure::Lost(ErrorKind::UnexpectedEof);
    let address = ensemble.server(leader).address;
    assert_eq!(Client::connect(address, &Session::new(30_000)).err(), Some(closed.clone()));
    assert_eq!(Client::connect(address, &client.session).err(), Some(closed.clone()));
    assert_eq!(ensemble.server(leader).mode().as_deref(), Some("leader"), "words are answered");

    // What it was comes with the role.
    ensemble.server_mut(leader).kill();
    let next = wait_for("another leader", || {
        followers
            .iter()
            .copied()
            .find(|id| ensemble.server(*id).mode().as_deref() == Some("leader"))
    });
    ensemble.server_mut(leader).start();
    ensemble.wait_until_all_serve();
    let address = ensemble.server(next).address;
    assert_eq!(Client::connect(address, &Session::new(30_000)).err(), Some(closed));
    let mut client = Client::reach(&[ensemble.server(leader).address], &client.session);
    client.sync("/").expect("the ensemble is whole");
    assert_eq!(client.get("/a", false).expect("its session lives").0, "x");
}
