//! The data directory: txn log, snapshots, epoch files, guard file, purge. The only user of `Disk`.
//! (FileTxnLog, FileSnap, FileTxnSnapLog, PurgeTxnLog, SyncRequestProcessor's flush.)
//!
//! Two drivers, one a lane of the disk, each fed by a queue. A request carries a ticket; its
//! completion carries the same ticket and the stamp at which the disk had done it.
//!
//!     core --LogRequest-->      run_log        --Outcome--> core      log, epoch files, guard file
//!     core --SnapshotRequest--> run_snapshots  --Outcome--> core      snapshots, purge
//!
//! | file                 | what                                                             |
//! |----------------------|------------------------------------------------------------------|
//! | `log_format.rs`      | bytes of a log: header, record framing, what a bad record is      |
//! | `log_writer.rs`      | appends and flushes (`flush_log`), zeros ahead, segments          |
//! | `log_reader.rs`      | a log file record by record; ranges of the log for DIFF           |
//! | `truncate.rs`        | TRUNC                                                             |
//! | `snapshot_format.rs` | bytes of a snapshot: encoder, reader, seals, gz and snappy        |
//! | `snapshot_check.rs`  | is a snapshot whole, how far do its effects reach                 |
//! | `snapshot_writer.rs` | a snapshot on its way to disk                                     |
//! | `recovery.rs`        | what a start finds: newest snapshot, logs behind it, torn tails   |
//! | `epoch_file.rs`      | acceptedEpoch and currentEpoch                                    |
//! | `guard.rs`           | quorate.guard: identity, and a lower bound of what is durable     |
//! | `purge.rs`           | old snapshots and logs                                            |
//! | `layout.rs`          | directories, file names, atomic replacement of small files        |
//!
//! Invariants held here:
//!
//! - S-12 what was `Durable` is found by every later `Load`, or the load refuses; it never shrinks silently.
//! - S-17 snapshot plus the transactions behind it, in order and without a gap: otherwise `Load` refuses.
//! - S-18 an outcome is told after the sync it stands for, never before.
//! - ST-1 at most one write to the log is not yet synced.
//! - ST-2 a failed write or sync is final: it is told once and every later request fails too.
//! - ST-3 the guard file never claims more than is durable.
//!
//! Not here: what to write and when (zab, prepare), the tree (`tree`), the wire.

mod driver;
mod epoch_file;
mod error;
mod guard;
mod layout;
pub mod log_format;
mod log_reader;
mod log_writer;
mod purge;
mod recovery;
mod snapshot_check;
pub mod snapshot_format;
mod snapshot_writer;
mod truncate;

#[cfg(test)]
mod crash_test;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod golden_test;
#[cfg(test)]
mod storage_test;

use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::{Epoch, Museum, SessionId, Zxid};
use crate::jute::data::Acl;
use crate::jute::persist::{SnapshotDigest, SnapshotNode};
use crate::jute::txn::Proposal;

pub use driver::{run_log, run_snapshots};
pub use error::StorageError;
pub use guard::{DurableBound, Guard};
pub use recovery::load;
pub use snapshot_format::SnapshotEncoder;

/// Ties a completion to its request. The core numbers them; storage gives them back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Ticket(pub u64);

/// What storage must know of a server's configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StorageOptions {
    /// Snapshots and epoch files live in its `version-2`.
    pub data_dir: PathBuf,
    /// Logs and the guard file live in its `version-2`. Often the same directory.
    pub data_log_dir: PathBuf,
    /// `preAllocSize`, in bytes: how far zeros are written ahead at most.
    pub pre_alloc_bytes: u64,
    /// `autopurge.snapRetainCount`; fewer than 3 count as 3.
    pub snap_retain_count: usize,
    /// `zookeeper.db.autocreate`: an empty directory may vote without an `initialize` file.
    pub db_autocreate: bool,
    /// False for a standalone server: it has no epoch files.
    pub ensemble: bool,
    /// Bytes of the longest string or buffer of a transaction (`ClientLimits::field_bytes_max`).
    pub field_bytes_max: usize,
    pub museum: Museum,
}

