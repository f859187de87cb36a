//! `wipe`: a server loses everything it had.
//!
//! [chaos] draws it of observers alone: what a voter has acked may be on no other disk but those of
//! a quorum with it, and is then lost (scenarios/election/31_a_wiped_voter_loses_data.toml).

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::process::Process;
use super::{Class, Entry, Heal, Kind, Word};
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
    classes: &[Class {
        name: "wipe",
        draw: |drawing| {
            let servers = vec![drawing.idle_observer()?];
            Some(drawing.lasting(Wipe { servers: servers.clone() }, Process::Start(servers)))
        },
    }],
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
