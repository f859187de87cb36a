//! `save-disk`, `restore-disk`: a server's disk goes back to what it was.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{Entry, Heal, Kind, Word};
use crate::grammar::List;
use crate::world::World;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SavedDisk {
    /// Keeps a copy of the disk as it is now.
    Save(Vec<ServerId>),
    /// Stops the server, and puts the copy back.
    Restore(Vec<ServerId>),
}

pub(super) const ENTRY: Entry = Entry {
    words: &[
        Word { text: "save-disk", read: |n, words| Ok(SavedDisk::Save(n.servers(words)?).into()) },
        Word {
            text: "restore-disk",
            read: |names, words| Ok(SavedDisk::Restore(names.servers(words)?).into()),
        },
    ],
    classes: &[],
    heal: Heal::Nothing,
};

impl Kind for SavedDisk {
    fn apply(&self, world: &World) {
        for server in self.servers().iter().copied() {
            match self {
                SavedDisk::Save(_) => world.save_disk(server),
                SavedDisk::Restore(_) => {
                    world.once_stopped(server, move |world| world.put_saved_disk(server));
                }
            }
        }
    }

    fn servers(&self) -> &[ServerId] {
        let (SavedDisk::Save(servers) | SavedDisk::Restore(servers)) = self;
        servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        let (SavedDisk::Save(servers) | SavedDisk::Restore(servers)) = self;
        Some(servers)
    }
}

impl fmt::Display for SavedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SavedDisk::Save(servers) => write!(f, "save-disk {}", List(servers)),
            SavedDisk::Restore(servers) => write!(f, "restore-disk {}", List(servers)),
        }
    }
}
