//! `mend-disk`: a disk works again, whatever was wrong with it.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{Entry, Heal, Kind, Word};
use crate::grammar::List;
use crate::world::World;

/// No operation fails any more: not full, honest, no failure pending.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MendDisk {
    pub servers: Vec<ServerId>,
}

pub(super) const ENTRY: Entry = Entry {
    words: &[Word {
        text: "mend-disk",
        read: |names, words| Ok(MendDisk { servers: names.servers(words)? }.into()),
    }],
    classes: &[],
    heal: Heal::Server(World::mend_disk),
};

impl Kind for MendDisk {
    fn apply(&self, world: &World) {
        for server in self.servers.iter().copied() {
            world.mend_disk(server);
        }
    }

    fn servers(&self) -> &[ServerId] {
        &self.servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        Some(&mut self.servers)
    }
}

impl fmt::Display for MendDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mend-disk {}", List(&self.servers))
    }
}
