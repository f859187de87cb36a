//! Which elections end without a wait.

use super::*;
use crate::base::Epoch;
use crate::election::core::Input;
use crate::election::core::tests::{Bench, better, has, in_role, vote};
use crate::election::packet::PeerState;
use crate::election::test_ensemble::Ensemble;

/// One of voters 1 to `count`, that looks after the term of the last of them.
fn after_term(me: i64, count: i64) -> Bench {
    let mut bench = Bench::new(me, &Ensemble::of_voters(count));
    look(&mut bench, true);
    bench
}

fn look(bench: &mut Bench, after_term: bool) {
    let look =
        Input::Look { zxid: crate::base::Zxid::ZERO, epoch: Epoch(0), after_term, successor: None };
    bench.step(0, look);
}

fn refused(bench: &mut Bench, sid: i64) -> Vec<String> {
    bench.step(9, Input::Refused { sid: ServerId(sid) })
}

#[test]
fn nobody_waits_when_all_that_live_agree_and_the_last_leader_refuses() {
    // Whatever comes last ends it: what the leader says to a dial, or a vote.
    let mut bench = after_term(1, 3);
    assert!(has(&bench.hear(1, 2, vote(2, 1)), "wake"));
    assert!(has(&refused(&mut bench, 3), "note Elected { round: 1, leader: 2, voters: [1, 2] }"));
    let mut bench = after_term(2, 3);
    assert!(!has(&refused(&mut bench, 3), "decided"));
    assert!(!has(&bench.hear(1, 1, vote(1, 1)), "decided"));
    assert!(has(&bench.hear(2, 1, vote(2, 1)), "decided 2 LEADING"));
}

#[test]
fn a_voter_that_says_nothing_is_waited_for() {
    // Of five, 5 has gone, three agree, and 4 is slow.
    let mut bench = after_term(1, 5);
    refused(&mut bench, 5);
    bench.hear(1, 2, vote(3, 1));
    assert!(!has(&bench.hear(2, 3, vote(3, 1)), "decided"));
    // It has the better vote; then all that live must agree to that.
    assert!(has(&bench.hear(100, 4, vote(4, 1)), "send"));
    assert!(!has(&bench.hear(101, 2, vote(4, 1)), "decided"));
    assert!(has(&bench.hear(102, 3, vote(4, 1)), "decided 4 FOLLOWING"));
}

#[test]
fn a_leader_that_is_only_silent_is_waited_for() {
    let mut bench = after_term(1, 3);
    assert!(!has(&bench.hear(1, 2, vote(2, 1)), "decided"));
    // Now and then it is looked for: it may have been about to end.
    let timer = Input::Timer { delivered: false };
    assert_eq!(bench.step(26, timer.clone()), ["connect 3", "wake 76 ms"]);
    assert!(has(&bench.step(201, timer), "decided 2"));
}

#[test]
fn it_is_looked_for_less_and_less_often() {
    let mut bench = after_term(1, 3);
    bench.hear(1, 2, vote(2, 1));
    let timer = Input::Timer { delivered: false };
    assert_eq!(bench.step(26, timer.clone()), ["connect 3", "wake 76 ms"]);
    // It is there, says what is no vote for 2, and is not joined; the wait begins anew.
    bench.hear(70, 3, better(1, 0, 0, 0));
    assert_eq!(bench.step(76, timer.clone()), ["connect 3", "wake 176 ms"]);
    bench.hear(170, 3, better(1, 0, 0, 0));
    assert_eq!(bench.step(176, timer), ["connect 3", "wake 370 ms"]);
}

#[test]
fn the_end_of_a_connection_is_a_reason_to_dial_once() {
    let gone = |bench: &mut Bench, sid| bench.step(1, Input::Gone { sid: ServerId(sid) });
    let mut bench = after_term(1, 3);
    assert_eq!(gone(&mut bench, 3), ["connect 3"]);
    assert!(gone(&mut bench, 3).is_empty(), "that dial may have ended the next connection");
    assert_eq!(gone(&mut bench, 2), ["connect 2"]);
    assert!(gone(&mut bench, 9).is_empty(), "no voter");
    look(&mut bench, true);
    assert_eq!(gone(&mut bench, 3), ["connect 3"]);
    look(&mut bench, false);
    assert!(gone(&mut bench, 3).is_empty(), "at a start nobody is missed");
}

