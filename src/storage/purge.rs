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
use super::layout::{Layout, logs_from};
use super::snapshot_check::is_intact;
use crate::runtime::{File, Lane, OpenMode};

/// Fewer are never kept, whatever is configured (Apache refuses or raises a smaller number).
const SNAPSHOTS_KEPT_MIN: usize = 3;

/// Returns how many files went.
pub(super) async fn purge<L: Lane>(
    lane: &L,
    layout: &Layout,
    snap_retain_count: usize,
) -> Result<usize, StorageError> {
    let snapshots = layout.snapshots(lane).await?;
    let mut kept = Vec::new();
    for snapshot in &snapshots {
        if kept.len() < snap_retain_count.max(SNAPSHOTS_KEPT_MIN)
            && is_intact(lane, layout, snapshot).await?
        {
            kept.push(snapshot);
        }
    }
    let Some(oldest) = kept.last().map(|snapshot| snapshot.zxid) else { return Ok(0) };
    let old_snapshots: Vec<_> =
        snapshots.iter().filter(|snapshot| snapshot.zxid < oldest).collect();
    let logs = layout.logs(lane).await?;
    let old_logs = &logs[..logs.len() - logs_from(&logs, oldest).len()];
    if old_snapshots.is_empty() && old_logs.is_empty() {
        return Ok(0);
    }
    for snapshot in kept {
        let path = layout.snap_dir.join(&snapshot.name);
        let mut file = lane.open(&path, OpenMode::Write).await.when("opening", &path)?;
        file.sync().await.when("syncing", &path)?;
    }
    lane.sync_dir(&layout.snap_dir).await.when("syncing", &layout.snap_dir)?;
    for snapshot in &old_snapshots {
        let path = layout.snap_dir.join(&snapshot.name);
        lane.remove(&path).await.when("removing", &path)?;
    }
    // A snapshot that came back after a crash must find its logs, or none at all.
    lane.sync_dir(&layout.snap_dir).await.when("syncing", &layout.snap_dir)?;
    for log in old_logs {
        let path = layout.log(log.first);
        lane.remove(&path).await.when("removing", &path)?;
    }
    lane.sync_dir(&layout.log_dir).await.when("syncing", &layout.log_dir)?;
    Ok(old_snapshots.len() + old_logs.len())
}
