//! Sessions and their connections, frame by frame.

use super::bench::{
    A, B, Bench, closed, config, created, failed, hello, is_closed, replies, submitted_ops,
    touched, welcome, written,
};
use crate::base::SessionId;
use crate::jute::client::{AuthPacket, ConnectRequest, SaslToken, code, op, xid};
use crate::server::{Input, Output};

fn revalidated(bench: &mut Bench, session: SessionId, valid: bool) -> Vec<Output> {
    bench.step(Input::Revalidated { session, valid })
}

#[test]
fn a_client_that_does_not_know_of_read_only_service_gets_a_byte_less() {
    let mut bench = Bench::serving(&config());
    for (read_only, length) in [(Some(true), 41), (Some(false), 41), (None, 40)] {
        let session = bench.open_global(A);
        let out = bench.greet(B, &ConnectRequest { read_only, ..hello(session) });
        assert!(is_closed(&out, A));
        let out = revalidated(&mut bench, session, true);
        assert_eq!(written(&out, B)[0].len(), length, "with its length: {read_only:?}");
        let refused =
            bench.greet(A, &ConnectRequest { read_only, password: None, ..hello(session) });
        assert_eq!(written(&refused, A)[0].len(), length, "refused: {read_only:?}");
    }
}

#[test]
fn a_wrong_password_still_ends_the_connection_that_holds_the_session() {
    let mut bench = Bench::serving(&config());
    let session = bench.open_global(A);
    let out = bench.greet(B, &ConnectRequest { password: None, ..hello(session) });
    assert!(is_closed(&out, A), "before the password is looked at");
    let answer = welcome(&out, B).expect("an answer");
    assert_eq!((answer.session, answer.timeout_ms), (SessionId(0), 0));
    assert_eq!(answer.password.as_deref(), Some(&[0; 16][..]));
    assert!(is_closed(&out, B));
    assert!(!out.iter().any(|output| matches!(output, Output::Revalidate { .. })));
    assert!(bench.service.by_session.is_empty());
}

#[test]
fn a_resumed_session_is_held_to_its_new_timeout() {
    let mut bench = Bench::serving(&config());
    let session = bench.open_global(A);
    let out = bench.greet(B, &ConnectRequest { timeout_ms: 3000, ..hello(session) });
    let asked = |output: &Output| match output {
        Output::Revalidate { session, timeout_ms } => Some((*session, *timeout_ms)),
        _ => None,
    };
    assert_eq!(out.iter().filter_map(asked).collect::<Vec<_>>(), [(session, 3000)]);
    let out = revalidated(&mut bench, session, true);
    assert_eq!(welcome(&out, B).map(|answer| answer.timeout_ms), Some(3000));
    assert_eq!(touched(&out), [(session, 3000)]);
    assert_eq!(touched(&bench.ask_bare(B, op::PING)), [(session, 3000)]);
}

#[test]
fn a_client_that_only_tries_to_prove_who_it_is_is_not_heard() {
    let mut bench = Bench::serving(&config());
    let session = bench.open_global(A);
    let (scheme, auth) = ("digest".into(), Some("bob:pw".into()));
    let out = bench.ask(A, op::AUTH, &AuthPacket { kind: 0, scheme, auth });
    assert_eq!((replies(&out, A).len(), touched(&out)), (1, Vec::new()));
    assert_eq!(touched(&bench.ask_bare(A, op::PING)).len(), 1, "{session} is by anything else");
    let token = Some("a token".into());
    assert_eq!(touched(&bench.ask(A, op::SASL, &SaslToken { token })), []);
}

#[test]
fn what_comes_before_the_session_is_open_is_answered_behind_the_welcome() {
    let mut bench = Bench::serving(&config());
    let out = bench.greet(A, &hello(SessionId(0)));
    assert_eq!(submitted_ops(&out), [op::CREATE_SESSION]);
    assert!(bench.ask_bare(A, op::PING).is_empty());
    let session = *bench.service.by_session.keys().next().expect("one is on its way");
    let open = crate::jute::txn::CreateSessionTxn { timeout: 10_000 };
    let out = bench.apply(session, 0, crate::jute::txn::Txn::CreateSession(open));
    assert_eq!(welcome(&out, A).map(|answer| answer.session), Some(session));
    assert_eq!(written(&out, A).len(), 2);
    assert_eq!(written(&out, A)[1].slice(4..8).as_ref(), xid::PING.to_be_bytes());
}

#[test]
fn a_client_that_leaves_while_its_session_is_made_leaves_nothing_here() {
    let mut bench = Bench::serving(&config());
    bench.greet(A, &hello(SessionId(0)));
    let session = *bench.service.by_session.keys().next().expect("one is on its way");
    bench.step(Input::Lost { conn: A });
    assert!(bench.service.by_session.is_empty());
    let open = crate::jute::txn::CreateSessionTxn { timeout: 10_000 };
    let out = bench.apply(session, 0, crate::jute::txn::Txn::CreateSession(open));
    assert!(out.is_empty(), "{out:?}");
    assert!(bench.db.sessions().contains(session), "it lives until it expires");
}

