//! Which requests become which transactions, and which errors they fail with first.

use bytes::Bytes;

use super::next_version;
use super::testing::{LINK, OTHER, SESSION, World, creation};
use crate::base::{Mono, Now, SessionId, Zxid};
use crate::jute::Jute;
use crate::jute::client::{CreateRequest, CreateSessionRequest, DeleteRequest, code, op};
use crate::jute::data::{Acl, Id, perms};
use crate::jute::txn::{CreateSessionTxn, CreateTtlTxn, CreateTxn, Txn, TxnDigest};
use crate::prepare::Request;
use crate::session::SessionError;

#[test]
fn the_transactions_are_those_of_a_real_zookeeper() {
    // Data directory `plain`: the first record after two of preparation, with its digest.
    let mut world = World::new();
    let timeout = CreateSessionRequest { timeout: 300_000 };
    let session = SessionId(0x0100_0079_36dd_0000);
    let request = |cxid, op, body: Vec<u8>| Request {
        session,
        cxid,
        op,
        body: body.into(),
        origin: LINK,
        ..Request::default()
    };
    let at = |wall_ms| Now { mono: Mono(0), wall_ms };
    let World { prepare, tree, sessions, .. } = &mut world;
    let first = request(0, op::CREATE_SESSION, timeout.to_jute());
    let first = prepare.prepare(&first, Zxid(1), at(1_795_260_356_818), tree, sessions);
    assert_eq!(first.digest, Some(TxnDigest { version: 2, tree_digest: 0x51c6_d660 }));
    let data = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let a = CreateRequest { data: data("data of a"), ..creation("/a", 0) };
    let a = request(1, op::CREATE, a.to_jute());
    let a = prepare.prepare(&a, Zxid(2), at(1_795_260_356_831), tree, sessions);
    assert_eq!(a.digest, Some(TxnDigest { version: 2, tree_digest: 0xc37e_69a1 }));
    let empty = CreateRequest { data: data(""), ..creation("/a/empty", 0) };
    let empty = request(2, op::CREATE, empty.to_jute());
    let empty = prepare.prepare(&empty, Zxid(3), at(1_795_260_356_837), tree, sessions);
    assert_eq!(empty.digest, Some(TxnDigest { version: 2, tree_digest: 0x1_1190_3da3 }));
}

#[test]
fn a_create_carries_the_parents_next_cversion() {
    let mut world = World::new();
    let acl = Some(Acl::open());
    let data = Some(Bytes::from_static(b"data"));
    let want = |path: &str, parent_cversion| {
        let (acl, data) = (acl.clone(), data.clone());
        Ok(Txn::Create(CreateTxn {
            path: path.into(),
            data,
            acl,
            ephemeral: false,
            parent_cversion,
        }))
    };
    assert_eq!(world.create("/a", 0), want("/a", 1));
    assert_eq!(world.create("/b", 0), want("/b", 2));
    assert_eq!(world.create("/a/x", 0), want("/a/x", 1));
    world.catch_up();
    assert_eq!(world.create("/a/y", 0), want("/a/y", 2));
    world.catch_up();
}

#[test]
fn sequential_names_come_from_creations_on_the_way() {
    let mut world = World::new();
    world.created("/s", 0);
    assert_eq!(world.created("/s/n-", 2), "/s/n-0000000000");
    assert_eq!(world.created("/s/n-", 3), "/s/n-0000000001");
    world.catch_up();
    assert_eq!(world.delete("/s/n-0000000000", -1).err(), None);
    assert_eq!(world.created("/s/", 2), "/s/0000000002", "a trailing slash, a number alone");
    world.catch_up();
}

