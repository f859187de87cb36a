//! Who waits at the quorum port of a server that looks.

use super::*;
use crate::base::{Epoch, ServerId};
use crate::jute::quorum::LearnerInfo;

fn at(ms: u64) -> Now {
    Now { mono: Mono(ms * 1_000_000), wall_ms: 0 }
}

fn info() -> Packet {
    let info = LearnerInfo { server_id: ServerId(1), protocol_version: 0x10000, config_version: 0 };
    Packet::FollowerInfo { accepted_epoch: Epoch(4), info }
}

/// The links that were closed.
fn closed(queue: &mut Queue) -> Vec<u64> {
    let link = |output: Output| match output {
        Output::QuorumClose { link } => Some(link.0),
        _ => None,
    };
    queue.take().into_iter().filter_map(link).collect()
}

fn waiting(links: &[u64]) -> (EarlyLearners, Queue) {
    let (mut early, mut queue) = (EarlyLearners::default(), Queue::new());
    for link in links {
        early.on_accepted(at(*link), LinkId(*link), &mut queue);
    }
    (early, queue)
}

#[test]
fn who_waits_comes_to_the_leader_with_what_it_has_said() {
    let (mut early, mut queue) = waiting(&[1, 3, 5]);
    early.on_packet(LinkId(3), info(), &mut queue);
    early.on_lost(LinkId(5));
    let taken: Vec<_> = early.take().collect();
    assert_eq!(taken, [(LinkId(1), None), (LinkId(3), Some(info()))]);
    assert!(closed(&mut queue).is_empty());
    assert_eq!(early.wake_at(), Mono::FAR);
}

#[test]
fn who_waits_is_sent_away_by_a_server_that_follows_and_after_a_while() {
    let (mut early, mut queue) = waiting(&[1, 3]);
    early.on_timer(at(500), &mut queue);
    assert!(closed(&mut queue).is_empty());
    assert_eq!(early.wake_at(), at(501).mono);
    early.on_timer(at(501), &mut queue);
    assert_eq!(closed(&mut queue), [1]);
    early.close(&mut queue);
    assert_eq!(closed(&mut queue), [3]);
}

#[test]
fn who_says_anything_else_or_more_goes() {
    let (mut early, mut queue) = waiting(&[1, 3]);
    early.on_packet(LinkId(1), Packet::UpToDate, &mut queue);
    early.on_packet(LinkId(3), info(), &mut queue);
    early.on_packet(LinkId(3), info(), &mut queue);
    early.on_packet(LinkId(9), info(), &mut queue);
    assert_eq!(closed(&mut queue), [1, 3]);
    assert_eq!(early.take().count(), 0);
}

#[test]
fn no_more_than_so_many_wait() {
    let links: Vec<u64> = (0..=EARLY_LEARNERS_MAX as u64).map(|n| 2 * n + 1).collect();
    let (mut early, mut queue) = waiting(&links);
    assert_eq!(closed(&mut queue), [*links.last().expect("many")]);
    assert_eq!(early.take().count(), EARLY_LEARNERS_MAX);
}

#[test]
fn the_port_is_opened_once_and_again_after_it_could_not_be() {
    let (mut early, mut queue) = waiting(&[]);
    let mut opens = |early: &mut EarlyLearners| {
        early.open(HostPort::new("h1", 2888), &mut queue);
        queue.take().len()
    };
    assert_eq!([opens(&mut early), opens(&mut early)], [1, 0]);
    early.on_bind_failed();
    assert_eq!(opens(&mut early), 1);
    let mut queue = Queue::new();
    early.close(&mut queue);
    early.close(&mut queue);
    assert_eq!(queue.take(), [Output::QuorumUnlisten]);
}
