//! Where the nodes live: a slab, and ids into it.
//!
//! A name stands once, in its node; a path nowhere. The index finds a node by its path, and a node
//! knows its parent. An id is used again after its node is gone, so none outlives the call that
//! found it.
//!
//! A clone shares all nodes with its original. Whichever of the two changes a node first copies
//! the chunk that the node is in, so a clone costs one count for each chunk.
//!
//! Stored is the tree, not the slab: each node before its children, and these in the order of their
//! names. Two slabs that hold one tree under different ids are stored as the same bytes.

use std::array;
use std::ops::{Index, IndexMut};
use std::rc::Rc;

use bytes::Bytes;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};

use super::children::{Below, Children, NodeId};
use super::index;
use super::node::Node;
use crate::base::paths;
use crate::jute::data::StatPersisted;
use crate::jute::text_bytes;

/// The first node of every arena: it is never removed.
pub(super) const ROOT: NodeId = NodeId(0);

/// Nodes that are copied together when a shared one changes.
const CHUNK_NODES: usize = 32;

type Chunk = [Option<Node>; CHUNK_NODES];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Vec<StoredNode>")]
pub(super) struct Arena {
    chunks: Vec<Rc<Chunk>>,
    /// Ids that were given out, used ones and free ones.
    given: u32,
    free: Vec<NodeId>,
    /// Of all but the root.
    index: index::Index,
}

impl Arena {
    /// Of a tree that has no other node.
    pub(super) fn plant(&mut self, root: Node) {
        let id = self.put(root);
        assert_eq!(id, ROOT, "the first node is the root");
    }

    /// So many nodes are to come.
    pub(super) fn reserve(&mut self, nodes: usize) {
        self.index.reserve(nodes);
    }

    /// Puts a node below its parent, where none has its name. It has no children.
    pub(super) fn insert(&mut self, parent: NodeId, path: &str, node: Node) -> NodeId {
        let id = self.link(parent, path, node);
        let Arena { chunks, index, .. } = self;
        index.insert(node_in(chunks, id).hash, id, |id| node_in(chunks, id).hash);
        id
    }

    /// [`Arena::insert`], but for the index: nobody finds the node before `index_from`.
    pub(super) fn link(&mut self, parent: NodeId, path: &str, mut node: Node) -> NodeId {
        (node.hash, node.parent) = (self.index.hash(path), parent);
        let text_bytes = text_bytes(node.name());
        let id = self.put(node);
        self.change_children(parent, |children, arena| {
            let name = arena[id].name_bytes();
            children.insert(id, |other| arena[other].name_bytes() < name);
            children.text_bytes += text_bytes;
        });
        id
    }

    /// Puts all nodes from this id on into the index, where none of them is yet. Returns the id that
    /// the next node gets.
    pub(super) fn index_from(&mut self, first: NodeId) -> NodeId {
        let Arena { chunks, given, index, .. } = self;
        let hash_of = |id| node_in(chunks, id).hash;
        index.insert_all((first.0..*given).map(NodeId), hash_of);
        NodeId(*given)
    }

    /// Whether this name comes behind those of all children: then none of them has it.
    pub(super) fn is_behind_children(&self, parent: NodeId, name: &str) -> bool {
        let last = self[parent].children().and_then(Children::last);
        last.is_none_or(|last| self[last].name_bytes() < name.as_bytes())
    }

    /// Takes a node out of its parent's children, that is still there itself.
    pub(super) fn unlink(&mut self, id: NodeId) {
        let text_bytes = text_bytes(self[id].name());
        let parent = self[id].parent;
        self.change_children(parent, |children, arena| {
            let name = arena[id].name_bytes();
            children.remove(id, |other| arena[other].name_bytes() < name);
            children.text_bytes -= text_bytes;
        });
        if self[parent].child_count() == 0 {
            *self[parent].children_slot() = None;
        }
    }

    fn change_children(&mut self, parent: NodeId, change: impl FnOnce(&mut Children, &Arena)) {
        let mut children = self[parent].children_slot().take().unwrap_or_default();
        change(Rc::make_mut(&mut children), self);
        *self[parent].children_slot() = Some(children);
    }

    /// A node that was unlinked, or whose parent is gone.
    pub(super) fn remove(&mut self, id: NodeId) -> Node {
        let node = self.slot_mut(id).take().expect("an id names a live node");
        self.index.remove(node.hash, id);
        self.free.push(id);
        node
    }

    /// The node of this path; the root is "" or "/".
    pub(super) fn find(&self, path: &str) -> Option<NodeId> {
        if path.is_empty() || path == paths::ROOT {
            return Some(ROOT);
        }
        let hash = self.index.hash(path);
        self.index.find(hash, |id| self[id].hash == hash && self.has_path(id, path))
    }

    pub(super) fn has_path(&self, mut id: NodeId, path: &str) -> bool {
        let mut rest = path.as_bytes();
        while id != ROOT {
            let node = &self[id];
            match rest.strip_suffix(node.name_bytes()).and_then(|rest| rest.strip_suffix(b"/")) {
                Some(before) => rest = before,
                None => return false,
            }
            id = node.parent;
        }
        rest.is_empty()
    }

