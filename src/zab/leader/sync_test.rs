//! The decision table of `choose_sync`, with the samples seen on a live server.

use super::sync::{SyncPlan, choose_sync};
use crate::base::Zxid;

fn z(text: i64) -> Zxid {
    Zxid(text)
}

/// A leader with transactions 0x100000001 to 6 and 0x200000001 to 3.
fn history() -> Vec<Zxid> {
    (0x1_0000_0001..=0x1_0000_0006).chain(0x2_0000_0001..=0x2_0000_0003).map(Zxid).collect()
}

fn plan(peer: i64) -> SyncPlan {
    choose_sync(z(peer), z(0x2_0000_0003), &history())
}

#[test]
fn a_learner_with_our_last_commit_gets_an_empty_diff() {
    let peer = z(0x2_0000_0003);
    assert_eq!(plan(peer.0), SyncPlan::Diff { to: peer, after: peer });
}

#[test]
fn a_learner_within_our_history_gets_what_follows_across_the_epoch() {
    let peer = z(0x1_0000_0003);
    assert_eq!(plan(peer.0), SyncPlan::Diff { to: z(0x2_0000_0003), after: peer });
}

#[test]
fn a_learner_ahead_of_our_commit_is_cut_to_it() {
    let max = z(0x2_0000_0003);
    assert_eq!(plan(0x2_0000_0009), SyncPlan::Trunc { to: max, after: max });
    assert_eq!(plan(0x3_0000_0001), SyncPlan::Trunc { to: max, after: max });
}

#[test]
fn a_transaction_we_never_had_is_cut_within_its_epoch() {
    let history = vec![z(0x1_0000_0001), z(0x1_0000_0002), z(0x1_0000_0005)];
    let plan = choose_sync(z(0x1_0000_0004), z(0x1_0000_0005), &history);
    let to = z(0x1_0000_0002);
    assert_eq!(plan, SyncPlan::Trunc { to, after: to });
}

#[test]
fn a_branch_of_an_older_epoch_needs_a_snapshot() {
    assert_eq!(plan(0x1_0000_0007), SyncPlan::Snap);
}

#[test]
fn the_beginning_of_an_epoch_is_a_place_in_our_history() {
    let peer = z(0x2_0000_0000);
    assert_eq!(plan(peer.0), SyncPlan::Diff { to: z(0x2_0000_0003), after: peer });
}

#[test]
fn a_learner_below_the_committed_log_is_looked_up_on_disk() {
    let later: Vec<Zxid> = history().split_off(3);
    let plan = |peer: i64| choose_sync(z(peer), z(0x2_0000_0003), &later);
    assert_eq!(plan(0x1_0000_0002), SyncPlan::ReadLog);
    assert_eq!(plan(0x1_0000_0000), SyncPlan::Snap, "of an epoch's beginning there is no record");
    assert_eq!(plan(0), SyncPlan::Snap);
}

#[test]
fn an_epoch_we_do_not_know_and_nothing_of_it_needs_a_snapshot() {
    assert_eq!(plan(0x9_0000_0000), SyncPlan::Snap);
}

#[test]
fn with_nothing_committed_yet_an_empty_learner_is_level() {
    let plan = choose_sync(Zxid::ZERO, Zxid::ZERO, &[]);
    assert_eq!(plan, SyncPlan::Diff { to: Zxid::ZERO, after: Zxid::ZERO });
}
