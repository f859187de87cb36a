//! The znodes, and what a transaction does to them. (DataTree, DataNode)
//!
//! What the nodes hold follows from the transactions applied and from nothing else: time, zxid and
//! versions come with them, so every replica at a zxid holds the same nodes (S-16). What each
//! server adds of its own stands apart: the node /zookeeper/config, the usage of quotas, and the
//! rules by which it judges ACLs. None of them counts in the state digest.
//!
//!     arena.rs     nodes in one slab; a name stands once, in its node; paths nowhere
//!     node.rs      one node in as few bytes as it needs
//!     children.rs  a node's children in the order of their names
//!     index.rs     from a path to a node
//!     acl.rs       ACL lists interned under ids
//!     acl_list.rs  whether a list lets somebody pass
//!     acl_rules.rs which schemes a list may use
//!     digest.rs    Apache's tree digest (version 2), and one that covers ACLs too
//!     apply.rs     apply(txn): the rules, also for a transaction whose effect is there already
//!     snapshot.rs  written in slices between transactions, and loaded again
//!     quota.rs     which subtrees have a quota, and what its nodes say
//!     usage.rs     how much is in them
//!
//! TR-1  both digests equal those computed anew from all nodes, after every call
//! TR-2  a snapshot begun at zxid z, loaded and followed by every transaction after z, is the tree
//! TR-3  the zxid last processed moves only when a transaction is applied as a whole
//! TR-4  an id of an ACL is never given to another list while a node refers to it (ZOOKEEPER-4689)
//! TR-5  what a node has below itself, and the names of its children, are counted with it: nobody
//!       walks a subtree to know how much is in it
//!
//! An owner of 0xFF in its highest byte marks a TTL node whether or not new ones may be made: no
//! server may therefore have the id 255.
//!
//! Not here: who may do what (`prepare` decides before a transaction exists), sessions, and
//! watches (server/watches): they belong to the connections of one server. `Applied` says what a
//! transaction changed, with the ACL lists that decide who may hear of it.

mod acl;
mod acl_list;
mod acl_rules;
mod apply;
mod arena;
mod children;
mod digest;
mod index;
mod node;
mod owner;
mod quota;
mod read;
mod snapshot;
mod usage;

#[cfg(test)]
mod apply_test;
#[cfg(test)]
mod replay_test;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::paths;
use crate::base::{SessionId, Zxid};
use crate::jute::data::{Acl, Id, StatPersisted, perms};

use acl::AclCache;
pub use acl::OPEN_ACL_ID;
pub use acl_list::{AclList, AskedLists};
pub use acl_rules::{AclRules, Unfit, entry_bytes};
pub use apply::{Applied, Change, EventAcls, Outcome, created_stat};
use arena::{Arena, ROOT};
use children::{Below, NodeId};
pub use digest::{DIGEST_VERSION, node_digest};
use node::Node;
pub use owner::Owner;
use quota::QuotaPaths;
pub use quota::StatsTrack;
pub use read::{ChildNames, Ephemerals, NodeView};
pub use snapshot::{LoadError, SnapshotCursor, TreeLoader};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DataTree {
    arena: Arena,
    acls: AclCache,
    acl_rules: AclRules,
    /// Paths, as Apache keeps them: there are few, and a node does not know its own path.
    ephemerals: BTreeMap<SessionId, BTreeSet<Box<str>>>,
    containers: BTreeSet<Box<str>>,
    ttls: BTreeSet<Box<str>>,
    quotas: QuotaPaths,
    last_processed: Zxid,
    digest: u64,
    state_digest: u64,
    data_size: i64,
}

impl Default for DataTree {
    fn default() -> DataTree {
        DataTree::new()
    }
}

impl DataTree {
    /// The tree of an ensemble that has done nothing yet.
    pub fn new() -> DataTree {
        let mut tree = DataTree::with_root(Some(b""), OPEN_ACL_ID);
        tree.ensure_reserved();
        tree
    }

