//! Where the nodes live: a slab, and ids into it.
//!
//! A node knows its children by name, but neither its own name nor its parent: a name is stored
//! once. An id is used again after its node is gone, so none outlives the call that found it.
//!
//! A clone shares all nodes with its original. Whichever of the two changes a node first copies
//! the chunk that the node is in, so a clone costs one count for each chunk.
//!
//! Stored is the tree, not the slab: each node before its children, and these in the order of their
//! names. Two slabs that hold one tree under different ids are stored as the same bytes.

use std::array;
use std::collections::BTreeMap;
use std::ops::{Bound, Index, IndexMut};
use std::rc::Rc;

use bytes::Bytes;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};

use crate::base::SessionId;
use crate::jute::data::{Stat, StatPersisted};
use crate::jute::text_bytes;

/// Who owns a node: what the bits of `ephemeralOwner` mean. (EphemeralType)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    Nobody,
    /// Goes when its last child has gone.
    Container,
    /// Goes when it has had no child and no change for so many milliseconds.
    Ttl(i64),
    /// An ephemeral: goes with its session.
    Session(SessionId),
}

impl Owner {
    const CONTAINER_BITS: i64 = i64::MIN;
    /// Above them 16 bits of a feature number; time to live is number 0.
    const TTL_MARK: u64 = 0xff << 56;
    const TTL_VALUE: u64 = 0xff_ffff_ffff;

    pub fn of(bits: i64) -> Owner {
        match bits {
            0 => Owner::Nobody,
            Owner::CONTAINER_BITS => Owner::Container,
            _ if bits as u64 & Owner::TTL_MARK == Owner::TTL_MARK => {
                Owner::Ttl((bits as u64 & Owner::TTL_VALUE) as i64)
            }
            _ => Owner::Session(SessionId(bits)),
        }
    }

    pub fn bits(self) -> i64 {
        match self {
            Owner::Nobody => 0,
            Owner::Container => Owner::CONTAINER_BITS,
            Owner::Ttl(ms) => (Owner::TTL_MARK | (ms as u64 & Owner::TTL_VALUE)) as i64,
            Owner::Session(session) => session.0,
        }
    }
}

/// The slab index of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NodeId(u32);

/// The first node of every arena: it is never removed.
pub(super) const ROOT: NodeId = NodeId(0);

#[derive(Clone, Debug, Default)]
struct Children {
    ids: BTreeMap<Box<str>, NodeId>,
    /// Of all names, as jute writes them: how long a list of them is must not cost a look at each.
    name_bytes: usize,
    below: Below,
}

/// What is below a node, at any depth: how much that is must not cost a walk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Below {
    pub(super) nodes: i64,
    /// Of their data.
    pub(super) bytes: i64,
}

impl Below {
    pub(super) fn plus(self, other: Below) -> Below {
        Below { nodes: self.nodes + other.nodes, bytes: self.bytes + other.bytes }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Node {
    /// Null and empty data are told apart on the wire and on the disk.
    pub(super) data: Option<Bytes>,
    /// Most nodes have none, and then no map either.
    #[serde(skip)]
    children: Option<Rc<Children>>,
    /// `cversion` counts the creations of children, unlike what clients see.
    pub(super) stat: StatPersisted,
    pub(super) acl: i64,
    /// Of the node as it is, so that taking it out of a digest does not read the data again.
    pub(super) crc: u32,
}

impl Node {
    pub(super) fn new(data: Option<Bytes>, acl: i64, stat: StatPersisted) -> Node {
        Node { data, children: None, stat, acl, crc: 0 }
    }

    pub(super) fn child(&self, name: &str) -> Option<NodeId> {
        self.children.as_ref()?.ids.get(name).copied()
    }

    pub(super) fn children(&self) -> impl DoubleEndedIterator<Item = (&str, NodeId)> + '_ {
        self.children.iter().flat_map(|children| &children.ids).map(|(name, id)| (&**name, *id))
    }

    /// The children whose names come after this one; all of them for `None`.
    pub(super) fn children_after(
        &self,
        name: Option<&str>,
    ) -> impl Iterator<Item = (&str, NodeId)> {
        let from = name.map_or(Bound::Unbounded, Bound::Excluded);
        self.children
            .iter()
            .flat_map(move |children| children.ids.range::<str, _>((from, Bound::Unbounded)))
            .map(|(name, id)| (&**name, *id))
    }

    pub(super) fn child_count(&self) -> usize {
        self.children.as_ref().map_or(0, |children| children.ids.len())
    }

    /// Bytes of the names of all children, as jute writes them, without the length of each.
    pub(super) fn name_bytes(&self) -> usize {
        self.children.as_ref().map_or(0, |children| children.name_bytes)
    }

    pub(super) fn below(&self) -> Below {
        self.children.as_ref().map_or(Below::default(), |children| children.below)
    }

    /// What its parent has below itself because of it.
    pub(super) fn with_below(&self) -> Below {
        let bytes = self.data.as_ref().map_or(0, Bytes::len) as i64;
        self.below().plus(Below { nodes: 1, bytes })
    }

    /// There is more below it, or less. It has a child.
    pub(super) fn add_below(&mut self, more: Below) {
        let children = self.children.as_mut().expect("something is or was below it");
        let children = Rc::make_mut(children);
        children.below = children.below.plus(more);
    }

    pub(super) fn add_child(&mut self, name: &str, id: NodeId) {
        let children = Rc::make_mut(self.children.get_or_insert_default());
        children.name_bytes += text_bytes(name);
        let before = children.ids.insert(name.into(), id);
        assert!(before.is_none(), "a child is added where there is none of its name");
    }

    pub(super) fn remove_child(&mut self, name: &str) -> Option<NodeId> {
        let children = Rc::make_mut(self.children.as_mut()?);
        let id = children.ids.remove(name)?;
        children.name_bytes -= text_bytes(name);
        if children.ids.is_empty() {
            self.children = None;
        }
        Some(id)
    }

    /// What a client sees. (DataNode.copyStat)
    pub(super) fn visible_stat(&self) -> Stat {
        let stat = &self.stat;
        let num_children = self.child_count() as i32;
        Stat {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            version: stat.version,
            // Creations and deletions: as many were deleted as were created and are not there.
            cversion: stat.cversion.wrapping_mul(2).wrapping_sub(num_children),
            aversion: stat.aversion,
            ephemeral_owner: match Owner::of(stat.ephemeral_owner) {
                Owner::Session(session) => session.0,
                _ => 0,
            },
            data_length: self.data.as_ref().map_or(0, Bytes::len) as i32,
            num_children,
            pzxid: stat.pzxid,
        }
    }
}

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
}

