//! The drivers of log, snapshots and history: each takes requests from a queue, works on one lane, and
//! tells what became of them.
//!
//! They decide nothing but what shares a sync: whatever came while the last one ran. No timer:
//! a lone append goes down at once. And how fast a snapshot grows that nobody waits for: it rests behind
//! each portion, so that clients have disk and processor for most of the time.
//!
//! - ST-2 after a failure every request fails: the core halts on the first, and nothing is retried.
//!
//! Not here: what a request does to the files (the other files of this folder).

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::epoch_file::write_epoch;
use super::error::{Earlier, StorageError};
use super::floor::Floor;
use super::history_reader::read_history;
use super::layout::Layout;
use super::log_writer::LogWriter;
use super::purge::PurgePlan;
use super::queue::Queue;
use super::recovery::recover;
use super::request::LogPosition;
use super::snapshot_writer::SnapshotWriter;
use super::truncate::{begin_anew, truncate};
use super::{Batch, DirSizes, EpochKind, HistoryRequest, Loaded, LogRequest, Outcome};
use super::{SnapshotRequest, StorageOptions, Ticket};
use crate::base::{Exhibit, Stamp};
use crate::jute::txn::Proposal;
use crate::runtime::{Lane, LaneId, Purpose, Runtime};

/// Bytes of one group commit: beyond this a sync costs more than it saves.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// A routine snapshot rests so many times as long as its last portion took, ...
const SNAPSHOT_REST: u32 = 7;
/// ... and so long at most: 250 MiB take half a minute more.
const SNAPSHOT_REST_MAX: Duration = Duration::from_millis(100);

/// Serves the log, the epoch files and the guard file until the queue is closed. `floors` hears how
/// far the log is durable.
pub async fn run_log<R: Runtime>(
    rt: R,
    options: StorageOptions,
    requests: UnboundedReceiver<(Stamp, Ticket, LogRequest)>,
    floors: UnboundedSender<(Stamp, Floor)>,
    done: impl Fn(Stamp, Ticket, Result<Outcome, StorageError>) + 'static,
) {
    let lane = rt.disk(LaneId::Log);
    let layout = Layout::new(&options);
    let mut queue = Queue::new(requests);
    let mut log = LogDriver { rt, lane, layout, options, writer: None };
    let mut stopped: Option<StorageError> = None;
    while let Some((stamp, ticket, request)) = queue.next().await {
        let lane = log.lane.clone();
        if let Some(why) = &stopped {
            done(stamp, ticket, Err(why.clone()));
            continue;
        }
        let result = match request {
            LogRequest::Append(first) => {
                log.let_proposals_go().await;
                let asked = stamp;
                let (stamp, batch) = log.group(&mut queue, (stamp, ticket, first));
                let begins = stamp.max(lane.ended());
                lane.begin(stamp);
                let result = log.append(&batch).await;
                let ended = stamp.max(lane.ended());
                let txns = batch.len();
                let bytes = batch.iter().map(|(_, proposal)| proposal.bytes().len()).sum();
                let (waited, took) = (begins - asked, ended - begins);
                for (n, (ticket, proposal)) in batch.into_iter().enumerate() {
                    let (zxid, time_ms) = (proposal.zxid(), proposal.header.time);
                    let is_last = n + 1 == txns;
                    let batch = || is_last.then(|| Box::new(Batch { txns, bytes, waited, took }));
                    let told = result.as_ref().map(|at| Outcome::Durable {
                        zxid,
                        at: at[n],
                        time_ms,
                        batch: batch(),
                    });
                    done(ended, ticket, told.map_err(Clone::clone));
                }
                if let Some(floor) = log.writer.as_ref().and_then(LogWriter::floor) {
                    // Whoever listens lives as long as this task, or failed and has said so.
                    let _ = floors.send((ended, floor));
                }
                result.map(|_| ())
            }
            request => {
                lane.begin(stamp);
                let result = log.serve(stamp, request).await;
                done(stamp.max(lane.ended()), ticket, result.clone());
                result.map(|_| ())
            }
        };
        // ZOOKEEPER-4882: the log works again, without what it failed to take.
        let goes_on = log.options.museum.on(Exhibit::MemoryAheadOfDisk);
        stopped = result.err().filter(|error| !error.is_refusal() && !goes_on).map(stop);
    }
    // Nobody is left to hear of a failure, and an old guard claims less, which is safe.
    if let (None, Some(writer)) = (stopped, log.writer) {
        let _ = writer.close().await;
    }
}

fn stop(error: StorageError) -> StorageError {
    match error {
        StorageError::Stopped { .. } => error,
        error => StorageError::Stopped { why: Earlier(Box::new(error)) },
    }
}

type Timed = (Stamp, Ticket, LogRequest);

struct LogDriver<R: Runtime> {
    rt: R,
    lane: R::Lane,
    layout: Layout,
    options: StorageOptions,
    /// `None` before the first `Load`.
    writer: Option<LogWriter<R::Lane>>,
}