    fn with_root(data: Option<&[u8]>, acl: i64) -> DataTree {
        let mut arena = Arena::default();
        arena.plant(Node::new("", data, acl, &StatPersisted::default()));
        let mut tree = DataTree {
            arena,
            acls: AclCache::default(),
            acl_rules: AclRules::default(),
            ephemerals: BTreeMap::new(),
            containers: BTreeSet::new(),
            ttls: BTreeSet::new(),
            quotas: QuotaPaths::default(),
            last_processed: Zxid::ZERO,
            digest: 0,
            state_digest: 0,
            data_size: 0,
        };
        tree.acls.refer(acl);
        // Apache keeps the root under both its names, and counts both.
        tree.data_size = paths::ROOT.len() as i64 + tree.data_len(ROOT);
        tree.add_digest(ROOT, "");
        tree
    }

    /// Makes the service's own nodes where they are missing (a tree of before 3.5 has no config).
    fn ensure_reserved(&mut self) {
        let readable =
            [Acl { perms: perms::READ, id: Id { scheme: "world".into(), id: "anyone".into() } }];
        for (path, acl) in
            [(paths::ZOOKEEPER, None), (paths::QUOTA, None), (paths::CONFIG, Some(&readable[..]))]
        {
            if self.find(path).is_some() {
                continue;
            }
            let (parent, name) = paths::split(path).expect("the reserved paths have a slash");
            let parent = self.find(parent).expect("a reserved parent comes before its children");
            let acl = self.acls.intern(acl);
            // Apache gives the config node its list by a setACL that says version -1.
            let aversion = if path == paths::CONFIG { -1 } else { 0 };
            let stat = StatPersisted { aversion, ..StatPersisted::default() };
            self.attach(parent, path, Node::new(name, Some(b""), acl, &stat));
        }
    }

    /// Writes a server's own list of members into /zookeeper/config. No transaction does that: it
    /// counts in no digest and nobody is told. (ZKDatabase.initConfigInZKDatabase)
    ///
    /// Apache's mtime is the time of this moment; here it is the beginning of time, like ctime, so
    /// that two servers with one configuration show one node.
    pub fn set_config(&mut self, text: Bytes, version: Zxid) {
        // The loader makes a missing one, and no transaction may delete it.
        let Some(id) = self.find(paths::CONFIG) else { return };
        self.change(id, paths::CONFIG, |node| {
            node.set_data(Some(&text));
            node.change_stat(|stat| {
                stat.mzxid = version;
                stat.mtime = 0;
                stat.version = -1;
            });
        });
    }

    pub fn last_processed(&self) -> Zxid {
        self.last_processed
    }

    /// Apache's tree digest, version 2: what a TxnDigest and a snapshot's digest block hold.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Covers all nodes with their ACL lists by value, except those that are each server's own:
    /// /zookeeper/config and the usage of quotas. Equal trees have equal digests, whatever their
    /// history.
    pub fn state_digest(&self) -> u64 {
        self.state_digest
    }

    /// The node of this path; the root is "" or "/".
    fn find(&self, path: &str) -> Option<NodeId> {
        self.arena.find(path)
    }

    fn data_len(&self, id: NodeId) -> i64 {
        self.arena[id].data_len() as i64
    }

    /// Changes one node, and both digests and the data size with it.
    fn change<R>(&mut self, id: NodeId, path: &str, change: impl FnOnce(&mut Node) -> R) -> R {
        self.subtract_digest(id, path);
        let before = self.data_len(id);
        let result = change(&mut self.arena[id]);
        let bytes = self.data_len(id) - before;
        self.data_size += bytes;
        if bytes != 0 {
            self.arena.add_below(id, Below { nodes: 0, bytes });
        }
        self.add_digest(id, path);
        result
    }

    fn set_acl_id(&mut self, id: NodeId, path: &str, acl: i64) {
        let before = self.change_acl_id(id, path, acl);
        self.acls.release(before);
    }