impl Arena {
    pub(super) fn insert(&mut self, node: Node) -> NodeId {
        let id = self.free.pop().unwrap_or_else(|| self.next_id());
        *self.slot_mut(id) = Some(node);
        id
    }

    fn next_id(&mut self) -> NodeId {
        let id = NodeId(self.given);
        self.given = self.given.checked_add(1).expect("memory ends before 2^32 nodes");
        if id.place().0 == self.chunks.len() {
            self.chunks.push(Rc::new(array::from_fn(|_| None)));
        }
        id
    }

    pub(super) fn remove(&mut self, id: NodeId) -> Node {
        let node = self.slot_mut(id).take().expect("an id names a live node");
        self.free.push(id);
        node
    }

    pub(super) fn len(&self) -> usize {
        self.given as usize - self.free.len()
    }

    fn slot_mut(&mut self, id: NodeId) -> &mut Option<Node> {
        let (chunk, at) = id.place();
        &mut Rc::make_mut(&mut self.chunks[chunk])[at]
    }
}

impl NodeId {
    /// The chunk, and the place in it.
    fn place(self) -> (usize, usize) {
        (self.0 as usize / CHUNK_NODES, self.0 as usize % CHUNK_NODES)
    }
}

impl Index<NodeId> for Arena {
    type Output = Node;
    fn index(&self, id: NodeId) -> &Node {
        let (chunk, at) = id.place();
        self.chunks[chunk][at].as_ref().expect("an id names a live node")
    }
}

impl IndexMut<NodeId> for Arena {
    fn index_mut(&mut self, id: NodeId) -> &mut Node {
        self.slot_mut(id).as_mut().expect("an id names a live node")
    }
}

/// Name, number of children, and the node; its children follow, each with its own behind it.
type StoredNode = (Box<str>, usize, Node);

impl Serialize for Arena {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut nodes = to.serialize_seq(Some(self.len()))?;
        let mut next = vec![("", ROOT)];
        while let Some((name, id)) = next.pop() {
            let node = &self[id];
            nodes.serialize_element(&(name, node.child_count(), node))?;
            next.extend(node.children().rev());
        }
        nodes.end()
    }
}

impl TryFrom<Vec<StoredNode>> for Arena {
    type Error = &'static str;

