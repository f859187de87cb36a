//! `fill-disk`, `free-disk`: meanwhile writes and creations fail; syncs and removals work.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::mend_disk::MendDisk;
use super::{AnyKind, Class, Ended, Entry, Heal, Kind, Paint, Word};
use crate::grammar::List;
use crate::world::World;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FullDisk {
    Fill(Vec<ServerId>),
    Free(Vec<ServerId>),
}

pub(super) const ENTRY: Entry = Entry {
    words: &[
        Word { text: "fill-disk", read: |n, words| Ok(FullDisk::Fill(n.servers(words)?).into()) },
        Word { text: "free-disk", read: |n, words| Ok(FullDisk::Free(n.servers(words)?).into()) },
    ],
    classes: &[Class {
        name: "full_disk",
        draw: |drawing| {
            let servers = vec![drawing.server()];
            Some(drawing.failing_disk(FullDisk::Fill(servers.clone()), FullDisk::Free(servers)))
        },
    }],
    heal: Heal::Nothing,
};

impl Kind for FullDisk {
    fn apply(&self, world: &World) {
        let is_full = matches!(self, FullDisk::Fill(_));
        self.servers().iter().for_each(|server| world.set_disk_full(*server, is_full));
    }

    fn servers(&self) -> &[ServerId] {
        let (FullDisk::Fill(servers) | FullDisk::Free(servers)) = self;
        servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        let (FullDisk::Fill(servers) | FullDisk::Free(servers)) = self;
        Some(servers)
    }

    fn paint(&self) -> Paint {
        match self {
            FullDisk::Fill(_) => Paint::Span,
            FullDisk::Free(_) => Paint::Moment,
        }
    }

    fn ended_by<'a>(&self, later: &'a AnyKind) -> Ended<'a> {
        if let Some(FullDisk::Free(servers)) = later.as_kind() {
            return Ended::Servers(servers);
        }
        later.as_kind::<MendDisk>().map_or(Ended::Nothing, |mend| Ended::Servers(&mend.servers))
    }
}

impl fmt::Display for FullDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FullDisk::Fill(servers) => write!(f, "fill-disk {}", List(servers)),
            FullDisk::Free(servers) => write!(f, "free-disk {}", List(servers)),
        }
    }
}
