//! Access control lists, each stored once. (ReferenceCountedACLCache)
//!
//! A node refers to its list by an id; a snapshot writes the lists in use once. Ids are local to a
//! server: what two servers compare is always the list itself. An id may be unknown for a while
//! after a load: a list made after the snapshot's table was written, of a node written later; the
//! replay of the transaction that set it puts that right. Until then nobody passes.
//!
//! Not here: whom a list lets pass (acl_list.rs), what its entries may be (acl_rules.rs).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::acl_list::AclList;
use crate::jute::Jute;
use crate::jute::data::Acl;

/// The id of world:anyone with all permissions, which is in no table.
pub const OPEN_ACL_ID: i64 = -1;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    list: AclList,
    hash: u64,
    nodes: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AclCache {
    by_id: BTreeMap<i64, Entry>,
    /// By encoded list.
    ids: BTreeMap<Vec<u8>, i64>,
    /// No id was ever above this one: none that was loaded, none that a node refers to (TR-4).
    id_max: i64,
    open: AclList,
    open_hash: u64,
    /// Stands for a list that is not known: admits nobody.
    closed: AclList,
}

impl Default for AclCache {
    fn default() -> AclCache {
        let open = Acl::open();
        let open_hash = hash(&open.to_jute());
        AclCache {
            by_id: BTreeMap::new(),
            ids: BTreeMap::new(),
            id_max: 0,
            open: open.into(),
            open_hash,
            closed: vec![Acl { perms: 0, ..Acl::default() }].into(),
        }
    }
}

impl AclCache {
    /// The id of a list, with one more node that refers to it. No list at all means open.
    pub(super) fn intern(&mut self, list: Option<&[Acl]>) -> i64 {
        let Some(list) = list.filter(|list| **list != *self.open) else { return OPEN_ACL_ID };
        let encoded = encode(list);
        if let Some(id) = self.ids.get(&encoded).copied() {
            self.refer(id);
            return id;
        }
        self.id_max += 1;
        let id = self.id_max;
        self.by_id.insert(id, Entry { list: list.into(), hash: hash(&encoded), nodes: 1 });
        self.ids.insert(encoded, id);
        id
    }

    /// One more node refers to this id.
    pub(super) fn refer(&mut self, id: i64) {
        self.id_max = self.id_max.max(id);
        if let Some(entry) = self.by_id.get_mut(&id) {
            entry.nodes += 1;
        }
    }

    /// One node less refers to this id; the last one takes the list with it.
    pub(super) fn release(&mut self, id: i64) {
        let Some(entry) = self.by_id.get_mut(&id) else { return };
        entry.nodes -= 1;
        if entry.nodes == 0 {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: i64) {
        let Some(entry) = self.by_id.remove(&id) else { return };
        let encoded = encode(&entry.list);
        // A loaded table may hold one list under two ids.
        if self.ids.get(&encoded) == Some(&id) {
            self.ids.remove(&encoded);
        }
    }

    /// An entry of a snapshot's table; nodes refer to it later.
    pub(super) fn load(&mut self, id: i64, list: Vec<Acl>) {
        self.id_max = self.id_max.max(id);
        let encoded = encode(&list);
        let hash = hash(&encoded);
        self.by_id.insert(id, Entry { list: list.into(), hash, nodes: 0 });
        self.ids.entry(encoded).or_insert(id);
    }

    /// Forgets the lists no node refers to, once all nodes are loaded.
    pub(super) fn forget_unused(&mut self) {
        let unused: Vec<i64> =
            self.by_id.iter().filter(|(_, entry)| entry.nodes == 0).map(|(id, _)| *id).collect();
        for id in unused {
            self.forget(id);
        }
    }

    /// `None` for an id whose list is not known (yet).
    pub(super) fn list(&self, id: i64) -> Option<&AclList> {
        if id == OPEN_ACL_ID {
            return Some(&self.open);
        }
        self.by_id.get(&id).map(|entry| &entry.list)
    }

    /// The list to check against.
    pub(super) fn list_or_closed(&self, id: i64) -> &AclList {
        self.list(id).unwrap_or(&self.closed)
    }

    pub(super) fn hash_of(&self, id: i64) -> u64 {
        if id == OPEN_ACL_ID {
            return self.open_hash;
        }
        self.by_id.get(&id).map_or(!self.open_hash, |entry| entry.hash)
    }

    pub(super) fn table(&self) -> impl Iterator<Item = (i64, &AclList)> + '_ {
        self.by_id.iter().map(|(id, entry)| (*id, &entry.list))
    }
}

fn encode(list: &[Acl]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(list.len() * 32);
    for acl in list {
        acl.encode(&mut bytes);
    }
    bytes
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::data::Id;

    fn acl(perms: i32, scheme: &str, name: &str) -> Acl {
        Acl { perms, id: Id { scheme: scheme.into(), id: name.into() } }
    }

    #[test]
    fn the_open_list_needs_no_entry() {
        let mut cache = AclCache::default();
        assert_eq!(cache.intern(None), OPEN_ACL_ID);
        assert_eq!(cache.intern(Some(&Acl::open())), OPEN_ACL_ID);
        assert_eq!(cache.table().count(), 0);
    }

    #[test]
    fn equal_lists_share_an_id_and_go_with_their_last_node() {
        let mut cache = AclCache::default();
        let list = [acl(1, "world", "anyone")];
        let first = cache.intern(Some(&list));
        assert_eq!(cache.intern(Some(&list)), first);
        cache.release(first);
        assert!(cache.list(first).is_some());
        cache.release(first);
        assert!(cache.list(first).is_none());
        assert_ne!(cache.intern(Some(&list)), first, "TR-4: an id that was used is not used again");
    }

    #[test]
    fn an_id_that_a_loaded_node_refers_to_is_not_given_to_another_list() {
        let mut cache = AclCache::default();
        cache.load(3, vec![acl(1, "world", "anyone")]);
        cache.refer(3);
        cache.refer(7);
        assert_eq!(cache.intern(Some(&[acl(2, "world", "anyone")])), 8);
        assert_eq!(cache.intern(Some(&[acl(1, "world", "anyone")])), 3);
        assert!(cache.list(7).is_none());
    }

    #[test]
    fn lists_that_no_loaded_node_uses_are_forgotten() {
        let mut cache = AclCache::default();
        cache.load(1, vec![acl(1, "world", "anyone")]);
        cache.load(2, vec![acl(1, "world", "anyone")]);
        cache.refer(2);
        cache.forget_unused();
        assert_eq!(cache.table().map(|(id, _)| id).collect::<Vec<_>>(), [2]);
    }
}
