//! A multi is all or nothing, and its parts see each other.

use bytes::Bytes;

use super::PrepareOptions;
use super::testing::decodable;
use super::testing::{LINK, OTHER, SESSION, World, check, create, creation, delete, multi, set};
use crate::jute::Jute;
use crate::jute::client::{
    CreateRequest, CreateSessionRequest, PathWatchRequest, SetAclRequest, code, op,
};
use crate::jute::data::{Acl, perms};
use crate::jute::txn::{CheckVersionTxn, ErrorTxn, SetDataTxn, Txn, kind};
use crate::tree::Outcome;

fn failed(err: i32) -> (i32, Txn) {
    (kind::ERROR, Txn::Error(ErrorTxn { err }))
}

fn kinds(parts: &[(i32, Txn)]) -> Vec<i32> {
    parts.iter().map(|(kind, _)| *kind).collect()
}

#[test]
fn the_parts_see_each_other() {
    let mut world =
        World::with(PrepareOptions { extended_types: true, ..PrepareOptions::default() });
    let parts = world.multi(&[
        create("/m", 0),
        check("/m", 0),
        set("/m", 0),
        create("/m/s-", 2),
        create("/m/s-", 3),
        create("/m/x", 0),
        delete("/m/x", 0),
        create("/m/x", 0),
        check("/m", 1),
    ]);
    let parts = parts.expect("nothing is wrong with it");
    assert_eq!(kinds(&parts), [1, 13, 5, 1, 1, 1, 2, 1, 13]);
    let check = CheckVersionTxn { path: "/m".into(), version: 1 };
    assert_eq!(parts[1].1, Txn::CheckVersion(check), "the version after it");
    assert!(matches!(&parts[2].1, Txn::SetData(SetDataTxn { version: 1, .. })));
    for (part, path) in [(3, "/m/s-0000000000"), (4, "/m/s-0000000001")] {
        assert!(matches!(&parts[part].1, Txn::Create(c) if c.path == path), "{part}");
    }
    world.catch_up();
    assert_eq!(world.tree.ephemerals(SESSION).collect::<Vec<_>>(), ["/m/s-0000000001"]);
}

#[test]
fn an_empty_multi_is_legal() {
    let mut world = World::new();
    world.created("/a", 0);
    assert_eq!(world.multi(&[]), Ok(vec![]));
    world.sessions.set_closing(SESSION);
    assert_eq!(world.multi(&[]), Ok(vec![]), "nothing asks for the session");
    world.catch_up();
}

#[test]
fn a_failing_multi_keeps_the_records_before_the_failure() {
    let mut world = World::new();
    world.created("/m", 0);
    let parts = world.multi(&[
        create("/m/a", 0),
        set("/m", 0),
        delete("/gone", -1),
        check("/m", 0),
        create("/m/b", 0),
    ]);
    let parts = parts.expect("a multi, not an error");
    assert!(matches!(&parts[0], (1, Txn::Create(c)) if c.path == "/m/a" && c.parent_cversion == 1));
    assert!(matches!(&parts[1], (5, Txn::SetData(_))));
    let unattempted = failed(code::RUNTIME_INCONSISTENCY);
    assert_eq!(parts[2..], [failed(code::NO_NODE), unattempted.clone(), unattempted]);

    let proposal = world.pending.last().expect("it was proposed").clone();
    assert_eq!(proposal.header.kind, kind::MULTI);
    world.catch_up();
    let digest = proposal.digest.expect("of the tree as it stays").tree_digest;
    assert_eq!(digest as u64, world.tree.digest());
    let outcome = world.tree.apply(&proposal.header, &proposal.txn).outcome;
    let codes: Vec<_> = outcome.multi.iter().map(|(kind, part)| (*kind, part.err)).collect();
    assert_eq!((outcome.err, codes), (0, vec![(-1, 0), (-1, 0), (-1, -101), (-1, -2), (-1, -2)]));
    assert!(world.tree.view("/m/a").is_none());
}

