//! No transaction is longer than its members take (PR-4).

use super::testing::{OTHER, SESSION, World, check, creation, multi};
use super::{PrepareOptions, Request};
use crate::base::{Mono, SessionId};
use crate::jute::Jute;
use crate::jute::client::{CreateRequest, DeleteRequest, code, op};
use crate::jute::data::{Acl, Id, perms};
use crate::jute::txn::{CloseSessionTxn, Txn};

const MAX: usize = 1000;

fn short() -> World {
    World::with(PrepareOptions { txn_bytes_max: MAX, ..PrepareOptions::default() })
}

fn closing() -> Request {
    Request { session: SESSION, op: op::CLOSE_SESSION, ..Request::default() }
}

fn name(letter: &str, len: usize) -> String {
    format!("/{}", letter.repeat(len - 1))
}

#[test]
fn a_close_session_with_a_long_list_goes_without_it_and_without_a_digest() {
    let mut world = short();
    for letter in ["a", "b", "c"] {
        world.created(&name(letter, 400), 1);
    }
    world.catch_up();
    let close = world.send(&closing());
    assert_eq!(close.txn, Txn::CloseSession(None));
    assert_eq!(close.digest, None, "Apache would take it for the list");
    world.catch_up();
    assert_eq!(world.tree.ephemerals(SESSION).count(), 0, "each server deletes what it owns");
    world.ask(OTHER, op::CREATE, creation("/again", 0)).expect("another session goes on");
    world.catch_up(); // the digest predicted from there on is the tree's
}

#[test]
fn a_short_list_is_kept() {
    let mut world = short();
    world.created(&name("a", 400), 1);
    world.catch_up();
    let paths_to_delete = vec![name("a", 400)];
    let close = Txn::CloseSession(Some(CloseSessionTxn { paths_to_delete }));
    assert_eq!(world.send(&closing()).txn, close);
}

/// An entry `auth` stands for every identity of the connection.
#[test]
fn a_list_of_long_identities_is_refused_and_leaves_nothing_behind() {
    let mut world = short();
    let id = |n: u8| Id { scheme: "digest".into(), id: format!("{n}{}", "x".repeat(300)) };
    let identities: Vec<Id> = (0..4).map(id).collect();
    let auth = Id { scheme: "auth".into(), id: String::new() };
    let acl = Some(vec![Acl { perms: perms::ALL, id: auth }]);
    let request = CreateRequest { acl, ..creation("/a", 0) };
    let refused = world.ask_as(SESSION, op::CREATE, request.clone(), identities.clone());
    assert_eq!(refused, Err(code::BAD_ARGUMENTS));
    assert_eq!(world.prepare.outstanding(), 0);
    let few = identities[..2].to_vec();
    assert!(world.ask_as(SESSION, op::CREATE, request, few).is_ok(), "and /a is not there");
    world.catch_up();
}

/// Written out, the lists would have 160,000,000 entries.
#[test]
fn the_lists_of_a_multi_are_not_written_out_beyond_what_a_transaction_may_have() {
    let mut world = World::new();
    let auth = Id { scheme: "auth".into(), id: String::new() };
    let acl = Some(vec![Acl { perms: perms::ALL, id: auth }]);
    let creation = |n: usize| CreateRequest { acl: acl.clone(), ..creation(&format!("/{n}"), 0) };
    let ops: Vec<_> = (0..16_000).map(|n| (op::CREATE, creation(n).to_jute())).collect();
    let id = |n: usize| Id { scheme: "digest".into(), id: format!("{n}:x") };
    let identities: Vec<Id> = (0..10_000).map(id).collect();
    let refused = world.ask_bytes(SESSION, op::MULTI, multi(&ops), identities.clone());
    assert_eq!(refused, Err(code::BAD_ARGUMENTS));
    assert_eq!(world.prepare.outstanding(), 0, "PR-1");
    let one = world.ask_bytes(SESSION, op::MULTI, multi(&ops[..2]), identities);
    assert!(matches!(one, Ok(Txn::Multi(parts)) if parts.len() == 2));
    world.catch_up();
}

