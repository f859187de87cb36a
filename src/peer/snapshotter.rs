//! Snapshots in slices, between two steps of the pump.        (ZooKeeperServer.takeSnapshot)
//!
//!     Idle --enough transactions--> Writing --last slice--> Finishing --SnapshotDone--> Idle
//!     Idle --SNAP from the leader--> Writing (durable, then a new log) --> Idle
//!
//! A routine snapshot is fuzzy: transactions are applied between its slices. It is named by the
//! zxid at which it began, and replay from there on brings the rest.
//!
//! - SN-2  a snapshot gets its name only when the log is durable up to everything it may hold:
//!   otherwise a power failure leaves a tree that is ahead of its log (S-16, S-17).
//! - SN-4  the leader's snapshot gets its name only when the guard file names it as unfinished: a start
//!   must not take its tree for one that ever was.
//! - SN-1  only committed state is written: a snapshot ends with the role (ZOOKEEPER-1549).
//! - SN-3  completions come in the order of the requests: what comes before `Aborted` is of the
//!   snapshot that was aborted, what comes behind it of the present one.
//! - PE-10  a completion without a request of the log lane answers one of this file.
//!
//! Not here: tickets, and the log that begins anew behind a leader's snapshot (disk.rs).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::Zxid;
use crate::base::invariant::broken;
use crate::config::ServerConfig;
use crate::database::Database;
use crate::jute::persist::SnapshotDigest;
use crate::storage::{Outcome, SnapshotEncoder, SnapshotRequest};
use crate::tree::{DIGEST_VERSION, SnapshotCursor};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// snapshot.0 of an empty directory.
    First,
    Routine,
    /// Somebody asked for it at the admin port.
    Asked,
    /// The leader's snapshot.
    Install,
}

/// A snapshot has its name.
pub(super) struct Finished {
    pub(super) purpose: Purpose,
    pub(super) zxid: Zxid,
    /// It is durable too.
    pub(super) sync: bool,
    pub(super) bytes: u64,
    pub(super) took: Duration,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Writing {
    purpose: Purpose,
    zxid: Zxid,
    /// So many were sent to the disk.
    bytes: u64,
    /// `None` once the last slice is on its way.
    encoder: Option<SnapshotEncoder>,
    cursor: SnapshotCursor,
    /// The last slice, and the last transaction whose effects any slice may hold.
    end: Option<(Bytes, Zxid)>,
    /// The guard file names it (SN-4), or need not.
    may_be_named: bool,
}

/// Counts transactions and writes at most one snapshot at a time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Snapshotter {
    snap_count: u32,
    /// `snapSizeLimitInKb`
    log_bytes: Option<u64>,
    /// Which part of the second half of either is waited for.
    spread: u32,
    /// Znodes in one slice.
    slice: usize,
    slice_bytes: usize,
    since_last: u32,
    writing: Option<Writing>,
    /// Snapshots that were aborted, and whose `Aborted` has not come yet.
    aborting: u32,
}

impl Snapshotter {
    /// Apache writes after snapCount/2 transactions and a random part of the other half, so that
    /// the servers of an ensemble do not all write at once; the server's id does that here.
    pub(super) fn new(config: &ServerConfig) -> Snapshotter {
        Snapshotter {
            snap_count: config.snap_count.max(2),
            log_bytes: config.snap_log_bytes,
            spread: (config.my_id.0 as u32).wrapping_mul(0x9e37_79b9),
            slice: config.sync.slice_nodes,
            slice_bytes: config.sync.slice_bytes,
            since_last: 0,
            writing: None,
            aborting: 0,
        }
    }

    /// Nothing that was aborted can still get its name.
    pub(super) fn is_quiet(&self) -> bool {
        self.aborting == 0
    }

    /// The leader's snapshot is in the tree and not on the disk.
    pub(super) fn is_installing(&self) -> bool {
        self.writing.as_ref().is_some_and(|w| w.purpose == Purpose::Install)
    }

    /// None is being written.
    pub(super) fn is_idle(&self) -> bool {
        self.writing.is_none()
    }

    /// One more transaction was applied.
    pub(super) fn count(&mut self) {
        self.since_last += 1;
    }

    /// Whether it is time for a routine snapshot: after so many transactions, or so many bytes of the
    /// present log. If so, the count begins anew.
    pub(super) fn take_due(&mut self, log_bytes: u64) -> bool {
        let half = self.snap_count / 2;
        let are_many = self.since_last > half + self.spread % half.max(1);
        let is_long = self.log_bytes.is_some_and(|limit| log_bytes > part_of(limit, self.spread));
        let is_due = self.writing.is_none() && (are_many || is_long);
        if is_due {
            self.since_last = 0;
        }
        is_due
    }

