//! Clients that look for the members of the ensemble find them in /zookeeper/config.

use quorate::base::Zxid;
use quorate::jute::data::Stat;

use crate::ensemble::{Ensemble, Plan};

const CONFIG: &str = "/zookeeper/config";

/// A line a member, then the version.
#[track_caller]
fn assert_names_all(ensemble: &Ensemble, id: i64) -> Stat {
    let (text, stat) = ensemble.client(id).get(CONFIG, true).expect("everybody may read it");
    let lines: Vec<&str> = text.split('\n').collect();
    let [members @ .., version] = &lines[..] else { panic!("server {id}: {text:?}") };
    assert_eq!(*version, "version=0", "server {id}: {text:?}");
    assert_eq!(members.len(), ensemble.servers.len(), "server {id}: {text:?}");
    for (line, member) in members.iter().zip(&ensemble.servers) {
        let (quorum, election) =
            (ensemble.quorum_address(member.id), ensemble.election_address(member.id));
        let want = format!("server.{}={quorum}:{}:participant", member.id, election.port());
        assert_eq!(*line, want, "server {id}: {text:?}");
    }
    assert!(text.starts_with("server.1=") && text.ends_with("version=0"));
    stat
}

#[test]
fn every_server_names_all_members() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).setting("snapCount=100").start();
    for id in [1, 2, 3] {
        let stat = assert_names_all(&ensemble, id);
        let (mzxid, version) = (Zxid::ZERO, -1);
        assert_eq!((stat.czxid, stat.mzxid, stat.version), (Zxid::ZERO, mzxid, version));
    }

    // From its own disk, and from a leader's snapshot.
    let follower = ensemble.followers()[0];
    ensemble.server_mut(follower).restart();
    ensemble.wait_until_all_serve();
    assert_names_all(&ensemble, follower);
    let leader = ensemble.leader();
    ensemble.client(leader).create("/a", "", 0).expect("a new node");
    ensemble.server_mut(follower).kill();
    ensemble.server(follower).wipe();
    ensemble.server_mut(follower).start();
    ensemble.wait_until_all_serve();
    assert_names_all(&ensemble, follower);
}

#[test]
fn a_server_alone_has_no_members_to_name() {
    let alone = Plan::standalone().start();
    let (text, stat) = alone.client(1).get(CONFIG, false).expect("everybody may read it");
    assert_eq!((text.as_str(), stat.version, stat.aversion), ("", 0, -1));
}
