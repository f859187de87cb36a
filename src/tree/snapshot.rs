//! The tree as a list of nodes, written while it changes, and read again.
//! (DataTree.serializeNodes, deserialize)
//!
//! A snapshot is written in slices with transactions applied in between, so it is of no single
//! moment; replaying every transaction after its beginning makes it right (TR-2). For that, a
//! node must not stand in it without the parent it was a child of: each node is written before its
//! children, and of the children only those that were there when the parent was written, which
//! their czxid tells. All others are created by the replay.
//!
//! The table of ACLs is written first. A list made later is missing in it; see acl.rs.
//!
//! Not here: the file around it (storage, jute/persist.rs), sessions.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::arena::ROOT;
use super::children::NodeId;
use super::node::Node;
use super::{DataTree, OPEN_ACL_ID};
use crate::base::Zxid;
use crate::base::limits::SNAPSHOT_SLICE_BYTES;
use crate::base::paths;
use crate::jute::data::Acl;
use crate::jute::persist::{NodeRef, SnapshotNode};

/// Why a list of nodes is not a tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    #[error("{0:?} comes before its parent")]
    Orphan(String),
    #[error("{0:?} comes twice")]
    Twice(String),
    #[error("{0:?} is not the path of a node")]
    Path(String),
    #[error("there is no root")]
    NoRoot,
    #[error("{0} is not an id of an ACL")]
    AclId(i64),
}

/// How far the children of a node on the way down are written.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Frame {
    path_len: usize,
    /// The tree's when the node was written: younger children are not of it.
    zxid: Zxid,
    last: Option<Box<str>>,
}

/// Where a snapshot in the making stands. Holds names, not nodes: they may go meanwhile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SnapshotCursor {
    /// Bytes after which a slice ends.
    slice_bytes: usize,
    started: bool,
    /// Of the names and data in the slice that is being made.
    bytes: usize,
    /// Of the innermost frame.
    path: String,
    frames: Vec<Frame>,
}

impl Default for SnapshotCursor {
    fn default() -> SnapshotCursor {
        SnapshotCursor::new()
    }
}

impl SnapshotCursor {
    pub fn new() -> SnapshotCursor {
        SnapshotCursor::of_slices(SNAPSHOT_SLICE_BYTES)
    }

    /// A slice ends once its nodes have so many bytes.
    pub fn of_slices(slice_bytes: usize) -> SnapshotCursor {
        SnapshotCursor {
            slice_bytes,
            started: false,
            bytes: 0,
            path: String::new(),
            frames: Vec::new(),
        }
    }

    /// Every node is written.
    pub fn is_done(&self) -> bool {
        self.started && self.frames.is_empty()
    }
}

impl DataTree {
    /// The lists that nodes refer to, with their ids; the open list is in no table.
    pub fn acl_map(&self) -> Vec<(i64, Vec<Acl>)> {
        self.acls.table().map(|(id, list)| (id, list.to_vec())).collect()
    }

