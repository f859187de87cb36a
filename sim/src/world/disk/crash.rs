//! What a power loss leaves on a disk.
//!
//! A killed process leaves what the kernel has: the page cache, and of the operations on their
//! way none, all or a part (`device`). A power loss leaves what is durable, and of the rest what chance
//! kept: each unsynced write is lost, kept or torn at 512-byte sectors, in no order; each
//! directory keeps a prefix of its unsynced changes. Keys: (disk, no. of the crash, no. of the
//! change).

use serde::{Deserialize, Serialize};

use super::file::{Change, Content, Inode};
use super::file_system::{Dir, FileSystem};
use crate::draw::Key;

const SECTOR: u64 = 512;

/// What a power loss does to what was not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Unsynced {
    /// A keyed draw a crash: all lost, all kept, or each write by itself.
    Drawn,
    Lost,
    Kept,
    /// Each write by itself: lost, kept or torn.
    Torn,
}

impl FileSystem {
    pub(super) fn lose_unsynced(&mut self, policy: Unsynced, key: Key) {
        let policy = match policy {
            Unsynced::Drawn => match key.range(0, 3) {
                0 => Unsynced::Lost,
                1 => Unsynced::Kept,
                _ => Unsynced::Torn,
            },
            policy => policy,
        };
        for inode in self.inodes.values_mut() {
            inode.lose_unsynced(policy, key);
        }
        for dir in self.dirs.values_mut() {
            dir.lose_unsynced(policy, key);
        }
    }
}

impl Inode {
    fn lose_unsynced(&mut self, policy: Unsynced, key: Key) {
        for unsaved in std::mem::take(&mut self.journal) {
            let key = key.with(unsaved.n);
            match (policy, key.range(0, 2)) {
                (Unsynced::Lost, _) | (Unsynced::Torn, 0) => {}
                (Unsynced::Kept, _) | (Unsynced::Torn, 1) => {
                    unsaved.change.apply(&mut self.durable)
                }
                _ => tear(&unsaved.change, &mut self.durable, key),
            }
        }
        self.cache = self.durable.clone();
    }
}

/// Any subset of the sectors becomes durable, or, as often, a prefix of them.
fn tear(change: &Change, content: &mut Content, key: Key) {
    let (from, to) = change.range();
    if matches!(change, Change::SetLen(_)) || from == to {
        return;
    }
    let (first, last) = (from / SECTOR, (to - 1) / SECTOR);
    let prefix = key.with(1).chance(500_000).then(|| key.with(2).range(first, last + 1));
    for sector in first..=last {
        let kept = match prefix {
            Some(end) => sector < end,
            None => key.with(3).with(sector).chance(500_000),
        };
        if kept && let Some(part) = change.within(sector * SECTOR, (sector + 1) * SECTOR) {
            part.apply(content);
        }
    }
}

impl Dir {
    fn lose_unsynced(&mut self, policy: Unsynced, key: Key) {
        let journal = std::mem::take(&mut self.journal);
        let kept = match policy {
            Unsynced::Lost => 0,
            Unsynced::Kept => journal.len(),
            Unsynced::Drawn | Unsynced::Torn => {
                let first = journal.first().map_or(0, |renaming| renaming.n);
                key.name("names").with(first).range(0, journal.len() as u64) as usize
            }
        };
        for renaming in journal.iter().take(kept) {
            renaming.change.apply(&mut self.durable);
        }
        self.names = self.durable.clone();
    }
}
