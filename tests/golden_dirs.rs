//! Data directories that Apache ZooKeeper 3.8.0 and 3.9.3 left behind, restored from real files.
//!
//! Each of them is entered at every snapshot it has: that snapshot and the logs behind it must be
//! the tree that a client of the running server saw, and after each transaction the tree must have
//! the digest that the leader wrote into it (its TxnDigest).
//!
//! What no transaction tells is excepted, and nothing else:
//!
//!     /zookeeper/config of an ensemble     mtime: of the clock of the server that was asked
//!     zxid 7 of check-alone                digest: Apache computed it for a container

mod golden_files;

#[path = "golden_dirs/captured.rs"]
mod captured;
#[path = "golden_dirs/copy.rs"]
mod copy;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use captured::{
    described, directories, entries, expected, is_ensemble, list, logged_after, opened_sessions,
    seen_nodes, sibling, snapshots, split, whole, zxid_of,
};
use copy::{DirCopy, digest_block};
use golden_files::{acl, buffer, bytes, hex, number, stat, text};
use quorate::base::{Epoch, Zxid};
use quorate::database::Database;
use quorate::jute::txn::kind;
use quorate::storage::{Loaded, StorageError};
use serde_json::{Value, json};

const CONFIG: &str = "/zookeeper/config";

fn restore(loaded: Loaded) -> Database {
    let mut db = Database::empty(500);
    db.restore(loaded).expect("the snapshot is a tree");
    db
}

/// The snapshot alone.
fn base(loaded: &Loaded) -> Database {
    let last_logged = loaded.snapshot.as_ref().expect("every directory has a snapshot").zxid;
    restore(Loaded { txns: Vec::new(), last_logged, ..loaded.clone() })
}

/// Restores step by step, and tells at which transactions the tree had another digest than the one
/// written into them.
fn replay(dir: &str, loaded: &Loaded) -> (Database, Vec<Zxid>) {
    let mut db = base(loaded);
    let mut wrong = Vec::new();
    for proposal in &loaded.txns {
        let before = db.tree().digest();
        db.append(proposal.clone());
        db.fast_forward();
        assert_eq!(db.last_applied(), proposal.zxid(), "{dir}");
        match &proposal.digest {
            Some(digest) if digest.tree_digest == db.tree().digest() as i64 => {}
            Some(_) => wrong.push(proposal.zxid()),
            None => {
                // A write that was refused is logged without a digest.
                assert_eq!(proposal.header.kind, kind::ERROR, "{dir} at {}", proposal.zxid());
                assert_eq!(db.tree().digest(), before, "{dir} at {}", proposal.zxid());
            }
        }
    }
    (db, wrong)
}

#[track_caller]
fn assert_same(one: &Database, other: &Database, dir: &str) {
    assert_eq!(one.tree().digest(), other.tree().digest(), "{dir}");
    assert_eq!(one.tree().state_digest(), other.tree().state_digest(), "{dir}");
    assert_eq!(one.sessions(), other.sessions(), "{dir}");
    assert_eq!(one.state_digest(), other.state_digest(), "{dir}");
    assert_eq!(one.last_applied(), other.last_applied(), "{dir}");
    assert_eq!(one.last_logged(), other.last_logged(), "{dir}");
    assert_eq!(nodes(one), nodes(other), "{dir}");
}

/// Every node by its path, in the form of the captures.
fn nodes(db: &Database) -> BTreeMap<String, Value> {
    let tree = db.tree();
    let mut nodes = BTreeMap::new();
    let mut open = vec!["/".to_owned()];
    while let Some(path) = open.pop() {
        let (children, seen) = tree.get_children(&path).expect("it is a child");
        let (data, stat_of_data) = tree.get_data(&path).expect("it is there");
        let (list, stat_of_acl) = tree.get_acl(&path).expect("it is there");
        assert_eq!((&seen, &seen), (&stat_of_data, &stat_of_acl), "{path}");
        let parent = path.trim_end_matches('/');
        open.extend(children.iter().map(|name| format!("{parent}/{name}")));
        let node = json!({
            "path": path, "data": buffer(&data), "stat": stat(&seen),
            "acl": acl(&Some(list.to_vec())), "children": children,
        });
        nodes.insert(path, node);
    }
    // Apache counts the root under both its names.
    assert_eq!(nodes.len() + 1, tree.node_count());
    nodes
}

