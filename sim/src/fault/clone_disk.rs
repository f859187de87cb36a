//! `clone-disk S T`: a server gets a copy of another one's disk.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{Entry, Heal, Kind, Word};
use crate::grammar::List;
use crate::world::World;

/// Stops the second server, and gives it a copy of the first one's disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CloneDisk {
    pub servers: Vec<ServerId>,
}

pub(super) const ENTRY: Entry = Entry {
    words: &[Word {
        text: "clone-disk",
        read: |names, words| {
            let servers = names.servers(words)?;
            if servers.len() != 2 {
                return Err(words.expected("two servers: whose disk, and who gets it"));
            }
            Ok(CloneDisk { servers }.into())
        },
    }],
    classes: &[],
    heal: Heal::Nothing,
};

impl Kind for CloneDisk {
    fn apply(&self, world: &World) {
        if let [from, to] = self.servers[..] {
            world.once_stopped(to, move |world| world.clone_disk(from, to));
        }
    }

    fn servers(&self) -> &[ServerId] {
        &self.servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        Some(&mut self.servers)
    }

    fn least_servers(&self) -> usize {
        2
    }
}

impl fmt::Display for CloneDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clone-disk {}", List(&self.servers))
    }
}
