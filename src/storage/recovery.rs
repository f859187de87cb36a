//! What a start finds: the newest valid snapshot, and every transaction behind it.
//! (FileTxnSnapLog.restore, FileSnap.deserialize, ZKDatabase.loadDataBase.)
//!
//! | a record that is            | without a guard         | above its bound | below its bound |
//! |-----------------------------|-------------------------|-----------------|-----------------|
//! | cut by the end, unmarked    | end of that file        | cut, noted      | refused         |
//! | wrong in checksum or length | refused                 | cut, noted      | refused         |
//! | whole, but unreadable       | refused                 | refused         | refused         |
//!
//! "Without a guard" is Apache's rule. It holds as well for logs older than the one that the
//! guard names: all of them were durable as a whole when that one was begun.
//!
//! - S-17 a transaction behind the snapshot follows its predecessor: the next zxid, or the first of a
//!   later epoch. A hole is refused, never skipped (ZOOKEEPER-2325).
//! - S-12 what is told was synced first: a process that dies leaves records in the page cache that
//!   a power failure could still take, after this server has voted with them. Synced means written
//!   again and then synced, for the part of the log that no successful sync is known to cover.
//! - A log without a valid snapshot is refused: it may begin anywhere. By `trust_empty` it is taken
//!   for a whole history, if it begins with the first transaction of an epoch.
//!
//! Not here: applying transactions (`database`).

use std::path::PathBuf;
use std::rc::Rc;

use super::epoch_file::{load_epochs, remove_leftovers};
use super::error::{StorageError, While};
use super::guard::{DurableBound, Guard, GuardOnDisk, read_guard, write_guard};
use super::layout::{
    ACCEPTED_EPOCH_FILE, CURRENT_EPOCH_FILE, GUARD_FILE, Layout, LogName, SnapshotName, log_name,
    logs_from, parse_snapshot_name,
};
use super::log_format::RecordFault;
use super::log_reader::{Head, LogScan, Step, is_repeated};
use super::snapshot_format::{SnapshotFault, decode_snapshot, unpack};
use super::truncate::remove_logs;
use super::{Loaded, SnapshotData, StorageOptions};
use crate::base::Zxid;
use crate::jute::txn::Proposal;
use crate::runtime::{File, Lane, OpenMode};

/// Bytes of a log written again at once.
const REWRITTEN_BYTES: u64 = 1024 * 1024;

/// Reads a data directory as a start does: repairs torn tails and removes leftovers.
pub async fn load<L: Lane>(options: &StorageOptions, lane: L) -> Result<Loaded, StorageError> {
    recover(&lane, &Layout::new(options), options, true).await
}

/// `first`: nobody writes beside this one, so that leftovers may go.
pub(super) async fn recover<L: Lane>(
    lane: &L,
    layout: &Layout,
    options: &StorageOptions,
    first: bool,
) -> Result<Loaded, StorageError> {
    let mut notes = Vec::new();
    prepare_directories(lane, layout).await?;
    let snapshot = newest_snapshot(lane, layout, &mut notes).await?;
    let logs = layout.logs(lane).await?;
    if snapshot.is_none() && holds_records(lane, layout, &logs).await? {
        if !options.trust_empty {
            return Err(StorageError::NoSnapshot { dir: layout.snap_dir.clone() });
        }
        notes.push("no snapshot: the logs are taken for a whole history".into());
    }
    let base = snapshot.as_ref().map_or(Zxid::ZERO, |snapshot| snapshot.zxid);
    let (mut guard, bound) = judge_guard(lane, layout, &logs, &mut notes).await?;
    let (below, last) = (None, base);
    let mut replay = Replay { lane, layout, bound, base, below, last, txns: Vec::new(), notes };
    let end = replay.read_logs(logs_from(&logs, base.next())).await?;
    let (below, last, txns, mut notes) = (replay.below, replay.last, replay.txns, replay.notes);
    // Apache names a snapshot (epoch, 0) that nothing of its epoch has gone into.
    if base.counter() != 0 && below.is_some_and(|below| below < base) {
        notes.push(format!("the logs up to {base} end below the snapshot and are removed"));
        guard = remove_superseded(lane, layout, &logs, base, guard).await?;
    }
    let guard = renew_stale_guard(lane, layout, guard, bound, end).await?;
    let guarded = guard.is_some();

    let mut loaded = Loaded { snapshot, txns, last_logged: last, guard, ..Loaded::default() };
    loaded.initialised = consume_marker(lane, layout).await?
        || options.db_autocreate
        || !options.ensemble
        || loaded.snapshot.is_some();
    if !loaded.initialised {
        loaded.last_logged = Zxid::UNINITIALISED;
    }
    if options.ensemble {
        let epochs = load_epochs(lane, layout, last, guarded, options.museum, &mut notes).await?;
        loaded.accepted_epoch = epochs.accepted;
        loaded.current_epoch = epochs.current;
    }
    if first {
        remove_all_leftovers(lane, layout).await?;
    }
    loaded.notes = notes;
    Ok(loaded)
}

