//! Appends to the log: one write and one sync for all that is queued. (FileTxnLog.append, commit, rollLog.)
//!
//!     create: guard names the new log -> create -> header + records + zeros -> sync -> sync_dir -> ack
//!     append: records over zeros -> sync -> ack
//!
//! A record written over zeros that are already on the disk changes no metadata: that sync costs
//! two thirds of one that grows the file. Zeros are written in steps that take about as long as one
//! sync: whoever waits for the batch that takes one waits twice as long, not ten times. No other thread
//! can take it off them, since a sync waits for whatever grows the same file. They are never recycled
//! from old segments, whose records would carry valid checksums.
//!
//! - ST-1 at most one write is not yet synced: `append` returns after the sync.
//! - ST-3 the guard names the log that is written, and claims no more of it than is durable. Its file
//!   is written once a log; between, the floor file follows (`floor.rs`).
//! - ST-4 records end where the zeros begin, or before: no hole lies between two records.
//! - S-14 transactions rise.
//! - S-18 a batch is acked after the sync, and the first of a file after its name is durable too.
//! - A start, a `Load`, a `Roll` and a `Truncate` all lead to a new file: no handle or position
//!   outlives a change of the file (ZOOKEEPER-1489).

use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;

use super::error::{StorageError, While};
use super::floor::Floor;
use super::guard::{DurableBound, Guard, write_guard};
use super::layout::Layout;
use super::log_format::{RECORD_OVERHEAD_BYTES, encode_log_header, encode_record};
use super::request::LogPosition;
use crate::base::{Zxid, invariant};
use crate::jute::txn::Proposal;
use crate::runtime::{File, Lane, OpenMode};

/// Zeros are written ahead in steps of this, or of so many batches like the present one if that is
/// more; of `preAllocSize` if that is less.
const ZERO_STEP_BYTES: u64 = 512 * 1024;
const ZERO_STEP_BATCHES: u64 = 8;
/// Apache's margin: zeros are written once less than this is left.
const ZERO_MARGIN_BYTES: u64 = 4096;
/// Bytes of a log written again at once.
const REWRITTEN_BYTES: u64 = 1024 * 1024;

pub(super) struct LogWriter<L: Lane> {
    lane: L,
    layout: Layout,
    pre_alloc_bytes: u64,
    open: Option<OpenLog<L::File>>,
    /// What is durable. The file says as much or less.
    guard: Guard,
    /// What the file says is all of it.
    is_written: bool,
    last: Zxid,
}

struct OpenLog<F> {
    first: Zxid,
    path: PathBuf,
    file: F,
    /// Records end here; all before it is durable between two calls.
    end: u64,
    /// Zeros end here.
    zeroed_to: u64,
}

impl<L: Lane> LogWriter<L> {
    /// A writer behind a log that ends with `last` and is durable as a whole.
    pub(super) fn new(
        lane: L,
        layout: Layout,
        pre_alloc_bytes: u64,
        guard: Guard,
        last: Zxid,
    ) -> LogWriter<L> {
        let (open, is_written) = (None, false);
        LogWriter { lane, layout, pre_alloc_bytes, open, guard, is_written, last }
    }

    /// Makes these proposals durable. They must rise, from behind the last one. Returns where each of
    /// their records begins.
    pub(super) async fn append(
        &mut self,
        batch: &[Rc<Proposal>],
    ) -> Result<Vec<LogPosition>, StorageError> {
        let Some(first) = batch.first() else { return Ok(Vec::new()) };
        for proposal in batch {
            let (last, zxid) = (self.last, proposal.zxid());
            invariant!(zxid > last, "S-14", "{zxid} is to be logged behind {last}");
            self.last = zxid;
        }
        let records = encode_batch(batch);
        let len = records.len() as u64;
        match &mut self.open {
            Some(log) => flush_log(log, records, self.pre_alloc_bytes).await?,
            None => self.open_log(first.zxid(), records).await?,
        }
        if let (Some(log), Some(bound)) = (&self.open, self.guard.bounds.last_mut()) {
            *bound = DurableBound { log: log.first, offset: log.end, last: self.last };
            self.is_written = false;
        }
        self.invariants();
        Ok(self.open.as_ref().map_or(Vec::new(), |log| positions(log, log.end - len, batch)))
    }