    /// There is more below every node above this one, or less.
    pub(super) fn add_below(&mut self, mut id: NodeId, more: Below) {
        while id != ROOT {
            id = self[id].parent;
            self[id].add_below(more);
        }
    }

    /// The children in the order of their names.
    pub(super) fn children(
        &self,
        id: NodeId,
    ) -> impl DoubleEndedIterator<Item = (&str, NodeId)> + use<'_> {
        self[id].child_ids().map(|id| (self[id].name(), id))
    }

    /// The children whose names come after this one; all of them for `None`.
    pub(super) fn children_after<'a>(
        &'a self,
        id: NodeId,
        name: Option<&str>,
    ) -> impl Iterator<Item = (&'a str, NodeId)> + use<'a> {
        let children = self[id].children();
        let ids = children.map(|children| {
            let is_before =
                |id: NodeId| name.is_some_and(|name| self[id].name_bytes() <= name.as_bytes());
            let place = if name.is_some() { children.place_of(is_before) } else { (0, 0) };
            children.ids_from(place)
        });
        ids.into_iter().flatten().map(|id| (self[id].name(), id))
    }

    pub(super) fn len(&self) -> usize {
        self.given as usize - self.free.len()
    }

    fn put(&mut self, node: Node) -> NodeId {
        let id = self.free.pop().unwrap_or_else(|| self.next_id());
        *self.slot_mut(id) = Some(node);
        id
    }

    fn next_id(&mut self) -> NodeId {
        let id = NodeId(self.given);
        self.given = self.given.checked_add(1).expect("memory ends before 2^32 nodes");
        if place_of(id).0 == self.chunks.len() {
            self.chunks.push(Rc::new(array::from_fn(|_| None)));
        }
        id
    }

    fn slot_mut(&mut self, id: NodeId) -> &mut Option<Node> {
        let (chunk, at) = place_of(id);
        &mut Rc::make_mut(&mut self.chunks[chunk])[at]
    }
}

/// The chunk, and the place in it.
fn place_of(id: NodeId) -> (usize, usize) {
    (id.0 as usize / CHUNK_NODES, id.0 as usize % CHUNK_NODES)
}

fn node_in(chunks: &[Rc<Chunk>], id: NodeId) -> &Node {
    let (chunk, at) = place_of(id);
    chunks[chunk][at].as_ref().expect("an id names a live node")
}

impl Index<NodeId> for Arena {
    type Output = Node;
    fn index(&self, id: NodeId) -> &Node {
        node_in(&self.chunks, id)
    }
}

impl IndexMut<NodeId> for Arena {
    fn index_mut(&mut self, id: NodeId) -> &mut Node {
        self.slot_mut(id).as_mut().expect("an id names a live node")
    }
}

/// Name, number of children, and the node; its children follow, each with its own behind it.
type StoredNode = (Box<str>, usize, StoredContent);

#[derive(Serialize, Deserialize)]
struct StoredContent {
    data: Option<Bytes>,
    stat: StatPersisted,
    acl: i64,
    crc: u32,
}

impl Serialize for Arena {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut nodes = to.serialize_seq(Some(self.len()))?;
        let mut next = vec![ROOT];
        while let Some(id) = next.pop() {
            let node = &self[id];
            let (data, stat) = (node.data_to_keep(), node.stat());
            let content = StoredContent { data, stat, acl: node.acl, crc: node.crc };
            nodes.serialize_element(&(node.name(), node.child_count(), content))?;
            next.extend(node.child_ids().rev());
        }
        nodes.end()
    }
}

impl TryFrom<Vec<StoredNode>> for Arena {
    type Error = &'static str;

