//! Several connections that say they are one server's, and servers that may not follow.

use super::core::{Input, Output};
use super::core_test::{A, B, Bench, NEWLEADER, ack_epoch, committed, five_voters, sent};
use crate::base::{Dismissed, Epoch, LinkId, PeerMisbehaved, ServerId, SessionId, Zxid};
use crate::jute::client::op;
use crate::jute::quorum::{LearnerInfo, PROTOCOL_VERSION, Touch};
use crate::storage::EpochKind;
use crate::zab::Packet;

const C: LinkId = LinkId(7);
const FIRST: Zxid = Zxid::new(Epoch(1), 1);

fn closed(out: &[Output]) -> Vec<(LinkId, Dismissed)> {
    let close = |o: &Output| match o {
        Output::Close(link, why) => Some((*link, why.clone())),
        _ => None,
    };
    out.iter().filter_map(close).collect()
}

/// Another connection says that it is server 1, which follows over A, and acks the epoch.
fn claimed() -> Bench {
    let mut bench = Bench::established();
    let mut out = bench.connect(B, 1, 1);
    out.extend(bench.packet(B, ack_epoch(0, Some(0))));
    assert!(closed(&out).is_empty(), "{out:?}");
    assert_eq!(sent(&out, A).len(), 1, "a PING, for a sign of life: {out:?}");
    assert_eq!(sent(&out, B).len(), 1, "LEADERINFO, and nothing behind it: {out:?}");
    bench
}

/// Half a tick passes; over these links the PING of it is answered.
fn half_tick(bench: &mut Bench, answers: &[LinkId]) -> Vec<Output> {
    bench.pass(bench.leader.tick / 2);
    for link in answers {
        bench.packet(*link, Packet::PingReply { zxid: Zxid::ZERO, touches: Vec::new() });
    }
    bench.step(Input::Timer)
}

#[test]
fn who_says_that_it_is_a_follower_does_not_end_the_link_of_that() {
    let mut bench = claimed();
    bench.propose(FIRST);
    bench.step(Input::Durable(FIRST));
    assert_eq!(committed(&bench.packet(A, Packet::Ack { zxid: FIRST })), [FIRST]);
}

#[test]
fn acks_of_a_connection_that_does_not_speak_are_nobodys() {
    let mut bench = claimed();
    bench.propose(FIRST);
    bench.step(Input::Durable(FIRST));
    let out = bench.packet(B, Packet::Ack { zxid: NEWLEADER });
    assert!(matches!(closed(&out)[..], [(B, Dismissed::Misbehaved { .. })]), "{out:?}");
    let out = bench.packet(B, Packet::Ack { zxid: FIRST });
    assert!(committed(&out).is_empty(), "{out:?}");
}

/// Server 1 follows over A, and answers; B is its shadow.
fn shadowed() -> Bench {
    let mut bench = claimed();
    let out = bench.packet(A, Packet::PingReply { zxid: Zxid::ZERO, touches: Vec::new() });
    assert!(sent(&out, B)[0].starts_with("DIFF"), "{out:?}");
    let out = bench.packet(B, Packet::Ack { zxid: NEWLEADER });
    assert_eq!(sent(&out, B), ["UPTODATE"]);
    bench
}

fn is_followed(bench: &Bench) -> bool {
    bench.leader.alive(bench.now).has_quorum(&bench.leader.verifier)
}

#[test]
fn a_speaker_that_answers_stays_however_long_another_is_there() {
    let mut bench = shadowed();
    for _ in 0..20 {
        let out = half_tick(&mut bench, &[A, B]);
        assert!(closed(&out).is_empty(), "{out:?}");
    }
}

#[test]
fn an_answer_to_what_was_asked_before_is_no_sign_of_life() {
    let mut bench = Bench::established();
    half_tick(&mut bench, &[]);
    bench.connect(B, 1, 1);
    bench.packet(B, ack_epoch(0, Some(0)));
    let reply = || Packet::PingReply { zxid: Zxid::ZERO, touches: Vec::new() };
    assert!(sent(&bench.packet(A, reply()), B).is_empty(), "it was asked before");
    assert!(!sent(&bench.packet(A, reply()), B).is_empty(), "it lives");
}

