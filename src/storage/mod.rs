//! The data directory: txn log, snapshots, epoch files, guard file, purge. The only user of `Disk`.
//! (FileTxnLog, FileSnap, FileTxnSnapLog, PurgeTxnLog, SyncRequestProcessor's flush.)
//!
//! Three drivers, one a lane of the disk, each fed by a queue. A request carries a ticket; its
//! completion carries the same ticket and the stamp at which the disk had done it.
//!
//!     core --LogRequest-->      run_log        --Outcome--> core      log, epoch files, guard file
//!     core --SnapshotRequest--> run_snapshots  --Outcome--> core      snapshots, purge
//!     run_log --Floor-->        run_floor                             floor file
//!
//! | file                 | what                                                             |
//! |----------------------|------------------------------------------------------------------|
//! | `log_format.rs`      | bytes of a log: header, record framing, what a bad record is      |
//! | `log_writer.rs`      | appends and flushes (`flush_log`), zeros ahead, segments          |
//! | `log_reader.rs`      | a log file record by record                                       |
//! | `log_index.rs`       | where in the log a transaction stands                            |
//! | `history_reader.rs`  | old transactions for a learner, a portion at a time               |
//! | `truncate.rs`        | TRUNC                                                             |
//! | `snapshot_format.rs` | bytes of a snapshot: encoder, reader, seals, gz and snappy        |
//! | `snapshot_check.rs`  | is a snapshot whole, how far do its effects reach                 |
//! | `snapshot_writer.rs` | a snapshot on its way to disk                                     |
//! | `recovery.rs`        | what a start finds: newest snapshot, logs behind it, torn tails   |
//! | `epoch_file.rs`      | acceptedEpoch and currentEpoch                                    |
//! | `guard.rs`           | quorate.guard: identity, and what must be found at a start        |
//! | `floor.rs`           | quorate.floor: how far the newest log is durable                  |
//! | `claims.rs`          | what both say, held against what a start finds                    |
//! | `purge.rs`           | old snapshots and logs                                            |
//! | `layout.rs`          | directories, file names, atomic replacement of small files        |
//! | `request.rs`         | what the drivers are asked, and what came of it                   |
//! | `queue.rs`           | requests in order                                                 |
//! | `options.rs`         | what storage must know of a configuration                         |
//!
//! Invariants held here:
//!
//! - S-12 what was `Durable` is found by every later `Load`, or the load refuses; it never shrinks silently.
//! - S-17 snapshot plus the transactions behind it, in order and without a gap: otherwise `Load` refuses.
//! - S-18 an outcome is told after the sync it stands for, never before.
//! - ST-1 at most one write to the log is not yet synced.
//! - ST-2 a failed write or sync is final: it is told once and every later request fails too.
//! - ST-3 guard and floor file never claim more than is durable.
//!
//! Not here: what to write and when (zab, prepare), the tree (`tree`), the wire.

mod claims;
mod driver;
mod epoch_file;
mod error;
mod floor;
mod guard;
mod history_reader;
mod layout;
pub mod log_format;
mod log_index;
mod log_reader;
mod log_writer;
mod options;
mod purge;
mod queue;
mod recovery;
mod request;
mod snapshot_check;
pub mod snapshot_decoder;
pub mod snapshot_format;
mod snapshot_reader;
mod snapshot_writer;
mod truncate;

#[cfg(test)]
mod claims_test;
#[cfg(test)]
mod crash_test;
#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod golden_test;
#[cfg(test)]
mod storage_test;

pub use driver::{run_history, run_log, run_snapshots};
pub use error::{SkippedSnapshot, StorageError};
pub use floor::{Floor, run_floor};
pub use guard::{DurableBound, Guard};
pub use history_reader::read_portion;
pub use layout::{
    GUARD_FILE, Layout, LogName, SnapshotName, VERSION_2, log_name, logs_from, parse_log_name,
    parse_snapshot_name, snapshot_name, snapshot_path,
};
pub use log_index::LogIndex;
pub use log_reader::{Head, LogScan, Step};
pub use options::StorageOptions;
pub use purge::PurgePlan;
pub use recovery::load;
pub use request::{
    Batch, DirSizes, EpochKind, HistoryRequest, LoadTimes, Loaded, LogPosition, LogRequest,
    Outcome, SnapshotData, SnapshotRequest, Ticket,
};
pub use snapshot_format::SnapshotEncoder;
pub use snapshot_reader::SnapshotScan;
