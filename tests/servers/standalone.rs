//! A server without an ensemble.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use quorate::base::{Epoch, Zxid};
use quorate::jute::client::create_flags::EPHEMERAL;

use crate::ensemble::{Client, Ensemble, Plan, pipeline_sets, read_tree, wait_for};

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

#[test]
fn a_file_of_the_container_image_starts_a_standalone_server() {
    let mut alone = Plan::standalone().lay_out();
    let (quorum, election) = (alone.quorum_address(1).port(), alone.election_address(1).port());
    let server = alone.server_mut(1);
    let (data, client) = (server.data_dir(), server.address);
    // As its entrypoint writes it, but for the address in front of the client port: tests stay on
    // the loopback interface.
    let text = format!(
        "dataDir={data}\ndataLogDir={data}/log\ntickTime=2000\ninitLimit=5\nsyncLimit=2\n\
         autopurge.snapRetainCount=3\nautopurge.purgeInterval=0\nmaxClientCnxns=60\n\
         standaloneEnabled=true\nadmin.enableServer=true\n\
         server.1=localhost:{quorum}:{election};{client}\n",
        data = data.display(),
    );
    server.edit_config(|_| text);
    server.start();
    alone.wait_until_all_serve();
    assert_eq!(alone.server(1).mode().as_deref(), Some("standalone"));
    alone.client(1).create("/a", "kept", 0).expect("a new node");
    alone.server_mut(1).restart();
    alone.wait_until_all_serve();
    assert_eq!(alone.client(1).get("/a", false).map(|(text, _)| text), Ok("kept".into()));
    assert!(alone.server(1).files("data/log").iter().any(|name| name.starts_with("log.")));
    assert!(!alone.server(1).files("data").iter().any(|name| name.starts_with("log.")));
}

/// Permissions of the files in `version-2`, and its own.
fn permissions(alone: &Ensemble) -> (BTreeSet<u32>, u32) {
    let dir = alone.server(1).data_dir().join("version-2");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o7777;
    let files = alone.server(1).files("data");
    assert!(files.len() > 2, "{files:?}");
    (files.iter().map(|name| mode(&dir.join(name))).collect(), mode(&dir))
}

#[test]
fn files_are_for_the_owner_and_his_group_unless_the_configuration_says_otherwise() {
    let mut alone = Plan::standalone().start();
    alone.client(1).create("/a", "", 0).expect("a new node");
    assert_eq!(permissions(&alone), (BTreeSet::from([0o640]), 0o750));
    alone.server_mut(1).kill();
    alone.server(1).edit_config(|text| text + "filePermissions=600\n");
    alone.server_mut(1).start();
    alone.wait_until_all_serve();
    alone.client(1).create("/b", "", 0).expect("a new node");
    let (files, directory) = permissions(&alone);
    assert_eq!((files, directory), (BTreeSet::from([0o600, 0o640]), 0o750), "the old ones stay");
    alone.server_mut(1).kill();
    alone.server(1).wipe();
    alone.server_mut(1).start();
    alone.wait_until_all_serve();
    alone.client(1).create("/c", "", 0).expect("a new node");
    assert_eq!(permissions(&alone), (BTreeSet::from([0o600]), 0o700));
}

#[test]
fn a_log_ends_at_the_size_that_the_configuration_says() {
    let size = "txnLogSizeLimitInKb=16";
    let mut alone = Plan::standalone().setting(size).start();
    let logs = |alone: &Ensemble, kind: &str| {
        let files = alone.server(1).files("data");
        files.iter().filter(|name| name.starts_with(kind)).count()
    };
    let mut client = alone.client(1);
    for n in 0..30 {
        client.create(&format!("/n{n}"), &"x".repeat(4000), 0).expect("a new node");
    }
    assert!((5..=9).contains(&logs(&alone, "log.")), "{:?}", alone.server(1).files("data"));
    assert_eq!(logs(&alone, "snapshot."), 1, "that of the empty tree");
    alone.server_mut(1).restart();
    alone.wait_until_all_serve();
    assert_eq!(alone.client(1).children("/", false).expect("the server runs").len(), 31);

    // By the other limit a snapshot is due.
    let other = "txnLogSizeLimitInKb=0\nsnapSizeLimitInKb=16";
    alone.server(1).edit_config(|text| text.replace("txnLogSizeLimitInKb=16", other));
    alone.server_mut(1).restart();
    alone.wait_until_all_serve();
    let mut client = alone.client(1);
    for n in 30..60 {
        client.create(&format!("/n{n}"), &"x".repeat(4000), 0).expect("a new node");
    }
    wait_for("a snapshot", || (logs(&alone, "snapshot.") > 1).then_some(()));
    alone.server_mut(1).restart();
    alone.wait_until_all_serve();
    assert_eq!(alone.client(1).children("/", false).expect("the server runs").len(), 61);
}
