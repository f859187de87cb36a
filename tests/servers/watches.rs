//! Watches: once, in order with the replies, and across connections.

use quorate::jute::client::event::{CHILDREN_CHANGED, CREATED, DATA_CHANGED, DELETED};

use crate::ensemble::{Client, Plan, wait_for};

fn events<const N: usize>(expected: [(i32, &str); N]) -> Vec<(i32, String)> {
    expected.map(|(kind, path)| (kind, path.to_string())).into()
}

#[test]
fn each_watch_fires_once_for_the_change_it_waits_for() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    let follower = ensemble.followers()[0];
    let mut writer = ensemble.client(ensemble.leader());
    for path in ["/w", "/w/old", "/data", "/doomed"] {
        writer.create(path, "", 0).expect("a new node");
    }
    let mut watcher = ensemble.client(follower);
    watcher.sync("/").expect("the ensemble is whole");
    watcher.get("/data", true).expect("it is there");
    watcher.exists("/new", true).expect("the ensemble is whole");
    watcher.exists("/doomed", true).expect("the ensemble is whole");
    watcher.children("/w", true).expect("it is there");

    for _ in 0..2 {
        writer.set("/data", "x").expect("it is there");
        writer.create("/new", "", 0).expect("a new node");
        writer.delete("/new").expect("it is there");
        writer.create("/w/young", "", 0).expect("a new node");
        writer.delete("/w/young").expect("it is there");
    }
    writer.delete("/doomed").expect("it is there");
    watcher.sync("/").expect("the ensemble is whole");
    let once = [
        (DATA_CHANGED, "/data"),
        (CREATED, "/new"),
        (CHILDREN_CHANGED, "/w"),
        (DELETED, "/doomed"),
    ];
    assert_eq!(watcher.take_events(), events(once));
    assert!(writer.take_events().is_empty(), "the writer watches nothing");
}

#[test]
fn the_event_of_an_own_write_comes_before_its_reply() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    for id in [1, 2, 3] {
        let mut client = ensemble.client(id);
        let path = format!("/of-{id}");
        client.exists(&path, true).expect("the ensemble is whole");
        client.create(&path, "", 0).expect("a new node");
        assert_eq!(client.take_events(), events([(CREATED, &path)]), "server {id}");
        client.get(&path, true).expect("it is there");
        client.set(&path, "x").expect("it is there");
        assert_eq!(client.take_events(), events([(DATA_CHANGED, &path)]), "server {id}");
        client.get(&path, true).expect("it is there");
        client.delete(&path).expect("it is there");
        assert_eq!(client.take_events(), events([(DELETED, &path)]), "server {id}");
    }
}

#[test]
fn the_event_of_a_change_comes_before_any_reply_that_shows_it() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut writer = ensemble.client(ensemble.leader());
    writer.create("/w", "0", 0).expect("a new node");
    let mut reader = ensemble.client(ensemble.followers()[0]);
    reader.sync("/").expect("the ensemble is whole");
    for n in 1..=20 {
        reader.get("/w", true).expect("it is there");
        writer.set("/w", &n.to_string()).expect("it is there");
        // Without a sync: the change arrives at the follower when it does.
        wait_for("the change to arrive", || {
            let shown = reader.get("/w", false).expect("it is there").0;
            let told = !reader.events.is_empty();
            assert!(told || shown != n.to_string(), "{n} is shown before its event");
            (shown == n.to_string()).then_some(())
        });
        assert_eq!(reader.take_events(), events([(DATA_CHANGED, "/w")]));
    }
}

#[test]
fn watches_set_again_at_another_server_catch_up_with_what_was_missed() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut writer = ensemble.client(3);
    for path in ["/same", "/changed", "/deleted", "/parent", "/calm"] {
        writer.create(path, "", 0).expect("a new node");
    }
    let mut client = ensemble.client(1);
    client.sync("/").expect("the ensemble is whole");
    for path in ["/same", "/changed", "/deleted"] {
        client.get(path, true).expect("it is there");
    }
    client.exists("/created", true).expect("the ensemble is whole");
    client.children("/parent", true).expect("it is there");
    client.children("/calm", true).expect("it is there");
    let session = client.drop_connection();

    writer.set("/changed", "x").expect("it is there");
    writer.delete("/deleted").expect("it is there");
    writer.create("/created", "", 0).expect("a new node");
    writer.create("/parent/child", "", 0).expect("a new node");

    let seen = session.last_zxid;
    let mut client = Client::reach(&[ensemble.server(2).address], &session);
    client.sync("/").expect("the ensemble is whole");
    assert!(client.take_events().is_empty(), "no watch has been set here");
    let data = ["/same", "/changed", "/deleted"];
    client
        .set_watches(seen, [&data, &["/created"], &["/parent", "/calm"]])
        .expect("the ensemble is whole");
    let mut missed = client.take_events();
    missed.sort();
    let mut expected = events([
        (DATA_CHANGED, "/changed"),
        (DELETED, "/deleted"),
        (CREATED, "/created"),
        (CHILDREN_CHANGED, "/parent"),
    ]);
    expected.sort();
    assert_eq!(missed, expected, "all that was missed, before the reply");

    for path in ["/same", "/changed", "/created"] {
        writer.set(path, "later").expect("it is there");
    }
    writer.create("/calm/child", "", 0).expect("a new node");
    client.sync("/").expect("the ensemble is whole");
    let later = events([(DATA_CHANGED, "/same"), (CHILDREN_CHANGED, "/calm")]);
    assert_eq!(client.take_events(), later, "the others have fired");
}
