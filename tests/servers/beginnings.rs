//! How an ensemble begins: with nothing, with leave to begin with nothing, with one server's data.

use std::fs;

use crate::ensemble::{Plan, content_of, pipeline_sets, read_tree, wait_for};

#[test]
fn the_data_of_a_standalone_server_becomes_that_of_an_ensemble() {
    let mut alone = Plan::standalone().setting("snapCount=100").start();
    let mut client = alone.client(1);
    client.create("/a", "", 0).expect("a new node");
    pipeline_sets(&mut client, "/a", 250).expect("it is there");
    client.close_session().expect("the server runs");
    let before = read_tree(alone.server(1).address);
    alone.server_mut(1).kill();

    let mut ensemble = Plan::voters(&[1, 2, 3]).lay_out();
    let from = alone.server(1).data_dir().join("version-2");
    let to = ensemble.server(1).data_dir().join("version-2");
    fs::create_dir(&to).expect("a writable directory");
    for (path, content) in content_of(&from) {
        let name = path.file_name().expect("a file");
        fs::write(to.join(name), content).expect("a writable directory");
    }
    ensemble.start_all();
    ensemble.wait_until_all_serve();
    assert_eq!(ensemble.leader(), 1, "the one that has data");
    assert_eq!(ensemble.assert_same_trees(), before);
    ensemble.client(3).create("/b", "", 0).expect("a new node");
    ensemble.assert_same_trees();
}

#[test]
fn an_empty_server_without_leave_to_begin_does_not_vote() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).setting("db.autocreate=false").lay_out();
    fs::write(ensemble.server(1).data_dir().join("initialize"), "").expect("a writable directory");
    ensemble.start_all();
    // One that may vote and two that may not are no quorum.
    for id in [1, 2, 3] {
        let server = ensemble.server(id);
        let answer = wait_for("an answer", || server.word("srvr").ok());
        assert!(answer.contains("not currently serving"), "server {id}: {answer}");
    }
    let server = ensemble.server_mut(2);
    server.kill();
    let marker = server.data_dir().join("initialize");
    fs::write(&marker, "").expect("a writable directory");
    server.start();
    // Two are: the third gets their history, and a vote with it.
    ensemble.wait_until_all_serve();
    assert!(!marker.exists(), "it allows one beginning");
    assert!([1, 2].contains(&ensemble.leader()));
    ensemble.client(3).create("/a", "", 0).expect("a new node");
    ensemble.assert_same_trees();
    for id in [1, 2, 3] {
        ensemble.server_mut(id).restart();
    }
    ensemble.wait_until_all_serve();
    assert_eq!(ensemble.assert_same_trees().len(), 2);
}

#[test]
fn a_snapshot_that_never_was_is_done_without_where_the_configuration_says_so() {
    let mut alone = Plan::standalone().start();
    alone.client(1).create("/a", "kept", 0).expect("a new node");
    let server = alone.server_mut(1);
    server.kill();
    // What ZooKeeper 3.4 leaves behind: logs alone, and none of our own files.
    for name in server.files("data").iter().filter(|name| !name.starts_with("log.")) {
        fs::remove_file(server.file("data", name)).expect("it is there");
    }
    server.start();
    assert_eq!(server.wait_for_its_end().code(), Some(1));
    assert!(server.log().contains("snapshot.trust.empty=true"), "{}", server.log());
    server.edit_config(|text| text + "snapshot.trust.empty=true\n");
    server.start();
    alone.wait_until_all_serve();
    assert_eq!(alone.client(1).get("/a", false).map(|(text, _)| text), Ok("kept".into()));
}
