//! The answers of command `txnlog`: committed transactions, as they stand in a log. Apache has no such
//! command; `quorate backup` asks for it.
//!
//! The body is records (storage/log_format.rs) without a file's header, from the first whose zxid is at least
//! `from`; the header `last_zxid` says which is the last. What is not durable and applied here is not sent. The
//! status is 410 if the logs do not reach back so far. One that is cut short has no end: what it was to end with
//! is missing.
//!
//! A portion is read when the one before is on its way.

use std::io;

use bytes::Bytes;
use serde_json::json;

use super::answer::{Answer, Body, LogStretch};
use super::commands::{Command, finish};
use crate::base::Zxid;
use crate::runtime::Lane;
use crate::storage::log_format::encode_record;
use crate::storage::{HistoryRequest, LogPosition, Outcome, read_portion};

/// Bytes of the log that are read at once, if no record is longer.
const PORTION_BYTES: u64 = 64 * 1024;

pub fn txn_log(stretch: LogStretch) -> Answer {
    let mut answer = Answer::new(200, Answer::OCTETS, "");
    answer.headers.push(("last_zxid", format!("0x{:x}", stretch.up_to.0)));
    answer.body = Body::Log(Box::new(stretch));
    answer
}

/// The logs do not lead on from there.
pub(super) fn log_gone(from: Zxid) -> Answer {
    let why =
        format!("the logs here do not reach back to {from}: a snapshot has to come before them");
    let mut answer = finish(json!({}), Command::TxnLog, Some(&why));
    answer.status = 410;
    answer
}

/// A stretch that is being read.
pub(super) struct LogReading<L> {
    lane: L,
    stretch: LogStretch,
    begin: Option<LogPosition>,
    last: Zxid,
}

impl<L: Lane> LogReading<L> {
    pub(super) fn new(lane: L, stretch: LogStretch) -> LogReading<L> {
        let last = Zxid(stretch.from.0.saturating_sub(1));
        LogReading { lane, stretch, begin: None, last }
    }

    pub(super) fn lane(&self) -> &L {
        &self.lane
    }

    /// The next records; `None` behind the last. An error of kind `NotFound`: something is missing there.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.last >= self.stretch.up_to {
            return Ok(None);
        }
        let request = HistoryRequest {
            from: self.last.next(),
            up_to: self.stretch.up_to,
            begin: self.begin,
            portion_bytes: PORTION_BYTES,
            bytes_max: u64::MAX,
        };
        let read = read_portion(&self.stretch.storage, &self.lane, &request).await;
        let (records, next) = match read.map_err(io::Error::other)? {
            Outcome::History { records, next } => (records, next),
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        let mut bytes = Vec::new();
        for proposal in &records {
            if !self.last.is_followed_by(proposal.zxid()) {
                return Err(io::ErrorKind::NotFound.into());
            }
            self.last = proposal.zxid();
            encode_record(proposal.bytes(), &mut bytes);
        }
        self.begin = next;
        if bytes.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Some(bytes.into()))
    }
}
