//! Texts of quota nodes, and usage as transactions change it.

use bytes::Bytes;

use super::*;
use crate::base::Zxid;
use crate::jute::txn::{CreateTxn, DeleteTxn, SetDataTxn, Txn, TxnHeader};
use crate::tree::{DataTree, SnapshotCursor, TreeLoader};

const LIMITS: &str = "/zookeeper/quota/a/zookeeper_limits";
const STATS: &str = "/zookeeper/quota/a/zookeeper_stats";

#[derive(Default)]
struct World {
    tree: DataTree,
    zxid: i64,
}

impl World {
    /// /a with 4 bytes and a child of 2, and the quota nodes as the command line makes them.
    fn with_quota() -> World {
        let mut world = World::default();
        world.create("/a", "four");
        world.create("/a/x", "22");
        world.create("/zookeeper/quota/a", "");
        world.create(LIMITS, "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=5");
        world.create(STATS, "count=0,bytes=0");
        world
    }

    fn apply(&mut self, txn: Txn) {
        self.zxid += 1;
        let header = TxnHeader { zxid: Zxid(self.zxid), ..TxnHeader::default() };
        self.tree.apply(&header, &txn);
        let tree = &self.tree;
        assert_eq!(tree.audit_digests(), (tree.digest(), tree.state_digest()), "QT-1, TR-1");
        tree.audit_below();
    }

    fn create(&mut self, path: &str, data: &'static str) {
        let data = Some(Bytes::from_static(data.as_bytes()));
        let parent_cversion = self.zxid as i32 + 1;
        self.apply(Txn::Create(CreateTxn {
            path: path.into(),
            data,
            parent_cversion,
            ..CreateTxn::default()
        }));
    }

    fn delete(&mut self, path: &str) {
        self.apply(Txn::Delete(DeleteTxn { path: path.into() }));
    }

    fn set(&mut self, path: &str, data: Option<&'static str>) {
        let data = data.map(|data| Bytes::from_static(data.as_bytes()));
        self.apply(Txn::SetData(SetDataTxn { path: path.into(), data, version: 1 }));
    }

    fn reload(&mut self) {
        let mut cursor = SnapshotCursor::new();
        let mut loader = TreeLoader::new();
        for (id, list) in self.tree.acl_map() {
            loader.add_acl(id, list).expect("the tree's own");
        }
        while !cursor.is_done() {
            for node in self.tree.snapshot_slice(&mut cursor, 3) {
                loader.add_node(&node.as_node_ref()).expect("the tree's own");
            }
        }
        self.tree = loader.finish(Zxid(self.zxid)).expect("the tree's own");
    }
}

#[track_caller]
fn assert_usage(world: &World, path: &str, usage: &str) {
    let text = world.tree.quota_usage(path).expect("the quota has a stats node");
    assert_eq!(String::from_utf8_lossy(&text), usage);
}

