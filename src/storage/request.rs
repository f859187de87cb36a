//! What the drivers are asked, and what came of it.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::guard::Guard;
use crate::base::{Epoch, SessionId, Zxid};
use crate::jute::data::Acl;
use crate::jute::persist::{PackedNodes, SnapshotDigest};
use crate::jute::txn::Proposal;

/// Ties a completion to its request. The core numbers them; storage gives them back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Ticket(pub u64);

impl Ticket {
    /// Of no request: the floor file could not be written.
    pub const FLOOR: Ticket = Ticket(0);
}

/// Which of the two epoch files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum EpochKind {
    Accepted,
    Current,
}

/// A request to the log driver. `Load` comes first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    /// The log begins anew behind a leader's snapshot at `behind`, which is durable: what was logged
    /// before may lead elsewhere, and must never be read as one history with what follows.
    Reset {
        behind: Zxid,
    },
    /// A leader's snapshot is about to get its name: until the next `WriteEpoch` of the current epoch
    /// it may hold a part of what was committed behind it, and lack another.
    MarkUnfinished {
        snapshot: Zxid,
    },
    /// Reads everything anew. The next append starts a new file.
    Load,
}

/// A request to the history driver: the log from the first record whose zxid is at least `from`, to
/// the last one not beyond `up_to`, a portion at a time, without a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HistoryRequest {
    pub from: Zxid,
    /// All up to here is durable.
    pub up_to: Zxid,
    /// Where to begin to read, if that is known: no later than the record of `from`.
    pub begin: Option<LogPosition>,
    /// The portion ends with the record that makes it as long as this.
    pub portion_bytes: u64,
    /// Beyond so many bytes, this portion and all that follow it, the answer is `HistoryTooLong`.
    pub bytes_max: u64,
}

/// Where a record begins: in the log that begins with `log`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct LogPosition {
    pub log: Zxid,
    pub offset: u64,
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
    /// How much lies in the directories?
    Measure,
}

/// What became of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Durable {
        zxid: Zxid,
        /// Where its record begins.
        at: LogPosition,
        /// When its leader made it, by that one's wall clock.
        time_ms: i64,
        /// With the last of a batch: how the batch became durable.
        batch: Option<Box<Batch>>,
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
    /// `next`: where to begin to read what follows; `None` if nothing was read.
    History {
        records: Vec<Rc<Proposal>>,
        next: Option<LogPosition>,
    },
    /// More than `bytes_max`.
    HistoryTooLong,
    /// Something is missing there, or was purged meanwhile.
    HistoryGone,
    MarkedUnfinished {
        snapshot: Zxid,
    },
    Loaded(Box<Loaded>),
    SnapshotBegun,
    ChunkWritten,
    /// `sync`: it is durable.
    SnapshotDone {
        zxid: Zxid,
        sync: bool,
        /// Since it was begun, with its rests.
        took: Duration,
    },
    Aborted,
    Purged {
        /// Files.
        removed: usize,
    },
    Measured(DirSizes),
}

/// Transactions that became durable by one write and one sync.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    pub txns: usize,
    /// Of these, without what surrounds them in the file.
    pub bytes: usize,
    /// How long the first of them had waited when the write began.
    pub waited: Duration,
    /// Write and sync.
    pub took: Duration,
}

/// Bytes of the files in `version-2` of `dataDir` and of `dataLogDir`, which may be one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DirSizes {
    pub data: u64,
    pub log: u64,
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
    /// The snapshot is a leader's whose synchronisation was cut short.
    pub unfinished: bool,
    /// Identity of ensemble and instance, as far as a guard file says it, and what is durable.
    pub guard: Guard,
    /// Sentences for the operator: what was cut, which snapshot was skipped.
    pub notes: Vec<String>,
    pub took: LoadTimes,
}

/// How long it took to read a data directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LoadTimes {
    pub snapshot: Duration,
    pub logs: Duration,
    /// With all else.
    pub all: Duration,
}

/// A snapshot as read from a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SnapshotData {
    /// From the file's name: replay starts behind it, whatever the blocks at the end say.
    pub zxid: Zxid,
    /// Session and its timeout in milliseconds.
    pub sessions: Vec<(SessionId, i32)>,
    pub acls: Vec<(i64, Vec<Acl>)>,
    pub nodes: PackedNodes,
    pub digest: Option<SnapshotDigest>,
    /// The last zxid whose effects the nodes may hold (since 3.9).
    pub last_zxid: Option<Zxid>,
}
