//! A server without an ensemble.

use quorate::base::{Epoch, Zxid};
use quorate::jute::client::create_flags::EPHEMERAL;

use crate::ensemble::{Client, Plan, pipeline_sets, read_tree};

#[test]
fn a_standalone_server_counts_its_zxids_from_one() {
    let mut alone = Plan::standalone().start();
    assert_eq!(alone.server(1).mode().as_deref(), Some("standalone"));
    assert_eq!(alone.server(1).srvr("Zxid").as_deref(), Some("0x0"));
    let mut client = alone.client(1);
    assert_eq!(alone.server(1).srvr("Zxid").as_deref(), Some("0x1"), "the session");
    let (_, stat) = client.create2("/a", "x", 0).expect("a new node");
    assert_eq!((stat.czxid, client.session.last_zxid), (Zxid(2), Zxid(2)));
    let failed = client.create("/a", "x", 0);
    assert!(failed.is_err());
    assert_eq!(client.session.last_zxid, Zxid(3), "a failed write has a zxid of its own");
    alone.server_mut(1).assert_it_lives();
}

#[test]
fn a_standalone_server_keeps_data_and_sessions_over_a_kill() {
    let mut alone = Plan::standalone().start();
    let mut client = alone.client(1);
    client.create("/a", "kept", 0).expect("a new node");
    client.create("/e", "", EPHEMERAL).expect("a new node");
    pipeline_sets(&mut client, "/a", 300).expect("it is there");
    let session = client.drop_connection();
    let before = read_tree(alone.server(1).address);

    for round in 1..=2 {
        alone.server_mut(1).restart();
        alone.wait_until_all_serve();
        assert_eq!(read_tree(alone.server(1).address), before, "restart {round}");
    }
    let mut client = Client::reach(&[alone.server(1).address], &session);
    let (_, stat) = client.create2("/b", "", 0).expect("a new node");
    assert_eq!(stat.czxid.epoch(), Epoch(0));
    assert!(stat.czxid > session.last_zxid, "zxids go on");
    client.close_session().expect("the server runs");
    assert_eq!(
        alone.client(1).children("/", false),
        Ok(vec!["a".into(), "b".into(), "zookeeper".into()])
    );
    let epochs = alone.server(1).files("data").into_iter().find(|name| name.contains("Epoch"));
    assert_eq!(epochs, None, "a standalone server has no epoch files");
}

#[test]
fn a_standalone_server_writes_snapshots_and_starts_from_them() {
    let mut alone = Plan::standalone().setting("snapCount=100").start();
    let mut client = alone.client(1);
    client.create("/a", "", 0).expect("a new node");
    pipeline_sets(&mut client, "/a", 1_000).expect("it is there");
    let before = read_tree(alone.server(1).address);
    let names = alone.server(1).files("data");
    for kind in ["snapshot.", "log."] {
        // One snapshot at a time: while one is written, more than snapCount may go by.
        let count = names.iter().filter(|name| name.starts_with(kind)).count();
        assert!(count >= 3, "1000 transactions, snapCount 100: {names:?}");
    }
    alone.server_mut(1).restart();
    alone.wait_until_all_serve();
    assert_eq!(read_tree(alone.server(1).address), before);
}
