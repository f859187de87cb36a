//! What a start finds: the newest valid snapshot, and every transaction behind it.
//! (FileTxnSnapLog.restore, FileSnap.deserialize, ZKDatabase.loadDataBase.)
//!
//! | a record that is            | without a guard         | above its bound | below its bound |
//! |-----------------------------|-------------------------|-----------------|-----------------|
//! | cut by the end, unmarked    | end of that file        | cut, noted      | refused         |
//! | wrong in checksum or length | refused                 | cut, noted      | refused         |
//! | whole, but unreadable       | refused                 | refused         | refused         |
//!
//! "Without a guard" is Apache's rule; it holds for logs that the guard does not name.
//!
//! - S-17 a transaction behind the snapshot follows its predecessor: the next zxid, or the first of a
//!   later epoch. A hole is refused, never skipped (ZOOKEEPER-2325).
//! - S-12 what is told was synced first: a process that dies leaves records in the page cache that
//!   a power failure could still take, after this server has voted with them. Synced means written
//!   again and then synced, for the part of the log that no successful sync is known to cover.
//! - A log without a valid snapshot is refused: it may begin anywhere. By `trust_empty` it is taken
//!   for a whole history, if it begins with the first transaction of an epoch.
//! - An older snapshot is refused from which the logs do not lead through all that was durable once
//!   (`claims.rs`).
//!
//! Not here: applying transactions (`database`).

use std::path::PathBuf;
use std::rc::Rc;

use super::claims::Claims;
use super::epoch_file::{load_epochs, remove_leftovers};
use super::error::{SkippedSnapshot, StorageError, While};
use super::guard::{DurableBound, Guard, write_guard};
use super::layout::{
    ACCEPTED_EPOCH_FILE, CURRENT_EPOCH_FILE, GUARD_FILE, Layout, LogName, SnapshotName, logs_from,
    parse_snapshot_name,
};
use super::log_format::RecordFault;
use super::log_reader::{Head, LogScan, Step, is_repeated};
use super::log_writer::{cut_again, rewrite};
use super::snapshot_reader::{Progress, read_snapshot};
use super::truncate::remove_logs;
use super::{LoadTimes, Loaded, SnapshotData, StorageOptions};
use crate::base::{Stamp, Zxid};
use crate::jute::txn::Proposal;
use crate::runtime::{File, Lane, OpenMode};

/// Reads a data directory as a start does: repairs torn tails and removes leftovers.
pub async fn load<L: Lane>(options: &StorageOptions, lane: L) -> Result<Loaded, StorageError> {
    let began = lane.ended();
    recover(&lane, &Layout::new(options), options, None, began).await
}

/// `known`: what this process wrote before. Without, nobody writes beside this one yet, so that
/// leftovers may go. `began`: when it was asked for.
pub(super) async fn recover<L: Lane>(
    lane: &L,
    layout: &Layout,
    options: &StorageOptions,
    known: Option<Guard>,
    began: Stamp,
) -> Result<Loaded, StorageError> {
    let began = began.max(lane.ended());
    let first = known.is_none();
    prepare_directories(lane, layout, options.datadir_autocreate).await?;
    let (mut loaded, is_guarded) = read_files(lane, layout, options, known).await?;
    let last = loaded.last_logged;
    loaded.initialised = consume_marker(lane, layout).await?
        || options.db_autocreate
        || !options.ensemble
        || loaded.snapshot.is_some();
    if !loaded.initialised {
        loaded.last_logged = Zxid::UNINITIALISED;
    }
    if options.ensemble {
        let notes = &mut loaded.notes;
        let epochs = load_epochs(lane, layout, last, is_guarded, options.museum, notes).await?;
        loaded.accepted_epoch = epochs.accepted;
        loaded.current_epoch = epochs.current;
    }
    if first {
        remove_all_leftovers(lane, layout).await?;
    }
    loaded.took.all = lane.ended() - began;
    Ok(loaded)
}

