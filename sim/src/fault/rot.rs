//! `rot S.. FILE`: one bit of a file is another one.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{Entry, Heal, Kind, Word};
use crate::grammar::List;
use crate::grammar::words::{FILES, a_file};
use crate::world::World;

/// Of the newest file whose name begins so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rot {
    pub servers: Vec<ServerId>,
    pub file: String,
}

pub(super) const ENTRY: Entry = Entry {
    words: &[Word {
        text: "rot",
        read: |names, words| {
            let servers = names.servers(words)?;
            let Some(file) = a_file(words) else {
                return Err(words.expected(&format!("a file: {}", FILES.join(", "))));
            };
            Ok(Rot { servers, file }.into())
        },
    }],
    classes: &[],
    heal: Heal::Nothing,
};

impl Kind for Rot {
    fn apply(&self, world: &World) {
        for server in &self.servers {
            // Nothing rots where there is no such file.
            let _ = world.rot(*server, &self.file);
        }
    }

    fn servers(&self) -> &[ServerId] {
        &self.servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        Some(&mut self.servers)
    }
}

impl fmt::Display for Rot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rot {} {}", List(&self.servers), self.file)
    }
}
