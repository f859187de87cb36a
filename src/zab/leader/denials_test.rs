//! When a leader says of a session that it is over.

use super::core::{Input, Leader, Output};
use super::core_test::{A, B, Bench, NEWLEADER, ack_epoch, five_voters, sent};
use super::proof::SessionAt;
use crate::base::{LinkId, ServerId, SessionId, Zxid};
use crate::config::ServerConfig;
use crate::database::Database;
use crate::storage::EpochKind;
use crate::zab::Packet;

const C: LinkId = LinkId(7);
const SESSION: SessionId = SessionId(5);

fn ask(bench: &mut Bench, session: i64, at: SessionAt) -> Vec<Output> {
    bench.step(Input::UnknownSession { session: SessionId(session), at })
}

fn answer(bench: &mut Bench, link: LinkId) -> Vec<Output> {
    bench.packet(link, Packet::PingReply { zxid: Zxid::ZERO, touches: Vec::new() })
}

fn half_tick(bench: &mut Bench) -> Vec<Output> {
    bench.pass(bench.leader.tick / 2);
    bench.step(Input::Timer)
}

/// Sessions that clients of this server are told are over.
fn over(out: &[Output]) -> Vec<i64> {
    let over = |o: &Output| match o {
        Output::SessionOver { session } => Some(session.0),
        _ => None,
    };
    out.iter().filter_map(over).collect()
}

#[test]
fn a_session_is_over_when_a_quorum_has_answered_what_it_was_asked_behind_the_question() {
    let mut bench = Bench::established();
    half_tick(&mut bench);
    let out = ask(&mut bench, 5, SessionAt::Here);
    assert_eq!(sent(&out, A).len(), 1, "a PING: {out:?}");
    assert!(over(&out).is_empty(), "nobody has answered: {out:?}");
    assert!(over(&answer(&mut bench, A)).is_empty(), "that was asked before");
    assert_eq!(over(&answer(&mut bench, A)), [5]);
    assert!(over(&answer(&mut bench, A)).is_empty(), "it is told once");
}

#[test]
fn a_learner_that_asked_is_told_by_its_link() {
    let mut bench = Bench::established();
    bench.connect(B, 9, 1);
    bench.packet(B, ack_epoch(0, Some(0)));
    bench.packet(B, Packet::Ack { zxid: NEWLEADER });
    let out = ask(&mut bench, 5, SessionAt::Learner(B));
    assert_eq!((sent(&out, A).len(), sent(&out, B).len()), (1, 0), "voters are asked: {out:?}");
    let out = answer(&mut bench, A);
    let reply = |o: &Output| {
        matches!(o, Output::Send(B, Packet::RevalidateReply { session: SESSION, valid: false }))
    };
    assert!(out.iter().any(reply), "{out:?}");
    ask(&mut bench, 6, SessionAt::Learner(B));
    bench.step(Input::Lost(B));
    assert!(answer(&mut bench, A).is_empty(), "nobody is there to be told");
}

#[test]
fn questions_that_come_while_a_quorum_is_asked_are_of_the_next_round() {
    let mut bench = Bench::established();
    ask(&mut bench, 5, SessionAt::Here);
    for session in [6, 7, 7] {
        let out = ask(&mut bench, session, SessionAt::Here);
        assert!(out.is_empty(), "one PING is on its way: {out:?}");
    }
    let out = answer(&mut bench, A);
    assert_eq!(over(&out), [5]);
    assert_eq!(sent(&out, A).len(), 1, "the next round: {out:?}");
    assert_eq!(over(&answer(&mut bench, A)), [6, 7]);
}

#[test]
fn one_of_five_is_no_quorum_and_who_has_not_acked_uptodate_has_answered_nothing() {
    let mut bench = Bench::new();
    bench.leader.verifier = five_voters();
    for (link, sid) in [(A, 1), (C, 2)] {
        bench.connect(link, sid, 0);
    }
    bench.durable(EpochKind::Accepted, 1);
    for link in [A, C] {
        bench.packet(link, ack_epoch(0, Some(0)));
    }
    bench.durable(EpochKind::Current, 1);
    for link in [A, C, A] {
        bench.packet(link, Packet::Ack { zxid: NEWLEADER });
    }
    ask(&mut bench, 5, SessionAt::Here);
    assert!(over(&answer(&mut bench, A)).is_empty(), "server 1 and this one are two of five");
    let out = answer(&mut bench, C);
    assert!(over(&out).is_empty(), "it was asked before UPTODATE: {out:?}");
    bench.packet(C, Packet::Ack { zxid: NEWLEADER });
    assert_eq!(over(&answer(&mut bench, C)), [5]);
}

#[test]
fn a_server_alone_is_its_own_quorum() {
    let config = ServerConfig::defaults(ServerId(0));
    let mut db = Database::empty(500);
    let mut leader = Leader::standalone(&config, &db);
    let mut out = Vec::new();
    let input = Input::UnknownSession { session: SESSION, at: SessionAt::Here };
    leader.step(Bench::new().now, input, &mut db, &mut out);
    assert_eq!(over(&out), [5]);
}
