//! `pause`, `resume`: a process sees and does nothing for a while; its machine goes on.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::wipe::Wipe;
use super::{AnyKind, Class, Ended, Entry, Heal, Kind, Paint, Process, Word};
use crate::grammar::List;
use crate::world::World;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Pause {
    /// Two faults can pause one server: the second changes nothing. Nor is there anything to
    /// pause in a server that is down.
    Begin(Vec<ServerId>),
    End(Vec<ServerId>),
}

pub(super) const ENTRY: Entry = Entry {
    words: &[
        Word { text: "pause", read: |n, words| Ok(Pause::Begin(n.servers(words)?).into()) },
        Word { text: "resume", read: |n, words| Ok(Pause::End(n.servers(words)?).into()) },
    ],
    classes: &[Class {
        name: "pause",
        draw: |drawing| {
            let servers = vec![drawing.idle_server()?];
            Some(drawing.lasting(Pause::Begin(servers.clone()), Pause::End(servers)))
        },
    }],
    heal: Heal::Server(|world, server| {
        if world.is_paused(server) {
            world.resume(server);
        }
    }),
};

impl Kind for Pause {
    fn apply(&self, world: &World) {
        match self {
            Pause::Begin(servers) => servers.iter().for_each(|server| world.pause(*server)),
            Pause::End(servers) => servers.iter().for_each(|server| world.resume(*server)),
        }
    }

    fn servers(&self) -> &[ServerId] {
        let (Pause::Begin(servers) | Pause::End(servers)) = self;
        servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        let (Pause::Begin(servers) | Pause::End(servers)) = self;
        Some(servers)
    }

    fn paint(&self) -> Paint {
        match self {
            Pause::Begin(_) => Paint::Span,
            Pause::End(_) => Paint::Moment,
        }
    }

    fn ended_by<'a>(&self, later: &'a AnyKind) -> Ended<'a> {
        if let Some(Pause::End(servers)) = later.as_kind() {
            return Ended::Servers(servers);
        }
        if let Some(Process::Stop(servers) | Process::Crash(servers)) = later.as_kind() {
            return Ended::Servers(servers);
        }
        later.as_kind::<Wipe>().map_or(Ended::Nothing, |wipe| Ended::Servers(&wipe.servers))
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pause::Begin(servers) => write!(f, "pause {}", List(servers)),
            Pause::End(servers) => write!(f, "resume {}", List(servers)),
        }
    }
}
