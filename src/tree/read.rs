//! What reads see, and what `prepare` and the four-letter words ask. Errors are reply codes.
//!
//! Not here: whether the asker may read (acl_rules.rs), and the masking of digest ids in getACL.

use std::collections::BTreeSet;
use std::ops::Bound;

use bytes::Bytes;

use super::acl_list::AclList;
use super::acl_rules::AclRules;
use super::arena::{Arena, ROOT};
use super::children::NodeId;
use super::node::Node;
use super::{DataTree, digest};
use crate::base::SessionId;
use crate::base::paths;
use crate::jute::client::code;
use crate::jute::data::{Id, Stat, StatPersisted};

/// A node as it is stored.
#[derive(Clone, Debug)]
pub struct NodeView<'a> {
    pub data: Option<&'a [u8]>,
    pub stat: StatPersisted,
    pub child_count: usize,
    pub acl: AclList,
    /// Its part in Apache's tree digest.
    pub digest: u64,
    arena: &'a Arena,
    id: NodeId,
}

impl<'a> NodeView<'a> {
    /// What a client sees.
    pub fn visible_stat(&self) -> Stat {
        self.arena[self.id].visible_stat()
    }

    /// For whoever keeps it: a copy, if it is short.
    pub fn data_to_keep(&self) -> Option<Bytes> {
        self.arena[self.id].data_to_keep()
    }

    pub fn child_names(&self) -> ChildNames<'a> {
        ChildNames { arena: self.arena, parent: self.id }
    }
}

/// The names of a node's children, in their order as strings, not copied.
#[derive(Clone, Copy, Debug)]
pub struct ChildNames<'a> {
    arena: &'a Arena,
    parent: NodeId,
}

impl<'a> ChildNames<'a> {
    pub fn count(&self) -> usize {
        self.arena[self.parent].child_count()
    }

    /// Bytes of all of them as jute writes them, without the length of each. Looks at none.
    pub fn text_bytes(&self) -> usize {
        self.arena[self.parent].names_text_bytes()
    }

    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.arena.children(self.parent).map(|(name, _)| name)
    }

    /// Those behind this name; looks at none of the others.
    pub fn behind(&self, name: Option<&str>) -> impl Iterator<Item = &'a str> + use<'a> {
        self.arena.children_after(self.parent, name).map(|(name, _)| name)
    }

    /// Each as UTF-8, which is not checked again.
    pub fn iter_utf8(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let arena = self.arena;
        arena[self.parent].child_ids().map(|id| arena[id].name_bytes())
    }
}

/// The ephemerals of a session whose paths begin with a text, in their order, not copied.
#[derive(Clone, Debug)]
pub struct Ephemerals<'a> {
    owned: Option<&'a BTreeSet<Box<str>>>,
    prefix: String,
}

impl<'a> Ephemerals<'a> {
    /// Looks at none but these.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a, '_> {
        let from = (Bound::Included(&*self.prefix), Bound::Unbounded);
        let owned = self.owned.into_iter().flat_map(move |owned| owned.range::<str, _>(from));
        owned.map(|path| &**path).take_while(|path| path.starts_with(&self.prefix))
    }
}

impl DataTree {
    fn node(&self, path: &str) -> Result<&Node, i32> {
        self.find(path).map(|id| &self.arena[id]).ok_or(code::NO_NODE)
    }