/// Takes out of a node what no transaction tells.
fn without_exceptions(dir: &str, node: &Value) -> Value {
    let mut node = node.clone();
    if node["path"] == CONFIG && is_ensemble(dir) {
        drop(node["stat"]["mtime"].take());
    }
    node
}

#[track_caller]
fn assert_nodes(dir: &str, found: &BTreeMap<String, Value>, seen: &BTreeMap<String, Value>) {
    assert!(found.keys().eq(seen.keys()), "{dir}: {:?} {:?}", found.keys(), seen.keys());
    for (path, node) in found {
        let (node, seen) =
            (without_exceptions(dir, node), without_exceptions(dir, &seen[path.as_str()]));
        assert_eq!(node, seen, "{dir} {path}");
    }
}

/// The tree, its ephemerals and the sessions are what the client saw.
#[track_caller]
fn assert_seen(dir: &str, db: &Database) {
    let described = described(dir);
    let tree = &described["tree"];
    assert_nodes(dir, &nodes(db), &seen_nodes(dir));
    let owners = db.tree().ephemeral_owners();
    let ephemerals: serde_json::Map<String, Value> = owners
        .flat_map(|owner| db.tree().ephemerals(owner).map(move |path| (path, owner)))
        .map(|(path, owner)| (path.to_owned(), hex(owner.0)))
        .collect();
    assert_eq!(Value::Object(ephemerals), tree["ephemerals"], "{dir}");
    let opened = opened_sessions(dir);
    let sessions = list(tree, "sessions").iter().map(|id| id.as_str().expect("hex text"));
    let sessions: BTreeMap<String, i64> = sessions.map(|id| (id.to_owned(), opened[id])).collect();
    let known = db.sessions().iter().map(|(id, ms)| (id.to_string(), i64::from(ms)));
    assert_eq!(known.collect::<BTreeMap<_, _>>(), sessions, "{dir}");
    let last = zxid_of(&tree["lastZxid"]);
    assert_eq!((db.last_applied(), db.last_logged()), (last, last), "{dir}");
}

fn epoch_file(copy: &DirCopy, name: &str) -> Epoch {
    let text = fs::read_to_string(copy.file(name)).expect("a server of an ensemble has it");
    Epoch(text.trim().parse().expect("a number"))
}

#[test]
fn no_directory_is_left_out() {
    let mut kinds = BTreeMap::<&str, usize>::new();
    for dir in directories() {
        let expected = expected(&dir);
        let kind = match (expected["tree"].is_null(), expected["derivedFrom"].as_str()) {
            (false, None) => "whole",
            (true, Some("plain")) => "damaged",
            _ if dir == "3.8.0/check-alone" => "refused",
            _ => panic!("{dir} is of no kind"),
        };
        *kinds.entry(kind).or_default() += 1;
    }
    assert_eq!(kinds, BTreeMap::from([("damaged", 6), ("refused", 1), ("whole", 14)]));
}

#[test]
fn every_directory_restores_to_the_tree_that_a_client_saw() {
    for dir in whole() {
        let copy = DirCopy::of(&dir);
        let loaded = copy.load_sound();
        assert_eq!(loaded.notes, Vec::<String>::new(), "{dir}");
        let newest = snapshots(&dir).pop().map(|(_, zxid)| zxid);
        assert_eq!(loaded.snapshot.as_ref().map(|snapshot| snapshot.zxid), newest, "{dir}");
        let db = restore(loaded);
        assert_seen(&dir, &db);
        assert_eq!(db.tree().quota_usage("/a").is_some(), dir.ends_with("/plain"));
        let epochs = if is_ensemble(&dir) {
            (epoch_file(&copy, "acceptedEpoch"), epoch_file(&copy, "currentEpoch"))
        } else {
            (Epoch(0), Epoch(0))
        };
        assert_eq!((db.accepted_epoch(), db.current_epoch()), epochs, "{dir}");
        assert_eq!(db.vote_zxid(), db.last_logged(), "{dir}");
    }
}