/// Snapshot, logs, and what the guard says of both; and whether there is a guard that counts.
async fn read_files<L: Lane>(
    lane: &L,
    layout: &Layout,
    options: &StorageOptions,
    known: Option<Guard>,
) -> Result<(Loaded, bool), StorageError> {
    let (mut notes, mut took, began) = (Vec::new(), LoadTimes::default(), lane.ended());
    let Newest { snapshot, skipped } = newest_snapshot(lane, layout, &mut notes).await?;
    took.snapshot = lane.ended() - began;
    let logs = layout.logs(lane).await?;
    if snapshot.is_none() && holds_records(lane, layout, &logs).await? {
        if !options.trust_empty {
            return Err(StorageError::NoSnapshot { dir: layout.snap_dir.clone() });
        }
        notes.push("no snapshot: the logs are taken for a whole history".into());
    }
    let base = snapshot.as_ref().map_or(Zxid::ZERO, |snapshot| snapshot.zxid);
    let mut claims = match known {
        Some(guard) => Claims::known(guard),
        None => Claims::read(lane, layout, &mut notes).await?,
    };
    claims.judge(&logs, &mut notes);
    claims.check_files(layout, &logs, base)?;
    let began = lane.ended();
    let replay = Replay::behind(base, lane, layout, &claims, notes);
    let replayed = replay.read_logs(logs_from(&logs, base.next())).await;
    took.logs = lane.ended() - began;
    let (dir, floor) = (layout.snap_dir.clone(), claims.floor());
    let lost = |missed, last| StorageError::HistoryLost { dir, missed, floor, base, last, skipped };
    let Replayed { below, last, txns, mut read, was_cut, mut notes } = match replayed {
        Err(StorageError::Gap { previous, found, .. })
            if let Some(missed) = claims.lost_in(previous, found) =>
        {
            return Err(lost(missed, previous));
        }
        replayed => replayed?,
    };
    if was_cut {
        claims.void();
    }
    if let Some(missed) = claims.missed(base, &txns) {
        return Err(lost(missed, last));
    }
    // Apache names a snapshot (epoch, 0) that nothing of its epoch has gone into.
    let is_superseded = base.counter() != 0 && below.is_some_and(|below| below < base);
    if is_superseded {
        notes.push(format!("the logs up to {base} end below the snapshot and are removed"));
        read.retain(|bound| bound.log > base);
    }
    let (mut guard, must_be_written) = claims.learn(base, last, &read, is_superseded);
    if must_be_written {
        write_guard(lane, layout, &mut guard).await?;
    }
    if is_superseded {
        // Behind these logs came a leader's snapshot, and a crash before they were removed: what
        // lies between them is in no log. Read on for a learner they would make a history with a
        // hole.
        remove_logs(lane, layout, logs.iter().rev().filter(|log| log.first <= base)).await?;
    }
    let unfinished = snapshot.is_some() && guard.unfinished.is_some();
    let last_logged = last;
    let found = Loaded { snapshot, txns, last_logged, unfinished, ..Loaded::default() };
    let loaded = Loaded { guard, notes, took, ..found };
    Ok((loaded, claims.count()))
}

