//! A disk that never fails and is at once done. What is logged on it stands there as bytes: a
//! server that starts anew reads them.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use quorate::base::{Epoch, Zxid};
use quorate::jute::txn::Proposal;
use quorate::peer::{Input, Output};
use quorate::storage::log_format::{encode_log_header, encode_record, read_records};
use quorate::storage::{
    DirSizes, EpochKind, HistoryRequest, Loaded, LogPosition, LogRequest, Outcome, SnapshotRequest,
};

#[derive(Default)]
pub(super) struct Disk {
    records: Vec<Bytes>,
    pub(super) last: Zxid,
    pub(super) accepted: Option<Epoch>,
    pub(super) current: Option<Epoch>,
    /// The snapshot that is being written, and whether it must be durable.
    snapshot: (Zxid, bool),
    /// The log begins behind a snapshot, which is not kept here.
    pub(super) has_snapshot: bool,
}

impl Disk {
    /// Carries out what is meant for the disk; anything else is given back.
    pub(super) fn carry_out(&mut self, output: Output) -> Result<Input, Output> {
        let (ticket, done) = match output {
            Output::Log(ticket, request) => (ticket, self.log(request)),
            Output::Snapshot(ticket, request) => (ticket, self.written(request)),
            Output::History(ticket, HistoryRequest { .. }) => (ticket, Outcome::HistoryGone),
            other => return Err(other),
        };
        Ok(Input::Stored(ticket, Ok(done)))
    }

    fn log(&mut self, request: LogRequest) -> Outcome {
        match request {
            LogRequest::Append(proposal) => {
                self.records.push(proposal.bytes().clone());
                self.last = proposal.zxid();
                Outcome::Durable {
                    zxid: proposal.zxid(),
                    at: LogPosition { log: Zxid::ZERO, offset: 0 },
                    time_ms: 0,
                    batch: None,
                }
            }
            LogRequest::WriteEpoch { which, epoch } => {
                let place = match which {
                    EpochKind::Accepted => &mut self.accepted,
                    EpochKind::Current => &mut self.current,
                };
                *place = Some(epoch);
                Outcome::EpochWritten { which, epoch }
            }
            LogRequest::Truncate { to } => {
                self.records.retain(|record| decoded(record.clone()).zxid() <= to);
                self.last = to;
                Outcome::Truncated { to }
            }
            LogRequest::Roll => Outcome::Rolled,
            LogRequest::Reset { behind } => {
                self.records.clear();
                (self.last, self.has_snapshot) = (behind, true);
                Outcome::LogReset
            }
            LogRequest::MarkUnfinished { snapshot } => Outcome::MarkedUnfinished { snapshot },
            LogRequest::Load => Outcome::Loaded(Box::new(self.load())),
        }
    }

    /// Through the format of the log files.
    fn load(&self) -> Loaded {
        let mut file = Vec::new();
        encode_log_header(&mut file);
        self.records.iter().for_each(|record| encode_record(record, &mut file));
        let mut txns = Vec::new();
        let read = |_, record| txns.push(Rc::new(decoded(record)));
        let (_, fault) = read_records(&file.into(), read);
        assert_eq!(fault, None, "a record of ours is damaged");
        Loaded {
            txns,
            accepted_epoch: self.accepted,
            current_epoch: self.current,
            last_logged: self.last,
            initialised: true,
            ..Loaded::default()
        }
    }

    fn written(&mut self, request: SnapshotRequest) -> Outcome {
        match request {
            SnapshotRequest::Begin { zxid, sync } => {
                self.snapshot = (zxid, sync);
                Outcome::SnapshotBegun
            }
            SnapshotRequest::Chunk(_) => Outcome::ChunkWritten,
            SnapshotRequest::Finish => Outcome::SnapshotDone {
                zxid: self.snapshot.0,
                sync: self.snapshot.1,
                took: Duration::ZERO,
            },
            SnapshotRequest::Abort => Outcome::Aborted,
            SnapshotRequest::Purge => Outcome::Purged { removed: 0 },
            SnapshotRequest::Measure => Outcome::Measured(DirSizes::default()),
        }
    }
}

fn decoded(record: Bytes) -> Proposal {
    Proposal::decode(record).expect("what a server has logged it can read")
}
