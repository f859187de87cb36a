//! The gate alone: what it answers, and that every count comes back to nothing.

use super::*;
use crate::config::{ClientLimits, ServerSpec};

const A: ConnId = ConnId(1);
const B: ConnId = ConnId(2);
const IDLE: Standing = Standing { awaits_session: false, awaits_answer: false };
const BUSY: Standing = Standing { awaits_session: false, awaits_answer: true };
const OPENING: Standing = Standing { awaits_session: true, awaits_answer: false };

fn gate(change: impl FnOnce(&mut ClientLimits)) -> Gate {
    let mut config = ServerConfig::defaults(crate::base::ServerId(1));
    change(&mut config.limits);
    Gate::new(&config, 0)
}

fn frame(bytes: usize) -> Bytes {
    vec![0; bytes].into()
}

#[test]
fn a_frame_waits_behind_those_that_are_held() {
    let mut gate = gate(|_| {});
    let mut flow = Flow::default();
    assert_eq!(gate.judge_frame(&frame(1), &flow, IDLE), Verdict::Admit);
    assert_eq!(gate.judge_frame(&frame(1), &flow, OPENING), Verdict::Hold);
    assert!(!gate.hold(A, frame(1), &mut flow));
    assert_eq!(gate.judge_frame(&frame(1), &flow, IDLE), Verdict::Hold, "LI-1");
    assert_eq!(gate.next_to_recheck(), Some((A, false)));
    assert_eq!(gate.release(A, false, &mut flow, OPENING), None);
    assert_eq!(gate.release(A, false, &mut flow, IDLE), Some((frame(1), false)));
    assert_eq!(gate.judge_frame(&frame(1), &flow, IDLE), Verdict::Admit);
    assert_eq!(gate.next_to_recheck(), None);
}

#[test]
fn a_connection_is_paused_while_it_has_held_frames_and_no_longer() {
    let mut gate = gate(|_| {});
    let mut flow = Flow::default();
    let pauses = [CLIENT_HELD_BYTES_MAX, 1, 1].map(|n| gate.hold(A, frame(n), &mut flow));
    assert_eq!(pauses, [false, true, false], "once");
    let mut resumes = || gate.release(A, false, &mut flow, IDLE).map(|(_, resumes)| resumes);
    assert_eq!([resumes(), resumes(), resumes()], [Some(false), Some(false), Some(true)], "LI-2");
}

#[test]
fn who_waited_goes_before_who_comes() {
    let mut gate = gate(|limits| limits.outstanding_max = 0);
    let (mut a, mut b) = (Flow::default(), Flow::default());
    let admission = gate.admit(1, &mut b).expect("no limit refuses it");
    for (conn, flow) in [(A, &mut a), (B, &mut b)] {
        assert_eq!(gate.judge_frame(&frame(1), flow, BUSY), Verdict::Hold);
        assert_eq!(gate.judge_frame(&frame(1), flow, IDLE), Verdict::Admit, "it has none yet");
        assert!(!gate.hold(conn, frame(1), flow));
    }
    assert_eq!(gate.next_to_recheck(), Some((A, false)));
    assert_eq!(gate.release(A, false, &mut a, BUSY), None);
    gate.give_back(B, admission, &mut b);
    assert_eq!([gate.next_to_recheck(), gate.next_to_recheck()], [Some((B, false)); 2]);
    assert_eq!(gate.release(B, false, &mut b, BUSY), None, "A waited first");
    assert_eq!(gate.next_to_recheck(), Some((A, true)));
    assert!(gate.release(A, true, &mut a, BUSY).is_some());
    assert_eq!(gate.next_to_recheck(), Some((B, true)));
    assert!(gate.release(B, true, &mut b, BUSY).is_some());
    assert_eq!((gate.in_process(), gate.held_and_queued()), ((0, 0), (0, 0)));
}

#[test]
fn large_requests_are_refused_by_their_sum_and_small_ones_never() {
    let mut gate = gate(|limits| {
        limits.large_request_threshold = Some(10);
        limits.large_requests_bytes_max = 30;
    });
    let mut flow = Flow::default();
    let first = gate.admit(20, &mut flow).expect("it fits");
    assert_eq!(gate.admit(11, &mut flow), None);
    assert_eq!(gate.judge_frame(&frame(11), &Flow::default(), IDLE), Verdict::Refuse);
    let small = gate.admit(10, &mut flow).expect("it is not large");
    assert_eq!(gate.in_process(), (2, 20));
    gate.give_back(A, first, &mut flow);
    gate.give_back(A, small, &mut flow);
    assert_eq!(gate.in_process(), (0, 0));
}

#[test]
fn a_connection_that_goes_makes_room_for_another() {
    let mut gate = gate(|limits| limits.connections_max = 1);
    let (mut a, mut b) = (Flow::default(), Flow::default());
    assert_eq!(gate.accept(Mono(0), A, "h", &mut a), Ok(()));
    assert_eq!(gate.accept(Mono(0), B, "h", &mut b), Err("maxCnxns"));
    assert!(!gate.hold(A, frame(1), &mut a));
    gate.forget(A, "h", &a);
    assert_eq!(gate.held_and_queued(), (0, 0));
    assert_eq!((gate.next_deadline(), gate.per_address.len()), (Mono::FAR, 0));
    assert_eq!(gate.accept(Mono(0), B, "h", &mut b), Ok(()));
}

#[test]
fn the_outstanding_limit_is_shared_among_voters() {
    let share = |voters: i64, observer: bool| {
        let mut config = ServerConfig::defaults(crate::base::ServerId(1));
        for id in 1..=voters + i64::from(observer) {
            let spec = ServerSpec::test(id);
            let spec = if observer && id == 1 { spec.observing() } else { spec };
            config.servers.insert(crate::base::ServerId(id), spec);
        }
        outstanding_max(&config)
    };
    let voters = [0, 2, 3, 5].map(|voters| share(voters, false));
    assert_eq!(voters, [1000, 1000, 500, 250]);
    assert_eq!(share(3, true), 1000, "an observer has all of it");
}
