//! Whom a leader takes, and whose epochs it believes.

use super::core::{Input, Output};
use super::core_test::{A, B, Bench, ack_epoch, five_voters};
use crate::base::limits::{EPOCH_MAX, EPOCH_REACH};
use crate::base::{Dismissed, Epoch, GaveUp, LinkId, PeerMisbehaved};
use crate::storage::EpochKind;
use crate::zab::Packet;

#[test]
fn a_follower_with_a_version_that_was_learnt_is_taken() {
    let mut bench = Bench::new();
    let out = bench.connect_with(A, 1, 0, 9);
    let newer = |o: &Output| match o {
        Output::Close(A, Dismissed::Misbehaved { did, .. }) => {
            *did == PeerMisbehaved::NewerConfiguration { theirs: 9, ours: 0 }
        }
        _ => false,
    };
    assert!(out.iter().any(newer), "nobody has told us that it has our members: {out:?}");
    bench.step(Input::ConfigVersion(9));
    bench.connect_with(B, 1, 0, 9);
    bench.durable(EpochKind::Accepted, 1);
    bench.packet(B, ack_epoch(0, Some(0)));
    let out = bench.durable(EpochKind::Current, 1);
    let version = |o: &Output| match o {
        Output::Send(B, Packet::NewLeader { config: Some(text), .. }) => {
            Some(text.ends_with(b"version=9"))
        }
        _ => None,
    };
    assert_eq!(out.iter().find_map(version), Some(true), "{out:?}");
}

/// The epoch that a leader of five voters offers once these have told what they accepted.
fn offered(reports: &[(i64, i64)]) -> Option<i64> {
    let mut bench = Bench::new();
    bench.leader.verifier = five_voters();
    let out = reports
        .iter()
        .enumerate()
        .flat_map(|(n, (sid, accepted))| bench.connect(LinkId(2 * n as u64 + 1), *sid, *accepted));
    let epoch = |o: Output| match o {
        Output::WriteEpoch(EpochKind::Accepted, Epoch(epoch)) => Some(epoch),
        _ => None,
    };
    out.filter_map(epoch).next()
}

#[test]
fn an_epoch_far_ahead_is_not_believed_on_one_voice() {
    let last = EPOCH_MAX.0 - 1;
    let reach = EPOCH_REACH;
    assert_eq!(offered(&[(1, 4), (2, 5)]), Some(6));
    assert_eq!(offered(&[(1, reach), (2, 5)]), Some(reach + 1), "it is in reach");
    assert_eq!(offered(&[(1, last), (2, 5)]), None, "the liar makes no quorum");
    assert_eq!(offered(&[(1, last), (1, last - 1), (2, 5)]), None, "however often it says so");
    assert_eq!(offered(&[(1, last), (1, 4), (2, 5)]), Some(6), "nor keeps the real one out");
    assert_eq!(offered(&[(1, last), (2, 5), (4, 6)]), Some(7), "and does not raise the epoch");
    assert_eq!(offered(&[(9, last), (2, 5), (4, 6)]), Some(7), "nor does an observer");
}

#[test]
fn an_epoch_far_ahead_is_believed_on_two_voices_but_not_the_last_ones() {
    let (ahead, last) = (1_000_000, EPOCH_MAX.0 - 1);
    assert_eq!(offered(&[(1, ahead), (2, ahead + 3)]), Some(ahead + 4));
    assert_eq!(offered(&[(1, ahead), (9, ahead)]), None, "an observer has none");
    let liars = [(1, ahead), (2, ahead), (1, 5), (2, 6)];
    assert_eq!(offered(&liars), Some(ahead + 1), "these two had a quorum with us");
    assert_eq!(offered(&[(1, 5), (1, ahead), (2, 6)]), Some(7));
    assert_eq!(offered(&[(1, last), (2, last), (4, 5), (5, 6)]), Some(7));
}

#[test]
fn a_leader_without_an_epoch_left_gives_up() {
    let mut bench = Bench::new();
    bench.leader.own_accepted = EPOCH_MAX;
    let out = bench.connect(A, 1, 5);
    assert!(matches!(out[..], [Output::GiveUp(GaveUp::EpochsUsedUp)]), "{out:?}");
}

#[test]
fn a_follower_that_is_ahead_ends_only_its_link_if_a_quorum_is_there_without_it() {
    let mut bench = Bench::new();
    bench.connect(A, 1, 0);
    bench.connect(B, 2, 0);
    bench.durable(EpochKind::Accepted, 1);
    let out = bench.packet(B, ack_epoch(0x1, Some(0)));
    assert!(matches!(out[..], [Output::Close(B, Dismissed::Ahead { .. })]), "{out:?}");
    let out = bench.packet(A, ack_epoch(0, Some(0)));
    let takes = |o: &Output| matches!(o, Output::WriteEpoch(EpochKind::Current, _));
    assert!(out.iter().any(takes), "{out:?}");
}