#[test]
fn every_transaction_leaves_the_digest_that_is_written_into_it() {
    let mut compared = 0;
    for dir in whole() {
        for (name, zxid) in snapshots(&dir) {
            let copy = DirCopy::of(&dir);
            copy.forget_after(zxid);
            let place = format!("{dir} from {name}");
            let loaded = match copy.load() {
                Ok(loaded) => loaded,
                // What it logged before, a leader's snapshot replaced.
                Err(StorageError::Gap { previous, found, .. }) => {
                    assert!(dir.ends_with("/ensemble-3"), "{place}");
                    assert_eq!((previous, found), (Zxid::ZERO, Zxid(0x1_0000_0052)), "{place}");
                    continue;
                }
                Err(error) => panic!("{place}: {error}"),
            };
            assert_eq!(loaded.snapshot.as_ref().map(|s| s.zxid), Some(zxid), "{place}");
            let zxids: Vec<Zxid> = loaded.txns.iter().map(|txn| txn.zxid()).collect();
            assert_eq!(zxids, logged_after(&dir, zxid), "{place}");
            let entries = entries("snapshot", &dir);
            let entry = entries.iter().find(|entry| split(text(entry, "file")).1 == name);
            let tree_digest = number(entry.expect("it is from the index"), "treeDigest");
            assert_eq!(base(&loaded).tree().digest() as i64, tree_digest, "{place}");

            let (stepped, wrong) = replay(&place, &loaded);
            assert_eq!(wrong, [], "{place}");
            compared += loaded.txns.iter().filter(|txn| txn.digest.is_some()).count();
            assert_seen(&dir, &stepped);
            assert_same(&stepped, &restore(loaded), &place);
        }
    }
    assert!(compared > 900, "only {compared} digests compared");
}

#[test]
fn a_restored_tree_is_the_same_after_a_snapshot_of_our_own() {
    for dir in whole() {
        let db = restore(DirCopy::of(&dir).load_sound());
        let copy = DirCopy::begun(&dir);
        copy.write_snapshot(&db);
        let loaded = copy.load_sound();
        assert_eq!((loaded.txns.len(), loaded.last_logged), (0, db.last_logged()), "{dir}");
        let snapshot = loaded.snapshot.clone().expect("it was written");
        assert_eq!(snapshot.digest, Some(digest_block(&db)), "{dir}");
        assert_eq!(snapshot.last_zxid, Some(db.last_applied()), "{dir}");
        let again = restore(loaded);
        assert_eq!(again.tree().audit_digests(), (db.tree().digest(), db.tree().state_digest()));
        assert_same(&again, &db, &dir);
        assert_seen(&dir, &again);
    }
}

#[test]
fn a_history_written_anew_restores_to_the_same_tree() {
    for dir in whole() {
        let loaded = DirCopy::of(&dir).load_sound();
        let copy = DirCopy::begun(&dir);
        copy.write_snapshot(&base(&loaded));
        copy.accept(loaded.last_logged.epoch());
        copy.append(&loaded.txns);
        let again = copy.load_sound();
        assert_eq!(again.txns, loaded.txns, "{dir}");
        assert_same(&restore(again), &restore(loaded), &dir);
    }
}

#[test]
fn a_torn_last_record_is_dropped_and_the_log_goes_on_behind_it() {
    let damaged = directories().into_iter().filter(|dir| dir.contains("/torn"));
    for dir in damaged {
        let plain = sibling(&dir, "plain");
        let copy = DirCopy::of(&plain);
        copy.lay(&dir);
        let expected = expected(&dir);
        let loaded = copy.load_sound();
        let [note] = &loaded.notes[..] else { panic!("{dir}: {:?}", loaded.notes) };
        let place = format!("offset {}", number(&expected["record"], "offset"));
        assert!(note.contains("log.3a") && note.contains(&place), "{dir}: {note}");

        let (db, wrong) = replay(&dir, &loaded);
        assert_eq!(wrong, [], "{dir}");
        assert_eq!(db.last_logged(), Zxid(0x3d), "{dir}");
        let mut found = nodes(&db);
        let paths = list(&expected["apache"], "paths").iter().filter_map(Value::as_str);
        let paths: BTreeSet<&str> = paths.collect();
        assert!(found.keys().eq(paths.iter()), "{dir}: {:?} {paths:?}", found.keys());
        // The root is told by the last digest: the transaction that is gone had changed it.
        let mut seen = seen_nodes(&plain);
        for path in ["/", "/z-eph"] {
            seen.remove(path);
            found.remove(path);
        }
        assert_nodes(&plain, &found, &seen);

        let lost = DirCopy::of(&plain).load_sound().txns.pop().expect("it is whole there");
        assert_eq!(lost.zxid(), Zxid(0x3e));
        copy.append(&[lost]);
        assert!(copy.file("log.3e").exists(), "{dir}");
        assert_seen(&plain, &restore(copy.load_sound()));
    }
}

