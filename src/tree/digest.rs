//! Digests of nodes; a tree's digest is the wrapping sum over its nodes. (DigestCalculator, version 2)
//!
//!     CRC-32 over: path ("" for the root) | data | czxid mzxid pzxid ctime mtime (8 each)
//!                  | version cversion aversion (4 each) | ephemeralOwner 8
//!
//! Apache's digest leaves out ACLs and everything below /zookeeper. The state digest does not: it
//! mixes the same CRC with a hash of the ACL list. (S-16)

use super::quota;
use crate::base::paths::{CONFIG, ROOT};
use crate::base::splitmix;
use crate::jute::data::StatPersisted;

/// The version a TxnDigest and a snapshot's digest block carry.
pub const DIGEST_VERSION: i32 = 2;

/// Whether Apache's digest leaves this path out.
pub(super) fn is_excluded(path: &str) -> bool {
    path.starts_with("/zookeeper/")
}

/// Whether the state digest leaves this path out: servers may differ here.
pub(super) fn is_servers_own(path: &str) -> bool {
    path == CONFIG || quota::is_usage(path)
}

/// A node's part in Apache's tree digest.
pub fn node_digest(path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> u64 {
    if is_excluded(path) { 0 } else { node_crc(path, data, stat).into() }
}

/// The CRC alone, of any node.
pub(super) fn node_crc(path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> u32 {
    let longs = [stat.czxid.0, stat.mzxid.0, stat.pzxid.0, stat.ctime, stat.mtime];
    let ints = [stat.version, stat.cversion, stat.aversion];
    let mut fields = [0; 60];
    for (at, long) in longs.into_iter().enumerate() {
        fields[at * 8..][..8].copy_from_slice(&long.to_be_bytes());
    }
    for (at, int) in ints.into_iter().enumerate() {
        fields[40 + at * 4..][..4].copy_from_slice(&int.to_be_bytes());
    }
    fields[52..].copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    let path = if path == ROOT { "" } else { path };
    crc_of([path.as_bytes(), data.unwrap_or_default(), &fields])
}

/// Of all three in a row. Most are short: put together first, since the fast way needs 128 bytes.
fn crc_of(parts: [&[u8]; 3]) -> u32 {
    let mut row = [0; 384];
    let mut rest = &mut row[..];
    for part in parts {
        let Some((place, behind)) = std::mem::take(&mut rest).split_at_mut_checked(part.len())
        else {
            let mut crc = crc32fast::Hasher::new();
            parts.iter().for_each(|part| crc.update(part));
            return crc.finalize();
        };
        place.copy_from_slice(part);
        rest = behind;
    }
    let left = rest.len();
    crc32fast::hash(&row[..row.len() - left])
}

/// A node's part in the state digest.
pub(super) fn state_hash(crc: u32, has_data: bool, acl_hash: u64) -> u64 {
    // Mixed, since a sum of raw CRCs would let two changes cancel each other.
    splitmix::finish(acl_hash ^ (u64::from(crc) << 1 | u64::from(has_data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crc_is_that_of_its_parts_however_long_they_are() {
        for lengths in
            [[0, 0, 0], [5, 0, 60], [20, 100, 60], [20, 304, 60], [20, 305, 60], [385, 1, 60]]
        {
            let [a, b, c] = lengths.map(|length| vec![length as u8; length]);
            let whole = crc32fast::hash(&[&a[..], &b, &c].concat());
            assert_eq!(crc_of([&a, &b, &c]), whole, "{lengths:?}");
        }
    }
}
