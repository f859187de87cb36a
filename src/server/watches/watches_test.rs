//! What each watcher is told of a change.

use super::*;
use crate::base::SessionId;
use crate::jute::data::{Acl, Id, perms};
use crate::jute::txn::{CloseSessionTxn, CreateTxn, DeleteTxn, Txn, TxnHeader, kind};
use crate::tree::{EventAcls, Outcome};

const A: ConnId = ConnId(1);
const B: ConnId = ConnId(2);
const CREATED: i32 = 1;
const DELETED: i32 = 2;
const CHANGED: i32 = 3;
const CHILDREN: i32 = 4;

fn list(of: &str) -> AclList {
    let id = Id { scheme: "digest".into(), id: of.into() };
    vec![Acl { perms: perms::ALL, id }].into()
}

fn acls() -> EventAcls {
    EventAcls { node: list("node"), parent: list("parent") }
}

/// The events without their lists, which must be those of the node each speaks of.
fn fire(watches: &mut Watches, path: &str, change: i32) -> Vec<(u64, i32, String)> {
    let change = match change {
        CREATED => Change::Created(acls()),
        DELETED => Change::Deleted(acls()),
        _ => Change::DataChanged(list("node")),
    };
    let outcome = Outcome { path: Some(path.into()), change: Some(change), ..Outcome::default() };
    let fired = watches.fire_applied(Zxid(9), &Applied { outcome, ended: Vec::new() });
    for event in &fired {
        assert_eq!(event.zxid, Zxid(9));
        let whose = if *event.path == *path { "node" } else { "parent" };
        assert_eq!(event.acl, Some(list(whose)), "{event:?}");
    }
    fired.into_iter().map(|event| (event.conn.0, event.kind, event.path.to_string())).collect()
}

fn events<const N: usize>(expected: [(u64, i32, &str); N]) -> Vec<(u64, i32, String)> {
    expected.map(|(conn, kind, path)| (conn, kind, path.to_owned())).into()
}

#[test]
fn a_watch_fires_once() {
    let mut watches = Watches::default();
    watches.add(WatchKind::Data, "/a", A);
    watches.add(WatchKind::Data, "/a", A);
    assert_eq!(watches.len(), 1);
    assert_eq!(fire(&mut watches, "/a", CHANGED), events([(1, CHANGED, "/a")]));
    assert_eq!(fire(&mut watches, "/a", CHANGED), []);
    assert!(watches.is_empty());
}

#[test]
fn a_creation_tells_the_path_and_then_the_parent() {
    let mut watches = Watches::default();
    watches.add(WatchKind::Child, "/", A);
    watches.add(WatchKind::Data, "/a", B);
    watches.add(WatchKind::Data, "/a", A);
    assert_eq!(
        fire(&mut watches, "/a", CREATED),
        events([(1, CREATED, "/a"), (2, CREATED, "/a"), (1, CHILDREN, "/")])
    );
}

#[test]
fn a_deletion_tells_a_connection_once_and_the_parent_last() {
    let mut watches = Watches::default();
    watches.add(WatchKind::Data, "/p/a", A);
    watches.add(WatchKind::Child, "/p/a", A);
    watches.add(WatchKind::Child, "/p/a", B);
    watches.add(WatchKind::Child, "/p", A);
    assert_eq!(
        fire(&mut watches, "/p/a", DELETED),
        events([(1, DELETED, "/p/a"), (2, DELETED, "/p/a"), (1, CHILDREN, "/p")])
    );
    assert!(watches.is_empty(), "the untold child watch of the first connection is gone too");
}

#[test]
fn a_change_of_data_leaves_child_watches_alone() {
    let mut watches = Watches::default();
    watches.add(WatchKind::Child, "/a", A);
    watches.add(WatchKind::Child, "/", A);
    assert_eq!(fire(&mut watches, "/a", CHANGED), []);
    assert_eq!(watches.len(), 2);
}

#[test]
fn a_persistent_watch_hears_of_its_node_and_its_children_again_and_again() {
    let mut watches = Watches::default();
    watches.add_persistent("/a", A);
    assert_eq!(watches.len(), 2, "it stands in both tables");
    for _ in 0..2 {
        assert_eq!(fire(&mut watches, "/a", CREATED), events([(1, CREATED, "/a")]));
        assert_eq!(fire(&mut watches, "/a", CHANGED), events([(1, CHANGED, "/a")]));
        assert_eq!(fire(&mut watches, "/a/b", CREATED), events([(1, CHILDREN, "/a")]));
        assert_eq!(fire(&mut watches, "/a/b", CHANGED), []);
        assert_eq!(fire(&mut watches, "/a/b/c", CREATED), []);
        assert_eq!(fire(&mut watches, "/a/b", DELETED), events([(1, CHILDREN, "/a")]));
        assert_eq!(fire(&mut watches, "/a", DELETED), events([(1, DELETED, "/a")]));
    }
}

