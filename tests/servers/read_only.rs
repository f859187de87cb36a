//! Reads where nobody leads.

use std::io::ErrorKind;

use quorate::jute::client::code;
use quorate::jute::client::event::DELETED;

use crate::ensemble::{Client, Failure, Plan, Session, wait_for};

#[test]
fn a_server_without_a_leader_serves_those_who_want_to_read() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).setting("readonlymode.enabled=true").start();
    let mut writer = ensemble.client(3);
    writer.create("/a", "data", 0).expect("a new node");
    for id in [1, 2, 3] {
        let mut client = ensemble.client(id);
        client.sync("/").expect("the ensemble is whole");
        client.close_session().expect("the ensemble is whole");
    }
    let global = writer.drop_connection();
    for id in [1, 2] {
        ensemble.server_mut(id).kill();
    }

    let left = [ensemble.server(3).address];
    let mut reader = Client::reach(&left, &Session::new(30_000).for_reading());
    assert!(reader.is_read_only);
    assert_eq!(ensemble.server(3).word("isro").expect("it answers"), "ro");
    assert_eq!(ensemble.server(3).mode().as_deref(), Some("read-only"));
    assert_eq!(reader.get("/a", true).map(|(data, _)| data), Ok("data".into()));
    reader.ping().expect("it serves");
    let refused = Failure::Code(code::NOT_READ_ONLY);
    assert_eq!(reader.create("/b", "", 0).err(), Some(refused.clone()));
    assert_eq!(reader.set("/a", "new").err(), Some(refused.clone()));
    assert_eq!(reader.delete("/a").err(), Some(refused.clone()));
    assert_eq!(reader.sync("/").err(), Some(refused));
    assert_eq!(reader.children("/", false), Ok(vec!["a".into(), "zookeeper".into()]));
    let end = Some(Failure::Lost(ErrorKind::UnexpectedEof));
    let unaware = Client::connect(left[0], &Session::new(30_000)).err();
    assert_eq!(unaware, end, "one that may want to write goes elsewhere");
    let resumed = Client::connect(left[0], &global.clone().for_reading()).err();
    assert_eq!(resumed, end, "the leader to come decides about this session");
    let another = Client::reach(&left, &Session::new(30_000).for_reading());
    another.close_session().expect("its own session it may close");

    for id in [1, 2] {
        ensemble.server_mut(id).start();
    }
    ensemble.wait_until_all_serve();
    assert!(matches!(reader.ping(), Err(Failure::Lost(_))), "the election is over");
    wait_for("server 3 to follow or to lead", || {
        (ensemble.server(3).word("isro").ok()? == "rw").then_some(())
    });
    let mut reader = Client::reach(&left, &Session::new(30_000).for_reading());
    assert!(!reader.is_read_only);
    assert!(reader.exists("/a", true).expect("it serves").is_some());
    let mut writer = Client::reach(&left, &global);
    writer.delete("/a").expect("its session has outlived it all");
    reader.sync("/").expect("the ensemble is whole");
    assert_eq!(reader.take_events(), [(DELETED, "/a".into())]);
    ensemble.assert_same_trees();
}

#[test]
fn without_the_mode_nobody_is_served_where_nobody_leads() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    for id in [1, 2] {
        ensemble.server_mut(id).kill();
    }
    let server = ensemble.server(3);
    wait_for("the end of its role", || (server.word("isro").ok()? == "null").then_some(()));
    let refused = Client::connect(server.address, &Session::new(30_000).for_reading()).err();
    assert_eq!(refused, Some(Failure::Lost(ErrorKind::UnexpectedEof)));
}
