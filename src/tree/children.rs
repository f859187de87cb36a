//! The children of one node: ids in the order of the names, which the children themselves hold.
//!
//! The ids stand in blocks: a child that comes or goes moves those of its block, however many there
//! are. Blocks that were filled in order are full.
//!
//! Not here: finding a child by its name, which is the index's.

/// The slab index of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct NodeId(pub(super) u32);

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

    pub(super) fn negated(self) -> Below {
        Below { nodes: -self.nodes, bytes: -self.bytes }
    }
}

/// Ids in one block at most.
const BLOCK_IDS_MAX: usize = 512;
/// So far from the newest one the place of the next is looked for first.
const NEAR_IDS: usize = 16;

#[derive(Clone, Debug, Default)]
pub(super) struct Children {
    /// None is empty.
    blocks: Vec<Vec<NodeId>>,
    count: usize,
    /// Where the newest child went, unless others went since: the next one often goes behind it.
    newest: (usize, usize),
    /// Of all names, as jute writes them: how long a list of them is must not cost a look at each.
    pub(super) text_bytes: usize,
    pub(super) below: Below,
}

impl Children {
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + '_ {
        self.blocks.iter().flatten().copied()
    }

    pub(super) fn ids_from(
        &self,
        (block, at): (usize, usize),
    ) -> impl Iterator<Item = NodeId> + '_ {
        let begun = self.blocks.get(block).map_or(&[][..], |block| &block[at..]);
        begun.iter().chain(self.blocks.iter().skip(block + 1).flatten()).copied()
    }

    /// Where the first id is of which this does not hold: it holds of all before that one.
    pub(super) fn place_of(&self, is_before: impl Fn(NodeId) -> bool) -> (usize, usize) {
        let last = self.blocks.len().saturating_sub(1);
        // Most children come in the order of their names.
        let Some(end) = self.blocks.last() else { return (0, 0) };
        if is_before(end[end.len() - 1]) {
            return (last, end.len());
        }
        let block = self.blocks[..last].partition_point(|block| is_before(block[block.len() - 1]));
        (block, self.blocks[block].partition_point(|id| is_before(*id)))
    }

    /// Clients that create side by side each have names in order, so that the next one goes behind the
    /// newest or a few further on: a search among all would look at many nodes.
    fn place_near_newest(&self, is_before: impl Fn(NodeId) -> bool) -> Option<(usize, usize)> {
        let (at_block, at) = self.newest;
        let block = self.blocks.get(at_block)?;
        let end = block.len().min(at + NEAR_IDS);
        let next = block.get(end).or_else(|| self.blocks.get(at_block + 1)?.first());
        if !is_before(*block.get(at)?) || next.is_some_and(|next| is_before(*next)) {
            return None;
        }
        Some((at_block, at + 1 + block[at + 1..end].partition_point(|id| is_before(*id))))
    }

    /// The last of all.
    pub(super) fn last(&self) -> Option<NodeId> {
        self.blocks.last()?.last().copied()
    }

    /// A child whose name is none of theirs.
    pub(super) fn insert(&mut self, id: NodeId, is_before: impl Fn(NodeId) -> bool) {
        self.count += 1;
        let (at_block, at) =
            self.place_near_newest(&is_before).unwrap_or_else(|| self.place_of(is_before));
        self.newest = (at_block, at);
        let blocks = self.blocks.len();
        let Some(block) = self.blocks.get_mut(at_block) else {
            self.blocks = Vec::with_capacity(1);
            return self.blocks.push(vec![id]);
        };
        if block.len() < BLOCK_IDS_MAX {
            return block.insert(at, id);
        }
        if at == BLOCK_IDS_MAX && at_block + 1 == blocks {
            return self.blocks.push(vec![id]);
        }
        let mut behind = block.split_off(BLOCK_IDS_MAX / 2);
        match at.checked_sub(BLOCK_IDS_MAX / 2) {
            Some(at) => behind.insert(at, id),
            None => block.insert(at, id),
        }
        self.blocks.insert(at_block + 1, behind);
    }

    /// `is_before`: of the children whose names come before this one's.
    pub(super) fn remove(&mut self, id: NodeId, is_before: impl Fn(NodeId) -> bool) {
        let (at_block, at) = self.place_of(is_before);
        let block = &mut self.blocks[at_block];
        assert_eq!(block[at], id, "a child is where its name says");
        block.remove(at);
        self.count -= 1;
        if block.len() < BLOCK_IDS_MAX / 4 {
            self.join(at_block);
        }
    }

    /// A block that has become short and one beside it are made one, if that is half a block at most.
    fn join(&mut self, at: usize) {
        if self.blocks[at].is_empty() {
            self.blocks.remove(at);
            return;
        }
        for first in at.saturating_sub(1)..=at {
            let length = |at: usize| self.blocks.get(at).map_or(BLOCK_IDS_MAX, Vec::len);
            if length(first) + length(first + 1) <= BLOCK_IDS_MAX / 2 {
                let mut behind = self.blocks.remove(first + 1);
                self.blocks[first].append(&mut behind);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of a child is its id.
    fn before(id: u32) -> impl Fn(NodeId) -> bool {
        move |other: NodeId| other.0 < id
    }

    #[test]
    fn ids_stay_in_order_however_they_come_and_go() {
        let count = 10_000_u32;
        let by_step = |step: u64| move |n: u32| ((u64::from(n) * step) % u64::from(count)) as u32;
        // Four clients, each with a few names in order at a time; the last two among each other's.
        let by_turns = |n: u32| match (n / 10 % 4, n / 40 * 10 + n % 10) {
            (client @ (0 | 1), own) => client * 2500 + own,
            (client, own) => 5000 + own * 2 + client % 2,
        };
        let (forth, mixed, back) = (by_step(1), by_step(7919), by_step(9_999));
        let orders: [(&str, &dyn Fn(u32) -> u32); 4] =
            [("forth", &forth), ("mixed", &mixed), ("back", &back), ("by turns", &by_turns)];
        for (step, nth) in orders {
            let mut children = Children::default();
            for n in 0..count {
                children.insert(NodeId(nth(n)), before(nth(n)));
            }
            assert!(children.ids().map(|id| id.0).eq(0..count), "{step}");
            assert!(children.ids().rev().map(|id| id.0).eq((0..count).rev()), "{step}");
            assert!(children.blocks.len() <= 2 * count as usize / BLOCK_IDS_MAX + 1, "{step}");
            let mut left = vec![true; count as usize];
            for n in 0..count - 1 {
                children.remove(NodeId(nth(n)), before(nth(n)));
                left[nth(n) as usize] = false;
                if n % 997 == 0 {
                    let want = (0..count).filter(|id| left[*id as usize]);
                    assert!(children.ids().map(|id| id.0).eq(want), "{step}");
                    assert_eq!(children.count(), (count - n - 1) as usize);
                    let full = children.count() / (BLOCK_IDS_MAX / 8) + 2;
                    assert!(children.blocks.len() <= full, "{step} {n}");
                }
            }
            assert_eq!(children.ids().map(|id| id.0).collect::<Vec<_>>(), [nth(count - 1)]);
        }
    }

    #[test]
    fn those_from_a_place_on_begin_with_it() {
        let mut children = Children::default();
        for id in (0..4000).step_by(2) {
            children.insert(NodeId(id), before(id));
        }
        for name in [0_u32, 1, 510, 511, 1022, 1023, 1024, 1025, 3997, 3998, 3999] {
            let after = children.ids_from(children.place_of(before(name + 1)));
            assert!(
                after.map(|id| id.0).eq((0..4000).step_by(2).filter(|id| *id > name)),
                "{name}"
            );
        }
        assert_eq!(Children::default().ids_from((0, 0)).count(), 0);
    }
}
