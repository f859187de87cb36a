use std::time::Duration;

use quorate::base::ServerId;

use super::Names;
use crate::grammar::{Mistake, When};
use crate::scenario::Action;

fn names() -> Names {
    Names {
        servers: (1..=5).map(ServerId).collect(),
        variable: Some(("gap".into(), Duration::from_millis(201))),
    }
}

fn refused(text: &str) -> Mistake {
    names().line(text).expect_err("this line has a mistake")
}

#[test]
fn every_kind_of_line_prints_as_it_was_written() {
    for text in [
        "0s  start 1 2",
        "5s  stop 1; crash 2; pause 3; resume 3; wipe 4",
        "10s  cut 1 2 | 3 4 5",
        "10s  cut election 1 -> 2 3",
        "10s  cut client 4 5",
        "10s  heal",
        "10s  heal quorum 1 | 2 3",
        "10s  delay 5 -> 3 300ms",
        "10s  hold NEWLEADER 3 -> 1; release NEWLEADER 3 -> 1; release; release ACK",
        "10s  hold-fsync 1; release-fsync 1; slow-fsync 2 40ms; slow-apply 2 40ms",
        "10s  clock 2 rate 0.5; clock 2 jump +3600s; clock 1 jump -1s",
        "on 3 sends NEWLEADER  crash 3",
        "4s on 3 sends ACK 0x100000004 to 5  crash 3",
        "on 2 durable 0x100000004  crash 2",
        "on 3 role leading  pause 3",
        "10s  client a connects 1 2; client a create -e -s /x v; client a closes",
        "10s  expect leader 3 epoch 1, 4 5 following, not leader 1, last 1 0x100000005",
        "10s  expect no leader, 1 down, truncated 2 0x100000001, synced 3 SNAP, client a waits",
    ] {
        let line = names().line(text).unwrap_or_else(|m| panic!("{text}: {m:?}"));
        assert_eq!(line.to_string(), text);
    }
}

#[test]
fn a_mistake_names_its_place_and_what_was_expected() {
    let mistake = refused("10s  strat 1");
    assert_eq!(mistake.at, 5);
    assert!(mistake.message.contains("did you mean `start`"), "{}", mistake.message);

    let mistake = refused("10s  start 7");
    assert_eq!(mistake.at, 11);
    assert!(mistake.message.contains("a server of the ensemble (1 2 3 4 5)"));

    let mistake = refused("soon start 1");
    assert_eq!(mistake.at, 0);
    assert!(mistake.message.contains("a time such as"));

    let mistake = refused("on 3 sends NEWLEDAER crash 3");
    assert_eq!(mistake.at, 11);
    assert!(mistake.message.contains("did you mean `NEWLEADER`"));

    let mistake = refused("10s  expect leader 3 epoch 1 4 following");
    assert!(mistake.message.contains("`;`"), "{}", mistake.message);
}

#[test]
fn a_varied_time_is_filled_in() {
    let line = names().line("10s + $gap  start 4").expect("a line");
    assert_eq!(line.when, When::At(Duration::from_millis(10_201)));
    assert!(names().line("10s + $gip  start 4").is_err());
}

#[test]
fn a_cut_is_every_pair_of_two_groups_both_ways() {
    let pairs = |text: &str| {
        let line = names().line(text).expect("a line");
        let Action::Fault(cut) = &line.actions[0] else { panic!("not a cut") };
        let pairs = cut.links().expect("it has links").pairs();
        pairs.into_iter().map(|(a, b)| (a.0, b.0)).collect::<Vec<_>>()
    };
    assert_eq!(pairs("0s cut 1 | 2 3"), [(1, 2), (1, 3), (2, 1), (3, 1)]);
    assert_eq!(pairs("0s cut 1 2 | rest").len(), 12);
}
