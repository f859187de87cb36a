//! What guard and floor file claim, held against what a start finds.
//!
//! | what a start finds                                     | what it does                       |
//! |--------------------------------------------------------|------------------------------------|
//! | a log of the guard that the history needs is missing   | refused                            |
//! | its records end before its bound                       | refused (`recovery.rs`)            |
//! | the history does not pass through a transaction that   | refused: an older snapshot was     |
//! | the guard names                                        | taken, and the logs do not lead on |
//! | a log below the snapshot is missing                    | nothing: it was purged             |
//! | a log newer than all that the guard names (Apache's,   | the claims are void, and noted     |
//! | or a truncation was cut short)                         |                                    |
//! | the newest log ends below its bound, but with a whole  | the claims are void, and noted:    |
//! | record and the file, and the snapshot is of just that  | Apache's server cut it, and wrote  |
//! | transaction                                            | nothing since (`recovery.rs`)      |
//!
//! - S-12 nothing that was acknowledged more than a moment ago is given up in silence.
//! - A claim about what the snapshot holds is not looked at: any file below it may be gone.
//!
//! Not here: reading snapshots and logs (`recovery.rs`).

use std::rc::Rc;

use super::error::StorageError;
use super::floor::read_floor;
use super::guard::{DurableBound, Guard, GuardOnDisk, read_guard};
use super::layout::{GUARD_FILE, Layout, LogName, log_name};
use crate::base::Zxid;
use crate::jute::txn::Proposal;
use crate::runtime::Lane;

/// The guard as it counts for one start.
#[derive(Debug)]
pub(super) struct Claims {
    guard: Guard,
    /// There is a guard file.
    on_disk: bool,
    is_void: bool,
}

impl Claims {
    /// What the files say.
    pub(super) async fn read<L: Lane>(
        lane: &L,
        layout: &Layout,
        notes: &mut Vec<String>,
    ) -> Result<Claims, StorageError> {
        let nothing = Claims { guard: Guard::default(), on_disk: false, is_void: false };
        let mut guard = match read_guard(lane, layout).await? {
            GuardOnDisk::Missing => return Ok(nothing),
            GuardOnDisk::Unreadable => {
                notes.push(format!("{GUARD_FILE} is unreadable and ignored"));
                return Ok(nothing);
            }
            GuardOnDisk::Guard(guard) => guard,
        };
        if let Some(floor) = read_floor(lane, layout).await?.filter(|floor| floor.follows(&guard))
            && let Some(last) = guard.bounds.last_mut()
            && last.log == floor.bound.log
        {
            *last = floor.bound.max(*last);
        }
        Ok(Claims { guard, on_disk: true, is_void: false })
    }

    /// What this process knows of what it wrote.
    pub(super) fn known(guard: Guard) -> Claims {
        Claims { on_disk: guard.number > 0, guard, is_void: false }
    }

    /// A log newer than all that are named was written by another server program.
    pub(super) fn judge(&mut self, logs: &[LogName], notes: &mut Vec<String>) {
        let Some(named) = self.guard.bounds.last().map(|bound| bound.log) else { return };
        if let Some(newer) = logs.last().filter(|log| log.first > named) {
            notes.push(format!(
                "{} is newer than {GUARD_FILE}: another server program has written here, or a \
                 truncation was cut short",
                log_name(newer.first)
            ));
            self.is_void = true;
        }
    }

    /// Another server program wrote here last.
    pub(super) fn void(&mut self) {
        self.is_void = true;
    }

    /// This server wrote the directory last.
    pub(super) fn count(&self) -> bool {
        self.on_disk && !self.is_void
    }

    /// Up to where this log is durable, if that is known.
    pub(super) fn bound_of(&self, log: Zxid) -> Option<u64> {
        let bound = self.guard.bounds.iter().find(|bound| bound.log == log)?;
        (!self.is_void).then_some(bound.offset)
    }

    /// Every log that held something behind the snapshot is there.
    pub(super) fn check_files(
        &self,
        layout: &Layout,
        logs: &[LogName],
        base: Zxid,
    ) -> Result<(), StorageError> {
        let is_there = |bound: &DurableBound| logs.iter().any(|log| log.first == bound.log);
        let is_needed = |bound: &DurableBound| match bound.last {
            Zxid::ZERO => bound.offset > 0,
            last => last > base,
        };
        let missing = self.guard.bounds.iter().find(|bound| is_needed(bound) && !is_there(bound));
        match missing.filter(|_| !self.is_void) {
            None => Ok(()),
            Some(DurableBound { log, offset, last }) => Err(StorageError::DurableLogMissing {
                file: layout.log(*log),
                bound: *offset,
                last: *last,
            }),
        }
    }

    /// A transaction that is known to be a part of the history, and is not among these behind the
    /// snapshot.
    pub(super) fn missed(&self, base: Zxid, txns: &[Rc<Proposal>]) -> Option<Zxid> {
        self.known_behind(base)
            .find(|known| txns.binary_search_by_key(known, |txn| txn.zxid()).is_err())
    }

    /// One that is known to lie in this gap.
    pub(super) fn lost_in(&self, previous: Zxid, found: Zxid) -> Option<Zxid> {
        self.known_behind(previous).find(|known| *known < found)
    }

    fn known_behind(&self, base: Zxid) -> impl Iterator<Item = Zxid> {
        self.guard.known().filter(move |known| *known > base && !self.is_void)
    }

    /// How far the history once reached.
    pub(super) fn floor(&self) -> Zxid {
        self.guard.floor()
    }

    /// The guard as it is to be from now on, and whether the file must say so. `read`: where the logs
    /// end that were read, all of which is durable now. `is_superseded`: no log before them leads
    /// up to the snapshot.
    pub(super) fn learn(
        &self,
        base: Zxid,
        last_logged: Zxid,
        read: &[DurableBound],
        is_superseded: bool,
    ) -> (Guard, bool) {
        let mut guard = self.guard.clone();
        guard.unfinished = guard.unfinished.filter(|zxid| *zxid == base && !self.is_void);
        if self.is_void || is_superseded {
            guard.begin_behind(if is_superseded { base } else { Zxid::ZERO });
        }
        if let Some(first) = read.first() {
            guard.bounds.retain(|bound| bound.log < first.log);
            guard.bounds.extend(read.iter().filter(|bound| bound.last > Zxid::ZERO));
        }
        // Of a snapshot (epoch, 0), which Apache writes, no transaction bears the name.
        if guard.floor() < last_logged && last_logged == base && base.counter() != 0 {
            guard.begin_behind(base);
        }
        let says_less = self.is_void || is_superseded || self.guard.floor() < guard.floor();
        (guard, self.on_disk && says_less)
    }
}