impl<R: Runtime> LogDriver<R> {
    /// What the pump gave out beside the first append is carried away first: the proposals have a way
    /// and another disk before them. In the simulator neither takes any time.
    async fn let_proposals_go(&self) {
        if self.rt.settle().is_zero() {
            self.rt.give_way().await;
        }
    }

    /// The first append and those that share its sync, and the stamp of the last of them.
    fn group(
        &self,
        queue: &mut Queue<Timed>,
        first: (Stamp, Ticket, Rc<Proposal>),
    ) -> (Stamp, Vec<(Ticket, Rc<Proposal>)>) {
        let (mut stamp, ticket, proposal) = first;
        let limit = self.group_limit(stamp);
        let mut bytes = proposal.bytes().len();
        let mut batch = vec![(ticket, proposal)];
        while bytes < BATCH_BYTES_MAX {
            let shares =
                |(at, _, request): &Timed| matches!(request, LogRequest::Append(_)) && *at <= limit;
            let Some((at, ticket, LogRequest::Append(proposal))) = queue.next_if(shares) else {
                break;
            };
            stamp = stamp.max(at);
            bytes += proposal.bytes().len();
            batch.push((ticket, proposal));
        }
        (stamp, batch)
    }

    /// Appends asked for until then share the sync: all that is queued. In the simulator requests
    /// reach the queue in an order that the executor draws, up to `settle` late; there the stamps
    /// decide: what was surely queued when the lane became free.
    fn group_limit(&self, first: Stamp) -> Stamp {
        let settle = self.rt.settle();
        if settle.is_zero() {
            return Stamp::FAR;
        }
        let margin = 2 * settle.as_nanos() as u64;
        first.max(Stamp(self.lane.ended().0.saturating_sub(margin)))
    }

    async fn append(
        &mut self,
        batch: &[(Ticket, Rc<Proposal>)],
    ) -> Result<Vec<LogPosition>, StorageError> {
        let proposals: Vec<_> = batch.iter().map(|(_, proposal)| proposal.clone()).collect();
        self.writer()?.append(&proposals).await
    }

    fn writer(&mut self) -> Result<&mut LogWriter<R::Lane>, StorageError> {
        self.writer.as_mut().ok_or(StorageError::NotLoaded)
    }

    async fn serve(&mut self, asked: Stamp, request: LogRequest) -> Result<Outcome, StorageError> {
        match request {
            LogRequest::Append(proposal) => {
                let zxid = proposal.zxid();
                let time_ms = proposal.header.time;
                let at = self.writer()?.append(&[proposal]).await?[0];
                Ok(Outcome::Durable { zxid, at, time_ms, batch: None })
            }
            LogRequest::WriteEpoch { which, epoch } => {
                self.writer()?;
                write_epoch(&self.lane, &self.layout, which, epoch).await?;
                if which == EpochKind::Current {
                    self.writer()?.mark_unfinished(None).await?;
                }
                Ok(Outcome::EpochWritten { which, epoch })
            }
            LogRequest::Truncate { to } => {
                let writer = self.writer.as_mut().ok_or(StorageError::NotLoaded)?;
                truncate(&self.lane, &self.layout, writer, to).await?;
                Ok(Outcome::Truncated { to })
            }
            LogRequest::Roll => {
                self.writer()?.roll();
                Ok(Outcome::Rolled)
            }
            LogRequest::Reset { behind } => {
                let writer = self.writer.as_mut().ok_or(StorageError::NotLoaded)?;
                begin_anew(&self.lane, &self.layout, writer, behind).await?;
                Ok(Outcome::LogReset)
            }
            LogRequest::MarkUnfinished { snapshot } => {
                self.writer()?.mark_unfinished(Some(snapshot)).await?;
                Ok(Outcome::MarkedUnfinished { snapshot })
            }
            LogRequest::Load => Ok(Outcome::Loaded(Box::new(self.load(asked).await?))),
        }
    }

    async fn load(&mut self, asked: Stamp) -> Result<Loaded, StorageError> {
        // Everything appended is durable, and must be found.
        let known = self.writer.take().map(LogWriter::into_guard);
        let mut loaded = recover(&self.lane, &self.layout, &self.options, known, asked).await?;
        // Written with the first log: an empty directory has no identity yet.
        loaded.guard.instance.get_or_insert_with(|| self.rt.random_u64(Purpose::Identity, 0));
        self.writer = Some(LogWriter::new(
            self.lane.clone(),
            self.layout.clone(),
            self.options.pre_alloc_bytes,
            loaded.guard.clone(),
            loaded.last_logged,
        ));
        Ok(loaded)
    }
}