#[test]
fn a_session_on_its_way_when_the_role_ends_is_nobodys() {
    let mut bench = Bench::serving(&config());
    bench.greet(A, &hello(SessionId(0)));
    let session = *bench.service.by_session.keys().next().expect("one is on its way");
    let out = bench.step(Input::Stop);
    assert!(matches!(&out[..], [Output::Close(A)]), "{out:?}");
    assert!(bench.service.by_session.is_empty());
    bench.step(Input::Serve);
    let open = crate::jute::txn::CreateSessionTxn { timeout: 10_000 };
    let out = bench.apply(session, 0, crate::jute::txn::Txn::CreateSession(open));
    assert!(out.is_empty(), "{out:?}");
}

#[test]
fn a_leader_that_takes_no_clients_tells_them_to_look_elsewhere() {
    let mut bench = Bench::serving(&config());
    bench.step(Input::Stop);
    bench.step(Input::ServeLearners);
    assert!(bench.service.is_serving() && bench.service.turns_away());
    let out = bench.greet(A, &hello(SessionId(0)));
    assert!(matches!(&out[..], [Output::Close(A)]), "{out:?}");
    bench.step(Input::Stop);
    bench.step(Input::Serve);
    bench.open_global(A);
}

#[test]
fn a_second_close_of_a_session_finds_nothing_to_do() {
    let mut bench = Bench::serving(&config());
    let session = bench.open_global(A);
    for _ in 0..2 {
        assert_eq!(submitted_ops(&bench.ask_bare(A, op::CLOSE_SESSION)), [op::CLOSE_SESSION]);
    }
    let out = bench.apply(session, 1, closed());
    assert_eq!(replies(&out, A), [(1, 0)]);
    assert!(is_closed(&out, A));
    assert!(bench.apply(session, 2, closed()).is_empty());
    assert!(bench.ask_bare(A, op::PING).is_empty(), "the connection is gone");
}

#[test]
fn nothing_is_answered_behind_a_close() {
    let mut bench = Bench::serving(&config());
    let session = bench.open_global(A);
    bench.ask_bare(A, op::CLOSE_SESSION);
    assert!(replies(&bench.get(A, "/"), A).is_empty());
    assert_eq!(
        submitted_ops(&bench.create(A, "/late", 0)),
        [op::CREATE],
        "for the leader to refuse"
    );
    let out = bench.apply(session, 1, closed());
    assert_eq!(replies(&out, A), [(1, 0)]);
    assert!(is_closed(&out, A));
    assert!(bench.apply(session, 3, failed(code::SESSION_EXPIRED)).is_empty());
}

#[test]
fn the_leaders_word_counts_once_and_only_for_the_connection_that_asked() {
    let mut bench = Bench::serving(&config());
    let session = bench.open_global(A);
    bench.greet(B, &hello(session));
    bench.greet(A, &hello(session));
    let out = revalidated(&mut bench, session, true);
    assert_eq!(welcome(&out, A).map(|answer| answer.session), Some(session));
    assert!(revalidated(&mut bench, session, true).is_empty(), "the answer to the first");
    bench.step(Input::Lost { conn: A });
    assert!(revalidated(&mut bench, session, false).is_empty());
}

#[test]
fn a_connection_whose_session_has_moved_ends_with_its_next_request() {
    let mut bench = Bench::serving(&config());
    let session = bench.open_global(A);
    bench.create(A, "/a", 0);
    bench.step(Input::SessionMoved { session });
    let out = bench.get(A, "/");
    assert!(!is_closed(&out, A), "what was asked before is answered before");
    let out = bench.apply(session, 1, created("/a", 0));
    assert_eq!(replies(&out, A), [(1, 0)], "the read gets no reply");
    assert!(is_closed(&out, A));
}

#[test]
fn even_a_ping_or_a_sync_finds_out_that_a_session_has_moved() {
    for op in [op::PING, op::SYNC] {
        let mut bench = Bench::serving(&config());
        let session = bench.open_global(A);
        bench.step(Input::SessionMoved { session });
        let out = bench.ask_bare(A, op);
        assert!(replies(&out, A).is_empty() && is_closed(&out, A), "op {op}: {out:?}");
    }
}

#[test]
fn a_moved_session_may_be_closed_and_its_writes_are_for_the_leader_to_judge() {
    let mut bench = Bench::serving(&config());
    let session = bench.open_global(A);
    bench.step(Input::SessionMoved { session });
    assert_eq!(submitted_ops(&bench.create(A, "/a", 0)), [op::CREATE]);
    assert_eq!(submitted_ops(&bench.ask_bare(A, op::CLOSE_SESSION)), [op::CLOSE_SESSION]);
    let out = bench.apply(session, 1, failed(code::SESSION_MOVED));
    assert!(replies(&out, A).is_empty() && is_closed(&out, A), "{out:?}");
}

#[test]
fn a_session_that_comes_back_is_not_taken_for_one_that_has_moved() {
    let mut bench = Bench::serving(&config());
    let session = bench.open_global(A);
    bench.step(Input::SessionMoved { session });
    bench.greet(B, &hello(session));
    revalidated(&mut bench, session, true);
    assert_eq!(replies(&bench.get(B, "/"), B), [(bench.last_cxid(), 0)]);
}
