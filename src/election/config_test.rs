//! What an election makes of the configurations in notifications.

use super::tests::{Bench, has, vote};
use super::*;
use crate::election::test_ensemble::Ensemble;

/// The configuration of voters 1 to `count`, in this version.
fn config_of(count: i64, version: i64) -> Option<Bytes> {
    let mut config = Ensemble::of_voters(count).config(1);
    config.config_version = version;
    Some(QuorumVerifier::new(&config).config_text().into())
}

#[test]
fn a_newer_version_of_the_same_members_is_told_on() {
    let mut bench = Bench::following_3(1);
    let mut asks = vote(2, 7);
    let version_told = |bench: &mut Bench, asks: &Notification| {
        let (mut out, notification) = (Vec::new(), asks.clone());
        let input = Input::Notification { from: ServerId(2), notification };
        bench.election.step(Now::default(), input, &mut out);
        let body = out.into_iter().find_map(|output| match output {
            Output::Send { body, .. } => Some(body),
            _ => None,
        });
        Notification::decode(body.expect("an answer")).expect("a notification").config
    };
    asks.config = config_of(3, 0);
    assert_eq!(version_told(&mut bench, &asks), config_of(3, 0));
    asks.config = config_of(3, 0x1_0000_0000);
    let lines = bench.hear(300, 2, asks.clone());
    assert!(has(&lines, "config version 100000000"), "{lines:?}");
    assert!(has(&lines, "send 2 FOLLOWING"), "it goes on: {lines:?}");
    assert!(!has(&bench.hear(301, 2, asks.clone()), "config"), "known by now");
    asks.config = config_of(3, 5);
    assert_eq!(version_told(&mut bench, &asks), config_of(3, 0x1_0000_0000));
    bench.step(302, Input::ConfigVersion(0x2_0000_0000));
    assert_eq!(version_told(&mut bench, &asks), config_of(3, 0x2_0000_0000));
}

#[test]
fn a_version_heard_before_the_first_look_stands_in_the_first_vote() {
    let mut bench = Bench::new(2, &Ensemble::of_voters(3));
    let early = Notification { config: config_of(3, 9), ..vote(3, 1) };
    assert_eq!(bench.hear(0, 3, early), ["config version 9"]);
    bench.look(1, 0, 0);
    assert_eq!(bench.election.notification().config, config_of(3, 9));
}

#[test]
fn a_voter_of_newer_other_members_ends_a_server_that_looks() {
    let other = |version| Notification { config: config_of(4, version), ..vote(3, 1) };
    let mut bench = Bench::looking(1);
    let lines = bench.hear(1, 3, other(9));
    assert_eq!(lines.len(), 1, "neither vote nor answer: {lines:?}");
    assert!(has(&lines, "end: the ensemble was reconfigured: server 3 told us in an election"));
    let mut new = Bench::new(1, &Ensemble::of_voters(3));
    assert!(has(&new.hear(0, 3, other(9)), "end: "), "before its first election too");
    let mut bench = Bench::looking(1);
    assert!(!has(&bench.hear(1, 3, other(0)), "end: "), "an older one counts for nothing");
}

#[test]
fn other_members_mean_nothing_to_a_server_in_a_role_or_from_one_without_a_vote() {
    let other = Notification { config: config_of(4, 9), ..vote(2, 7) };
    let mut bench = Bench::following_3(1);
    assert!(!has(&bench.hear(300, 2, other.clone()), "end: "));
    for stranger in [7, 9] {
        let mut bench = Bench::new(1, &Ensemble::of_voters(3).observer(9));
        bench.look(0, 0, 0);
        assert!(!has(&bench.hear(1, stranger, other.clone()), "end: "), "server {stranger}");
    }
}

#[test]
fn an_observer_may_tell_the_version_and_a_stranger_may_not() {
    let ensemble = Ensemble::of_voters(3).observer(9);
    let mut config = ensemble.config(1);
    config.config_version = 9;
    let text = QuorumVerifier::new(&config).config_text();
    let told = Notification { config: Some(text.into()), ..vote(3, 1) };
    for (from, learnt) in [(7, false), (9, true)] {
        let mut bench = Bench::new(1, &ensemble);
        bench.look(0, 0, 0);
        assert_eq!(has(&bench.hear(1, from, told.clone()), "config version 9"), learnt);
    }
}
