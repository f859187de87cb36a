//! The committed transactions themselves: read back from the disks at the end of a run, since notes
//! carry only hashes.

use std::collections::{BTreeMap, BTreeSet};

use quorate::base::{ServerId, Zxid};
use quorate::jute::txn::Proposal;
use quorate::storage::log_format::read_records;

use crate::checkers::Ghost;
use crate::world::World;

/// The committed sequence, oldest first, and whether every transaction of it was found. Logs may
/// have been purged or begun anew behind a snapshot; what one server lacks another has.
pub(super) fn committed(world: &World, ghost: &Ghost) -> (Vec<Proposal>, bool) {
    let wanted = ghost.committed.entries().iter().map(|entry| (entry.zxid, entry.hash));
    let mut found = Found { missing: wanted.collect(), proposals: BTreeMap::new() };
    for server in ghost.servers.keys() {
        if found.missing.is_empty() {
            break;
        }
        read_logs(world, *server, &mut found);
    }
    let mut sequence = Vec::new();
    for entry in ghost.committed.entries() {
        match found.proposals.remove(&(entry.zxid, entry.hash)) {
            Some(proposal) => sequence.push(proposal),
            None => return (sequence, false),
        }
    }
    (sequence, true)
}

/// By zxid and hash.
struct Found {
    missing: BTreeSet<(Zxid, u64)>,
    proposals: BTreeMap<(Zxid, u64), Proposal>,
}

fn read_logs(world: &World, server: ServerId, found: &mut Found) {
    for (path, content) in world.written_contents(server) {
        let is_log =
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log."));
        if !is_log {
            continue;
        }
        read_records(&content.read(0, content.len() as usize), |_, payload| {
            if let Ok(proposal) = Proposal::decode(payload) {
                let key = (proposal.zxid(), proposal.hash());
                if found.missing.remove(&key) {
                    found.proposals.insert(key, proposal);
                }
            }
        });
    }
}
