//! Operations that fail because the laboratory wants it, and what it may be blamed for.
//!
//! Not here: what an operation does where it succeeds.

use std::io;

use quorate::runtime::{BadFile, Halt};

use super::file::Change;
use super::file_system::{Op, io_error};

/// What is wrong with a disk now.
#[derive(Default)]
pub(super) struct Failures {
    pub(super) syncs: u32,
    pub(super) writes: u32,
    pub(super) reads: u32,
    pub(super) full: bool,
    /// Syncs succeed and save nothing.
    pub(super) lying: bool,
    /// Every error that the present process was given on purpose.
    given: Vec<io::ErrorKind>,
    /// Names of files in which bits were flipped.
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
        self.given.push(error.kind());
        Err(error)
    }

    pub(super) fn forget_process(&mut self) {
        self.given.clear();
    }

    /// A process that ends itself for a storage error that it was given, or over a file that was
    /// made unreadable, does what it must.
    pub(super) fn explain(&self, halt: &Halt) -> bool {
        let Some(BadFile { path, failed }) = &halt.file else { return false };
        let was_given = failed.is_some_and(|kind| self.given.contains(&kind));
        let is_rotten = || self.rotten.iter().any(|name| path.file_name() == Some(name.as_ref()));
        halt.exit_code == 1 && (was_given || is_rotten())
    }
}