    fn try_from(nodes: Vec<StoredNode>) -> Result<Arena, &'static str> {
        let mut arena = Arena::default();
        // Nodes on the way down, and how many of their children are still to come.
        let mut parents: Vec<(NodeId, usize)> = Vec::new();
        let mut links: Vec<(NodeId, NodeId)> = Vec::new();
        for (name, children, node) in nodes {
            let id = arena.insert(node);
            match parents.last_mut() {
                Some((parent, missing)) => {
                    if arena[*parent].child(&name).is_some() {
                        return Err("two children have one name");
                    }
                    *missing -= 1;
                    arena[*parent].add_child(&name, id);
                    links.push((*parent, id));
                }
                None if id == ROOT => {}
                None => return Err("there are two roots"),
            }
            if children > 0 {
                parents.push((id, children));
            }
            while parents.pop_if(|(_, missing)| *missing == 0).is_some() {}
        }
        for (parent, id) in links.into_iter().rev() {
            let more = arena[id].with_below();
            arena[parent].add_below(more);
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

    #[test]
    fn owners_survive_their_bits() {
        assert_eq!(Owner::of(0xff00_0000_0000_03e8_u64 as i64), Owner::Ttl(1000));
        assert_eq!(Owner::of(0x8000_0000_0000_0000_u64 as i64), Owner::Container);
        for owner in [
            Owner::Nobody,
            Owner::Container,
            Owner::Ttl(1),
            Owner::Ttl(0xff_ffff_ffff),
            Owner::Session(SessionId(0x0100_0012_d0d1_0000)),
            Owner::Session(SessionId(-0x7eff_ffff_ffff_ffff)),
        ] {
            assert_eq!(Owner::of(owner.bits()), owner);
        }
    }

    fn node(data: &str) -> Node {
        Node::new(Some(Bytes::copy_from_slice(data.as_bytes())), 0, StatPersisted::default())
    }

    /// A root with `count` children, inserted in this order.
    fn family(count: usize) -> (Arena, Vec<NodeId>) {
        let mut arena = Arena::default();
        assert_eq!(arena.insert(node("root")), ROOT);
        let children = (0..count).map(|n| arena.insert(node(&n.to_string()))).collect::<Vec<_>>();
        for (n, id) in children.iter().enumerate() {
            arena[ROOT].add_child(&format!("{n:03}"), *id);
        }
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
        clone[ROOT].remove_child("001");
        clone.remove(ids[1]);
        assert_eq!(stored(&original), before);
        assert!(Rc::ptr_eq(&original.chunks[2], &clone.chunks[2]), "what did not change is shared");
        let after = stored(&clone);
        original[ids[2]].data = None;
        let new = original.insert(node("new"));
        original[ROOT].add_child("new", new);
        assert_eq!(stored(&clone), after);
        assert_ne!(after, before);
    }

    #[test]
    fn what_is_stored_does_not_tell_in_which_slots_the_nodes_were() {
        let (mut straight, ids) = family(2);
        let grandchild = straight.insert(node("below"));
        straight[ids[1]].add_child("x", grandchild);
        let (mut winding, ids) = family(40);
        for (n, id) in ids.iter().enumerate().skip(2) {
            winding[ROOT].remove_child(&format!("{n:03}"));
            winding.remove(*id);
        }
        let grandchild = winding.insert(node("below"));
        winding[ids[1]].add_child("x", grandchild);
        assert_eq!(stored(&straight), stored(&winding));
        let loaded: Arena = serde_json::from_str(&stored(&winding)).expect("it was just stored");
        assert_eq!(stored(&loaded), stored(&straight));
        assert_eq!((loaded.len(), loaded.free.len()), (4, 0));
    }

    #[test]
    fn what_is_no_tree_is_not_loaded() {
        let load = |nodes: &[(&str, usize)]| {
            let nodes =
                nodes.iter().map(|(name, children)| (Box::from(*name), *children, node("")));
            Arena::try_from(nodes.collect::<Vec<_>>()).map(|arena| arena.len())
        };
        assert_eq!(load(&[("", 2), ("a", 1), ("b", 0), ("c", 0)]), Ok(4));
        assert_eq!(load(&[]), Err("nodes are missing"));
        assert_eq!(load(&[("", 2), ("a", 0)]), Err("nodes are missing"));
        assert_eq!(load(&[("", 0), ("a", 0)]), Err("there are two roots"));
        assert_eq!(load(&[("", 2), ("a", 0), ("a", 0)]), Err("two children have one name"));
    }

    #[test]
    fn the_bytes_of_all_names_are_those_of_the_names_that_are_there() {
        let mut node = node("");
        let names = ["a", "", "\u{e4}", "\u{1f600}", "abc"];
        for (n, name) in names.iter().enumerate() {
            node.add_child(name, NodeId(n as u32));
        }
        assert_eq!(node.name_bytes(), 1 + 2 + 6 + 3, "Java writes two surrogates");
        assert_eq!(node.remove_child("none"), None);
        assert_eq!(node.remove_child("\u{1f600}"), Some(NodeId(3)));
        assert_eq!(node.name_bytes(), 1 + 2 + 3);
        for name in ["a", "", "\u{e4}", "abc"] {
            node.remove_child(name);
        }
        assert_eq!(node.name_bytes(), 0);
    }

    #[test]
    fn a_node_stays_small() {
        assert!(size_of::<Option<Node>>() <= 128, "{}", size_of::<Option<Node>>());
    }
}