#[test]
fn a_shadow_has_every_transaction_and_is_not_counted() {
    let mut bench = shadowed();
    let out = bench.propose(FIRST);
    assert!(sent(&out, B)[0].starts_with("PROPOSAL"), "{out:?}");
    bench.step(Input::Durable(FIRST));
    assert!(committed(&bench.packet(B, Packet::Ack { zxid: FIRST })).is_empty());
    let out = bench.packet(A, Packet::Ack { zxid: FIRST });
    assert_eq!(committed(&out), [FIRST]);
    assert!(sent(&out, B)[0].starts_with("COMMIT"), "{out:?}");
    bench.step(Input::Lost(B));
    assert!(is_followed(&bench), "by A");
}

#[test]
fn a_shadow_keeps_no_leader() {
    let mut bench = shadowed();
    bench.now.mono = bench.leader.handlers[&A].deadline;
    bench.packet(B, Packet::PingReply { zxid: Zxid::ZERO, touches: Vec::new() });
    assert!(!is_followed(&bench), "server 1 is not heard, whoever B is");
}

#[test]
fn a_shadow_speaks_when_the_speaker_is_gone_with_its_own_acks_alone() {
    let second = Zxid::new(Epoch(1), 2);
    let mut bench = shadowed();
    bench.propose(FIRST);
    bench.propose(second);
    bench.packet(B, Packet::Ack { zxid: FIRST });
    for zxid in [FIRST, second] {
        bench.packet(A, Packet::Ack { zxid });
    }
    bench.step(Input::Lost(A));
    bench.step(Input::Durable(FIRST));
    assert_eq!(bench.db.committed(), FIRST);
    assert!(committed(&bench.step(Input::Durable(second))).is_empty(), "A's next process cuts it");
    assert_eq!(committed(&bench.packet(B, Packet::Ack { zxid: second })), [second]);
}

#[test]
fn a_speaker_that_is_silent_for_a_tick_makes_way_for_who_waits() {
    let mut bench = claimed();
    bench.propose(FIRST);
    bench.step(Input::Durable(FIRST));
    assert!(closed(&half_tick(&mut bench, &[])).is_empty(), "it has a tick");
    assert_eq!(bench.leader.next_deadline(), bench.now.mono + bench.leader.tick / 2);
    let out = half_tick(&mut bench, &[]);
    assert!(matches!(closed(&out)[..], [(A, Dismissed::ConnectedAgain { .. })]), "{out:?}");
    assert!(sent(&out, B)[0].starts_with("DIFF"), "{out:?}");
    bench.packet(B, Packet::Ack { zxid: NEWLEADER });
    assert_eq!(committed(&bench.packet(B, Packet::Ack { zxid: FIRST })), [FIRST]);
}

#[test]
fn a_speaker_that_nobody_waits_for_may_be_silent_for_longer() {
    let mut bench = Bench::established();
    for _ in 0..3 {
        let out = half_tick(&mut bench, &[]);
        assert!(closed(&out).is_empty(), "it has syncLimit: {out:?}");
    }
}

#[test]
fn who_waits_is_synchronised_when_the_speaker_is_lost() {
    let mut bench = claimed();
    let out = bench.step(Input::Lost(A));
    assert!(sent(&out, B)[0].starts_with("DIFF"), "{out:?}");
}

/// Of a server that restarts while nobody is told: the one that acks first speaks.
#[test]
fn before_a_leader_is_established_the_first_that_acks_newleader_speaks() {
    for (first, second) in [(A, B), (B, A)] {
        let mut bench = Bench::new();
        bench.leader.verifier = five_voters();
        for (link, sid) in [(A, 1), (B, 1), (C, 2)] {
            bench.connect(link, sid, 0);
        }
        bench.durable(EpochKind::Accepted, 1);
        for link in [A, B, C] {
            bench.packet(link, ack_epoch(0, Some(0)));
        }
        bench.durable(EpochKind::Current, 1);
        bench.packet(first, Packet::Ack { zxid: NEWLEADER });
        let out = bench.packet(second, Packet::Ack { zxid: NEWLEADER });
        assert_eq!(closed(&out), [(second, Dismissed::SpokenFor { server: ServerId(1) })]);
        assert!(!bench.leader.is_established(), "two of five, however many connections");
        bench.packet(C, Packet::Ack { zxid: NEWLEADER });
        assert!(bench.leader.is_established());
    }
}

