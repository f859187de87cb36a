//! One znode, in as few bytes as it needs: there are millions of them.
//!
//! - Name and data stand in one allocation, without a header. Data of [`SHARED_BYTES_MIN`] or more is
//!   counted instead, so that whoever takes it needs no copy.
//! - A node that was created and not touched since has one zxid and one time, and no children: the
//!   other fields of its stat, and the children, are kept only once there is something to say.
//! - The children's names are in the children; see children.rs.
//!
//! Not here: how a node is found (arena.rs).

use std::num::NonZeroU32;
use std::rc::Rc;
use std::str;

use bytes::Bytes;

use super::children::{Below, Children, NodeId};
use super::owner::Owner;
use crate::base::Zxid;
use crate::jute::data::{Stat, StatPersisted};

/// Data from this length on is shared, not copied.
const SHARED_BYTES_MIN: usize = 4096;

#[derive(Clone, Debug)]
enum Content {
    /// The name, then the data.
    Joined(Box<[u8]>),
    Apart(Box<(Box<str>, Bytes)>),
}

/// The length of the name, and whether there is data: null and empty data are told apart on the wire
/// and on the disk. Twice the length and two more, and one for the data: never zero, so that a place
/// of the slab without a node needs no mark of its own.
#[derive(Clone, Copy, Debug)]
struct Lengths(NonZeroU32);

impl Lengths {
    fn new(name_len: usize, has_data: bool) -> Lengths {
        let bits = u32::try_from(2 * (name_len + 1)).ok().and_then(NonZeroU32::new);
        let bits = bits.expect("a name is below 2 GiB, as the frame it came in");
        Lengths(bits | u32::from(has_data))
    }

    fn of_name(self) -> usize {
        (self.0.get() >> 1) as usize - 1
    }

    fn has_data(self) -> bool {
        self.0.get() & 1 == 1
    }
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    content: Content,
    lengths: Lengths,
    /// Of the whole path: where the index has this node.
    pub(super) hash: u32,
    stat: PackedStat,
    pub(super) acl: i64,
    pub(super) parent: NodeId,
    /// Of the node as it is, so that taking it out of a digest does not read the data again.
    pub(super) crc: u32,
}

impl Node {
    /// Of no parent yet.
    pub(super) fn new(name: &str, data: Option<&[u8]>, acl: i64, stat: &StatPersisted) -> Node {
        Node {
            content: join(name, data.unwrap_or_default()),
            lengths: Lengths::new(name.len(), data.is_some()),
            hash: 0,
            stat: PackedStat::of(stat),
            acl,
            parent: NodeId::default(),
            crc: 0,
        }
    }

    pub(super) fn name(&self) -> &str {
        match &self.content {
            Content::Joined(both) => {
                str::from_utf8(&both[..self.lengths.of_name()]).expect("the name was put there")
            }
            Content::Apart(parts) => &parts.0,
        }
    }

    /// What names are compared by: their order is that of the strings.
    pub(super) fn name_bytes(&self) -> &[u8] {
        match &self.content {
            Content::Joined(both) => &both[..self.lengths.of_name()],
            Content::Apart(parts) => parts.0.as_bytes(),
        }
    }

    pub(super) fn data(&self) -> Option<&[u8]> {
        self.lengths.has_data().then_some(match &self.content {
            Content::Joined(both) => &both[self.lengths.of_name()..],
            Content::Apart(parts) => &parts.1,
        })
    }

    /// For whoever keeps it. A copy, if it is short.
    pub(super) fn data_to_keep(&self) -> Option<Bytes> {
        match &self.content {
            Content::Apart(parts) => Some(parts.1.clone()),
            Content::Joined(_) => self.data().map(Bytes::copy_from_slice),
        }
    }

    pub(super) fn data_len(&self) -> usize {
        match &self.content {
            Content::Joined(both) => both.len() - self.lengths.of_name(),
            Content::Apart(parts) => parts.1.len(),
        }
    }

