//! What this server has asked of its disk, and what the answers mean: only now has anything
//! happened.
//!
//! - PE-6  a completion answers the request under its ticket, and is what that request asks for.
//! - PE-11 a purge and what reads or cuts old files never run at once: the two are on different
//!   lanes, and a purge that keeps the newest snapshots may remove the one that a cut falls back to.
//! - SY-5  a leader's snapshot is durable before anything is appended behind it: the log begins
//!   anew then.
//!
//! Not here: what a completion means to a role (stored.rs), files (storage).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::io::Output;
use super::queue::Queue;
use super::snapshotter::{Finished, Purpose, Snapshotter};
use crate::base::invariant::broken;
use crate::base::{Epoch, Exhibit, LinkId, Mono, Museum, Note, Now, Zxid};
use crate::config::ServerConfig;
use crate::database::Database;
use crate::storage::{Batch, Ticket};
use crate::storage::{DirSizes, EpochKind, HistoryRequest, Loaded, LogIndex, LogPosition};
use crate::storage::{LogRequest, Outcome, SnapshotRequest, StorageError};
use crate::zab::leader::HistoryRead;

/// When a purge is due while old files are read or cut, it waits so long.
const PURGE_RETRY: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Disk {
    museum: Museum,
    last_ticket: u64,
    /// Requests the log lane has not answered, and for whom: it answers in their order.
    on_log: VecDeque<(Ticket, ForWhom)>,
    /// Requests the history lane has not answered: for which learner, and from where.
    on_history: BTreeMap<Ticket, (LinkId, Zxid)>,
    /// Where in the log old transactions stand.
    index: LogIndex,
    /// Where the newest durable record begins, unless the next one begins a new log.
    log_end: Option<LogPosition>,
    /// The log that is to be followed by a new one.
    rolled: Option<Zxid>,
    /// `txnLogSizeLimitInKb`
    log_bytes_max: Option<u64>,
    snapshotter: Snapshotter,
    purge_interval: Option<Duration>,
    next_purge: Mono,
    is_purging: bool,
    is_measuring: bool,
    /// Requests that wait for the end of a purge (PE-11).
    behind_purge: Vec<(ForWhom, LogRequest)>,
    reads_behind_purge: Vec<(LinkId, HistoryRequest)>,
    /// What the log was asked to take, and has not.
    waiting: Waiting,
    /// Requests of one step of the snapshotter. Empty between two.
    #[serde(skip)]
    asked: Vec<SnapshotRequest>,
}

/// Transactions on their way to the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) txns: usize,
    pub(super) bytes: usize,
}

/// Whom a completion of the log lane is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum ForWhom {
    /// Appends and epoch files. Nobody waits for a new segment of the log.
    Role,
    /// The start, or a role that left something half done.
    Load,
    /// The learner's log is cut, and then read anew.
    Replace,
    /// The leader's snapshot waits for its name.
    Install,
    /// The learner's log begins anew behind a leader's snapshot.
    Reset,
}

/// What a completion means to the server.
pub(super) enum Stored {
    /// The log is durable up to here.
    Durable {
        zxid: Zxid,
        time_ms: i64,
        batch: Option<Box<Batch>>,
    },
    EpochWritten(EpochKind, Epoch),
    HistoryRead {
        link: LinkId,
        from: Zxid,
        read: HistoryRead,
    },
    Loaded(Box<Loaded>),
    /// The log was cut for a leader's TRUNC, and read anew.
    Reloaded(Box<Loaded>),
    /// The leader's snapshot is durable, and the log begins behind it.
    LogReset,
    /// snapshot.0 of an empty directory.
    FirstSnapshot,
    /// A snapshot has its name, one that was asked for with its length in bytes.
    Snapshot {
        zxid: Zxid,
        took: Duration,
        asked_bytes: Option<u64>,
    },
    /// For the words that tell how much lies in the directories.
    Measured(DirSizes),
    /// It is of use here alone.
    Nothing,
    /// The log cannot be cut there. Nothing was changed.
    Refused(StorageError),
    Failed(StorageError),
}