/// What is on the way used to be copied for each request that might be too long.
#[test]
fn requests_that_may_be_too_long_are_prepared_one_by_one() {
    let mut world = World::with(PrepareOptions { txn_bytes_max: 400, ..PrepareOptions::default() });
    for n in 0..30_000 {
        world.created(&format!("/{n}{}", "x".repeat(80)), 0);
    }
    let long = creation(&name("a", 400), 0);
    assert_eq!(world.ask(SESSION, op::CREATE, long), Err(code::BAD_ARGUMENTS));
    assert_eq!(world.prepare.outstanding(), 60_000, "two for each, and none for that");
    world.created("/after", 0);
    world.catch_up(); // every digest that was predicted is the tree's
}

/// Each check of a permission used to read the list from end to end: 8,000,000,000 comparisons.
#[test]
fn a_multi_asks_the_list_of_a_node_once() {
    let mut world = World::new();
    let entry = |n: usize| Acl {
        perms: perms::READ,
        id: Id { scheme: "digest".into(), id: format!("{n:05}:x") },
    };
    let acl = Some((0..80_000).map(entry).collect());
    let request = CreateRequest { acl, ..creation("/a", 0) };
    world.ask(SESSION, op::CREATE, request).expect("nothing is wrong with it");
    let ops: Vec<_> = (0..100_000).map(|_| check("/a", 0)).collect();
    let ask = |world: &mut World, n: usize| {
        let id = Id { scheme: "digest".into(), id: format!("{n:05}:x") };
        match world.ask_bytes(SESSION, op::MULTI, multi(&ops), vec![id]) {
            Ok(Txn::Multi(parts)) => parts.into_iter().next_back().expect("there are many").1,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(ask(&mut world, 79_999), Txn::CheckVersion(_)));
    assert!(matches!(ask(&mut world, 80_000), Txn::Error(_)));
    world.catch_up();
}

#[test]
fn whatever_is_asked_no_transaction_is_longer() {
    for len in MAX - 100..MAX + 20 {
        let mut world = short();
        let answer = world.create(&name("a", len), 0);
        let proposal = &world.pending[0];
        assert!(proposal.bytes().len() <= MAX, "{len}: {} bytes", proposal.bytes().len());
        assert!(matches!(answer, Ok(_) | Err(code::BAD_ARGUMENTS)), "{len}: {answer:?}");
        world.catch_up();
    }
    assert!(short().create(&name("a", MAX - 100), 0).is_ok());
}

#[test]
fn the_ends_of_sessions_on_the_way_list_what_each_owns() {
    let mut world = World::new();
    let sessions = (1..=300).map(|n| SessionId(n << 8));
    for session in sessions.clone() {
        world.sessions.add(session, 4000, Mono(0));
        for n in 0..3 {
            let node = creation(&format!("/{session}-{n}"), 1);
            world.ask(session, op::CREATE, node).expect("it is created");
        }
    }
    for session in sessions {
        let close = world.send(&Request { session, ..closing() });
        let owned = |n| format!("/{session}-{n}");
        let paths_to_delete = (0..3).map(owned).collect();
        let expected = Txn::CloseSession(Some(CloseSessionTxn { paths_to_delete }));
        assert_eq!(close.txn, expected);
    }
    world.catch_up();
    assert_eq!(world.tree.ephemerals_count(), 0);
}

#[test]
fn an_ephemeral_whose_delete_is_on_the_way_is_not_listed() {
    let mut world = World::new();
    for path in ["/deleted", "/made_again", "/of_another", "/stays"] {
        world.created(path, 1);
    }
    world.catch_up();
    for path in ["/deleted", "/made_again", "/of_another"] {
        let delete = DeleteRequest { path: path.into(), version: -1 };
        world.ask(SESSION, op::DELETE, delete).expect("it is deleted");
    }
    world.created("/made_again", 1);
    world.ask(OTHER, op::CREATE, creation("/of_another", 1)).expect("it is created");
    let paths_to_delete = vec!["/made_again".into(), "/stays".into()];
    let close = Txn::CloseSession(Some(CloseSessionTxn { paths_to_delete }));
    assert_eq!(world.send(&closing()).txn, close);
    world.catch_up();
    assert_eq!(world.tree.ephemerals(OTHER).collect::<Vec<_>>(), ["/of_another"]);
}
