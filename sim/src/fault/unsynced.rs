//! `unsynced S.. lost`: what power losses from now on do to writes that were not synced.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{Entry, Heal, Kind, Word};
use crate::grammar::List;
use crate::world::{Unsynced, World};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnsyncedWrites {
    pub servers: Vec<ServerId>,
    pub are: Unsynced,
}

const WORDS: [(&str, Unsynced); 4] = [
    ("lost", Unsynced::Lost),
    ("kept", Unsynced::Kept),
    ("torn", Unsynced::Torn),
    ("drawn", Unsynced::Drawn),
];

pub(super) const ENTRY: Entry = Entry {
    words: &[Word {
        text: "unsynced",
        read: |names, words| {
            let servers = names.servers(words)?;
            let found = WORDS.iter().find(|(word, _)| words.peek() == Some(word));
            let Some((_, are)) = found else {
                return Err(words.expected("`lost`, `kept`, `torn` or `drawn`"));
            };
            words.take_next();
            Ok(UnsyncedWrites { servers, are: *are }.into())
        },
    }],
    classes: &[],
    heal: Heal::Server(|world, server| world.set_unsynced(server, Unsynced::Drawn)),
};

impl Kind for UnsyncedWrites {
    fn apply(&self, world: &World) {
        self.servers.iter().for_each(|server| world.set_unsynced(*server, self.are));
    }

    fn servers(&self) -> &[ServerId] {
        &self.servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        Some(&mut self.servers)
    }
}

impl fmt::Display for UnsyncedWrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = WORDS.iter().find(|(_, are)| *are == self.are).map_or("drawn", |(word, _)| word);
        write!(f, "unsynced {} {word}", List(&self.servers))
    }
}
