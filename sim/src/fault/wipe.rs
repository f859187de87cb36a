//! `wipe`: a server loses everything it had.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{Entry, Heal, Kind, Word};
use crate::grammar::List;
use crate::world::World;

/// Stops a server, and removes every file of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wipe {
    pub servers: Vec<ServerId>,
}

pub(super) const ENTRY: Entry = Entry {
    words: &[Word {
        text: "wipe",
        read: |names, words| Ok(Wipe { servers: names.servers(words)? }.into()),
    }],
    classes: &[],
    heal: Heal::Nothing,
};

impl Kind for Wipe {
    fn apply(&self, world: &World) {
        for server in self.servers.iter().copied() {
            world.once_stopped(server, move |world| world.wipe_disk(server));
        }
    }

    fn servers(&self) -> &[ServerId] {
        &self.servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        Some(&mut self.servers)
    }
}

impl fmt::Display for Wipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wipe {}", List(&self.servers))
    }
}
