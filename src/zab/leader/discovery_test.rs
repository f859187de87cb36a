//! Whom a leader takes.

use super::core::{Input, Output};
use super::core_test::{A, B, Bench, ack_epoch};
use crate::base::{Dismissed, PeerMisbehaved};
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