#[test]
fn a_failure_puts_back_what_was_on_the_way_before() {
    let mut world = World::new();
    world.created("/m", 0);
    world.created("/m/s-", 2);
    assert!(world.set_data("/m", 0).is_ok());
    let before = world.prepare.outstanding();
    let failing = [
        create("/m/s-", 2),
        create("/m/s-", 2),
        set("/m", 1),
        delete("/m/s-0000000000", -1),
        delete("/m/s-0000000001", -1),
        create("/top", 0),
        check("/m", 9),
    ];
    for _ in 0..2 {
        let parts = world.multi(&failing).expect("a multi");
        assert_eq!(parts.last(), Some(&failed(code::BAD_VERSION)));
        assert_eq!(world.prepare.outstanding(), before, "PR-1");
    }
    // The parent's counter, its version, and the names are as they were.
    assert_eq!(world.created("/m/s-", 2), "/m/s-0000000001");
    assert!(world.set_data("/m", 1).is_ok());
    assert!(world.delete("/m/s-0000000000", 0).is_ok());
    world.created("/top", 0);
    world.catch_up();
}

#[test]
fn a_failure_with_nothing_else_on_the_way_leaves_nothing() {
    let mut world = World::new();
    world.created("/m", 0);
    world.catch_up();
    let parts = world.multi(&[create("/m/a", 0), create("/m", 0)]).expect("a multi");
    assert_eq!(parts[1], failed(code::NODE_EXISTS));
    assert_eq!(world.prepare.outstanding(), 0);
    world.catch_up();
    assert!(world.set_data("/m", 0).is_ok());
    world.catch_up();
}

#[test]
fn a_later_multi_sees_an_earlier_one_on_the_way() {
    let mut world = World::new();
    world.multi(&[create("/m", 0), create("/m/a", 0)]).expect("a multi");
    let parts = world.multi(&[delete("/m/a", 0), delete("/m", 0)]).expect("a multi");
    assert_eq!(kinds(&parts), [2, 2]);
    world.multi(&[create("/m", 0)]).expect("a multi");
    world.catch_up();
}

#[test]
fn each_part_fails_with_the_error_it_has_alone() {
    let mut world = World::new();
    world.created("/a", 0);
    world.restrict("/a", perms::ALL & !perms::READ & !perms::CREATE);
    for (part, err) in [
        (check("a", -1), code::BAD_ARGUMENTS),
        (check("/gone", -1), code::NO_NODE),
        (check("/a", 9), code::NO_AUTH),
        (create("/a/x", 0), code::NO_AUTH),
        (create("x", 0), code::BAD_ARGUMENTS),
        (set("/", 9), code::BAD_VERSION),
        (delete("/zookeeper", -1), code::BAD_ARGUMENTS),
    ] {
        let op = part.0;
        assert_eq!(world.multi(&[part]), Ok(vec![failed(err)]), "{op}");
    }
    world.sessions.set_owner(SESSION, LINK + 1);
    assert_eq!(world.multi(&[set("/a", 0)]), Ok(vec![failed(code::SESSION_MOVED)]));
    world.sessions.set_closing(SESSION);
    let parts = world.multi(&[set("/a", 0), check("/a", 0)]);
    let expired = vec![failed(code::SESSION_EXPIRED), failed(code::RUNTIME_INCONSISTENCY)];
    assert_eq!(parts, Ok(expired));
}

#[test]
fn the_flags_decide_which_create_it_is() {
    let mut world =
        World::with(PrepareOptions { extended_types: true, ..PrepareOptions::default() });
    let ttl = |path: &str, flags, ttl| {
        (op::CREATE_TTL, super::testing::ttl_creation(path, flags, ttl).to_jute())
    };
    let by = |op, path: &str, flags| (op, creation(path, flags).to_jute());
    let parts = world.multi(&[
        by(op::CREATE, "/c1", 4),
        by(op::CREATE2, "/c2", 4),
        by(op::CREATE_CONTAINER, "/c3", 0),
        by(op::CREATE2, "/two", 0),
        ttl("/t", 5, 1000),
        ttl("/plain", 0, 1000),
        ttl("/c4", 4, -1),
    ]);
    let parts = parts.expect("nothing is wrong with it");
    assert_eq!(kinds(&parts), [19, 19, 19, 15, 21, 1, 19]);
    world.catch_up();
    assert_eq!(world.tree.containers().count(), 4);
    assert_eq!(world.tree.ttls().collect::<Vec<_>>(), ["/t"]);
    assert_eq!(world.multi(&[ttl("/u", 5, 0)]), Ok(vec![failed(code::BAD_ARGUMENTS)]));
    assert_eq!(world.multi(&[ttl("/u", 9, 1)]), Ok(vec![failed(code::BAD_ARGUMENTS)]));
    let mut gated = World::new();
    assert_eq!(gated.multi(&[ttl("/u", 5, 1)]), Ok(vec![failed(code::UNIMPLEMENTED)]));
}