#[test]
fn a_recursive_watch_hears_of_each_node_below_and_never_that_children_changed() {
    let mut watches = Watches::default();
    watches.add_recursive("/a", A);
    for _ in 0..2 {
        for path in ["/a", "/a/b", "/a/b/c"] {
            for change in [CREATED, CHANGED, DELETED] {
                assert_eq!(fire(&mut watches, path, change), events([(1, change, path)]));
            }
        }
    }
    assert_eq!(fire(&mut watches, "/ab", CREATED), []);
}

#[test]
fn all_kinds_of_watch_on_one_path_make_one_event_of_each_table() {
    let mut watches = Watches::default();
    watches.add_persistent("/a", A);
    watches.add_recursive("/a", A);
    watches.add(WatchKind::Data, "/a", A);
    watches.add(WatchKind::Child, "/a", A);
    assert_eq!(fire(&mut watches, "/a", CHANGED), events([(1, CHANGED, "/a")]));
    let both = events([(1, CREATED, "/a/b"), (1, CHILDREN, "/a")]);
    assert_eq!(fire(&mut watches, "/a/b", CREATED), both);
    assert_eq!(fire(&mut watches, "/a/b", CREATED), both, "after the one-shot one is spent");
    assert_eq!(fire(&mut watches, "/a", DELETED), events([(1, DELETED, "/a")]));
}

#[test]
fn a_recursive_watch_above_keeps_the_child_table_from_telling_of_the_deletion_again() {
    let mut watches = Watches::default();
    watches.add_recursive("/", A);
    watches.add(WatchKind::Child, "/a/b", A);
    watches.add(WatchKind::Child, "/a", A);
    assert_eq!(
        fire(&mut watches, "/a/b", DELETED),
        events([(1, DELETED, "/a/b"), (1, CHILDREN, "/a")])
    );
    assert_eq!(watches.len(), 1, "the child watch on the deleted node is spent");
}

/// All five kinds of registration of one connection on one path.
fn every_kind() -> Watches {
    let mut watches = Watches::default();
    watches.add(WatchKind::Data, "/a", A);
    watches.add(WatchKind::Child, "/a", A);
    watches.add_persistent("/a", A);
    watches.add_recursive("/a", A);
    watches
}

const TYPES: [WatcherType; 5] = [
    WatcherType::Children,
    WatcherType::Data,
    WatcherType::Any,
    WatcherType::Persistent,
    WatcherType::PersistentRecursive,
];

#[test]
fn each_type_removes_its_own_watches_and_no_others() {
    for removed in TYPES {
        let mut watches = every_kind();
        assert!(!watches.remove("/a", B, removed));
        assert!(!watches.remove("/a/b", A, removed));
        assert!(watches.remove("/a", A, removed), "{removed:?}");
        assert!(!watches.remove("/a", A, removed), "{removed:?} again");
        for other in TYPES {
            let stays = other != removed && removed != WatcherType::Any;
            assert_eq!(watches.contains("/a", A, other), stays, "{other:?} after {removed:?}");
        }
        assert_eq!(watches.is_empty(), removed == WatcherType::Any);
    }
}

#[test]
fn a_type_finds_what_was_registered_as_it_and_any_finds_everything() {
    type Register = fn(&mut Watches);
    let registrations: [(Register, WatcherType); 4] = [
        (|w| w.add(WatchKind::Data, "/a", A), WatcherType::Data),
        (|w| w.add(WatchKind::Child, "/a", A), WatcherType::Children),
        (|w| w.add_persistent("/a", A), WatcherType::Persistent),
        (|w| w.add_recursive("/a", A), WatcherType::PersistentRecursive),
    ];
    for (register, kind) in registrations {
        let mut watches = Watches::default();
        register(&mut watches);
        for asked in TYPES {
            let found = asked == kind || asked == WatcherType::Any;
            assert_eq!(watches.contains("/a", A, asked), found, "{asked:?} of {kind:?}");
            assert!(!watches.contains("/a", B, asked));
            assert!(!watches.contains("/a/b", A, asked), "not by what stands above");
        }
        for removed in [kind, WatcherType::Any] {
            assert!(watches.remove("/a", A, removed), "{removed:?} of {kind:?}");
            assert!(watches.is_empty(), "{removed:?} of {kind:?}: in every table");
            register(&mut watches);
        }
    }
}

#[test]
fn the_numbers_of_the_types_are_one_to_five() {
    let types: Vec<WatcherType> = (0..=6).filter_map(WatcherType::of).collect();
    assert_eq!(types, TYPES);
    assert_eq!(WatcherType::of(1), Some(WatcherType::Children));
}

