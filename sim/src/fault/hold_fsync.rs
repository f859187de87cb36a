//! `hold-fsync`, `release-fsync`: no sync of a disk ends for a while.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{AnyKind, Class, Ended, Entry, Heal, Kind, Paint, Word};
use crate::grammar::List;
use crate::world::World;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum HoldFsync {
    Hold(Vec<ServerId>),
    Release(Vec<ServerId>),
}

pub(super) const ENTRY: Entry = Entry {
    words: &[
        Word {
            text: "hold-fsync",
            read: |names, words| Ok(HoldFsync::Hold(names.servers(words)?).into()),
        },
        Word {
            text: "release-fsync",
            read: |names, words| Ok(HoldFsync::Release(names.servers(words)?).into()),
        },
    ],
    classes: &[Class {
        name: "hold_fsync",
        draw: |drawing| {
            let servers = vec![drawing.server()];
            Some(drawing.lasting(HoldFsync::Hold(servers.clone()), HoldFsync::Release(servers)))
        },
    }],
    heal: Heal::Server(World::release_fsync),
};

impl Kind for HoldFsync {
    fn apply(&self, world: &World) {
        match self {
            HoldFsync::Hold(servers) => servers.iter().for_each(|s| world.hold_fsync(*s)),
            HoldFsync::Release(servers) => servers.iter().for_each(|s| world.release_fsync(*s)),
        }
    }

    fn servers(&self) -> &[ServerId] {
        let (HoldFsync::Hold(servers) | HoldFsync::Release(servers)) = self;
        servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        let (HoldFsync::Hold(servers) | HoldFsync::Release(servers)) = self;
        Some(servers)
    }

    fn paint(&self) -> Paint {
        match self {
            HoldFsync::Hold(_) => Paint::Slow,
            HoldFsync::Release(_) => Paint::Moment,
        }
    }

    fn ended_by<'a>(&self, later: &'a AnyKind) -> Ended<'a> {
        match later.as_kind() {
            Some(HoldFsync::Release(servers)) => Ended::Servers(servers),
            _ => Ended::Nothing,
        }
    }
}

impl fmt::Display for HoldFsync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HoldFsync::Hold(servers) => write!(f, "hold-fsync {}", List(servers)),
            HoldFsync::Release(servers) => write!(f, "release-fsync {}", List(servers)),
        }
    }
}