/// Server 2 acked over A's successor what its next process cuts.
#[test]
fn an_ack_of_newleader_from_before_the_next_synchronisation_does_not_count() {
    let mut bench = Bench::established();
    bench.propose(FIRST);
    bench.connect(B, 2, 1);
    bench.packet(B, ack_epoch(0, Some(0)));
    bench.connect(C, 2, 1);
    let out = bench.packet(C, ack_epoch(FIRST.0, Some(1)));
    assert!(sent(&out, C)[0].starts_with("TRUNC"), "{out:?}");
    bench.step(Input::Durable(FIRST));
    let mut out = bench.packet(B, Packet::Ack { zxid: NEWLEADER });
    assert!(matches!(closed(&out)[..], [(B, Dismissed::ConnectedAgain { .. })]), "{out:?}");
    out.extend(bench.packet(B, Packet::Ack { zxid: FIRST }));
    assert!(committed(&out).is_empty(), "{out:?}");
    bench.packet(C, Packet::Ack { zxid: NEWLEADER });
    assert_eq!(committed(&bench.packet(C, Packet::Ack { zxid: FIRST })), [FIRST]);
}

#[test]
fn nobody_follows_whom_the_configuration_lacks_nor_under_our_own_number() {
    let strange = |sid| {
        let did = PeerMisbehaved::StrangeServer;
        [(B, Dismissed::Misbehaved { server: ServerId(sid), did })]
    };
    for sid in [77, -1, i64::MAX, 3] {
        assert_eq!(closed(&Bench::established().connect(B, sid, 1)), strange(sid));
    }
    let mut bench = Bench::established();
    bench.step(Input::Accepted(B));
    let accepted_epoch = Epoch(0);
    let info = |sid| LearnerInfo {
        server_id: ServerId(sid),
        protocol_version: PROTOCOL_VERSION,
        config_version: 0,
    };
    let out = bench.packet(B, Packet::ObserverInfo { accepted_epoch, info: info(3) });
    assert_eq!(closed(&out), strange(3));
    for link in [B, C] {
        bench.step(Input::Accepted(link));
        bench.packet(link, Packet::ObserverInfo { accepted_epoch, info: info(-1) });
        bench.packet(link, ack_epoch(0, Some(0)));
        let out = bench.packet(link, Packet::Ack { zxid: NEWLEADER });
        assert_eq!(sent(&out, link), ["UPTODATE"], "any number of observers: {out:?}");
    }
}

#[test]
fn what_no_session_can_ask_for_is_not_passed_on() {
    let (session, nobody) = (SessionId(5), SessionId(0));
    let request = |session| Packet::Request {
        session,
        cxid: 1,
        op: op::CLOSE_SESSION,
        body: Vec::new().into(),
        auth: None,
    };
    let revalidate = |session, timeout_ms| Packet::RevalidateRequest { session, timeout_ms };
    for (good, bad) in [
        (request(session), request(nobody)),
        (revalidate(session, 4000), revalidate(nobody, 4000)),
        (revalidate(session, 1), revalidate(session, 0)),
    ] {
        let mut bench = Bench::established();
        let out = bench.packet(A, good);
        assert!(closed(&out).is_empty() && out.len() == 1, "{out:?}");
        let out = bench.packet(A, bad);
        assert!(matches!(out[..], [Output::Close(A, Dismissed::Misbehaved { .. })]), "{out:?}");
    }
    let touch = |session, timeout| Touch { session, timeout };
    let touches = vec![touch(nobody, 4000), touch(session, -1), touch(session, 4000)];
    let out = Bench::established().packet(A, Packet::PingReply { zxid: Zxid::ZERO, touches });
    assert!(matches!(out[..], [Output::Touch { session: SessionId(5), .. }]), "{out:?}");
}
