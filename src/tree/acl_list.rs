//! One access control list, and whether it lets somebody pass. (ZooKeeperServer.checkACL)
//!
//! A list may have tens of thousands of entries, and one request may ask it tens of thousands of
//! times. A long list is therefore looked up in, not read, and a request asks each list once
//! ([`AskedLists`]).
//!
//! Not here: which entries a list may have (acl_rules.rs), who has which list (acl.rs).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::jute::data::{Acl, Id};

/// Lists of no more entries are read from end to end.
const READ_ENTRIES_MAX: usize = 8;

/// A list that does not change; clones share it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Vec<Acl>", into = "Vec<Acl>")]
pub struct AclList(Arc<Shared>);

struct Shared {
    entries: Box<[Acl]>,
    /// Of a long list.
    index: Option<Index>,
}

/// What a list says, by whom it names.
struct Index {
    /// An entry of each id but addresses, in the order of scheme and id, with the permissions of
    /// all entries that have the same.
    ids: Vec<(u32, i32)>,
    /// `address/bits`, as in `nets_of`, with its permissions.
    nets: BTreeMap<Net, i32>,
    /// The lengths of prefixes that occur, which are few: (is IPv4, bits).
    prefixes: BTreeSet<(bool, u32)>,
    /// What everybody may do, and what every user of SASL together may do.
    anyone: i32,
    sasl: i32,
}

/// Is IPv4, bits that count, the address with all other bits cleared.
type Net = (bool, u32, u128);

impl AclList {
    /// Whether somebody with these ids holds one of the wanted permissions.
    ///
    /// An empty list is open, and `super` passes everywhere.
    pub(super) fn lets_pass(&self, wanted: i32, ids: &[Id]) -> bool {
        match &self.0.index {
            None => check_acl(self, wanted, ids),
            Some(index) => {
                index.anyone & wanted != 0
                    || ids.iter().any(|id| {
                        id.scheme == "super" || index.perms_of(&self.0.entries, id) & wanted != 0
                    })
            }
        }
    }

    fn is_long(&self) -> bool {
        self.0.index.is_some()
    }

    fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }
}

impl Index {
    fn of(entries: &[Acl]) -> Index {
        let mut index = Index {
            ids: Vec::new(),
            nets: BTreeMap::new(),
            prefixes: BTreeSet::new(),
            anyone: 0,
            sasl: 0,
        };
        let mut ids: Vec<(u32, i32)> = Vec::new();
        for (at, acl) in entries.iter().enumerate() {
            match (acl.id.scheme.as_str(), acl.id.id.as_str()) {
                ("world", "anyone") => index.anyone |= acl.perms,
                ("ip", net) => {
                    if let Some((address, bits)) = parse_net(net) {
                        let net = net_of(address, bits);
                        *index.nets.entry(net).or_default() |= acl.perms;
                        index.prefixes.insert((net.0, net.1));
                    }
                }
                (scheme, _) => {
                    index.sasl |= if scheme == "sasl" { acl.perms } else { 0 };
                    let at = u32::try_from(at).expect("a list came in one frame or record");
                    ids.push((at, acl.perms));
                }
            }
        }
        ids.sort_by_key(|(at, _)| key_of(&entries[*at as usize].id));
        for (at, perms) in ids {
            match index.ids.last_mut() {
                Some((last, held)) if entries[*last as usize].id == entries[at as usize].id => {
                    *held |= perms;
                }
                _ => index.ids.push((at, perms)),
            }
        }
        index
    }

    /// What this id alone may do.
    fn perms_of(&self, entries: &[Acl], id: &Id) -> i32 {
        match (id.scheme.as_str(), id.id.as_str()) {
            ("ip", address) => {
                let Some(address) = parse_ip(address) else { return 0 };
                let of_prefix = |(is_v4, bits): &(bool, u32)| {
                    let is_its_family = *is_v4 == address.is_ipv4();
                    let net = is_its_family.then(|| net_of(address, *bits))?;
                    self.nets.get(&net).copied()
                };
                self.prefixes.iter().filter_map(of_prefix).fold(0, |all, perms| all | perms)
            }
            // A user of that name is every user. (SASLAuthenticationProvider)
            ("sasl", "super") => self.sasl,
            _ => {
                let found = self
                    .ids
                    .binary_search_by_key(&key_of(id), |(at, _)| key_of(&entries[*at as usize].id));
                found.map_or(0, |found| self.ids[found].1)
            }
        }
    }
}

fn key_of(id: &Id) -> (&str, &str) {
    (&id.scheme, &id.id)
}

/// What one request has asked, of lists that are long: it may ask the same of one list again and
/// again, for as many nodes as it names.
#[derive(Debug, Default)]
pub struct AskedLists {
    /// By the place of the list, and what was wanted. The list is kept, and its place with it.
    answers: BTreeMap<(usize, i32), (AclList, bool)>,
}

impl AskedLists {
    /// [`AclList::lets_pass`], for one asker.
    pub(super) fn lets_pass(&mut self, list: &AclList, wanted: i32, ids: &[Id]) -> bool {
        if !list.is_long() {
            return list.lets_pass(wanted, ids);
        }
        let answer = || (list.clone(), list.lets_pass(wanted, ids));
        self.answers.entry((list.address(), wanted)).or_insert_with(answer).1
    }
}

impl From<Vec<Acl>> for AclList {
    fn from(entries: Vec<Acl>) -> AclList {
        let index = (entries.len() > READ_ENTRIES_MAX).then(|| Index::of(&entries));
        AclList(Arc::new(Shared { entries: entries.into(), index }))
    }
}

impl From<&[Acl]> for AclList {
    fn from(entries: &[Acl]) -> AclList {
        entries.to_vec().into()
    }
}

impl From<AclList> for Vec<Acl> {
    fn from(list: AclList) -> Vec<Acl> {
        list.to_vec()
    }
}

impl Default for AclList {
    fn default() -> AclList {
        Vec::new().into()
    }
}

impl Deref for AclList {
    type Target = [Acl];

    fn deref(&self) -> &[Acl] {
        &self.0.entries
    }
}

impl PartialEq for AclList {
    fn eq(&self, other: &AclList) -> bool {
        **self == **other
    }
}

impl Eq for AclList {}

impl fmt::Debug for AclList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// [`AclList::lets_pass`] of a list that is short: what it means, word for word.
pub(super) fn check_acl(list: &[Acl], wanted: i32, ids: &[Id]) -> bool {
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
    net.is_ipv4() == address.is_ipv4() && net_of(net, bits) == net_of(address, bits)
}

fn net_of(address: IpAddr, bits: u32) -> Net {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            (true, bits, (address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            (false, bits, address.to_bits() & mask)
        }
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
#[path = "acl_list_test.rs"]
mod tests;