    pub(super) fn set_data(&mut self, data: Option<&[u8]>) {
        let name_len = self.lengths.of_name();
        self.lengths = Lengths::new(name_len, data.is_some());
        let data = data.unwrap_or_default();
        match &mut self.content {
            Content::Joined(both) if both.len() == name_len + data.len() => {
                both[name_len..].copy_from_slice(data);
            }
            _ => self.content = join(self.name(), data),
        }
    }

    pub(super) fn stat(&self) -> StatPersisted {
        self.stat.unpacked()
    }

    pub(super) fn czxid(&self) -> Zxid {
        self.stat.czxid
    }

    pub(super) fn owner_bits(&self) -> i64 {
        self.stat.rest.as_ref().map_or(0, |rest| rest.ephemeral_owner)
    }

    /// `cversion` counts the creations of children, unlike what clients see.
    pub(super) fn change_stat(&mut self, change: impl FnOnce(&mut StatPersisted)) {
        let mut stat = self.stat.unpacked();
        change(&mut stat);
        self.stat.set(&stat);
    }

    /// Most nodes have none.
    pub(super) fn children(&self) -> Option<&Children> {
        self.stat.rest.as_ref()?.children.as_deref()
    }

    pub(super) fn children_slot(&mut self) -> &mut Option<Rc<Children>> {
        &mut self.stat.rest_slot().children
    }

    pub(super) fn child_count(&self) -> usize {
        self.children().map_or(0, Children::count)
    }

    pub(super) fn child_ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + '_ {
        self.children().into_iter().flat_map(Children::ids)
    }

    /// Bytes of the names of all children, as jute writes them, without the length of each.
    pub(super) fn names_text_bytes(&self) -> usize {
        self.children().map_or(0, |children| children.text_bytes)
    }

    pub(super) fn below(&self) -> Below {
        self.children().map_or(Below::default(), |children| children.below)
    }

    /// What its parent has below itself because of it.
    pub(super) fn with_below(&self) -> Below {
        self.below().plus(Below { nodes: 1, bytes: self.data_len() as i64 })
    }

    /// There is more below it, or less. It has a child.
    pub(super) fn add_below(&mut self, more: Below) {
        let children = self.children_slot().as_mut().expect("something is or was below it");
        let children = Rc::make_mut(children);
        children.below = children.below.plus(more);
    }

    /// What a client sees. (DataNode.copyStat)
    pub(super) fn visible_stat(&self) -> Stat {
        let stat = self.stat();
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
            data_length: self.data_len() as i32,
            num_children,
            pzxid: stat.pzxid,
        }
    }
}

fn join(name: &str, data: &[u8]) -> Content {
    if data.len() >= SHARED_BYTES_MIN {
        return Content::Apart(Box::new((name.into(), Bytes::copy_from_slice(data))));
    }
    let mut both = Vec::with_capacity(name.len() + data.len());
    both.extend_from_slice(name.as_bytes());
    both.extend_from_slice(data);
    Content::Joined(both.into_boxed_slice())
}

#[derive(Clone, Debug)]
struct PackedStat {
    czxid: Zxid,
    ctime: i64,
    /// `None` as long as it is that of a node just created, which is nobody's.
    rest: Option<Box<Rest>>,
}

#[derive(Clone, Debug)]
struct Rest {
    mzxid: Zxid,
    pzxid: Zxid,
    mtime: i64,
    ephemeral_owner: i64,
    version: i32,
    cversion: i32,
    aversion: i32,
    children: Option<Rc<Children>>,
}

impl PackedStat {
    fn of(stat: &StatPersisted) -> PackedStat {
        let mut packed = PackedStat { czxid: stat.czxid, ctime: stat.ctime, rest: None };
        packed.set(stat);
        packed
    }