/// Which of the two epoch files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum EpochKind {
    Accepted,
    Current,
}

/// A request to the log driver. `Load` comes first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogRequest {
    /// Group commit: all that is queued goes down in one write and one sync, and completes in order.
    Append(Rc<Proposal>),
    WriteEpoch {
        which: EpochKind,
        epoch: Epoch,
    },
    /// Drops every transaction after `to`, and every snapshot that may hold its effects.
    /// Fails, and changes nothing, if neither a record nor a snapshot is at `to`.
    Truncate {
        to: Zxid,
    },
    /// The next append starts a new file.
    Roll,
    /// The log from the first record whose zxid is at least `after`, to the last one not beyond
    /// `up_to`. Whether that is without a gap is for the caller to judge.
    ReadLog {
        after: Zxid,
        up_to: Zxid,
        bytes_max: u64,
    },
    /// The log begins anew behind a leader's snapshot at `behind`, which is durable: what was logged
    /// before may lead elsewhere, and must never be read as one history with what follows.
    Reset {
        behind: Zxid,
    },
    /// Reads everything anew. The next append starts a new file.
    Load,
}

/// A request to the snapshot driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SnapshotRequest {
    /// A snapshot named by the zxid captured before serialising. `sync`: durable when it is done.
    Begin {
        zxid: Zxid,
        sync: bool,
    },
    /// The next bytes of a [`SnapshotEncoder`].
    Chunk(Bytes),
    Finish,
    Abort,
    /// Removes snapshots and logs that no recovery needs.
    Purge,
}

/// What became of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Durable {
        zxid: Zxid,
    },
    EpochWritten {
        which: EpochKind,
        epoch: Epoch,
    },
    Truncated {
        to: Zxid,
    },
    Rolled,
    LogReset,
    Log(Vec<Rc<Proposal>>),
    /// More than `bytes_max`, or purged meanwhile.
    LogTooLong,
    Loaded(Box<Loaded>),
    SnapshotBegun,
    ChunkWritten,
    /// `sync`: it is durable.
    SnapshotDone {
        zxid: Zxid,
        sync: bool,
    },
    Aborted,
    Purged {
        /// Files.
        removed: usize,
    },
}

/// What a start found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Loaded {
    /// `None`: an empty directory.
    pub snapshot: Option<SnapshotData>,
    /// All with a zxid greater than the snapshot's, in order, without a gap.
    pub txns: Vec<Rc<Proposal>>,
    /// `None`: no file; Apache then takes the epoch of `last_logged`.
    pub accepted_epoch: Option<Epoch>,
    /// `None`: no file; Apache then takes the epoch of `last_logged`.
    pub current_epoch: Option<Epoch>,
    /// The last transaction that snapshot and log hold together; `Zxid::UNINITIALISED` if the
    /// directory is empty and may not vote.
    pub last_logged: Zxid,
    /// This server may vote: there is data, or consent to start from nothing.
    pub initialised: bool,
    /// The guard file, if there is a readable one: identity of ensemble and instance.
    pub guard: Option<Guard>,
    /// Sentences for the operator: what was cut, which snapshot was skipped.
    pub notes: Vec<String>,
}

/// A snapshot as read from a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SnapshotData {
    /// From the file's name: replay starts behind it, whatever the blocks at the end say.
    pub zxid: Zxid,
    /// Session and its timeout in milliseconds.
    pub sessions: Vec<(SessionId, i32)>,
    pub acls: Vec<(i64, Vec<Acl>)>,
    pub nodes: Vec<SnapshotNode>,
    pub digest: Option<SnapshotDigest>,
    /// The last zxid whose effects the nodes may hold (since 3.9).
    pub last_zxid: Option<Zxid>,
}