#[test]
fn the_counter_of_sequential_names_runs_over_as_it_does_in_java() {
    let mut world = World::new();
    world.created("/s", 0);
    let create = |path: &str, parent_cversion| {
        Txn::Create(CreateTxn { path: path.into(), parent_cversion, ..CreateTxn::default() })
    };
    world.apply(create("/s/x", i32::MAX));
    assert_eq!(world.created("/s/n", 2), "/s/n2147483647");
    assert_eq!(world.created("/s/n", 2), "/s/n-2147483648");
}

#[test]
fn a_create_fails_with_the_first_of_its_errors() {
    let mut world = World::new();
    world.created("/a", 0);
    world.created("/e", 1);
    world.created("/ttl", 0);
    for _ in 0..2 {
        // Once against what is on the way, once against the tree.
        for (path, err) in [
            ("c", code::BAD_ARGUMENTS),
            ("", code::BAD_ARGUMENTS),
            ("/a\0", code::BAD_ARGUMENTS),
            ("/c//d", code::NO_NODE),
            ("/c/", code::NO_NODE),
            ("/a/", code::BAD_ARGUMENTS),
            ("/a/.", code::BAD_ARGUMENTS),
            ("/a/\u{1f600}", code::BAD_ARGUMENTS),
            ("/", code::NODE_EXISTS),
            ("/a", code::NODE_EXISTS),
            ("/e/x", code::NO_CHILDREN_FOR_EPHEMERALS),
        ] {
            assert_eq!(world.create(path, 0), Err(err), "{path:?}");
        }
        for (flags, err) in
            [(7, code::BAD_ARGUMENTS), (-1, code::BAD_ARGUMENTS), (5, code::UNIMPLEMENTED)]
        {
            assert_eq!(world.create("c", flags), Err(err), "{flags}");
        }
        world.catch_up();
    }
}

#[test]
fn a_bad_acl_is_told_before_a_missing_parent_and_that_before_a_missing_permission() {
    let mut world = World::new();
    world.created("/a", 0);
    world.restrict("/a", perms::ALL & !perms::CREATE);
    let no_acl = |path: &str| CreateRequest { acl: Some(vec![]), ..creation(path, 0) };
    assert_eq!(world.ask(SESSION, op::CREATE, no_acl("/gone/x")), Err(code::INVALID_ACL));
    assert_eq!(world.create("/gone/x", 0), Err(code::NO_NODE));
    assert_eq!(world.create("/a/.", 0), Err(code::NO_AUTH));
    let root = vec![Id { scheme: "super".into(), id: String::new() }];
    assert!(world.ask_as(SESSION, op::CREATE, creation("/a/x", 0), root).is_ok());
}

#[test]
fn a_create_stores_the_ids_that_auth_stands_for() {
    let mut world = World::new();
    let auth = Acl { perms: 31, id: Id { scheme: "auth".into(), id: String::new() } };
    let create = CreateRequest { acl: Some(vec![auth.clone(), auth]), ..creation("/a", 0) };
    let bob = Id { scheme: "digest".into(), id: "bob:x".into() };
    let Ok(Txn::Create(txn)) = world.ask_as(SESSION, op::CREATE, create, vec![bob.clone()]) else {
        panic!("not created");
    };
    assert_eq!(txn.acl, Some(vec![Acl { perms: 31, id: bob.clone() }]));
    assert_eq!(world.create("/a/x", 0), Err(code::NO_AUTH), "a list on the way counts");
    assert!(world.ask_as(SESSION, op::CREATE, creation("/a/x", 0), vec![bob]).is_ok());
    world.catch_up();
}

#[test]
fn flag_4_makes_a_plain_node() {
    let mut world = World::new();
    world.created("/c", 4);
    world.created("/c/x", 1);
    world.catch_up();
    assert_eq!(world.tree.containers().count(), 0);
}

#[test]
fn a_node_under_a_container_or_ttl_node_is_no_child_of_an_ephemeral() {
    let mut world = World::new();
    world.apply(Txn::CreateTtl(CreateTtlTxn {
        path: "/ttl".into(),
        parent_cversion: 1,
        ttl: 5,
        ..Default::default()
    }));
    world.created("/ttl/x", 0);
}

