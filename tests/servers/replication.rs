//! A write at one server is seen at every other.

use quorate::jute::client::code;

use crate::ensemble::{Failure, Plan};

#[test]
fn a_write_at_one_server_shows_at_every_server_after_a_sync() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut modes: Vec<String> = ensemble.servers.iter().filter_map(|s| s.mode()).collect();
    modes.sort();
    assert_eq!(modes, ["follower", "follower", "leader"]);

    for writer in [1, 2, 3] {
        let path = format!("/of-{writer}");
        let mut client = ensemble.client(writer);
        assert_eq!(client.create(&path, "one", 0), Ok(path.clone()));
        let written = client.set(&path, "two").expect("the node is there");
        for reader in [1, 2, 3] {
            let mut client = ensemble.client(reader);
            client.sync("/").expect("the ensemble is whole");
            let got = client.get(&path, false).expect("it was acknowledged");
            assert_eq!(got, ("two".into(), written.clone()), "{path} at server {reader}");
        }
    }
    ensemble.assert_same_trees();
}

#[test]
fn every_kind_of_write_answers_as_it_should_at_a_follower() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut client = ensemble.client(ensemble.followers()[0]);
    let (path, stat) = client.create2("/a", "x", 0).expect("a new node");
    assert_eq!((path.as_str(), stat.version, stat.data_length), ("/a", 0, 1));
    assert_eq!(stat.czxid, client.session.last_zxid, "the reply carries the transaction's zxid");
    assert_eq!(client.create("/a", "x", 0), Err(Failure::Code(code::NODE_EXISTS)));
    assert_eq!(client.create("/b/c", "x", 0), Err(Failure::Code(code::NO_NODE)));
    assert_eq!(client.create("/a/n-", "", 2), Ok("/a/n-0000000000".into()));
    assert_eq!(client.create("/a/n-", "", 2), Ok("/a/n-0000000001".into()));
    assert_eq!(client.delete("/a"), Err(Failure::Code(code::NOT_EMPTY)));
    assert_eq!(
        client.children("/a", false),
        Ok(vec!["n-0000000000".into(), "n-0000000001".into()])
    );
    assert_eq!(client.delete("/a/n-0000000000"), Ok(()));
    assert_eq!(client.exists("/a/n-0000000000", false), Ok(None));
    assert_eq!(client.set("/b", "x").map(|_| ()), Err(Failure::Code(code::NO_NODE)));
    assert_eq!(client.ping(), Ok(()));
    assert_eq!(client.close_session(), Ok(()));
}

#[test]
fn two_of_three_serve_and_the_third_catches_up() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).lay_out();
    ensemble.server_mut(1).start();
    ensemble.server_mut(3).start();
    ensemble.wait_until_all_serve();
    assert_eq!(ensemble.leader(), 3, "of two empty servers the larger id leads");
    let mut client = ensemble.client(1);
    client.create("/a", "before", 0).expect("two of three are a quorum");
    ensemble.server_mut(2).start();
    ensemble.wait_until_all_serve();
    assert_eq!(ensemble.leader(), 3, "a server that joins changes no leader");
    ensemble.assert_same_trees();
}