/// Writes snapshots and purges until the queue is closed.
pub async fn run_snapshots<R: Runtime>(
    rt: R,
    options: StorageOptions,
    requests: UnboundedReceiver<(Stamp, Ticket, SnapshotRequest)>,
    done: impl Fn(Stamp, Ticket, Result<Outcome, StorageError>) + 'static,
) {
    let lane = rt.disk(LaneId::Snapshot);
    let layout = Layout::new(&options);
    let mut queue = Queue::new(requests);
    let rested = Stamp(0);
    let mut driver =
        SnapshotDriver { lane, layout, options, open: None, began: rested, rested, rest: None };
    let mut stopped: Option<StorageError> = None;
    while let Some((stamp, ticket, request)) = queue.next().await {
        if let Some(why) = &stopped {
            done(stamp, ticket, Err(why.clone()));
            continue;
        }
        driver.lane.begin(stamp);
        let result = driver.serve(request).await;
        let mut ended = stamp.max(driver.lane.ended());
        if let Some(rest) = driver.rest.take() {
            ended = take_rest(&rt, &mut queue, ended, rest).await;
            driver.rested = ended;
        }
        done(ended, ticket, result.clone());
        stopped = result.err().filter(|error| !error.is_refusal()).map(stop);
    }
}

/// Rests so long, or until something else is asked for. Returns when that was over.
async fn take_rest<R: Runtime>(
    rt: &R,
    queue: &mut Queue<(Stamp, Ticket, SnapshotRequest)>,
    since: Stamp,
    rest: Duration,
) -> Stamp {
    let until = since + rest;
    let next = tokio::select! {
        biased;
        next = queue.next() => next,
        () = rt.sleep_until(until + rt.settle()) => return rt.noticed_at(until),
    };
    let Some(next) = next else { return until };
    let at = next.0.clamp(since, until);
    queue.put_back(next);
    at
}

/// Reads the log for learners until the queue is closed.
pub async fn run_history<R: Runtime>(
    rt: R,
    options: StorageOptions,
    mut requests: UnboundedReceiver<(Stamp, Ticket, HistoryRequest)>,
    done: impl Fn(Stamp, Ticket, Result<Outcome, StorageError>) + 'static,
) {
    let lane = rt.disk(LaneId::History);
    let layout = Layout::new(&options);
    while let Some((stamp, ticket, request)) = requests.recv().await {
        lane.begin(stamp);
        let result = read_history(&lane, &layout, &request).await;
        done(stamp.max(lane.ended()), ticket, result);
    }
}

struct SnapshotDriver<L: Lane> {
    lane: L,
    layout: Layout,
    options: StorageOptions,
    open: Option<SnapshotWriter<L::File>>,
    /// When the present snapshot was begun.
    began: Stamp,
    /// When the last rest was over.
    rested: Stamp,
    /// How long to rest now.
    rest: Option<Duration>,
}

impl<L: Lane> SnapshotDriver<L> {
    async fn serve(&mut self, request: SnapshotRequest) -> Result<Outcome, StorageError> {
        match request {
            SnapshotRequest::Begin { zxid, sync } => {
                self.abort().await?;
                let writer = SnapshotWriter::begin(&self.lane, &self.layout, zxid, sync).await?;
                self.open = Some(writer);
                self.rested = self.lane.ended();
                self.began = self.rested;
                Ok(Outcome::SnapshotBegun)
            }
            SnapshotRequest::Chunk(bytes) => {
                let writer = self.open.as_mut().ok_or(StorageError::NoSnapshotBegun)?;
                let is_portion = writer.chunk(bytes).await?;
                if is_portion && !writer.is_urgent() {
                    let took = self.lane.ended() - self.rested;
                    self.rest = Some((took * SNAPSHOT_REST).min(SNAPSHOT_REST_MAX));
                }
                Ok(Outcome::ChunkWritten)
            }
            SnapshotRequest::Finish => {
                let writer = self.open.take().ok_or(StorageError::NoSnapshotBegun)?;
                let (zxid, sync) = writer.finish(&self.lane, &self.layout).await?;
                let took = self.lane.ended() - self.began;
                Ok(Outcome::SnapshotDone { zxid, sync, took })
            }
            SnapshotRequest::Abort => {
                self.abort().await?;
                Ok(Outcome::Aborted)
            }
            SnapshotRequest::Purge => {
                let keep = self.options.snap_retain_count;
                let plan = PurgePlan::of(&self.lane, &self.layout, keep).await?;
                plan.carry_out(&self.lane, &self.layout).await?;
                Ok(Outcome::Purged { removed: plan.files() })
            }
            SnapshotRequest::Measure => {
                let (data, log) = (&self.layout.snap_dir, &self.layout.log_dir);
                let (data, log) = (self.bytes_in(data).await, self.bytes_in(log).await);
                Ok(Outcome::Measured(DirSizes { data, log }))
            }
        }
    }

    /// A directory that cannot be read counts as empty: nothing depends on the number.
    async fn bytes_in(&self, dir: &Path) -> u64 {
        let files = self.lane.list(dir).await.unwrap_or_default();
        files.iter().map(|file| file.len).sum()
    }

    async fn abort(&mut self) -> Result<(), StorageError> {
        match self.open.take() {
            Some(writer) => writer.abort(&self.lane).await,
            None => Ok(()),
        }
    }
}