    /// What the floor file is to say between two batches.
    pub(super) fn floor(&self) -> Option<Floor> {
        let bound = *self.guard.bounds.last().filter(|_| self.open.is_some())?;
        Some(Floor { instance: self.guard.instance, number: self.guard.number, bound })
    }

    /// Starts a new file with its first records.
    async fn open_log(&mut self, first: Zxid, records: Bytes) -> Result<(), StorageError> {
        // Durable before the file exists: a log newer than the guard is then never ours.
        self.change_guard(|guard| guard.name_log(first)).await?;
        let path = self.layout.log(first);
        let file = self.lane.open(&path, OpenMode::Create).await.when("creating", &path)?;
        let mut log = OpenLog { first, path, file, end: 0, zeroed_to: 0 };
        let mut begin = Vec::with_capacity(records.len() + 16);
        encode_log_header(&mut begin);
        begin.extend_from_slice(&records);
        flush_log(&mut log, begin.into(), self.pre_alloc_bytes).await?;
        let dir = &self.layout.log_dir;
        self.lane.sync_dir(dir).await.when("syncing", dir)?;
        self.open = Some(log);
        Ok(())
    }

    /// The next append starts a new file. The guard follows when it names that one.
    pub(super) fn roll(&mut self) {
        self.open = None;
    }

    /// A clean end: the guard file says all that is durable.
    pub(super) async fn close(mut self) -> Result<(), StorageError> {
        if self.open.is_some() && !self.is_written {
            self.change_guard(|_| ()).await?;
        }
        Ok(())
    }

    /// Gives up the writer, and keeps what it knows to be durable.
    pub(super) fn into_guard(self) -> Guard {
        self.guard
    }

    /// Nothing behind `to` is going to be left; `cut`: the log that keeps a part, and which.
    pub(super) async fn lower_guard(
        &mut self,
        to: Zxid,
        cut: Option<DurableBound>,
    ) -> Result<(), StorageError> {
        let mut lowered = self.guard.clone();
        lowered.lower(to, cut);
        if self.guard.number == 0 {
            self.guard = lowered; // There is no file that claims anything.
        } else if lowered != self.guard {
            self.change_guard(|guard| *guard = lowered).await?;
        }
        self.restart_behind(to);
        Ok(())
    }

    /// The logs are going to begin anew behind a snapshot that is durable.
    pub(super) async fn begin_behind(&mut self, zxid: Zxid) -> Result<(), StorageError> {
        self.change_guard(|guard| guard.begin_behind(zxid)).await?;
        self.restart_behind(zxid);
        Ok(())
    }

    /// Names a leader's snapshot that is about to get its name; `None`: it is a part of the history.
    pub(super) async fn mark_unfinished(
        &mut self,
        snapshot: Option<Zxid>,
    ) -> Result<(), StorageError> {
        if self.guard.unfinished != snapshot {
            self.change_guard(|guard| guard.unfinished = snapshot).await?;
        }
        Ok(())
    }

    /// Replaces the guard file.
    async fn change_guard(&mut self, change: impl FnOnce(&mut Guard)) -> Result<(), StorageError> {
        change(&mut self.guard);
        write_guard(&self.lane, &self.layout, &mut self.guard).await?;
        self.is_written = true;
        Ok(())
    }

    /// What must hold between two calls, as long as none has failed.
    fn invariants(&self) {
        let Some(OpenLog { first, end, zeroed_to, .. }) = &self.open else { return };
        invariant!(*first <= self.last, "S-14", "the log of {first} ends with {}", self.last);
        invariant!(end <= zeroed_to, "ST-4", "records end at {end}, zeros at {zeroed_to}");
        let bound = self.guard.bounds.last();
        let claimed = bound.is_some_and(|bound| bound.log == *first && bound.offset <= *end);
        invariant!(claimed, "ST-3", "the log of {first} ends at {end}, the guard says {bound:?}");
    }