#[test]
fn who_refused_and_is_heard_again_is_waited_for() {
    let mut bench = after_term(1, 3);
    refused(&mut bench, 3);
    bench.hear(1, 3, better(1, 0, 0, 0)); // of an older round: it has just started
    assert!(!has(&bench.hear(2, 2, vote(2, 1)), "decided"));
    assert!(has(&bench.hear(3, 3, vote(3, 1)), "send 2 LOOKING leader=3"));
}

#[test]
fn all_voters_that_agree_are_enough_whoever_led() {
    let mut bench = after_term(1, 3);
    assert!(!has(&bench.hear(1, 2, vote(3, 1)), "decided"));
    assert!(has(&bench.hear(2, 3, vote(3, 1)), "decided 3 FOLLOWING"));
}

#[test]
fn a_voter_that_has_decided_for_it_agrees() {
    let mut bench = after_term(1, 3);
    bench.hear(1, 2, vote(3, 1));
    assert!(has(&bench.hear(2, 3, in_role(PeerState::Leading, 3, 1, 0)), "decided 3 FOLLOWING"));
}

#[test]
fn who_did_not_look_yet_when_it_was_told_is_told_again() {
    let follows = || in_role(PeerState::Following, 3, 0, 0);
    let mine = "send 1 LOOKING leader=2 zxid=0x0 round=1";
    let mut bench = after_term(2, 3);
    assert!(!has(&bench.hear(1, 1, follows()), "send"));
    assert!(has(&bench.hear(2, 1, vote(1, 1)), mine));
    assert!(!has(&bench.hear(3, 1, vote(1, 1)), "send"), "it looks, and was told");
    // A better vote is told to everybody anyhow, and at a start nobody follows.
    let mut bench = after_term(1, 3);
    bench.hear(1, 2, follows());
    let sent = bench.hear(2, 2, vote(2, 1));
    assert_eq!(sent.iter().filter(|line| line.starts_with("send 2")).count(), 1);
    let mut bench = Bench::new(2, &Ensemble::of_voters(3));
    look(&mut bench, false);
    bench.hear(1, 1, follows());
    assert!(!has(&bench.hear(2, 1, vote(1, 1)), "send"));
}

#[test]
fn nobody_hurries_to_follow_a_server_that_has_gone() {
    let mut bench = after_term(1, 3);
    bench.hear(1, 2, vote(3, 1));
    assert!(!has(&refused(&mut bench, 3), "decided"));
}

#[test]
fn words_of_another_round_or_vote_are_no_agreement() {
    for other in [vote(3, 0), better(3, 1, 0, -5), vote(2, 1)] {
        let mut bench = after_term(1, 5);
        refused(&mut bench, 5);
        bench.hear(1, 2, other.clone());
        bench.hear(2, 3, vote(3, 1));
        assert!(!has(&bench.hear(3, 4, vote(3, 1)), "decided"), "{other}");
        assert!(has(&bench.hear(4, 2, vote(3, 1)), "decided 3 FOLLOWING"), "{other}");
    }
}

#[test]
fn at_a_start_and_after_an_election_that_came_to_nothing_everybody_waits() {
    let mut bench = after_term(1, 3);
    look(&mut bench, false);
    refused(&mut bench, 3);
    assert!(!has(&bench.hear(1, 2, vote(2, 2)), "decided"));
    let mut bench = Bench::new(1, &Ensemble::of_voters(3));
    look(&mut bench, false);
    bench.hear(1, 2, vote(3, 1));
    assert!(!has(&bench.hear(2, 3, vote(3, 1)), "decided"));
}

#[test]
fn only_the_configuration_s_voters_are_asked() {
    let mut bench = Bench::new(1, &Ensemble::of_voters(3).observer(9));
    look(&mut bench, true);
    refused(&mut bench, 3);
    assert!(has(&bench.hear(1, 2, vote(2, 1)), "decided 2"));
}
