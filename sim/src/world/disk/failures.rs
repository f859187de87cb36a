//! Operations that fail because the laboratory wants it, and what it may be blamed for.
//!
//! Not here: what an operation does where it succeeds.

use std::io;

use quorate::base::ServerId;
use quorate::runtime::Halt;

use super::{Op, io_error};
use crate::world::World;
use crate::world::disk::file::Change;

/// What is wrong with a disk now.
#[derive(Default)]
pub(super) struct Failures {
    pub(super) syncs: u32,
    pub(super) writes: u32,
    pub(super) reads: u32,
    pub(super) full: bool,
    /// Syncs succeed and save nothing.
    pub(super) lying: bool,
    /// The words of every error that the present process was given on purpose.
    given: Vec<String>,
    /// Files in which bits were flipped.
    pub(super) rotten: Vec<String>,
}

impl Failures {
    /// No operation fails any more. What it has done stays, and the blame for it.
    pub(super) fn mend(&mut self) {
        (self.syncs, self.writes, self.reads) = (0, 0, 0);
        (self.full, self.lying) = (false, false);
    }

    /// Fails what is to fail.
    pub(super) fn meet(&mut self, op: &Op) -> io::Result<()> {
        let (counter, needs_space) = match op {
            Op::Sync(_) | Op::SyncDir(_) => (&mut self.syncs, false),
            Op::Change { change, .. } => (&mut self.writes, !matches!(change, Change::SetLen(_))),
            Op::Open { mode, .. } if *mode == quorate::runtime::OpenMode::Create => {
                (&mut self.writes, true)
            }
            Op::Read { .. } => (&mut self.reads, false),
            _ => return Ok(()),
        };
        let error = if *counter > 0 {
            *counter -= 1;
            io_error()
        } else if self.full && needs_space {
            io::ErrorKind::StorageFull.into()
        } else {
            return Ok(());
        };
        self.given.push(error.to_string());
        Err(error)
    }

    pub(super) fn forget_process(&mut self) {
        self.given.clear();
    }

    /// A process that ends itself for a storage error that it was given, or over a file that was
    /// made unreadable, does what it must.
    fn explain(&self, halt: &Halt) -> bool {
        halt.exit_code == 1
            && (self.given.iter().any(|words| halt.why.ends_with(words))
                || self.rotten.iter().any(|name| halt.why.contains(name)))
    }
}

impl World {
    /// The next sync (of a file or a directory) that ends fails with EIO; what it covered is
    /// readable, but no later sync saves it.
    pub fn fail_next_sync(&self, server: ServerId) {
        self.server(server).disk.borrow_mut().failures.syncs += 1;
    }

    /// The next write, creation or change of length fails with EIO.
    pub fn fail_next_write(&self, server: ServerId) {
        self.server(server).disk.borrow_mut().failures.writes += 1;
    }

    /// The next read of a file's content fails with EIO.
    pub fn fail_next_read(&self, server: ServerId) {
        self.server(server).disk.borrow_mut().failures.reads += 1;
    }

    /// While it is full, writes and creations fail; syncs, truncations and removals work.
    pub fn set_disk_full(&self, server: ServerId, full: bool) {
        self.server(server).disk.borrow_mut().failures.full = full;
    }

    /// From now on syncs succeed at once and make nothing durable, until [`World::mend_disk`].
    pub fn lie_about_syncs(&self, server: ServerId) {
        self.server(server).disk.borrow_mut().failures.lying = true;
    }

    /// Takes back all of the above that has not come true.
    pub fn mend_disk(&self, server: ServerId) {
        self.server(server).disk.borrow_mut().failures.mend();
    }

    /// Whether the laboratory itself made this server end so.
    pub fn disk_explains(&self, server: ServerId, halt: &Halt) -> bool {
        self.server(server).disk.borrow().failures.explain(halt)
    }
}