    fn try_from(nodes: Vec<StoredNode>) -> Result<Arena, &'static str> {
        let mut arena = Arena::default();
        // Nodes on the way down, how long their paths are, and how many children are still to come.
        let mut parents: Vec<(NodeId, usize, usize)> = Vec::new();
        let mut path = String::new();
        for (name, children, StoredContent { data, stat, acl, crc }) in nodes {
            let mut node = Node::new(&name, data.as_deref(), acl, &stat);
            node.crc = crc;
            let id = match parents.last_mut() {
                Some((parent, path_len, missing)) => {
                    path.truncate(*path_len);
                    path.push('/');
                    path.push_str(&name);
                    if arena.find(&path).is_some() {
                        return Err("two children have one name");
                    }
                    *missing -= 1;
                    let id = arena.insert(*parent, &path, node);
                    arena.add_below(id, arena[id].with_below());
                    id
                }
                None if arena.len() == 0 => {
                    arena.plant(node);
                    ROOT
                }
                None => return Err("there are two roots"),
            };
            if children > 0 {
                parents.push((id, path.len(), children));
            }
            while parents.pop_if(|(.., missing)| *missing == 0).is_some() {}
        }
        match parents.is_empty() && arena.len() > 0 {
            true => Ok(arena),
            false => Err("nodes are missing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, data: &str) -> Node {
        Node::new(name, Some(data.as_bytes()), 0, &StatPersisted::default())
    }

    fn add(arena: &mut Arena, parent: NodeId, path: &str) -> NodeId {
        let (_, name) = paths::split(path).expect("a path has a slash");
        arena.insert(parent, path, node(name, path))
    }

    fn take(arena: &mut Arena, id: NodeId) {
        arena.unlink(id);
        arena.remove(id);
    }

    /// A root with `count` children, inserted in this order.
    fn family(count: usize) -> (Arena, Vec<NodeId>) {
        let mut arena = Arena::default();
        arena.plant(node("", "root"));
        let children = (0..count).map(|n| add(&mut arena, ROOT, &format!("/{n:03}"))).collect();
        (arena, children)
    }

    fn stored(arena: &Arena) -> String {
        serde_json::to_string(arena).expect("it has no map")
    }

    #[test]
    fn a_clone_and_its_original_change_alone() {
        let (mut original, ids) = family(3 * CHUNK_NODES);
        let before = stored(&original);
        let mut clone = original.clone();
        clone[ids[0]].acl = 7;
        take(&mut clone, ids[1]);
        assert_eq!(stored(&original), before);
        assert!(Rc::ptr_eq(&original.chunks[2], &clone.chunks[2]), "what did not change is shared");
        let after = stored(&clone);
        original[ids[2]].set_data(None);
        add(&mut original, ROOT, "/new");
        assert_eq!(stored(&clone), after);
        assert_ne!(after, before);
        assert_eq!((clone.find("/new"), clone.find("/001")), (None, None));
        assert_eq!(original.find("/001"), Some(ids[1]));
    }

    #[test]
    fn what_is_stored_does_not_tell_in_which_slots_the_nodes_were() {
        let (mut straight, ids) = family(2);
        add(&mut straight, ids[1], "/001/x");
        let (mut winding, ids) = family(40);
        for id in &ids[2..] {
            take(&mut winding, *id);
        }
        add(&mut winding, ids[1], "/001/x");
        assert_eq!(stored(&straight), stored(&winding));
        let loaded: Arena = serde_json::from_str(&stored(&winding)).expect("it was just stored");
        assert_eq!(stored(&loaded), stored(&straight));
        assert_eq!((loaded.len(), loaded.free.len()), (4, 0));
        let found = loaded.find("/001/x").expect("it is there");
        assert_eq!(loaded[found].data(), Some(&b"/001/x"[..]));
        assert_eq!(loaded[ROOT].below().nodes, 3);
    }

    #[test]
    fn what_is_no_tree_is_not_loaded() {
        let load = |nodes: &[(&str, usize)]| {
            let content =
                || StoredContent { data: None, stat: StatPersisted::default(), acl: 0, crc: 0 };
            let nodes =
                nodes.iter().map(|(name, children)| (Box::from(*name), *children, content()));
            Arena::try_from(nodes.collect::<Vec<_>>()).map(|arena| arena.len())
        };
        assert_eq!(load(&[("", 2), ("a", 1), ("b", 0), ("c", 0)]), Ok(4));
        assert_eq!(load(&[]), Err("nodes are missing"));
        assert_eq!(load(&[("", 2), ("a", 0)]), Err("nodes are missing"));
        assert_eq!(load(&[("", 0), ("a", 0)]), Err("there are two roots"));
        assert_eq!(load(&[("", 2), ("a", 0), ("a", 0)]), Err("two children have one name"));
    }

    #[test]
    fn only_the_whole_path_of_a_node_finds_it() {
        let (mut arena, ids) = family(2);
        let deep = add(&mut arena, ids[1], "/001/000");
        assert_eq!(arena.find("/001/000"), Some(deep));
        assert_eq!((arena.find(""), arena.find("/")), (Some(ROOT), Some(ROOT)));
        for wrong in ["000", "/000/", "//000", "/00", "/0000", "/000/000", "001/000", "//"] {
            assert_eq!(arena.find(wrong), None, "{wrong}");
            assert!(!arena.has_path(ids[0], wrong) && !arena.has_path(deep, wrong), "{wrong}");
        }
    }

    #[test]
    fn the_bytes_of_all_names_are_those_of_the_names_that_are_there() {
        let (mut arena, _) = family(0);
        let names = ["a", "", "\u{e4}", "\u{1f600}", "abc"];
        let ids = names.map(|name| add(&mut arena, ROOT, &format!("/{name}")));
        let bytes = |arena: &Arena| arena[ROOT].names_text_bytes();
        assert_eq!(bytes(&arena), 1 + 2 + 6 + 3, "Java writes two surrogates");
        take(&mut arena, ids[3]);
        assert_eq!(bytes(&arena), 1 + 2 + 3);
        ids.iter().enumerate().filter(|(n, _)| *n != 3).for_each(|(_, id)| take(&mut arena, *id));
        assert_eq!(bytes(&arena), 0);
    }
}