#[test]
fn limits_of_every_age_are_read() {
    let read = |text: &str| {
        let track = StatsTrack::parse(text.as_bytes())?;
        Some((track.count(), track.bytes(), track.count_hard_limit(), track.byte_hard_limit()))
    };
    assert_eq!(read("count=4,bytes=5"), Some((4, 5, -1, -1)), "two fields, as of before 3.7");
    let hard = "count=4,bytes=5=;byteHardLimit=6;countHardLimit=7";
    assert_eq!(read(hard), Some((4, 5, 7, 6)));
    assert_eq!(
        read("byteHardLimit=6;;,count==3,,"),
        Some((-1, -1, -1, 6)),
        "any order, any separator"
    );
    assert_eq!(read(""), Some((-1, -1, -1, -1)));
    assert_eq!(read(",;"), Some((-1, -1, -1, -1)));
    for text in ["count", "count=", "count=x", ",count=1", "=", "count=99999999999999999999"] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn a_text_is_written_as_old_readers_need_it() {
    let written = |text: &str| StatsTrack::parse(text.as_bytes()).map(|track| track.to_string());
    let hard = "count=4,bytes=5=;byteHardLimit=6;countHardLimit=7";
    assert_eq!(written(hard).as_deref(), Some(hard));
    assert_eq!(written("bytes=5;count=4").as_deref(), Some("count=4,bytes=5"));
    assert_eq!(written("").as_deref(), Some("count=-1,bytes=-1"));
    assert_eq!(written("z=1").as_deref(), Some("count=-1,bytes=-1=;z=1"));
}

#[test]
fn a_new_stats_node_holds_what_is_there_whatever_the_client_wrote() {
    assert_usage(&World::with_quota(), "/a", "count=2,bytes=6");
}

#[test]
fn every_kind_of_change_below_the_path_and_no_other_is_charged() {
    let mut world = World::with_quota();
    world.create("/a/x/y", "333");
    assert_usage(&world, "/a", "count=3,bytes=9");
    world.set("/a", None);
    assert_usage(&world, "/a", "count=3,bytes=5");
    world.set("/a/x", Some("55555"));
    assert_usage(&world, "/a", "count=3,bytes=8");
    world.delete("/a/x/y");
    assert_usage(&world, "/a", "count=2,bytes=5");
    world.create("/b", "not below");
    world.create("/ab", "not below");
    world.create("/a/x", "is there");
    world.delete("/a/gone");
    assert_usage(&world, "/a", "count=2,bytes=5");
}

#[test]
fn a_charge_leaves_the_stat_of_the_stats_node_alone() {
    let mut world = World::with_quota();
    let before = world.tree.exists(STATS).expect("it is there");
    world.create("/a/long", "0123456789");
    let after = world.tree.exists(STATS).expect("it is there");
    assert_eq!((after.mzxid, after.version, after.mtime), (before.mzxid, 0, before.mtime));
    assert_eq!(after.data_length, before.data_length + 1, "bytes=16");
}

#[test]
fn without_limits_nothing_is_charged() {
    let mut world = World::with_quota();
    world.delete(LIMITS);
    world.create("/a/z", "z");
    assert_usage(&world, "/a", "count=2,bytes=6");
    assert_eq!(world.tree.quota_of("/a/z"), None);
    world.create(LIMITS, "count=1,bytes=1");
    world.delete("/a/z");
    assert_usage(&world, "/a", "count=1,bytes=5");
}

#[test]
fn the_longest_path_is_charged() {
    let mut world = World::with_quota();
    world.create("/zookeeper/quota/a/x", "");
    world.create("/zookeeper/quota/a/x/zookeeper_limits", "count=9,bytes=9");
    world.create("/zookeeper/quota/a/x/zookeeper_stats", "");
    world.create("/a/x/y", "1");
    assert_usage(&world, "/a/x", "count=2,bytes=3");
    assert_usage(&world, "/a", "count=2,bytes=6");
    assert_eq!(world.tree.quota_of("/a/x/y"), Some("/a/x"));
    assert_eq!(world.tree.quota_of("/a/xy"), Some("/a"));
    assert_eq!(world.tree.quota_of("/"), None);
}

#[test]
fn loading_finds_the_quotas_and_counts_anew() {
    let mut world = World::with_quota();
    world.set(STATS, Some("count=70,bytes=80"));
    world.create("/a/z", "z");
    assert_usage(&world, "/a", "count=71,bytes=81");
    let (tree, state) = (world.tree.digest(), world.tree.state_digest());
    world.reload();
    assert_usage(&world, "/a", "count=3,bytes=7");
    assert_eq!((world.tree.digest(), world.tree.state_digest()), (tree, state), "QT-1");
    world.delete("/a/z");
    assert_usage(&world, "/a", "count=2,bytes=6");
}

#[test]
fn a_text_that_is_no_usage_is_left_alone() {
    let mut world = World::with_quota();
    world.set(STATS, Some("no numbers"));
    world.create("/a/z", "z");
    assert_usage(&world, "/a", "no numbers");
}

#[test]
fn the_root_has_no_quota() {
    let mut world = World::default();
    world.create("/zookeeper/quota/zookeeper_limits", "count=1,bytes=1");
    world.create("/a", "");
    assert_eq!(world.tree.quota_of("/a"), None);
    world.reload();
    assert_eq!(world.tree.quota_of("/a"), None);
}

/// Each new stats node used to be counted for by a walk through all that it covers.
#[test]
fn stats_nodes_may_come_and_go_over_a_large_subtree() {
    let mut world = World::with_quota();
    let create = |path: String| {
        let data = Some(Bytes::from_static(b"four"));
        Txn::Create(CreateTxn { path, data, ..CreateTxn::default() })
    };
    let apply = |world: &mut World, txn: &Txn| {
        world.zxid += 1;
        let header = TxnHeader { zxid: Zxid(world.zxid), ..TxnHeader::default() };
        world.tree.apply(&header, txn);
    };
    for n in 0..30_000 {
        apply(&mut world, &create(format!("/a/x/{n}")));
    }
    let (make, delete) = (create(STATS.into()), Txn::Delete(DeleteTxn { path: STATS.into() }));
    for _ in 0..30_000 {
        apply(&mut world, &delete);
        apply(&mut world, &make);
    }
    let usage = world.tree.quota_usage("/a").expect("it is there");
    assert_eq!(usage, "count=30002,bytes=120006");
    for _ in 0..100_000 {
        assert_eq!(world.tree.all_children_number("/a"), Ok(30_001));
    }
    world.tree.audit_below();
}

/// Every write below the path reads both texts: one of a MiB would be read for a write of 50 bytes.
#[test]
fn a_text_that_is_longer_than_a_quota_is_none() {
    let padded = |bytes: usize| format!("count=1,bytes=2{}", ",".repeat(bytes - 15)).into_bytes();
    assert_eq!(StatsTrack::parse(&padded(512)).map(|track| track.count()), Some(1));
    assert_eq!(StatsTrack::parse(&padded(513)), None);
}
