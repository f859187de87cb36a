//! Which follower may take a leader's place.

use super::core::{Input, Output};
use super::core_test::{A, B, Bench, NEWLEADER, ack_epoch, proposal, sent};
use crate::base::{LinkId, ServerId, Zxid};
use crate::zab::Packet;

const ONE: Zxid = Zxid(NEWLEADER.0 + 1);
const C: LinkId = LinkId(7);

fn answer(bench: &mut Bench, link: LinkId) -> Vec<Output> {
    bench.packet(link, Packet::PingReply { zxid: Zxid::ZERO, touches: Vec::new() })
}

/// A follower that has everything.
fn join(bench: &mut Bench, link: LinkId, sid: i64) {
    bench.connect(link, sid, 1);
    bench.packet(link, ack_epoch(0, Some(0)));
    bench.packet(link, Packet::Ack { zxid: NEWLEADER });
    bench.packet(link, Packet::Ack { zxid: NEWLEADER }); // Of UPTODATE.
}

#[test]
fn it_has_acked_all_that_is_committed_and_then_answered_a_ping() {
    let mut bench = Bench::established();
    bench.step(Input::Propose(proposal(ONE)));
    let out = bench.step(Input::HandOver);
    assert!(sent(&out, A).is_empty(), "something is outstanding: {out:?}");
    bench.packet(A, Packet::Ack { zxid: ONE });
    assert_eq!(bench.leader.successor(), None, "our own log does not hold it yet");
    bench.db.set_durable(ONE);
    let out = bench.step(Input::Durable(ONE));
    assert!(sent(&out, A).iter().any(|packet| packet.starts_with("PING")), "{out:?}");
    assert_eq!(bench.leader.successor(), None, "it may be gone");
    answer(&mut bench, A);
    assert_eq!(bench.leader.successor(), Some(ServerId(1)));
    bench.step(Input::KeepLeading);
    assert_eq!(bench.leader.successor(), None);
}

#[test]
fn one_that_lacks_an_ack_or_has_no_vote_is_none() {
    let mut bench = Bench::established();
    join(&mut bench, B, 9);
    join(&mut bench, C, 2);
    bench.step(Input::Propose(proposal(ONE)));
    bench.packet(A, Packet::Ack { zxid: ONE });
    bench.db.set_durable(ONE);
    bench.step(Input::Durable(ONE));
    bench.step(Input::HandOver);
    answer(&mut bench, B);
    assert_eq!(bench.leader.successor(), None, "9 observes");
    answer(&mut bench, C);
    assert_eq!(bench.leader.successor(), None, "2 has not acked");
    answer(&mut bench, A);
    assert_eq!(bench.leader.successor(), Some(ServerId(1)), "2 is not waited for");
    bench.packet(C, Packet::Ack { zxid: ONE });
    assert_eq!(bench.leader.successor(), Some(ServerId(2)), "the others would choose it, too");
    bench.step(Input::Lost(C));
    assert_eq!(bench.leader.successor(), Some(ServerId(1)));
}

#[test]
fn the_largest_number_that_has_everything_is_waited_for_a_while() {
    let mut bench = Bench::established();
    join(&mut bench, C, 2);
    bench.step(Input::HandOver);
    answer(&mut bench, A);
    assert_eq!(bench.leader.successor(), None, "2 would win against 1");
    bench.pass(bench.leader.tick / 8);
    assert!(bench.leader.next_deadline() <= bench.now.mono);
    bench.step(Input::Timer);
    assert_eq!(bench.leader.successor(), Some(ServerId(1)));
    assert!(bench.leader.next_deadline() > bench.now.mono);
    answer(&mut bench, C);
    assert_eq!(bench.leader.successor(), Some(ServerId(2)));
}

#[test]
fn an_answer_to_an_earlier_ping_proves_nothing() {
    let mut bench = Bench::established();
    bench.pass(bench.leader.tick / 2);
    bench.step(Input::Timer);
    bench.step(Input::HandOver);
    answer(&mut bench, A);
    assert_eq!(bench.leader.successor(), None);
    answer(&mut bench, A);
    assert_eq!(bench.leader.successor(), Some(ServerId(1)));
}
