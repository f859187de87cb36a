//! `start`, `stop`, `crash` (or `kill`): a server's process begins and ends.

use std::fmt;
use std::time::Duration;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{AnyKind, Class, Drawing, Entry, Heal, Kind, Step, Word};
use crate::grammar::List;
use crate::world::{CrashMode, World};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Process {
    /// Nothing happens to a server that runs.
    Start(Vec<ServerId>),
    /// The process ends; what it wrote stays in the page cache.
    Stop(Vec<ServerId>),
    /// Power loss: what was not synced is lost or torn.
    Crash(Vec<ServerId>),
}

pub(super) const ENTRY: Entry = Entry {
    words: &[
        Word { text: "start", read: |n, words| Ok(Process::Start(n.servers(words)?).into()) },
        Word { text: "stop", read: |n, words| Ok(Process::Stop(n.servers(words)?).into()) },
        Word { text: "crash", read: |n, words| Ok(Process::Crash(n.servers(words)?).into()) },
        Word { text: "kill", read: |n, words| Ok(Process::Crash(n.servers(words)?).into()) },
    ],
    classes: &[
        Class {
            name: "crash",
            draw: |drawing| {
                let servers = vec![drawing.idle_server()?];
                Some(drawing.lasting(Process::Crash(servers.clone()), Process::Start(servers)))
            },
        },
        Class {
            name: "stop",
            draw: |drawing| {
                let servers = vec![drawing.idle_server()?];
                Some(drawing.lasting(Process::Stop(servers.clone()), Process::Start(servers)))
            },
        },
    ],
    heal: Heal::Nothing,
};

/// How long before its end a disk works again: what an error does to a server comes at once.
const MENDED_BEFORE: Duration = Duration::from_millis(100);

impl Drawing<'_> {
    /// Most times these servers lose power, else they are stopped.
    pub(super) fn down(&self, servers: Vec<ServerId>) -> Box<AnyKind> {
        match self.below("plot power", 0, 3) {
            0 => Process::Stop(servers).into(),
            _ => Process::Crash(servers).into(),
        }
    }

    /// A fault of the disk of the server it is about, which ends itself for it: the disk is mended
    /// a little before the end, and at the end the server is started, which does nothing if it
    /// still runs.
    ///
    /// Servers that are down or paused for other faults are not spared: an error then meets the
    /// server that reads its disk at a start.
    pub(super) fn failing_disk(
        &self,
        fault: impl Into<Box<AnyKind>>,
        mended: impl Into<Box<AnyKind>>,
    ) -> Vec<Step> {
        let mended_at = self.begins.max(self.ends.saturating_sub(MENDED_BEFORE));
        vec![
            Step::at(self.begins, fault),
            Step::at(mended_at, mended),
            Step::at(self.ends, Process::Start(vec![self.server()])),
        ]
    }
}

impl Kind for Process {
    fn apply(&self, world: &World) {
        for server in self.servers() {
            match self {
                Process::Start(_) => world.boot(*server),
                Process::Stop(_) => world.crash(*server, CrashMode::Kill),
                Process::Crash(_) => world.crash(*server, CrashMode::Power),
            }
        }
    }

    fn servers(&self) -> &[ServerId] {
        let (Process::Start(servers) | Process::Stop(servers) | Process::Crash(servers)) = self;
        servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        let (Process::Start(servers) | Process::Stop(servers) | Process::Crash(servers)) = self;
        Some(servers)
    }

    fn hinders(&self) -> bool {
        !matches!(self, Process::Start(_))
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Process::Start(_) => "start",
            Process::Stop(_) => "stop",
            Process::Crash(_) => "crash",
        };
        write!(f, "{word} {}", List(self.servers()))
    }
}
