//! `look`: a server loses its connections to leader or followers, and goes back to LOOKING without a
//! restart.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{Class, Entry, Heal, Kind, Step, Word};
use crate::grammar::List;
use crate::world::{Plane, World, server_name};

/// Resets every connection of the quorum port: the role ends, the process lives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResetQuorum {
    pub servers: Vec<ServerId>,
}

pub(super) const ENTRY: Entry = Entry {
    words: &[Word {
        text: "look",
        read: |names, words| Ok(ResetQuorum { servers: names.servers(words)? }.into()),
    }],
    classes: &[Class {
        name: "look",
        draw: |drawing| {
            let servers = vec![drawing.server()];
            Some(vec![Step::at(drawing.begins, ResetQuorum { servers })])
        },
    }],
    heal: Heal::Nothing,
};

impl Kind for ResetQuorum {
    fn apply(&self, world: &World) {
        for server in self.servers.iter().copied() {
            world.reset_connections(&server_name(server), Plane::Quorum);
        }
    }

    fn servers(&self) -> &[ServerId] {
        &self.servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        Some(&mut self.servers)
    }
}

impl fmt::Display for ResetQuorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "look {}", List(&self.servers))
    }
}
