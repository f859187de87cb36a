//! Containers, TTL nodes, setACL, reconfig; and bytes that are no record.

use bytes::Bytes;

use super::PrepareOptions;
use super::request::supports;
use super::testing::decodable;
use super::testing::{OTHER, SESSION, World, creation, ttl_creation};
use crate::base::{ServerId, SessionId};
use crate::config::ServerConfig;
use crate::jute::Jute;
use crate::jute::client::{
    CreateRequest, CreateSessionRequest, DeleteContainerRequest, DeleteRequest, ReconfigRequest,
    SetAclRequest, SetDataRequest, code, op,
};
use crate::jute::data::{Acl, Id, perms};
use crate::jute::txn::{
    CreateContainerTxn, CreateTtlTxn, CreateTxn, DeleteTxn, SetAclTxn, Txn, kind,
};
use crate::tree::AclRules;

fn extended() -> PrepareOptions {
    PrepareOptions { extended_types: true, ..PrepareOptions::default() }
}
const TTL_MAX: i64 = 1_099_511_627_775;

fn only(perms: i32) -> Vec<Acl> {
    vec![Acl { perms, ..Acl::open().remove(0) }]
}

#[test]
fn create_container_makes_a_container_whatever_its_flags() {
    let mut world = World::new();
    for (flags, path, want) in [(4, "/c", "/c"), (0, "/d", "/d"), (1, "/e", "/e")] {
        let txn = world.ask(SESSION, op::CREATE_CONTAINER, creation(path, flags));
        let Ok(Txn::CreateContainer(CreateContainerTxn { path, .. })) = txn else {
            panic!("not a container: {txn:?}")
        };
        assert_eq!(path, want);
    }
    let txn = world.ask(SESSION, op::CREATE_CONTAINER, creation("/s", 2));
    assert!(matches!(&txn, Ok(Txn::CreateContainer(c)) if c.path == "/s0000000003"), "{txn:?}");
    world.created("/e/child", 1);
    world.catch_up();
    assert_eq!(world.tree.containers().count(), 4);
    assert_eq!(world.tree.ephemerals(SESSION).collect::<Vec<_>>(), ["/e/child"]);
    for (flags, err) in [(5, code::UNIMPLEMENTED), (7, code::BAD_ARGUMENTS)] {
        let refused = world.ask(SESSION, op::CREATE_CONTAINER, creation("/x", flags));
        assert_eq!(refused, Err(err), "{flags}");
    }
}

#[test]
fn create_ttl_needs_extended_types() {
    let mut world = World::new();
    for flags in [5, 6] {
        assert_eq!(world.create_ttl("/t", flags, 1000), Err(code::UNIMPLEMENTED));
        assert_eq!(world.create_ttl("/t", flags, -1), Err(code::UNIMPLEMENTED), "before the TTL");
        assert_eq!(world.create("/t", flags), Err(code::UNIMPLEMENTED), "by create too");
    }
    assert_eq!(world.create_ttl("/t", 7, 1000), Err(code::BAD_ARGUMENTS), "flags come first");
    world.sessions.set_closing(SESSION);
    assert_eq!(world.create_ttl("/t", 5, 1000), Err(code::UNIMPLEMENTED), "before the session");
}

#[test]
fn create_ttl_makes_a_node_that_knows_its_time() {
    let mut world = World::with(extended());
    let want = |path: &str, parent_cversion, ttl| {
        let CreateRequest { data, acl, .. } = creation(path, 0);
        Ok(Txn::CreateTtl(CreateTtlTxn { path: path.into(), data, acl, parent_cversion, ttl }))
    };
    assert_eq!(world.create_ttl("/t", 5, 1), want("/t", 1, 1));
    assert_eq!(world.create_ttl("/s-", 6, TTL_MAX), want("/s-0000000001", 2, TTL_MAX));
    world.created("/t/child", 1);
    world.catch_up();
    assert_eq!(world.tree.ttls().collect::<Vec<_>>(), ["/s-0000000001", "/t"]);
}

#[test]
fn a_ttl_out_of_range_or_without_its_mode_is_a_bad_argument() {
    let mut world = World::with(extended());
    for (flags, ttl) in [(5, 0), (5, -1), (6, TTL_MAX + 1), (0, 1000), (1, -1), (4, 0), (0, -1)] {
        assert_eq!(world.create_ttl("/t", flags, ttl), Err(code::BAD_ARGUMENTS), "{flags} {ttl}");
    }
    for flags in [5, 6] {
        assert_eq!(world.create("/t", flags), Err(code::BAD_ARGUMENTS), "no TTL by create");
    }
    world.sessions.set_closing(SESSION);
    assert_eq!(world.create_ttl("/t", 5, 0), Err(code::BAD_ARGUMENTS), "before the session");
    assert_eq!(world.create_ttl("/t", 5, 1), Err(code::SESSION_EXPIRED));
}

