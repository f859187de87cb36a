//! Old snapshots and logs go. (PurgeTxnLog; `autopurge.snapRetainCount`.)
//!
//! Kept are the newest valid snapshots, and every log that may hold a transaction at or behind the
//! oldest of them: also the log that begins before it (ZOOKEEPER-2574). A damaged snapshot is
//! not counted as kept (ZOOKEEPER-3231), and what is kept is synced before anything goes.
//!
//! - S-12 every kept snapshot can be completed from the kept logs.
//!
//! Not here: when to purge.

use super::error::{StorageError, While};
use super::layout::{Layout, LogName, SnapshotName, logs_from};
use super::snapshot_check::is_intact;
use crate::runtime::{File, Lane, OpenMode};

/// Fewer are never kept, whatever is configured (Apache refuses or raises a smaller number).
const SNAPSHOTS_KEPT_MIN: usize = 3;

/// What goes, and what stays for it. Old snapshots and logs that are not named here stay as well.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PurgePlan {
    /// Valid snapshots, newest first. Nothing goes where there is none.
    pub kept: Vec<SnapshotName>,
    pub old_snapshots: Vec<SnapshotName>,
    pub old_logs: Vec<LogName>,
}

impl PurgePlan {
    pub async fn of<L: Lane>(
        lane: &L,
        layout: &Layout,
        snap_retain_count: usize,
    ) -> Result<PurgePlan, StorageError> {
        let snapshots = layout.snapshots(lane).await?;
        let mut kept = Vec::new();
        for snapshot in &snapshots {
            if kept.len() < snap_retain_count.max(SNAPSHOTS_KEPT_MIN)
                && is_intact(lane, layout, snapshot).await?
            {
                kept.push(snapshot.clone());
            }
        }
        let Some(oldest) = kept.last().map(|snapshot| snapshot.zxid) else {
            return Ok(PurgePlan::default());
        };
        let is_old = |snapshot: &SnapshotName| snapshot.zxid < oldest;
        let old_snapshots = snapshots.into_iter().filter(is_old).collect();
        let logs = layout.logs(lane).await?;
        let old_logs = logs[..logs.len() - logs_from(&logs, oldest).len()].to_vec();
        Ok(PurgePlan { kept, old_snapshots, old_logs })
    }

    /// How many files go.
    pub fn files(&self) -> usize {
        self.old_snapshots.len() + self.old_logs.len()
    }

    pub async fn carry_out<L: Lane>(&self, lane: &L, layout: &Layout) -> Result<(), StorageError> {
        if self.files() == 0 {
            return Ok(());
        }
        for snapshot in &self.kept {
            let path = layout.snap_dir.join(&snapshot.name);
            let mut file = lane.open(&path, OpenMode::Write).await.when("opening", &path)?;
            file.sync().await.when("syncing", &path)?;
        }
        lane.sync_dir(&layout.snap_dir).await.when("syncing", &layout.snap_dir)?;
        for snapshot in &self.old_snapshots {
            let path = layout.snap_dir.join(&snapshot.name);
            lane.remove(&path).await.when("removing", &path)?;
        }
        // A snapshot that came back after a crash must find its logs, or none at all.
        lane.sync_dir(&layout.snap_dir).await.when("syncing", &layout.snap_dir)?;
        for log in &self.old_logs {
            let path = layout.log(log.first);
            lane.remove(&path).await.when("removing", &path)?;
        }
        lane.sync_dir(&layout.log_dir).await.when("syncing", &layout.log_dir)
    }
}