/// Behind these logs came a leader's snapshot, and a crash before they were removed: what lies
/// between them is in no log. Read on for a learner they would make a history with a hole.
async fn remove_superseded<L: Lane>(
    lane: &L,
    layout: &Layout,
    logs: &[LogName],
    base: Zxid,
    guard: Option<Guard>,
) -> Result<Option<Guard>, StorageError> {
    let guard = match guard {
        Some(guard) if guard.bound.is_some_and(|bound| bound.log <= base) => {
            let guard = Guard { bound: None, ..guard };
            write_guard(lane, layout, &guard).await?;
            Some(guard)
        }
        guard => guard,
    };
    remove_logs(lane, layout, logs.iter().rev().filter(|log| log.first <= base)).await?;
    Ok(guard)
}

async fn prepare_directories<L: Lane>(lane: &L, layout: &Layout) -> Result<(), StorageError> {
    for (dir, parent) in
        [(&layout.snap_dir, &layout.data_dir), (&layout.log_dir, &layout.data_log_dir)]
    {
        match lane.list(dir).await {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                lane.create_dir_all(dir).await.when("creating", dir)?;
                lane.sync_dir(parent).await.when("syncing", parent)?;
            }
            Err(error) => return Err(error).when("listing", dir),
        }
    }
    if layout.snap_dir == layout.log_dir {
        return Ok(());
    }
    let misplaced = layout.log_dir.clone();
    let elsewhere =
        Layout { snap_dir: misplaced, log_dir: layout.snap_dir.clone(), ..layout.clone() };
    if let Some(snapshot) = elsewhere.snapshots(lane).await?.first() {
        return Err(StorageError::Misplaced { file: elsewhere.snap_dir.join(&snapshot.name) });
    }
    if let Some(log) = elsewhere.logs(lane).await?.first() {
        return Err(StorageError::Misplaced { file: elsewhere.log(log.first) });
    }
    Ok(())
}

async fn newest_snapshot<L: Lane>(
    lane: &L,
    layout: &Layout,
    notes: &mut Vec<String>,
) -> Result<Option<SnapshotData>, StorageError> {
    let mut newest_fault: Option<(String, SnapshotFault)> = None;
    let candidates = layout.snapshots(lane).await?;
    // All of them: a power failure may take any number of routine ones, which nobody syncs.
    for name in &candidates {
        match read_snapshot(lane, layout, name).await? {
            Ok(snapshot) => {
                make_durable(lane, layout, name).await?;
                return Ok(Some(snapshot));
            }
            Err(fault) => {
                notes.push(format!("{} is skipped: {fault}", name.name));
                newest_fault.get_or_insert((name.name.clone(), fault));
            }
        }
    }
    match newest_fault {
        // The very first snapshot, cut by a crash before anything was logged, is no loss; logs
        // behind it are looked for by the caller.
        Some((newest, fault)) if candidates.iter().any(|name| name.zxid > Zxid::ZERO) => {
            Err(StorageError::NoValidSnapshot {
                dir: layout.snap_dir.clone(),
                newest,
                why: fault.to_string(),
            })
        }
        _ => Ok(None),
    }
}

/// A routine snapshot may still be in the page cache, and hold more than the logs below it: what
/// this server votes with must not be lost by the next power failure.
async fn make_durable<L: Lane>(
    lane: &L,
    layout: &Layout,
    name: &SnapshotName,
) -> Result<(), StorageError> {
    let path = layout.snap_dir.join(&name.name);
    let mut file = lane.open(&path, OpenMode::Write).await.when("opening", &path)?;
    file.sync().await.when("syncing", &path)?;
    let dir = &layout.snap_dir;
    lane.sync_dir(dir).await.when("syncing", dir)
}

async fn read_snapshot<L: Lane>(
    lane: &L,
    layout: &Layout,
    name: &SnapshotName,
) -> Result<Result<SnapshotData, SnapshotFault>, StorageError> {
    let path = layout.snap_dir.join(&name.name);
    let packed = lane.read(&path).await.when("reading", &path)?;
    let content = unpack(packed, name.compression).and_then(decode_snapshot);
    Ok(content.map(|content| SnapshotData {
        zxid: name.zxid,
        sessions: content.body.sessions,
        acls: content.body.acls,
        nodes: content.body.nodes,
        digest: content.digest,
        last_zxid: content.last_zxid,
    }))
}

