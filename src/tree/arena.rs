//! Where the nodes live: one slab, and ids into it.
//!
//! A node knows its children by name, but neither its own name nor its parent: a name is stored
//! once. An id is used again after its node is gone, so none outlives the call that found it.

use std::collections::BTreeMap;
use std::ops::{Bound, Index, IndexMut};

use bytes::Bytes;

use crate::base::SessionId;
use crate::jute::data::{Stat, StatPersisted};

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
    pub const CONTAINER_BITS: i64 = i64::MIN;
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

type Children = BTreeMap<Box<str>, NodeId>;

#[derive(Debug)]
pub(super) struct Node {
    /// Null and empty data are told apart on the wire and on the disk.
    pub(super) data: Option<Bytes>,
    /// Most nodes have none, and then no map either.
    children: Option<Box<Children>>,
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
        self.children.as_ref()?.get(name).copied()
    }

    pub(super) fn children(&self) -> impl Iterator<Item = (&str, NodeId)> + '_ {
        self.children.iter().flat_map(|children| children.iter()).map(|(name, id)| (&**name, *id))
    }

    /// The children whose names come after this one; all of them for `None`.
    pub(super) fn children_after(
        &self,
        name: Option<&str>,
    ) -> impl Iterator<Item = (&str, NodeId)> {
        let from = name.map_or(Bound::Unbounded, Bound::Excluded);
        self.children
            .iter()
            .flat_map(move |children| children.range::<str, _>((from, Bound::Unbounded)))
            .map(|(name, id)| (&**name, *id))
    }

    pub(super) fn child_count(&self) -> usize {
        self.children.as_ref().map_or(0, |children| children.len())
    }

    pub(super) fn add_child(&mut self, name: &str, id: NodeId) {
        let before = self.children.get_or_insert_default().insert(name.into(), id);
        assert!(before.is_none(), "a child is added where there is none of its name");
    }

    pub(super) fn remove_child(&mut self, name: &str) -> Option<NodeId> {
        let children = self.children.as_mut()?;
        let id = children.remove(name);
        if children.is_empty() {
            self.children = None;
        }
        id
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

#[derive(Debug, Default)]
pub(super) struct Arena {
    slots: Vec<Option<Node>>,
    free: Vec<NodeId>,
}

impl Arena {
    pub(super) fn insert(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.free.pop() {
            self.slots[id.0 as usize] = Some(node);
            return id;
        }
        let id = u32::try_from(self.slots.len()).expect("memory ends before 2^32 nodes");
        self.slots.push(Some(node));
        NodeId(id)
    }

    pub(super) fn remove(&mut self, id: NodeId) -> Node {
        let node = self.slots[id.0 as usize].take().expect("an id names a live node");
        self.free.push(id);
        node
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

impl Index<NodeId> for Arena {
    type Output = Node;
    fn index(&self, id: NodeId) -> &Node {
        self.slots[id.0 as usize].as_ref().expect("an id names a live node")
    }
}

impl IndexMut<NodeId> for Arena {
    fn index_mut(&mut self, id: NodeId) -> &mut Node {
        self.slots[id.0 as usize].as_mut().expect("an id names a live node")
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

    #[test]
    fn a_node_stays_small() {
        assert!(size_of::<Option<Node>>() <= 128, "{}", size_of::<Option<Node>>());
    }
}
