//! What a leader makes of requests whose sessions it does not track.

use super::testing::{LINK, World, create, creation, multi};
use crate::base::{Mono, ServerId, SessionId};
use crate::jute::Jute;
use crate::jute::client::create_flags::EPHEMERAL;
use crate::jute::client::{code, op};
use crate::jute::txn::{ErrorTxn, Txn, kind};
use crate::prepare::Request;
use crate::session::LOCAL_OWNER;

/// Local at server 2.
const ELSEWHERE: SessionId = SessionId(0x0200_0000_0000_0007);
/// Local at the leader, server 1.
const HERE: SessionId = SessionId(0x0100_0000_0000_0007);

fn world() -> World {
    let mut world = World::new();
    world.sessions = world.sessions.allow_local_sessions(ServerId(1));
    world
}

fn ask(world: &mut World, session: SessionId, origin: u64, flags: i32) -> Result<(), i32> {
    let body = creation(&format!("/{origin}-{flags}"), flags).to_jute().into();
    let request = Request { session, cxid: 5, op: op::CREATE, body, origin, ..Request::default() };
    match world.send(&request).txn {
        Txn::Error(ErrorTxn { err }) => Err(err),
        _ => Ok(()),
    }
}

#[test]
fn a_local_session_creates_everything_but_ephemerals() {
    let mut world = world();
    for (session, origin, err) in [
        (ELSEWHERE, LINK, code::SESSION_EXPIRED),
        (HERE, LOCAL_OWNER, code::EPHEMERAL_ON_LOCAL_SESSION),
    ] {
        assert_eq!(ask(&mut world, session, origin, 0), Ok(()), "{session}");
        assert_eq!(ask(&mut world, session, origin, EPHEMERAL), Err(err), "{session}");
    }
    let gone = ask(&mut world, HERE, LINK, 0);
    assert_eq!(gone, Err(code::SESSION_EXPIRED), "it was local here and went elsewhere");
    world.sessions.add(ELSEWHERE, 4000, Mono(0));
    assert_eq!(ask(&mut world, ELSEWHERE, LINK, EPHEMERAL), Ok(()), "it was made global");
}

#[test]
fn a_multi_of_a_local_session_fails_where_it_wants_an_ephemeral() {
    let mut world = world();
    let body = multi(&[create("/a", 0), create("/a/e", EPHEMERAL), create("/b", 0)]);
    let request = Request {
        session: ELSEWHERE,
        cxid: 5,
        op: op::MULTI,
        body,
        origin: LINK,
        ..Request::default()
    };
    let Txn::Multi(parts) = world.send(&request).txn else { panic!("a multi stays one") };
    let errors = parts.iter().map(|(kind, txn)| match txn {
        Txn::Error(ErrorTxn { err }) => (*kind, *err),
        _ => (*kind, code::OK),
    });
    let expected = [
        (op::CREATE, code::OK),
        (kind::ERROR, code::SESSION_EXPIRED),
        (kind::ERROR, code::RUNTIME_INCONSISTENCY),
    ];
    assert_eq!(errors.collect::<Vec<_>>(), expected);
}