    fn change_acl_id(&mut self, id: NodeId, path: &str, acl: i64) -> i64 {
        self.change(id, path, |node| std::mem::replace(&mut node.acl, acl))
    }

    /// Puts a node below its parent. The reference to its ACL is the caller's to have taken.
    fn attach(&mut self, parent: NodeId, path: &str, node: Node) -> NodeId {
        let id = self.arena.insert(parent, path, node);
        self.count_in(id, path);
        id
    }

    /// Counts a node that has just come.
    fn count_in(&mut self, id: NodeId, path: &str) {
        self.register_owner(path, self.arena[id].owner_bits());
        self.arena.add_below(id, self.arena[id].with_below());
        self.data_size += path_size(path) + self.data_len(id);
        self.add_digest(id, path);
    }

    /// Takes a node out, with whatever is below it. Only in a replay over a snapshot that was
    /// written meanwhile can there be anything: nodes whose creation is yet to come.
    fn detach(&mut self, id: NodeId, path: &str) {
        self.arena.add_below(id, self.arena[id].with_below().negated());
        self.arena.unlink(id);
        let mut doomed = vec![(id, path.to_owned())];
        while let Some((id, path)) = doomed.pop() {
            self.subtract_digest(id, &path);
            self.data_size -= path_size(&path) + self.data_len(id);
            let below = self.arena.children(id).map(|(name, id)| (id, paths::join(&path, name)));
            doomed.extend(below);
            let node = self.arena.remove(id);
            self.acls.release(node.acl);
            self.unregister_owner(&path, node.owner_bits());
            self.charge_deleted(&path, node.data_len() as i64);
        }
    }

    fn register_owner(&mut self, path: &str, owner: i64) {
        match Owner::of(owner) {
            Owner::Nobody => {}
            Owner::Container => {
                self.containers.insert(path.into());
            }
            Owner::Ttl(_) => {
                self.ttls.insert(path.into());
            }
            Owner::Session(session) => {
                self.ephemerals.entry(session).or_default().insert(path.into());
            }
        }
    }

    fn unregister_owner(&mut self, path: &str, owner: i64) {
        match Owner::of(owner) {
            Owner::Nobody => {}
            Owner::Container => {
                self.containers.remove(path);
            }
            Owner::Ttl(_) => {
                self.ttls.remove(path);
            }
            Owner::Session(session) => {
                if let Some(paths) = self.ephemerals.get_mut(&session) {
                    paths.remove(path);
                    if paths.is_empty() {
                        self.ephemerals.remove(&session);
                    }
                }
            }
        }
    }

    /// Takes a node's part into both digests, after a change. Computes its CRC anew.
    fn add_digest(&mut self, id: NodeId, path: &str) {
        let node = &mut self.arena[id];
        node.crc = digest::node_crc(path, node.data(), &node.stat());
        let (tree, state) = self.contribution(id, path);
        self.digest = self.digest.wrapping_add(tree);
        self.state_digest = self.state_digest.wrapping_add(state);
    }

    fn subtract_digest(&mut self, id: NodeId, path: &str) {
        let (tree, state) = self.contribution(id, path);
        self.digest = self.digest.wrapping_sub(tree);
        self.state_digest = self.state_digest.wrapping_sub(state);
    }

    /// A node's part in the digest and in the state digest, from its stored CRC.
    fn contribution(&self, id: NodeId, path: &str) -> (u64, u64) {
        let node = &self.arena[id];
        let tree = if digest::is_excluded(path) { 0 } else { node.crc.into() };
        let state = if digest::is_servers_own(path) {
            0
        } else {
            digest::state_hash(node.crc, node.data().is_some(), self.acls.hash_of(node.acl))
        };
        (tree, state)
    }
}

/// What a path weighs in the approximate data size: Java's count of characters.
fn path_size(path: &str) -> i64 {
    if path.is_ascii() { path.len() as i64 } else { path.encode_utf16().count() as i64 }
}