#[test]
fn a_delete_fails_with_the_first_of_its_errors() {
    let mut world = World::new();
    world.created("/a", 0);
    world.created("/a/b", 0);
    for _ in 0..2 {
        for (path, version, err) in [
            ("a", -1, code::BAD_ARGUMENTS),
            ("/", -1, code::BAD_ARGUMENTS),
            ("/zookeeper", -1, code::BAD_ARGUMENTS),
            ("/zookeeper/config", -1, code::BAD_ARGUMENTS),
            ("/gone/x", -1, code::NO_NODE),
            ("/gone", -1, code::NO_NODE),
            ("/a", 3, code::BAD_VERSION),
            ("/a", 0, code::NOT_EMPTY),
        ] {
            assert_eq!(world.delete(path, version), Err(err), "{path:?}");
        }
        world.catch_up();
    }
    world.restrict("/a", perms::ALL & !perms::DELETE);
    assert_eq!(world.delete("/a/gone", -1), Err(code::NO_AUTH));
    assert_eq!(world.delete("/a/b", -1), Err(code::NO_AUTH), "the parent's list decides");
}

#[test]
fn deletes_on_the_way_count() {
    let mut world = World::new();
    world.created("/a", 0);
    world.created("/a/b", 0);
    assert!(world.delete("/a/b", 0).is_ok());
    assert_eq!(world.delete("/a/b", -1), Err(code::NO_NODE));
    assert_eq!(world.set_data("/a/b", -1), Err(code::NO_NODE));
    world.created("/a/b", 0);
    assert!(world.delete("/a/b", 0).is_ok());
    assert!(world.delete("/a", -1).is_ok());
    assert_eq!(world.create("/a/b", 0), Err(code::NO_NODE));
    world.catch_up();
}

#[test]
fn set_data_fails_with_the_first_of_its_errors() {
    let mut world = World::new();
    world.created("/a", 0);
    for (path, version, err) in [
        ("a", -1, code::BAD_ARGUMENTS),
        ("/a/", -1, code::BAD_ARGUMENTS),
        ("/gone/x", -1, code::NO_NODE),
        ("/a", 1, code::BAD_VERSION),
    ] {
        assert_eq!(world.set_data(path, version), Err(err), "{path:?}");
    }
    world.restrict("/a", perms::ALL & !perms::WRITE);
    assert_eq!(world.set_data("/a", 1), Err(code::NO_AUTH));
}

#[test]
fn conditional_writes_see_the_versions_on_the_way() {
    let mut world = World::new();
    world.created("/a", 0);
    for version in 0..3 {
        assert!(world.set_data("/a", version).is_ok());
        assert_eq!(world.set_data("/a", version), Err(code::BAD_VERSION));
    }
    assert!(world.set_data("/a", -1).is_ok());
    assert_eq!(world.delete("/a", 3), Err(code::BAD_VERSION));
    assert!(world.delete("/a", 4).is_ok());
    world.catch_up();
}

#[test]
fn the_root_is_one_node_under_both_its_names() {
    let mut world = World::new();
    assert!(world.set_data("/", 0).is_ok());
    world.created("/a", 0);
    assert!(world.set_data("/", 1).is_ok());
    world.catch_up();
}

#[test]
fn a_version_runs_over() {
    assert_eq!(next_version(i32::MAX, i32::MAX), Ok(i32::MIN));
    assert_eq!(next_version(-2, -2), Ok(-1));
    assert_eq!(next_version(-1, 0), Err(code::BAD_VERSION));
}