#[test]
fn delete_container_takes_what_is_empty_and_no_ephemeral() {
    let mut world = World::with(extended());
    world.ask(SESSION, op::CREATE_CONTAINER, creation("/c", 4)).expect("a container");
    world.create_ttl("/t", 5, 1000).expect("a TTL node");
    world.created("/c/x", 0);
    world.created("/e", 1);
    for _ in 0..2 {
        for (path, err) in [
            ("c", code::BAD_ARGUMENTS),
            ("/", code::BAD_ARGUMENTS),
            ("/zookeeper/quota", code::BAD_ARGUMENTS),
            ("/gone", code::NO_NODE),
            ("/gone/x", code::NO_NODE),
            ("/c", code::NOT_EMPTY),
            ("/e", code::BAD_VERSION),
        ] {
            assert_eq!(world.delete_container(path), Err(err), "{path:?}");
        }
        world.catch_up();
    }
    // Nobody's permission counts, and a plain node goes too.
    world.restrict("/c", perms::READ);
    for path in ["/c/x", "/c", "/t"] {
        let deleted = Ok(Txn::Delete(DeleteTxn { path: path.into() }));
        assert_eq!(world.delete_container(path), deleted);
    }
    assert_eq!(world.delete_container("/t"), Err(code::NO_NODE), "it is on its way");
    world.catch_up();
    assert_eq!(world.tree.containers().count() + world.tree.ttls().count(), 0);
}

#[test]
fn set_acl_counts_the_lists_version() {
    let mut world = World::new();
    world.created("/a", 0);
    let want = |version| {
        let acl = Some(only(perms::ALL));
        Ok(Txn::SetAcl(SetAclTxn { path: "/a".into(), acl, version }))
    };
    assert_eq!(world.set_acl("/a", only(31), 0), want(1));
    assert_eq!(world.set_acl("/a", only(31), 0), Err(code::BAD_VERSION), "on the way");
    assert_eq!(world.set_acl("/a", only(31), -1), want(2));
    assert!(world.set_data("/a", 0).is_ok(), "the data's version is another");
    world.catch_up();
    let stat = world.tree.exists("/a").expect("it is there");
    assert_eq!((stat.aversion, stat.version, stat.czxid == stat.mzxid), (2, 1, false));
}

#[test]
fn set_acl_fails_with_the_first_of_its_errors() {
    let mut world = World::new();
    world.created("/a", 0);
    for (path, acl, err) in [
        ("a", vec![], code::BAD_ARGUMENTS),
        ("/a/", vec![], code::BAD_ARGUMENTS),
        ("/gone", vec![], code::INVALID_ACL),
        ("/gone", only(31), code::NO_NODE),
        ("/a", only(31), code::BAD_VERSION),
    ] {
        assert_eq!(world.set_acl(path, acl, 7), Err(err), "{path:?}");
    }
    world.restrict("/a", perms::ALL & !perms::ADMIN);
    assert_eq!(world.set_acl("/a", only(31), 7), Err(code::NO_AUTH));
    world.sessions.set_closing(SESSION);
    assert_eq!(world.set_acl("a", vec![], 7), Err(code::SESSION_EXPIRED));
}

#[test]
fn a_list_that_is_set_counts_for_the_next_request() {
    let mut world = World::new();
    world.created("/a", 0);
    assert!(world.set_acl("/a", only(perms::READ | perms::ADMIN), 0).is_ok());
    assert_eq!(world.create("/a/x", 0), Err(code::NO_AUTH));
    assert!(world.set_acl("/a", only(perms::ALL), 1).is_ok());
    world.created("/a/x", 0);
    world.catch_up();
}

#[test]
fn without_acls_nobody_is_refused_and_lists_must_still_be_valid() {
    let mut world = World::new();
    let mut config = ServerConfig::defaults(ServerId(1));
    config.access.skip_acl = true;
    world.tree.set_acl_rules(AclRules::of(&config));
    world.created("/a", 0);
    world.restrict("/a", 0);
    world.created("/a/x", 0);
    assert!(world.set_data("/a", -1).is_ok());
    assert!(world.delete("/a/x", -1).is_ok());
    assert_eq!(world.set_acl("/a", vec![], -1), Err(code::INVALID_ACL));
    assert!(world.set_acl("/a", only(0), -1).is_ok());
    world.catch_up();
}

#[test]
fn reconfig_is_disabled_before_anything_else_is_looked_at() {
    let mut world = World::new();
    world.sessions.set_closing(OTHER);
    let root = vec![Id { scheme: "super".into(), id: String::new() }];
    let refused = world.ask_as(OTHER, op::RECONFIG, ReconfigRequest::default(), root);
    assert_eq!(refused, Err(code::RECONFIG_DISABLED));
}

#[test]
fn check_alone_never_becomes_a_transaction_of_its_own() {
    let mut world = World::new();
    world.created("/a", 0);
    let (op, body) = super::testing::check("/a", 0);
    assert!(!supports(op));
    assert_eq!(world.ask_bytes(SESSION, op, body.into(), vec![]), Err(code::UNIMPLEMENTED));
}