    /// Writes the next nodes, looking at no more than `max_nodes`, and none more once they have
    /// the bytes of a slice. Fewer, even none, is not the end: `cursor.is_done()` is.
    pub fn write_slice(
        &self,
        cursor: &mut SnapshotCursor,
        max_nodes: usize,
        write: &mut impl FnMut(NodeRef<'_>),
    ) {
        let mut budget = max_nodes.max(1);
        if !cursor.started {
            cursor.started = true;
            budget -= 1;
            self.write_node(ROOT, cursor, write);
        }
        cursor.bytes = 0;
        while let Some(frame) = cursor.frames.last() {
            if budget == 0 || cursor.bytes >= cursor.slice_bytes {
                break;
            }
            cursor.path.truncate(frame.path_len);
            match self.find(&cursor.path) {
                Some(parent) => self.write_children(parent, cursor, &mut budget, write),
                None => drop(cursor.frames.pop()),
            }
        }
    }

    /// [`DataTree::write_slice`], into a list.
    pub fn snapshot_slice(
        &self,
        cursor: &mut SnapshotCursor,
        max_nodes: usize,
    ) -> Vec<SnapshotNode> {
        let mut slice = Vec::new();
        self.write_slice(cursor, max_nodes, &mut |node| slice.push(node.to_node()));
        slice
    }

    /// Writes children of the innermost frame's node until one has children of its own, or all
    /// are written.
    fn write_children(
        &self,
        parent: NodeId,
        cursor: &mut SnapshotCursor,
        budget: &mut usize,
        write: &mut impl FnMut(NodeRef<'_>),
    ) {
        let depth = cursor.frames.len();
        let Some(frame) = cursor.frames.last_mut() else { return };
        let (path_len, zxid, after) = (frame.path_len, frame.zxid, frame.last.take());
        let mut last = None;
        let mut ended = true;
        for (name, id) in self.arena.children_after(parent, after.as_deref()) {
            let is_full = *budget == 0 || cursor.bytes >= cursor.slice_bytes;
            if is_full || cursor.frames.len() > depth {
                ended = false;
                break;
            }
            *budget -= 1;
            last = Some(name);
            if self.arena[id].czxid() <= zxid {
                cursor.path.truncate(path_len);
                cursor.path.push('/');
                cursor.path.push_str(name);
                self.write_node(id, cursor, write);
            }
        }
        if ended && cursor.frames.len() == depth {
            cursor.frames.pop();
        } else {
            cursor.frames[depth - 1].last = last.map(Box::from).or(after);
        }
    }

    fn write_node(
        &self,
        id: NodeId,
        cursor: &mut SnapshotCursor,
        write: &mut impl FnMut(NodeRef<'_>),
    ) {
        let node = &self.arena[id];
        if node.child_count() > 0 {
            let path_len = cursor.path.len();
            cursor.frames.push(Frame { path_len, zxid: self.last_processed, last: None });
        }
        cursor.bytes += cursor.path.len() + node.data_len();
        let (data, stat) = (node.data(), node.stat());
        write(NodeRef { path: &cursor.path, data, acl: node.acl, stat });
    }
}

/// Builds a tree: first the ACL table, then the nodes, parents before children.
#[derive(Debug, Default)]
pub struct TreeLoader {
    nodes: usize,
    acls: Vec<(i64, Vec<Acl>)>,
    tree: Option<DataTree>,
    /// Nodes of one parent come one after another.
    parent: Option<(String, NodeId)>,
    /// Nodes from here on are not in the index yet: all at once takes a fraction of the time.
    unindexed: NodeId,
    last: NodeId,
}

impl TreeLoader {
    pub fn new() -> TreeLoader {
        TreeLoader::default()
    }

    /// Of a tree of so many nodes, which saves time.
    pub fn of_nodes(nodes: usize) -> TreeLoader {
        TreeLoader { nodes, ..TreeLoader::default() }
    }

    pub fn add_acl(&mut self, id: i64, list: Vec<Acl>) -> Result<(), LoadError> {
        check_acl_id(id)?;
        self.acls.push((id, list));
        Ok(())
    }

    pub fn add_node(&mut self, node: &NodeRef<'_>) -> Result<(), LoadError> {
        check_acl_id(node.acl)?;
        let path = node.path;
        if path.is_empty() {
            if self.tree.is_some() {
                return Err(LoadError::Twice(path.to_owned()));
            }
            self.tree = Some(self.plant(node));
            return Ok(());
        }
        if self.tree.is_none() {
            return Err(LoadError::NoRoot);
        }
        let Some((parent_path, name)) = paths::split(path).filter(|split| is_named(*split)) else {
            return Err(LoadError::Path(path.to_owned()));
        };
        let parent = match &self.parent {
            Some((path, id)) if path == parent_path => *id,
            _ => match self.find_parent(parent_path) {
                Some(id) => self.parent.insert((parent_path.to_owned(), id)).1,
                None => return Err(LoadError::Orphan(path.to_owned())),
            },
        };
        let tree = self.tree.as_mut().ok_or(LoadError::NoRoot)?;
        if !tree.arena.is_behind_children(parent, name) {
            self.unindexed = tree.arena.index_from(self.unindexed);
            if tree.find(path).is_some() {
                return Err(LoadError::Twice(path.to_owned()));
            }
        }
        tree.acls.refer(node.acl);
        let made = Node::new(name, node.data, node.acl, &node.stat);
        self.last = tree.arena.link(parent, path, made);
        tree.count_in(self.last, path);
        Ok(())
    }

    /// Mostly it is the node that came last, or one above that.
    fn find_parent(&mut self, path: &str) -> Option<NodeId> {
        let arena = &mut self.tree.as_mut()?.arena;
        let mut id = self.last;
        while !arena.has_path(id, path) {
            if id == ROOT {
                self.unindexed = arena.index_from(self.unindexed);
                return arena.find(path);
            }
            id = arena[id].parent;
        }
        Some(id)
    }

    /// The tree, its transactions applied up to `last_processed` or beyond.
    pub fn finish(self, last_processed: Zxid) -> Result<DataTree, LoadError> {
        let mut tree = self.tree.ok_or(LoadError::NoRoot)?;
        tree.arena.index_from(self.unindexed);
        tree.acls.forget_unused();
        tree.ensure_reserved();
        tree.set_up_quotas();
        tree.last_processed = last_processed;
        Ok(tree)
    }

    fn plant(&mut self, node: &NodeRef<'_>) -> DataTree {
        // The lists first: the state digest of a node needs them.
        let mut tree = DataTree::with_root(None, OPEN_ACL_ID);
        tree.arena.reserve(self.nodes);
        self.unindexed = NodeId(ROOT.0 + 1);
        for (id, list) in self.acls.drain(..) {
            tree.acls.load(id, list);
        }
        tree.acls.refer(node.acl);
        tree.change(ROOT, "", |root| {
            root.set_data(node.data);
            root.acl = node.acl;
            root.change_stat(|stat| *stat = node.stat.clone());
        });
        tree
    }
}

/// "//a" is no name of what "/a" names.
pub(super) fn is_named((parent, name): (&str, &str)) -> bool {
    parent != paths::ROOT && !name.is_empty()
}

/// There must be room for another one above it.
fn check_acl_id(id: i64) -> Result<(), LoadError> {
    if (OPEN_ACL_ID..i64::MAX).contains(&id) { Ok(()) } else { Err(LoadError::AclId(id)) }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::splitmix;
    use crate::jute::data::StatPersisted;
    use crate::jute::txn::{CreateTxn, DeleteTxn, Txn, TxnHeader};

    fn node(path: &str, acl: i64) -> NodeRef<'_> {
        NodeRef { path, data: None, acl, stat: StatPersisted::default() }
    }

    fn load(nodes: &[(&str, i64)]) -> Result<DataTree, LoadError> {
        let mut loader = TreeLoader::new();
        for (path, acl) in nodes {
            loader.add_node(&node(path, *acl))?;
        }
        loader.finish(Zxid(5))
    }

    fn paths_of(tree: &DataTree, max_nodes: usize) -> Vec<String> {
        let mut cursor = SnapshotCursor::new();
        let mut paths = Vec::new();
        while !cursor.is_done() {
            paths.extend(tree.snapshot_slice(&mut cursor, max_nodes).into_iter().map(|n| n.path));
        }
        paths
    }

    #[test]
    fn a_slice_of_large_nodes_ends_early() {
        let mut tree = DataTree::new();
        for n in 1..=5 {
            let data = Some(Bytes::from(vec![7; SNAPSHOT_SLICE_BYTES / 2]));
            let header = TxnHeader { zxid: Zxid(n), ..TxnHeader::default() };
            let (path, acl) = (format!("/n{n}"), Some(Acl::open()));
            let create = CreateTxn { path, data, acl, ephemeral: false, parent_cversion: -1 };
            tree.apply(&header, &Txn::Create(create));
        }
        let mut cursor = SnapshotCursor::new();
        let mut sizes = Vec::new();
        while !cursor.is_done() {
            let slice = tree.snapshot_slice(&mut cursor, 512);
            sizes.push(slice.iter().filter(|node| node.path.starts_with("/n")).count());
        }
        assert_eq!(sizes, [2, 2, 1]);
    }

    #[test]
    fn slices_of_any_size_give_every_node_once_and_parents_first() {
        let tree =
            load(&[("", -1), ("/b", -1), ("/a", -1), ("/a/y", -1), ("/a/x", -1), ("/a/x/z", -1)])
                .expect("the list is a tree");
        let want = [
            "",
            "/a",
            "/a/x",
            "/a/x/z",
            "/a/y",
            "/b",
            "/zookeeper",
            "/zookeeper/config",
            "/zookeeper/quota",
        ];
        for max_nodes in [1, 2, 3, 100] {
            assert_eq!(paths_of(&tree, max_nodes), want, "{max_nodes}");
        }
    }

    #[test]
    fn children_younger_than_their_written_parent_are_left_to_the_replay() {
        let mut tree = DataTree::new();
        let apply = |tree: &mut DataTree, zxid, txn| {
            tree.apply(&TxnHeader { zxid: Zxid(zxid), ..TxnHeader::default() }, &txn);
        };
        let create = |path: &str, parent_cversion| {
            Txn::Create(CreateTxn { path: path.into(), parent_cversion, ..CreateTxn::default() })
        };
        let delete = |path: &str| Txn::Delete(DeleteTxn { path: path.into() });
        for (zxid, path, parent_cversion) in [(1, "/a", 1), (2, "/a/b", 1), (3, "/a/c", 2)] {
            apply(&mut tree, zxid, create(path, parent_cversion));
        }
        let mut cursor = SnapshotCursor::new();
        let written = tree.snapshot_slice(&mut cursor, 2);
        assert_eq!(written.last().map(|node| &*node.path), Some("/a"));
        for (zxid, txn) in [
            (4, delete("/a/b")),
            (5, delete("/a/c")),
            (6, delete("/a")),
            (7, create("/a", 2)),
            (8, create("/a/b", 1)),
            (9, create("/b", 3)),
        ] {
            apply(&mut tree, zxid, txn);
        }
        let rest = tree.snapshot_slice(&mut cursor, 100);
        let rest: Vec<&str> = rest.iter().map(|node| &*node.path).collect();
        assert_eq!(rest, ["/zookeeper", "/zookeeper/config", "/zookeeper/quota"]);
        assert!(cursor.is_done());
    }

    #[test]
    fn a_list_that_is_no_tree_is_refused() {
        let failure = |nodes: &[(&str, i64)]| load(nodes).expect_err("the list is not a tree");
        assert_eq!(failure(&[]), LoadError::NoRoot);
        assert_eq!(failure(&[("/a", -1)]), LoadError::NoRoot);
        assert_eq!(failure(&[("", -1), ("", -1)]), LoadError::Twice("".into()));
        assert_eq!(failure(&[("", -1), ("/a", -1), ("/a", -1)]), LoadError::Twice("/a".into()));
        assert_eq!(failure(&[("", -1), ("/a/b", -1)]), LoadError::Orphan("/a/b".into()));
        assert_eq!(failure(&[("", -1), ("a", -1)]), LoadError::Path("a".into()));
        assert_eq!(failure(&[("", -1), ("/", -1)]), LoadError::Path("/".into()));
        assert_eq!(failure(&[("", -1), ("//a", -1)]), LoadError::Path("//a".into()));
        assert_eq!(failure(&[("", i64::MAX)]), LoadError::AclId(i64::MAX));
        assert_eq!(failure(&[("", -2)]), LoadError::AclId(-2));
    }

    #[test]
    fn parents_first_is_all_that_the_order_of_a_list_must_be() {
        let paths = ["", "/a", "/a/x", "/a/x/a", "/a/x/b", "/a/y", "/ab", "/b", "/b/x", "/b/x/a"];
        let want = load(&paths.map(|path| (path, -1))).expect("the list is a tree");
        let mut state = 1;
        for _ in 0..300 {
            let mut left = paths[1..].to_vec();
            let mut mixed = vec![("", -1)];
            while !left.is_empty() {
                let at = splitmix::next(&mut state) as usize % left.len();
                let (parent, _) = paths::split(left[at]).expect("a path has a slash");
                if mixed.iter().any(|(path, _)| *path == parent) {
                    mixed.push((left.remove(at), -1));
                }
            }
            let tree = load(&mixed).expect("parents come first");
            assert_eq!(paths_of(&tree, 100), paths_of(&want, 100), "{mixed:?}");
            assert_eq!(tree.state_digest(), want.state_digest());
            tree.audit_below();
            assert!(paths.iter().all(|path| tree.find(path).is_some()), "{mixed:?}");
            let again = mixed[splitmix::next(&mut state) as usize % mixed.len()];
            mixed.push(again);
            let twice = load(&mixed).expect_err("a node comes twice");
            assert_eq!(twice, LoadError::Twice(again.0.into()), "{mixed:?}");
        }
    }

    #[test]
    fn an_unknown_list_admits_nobody_and_its_id_is_not_used_again() {
        let tree = load(&[("", -1), ("/a", 7)]).expect("the list is a tree");
        assert!(!tree.check_acl("/a", crate::jute::data::perms::READ, &[]));
        assert!(tree.get_acl("/a").is_err());
        // The list of /zookeeper/config, made after loading.
        assert_eq!(tree.acl_map().into_iter().map(|(id, _)| id).collect::<Vec<_>>(), [8]);
    }

    #[test]
    fn a_loaded_tree_is_at_the_zxid_it_was_told_and_has_all_reserved_nodes() {
        let tree = load(&[("", -1)]).expect("the list is a tree");
        assert_eq!(tree.last_processed(), Zxid(5));
        assert_eq!(tree.node_count(), 5);
        assert_eq!(tree.audit_digests(), (tree.digest(), tree.state_digest()));
        tree.audit_below();
    }
}