async fn prepare_directories<L: Lane>(
    lane: &L,
    layout: &Layout,
    autocreate: bool,
) -> Result<(), StorageError> {
    for (dir, parent) in
        [(&layout.snap_dir, &layout.data_dir), (&layout.log_dir, &layout.data_log_dir)]
    {
        match lane.list(dir).await {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if !autocreate {
                    return Err(StorageError::MissingDirectory { dir: dir.clone() });
                }
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

/// The newest valid snapshot, and the newest one if that is not valid.
struct Newest {
    snapshot: Option<SnapshotData>,
    skipped: Option<SkippedSnapshot>,
}

async fn newest_snapshot<L: Lane>(
    lane: &L,
    layout: &Layout,
    notes: &mut Vec<String>,
) -> Result<Newest, StorageError> {
    let mut skipped: Option<SkippedSnapshot> = None;
    let candidates = layout.snapshots(lane).await?;
    // All of them: a power failure may take any number of routine ones, which nobody syncs.
    for name in &candidates {
        match read_snapshot(lane, layout, name).await? {
            Ok(snapshot) => {
                make_durable(lane, layout, name).await?;
                return Ok(Newest { snapshot: Some(snapshot), skipped });
            }
            Err(fault) => {
                notes.push(format!("{} is skipped: {fault}", name.name));
                let (name, why) = (name.name.clone(), fault.to_string());
                skipped.get_or_insert(SkippedSnapshot { name, why });
            }
        }
    }
    match skipped {
        // The very first snapshot, cut by a crash before anything was logged, is no loss; logs
        // behind it are looked for by the caller.
        Some(SkippedSnapshot { name: newest, why })
            if candidates.iter().any(|name| name.zxid > Zxid::ZERO) =>
        {
            let dir = layout.snap_dir.clone();
            Err(StorageError::NoValidSnapshot { dir, newest, why })
        }
        skipped => Ok(Newest { snapshot: None, skipped }),
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
    claims: &'a Claims,
    base: Zxid,
    /// The last record that the snapshot covers.
    below: Option<Zxid>,
    last: Zxid,
    /// The last record of the file that is read; zero before the first.
    in_file: Zxid,
    txns: Vec<Rc<Proposal>>,
    was_cut: bool,
    notes: Vec<String>,
}

struct Replayed {
    below: Option<Zxid>,
    last: Zxid,
    txns: Vec<Rc<Proposal>>,
    /// Where each file ends, and with what.
    read: Vec<DurableBound>,
    /// Another server program has cut the newest log.
    was_cut: bool,
    notes: Vec<String>,
}

impl<'a, L: Lane> Replay<'a, L> {
    fn behind(
        base: Zxid,
        lane: &'a L,
        layout: &'a Layout,
        claims: &'a Claims,
        notes: Vec<String>,
    ) -> Replay<'a, L> {
        let (below, last, in_file, txns, was_cut) = (None, base, Zxid::ZERO, Vec::new(), false);
        Replay { lane, layout, claims, base, below, last, in_file, txns, was_cut, notes }
    }

    async fn read_logs(mut self, logs: &[LogName]) -> Result<Replayed, StorageError> {
        let mut read = Vec::new();
        for (index, log) in logs.iter().enumerate() {
            let newest = index + 1 == logs.len();
            self.in_file = Zxid::ZERO;
            if let Some(offset) = self.read_log(log, newest).await? {
                read.push(DurableBound { log: log.first, offset, last: self.in_file });
            }
        }
        if !logs.is_empty() {
            let dir = &self.layout.log_dir;
            self.lane.sync_dir(dir).await.when("syncing", dir)?;
        }
        let Replay { below, last, txns, was_cut, notes, .. } = self;
        Ok(Replayed { below, last, txns, read, was_cut, notes })
    }

    /// Returns where its records end; `None` if the file is gone.
    async fn read_log(&mut self, log: &LogName, newest: bool) -> Result<Option<u64>, StorageError> {
        let path = self.layout.log(log.first);
        let scan = LogScan::open(self.lane, self.layout, path.clone(), OpenMode::Write).await;
        let mut scan = scan.when("opening", &path)?;
        let bound = self.claims.bound_of(log.first);
        match scan.head().await? {
            Head::Good => {}
            head if bound == Some(0) || (newest && head == Head::Unwritten && bound.is_none()) => {
                return self.remove_unwritten(scan, bound).await.map(|()| None);
            }
            Head::Unwritten if bound.is_some() => return Err(lost(&scan, 0, bound, None)),
            Head::Unwritten if scan.file_bytes() == 0 => return Ok(Some(0)),
            head => return Err(not_a_log(path, head)),
        }
        let mut progress = Progress::begin(self.lane);
        loop {
            match scan.next().await? {
                Step::Record { offset, proposal } => {
                    progress.tell(self.lane, scan.path(), offset, scan.file_bytes());
                    self.take(&scan, offset, proposal)?;
                }
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
        mut bound: Option<u64>,
        newest: bool,
    ) -> Result<Option<u64>, StorageError> {
        let path = scan.path().to_path_buf();
        let len = scan.file_bytes();
        let is_whole = newest && fault.is_none() && offset == len;
        if is_whole && bound > Some(offset) && self.in_file == self.base {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let base = self.base;
            self.notes.push(format!(
                "{name} ends with {base}, below what {GUARD_FILE} names, and a snapshot of {base} is \
                 there: another server program has cut it"
            ));
            self.was_cut = true;
            bound = None;
        }
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
        if is_whole {
            cut_again(&mut file, offset).await.when("cutting", &path)?;
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
        self.in_file = found;
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