/// True unless the logs are empty, as a crash at the first transaction ever leaves them.
async fn holds_records<L: Lane>(
    lane: &L,
    layout: &Layout,
    logs: &[LogName],
) -> Result<bool, StorageError> {
    for log in logs {
        let path = layout.log(log.first);
        let mut scan = LogScan::open(lane, layout, path.clone(), OpenMode::Read)
            .await
            .when("opening", &path)?;
        if scan.head().await? == Head::Unwritten {
            continue;
        }
        if !matches!(scan.next().await?, Step::End { fault: None, .. }) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The guard, and the bound it sets here. A log newer than the guard was written by another
/// server program: then there is no bound.
async fn judge_guard<L: Lane>(
    lane: &L,
    layout: &Layout,
    logs: &[LogName],
    notes: &mut Vec<String>,
) -> Result<(Option<Guard>, Option<DurableBound>), StorageError> {
    let guard = match read_guard(lane, layout).await? {
        GuardOnDisk::Missing => return Ok((None, None)),
        GuardOnDisk::Unreadable => {
            notes.push(format!("{GUARD_FILE} is unreadable and ignored"));
            return Ok((None, None));
        }
        GuardOnDisk::Guard(guard) => guard,
    };
    let Some(bound) = guard.bound else { return Ok((Some(guard), None)) };
    if let Some(newer) = logs.last().filter(|log| log.first > bound.log) {
        notes.push(format!(
            "{} is newer than {GUARD_FILE}: another server program has written here",
            log_name(newer.first)
        ));
        return Ok((Some(guard), None));
    }
    if bound.offset > 0 && logs.iter().all(|log| log.first != bound.log) {
        let file = layout.log(bound.log);
        return Err(StorageError::DurableLogMissing { file, bound: bound.offset });
    }
    Ok((Some(guard), Some(bound)))
}

/// A guard whose bound says nothing any more learns the present end of the log, which is durable now.
async fn renew_stale_guard<L: Lane>(
    lane: &L,
    layout: &Layout,
    guard: Option<Guard>,
    bound: Option<DurableBound>,
    end: Option<DurableBound>,
) -> Result<Option<Guard>, StorageError> {
    match guard {
        Some(stale) if stale.bound.is_some() && bound.is_none() => {
            let guard = Guard { bound: end, ..stale };
            write_guard(lane, layout, &guard).await?;
            Ok(Some(guard))
        }
        guard => Ok(guard),
    }
}

/// `initialize` allows one start from nothing, and is gone after it.
async fn consume_marker<L: Lane>(lane: &L, layout: &Layout) -> Result<bool, StorageError> {
    let marker = layout.initialize_marker();
    match lane.remove(&marker).await {
        Ok(()) => {
            let dir = &layout.data_log_dir;
            lane.sync_dir(dir).await.when("syncing", dir)?;
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).when("removing", &marker),
    }
}

async fn remove_all_leftovers<L: Lane>(lane: &L, layout: &Layout) -> Result<(), StorageError> {
    let in_snap_dir = |name: &str| {
        [ACCEPTED_EPOCH_FILE, CURRENT_EPOCH_FILE].contains(&name)
            || parse_snapshot_name(name).is_some()
    };
    remove_leftovers(lane, &layout.snap_dir, in_snap_dir).await?;
    remove_leftovers(lane, &layout.log_dir, |name| name == GUARD_FILE).await?;
    Ok(())
}

/// Reads the logs behind a snapshot, and repairs what a crash has torn.
struct Replay<'a, L: Lane> {
    lane: &'a L,
    layout: &'a Layout,
    bound: Option<DurableBound>,
    base: Zxid,
    /// The last record that the snapshot covers.
    below: Option<Zxid>,
    last: Zxid,
    txns: Vec<Rc<Proposal>>,
    notes: Vec<String>,
}

impl<L: Lane> Replay<'_, L> {
    /// Returns where the newest log ends.
    async fn read_logs(&mut self, logs: &[LogName]) -> Result<Option<DurableBound>, StorageError> {
        let mut end = None;
        for (index, log) in logs.iter().enumerate() {
            let newest = index + 1 == logs.len();
            if let Some(offset) = self.read_log(log, newest).await? {
                end = Some(DurableBound { log: log.first, offset });
            }
        }
        if !logs.is_empty() {
            let dir = &self.layout.log_dir;
            self.lane.sync_dir(dir).await.when("syncing", dir)?;
        }
        Ok(end)
    }

    /// Returns where its records end; `None` if the file is gone.
    async fn read_log(&mut self, log: &LogName, newest: bool) -> Result<Option<u64>, StorageError> {
        let path = self.layout.log(log.first);
        let scan = LogScan::open(self.lane, self.layout, path.clone(), OpenMode::Write).await;
        let mut scan = scan.when("opening", &path)?;
        let bound = self.bound.filter(|bound| bound.log == log.first).map(|bound| bound.offset);
        match scan.head().await? {
            Head::Good => {}
            head if bound == Some(0) || (newest && head == Head::Unwritten && bound.is_none()) => {
                return self.remove_unwritten(scan, bound).await.map(|()| None);
            }
            Head::Unwritten if bound.is_some() => return Err(lost(&scan, 0, bound, None)),
            Head::Unwritten if scan.len() == 0 => return Ok(Some(0)),
            head => return Err(not_a_log(path, head)),
        }
        loop {
            match scan.next().await? {
                Step::Record { offset, proposal } => self.take(&scan, offset, proposal)?,
                Step::End { offset, fault } => {
                    return self.end(scan, offset, fault, bound, newest).await;
                }
            }
        }
    }

    /// Judges the end of a file's records, and makes the file durable.
    async fn end(
        &mut self,
        scan: LogScan<L::File>,
        offset: u64,
        fault: Option<RecordFault>,
        bound: Option<u64>,
        newest: bool,
    ) -> Result<Option<u64>, StorageError> {
        let path = scan.path().to_path_buf();
        let len = scan.len();
        match (bound, fault) {
            (Some(bound), _) if offset < bound => {
                return Err(lost(&scan, offset, Some(bound), fault));
            }
            (None, Some(fault)) if !fault.is_torn_tail() => {
                return Err(StorageError::DamagedLog { file: path, offset, fault });
            }
            _ => {}
        }
        let mut file = scan.into_file();
        if bound.is_some() || newest {
            rewrite(&mut file, bound.unwrap_or(0), offset).await.when("rewriting", &path)?;
        }
        if let Some(fault) = fault {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if bound.is_some() {
                file.set_len(offset).await.when("cutting", &path)?;
                self.notes.push(format!(
                    "{name}: a write that was never acknowledged is torn at offset {offset} \
                     ({fault}); {} bytes are cut behind transaction {}",
                    len - offset,
                    self.last
                ));
            } else {
                self.notes.push(format!(
                    "{name}: the last record, at offset {offset}, is dropped ({fault}); the file \
                     ends with transaction {}",
                    self.last
                ));
            }
        }
        file.sync().await.when("syncing", &path)?;
        Ok(Some(offset))
    }

    fn take(
        &mut self,
        scan: &LogScan<L::File>,
        offset: u64,
        proposal: Rc<Proposal>,
    ) -> Result<(), StorageError> {
        let (previous, found) = (self.last, proposal.zxid());
        if found <= self.base {
            self.below = Some(found);
            return Ok(());
        }
        if is_repeated(&self.txns, &proposal) {
            return Ok(());
        }
        let file = scan.path().to_path_buf();
        if found <= previous {
            return Err(StorageError::NotRising { file, offset, previous, found });
        }
        if !previous.is_followed_by(found) {
            return Err(StorageError::Gap { file, offset, previous, found });
        }
        self.last = found;
        self.txns.push(proposal);
        Ok(())
    }

    /// A log that was created and never flushed holds nothing that anyone was told of. Without a
    /// guard it must look like one: zeros, and no record behind them.
    async fn remove_unwritten(
        &mut self,
        mut scan: LogScan<L::File>,
        bound: Option<u64>,
    ) -> Result<(), StorageError> {
        let path = scan.path().to_path_buf();
        if bound.is_none() && !matches!(scan.next().await?, Step::End { fault: None, .. }) {
            return Err(not_a_log(path, Head::Unwritten));
        }
        drop(scan);
        self.lane.remove(&path).await.when("removing", &path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.notes.push(format!("{name} was created but never written, and is removed"));
        Ok(())
    }
}

/// Writes what was just read once more. A sync that failed before this start has left pages that
/// read well, count as clean, and are not on the disk: the next sync would succeed without them.
async fn rewrite<F: File>(file: &mut F, from: u64, to: u64) -> std::io::Result<()> {
    let mut at = from;
    while at < to {
        let wanted = (to - at).min(REWRITTEN_BYTES);
        let piece = file.read_at(at, wanted as usize).await?;
        if piece.is_empty() {
            break;
        }
        let len = piece.len() as u64;
        file.write_at(at, piece).await?;
        at += len;
    }
    Ok(())
}

fn not_a_log(file: PathBuf, head: Head) -> StorageError {
    let what = match head {
        Head::Foreign(what) => what,
        Head::Good | Head::Unwritten => "zeros".to_string(),
    };
    StorageError::NotALog { file, what }
}

fn lost<F: File>(
    scan: &LogScan<F>,
    offset: u64,
    bound: Option<u64>,
    fault: Option<RecordFault>,
) -> StorageError {
    StorageError::DurableDataLost {
        file: scan.path().to_path_buf(),
        offset,
        bound: bound.unwrap_or(0),
        why: fault.map_or("nothing follows".to_string(), |fault| fault.to_string()),
    }
}