impl Disk {
    pub(super) fn new(config: &ServerConfig) -> Disk {
        Disk {
            museum: config.museum,
            last_ticket: 1,
            on_log: VecDeque::new(),
            on_history: BTreeMap::new(),
            index: LogIndex::default(),
            log_end: None,
            rolled: None,
            log_bytes_max: config.txn_log_bytes_max,
            snapshotter: Snapshotter::new(config),
            purge_interval: config.purge_interval,
            next_purge: Mono::FAR,
            is_purging: false,
            is_measuring: false,
            waiting: Waiting::default(),
            behind_purge: Vec::new(),
            reads_behind_purge: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// Nothing is on its way to the log, and no snapshot that was aborted can get its name.
    pub(super) fn is_quiet(&self) -> bool {
        // ZOOKEEPER-4712 did not wait for the log.
        let is_log_quiet = self.on_log.is_empty() || self.museum.on(Exhibit::LookBeforeLogIsQuiet);
        let reads = self.on_history.len() + self.reads_behind_purge.len();
        is_log_quiet && reads == 0 && self.behind_purge.is_empty() && self.snapshotter.is_quiet()
    }

    pub(super) fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// The leader's snapshot is in the tree and not on the disk.
    pub(super) fn is_installing(&self) -> bool {
        self.snapshotter.is_installing()
    }

    pub(super) fn ask_log(&mut self, whom: ForWhom, request: LogRequest, queue: &mut Queue) {
        // Appends and epoch files do not wait: whoever asks for these asks for nothing else meanwhile.
        if self.is_purging && whom != ForWhom::Role {
            return self.behind_purge.push((whom, request));
        }
        if let LogRequest::Append(proposal) = &request {
            self.waiting.txns += 1;
            self.waiting.bytes += proposal.bytes().len();
        }
        let ticket = self.take_ticket();
        self.on_log.push_back((ticket, whom));
        queue.push(Output::Log(ticket, request));
    }

    /// Reads for a learner. The answer comes, also if the learner is gone by then.
    pub(super) fn ask_history(
        &mut self,
        link: LinkId,
        mut request: HistoryRequest,
        queue: &mut Queue,
    ) {
        request.begin = request.begin.max(self.index.before(request.from));
        if self.is_purging {
            return self.reads_behind_purge.push((link, request));
        }
        let ticket = self.take_ticket();
        self.on_history.insert(ticket, (link, request.from));
        queue.push(Output::History(ticket, request));
    }

    /// One more transaction was applied. `may_snapshot`: the tree is the ensemble's.
    pub(super) fn on_applied(&mut self, may_snapshot: bool, db: &Database, queue: &mut Queue) {
        self.snapshotter.count();
        let log_bytes = self.log_end.map_or(0, |end| end.offset);
        if may_snapshot && self.snapshotter.take_due(log_bytes) {
            self.roll(queue);
            self.begin_snapshot(Purpose::Routine, db, queue);
        }
    }

    /// The next record begins a new log.
    fn roll(&mut self, queue: &mut Queue) {
        self.rolled = self.log_end.take().map(|end| end.log).or(self.rolled);
        self.ask_log(ForWhom::Role, LogRequest::Roll, queue);
    }

    /// The log is durable up to a record here.
    fn on_log_grown(&mut self, at: LogPosition, queue: &mut Queue) {
        // Of a log that is done with, what was on its way still comes.
        self.log_end = Some(at).filter(|at| self.rolled != Some(at.log));
        if self.log_bytes_max.is_some_and(|max| self.log_end.is_some_and(|end| end.offset > max)) {
            self.roll(queue);
        }
    }

    /// Logs may get names anew.
    fn on_log_cut(&mut self) {
        (self.log_end, self.rolled) = (None, None);
    }

    pub(super) fn begin_snapshot(&mut self, purpose: Purpose, db: &Database, queue: &mut Queue) {
        if purpose == Purpose::Install {
            let snapshot = db.last_applied();
            self.ask_log(ForWhom::Install, LogRequest::MarkUnfinished { snapshot }, queue);
        }
        self.of_snapshotter(queue, |snapshotter, out| snapshotter.begin(purpose, db, out));
    }

    /// A snapshot that somebody asked for, unless another is being written.
    pub(super) fn begin_asked_snapshot(&mut self, db: &Database, queue: &mut Queue) {
        if self.snapshotter.is_idle() {
            self.begin_snapshot(Purpose::Asked, db, queue);
        }
    }

    pub(super) fn abort_snapshot(&mut self, queue: &mut Queue) {
        self.of_snapshotter(queue, Snapshotter::abort);
    }

    /// The first purge is due now.
    pub(super) fn begin_purging(&mut self, now: Now) {
        if self.purge_interval.is_some() {
            self.next_purge = now.mono;
        }
    }

    pub(super) fn next_purge(&self) -> Mono {
        self.next_purge
    }

    pub(super) fn on_timer(&mut self, now: Now, queue: &mut Queue) {
        if let Some(interval) = self.purge_interval
            && now.mono >= self.next_purge
        {
            let is_cut = self.on_log.iter().any(|(_, whom)| *whom != ForWhom::Role);
            let is_old_read = is_cut || !self.on_history.is_empty();
            self.next_purge = now.mono + if is_old_read { PURGE_RETRY } else { interval };
            if !is_old_read {
                self.is_purging = true;
                self.ask_snapshot(SnapshotRequest::Purge, queue);
            }
        }
    }

    /// How much lies in the directories. One answer is for all who ask before it comes.
    pub(super) fn ask_sizes(&mut self, queue: &mut Queue) {
        if !self.is_measuring {
            self.is_measuring = true;
            self.ask_snapshot(SnapshotRequest::Measure, queue);
        }
    }

    fn on_purged(&mut self, queue: &mut Queue) {
        self.is_purging = false;
        for (whom, request) in std::mem::take(&mut self.behind_purge) {
            self.ask_log(whom, request, queue);
        }
        for (link, request) in std::mem::take(&mut self.reads_behind_purge) {
            self.ask_history(link, request, queue);
        }
    }

    pub(super) fn on_stored(
        &mut self,
        ticket: Ticket,
        result: Result<Outcome, StorageError>,
        db: &mut Database,
        queue: &mut Queue,
    ) -> Stored {
        let whom = self.on_log.pop_front_if(|(first, _)| *first == ticket).map(|(_, whom)| whom);
        match (whom, result) {
            (_, Err(error @ StorageError::CannotTruncate { .. })) => Stored::Refused(error),
            (_, Err(error)) => Stored::Failed(error),
            (Some(whom), Ok(outcome)) => self.on_log_stored(whom, outcome, db, queue),
            (None, Ok(outcome)) if let Some((link, from)) = self.on_history.remove(&ticket) => {
                on_history_read(link, from, outcome)
            }
            (None, Ok(Outcome::Purged { .. })) if self.is_purging => {
                self.on_purged(queue);
                Stored::Nothing
            }
            (None, Ok(Outcome::Measured(sizes))) if self.is_measuring => {
                self.is_measuring = false;
                Stored::Measured(sizes)
            }
            (None, Ok(outcome)) => {
                let done = self.of_snapshotter(queue, |s, out| s.on_stored(&outcome, db, out));
                done.map_or(Stored::Nothing, |done| self.on_snapshot_done(&done, queue))
            }
        }
    }

    fn on_log_stored(
        &mut self,
        whom: ForWhom,
        outcome: Outcome,
        db: &mut Database,
        queue: &mut Queue,
    ) -> Stored {
        match (whom, outcome) {
            (ForWhom::Role, Outcome::Durable { zxid, at, time_ms, batch }) => {
                if let Some(batch) = &batch {
                    self.waiting.txns -= batch.txns;
                    self.waiting.bytes -= batch.bytes;
                }
                self.index.learn(zxid, at);
                self.on_log_grown(at, queue);
                db.set_durable(zxid);
                queue.note_routine(|| Note::Durable { zxid });
                self.of_snapshotter(queue, |s, out| s.finish(db.durable(), out));
                Stored::Durable { zxid, time_ms, batch }
            }
            (ForWhom::Role, Outcome::EpochWritten { which, epoch }) => {
                db.set_epoch(which, epoch);
                queue.note(match which {
                    EpochKind::Accepted => Note::AcceptedEpochDurable { epoch },
                    EpochKind::Current => Note::CurrentEpochDurable { epoch },
                });
                Stored::EpochWritten(which, epoch)
            }
            (ForWhom::Role, Outcome::Rolled) => Stored::Nothing,
            (ForWhom::Load, Outcome::Loaded(loaded)) => Stored::Loaded(loaded),
            (ForWhom::Replace, Outcome::Truncated { to }) => {
                self.index.cut(to);
                self.on_log_cut();
                queue.note(Note::Truncated { to });
                self.ask_log(ForWhom::Replace, LogRequest::Load, queue);
                Stored::Nothing
            }
            (ForWhom::Replace, Outcome::Loaded(loaded)) => Stored::Reloaded(loaded),
            (ForWhom::Install, Outcome::MarkedUnfinished { snapshot }) => {
                self.of_snapshotter(queue, |s, out| s.on_marked(snapshot, db.durable(), out));
                Stored::Nothing
            }
            (ForWhom::Reset, Outcome::LogReset) => {
                self.index.clear();
                self.on_log_cut();
                Stored::LogReset
            }
            (whom, outcome) => {
                broken("PE-6", format!("{outcome:?} answers a request for {whom:?}"))
            }
        }
    }

    fn on_snapshot_done(&mut self, done: &Finished, queue: &mut Queue) -> Stored {
        let zxid = done.zxid;
        if done.sync {
            queue.note(Note::SnapshotDurable { zxid });
        }
        match done.purpose {
            Purpose::First => return Stored::FirstSnapshot,
            // Old logs lead somewhere else.
            Purpose::Install => {
                self.ask_log(ForWhom::Reset, LogRequest::Reset { behind: zxid }, queue);
            }
            Purpose::Routine | Purpose::Asked => {}
        }
        let asked_bytes = (done.purpose == Purpose::Asked).then_some(done.bytes);
        Stored::Snapshot { zxid, took: done.took, asked_bytes }
    }

    fn of_snapshotter<T>(
        &mut self,
        queue: &mut Queue,
        step: impl FnOnce(&mut Snapshotter, &mut Vec<SnapshotRequest>) -> T,
    ) -> T {
        let mut asked = std::mem::take(&mut self.asked);
        let result = step(&mut self.snapshotter, &mut asked);
        for request in asked.drain(..) {
            self.ask_snapshot(request, queue);
        }
        self.asked = asked;
        result
    }

    fn ask_snapshot(&mut self, request: SnapshotRequest, queue: &mut Queue) {
        let ticket = self.take_ticket();
        queue.push(Output::Snapshot(ticket, request));
    }

    fn take_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }
}

fn on_history_read(link: LinkId, from: Zxid, outcome: Outcome) -> Stored {
    let read = match outcome {
        Outcome::History { records, next } => HistoryRead::Records { records, next },
        Outcome::HistoryTooLong => HistoryRead::TooLong,
        Outcome::HistoryGone => HistoryRead::Gone,
        other => broken("PE-6", format!("{other:?} answers a request for the learner of {link}")),
    };
    Stored::HistoryRead { link, from, read }
}

#[cfg(test)]
#[path = "disk_test.rs"]
mod tests;