#[test]
fn a_session_is_tracked_when_it_is_prepared() {
    let mut world = World::new();
    let session = SessionId(99);
    assert_eq!(world.ask(session, op::CREATE, creation("/a", 0)), Err(code::SESSION_EXPIRED));
    let txn = world.ask(session, op::CREATE_SESSION, CreateSessionRequest { timeout: 4000 });
    assert_eq!(txn, Ok(Txn::CreateSession(CreateSessionTxn { timeout: 4000 })));
    assert!(world.sessions.is_alive(session));
    assert_eq!(world.sessions.check_owner(session, LINK + 1), Err(SessionError::Moved));
    assert!(world.ask(session, op::CREATE, creation("/a", 0)).is_ok());
    world.catch_up();
}

#[test]
fn a_session_that_moved_may_not_write_from_its_old_server() {
    let mut world = World::new();
    world.sessions.set_owner(SESSION, LINK + 1);
    assert_eq!(world.create("/a", 0), Err(code::SESSION_MOVED));
    assert_eq!(world.create("c", 0), Err(code::SESSION_MOVED), "before the path is looked at");
    assert_eq!(world.set_data("a", 0), Err(code::SESSION_MOVED));
    assert_eq!(world.delete("a", 0), Err(code::SESSION_MOVED));
    assert_eq!(world.create("/a", 9), Err(code::BAD_ARGUMENTS), "flags come first");
}

#[test]
fn closing_lists_ephemerals_of_the_tree_and_on_the_way() {
    let mut world = World::new();
    for path in ["/e3", "/e1", "/deleted"] {
        world.created(path, 1);
    }
    world.created("/p", 0);
    assert!(world.ask(OTHER, op::CREATE, creation("/other", 1)).is_ok());
    world.catch_up();
    assert!(world.delete("/deleted", -1).is_ok());
    world.created("/p/e2", 1);
    world.created("/brief", 1);
    assert!(world.delete("/brief", -1).is_ok());
    assert!(world.set_data("/e1", -1).is_ok());
    assert_eq!(world.close(SESSION), ["/e1", "/e3", "/p/e2"]);
    assert!(world.sessions.is_closing(SESSION));
    assert_eq!(world.create("/late", 1), Err(code::SESSION_EXPIRED), "PR-3");
    assert_eq!(world.close(SESSION), Vec::<String>::new(), "they are gone already");
    let delete = DeleteRequest { path: "/p".into(), version: -1 };
    assert!(world.ask(OTHER, op::DELETE, delete).is_ok(), "its child will be gone");
    world.catch_up();
    assert_eq!(world.tree.ephemerals(SESSION).count(), 0);
    assert_eq!(world.tree.ephemerals(OTHER).collect::<Vec<_>>(), ["/other"]);
}

#[test]
fn a_node_taken_over_by_another_session_is_not_listed() {
    let mut world = World::new();
    world.created("/lock", 1);
    world.catch_up();
    assert!(world.delete("/lock", -1).is_ok());
    assert!(world.ask(OTHER, op::CREATE, creation("/lock", 1)).is_ok());
    assert_eq!(world.close(SESSION), Vec::<String>::new());
    assert_eq!(world.close(OTHER), ["/lock"]);
    world.catch_up();
}

#[test]
fn a_failed_request_leaves_no_change_behind() {
    let mut world = World::new();
    assert_eq!(world.create("/gone/x", 0), Err(code::NO_NODE));
    assert_eq!(world.create("/", 0), Err(code::NODE_EXISTS));
    assert_eq!(world.set_data("/", 8), Err(code::BAD_VERSION));
    assert_eq!(world.prepare.outstanding(), 0, "PR-1");
}

#[test]
fn records_go_when_their_transaction_is_applied_and_not_before() {
    let mut world = World::new();
    world.created("/a", 0);
    assert!(world.set_data("/a", -1).is_ok());
    let first = world.pending.remove(0);
    world.tree.apply(&first.header, &first.txn);
    world.prepare.applied(first.zxid());
    assert_eq!(world.set_data("/a", 0), Err(code::BAD_VERSION), "the second write still counts");
    assert!(world.set_data("/a", 1).is_ok());
    world.catch_up();
}