    pub fn view(&self, path: &str) -> Option<NodeView<'_>> {
        let id = self.find(path)?;
        let node = &self.arena[id];
        Some(NodeView {
            data: node.data(),
            stat: node.stat(),
            child_count: node.child_count(),
            acl: self.acls.list_or_closed(node.acl).clone(),
            digest: if digest::is_excluded(path) { 0 } else { node.crc.into() },
            arena: &self.arena,
            id,
        })
    }

    pub fn exists(&self, path: &str) -> Result<Stat, i32> {
        Ok(self.node(path)?.visible_stat())
    }

    pub fn get_data(&self, path: &str) -> Result<(Option<Bytes>, Stat), i32> {
        let node = self.node(path)?;
        Ok((node.data_to_keep(), node.visible_stat()))
    }

    /// The names in their order as strings.
    pub fn get_children(&self, path: &str) -> Result<(Vec<String>, Stat), i32> {
        let id = self.find(path).ok_or(code::NO_NODE)?;
        let names = self.arena.children(id).map(|(name, _)| name.to_owned()).collect();
        Ok((names, self.arena[id].visible_stat()))
    }

    /// The list as it is stored, nothing masked.
    pub fn get_acl(&self, path: &str) -> Result<(AclList, Stat), i32> {
        let node = self.node(path)?;
        let list = self.acls.list(node.acl).ok_or(code::RUNTIME_INCONSISTENCY)?;
        Ok((list.clone(), node.visible_stat()))
    }

    /// Whether somebody with these ids holds one of the wanted permissions on this node. Nobody
    /// holds any on a node that is not there.
    pub fn check_acl(&self, path: &str, wanted: i32, ids: &[Id]) -> bool {
        self.node(path)
            .is_ok_and(|node| self.acl_rules.check(self.acls.list_or_closed(node.acl), wanted, ids))
    }

    pub fn acl_rules(&self) -> AclRules {
        self.acl_rules
    }

    /// The rules of this server, which no transaction and no snapshot carries.
    pub fn set_acl_rules(&mut self, rules: AclRules) {
        self.acl_rules = rules;
    }

    /// Every node below this one. The root's other name, "", counts "/" among them, as Apache keeps
    /// the root under both. (DataTree.getAllChildrenNumber)
    pub fn all_children_number(&self, path: &str) -> Result<usize, i32> {
        match path {
            "" => return Ok(self.node_count() - 1),
            paths::ROOT => return Ok(self.node_count() - 2),
            _ => {}
        }
        Ok(self.node(path)?.below().nodes as usize)
    }

    /// As Apache counts: the root twice, under both its names. 5 in a fresh tree.
    pub fn node_count(&self) -> usize {
        self.arena.len() + 1
    }

    /// Characters of all paths plus bytes of all data.
    pub fn approximate_data_size(&self) -> i64 {
        self.data_size
    }

    pub fn ephemerals_count(&self) -> usize {
        self.ephemerals.values().map(BTreeSet::len).sum()
    }

    /// The ephemerals of a session, in the order of their paths.
    pub fn ephemerals(&self, session: SessionId) -> impl Iterator<Item = &str> + '_ {
        self.ephemerals.get(&session).into_iter().flatten().map(|path| &**path)
    }

    pub fn ephemerals_of(&self, session: SessionId) -> usize {
        self.ephemerals.get(&session).map_or(0, BTreeSet::len)
    }

    /// Those of its ephemerals whose paths come behind this one.
    pub fn ephemerals_behind<'a>(
        &'a self,
        session: SessionId,
        path: Option<&str>,
    ) -> impl Iterator<Item = &'a str> + use<'a> {
        let from = path.map_or(Bound::Unbounded, Bound::Excluded);
        let owned = self.ephemerals.get(&session);
        let behind = owned.map(|owned| owned.range::<str, _>((from, Bound::Unbounded)));
        behind.into_iter().flatten().map(|path| &**path)
    }

    pub fn ephemerals_below(&self, session: SessionId, prefix: String) -> Ephemerals<'_> {
        Ephemerals { owned: self.ephemerals.get(&session), prefix }
    }

    /// Sessions that own at least one node.
    pub fn ephemeral_owners(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.ephemerals.keys().copied()
    }

    pub fn containers(&self) -> impl Iterator<Item = &str> + '_ {
        self.containers.iter().map(|path| &**path)
    }

    pub fn ttls(&self) -> impl Iterator<Item = &str> + '_ {
        self.ttls.iter().map(|path| &**path)
    }

    /// Counts anew what is below each node, and the bytes of its children's names (TR-5).
    #[cfg(test)]
    pub(super) fn audit_below(&self) {
        let mut open = vec![ROOT];
        while let Some(id) = open.pop() {
            let node = &self.arena[id];
            let children = || node.child_ids().map(|id| &self.arena[id]);
            let nothing = super::children::Below::default();
            let below = children().fold(nothing, |sum, node| sum.plus(node.with_below()));
            assert_eq!(node.below(), below, "TR-5");
            let names = children().map(|child| crate::jute::text_bytes(child.name()));
            assert_eq!(node.names_text_bytes(), names.sum::<usize>(), "TR-5");
            open.extend(node.child_ids());
        }
    }

    /// Both digests computed anew from every node: what the incremental ones must equal (TR-1).
    /// Reads the whole tree.
    pub fn audit_digests(&self) -> (u64, u64) {
        let mut sums = (0_u64, 0_u64);
        let mut open = vec![(ROOT, String::new())];
        while let Some((id, path)) = open.pop() {
            let node = &self.arena[id];
            let crc = digest::node_crc(&path, node.data(), &node.stat());
            if !digest::is_excluded(&path) {
                sums.0 = sums.0.wrapping_add(crc.into());
            }
            if !digest::is_servers_own(&path) {
                let acl_hash = self.acls.hash_of(node.acl);
                let hash = digest::state_hash(crc, node.data().is_some(), acl_hash);
                sums.1 = sums.1.wrapping_add(hash);
            }
            open.extend(self.arena.children(id).map(|(name, id)| (id, paths::join(&path, name))));
        }
        sums
    }
}