#[test]
fn a_last_log_that_holds_nothing_yet_costs_nothing() {
    // What a crash leaves of a log that was just created: no byte, a piece of its header, or zeros.
    let zeros = vec![0; 64 * 1024];
    for (what, content) in [("empty", &b""[..]), ("8 bytes", b"ZKLG\0\0\0\x02"), ("zeros", &zeros)]
    {
        for dir in whole().into_iter().filter(|dir| is_ensemble(dir) || dir.ends_with("/plain")) {
            // A number further on, too: the name of such a log is no promise.
            for ahead in [1, 0x100] {
                let copy = DirCopy::of(&dir);
                let last = zxid_of(&described(&dir)["tree"]["lastZxid"]).0;
                let name = format!("log.{:x}", last + ahead);
                fs::write(copy.file(&name), content).expect("the copy is writable");
                let place = format!("{dir}, {name}: {what}");
                let loaded = copy.load_sound();
                let [note] = &loaded.notes[..] else { panic!("{place}: {:?}", loaded.notes) };
                assert!(note.contains(&name), "{place}: {note}");
                assert_seen(&dir, &restore(loaded));
                // The next start finds nothing to tell.
                assert!(!copy.file(&name).exists(), "{place}");
                let again = copy.load_sound();
                assert_eq!(again.notes, Vec::<String>::new(), "{place}");
                assert_seen(&dir, &restore(again));
            }
        }
    }
}

#[test]
fn a_flipped_bit_is_refused_with_file_and_offset() {
    for dir in ["3.8.0/flipped", "3.9.3/flipped"] {
        let copy = DirCopy::of(&sibling(dir, "plain"));
        copy.lay(dir);
        let log = copy.file("log.3a");
        let before = fs::read(&log).expect("it was copied");
        let place = number(&expected(dir)["record"], "offset") as u64;
        // The second start finds what the first one found.
        for _ in 0..2 {
            let error = copy.load().expect_err("no server starts on it");
            let said = error.to_string();
            assert!(said.contains(&log.display().to_string()), "{said}");
            assert!(said.contains(&format!("offset {place}")), "{said}");
            match error {
                StorageError::DamagedLog { file, offset, .. } => {
                    assert_eq!((file, offset), (log.clone(), place), "{dir}");
                }
                other => panic!("{dir}: {other}"),
            }
        }
        assert_eq!(fs::read(&log).expect("it stays"), before, "{dir}");
    }
}

/// Where the first transaction of this type stands in a directory's only log.
fn offset_of(dir: &str, kind: i64) -> u64 {
    let logs = entries("txnlog", dir);
    let mut records = list(&logs[0], "records").iter();
    let record = records.find(|record| record["type"] == kind).expect("there is one");
    number(record, "o") as u64
}

#[test]
fn a_check_by_itself_is_refused_and_what_stands_before_it_is_sound() {
    let dir = "3.8.0/check-alone";
    let copy = DirCopy::of(dir);
    let first_snapshot = bytes("dirs/3.8.0/plain/version-2/snapshot.0");
    fs::write(copy.file("snapshot.0"), first_snapshot).expect("the copy is writable");
    let log: &Path = &copy.file("log.1");
    let place = offset_of(dir, kind::CHECK.into());
    match copy.load().expect_err("no server starts on it") {
        StorageError::UnreadableTxn { file, offset, .. } => {
            assert_eq!((&*file, offset), (log, place));
        }
        other => panic!("{other}"),
    }

    let whole = fs::read(log).expect("it was copied");
    fs::write(log, &whole[..place as usize]).expect("the copy is writable");
    let (db, wrong) = replay(dir, &copy.load_sound());
    assert_eq!(wrong, [Zxid(7)], "a plain node whose digest is that of a container");
    assert!(db.last_applied() > Zxid(7));
}
