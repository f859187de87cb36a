//! TRUNC: the log ends at a zxid that the leader names. (FileTxnLog.truncate, FileTxnSnapLog.truncateLog.)
//!
//! Order, so that a crash anywhere leaves the old history, a shorter one, or the one asked for:
//!
//!     guard lowered -> snapshots above removed -> later logs removed, newest first -> last log cut
//!
//! - S-16 a snapshot that may hold effects behind `to` goes too, judged by what it may hold, not
//!   by its name alone (ZOOKEEPER-4837): a snapshot is written while transactions apply.
//! - No record behind `to` survives. Apache cuts behind the first record at or behind `to`, and so
//!   keeps one too many when the log lacks `to`; then this refuses, and nothing has changed.
//!
//! Not here: reading the result (`Load`).

use super::error::{StorageError, While};
use super::guard::DurableBound;
use super::layout::{Layout, LogName, SnapshotName, logs_from};
use super::log_reader::{Head, LogScan, Step};
use super::log_writer::LogWriter;
use super::snapshot_check::{effects_end_of, is_intact};
use crate::base::Zxid;
use crate::runtime::{File, Lane, OpenMode};

/// What a truncation will do; made before anything is changed.
struct Plan {
    /// Newest first.
    snapshots: Vec<SnapshotName>,
    /// Newest first.
    logs: Vec<LogName>,
    /// The log that keeps a part, and where it is cut.
    cut: Option<DurableBound>,
}

pub(super) async fn truncate<L: Lane>(
    lane: &L,
    layout: &Layout,
    writer: &mut LogWriter<L>,
    to: Zxid,
) -> Result<(), StorageError> {
    let plan = plan(lane, layout, to).await?;
    // Before the first change: no bound may lie behind the end of its log.
    writer.lower_guard(to, plan.cut).await?;
    for snapshot in &plan.snapshots {
        let path = layout.snap_dir.join(&snapshot.name);
        lane.remove(&path).await.when("removing", &path)?;
    }
    if !plan.snapshots.is_empty() {
        lane.sync_dir(&layout.snap_dir).await.when("syncing", &layout.snap_dir)?;
    }
    remove_logs(lane, layout, plan.logs.iter()).await?;
    if let Some(DurableBound { log, offset, .. }) = plan.cut {
        let path = layout.log(log);
        let mut file = lane.open(&path, OpenMode::Write).await.when("opening", &path)?;
        file.set_len(offset).await.when("cutting", &path)?;
        file.sync().await.when("syncing", &path)?;
    }
    Ok(())
}

/// Removes every log, newest first, and every snapshot that says more, once a leader's snapshot at
/// `behind` is durable. The guard says so before: without that snapshot, what is left is an older
/// history, or one with a hole. A crash in between leaves older logs that end below the snapshot, which the
/// next recovery removes, or a newer snapshot, which is the old history.
pub(super) async fn begin_anew<L: Lane>(
    lane: &L,
    layout: &Layout,
    writer: &mut LogWriter<L>,
    behind: Zxid,
) -> Result<(), StorageError> {
    writer.begin_behind(behind).await?;
    remove_logs(lane, layout, layout.logs(lane).await?.iter().rev()).await?;
    let snapshots = layout.snapshots(lane).await?;
    for snapshot in snapshots.iter().filter(|snapshot| snapshot.zxid > behind) {
        let path = layout.snap_dir.join(&snapshot.name);
        lane.remove(&path).await.when("removing", &path)?;
        lane.sync_dir(&layout.snap_dir).await.when("syncing", &layout.snap_dir)?;
    }
    Ok(())
}

/// One by one: of two removals a crash may keep the later alone, which would be a gap.
pub(super) async fn remove_logs<L: Lane>(
    lane: &L,
    layout: &Layout,
    newest_first: impl Iterator<Item = &LogName>,
) -> Result<(), StorageError> {
    for log in newest_first {
        let path = layout.log(log.first);
        lane.remove(&path).await.when("removing", &path)?;
        lane.sync_dir(&layout.log_dir).await.when("syncing", &layout.log_dir)?;
    }
    Ok(())
}

async fn plan<L: Lane>(lane: &L, layout: &Layout, to: Zxid) -> Result<Plan, StorageError> {
    let refuse = |why| StorageError::CannotTruncate { to, why };
    let logs = layout.logs(lane).await?;
    let mut plan = Plan { snapshots: Vec::new(), logs: Vec::new(), cut: None };
    let mut base = None;
    for snapshot in layout.snapshots(lane).await? {
        if effects_end_of(lane, layout, &snapshot).await? > to {
            plan.snapshots.push(snapshot);
        } else if base.is_none() && is_intact(lane, layout, &snapshot).await? {
            base = Some(snapshot.zxid);
        }
    }
    let Some(base) = base else {
        return Err(refuse("no valid snapshot is free of transactions behind it"));
    };
    let at_snapshot = base == to;
    if logs.is_empty() && !at_snapshot {
        return Err(refuse("there is no log"));
    }
    plan.logs = logs.iter().rev().filter(|log| log.first > to).copied().collect();
    let mut reached = at_snapshot;
    // The newest log that begins at or below `to` is the one to cut.
    if let Some(log) = logs_from(&logs, to).first().filter(|log| log.first <= to) {
        let (offset, last) = end_of_records_up_to(lane, layout, log, to).await?;
        let kept = last.unwrap_or(Zxid::ZERO);
        plan.cut = Some(DurableBound { log: log.first, offset, last: kept });
        reached |= last == Some(to);
    }
    if !reached {
        return Err(refuse("neither the log nor a snapshot holds it"));
    }
    Ok(plan)
}

/// Where the records up to `to` end, and the last of them.
async fn end_of_records_up_to<L: Lane>(
    lane: &L,
    layout: &Layout,
    log: &LogName,
    to: Zxid,
) -> Result<(u64, Option<Zxid>), StorageError> {
    let path = layout.log(log.first);
    let mut scan =
        LogScan::open(lane, layout, path.clone(), OpenMode::Read).await.when("opening", &path)?;
    match scan.head().await? {
        Head::Good => {}
        Head::Unwritten => return Ok((0, None)),
        Head::Foreign(what) => return Err(StorageError::NotALog { file: path, what }),
    }
    let mut last = None;
    loop {
        match scan.next().await? {
            Step::Record { offset, proposal } if proposal.zxid() > to => return Ok((offset, last)),
            Step::Record { proposal, .. } => last = Some(proposal.zxid()),
            Step::End { offset, .. } => return Ok((offset, last)),
        }
    }
}