    /// The log ends with `last`.
    fn restart_behind(&mut self, last: Zxid) {
        self.open = None;
        self.last = last;
    }
}

fn positions<F>(log: &OpenLog<F>, begin: u64, batch: &[Rc<Proposal>]) -> Vec<LogPosition> {
    let mut offset = begin;
    let position = |proposal: &Rc<Proposal>| {
        let at = LogPosition { log: log.first, offset };
        offset += (proposal.bytes().len() + RECORD_OVERHEAD_BYTES) as u64;
        at
    };
    batch.iter().map(position).collect()
}

fn encode_batch(batch: &[Rc<Proposal>]) -> Bytes {
    let len = batch.iter().map(|proposal| proposal.bytes().len() + RECORD_OVERHEAD_BYTES).sum();
    let mut records = Vec::with_capacity(len);
    for proposal in batch {
        encode_record(proposal.bytes(), &mut records);
    }
    records.into()
}

/// Makes these bytes durable behind the records of `log`: the one place where proposals are fsynced.
async fn flush_log<F: File>(
    log: &mut OpenLog<F>,
    records: Bytes,
    pre_alloc_bytes: u64,
) -> Result<(), StorageError> {
    let len = records.len() as u64;
    let end = log.end + len;
    if end + ZERO_MARGIN_BYTES < log.zeroed_to {
        log.file.write_and_sync(log.end, records).await.when("syncing", &log.path)?;
    } else {
        log.file.write_at(log.end, records).await.when("writing", &log.path)?;
        let from = log.zeroed_to.max(end);
        let step = ZERO_STEP_BYTES.max(len.saturating_mul(ZERO_STEP_BATCHES));
        let to = from + step.min(pre_alloc_bytes);
        if to > from {
            let written = log.file.write_zeros_at(from, to - from).await;
            written.when("writing zeros to", &log.path)?;
        }
        log.zeroed_to = to;
        log.file.sync().await.when("syncing", &log.path)?;
    }
    log.end = end;
    Ok(())
}

/// Writes what was just read once more. A sync that failed before this start has left pages that
/// read well, count as clean, and are not on the disk: the next sync would succeed without them.
pub(super) async fn rewrite<F: File>(file: &mut F, from: u64, to: u64) -> io::Result<()> {
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

/// The same of a file's length: a cut whose sync has failed is seen by who reads, and no later sync saves
/// it. What was cut off would come back behind this start.
pub(super) async fn cut_again<F: File>(file: &mut F, len: u64) -> io::Result<()> {
    file.set_len(len + 1).await?;
    file.set_len(len).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::invariant::testing::{each_fires, fires};
    use crate::storage::fake::{FakeLane, run};
    use crate::storage::storage_test::{disk_with, options, txn};

    type Writer = LogWriter<FakeLane>;

    /// 5 and 6 are in an open log.
    fn writer() -> Writer {
        let layout = Layout::new(&options());
        let lane = disk_with(&[0]).lane();
        let mut writer = LogWriter::new(lane, layout, 8192, Guard::default(), Zxid(4));
        run(writer.append(&[txn(5), txn(6)])).expect("the disk is good");
        writer
    }

    fn open(writer: &mut Writer) -> &mut OpenLog<<FakeLane as Lane>::File> {
        writer.open.as_mut().expect("it was appended to")
    }

    #[test]
    fn each_invariant_fires() {
        each_fires(
            include_str!("log_writer.rs"),
            Writer::invariants,
            &[
                ("S-14", writer, |writer| writer.last = Zxid(4)),
                ("ST-4", writer, |writer| open(writer).zeroed_to = 16),
                ("ST-3", writer, |writer| writer.guard.bounds.clear()),
                ("ST-3", writer, |writer| open(writer).first = Zxid(1)),
                ("ST-3", writer, |writer| writer.guard.bounds[0].offset += 1),
            ],
        );
        fires("S-14", || run(writer().append(&[txn(6)])));
    }
}