#[test]
fn what_does_not_belong_in_a_multi_is_the_error_of_the_whole_and_takes_a_zxid() {
    let mut world = World::new();
    let read = PathWatchRequest { path: "/a".into(), watch: false }.to_jute();
    let acl = SetAclRequest { path: "/a".into(), acl: Some(Acl::open()), version: -1 };
    let bodies = [
        multi(&[create("/a", 0), (op::GET_DATA, read.clone())]),
        multi(&[(op::GET_CHILDREN, read)]),
        multi(&[create("/a", 0), (op::SET_ACL, acl.to_jute())]),
        multi(&[(op::MULTI, multi(&[]).to_vec())]),
        multi(&[(op::CLOSE_SESSION, vec![])]),
        multi(&[(op::CREATE_SESSION, CreateSessionRequest { timeout: 1 }.to_jute())]),
        multi(&[(9999, vec![])]),
        multi(&[create("/a", 5)]),
        multi(&[create("/a", 9)]),
        multi(&[create("/a", -1)]),
    ];
    let cut = multi(&[create("/a", 0)]);
    let cuts = (0..cut.len()).map(|length| cut.slice(..length));
    for body in bodies.into_iter().chain(cuts) {
        assert!(decodable(op::MULTI, &body), "it goes to the leader");
        let refused = world.ask_bytes(SESSION, op::MULTI, body.clone(), vec![]);
        assert_eq!(refused, Err(code::MARSHALLING_ERROR), "{body:?}");
    }
    assert_eq!(world.prepare.outstanding(), 0);
    world.catch_up();
    assert!(world.tree.view("/a").is_none());
}

#[test]
fn a_create_with_a_null_list_spoils_a_multi_before_it_takes_a_zxid() {
    let without_list = |op, flags| {
        let create = CreateRequest { acl: None, ..creation("/a", flags) };
        (op, create.to_jute())
    };
    let without_path = |(op, record): (i32, Vec<u8>)| (op, [&[0xff; 4], &record[6..]].concat());
    for (ops, goes) in [
        (vec![without_list(op::CREATE, 0)], false),
        (vec![without_list(op::CREATE2, 5)], false),
        (vec![delete("/a", -1), without_list(op::CREATE_CONTAINER, 4)], false),
        (vec![without_list(op::CREATE, 0), (op::GET_DATA, vec![])], false),
        (vec![without_path(delete("/a", -1)), without_list(op::CREATE, 0)], false),
        (vec![without_list(op::CREATE, 9)], true),
        (vec![create("/a", 5), without_list(op::CREATE, 0)], true),
        (vec![(op::GET_DATA, vec![]), without_list(op::CREATE, 0)], true),
    ] {
        assert_eq!(decodable(op::MULTI, &multi(&ops)), goes, "{ops:?}");
    }
}

#[test]
fn a_multi_of_many_empty_headers_is_no_trap() {
    let mut world = World::new();
    let body = Bytes::from(vec![0; 1 << 20]);
    assert_eq!(
        world.ask_bytes(SESSION, op::MULTI, body, vec![]),
        Err(code::MARSHALLING_ERROR),
        "type 0 does not belong in it"
    );
}

#[test]
fn ephemerals_of_a_multi_go_with_its_session() {
    let mut world = World::new();
    world.multi(&[create("/e1", 1), create("/e2", 1), delete("/e1", -1)]).expect("a multi");
    world.multi(&[create("/e3", 1), check("/gone", -1)]).expect("a multi that fails");
    assert_eq!(world.close(SESSION), ["/e2"]);
    assert_eq!(world.close(OTHER), Vec::<String>::new());
    world.catch_up();
}

#[test]
fn a_multi_answers_each_nodes_stat_as_it_was_in_its_turn() {
    let mut world = World::new();
    world.multi(&[create("/m", 0), set("/m", 0), create("/m/a", 0)]).expect("a multi");
    let proposal = world.pending.pop().expect("it was proposed");
    let Outcome { multi, .. } = world.tree.apply(&proposal.header, &proposal.txn).outcome;
    let stat = multi[1].1.stat.as_ref().expect("setData answers one");
    assert_eq!((stat.version, stat.num_children), (1, 0));
}