    fn set(&mut self, stat: &StatPersisted) {
        (self.czxid, self.ctime) = (stat.czxid, stat.ctime);
        if self.rest.is_none() && *stat == self.unpacked() {
            return;
        }
        let rest = self.rest_slot();
        rest.mzxid = stat.mzxid;
        rest.pzxid = stat.pzxid;
        rest.mtime = stat.mtime;
        rest.ephemeral_owner = stat.ephemeral_owner;
        rest.version = stat.version;
        rest.cversion = stat.cversion;
        rest.aversion = stat.aversion;
    }

    fn rest_slot(&mut self) -> &mut Rest {
        let (czxid, ctime) = (self.czxid, self.ctime);
        self.rest.get_or_insert_with(|| Box::new(Rest::of_a_new_node(czxid, ctime)))
    }

    fn unpacked(&self) -> StatPersisted {
        let (czxid, ctime) = (self.czxid, self.ctime);
        let of_a_new_node;
        let Rest { mzxid, pzxid, mtime, ephemeral_owner, version, cversion, aversion, .. } =
            *match &self.rest {
                Some(rest) => &**rest,
                None => {
                    of_a_new_node = Rest::of_a_new_node(czxid, ctime);
                    &of_a_new_node
                }
            };
        StatPersisted {
            czxid,
            mzxid,
            ctime,
            mtime,
            version,
            cversion,
            aversion,
            ephemeral_owner,
            pzxid,
        }
    }
}

impl Rest {
    fn of_a_new_node(czxid: Zxid, ctime: i64) -> Rest {
        Rest {
            mzxid: czxid,
            pzxid: czxid,
            mtime: ctime,
            ephemeral_owner: 0,
            version: 0,
            cversion: 0,
            aversion: 0,
            children: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_stays_small() {
        assert!(size_of::<Option<Node>>() <= 64, "{}", size_of::<Option<Node>>());
    }

    #[test]
    fn data_of_any_length_is_what_was_set_last_and_the_name_stays() {
        let lengths = [0, 1, 100, SHARED_BYTES_MIN - 1, SHARED_BYTES_MIN, SHARED_BYTES_MIN, 7, 7];
        let mut node = Node::new("name", None, 0, &StatPersisted::default());
        assert_eq!((node.data(), node.data_to_keep()), (None, None));
        for (fill, length) in lengths.into_iter().enumerate() {
            let data = vec![fill as u8; length];
            node.set_data(Some(&data));
            let made = Node::new("name", Some(&data), 0, &StatPersisted::default());
            for node in [&node, &made] {
                assert_eq!(node.data(), Some(&data[..]));
                assert_eq!(node.data_to_keep().as_deref(), Some(&data[..]));
                assert_eq!((node.data_len(), node.name()), (length, "name"));
                assert_eq!(node.name_bytes(), b"name");
            }
        }
        node.set_data(None);
        assert_eq!((node.data(), node.data_len(), node.name()), (None, 0, "name"));
    }

    #[test]
    fn every_field_of_a_stat_is_kept() {
        let new = StatPersisted {
            czxid: Zxid(1),
            mzxid: Zxid(1),
            pzxid: Zxid(1),
            ctime: 2,
            mtime: 2,
            ..StatPersisted::default()
        };
        let mut node = Node::new("", None, 0, &new);
        assert!(node.stat.rest.is_none());
        let changes: [fn(&mut StatPersisted); 9] = [
            |stat| stat.mzxid = Zxid(11),
            |stat| stat.pzxid = Zxid(12),
            |stat| stat.mtime = 13,
            |stat| stat.ephemeral_owner = 14,
            |stat| stat.version = 15,
            |stat| stat.cversion = 16,
            |stat| stat.aversion = 17,
            |stat| stat.czxid = Zxid(18),
            |stat| stat.ctime = 19,
        ];
        let mut stat = new.clone();
        for change in changes {
            let mut alone = new.clone();
            change(&mut alone);
            assert_eq!(Node::new("", None, 0, &alone).stat(), alone);
            change(&mut stat);
            node.change_stat(change);
            assert_eq!(node.stat(), stat);
        }
    }
}
