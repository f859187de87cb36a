//! `fail-write`, `fail-fsync`, `fail-read`: the next operation of a kind fails with EIO.

use std::fmt;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::mend_disk::MendDisk;
use super::{Class, Drawing, Entry, Heal, Kind, Step, Word};
use crate::grammar::List;
use crate::world::World;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskError {
    pub operation: Operation,
    pub servers: Vec<ServerId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Operation {
    /// A write, a creation or a change of length.
    Write,
    /// A sync; no later one saves what it covered.
    Fsync,
    /// A read of a file's content.
    Read,
}

pub(super) const ENTRY: Entry = Entry {
    words: &[
        Word {
            text: "fail-write",
            read: |names, words| Ok(Operation::Write.of(names.servers(words)?).into()),
        },
        Word {
            text: "fail-fsync",
            read: |names, words| Ok(Operation::Fsync.of(names.servers(words)?).into()),
        },
        Word {
            text: "fail-read",
            read: |names, words| Ok(Operation::Read.of(names.servers(words)?).into()),
        },
    ],
    classes: &[
        Class { name: "fail_write", draw: |drawing| Some(drawn(drawing, Operation::Write)) },
        Class { name: "fail_fsync", draw: |drawing| Some(drawn(drawing, Operation::Fsync)) },
        Class { name: "fail_read", draw: |drawing| Some(drawn(drawing, Operation::Read)) },
    ],
    heal: Heal::Nothing,
};

fn drawn(drawing: &Drawing<'_>, operation: Operation) -> Vec<Step> {
    let servers = vec![drawing.server()];
    drawing.failing_disk(operation.of(servers.clone()), MendDisk { servers })
}

impl Operation {
    fn of(self, servers: Vec<ServerId>) -> DiskError {
        DiskError { operation: self, servers }
    }
}

impl Kind for DiskError {
    fn apply(&self, world: &World) {
        for server in self.servers.iter().copied() {
            match self.operation {
                Operation::Write => world.fail_next_write(server),
                Operation::Fsync => world.fail_next_sync(server),
                Operation::Read => world.fail_next_read(server),
            }
        }
    }

    fn servers(&self) -> &[ServerId] {
        &self.servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        Some(&mut self.servers)
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.operation {
            Operation::Write => "fail-write",
            Operation::Fsync => "fail-fsync",
            Operation::Read => "fail-read",
        };
        write!(f, "{word} {}", List(&self.servers))
    }
}
