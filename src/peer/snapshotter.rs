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
//! - SN-1  only committed state is written: a snapshot ends with the role (ZOOKEEPER-1549).
//! - SY-5  a leader's snapshot is durable before anything is appended behind it.

use bytes::Bytes;

use super::core::{AfterLoad, ForWhom, Peer, Role};
use crate::base::{Note, Now, Zxid};
use crate::jute::persist::SnapshotDigest;
use crate::runtime::Halt;
use crate::storage::{LogRequest, Outcome, SnapshotEncoder, SnapshotRequest};
use crate::tree::{DIGEST_VERSION, SnapshotCursor};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    /// snapshot.0 of an empty directory.
    First,
    Routine,
    /// The leader's snapshot.
    Install,
}

struct Writing {
    purpose: Purpose,
    zxid: Zxid,
    /// `None` once the last slice is on its way.
    encoder: Option<SnapshotEncoder>,
    cursor: SnapshotCursor,
    /// The last slice, and the last transaction whose effects any slice may hold.
    end: Option<(Bytes, Zxid)>,
}

/// Counts transactions and writes at most one snapshot at a time.
pub(super) struct Snapshotter {
    snap_count: u32,
    since_last: u32,
    writing: Option<Writing>,
    /// Completions of a snapshot that was aborted are still on their way.
    stale_chunks: u32,
}

impl Snapshotter {
    pub(super) fn new(snap_count: u32) -> Snapshotter {
        Snapshotter { snap_count: snap_count.max(2), since_last: 0, writing: None, stale_chunks: 0 }
    }

    /// Nothing that was aborted can still get its name.
    pub(super) fn is_quiet(&self) -> bool {
        self.stale_chunks == 0
    }

    /// The leader's snapshot is in the tree and not on the disk.
    pub(super) fn is_installing(&self) -> bool {
        self.writing.as_ref().is_some_and(|w| w.purpose == Purpose::Install)
    }

    /// Apache rolls after snapCount/2 transactions and a random part of the other half, so that
    /// the servers of an ensemble do not all write at once; the server's id does that here.
    fn is_due(&self, spread: u32) -> bool {
        let half = self.snap_count / 2;
        self.writing.is_none() && self.since_last > half + spread % half.max(1)
    }
}

impl Peer {
    pub(super) fn count_for_snapshot(&mut self) {
        self.snapshotter.since_last += 1;
        let spread = (self.config.my_id.0 as u32).wrapping_mul(0x9e37_79b9);
        if self.service.is_serving() && self.snapshotter.is_due(spread) {
            self.snapshotter.since_last = 0;
            self.ask_log(ForWhom::Role, LogRequest::Roll);
            self.begin_snapshot(Purpose::Routine);
        }
    }

    pub(super) fn begin_first_snapshot(&mut self) {
        self.begin_snapshot(Purpose::First);
    }

    /// The leader's snapshot replaces everything we have. (SNAP)
    pub(super) fn install_snapshot(&mut self, now: Now, zxid: Zxid, body: Bytes) {
        if let Err(error) = self.db.install_stream(zxid, body) {
            return self.become_looking(now, format!("the leader's snapshot: {error}"));
        }
        let tree_digest = self.db.state_digest();
        self.note(Note::SnapshotInstalled { zxid, tree_digest });
        self.abort_snapshot();
        self.begin_snapshot(Purpose::Install);
    }

    fn begin_snapshot(&mut self, purpose: Purpose) {
        let zxid = self.db.last_applied();
        let mut encoder = SnapshotEncoder::for_file();
        self.db.begin_snapshot(&mut encoder);
        self.ask_snapshot(SnapshotRequest::Begin { zxid, sync: purpose != Purpose::Routine });
        let head = encoder.take();
        self.snapshotter.writing = Some(Writing {
            purpose,
            zxid,
            encoder: Some(encoder),
            cursor: SnapshotCursor::new(),
            end: None,
        });
        self.ask_snapshot(SnapshotRequest::Chunk(head));
    }

    pub(super) fn abort_snapshot(&mut self) {
        if self.snapshotter.writing.take().is_some() {
            self.snapshotter.stale_chunks += 1;
            self.ask_snapshot(SnapshotRequest::Abort);
        }
    }

    pub(super) fn purge(&mut self) {
        self.ask_snapshot(SnapshotRequest::Purge);
    }

    pub(super) fn on_snapshot_stored(&mut self, now: Now, outcome: Outcome) {
        match outcome {
            Outcome::Aborted => {
                self.snapshotter.stale_chunks -= 1;
                self.try_look(now);
            }
            // What an aborted snapshot still completes is no slice of the next one.
            Outcome::ChunkWritten if self.snapshotter.stale_chunks == 0 => self.write_slice(),
            Outcome::SnapshotDone { zxid, sync } => self.on_snapshot_done(now, zxid, sync),
            _ => {}
        }
    }

    fn write_slice(&mut self) {
        let Some(writing) = self.snapshotter.writing.as_mut() else { return };
        let Some(mut encoder) = writing.encoder.take() else { return };
        let tree = self.db.tree();
        encoder.nodes(&tree.snapshot_slice(&mut writing.cursor, self.config.snapshot_slice));
        if !writing.cursor.is_done() {
            let chunk = encoder.take();
            writing.encoder = Some(encoder);
            return self.ask_snapshot(SnapshotRequest::Chunk(chunk));
        }
        // The digest and the last zxid are those of now: the slices may hold as much.
        let zxid = self.db.last_applied();
        let digest = SnapshotDigest { zxid, version: DIGEST_VERSION, digest: tree.digest() as i64 };
        writing.end = Some((encoder.finish(Some(&digest), Some(zxid)), zxid));
        self.finish_snapshot();
    }

    /// Gives the snapshot its name once the log is durable up to everything it may hold (SN-2).
    pub(super) fn finish_snapshot(&mut self) {
        let durable = self.db.durable();
        let Some(writing) = self.snapshotter.writing.as_mut() else { return };
        let covered = |end: &mut (Bytes, Zxid)| end.1 <= durable;
        let Some((chunk, _)) = writing.end.take_if(covered) else { return };
        self.ask_snapshot(SnapshotRequest::Chunk(chunk));
        self.ask_snapshot(SnapshotRequest::Finish);
    }

    fn on_snapshot_done(&mut self, now: Now, zxid: Zxid, sync: bool) {
        let Some(writing) =
            self.snapshotter.writing.take_if(|w| w.zxid == zxid && w.encoder.is_none())
        else {
            return;
        };
        if sync {
            self.note(Note::SnapshotDurable { zxid });
        }
        match (writing.purpose, &self.role) {
            (Purpose::First, Role::Loading(_)) => self.loaded(now, AfterLoad::Begin),
            (Purpose::First, _) => {
                self.halt(Halt::unexpected("snapshot.0 was written while the server had a role"));
            }
            // Old logs lead somewhere else: the log begins anew behind this snapshot.
            (Purpose::Install, _) => {
                self.ask_log(ForWhom::Snapshotter, LogRequest::Reset { behind: zxid })
            }
            (Purpose::Routine, _) => {}
        }
    }
}