#[test]
fn a_body_that_is_no_record_is_not_decodable() {
    let body = Bytes::from(creation("/a", 0).to_jute());
    let cut = body.slice(..body.len() - 1);
    let longer = Bytes::from([&body[..], b"x"].concat());
    assert!(decodable(op::CREATE2, &longer), "what follows is ignored");
    for op in [op::CREATE, op::CREATE_CONTAINER, op::CREATE_TTL, op::DELETE, op::SET_DATA] {
        assert!(supports(op) && !decodable(op, &Bytes::new()), "{op}");
    }
    assert!(!decodable(op::CREATE, &cut));
    assert!(!decodable(op::CREATE_TTL, &body), "a TTL is missing");
    assert!(decodable(op::CREATE_TTL, &ttl_creation("/a", 5, 1).to_jute().into()));
    let raw_path = Bytes::from_static(b"/a/c-raw");
    assert!(!decodable(op::DELETE_CONTAINER, &raw_path), "the path is a buffer");
    let null = DeleteContainerRequest { path: None };
    assert!(!decodable(op::DELETE_CONTAINER, &null.to_jute().into()));
    assert!(!supports(op::GET_DATA) && !decodable(op::GET_DATA, &body));
    for op in [op::MULTI, op::CLOSE_SESSION, op::CREATE_SESSION] {
        assert!(supports(op) && decodable(op, &Bytes::new()), "an error with a zxid: {op}");
    }
}

/// A path of length -1, and the rest of the record.
fn without_path(record: impl Jute) -> Bytes {
    let bytes = record.to_jute();
    let length = i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    [&[0xff; 4], &bytes[4 + length..]].concat().into()
}

#[test]
fn a_null_path_fails_late_and_takes_a_zxid() {
    let mut world = World::new();
    let delete = DeleteRequest { path: "/a".into(), version: -1 };
    let set = SetDataRequest { path: "/a".into(), data: None, version: -1 };
    let set_acl = SetAclRequest { path: "/a".into(), acl: Some(Acl::open()), version: -1 };
    for (op, body, err) in [
        (op::CREATE, without_path(creation("/a", 0)), code::MARSHALLING_ERROR),
        (op::CREATE, without_path(creation("/a", 9)), code::BAD_ARGUMENTS),
        (op::CREATE2, without_path(creation("/a", 5)), code::UNIMPLEMENTED),
        (op::DELETE, without_path(delete), code::MARSHALLING_ERROR),
        (op::SET_DATA, without_path(set), code::BAD_ARGUMENTS),
        (op::SET_ACL, without_path(set_acl), code::BAD_ARGUMENTS),
    ] {
        assert!(decodable(op, &body), "{op}");
        assert!(!decodable(op, &body.slice(..body.len() - 1)), "{op}: the rest must be whole");
        assert_eq!(world.ask_bytes(SESSION, op, body, vec![]), Err(err), "{op}");
    }
}

#[test]
fn null_data_stays_null() {
    let mut world = World::new();
    let create = CreateRequest { data: None, ..creation("/a", 0) };
    let txn = world.ask(SESSION, op::CREATE, create);
    assert!(matches!(txn, Ok(Txn::Create(CreateTxn { data: None, .. }))));
    let set = SetDataRequest { path: "/a".into(), data: None, version: 0 };
    let txn = world.ask(SESSION, op::SET_DATA, set);
    assert!(matches!(txn, Ok(Txn::SetData(set)) if set.data.is_none()));
    world.catch_up();
    assert_eq!(world.tree.get_data("/a").map(|(data, _)| data), Ok(None));
}

#[test]
fn what_a_learner_forwards_is_always_answered() {
    let mut world = World::new();
    let garbage = Bytes::from_static(b"\0\0");
    for (op, err) in [
        (op::CREATE, code::MARSHALLING_ERROR),
        (op::CREATE_SESSION, code::MARSHALLING_ERROR),
        (op::DELETE_CONTAINER, code::MARSHALLING_ERROR),
        (op::RECONFIG, code::MARSHALLING_ERROR),
        (op::GET_DATA, code::UNIMPLEMENTED),
        (kind::ERROR, code::UNIMPLEMENTED),
        (9999, code::UNIMPLEMENTED),
    ] {
        let answer = world.ask_bytes(SESSION, op, garbage.clone(), vec![]);
        assert_eq!(answer, Err(err), "{op}");
    }
}

#[test]
fn nobody_opens_or_closes_session_0() {
    let mut world = World::new();
    world.ask(SESSION, op::CREATE, creation("/a", 0)).expect("a persistent znode");
    for op in [op::CLOSE_SESSION, op::CREATE_SESSION] {
        let body = CreateSessionRequest { timeout: 4000 }.to_jute().into();
        let refused = world.ask_bytes(SessionId(0), op, body, vec![]);
        assert_eq!(refused, Err(code::BAD_ARGUMENTS), "{op}");
    }
    world.ask_bytes(SESSION, op::CLOSE_SESSION, Bytes::new(), vec![]).expect("a session ends");
}
