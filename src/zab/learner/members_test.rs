//! What a learner makes of its leader's configuration.

use std::rc::Rc;

use bytes::Bytes;

use super::core::{Input, Output};
use super::core_test::{Bench, LINK, acks, appended, config, gave_up, newleader, z};
use crate::base::{GaveUp, ServerId, SessionId, Zxid};
use crate::config::ServerConfig;
use crate::jute::txn::{Proposal, SetDataTxn, Txn, TxnHeader, kind};
use crate::quorum::QuorumVerifier;
use crate::storage::EpochKind;
use crate::zab::Packet;

/// As other servers tell it.
fn config_text(count: i64, version: i64) -> Bytes {
    let config = ServerConfig { config_version: version, ..config(count) };
    QuorumVerifier::new(&config).config_text().into()
}

/// The transaction of a reconfiguration: its zxid is the version.
fn reconfig(zxid: Zxid, members: i64) -> Rc<Proposal> {
    let header =
        TxnHeader { client_id: SessionId(1), cxid: 1, zxid, time: 0, kind: kind::RECONFIG };
    let (path, data) = ("/zookeeper/config".into(), Some(config_text(members, zxid.0)));
    Rc::new(Proposal::new(header, Txn::SetData(SetDataTxn { path, data, version: -1 }), None))
}

fn versions(out: &[Output]) -> Vec<i64> {
    let version = |o: &Output| match o {
        Output::ConfigVersion(version) => Some(*version),
        _ => None,
    };
    out.iter().filter_map(version).collect()
}

/// The role is over because of the members, and nothing else was said or logged.
#[track_caller]
fn assert_ends_over_members(out: &[Output], version: i64) {
    let [Output::GiveUp(GaveUp::MembersChanged(why))] = out else { panic!("{out:?}") };
    assert_eq!((why.server, why.version), (ServerId(3), version));
    assert!(why.members.contains("server.4="), "{}", why.members);
}

#[test]
fn the_version_of_the_configuration_is_reported_to_the_leader() {
    let mut bench = Bench::new();
    bench.step(Input::ConfigVersion(0x1_0000_0000));
    let out = bench.step(Input::Connected(LINK));
    let [Output::Send(_, Packet::FollowerInfo { info, .. })] = &out[..] else { panic!("{out:?}") };
    assert_eq!(info.config_version, 0x1_0000_0000);
}

#[test]
fn newleaders_version_of_the_same_members_counts_from_uptodate_on() {
    let mut bench = Bench::awaiting_sync();
    bench.packet(Packet::Diff { zxid: Zxid::ZERO });
    let config = Some(config_text(3, 9));
    assert!(!gave_up(&bench.packet(Packet::NewLeader { zxid: z(0), config })));
    let out = bench.durable(EpochKind::Current, 1);
    assert_eq!((acks(&out), versions(&out)), (vec![z(0)], vec![]));
    assert_eq!(versions(&bench.packet(Packet::UpToDate)), [9]);
}

#[test]
fn newleaders_other_members_end_the_server_before_history_and_ack() {
    let mut bench = Bench::awaiting_sync();
    bench.packet(Packet::Diff { zxid: z(1) });
    bench.packet(Packet::Proposal(reconfig(z(1), 4)));
    bench.packet(Packet::Commit { zxid: z(1) });
    let config = Some(config_text(4, z(1).0));
    let out = bench.packet(Packet::NewLeader { zxid: z(0), config });
    assert_ends_over_members(&out, z(1).0);
    assert_eq!(bench.db.last_logged(), Zxid::ZERO);
}

#[test]
fn old_reconfigurations_of_a_diff_are_history() {
    let mut bench = Bench::awaiting_sync();
    bench.packet(Packet::Diff { zxid: z(2) });
    for (n, members) in [(1, 4), (2, 3)] {
        bench.packet(Packet::Proposal(reconfig(z(n), members)));
        bench.packet(Packet::CommitAndActivate { zxid: z(n), designated: ServerId(3) });
    }
    let config = Some(config_text(3, z(2).0));
    let out = bench.packet(Packet::NewLeader { zxid: z(0), config });
    assert_eq!(appended(&out), [z(1), z(2)]);
    bench.step(Input::Durable(z(2)));
    bench.durable(EpochKind::Current, 1);
    assert_eq!(versions(&bench.packet(Packet::UpToDate)), [z(2).0]);
}

#[test]
fn a_reconfiguration_of_the_same_members_is_committed_and_then_counts() {
    let mut bench = Bench::following();
    let out = bench.packet(Packet::Proposal(reconfig(z(1), 3)));
    assert_eq!((appended(&out), versions(&out)), (vec![z(1)], vec![]));
    assert_eq!(acks(&bench.step(Input::Durable(z(1)))), [z(1)]);
    let out = bench.packet(Packet::CommitAndActivate { zxid: z(1), designated: ServerId(3) });
    assert!(matches!(out[0], Output::Committed(zxid) if zxid == z(1)), "{out:?}");
    assert_eq!(versions(&out), [z(1).0]);
}

#[test]
fn an_observer_applies_what_an_inform_activates() {
    let mut bench = Bench::following();
    bench.learner.observer = true;
    let (designated, proposal) = (ServerId(3), reconfig(z(1), 3));
    let out = bench.packet(Packet::InformAndActivate { designated, proposal });
    assert_eq!((appended(&out), versions(&out)), (vec![z(1)], vec![z(1).0]));
    let (designated, proposal) = (ServerId(3), reconfig(z(2), 4));
    let out = bench.packet(Packet::InformAndActivate { designated, proposal });
    assert_ends_over_members(&out, z(2).0);
}

/// Once acked it may be committed, and then the old members are no quorum any more, whether the
/// COMMIT comes or not.
#[test]
fn a_reconfiguration_to_other_members_is_neither_logged_nor_acked() {
    let mut bench = Bench::following();
    let out = bench.packet(Packet::Proposal(reconfig(z(1), 4)));
    assert_ends_over_members(&out, z(1).0);
    assert_eq!(bench.db.last_logged(), Zxid::ZERO);
    assert!(bench.packet(Packet::Commit { zxid: z(1) }).is_empty(), "the role is over");
}

#[test]
fn a_reconfiguration_that_waited_behind_newleader_is_not_logged_either() {
    let mut bench = Bench::awaiting_sync();
    bench.packet(Packet::Diff { zxid: Zxid::ZERO });
    bench.packet(newleader());
    bench.packet(Packet::Proposal(reconfig(z(1), 4)));
    let out = bench.durable(EpochKind::Current, 1);
    assert!(matches!(out.last(), Some(Output::GiveUp(GaveUp::MembersChanged(_)))), "{out:?}");
    assert!(appended(&out).is_empty());
}
