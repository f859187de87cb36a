//! From a path to a node: one look, however deep the path is and however many nodes there are.
//!
//! A hash table in parts. It grows by one part at a time, which takes half of another one's nodes:
//! nobody waits until a table of millions has been copied. (Linear hashing: Litwin, VLDB 1980)
//!
//! The hash is keyed, with a key that every start draws anew: a client chooses the paths, and must
//! not be able to choose them so that all fall into one place. No order of this table is ever seen.
//!
//! Not here: what a path is compared with (arena.rs).

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;

use hashbrown::HashTable;

use super::children::NodeId;
use crate::base::splitmix;

/// Nodes for each part. What fills seven eighths of a table of 2048.
const PART_NODES: usize = 1792;

#[derive(Clone)]
pub(super) struct Index {
    keys: RandomState,
    parts: Vec<Rc<HashTable<NodeId>>>,
    nodes: usize,
}

impl Default for Index {
    fn default() -> Index {
        Index { keys: RandomState::new(), parts: vec![Rc::default()], nodes: 0 }
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

impl Index {
    /// Makes room for so many nodes at once, if it has none yet: it need not grow under them.
    pub(super) fn reserve(&mut self, nodes: usize) {
        if self.nodes > 0 {
            return;
        }
        let parts = nodes.div_ceil(PART_NODES).next_power_of_two();
        // Some parts get more than others.
        let each = nodes / parts + nodes / parts / 8;
        self.parts = (0..parts).map(|_| Rc::new(HashTable::with_capacity(each))).collect();
    }

    pub(super) fn hash(&self, path: &str) -> u32 {
        let mut hasher = self.keys.build_hasher();
        hasher.write(path.as_bytes());
        hasher.finish() as u32
    }

    /// One of this hash that is the right one.
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(NodeId) -> bool) -> Option<NodeId> {
        self.parts[self.part_of(hash)].find(spread(hash), |id| is_it(*id)).copied()
    }

    /// A node that is not in it.
    pub(super) fn insert(&mut self, hash: u32, id: NodeId, hash_of: impl Fn(NodeId) -> u32) {
        self.nodes += 1;
        if self.nodes > self.parts.len() * PART_NODES {
            self.split(&hash_of);
        }
        let part = self.part_of(hash);
        let part = Rc::make_mut(&mut self.parts[part]);
        part.insert_unique(spread(hash), id, |id| spread(hash_of(*id)));
    }

    /// Many nodes that are not in it. One part after another, if there is room for all of them: a part
    /// fits into the processor's cache, and the whole table does not.
    pub(super) fn insert_all(
        &mut self,
        ids: impl ExactSizeIterator<Item = NodeId> + Clone,
        hash_of: impl Fn(NodeId) -> u32,
    ) {
        let has_room = self.nodes + ids.len() <= self.parts.len() * PART_NODES;
        if !has_room || ids.len() < self.parts.len() {
            return ids.for_each(|id| self.insert(hash_of(id), id, &hash_of));
        }
        self.nodes += ids.len();
        let hashed = ids.map(|id| (hash_of(id), id));
        // How many come before each part's.
        let mut begins = vec![0; self.parts.len() + 1];
        hashed.clone().for_each(|(hash, _)| begins[self.part_of(hash) + 1] += 1);
        (1..begins.len()).for_each(|part| begins[part] += begins[part - 1]);
        let mut sorted = vec![(0, NodeId::default()); hashed.len()];
        for (hash, id) in hashed {
            let next = &mut begins[self.part_of(hash)];
            sorted[*next] = (hash, id);
            *next += 1;
        }
        // Each part begins by now where the next one did.
        let mut begin = 0;
        for (part, end) in self.parts.iter_mut().zip(begins) {
            let part = Rc::make_mut(part);
            for (hash, id) in &sorted[begin..end] {
                part.insert_unique(spread(*hash), *id, |id| spread(hash_of(*id)));
            }
            begin = end;
        }
    }

    /// A node that is in it.
    pub(super) fn remove(&mut self, hash: u32, id: NodeId) {
        let part = self.part_of(hash);
        let part = Rc::make_mut(&mut self.parts[part]);
        match part.find_entry(spread(hash), |other| *other == id) {
            Ok(entry) => drop(entry.remove()),
            Err(_) => panic!("a live node is in the index"),
        }
        self.nodes -= 1;
    }

    /// Parts beyond the last power of two are split off already, those they came from too.
    fn part_of(&self, hash: u32) -> usize {
        let mask = self.parts.len().next_power_of_two() - 1;
        let part = hash as usize & mask;
        if part < self.parts.len() { part } else { part & (mask >> 1) }
    }

    fn split(&mut self, hash_of: &impl Fn(NodeId) -> u32) {
        let new = self.parts.len();
        let from = new & !(1 << new.ilog2());
        let both: Vec<NodeId> = self.parts[from].iter().copied().collect();
        self.parts.push(Rc::default());
        let is_new = |id: &NodeId| self.part_of(hash_of(*id)) == new;
        let (moved, kept): (Vec<NodeId>, Vec<NodeId>) = both.into_iter().partition(is_new);
        for (part, ids) in [(from, kept), (new, moved)] {
            let mut table = HashTable::with_capacity(ids.len());
            for id in ids {
                table.insert_unique(spread(hash_of(id)), id, |id| spread(hash_of(*id)));
            }
            self.parts[part] = Rc::new(table);
        }
    }
}

/// The place in a part: the low bits of the hash itself are the same in all of it.
fn spread(hash: u32) -> u64 {
    splitmix::finish(hash.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_is_found_while_the_index_grows_and_shrinks() {
        let mut index = Index::default();
        let count = 20 * PART_NODES as u32 + 17;
        let hash_of = |id: NodeId| splitmix::finish(u64::from(id.0) + 1) as u32;
        let find = |index: &Index, id| index.find(hash_of(NodeId(id)), |other| other.0 == id);
        for id in 0..count {
            index.insert(hash_of(NodeId(id)), NodeId(id), hash_of);
            if id % 1009 == 0 {
                assert!((0..=id).all(|id| find(&index, id) == Some(NodeId(id))), "{id}");
                assert_eq!(find(&index, id + 1), None);
            }
        }
        assert_eq!(index.parts.len(), 21);
        let mut reserved = Index::default();
        reserved.reserve(count as usize);
        let room = |index: &Index| index.parts.iter().map(|part| part.capacity()).sum::<usize>();
        let before = room(&reserved);
        (0..count).for_each(|id| reserved.insert(hash_of(NodeId(id)), NodeId(id), hash_of));
        assert_eq!(room(&reserved), before, "it did not grow");
        assert!((0..count).all(|id| find(&reserved, id) == Some(NodeId(id))));
        let longest = index.parts.iter().map(|part| part.len()).max();
        assert!(longest < Some(3 * PART_NODES), "{longest:?}");
        let before = index.clone();
        for id in 0..count {
            index.remove(hash_of(NodeId(id)), NodeId(id));
        }
        assert!(index.parts.iter().all(|part| part.is_empty()));
        assert!((0..count).all(|id| find(&before, id) == Some(NodeId(id))));
    }

    #[test]
    fn many_nodes_at_once_are_found_whether_or_not_there_is_room_for_them() {
        let hash_of = |id: NodeId| splitmix::finish(u64::from(id.0) + 1) as u32;
        let count = 20 * PART_NODES as u32;
        for (room, first) in [(count, 0), (count, 7), (count, count - 3), (count / 3, 0), (0, 1)] {
            let mut index = Index::default();
            index.reserve(room as usize);
            (0..first).for_each(|id| index.insert(hash_of(NodeId(id)), NodeId(id), hash_of));
            index.insert_all((first..count).map(NodeId), hash_of);
            assert_eq!(index.nodes, count as usize);
            assert_eq!(index.parts.iter().map(|part| part.len()).sum::<usize>(), index.nodes);
            let find = |id| index.find(hash_of(NodeId(id)), |other| other.0 == id);
            assert!((0..count).all(|id| find(id) == Some(NodeId(id))), "{room} {first}");
            assert_eq!(find(count), None);
        }
    }

    #[test]
    fn two_indexes_hash_one_path_differently() {
        let hashes = [0; 4].map(|_| Index::default().hash("/a/path"));
        assert!(hashes.iter().any(|hash| *hash != hashes[0]));
    }
}
