//! Access control lists: interned, checked, and made fit to be stored.
//! (ReferenceCountedACLCache; ZooKeeperServer.checkACL; PrepRequestProcessor.fixupACL)
//!
//! A node refers to its list by an id; a snapshot writes the lists in use once. Ids are local to a
//! server: what two servers compare is always the list itself. An id may be unknown for a while
//! after a load: a list made after the snapshot's table was written, of a node written later; the
//! replay of the transaction that set it puts that right. Until then nobody passes.
//!
//! Not here: which schemes there are, and what their ids look like (acl_rules.rs).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::jute::Jute;
use crate::jute::data::{Acl, Id};

/// The id of world:anyone with all permissions, which is in no table.
pub const OPEN_ACL_ID: i64 = -1;

pub type AclList = Arc<[Acl]>;

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

/// Whether somebody with these ids holds one of the wanted permissions.
///
/// An empty list is open, and `super` passes everywhere.
pub fn check_acl(list: &[Acl], wanted: i32, ids: &[Id]) -> bool {
    list.is_empty()
        || ids.iter().any(|id| id.scheme == "super")
        || list.iter().filter(|acl| acl.perms & wanted != 0).any(|acl| admits(&acl.id, ids))
}

fn admits(expression: &Id, ids: &[Id]) -> bool {
    match (expression.scheme.as_str(), expression.id.as_str()) {
        ("world", "anyone") => true,
        ("ip", net) => ids.iter().any(|id| id.scheme == "ip" && ip_matches(net, &id.id)),
        // A user of that name is every user. (SASLAuthenticationProvider)
        ("sasl", _) if ids.iter().any(|id| id.scheme == "sasl" && id.id == "super") => true,
        _ => ids.contains(expression),
    }
}

/// Whether an address lies in `address` or `address/bits`.
fn ip_matches(net: &str, address: &str) -> bool {
    let (Some((net, bits)), Some(address)) = (parse_net(net), parse_ip(address)) else {
        return false;
    };
    match (net, address) {
        (IpAddr::V4(net), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            net.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(net), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            net.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

/// An address and how many of its bits count.
pub(super) fn parse_net(net: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = match net.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse().ok()?)),
        None => (net, None),
    };
    let address = parse_ip(address)?;
    let bits_max = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(bits_max);
    (bits <= bits_max).then_some((address, bits))
}

/// An IPv4 address in an IPv6 coat is the IPv4 address, as in Java; a zone does not count.
fn parse_ip(address: &str) -> Option<IpAddr> {
    let address = address.split_once('%').map_or(address, |(address, _)| address);
    address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::super::acl_rules::AclRules;
    use super::*;
    use crate::jute::data::perms;

    fn id(scheme: &str, id: &str) -> Id {
        Id { scheme: scheme.into(), id: id.into() }
    }

    fn acl(perms: i32, scheme: &str, name: &str) -> Acl {
        Acl { perms, id: id(scheme, name) }
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

    #[test]
    fn a_permission_is_held_by_whom_the_list_names() {
        let list = [acl(perms::READ, "world", "anyone"), acl(perms::WRITE, "digest", "bob:x")];
        assert!(check_acl(&list, perms::READ, &[]));
        assert!(!check_acl(&list, perms::WRITE, &[id("ip", "10.0.0.1"), id("digest", "bob:y")]));
        assert!(check_acl(&list, perms::WRITE, &[id("digest", "bob:x")]));
        assert!(check_acl(&list, perms::READ | perms::ADMIN, &[]), "one of the wanted is enough");
        assert!(!check_acl(&list, perms::ADMIN, &[id("digest", "bob:x")]));
        assert!(check_acl(&list, perms::ADMIN, &[id("super", "")]));
        assert!(check_acl(&[], perms::ADMIN, &[]), "an empty list is open");
    }

    #[test]
    fn the_user_super_of_sasl_is_every_user_of_sasl() {
        let list = [acl(perms::READ, "sasl", "bob"), acl(perms::WRITE, "digest", "bob:x")];
        assert!(check_acl(&list, perms::READ, &[id("sasl", "bob")]));
        assert!(!check_acl(&list, perms::READ, &[id("sasl", "eve"), id("digest", "super")]));
        assert!(check_acl(&list, perms::READ, &[id("sasl", "super")]));
        assert!(!check_acl(&list, perms::WRITE, &[id("sasl", "super")]));
    }

    #[test]
    fn an_address_matches_its_net() {
        for (net, address, want) in [
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("10.1.0.0/16", "10.1.255.4", true),
            ("10.1.0.0/16", "10.2.0.1", false),
            ("0.0.0.0/0", "192.168.0.1", true),
            ("::/0", "192.168.0.1", false),
            ("fe80::/10", "fe80::1%eth0", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("10.1.2.3", "::ffff:10.1.2.3", true),
            ("nonsense", "10.1.2.3", false),
        ] {
            let list = [acl(perms::READ, "ip", net)];
            assert_eq!(
                check_acl(&list, perms::READ, &[id("ip", address)]),
                want,
                "{net} {address}"
            );
        }
    }

    #[test]
    fn a_list_is_valid_when_every_entry_is() {
        for (scheme, name, valid) in [
            ("world", "anyone", true),
            ("world", "bob", false),
            ("ip", "10.0.0.1", true),
            ("ip", "10.0.0.0/33", false),
            ("ip", "fe80::/129", false),
            ("ip", "fe80::/64", true),
            ("ip", "10.0.0/8", false),
            ("digest", "bob:pw", true),
            ("digest", "bob", false),
            ("digest", "a:b:c", false),
            ("digest", "bob:", false),
            ("auth", "", false),
            ("nosuch", "x", false),
        ] {
            let list = [acl(31, "world", "anyone"), acl(0, scheme, name)];
            assert_eq!(
                AclRules::default().fix_up(Some(&list), &[]).is_some(),
                valid,
                "{scheme}:{name}"
            );
        }
        assert_eq!(AclRules::default().fix_up(None, &[]), None);
        assert_eq!(AclRules::default().fix_up(Some(&[]), &[]), None);
    }

    #[test]
    fn auth_becomes_the_ids_that_were_proven() {
        let ids = [id("ip", "10.0.0.1"), id("digest", "bob:x"), id("super", "")];
        let list = [acl(3, "auth", ""), acl(3, "auth", ""), acl(1, "world", "anyone")];
        assert_eq!(
            AclRules::default().fix_up(Some(&list), &ids),
            Some(vec![acl(3, "digest", "bob:x"), acl(1, "world", "anyone")])
        );
    }
}