    pub(super) fn begin(
        &mut self,
        purpose: Purpose,
        db: &Database,
        out: &mut Vec<SnapshotRequest>,
    ) {
        let zxid = db.last_applied();
        let mut encoder = SnapshotEncoder::for_file();
        db.begin_snapshot(&mut encoder);
        out.push(SnapshotRequest::Begin { zxid, sync: purpose != Purpose::Routine });
        let head = encoder.take();
        let bytes = head.len() as u64;
        out.push(SnapshotRequest::Chunk(head));
        let (encoder, cursor) = (Some(encoder), SnapshotCursor::of_slices(self.slice_bytes));
        let may_be_named = purpose != Purpose::Install;
        self.writing =
            Some(Writing { purpose, zxid, bytes, encoder, cursor, end: None, may_be_named });
    }

    pub(super) fn abort(&mut self, out: &mut Vec<SnapshotRequest>) {
        if self.writing.take().is_some() {
            self.aborting += 1;
            out.push(SnapshotRequest::Abort);
        }
    }

    pub(super) fn on_stored(
        &mut self,
        outcome: &Outcome,
        db: &Database,
        out: &mut Vec<SnapshotRequest>,
    ) -> Option<Finished> {
        match outcome {
            Outcome::Aborted => self.aborting -= 1,
            Outcome::ChunkWritten | Outcome::SnapshotDone { .. } if self.aborting > 0 => {} // SN-3
            Outcome::ChunkWritten => self.write_slice(db, out),
            Outcome::SnapshotDone { zxid, sync, took } => {
                let done = self.writing.take_if(|w| w.zxid == *zxid && w.encoder.is_none());
                let Some(Writing { purpose, bytes, .. }) = done else {
                    broken("SN-3", format!("snapshot {zxid} is done, and not the present one"))
                };
                let (zxid, sync, took) = (*zxid, *sync, *took);
                return Some(Finished { purpose, zxid, sync, bytes, took });
            }
            // The first chunk goes out behind Begin, and nobody waits for a purge.
            Outcome::SnapshotBegun => {}
            other => broken("PE-10", format!("{other:?} answers no request for a snapshot")),
        }
        None
    }

    fn write_slice(&mut self, db: &Database, out: &mut Vec<SnapshotRequest>) {
        let Some(writing) = self.writing.as_mut() else {
            broken("SN-3", "a slice was written of no snapshot".to_string())
        };
        let Some(mut encoder) = writing.encoder.take() else { return }; // That was the last one.
        let tree = db.tree();
        tree.write_slice(&mut writing.cursor, self.slice, &mut |node| encoder.node(&node));
        if !writing.cursor.is_done() {
            let slice = encoder.take();
            writing.bytes += slice.len() as u64;
            out.push(SnapshotRequest::Chunk(slice));
            writing.encoder = Some(encoder);
            return;
        }
        // The digest and the last zxid are those of now: the slices may hold as much.
        let zxid = db.last_applied();
        let digest = SnapshotDigest { zxid, version: DIGEST_VERSION, digest: tree.digest() as i64 };
        writing.end = Some((encoder.finish(Some(&digest), Some(zxid)), zxid));
        self.finish(db.durable(), out);
    }

    /// The guard file names a snapshot at this zxid.
    pub(super) fn on_marked(&mut self, zxid: Zxid, durable: Zxid, out: &mut Vec<SnapshotRequest>) {
        if let Some(writing) = self.writing.as_mut().filter(|w| w.zxid == zxid) {
            writing.may_be_named = true;
            self.finish(durable, out);
        }
    }

    /// Gives the snapshot its name once the log is durable up to everything it may hold (SN-2).
    pub(super) fn finish(&mut self, durable: Zxid, out: &mut Vec<SnapshotRequest>) {
        let Some(writing) = self.writing.as_mut().filter(|w| w.may_be_named) else { return };
        let covered = |end: &mut (Bytes, Zxid)| end.1 <= durable;
        if let Some((chunk, _)) = writing.end.take_if(covered) {
            writing.bytes += chunk.len() as u64;
            out.push(SnapshotRequest::Chunk(chunk));
            out.push(SnapshotRequest::Finish);
        }
    }
}

/// Half of it, and this share of the other half.
fn part_of(limit: u64, spread: u32) -> u64 {
    let half = limit / 2;
    half + ((u128::from(half) * u128::from(spread)) >> 32) as u64
}
