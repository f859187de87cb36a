//! The election after a leadership was handed over.

use super::tests::{Bench, better, has};
use super::*;
use crate::election::test_ensemble::Ensemble;

/// Server 3 of three, which has handed over to 2; its history ends at 7 in epoch 4.
fn handed_over() -> (Bench, Vec<String>) {
    let mut bench = Bench::new(3, &Ensemble::of_voters(3));
    let (zxid, epoch, successor) = (Zxid(7), Epoch(4), Some(ServerId(2)));
    let out = bench.step(0, Input::Look { zxid, epoch, after_term: true, successor });
    (bench, out)
}

fn silence(bench: &mut Bench, ms: u64) -> Vec<String> {
    bench.step(ms, Input::Timer { delivered: true })
}

#[test]
fn the_first_vote_is_for_the_successor_with_the_history_of_both() {
    let (mut bench, out) = handed_over();
    let said = "send 1 LOOKING leader=2 zxid=0x7 round=1 peerEpoch=4";
    assert!(has(&out, said) && !has(&out, "send 1 LOOKING leader=3"), "{out:?}");
    assert!(!has(&bench.hear(1, 2, better(2, 1, 4, 7)), "decided"));
    assert!(has(&bench.hear(2, 1, better(2, 1, 4, 7)), "decided 2 FOLLOWING"));
}

#[test]
fn a_better_vote_is_followed_all_the_same() {
    let (mut bench, _) = handed_over();
    assert!(has(&bench.hear(1, 1, better(1, 1, 4, 8)), "send 2 LOOKING leader=1 zxid=0x8 round=1"));
}

#[test]
fn a_successor_that_refuses_connections_is_not_waited_for() {
    let (mut bench, _) = handed_over();
    bench.hear(1, 1, better(2, 1, 4, 7));
    assert!(bench.step(2, Input::Refused { sid: ServerId(1) }).is_empty(), "it is another");
    let out = bench.step(3, Input::Refused { sid: ServerId(2) });
    assert!(has(&out, "send 1 LOOKING leader=3 zxid=0x7 round=2"), "{out:?}");
    assert!(has(&bench.hear(4, 1, better(3, 2, 4, 7)), "decided 3 LEADING"));
}

#[test]
fn in_the_next_round_it_is_a_candidate_as_ever() {
    // The successor's log ends earlier than this server believed: that must not go on for ever.
    let (mut bench, _) = handed_over();
    let out = bench.hear(1, 2, better(2, 2, 4, 6));
    assert!(has(&out, "send 2 LOOKING leader=3 zxid=0x7 round=2"), "{out:?}");
}

#[test]
fn after_two_silences_it_is_a_candidate_as_ever() {
    let (mut bench, _) = handed_over();
    assert!(has(&silence(&mut bench, 200), "send 1 LOOKING leader=2 zxid=0x7 round=1"));
    let out = silence(&mut bench, 600);
    assert!(has(&out, "send 1 LOOKING leader=3 zxid=0x7 round=2"), "{out:?}");
}

#[test]
fn who_may_not_lead_is_no_successor() {
    let mut bench = Bench::new(3, &Ensemble::of_voters(3));
    let (zxid, epoch, successor) = (Zxid(0), Epoch(0), Some(ServerId(9)));
    let out = bench.step(0, Input::Look { zxid, epoch, after_term: true, successor });
    assert!(has(&out, "send 1 LOOKING leader=3"), "{out:?}");
}
