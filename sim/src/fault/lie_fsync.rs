//! `lie-fsync`: syncs of a disk succeed and save nothing.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{Entry, Heal, Kind, Word};
use crate::grammar::List;
use crate::world::World;

/// Until the disk is mended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LieFsync {
    pub servers: Vec<ServerId>,
}

pub(super) const ENTRY: Entry = Entry {
    words: &[Word {
        text: "lie-fsync",
        read: |names, words| Ok(LieFsync { servers: names.servers(words)? }.into()),
    }],
    classes: &[],
    heal: Heal::Nothing,
};

impl Kind for LieFsync {
    fn apply(&self, world: &World) {
        for server in self.servers.iter().copied() {
            world.lie_about_syncs(server);
        }
    }

    fn servers(&self) -> &[ServerId] {
        &self.servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        Some(&mut self.servers)
    }
}

impl fmt::Display for LieFsync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lie-fsync {}", List(&self.servers))
    }
}
