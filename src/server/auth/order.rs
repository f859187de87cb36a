//! The order of a connection's ids.
//!
//! Apache keeps them in a hash set, in whose order whoAmI tells them and scheme `auth` of an ACL
//! becomes entries. It is the same on every run, and it is stored with the nodes: so it is the
//! order here. (ServerCnxn.authInfo, a ConcurrentHashMap of Ids)

use crate::jute::data::Id;

/// A table this large ...
const TABLE_MIN: usize = 16;

/// Adds ids to those a connection has. They are a set. Proving again what was proven costs a
/// comparison with each (`CLIENT_IDS_MAX`), and none of them is looked at for its place.
pub(in crate::server) fn add_ids(held: &mut Vec<Id>, ids: Vec<Id>) {
    let before = held.len();
    for id in ids {
        if !held.contains(&id) {
            held.push(id);
        }
    }
    if held.len() > before {
        arrange(held);
    }
}

/// Brings ids that stand in the order of their arrival into Apache's.
fn arrange(ids: &mut [Id]) {
    let mut table = TABLE_MIN;
    // ... doubles when it is full to three quarters.
    while ids.len() >= table / 4 * 3 {
        table *= 2;
    }
    ids.sort_by_key(|id| place(id, table));
}

/// The bin of an id. (ConcurrentHashMap.spread)
fn place(id: &Id, table: usize) -> usize {
    let hash = 17_i32.wrapping_mul(37).wrapping_add(hash_of(&id.scheme));
    let hash = hash.wrapping_mul(37).wrapping_add(hash_of(&id.id)) as u32;
    (hash ^ (hash >> 16)) as usize & (table - 1)
}

/// String.hashCode
fn hash_of(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(scheme: &str, id: &str) -> Id {
        Id { scheme: scheme.into(), id: id.into() }
    }

    #[test]
    fn strings_have_the_hash_codes_of_java() {
        assert_eq!(hash_of(""), 0);
        assert_eq!(hash_of("digest"), -1_331_913_276);
        assert_eq!(hash_of("127.0.0.1"), 1_505_998_205);
        assert_eq!(hash_of("\u{1f600}"), 0xd83d * 31 + 0xde00);
    }

    #[test]
    fn ids_stand_as_apache_was_seen_to_tell_them() {
        let ip = id("ip", "127.0.0.1");
        let bob = id("digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=");
        let mut ids = [ip.clone(), bob.clone()];
        arrange(&mut ids);
        assert_eq!(ids, [bob, ip.clone()]);

        let boss = id("super", "");
        let known = id("digest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
        let mut ids = [ip.clone(), boss.clone(), known.clone()];
        arrange(&mut ids);
        assert_eq!(ids, [boss, ip, known]);
    }
}
