//! A snapshot on its way to disk: begin, chunks, finish. (FileSnap.serialize.)
//!
//! It grows under `snapshot.<zxid>.tmp` and gets its name when it is whole. If it is to be durable,
//! content comes before name, and name before the answer. A routine snapshot is not synced: a
//! power failure may leave a damaged file, whose seals say so, and older snapshots with their
//! logs are still there, since purging syncs what it keeps before it removes anything.
//! All the same it is synced a portion at a time while it grows: a sync of the log waits for what the
//! kernel writes at that time, and it is to be little.
//! The first snapshot of an empty directory has nothing behind it and is always synced.
//!
//! Not here: what is in it (`snapshot_format.rs`, `database`).

use std::path::PathBuf;

use bytes::Bytes;

use super::error::{StorageError, While};
use super::layout::{Layout, TMP_SUFFIX, snapshot_name};
use crate::base::Zxid;
use crate::runtime::{File, Lane, OpenMode};

/// So much of a snapshot is on its way to the disk at once.
const PORTION_BYTES: u64 = 1024 * 1024;

pub(super) struct SnapshotWriter<F> {
    zxid: Zxid,
    sync: bool,
    tmp: PathBuf,
    file: F,
    end: u64,
    synced_to: u64,
}

impl<F: File> SnapshotWriter<F> {
    pub(super) async fn begin<L: Lane<File = F>>(
        lane: &L,
        layout: &Layout,
        zxid: Zxid,
        sync: bool,
    ) -> Result<SnapshotWriter<F>, StorageError> {
        // A synced snapshot is never replaced by one that a power failure may take.
        let replaces = layout.snapshots(lane).await?.iter().any(|old| old.zxid == zxid);
        let sync = sync || replaces || zxid <= Zxid::ZERO;
        let tmp = layout.snap_dir.join(format!("{}{TMP_SUFFIX}", snapshot_name(zxid)));
        let file = lane.open(&tmp, OpenMode::Create).await.when("creating", &tmp)?;
        Ok(SnapshotWriter { zxid, sync, tmp, file, end: 0, synced_to: 0 })
    }

    /// Whether that was the end of a portion, which has been synced.
    pub(super) async fn chunk(&mut self, bytes: Bytes) -> Result<bool, StorageError> {
        let len = bytes.len() as u64;
        self.file.write_at(self.end, bytes).await.when("writing", &self.tmp)?;
        self.end += len;
        let is_portion = self.end - self.synced_to >= PORTION_BYTES;
        if is_portion {
            self.file.sync().await.when("syncing", &self.tmp)?;
            self.synced_to = self.end;
        }
        Ok(is_portion)
    }

    /// Somebody waits for it: a learner for its start, an empty directory for its first snapshot.
    pub(super) fn is_urgent(&self) -> bool {
        self.sync
    }

    /// Gives the snapshot its name. Returns the zxid, and whether it is durable.
    pub(super) async fn finish<L: Lane<File = F>>(
        mut self,
        lane: &L,
        layout: &Layout,
    ) -> Result<(Zxid, bool), StorageError> {
        if self.sync {
            self.file.sync().await.when("syncing", &self.tmp)?;
        }
        drop(self.file);
        let path = layout.snap_dir.join(snapshot_name(self.zxid));
        lane.rename(&self.tmp, &path).await.when("renaming", &self.tmp)?;
        if self.sync {
            lane.sync_dir(&layout.snap_dir).await.when("syncing", &layout.snap_dir)?;
        }
        Ok((self.zxid, self.sync))
    }

    pub(super) async fn abort<L: Lane<File = F>>(self, lane: &L) -> Result<(), StorageError> {
        let tmp = self.tmp;
        drop(self.file);
        lane.remove(&tmp).await.when("removing", &tmp)
    }
}