#[test]
fn a_lost_connection_takes_its_watches_along() {
    let mut watches = every_kind();
    watches.add(WatchKind::Data, "/a", B);
    watches.remove_conn(A);
    assert_eq!(watches.len(), 1);
    assert!(watches.contains("/a", B, WatcherType::Data));
    assert!(!watches.contains("/a", A, WatcherType::Any));
    assert_eq!(fire(&mut watches, "/a/b", CREATED), []);
    watches.remove_conn(A);
    watches.remove_conn(B);
    assert!(watches.is_empty());
}

/// A tree, and who watches it.
#[derive(Default)]
struct Watched {
    tree: DataTree,
    watches: Watches,
}

impl Watched {
    fn apply(&mut self, zxid: i64, txn: Txn) -> Vec<(u64, i32, String)> {
        let (client_id, zxid) = (SessionId(9), Zxid(zxid));
        let header = TxnHeader { client_id, cxid: 0, zxid, time: 0, kind: 0 };
        let applied = self.tree.apply(&header, &txn);
        let fired = self.watches.fire_applied(zxid, &applied);
        assert!(fired.iter().all(|event| event.zxid == zxid));
        fired.into_iter().map(|event| (event.conn.0, event.kind, event.path.to_string())).collect()
    }

    fn create(&mut self, zxid: i64, path: &str) -> Vec<(u64, i32, String)> {
        self.apply(zxid, create(path, false))
    }
}

fn create(path: &str, ephemeral: bool) -> Txn {
    let (path, acl) = (path.into(), Some(Acl::open()));
    Txn::Create(CreateTxn { path, data: None, acl, ephemeral, parent_cversion: -1 })
}

#[test]
fn watches_that_missed_something_hear_of_it_and_the_others_stand_again() {
    let mut watched = Watched::default();
    watched.create(1, "/old");
    watched.create(5, "/new");
    watched.create(6, "/old/child");
    let names = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    let request = SetWatches2 {
        relative_zxid: Zxid(4),
        data_watches: names(&["/gone", "/new", "/old"]),
        exist_watches: names(&["/new", "/gone"]),
        child_watches: names(&["/gone", "/old", "/new", "/old/child"]),
        persistent_watches: names(&["/new"]),
        persistent_recursive_watches: names(&["/old"]),
    };
    let conn = ConnId(3);
    let Watched { tree, mut watches } = watched;
    let fired = watches.set_watches(conn, &request, &tree);
    let event =
        |kind, path: &str| Fired { conn, kind, path: path.into(), zxid: Zxid(-1), acl: None };
    assert_eq!(
        fired,
        [
            event(2, "/gone"),
            event(3, "/new"),
            event(1, "/new"),
            event(2, "/gone"),
            event(4, "/old"),
            event(4, "/new"),
            event(4, "/old/child"),
        ]
    );
    let held = |path, what| watches.contains(path, conn, what);
    assert!(held("/old", WatcherType::Data));
    assert!(held("/gone", WatcherType::Data));
    assert!(held("/new", WatcherType::Persistent), "whatever it missed");
    assert!(held("/old", WatcherType::PersistentRecursive));
    assert_eq!(watches.len(), 4, "/old and /gone, and /new in both tables");
}

#[test]
fn the_end_of_a_session_tells_of_each_of_its_ephemerals() {
    let mut watched = Watched::default();
    for path in ["/e1", "/e2"] {
        watched.apply(1, create(path, true));
        watched.watches.add(WatchKind::Data, path, B);
    }
    watched.watches.add(WatchKind::Child, "/", A);
    let list = CloseSessionTxn { paths_to_delete: vec!["/gone".into(), "/e2".into()] };
    assert_eq!(
        watched.apply(9, Txn::CloseSession(Some(list))),
        events([(2, DELETED, "/e2"), (1, CHILDREN, "/"), (2, DELETED, "/e1")])
    );
}

#[test]
fn the_parts_of_a_multi_fire_in_their_order() {
    let mut watched = Watched::default();
    watched.watches.add(WatchKind::Data, "/m", A);
    watched.watches.add_persistent("/", B);
    let parts = vec![
        (kind::CREATE, create("/m", false)),
        (kind::DELETE, Txn::Delete(DeleteTxn { path: "/m".into() })),
    ];
    assert_eq!(
        watched.apply(1, Txn::Multi(parts)),
        events([(1, CREATED, "/m"), (2, CHILDREN, "/"), (2, CHILDREN, "/")]),
        "the one-shot watch was gone after the creation"
    );
}

#[test]
fn what_was_there_already_fires_nothing() {
    let mut watched = Watched::default();
    watched.watches.add(WatchKind::Data, "/a", A);
    assert_eq!(watched.create(1, "/a"), events([(1, CREATED, "/a")]));
    watched.watches.add(WatchKind::Data, "/a", A);
    assert_eq!(watched.create(1, "/a"), []);
    assert_eq!(watched.watches.len(), 1);
}
