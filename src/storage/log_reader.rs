//! A log file record by record. (FileTxnLog.FileTxnIterator.)
//!
//! Files are read in pieces; a proposal's bytes are a part of the piece they came in, which goes with
//! the last of its proposals.
//!
//! Not here: what a bad record means (`recovery.rs`).

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;

use super::error::{StorageError, While};
use super::layout::Layout;
use super::log_format::{
    Frame, RECORD_OVERHEAD_BYTES, RecordFault, likely_record, payload_len_of, payload_of,
    read_frame,
};
use crate::jute::persist::{FILE_HEADER_BYTES, FILE_VERSION, FileHeader, LOG_MAGIC};
use crate::jute::txn::{Proposal, Txn};
use crate::jute::{DecodeError, Jute, Reader};
use crate::runtime::{File, Lane, OpenMode};

/// Bytes read at once, at most: a record that is longer is read whole.
const PIECE_BYTES: usize = 256 * 1024;

/// How a log file begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Head {
    Good,
    /// Shorter than a header, or zeros where it should be: created, never flushed.
    Unwritten,
    Foreign(String),
}

/// The next thing in a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    Record {
        offset: u64,
        proposal: Rc<Proposal>,
    },
    /// Reading ends here; `fault` if it is not because the records do.
    End {
        offset: u64,
        fault: Option<RecordFault>,
    },
}

#[allow(missing_debug_implementations, reason = "a file of the runtime has none")]
pub struct LogScan<F> {
    path: PathBuf,
    file: F,
    len: u64,
    /// The offset of the next record.
    at: u64,
    payload_max: usize,
    piece_bytes: usize,
    piece: Bytes,
    piece_at: u64,
}

impl<F: File> LogScan<F> {
    pub async fn open<L: Lane<File = F>>(
        lane: &L,
        layout: &Layout,
        path: PathBuf,
        mode: OpenMode,
    ) -> io::Result<LogScan<F>> {
        let mut file = lane.open(&path, mode).await?;
        let len = file.len().await?;
        let (payload_max, piece_bytes) = (layout.payload_max, PIECE_BYTES);
        let piece = Bytes::new();
        Ok(LogScan { path, file, len, at: 0, payload_max, piece_bytes, piece, piece_at: 0 })
    }

    /// For whoever stops after so many bytes: the disk reads no more than these at once.
    pub(super) fn stopping_after(mut self, bytes: u64) -> LogScan<F> {
        self.piece_bytes = usize::try_from(bytes).map_or(PIECE_BYTES, |b| b.min(PIECE_BYTES));
        self
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file_bytes(&self) -> u64 {
        self.len
    }

    /// Where the next record begins.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next record begins there: a place that `at` has told, of this file.
    pub fn go_to(&mut self, offset: u64) {
        self.at = offset;
    }

    pub(super) fn into_file(self) -> F {
        self.file
    }

    /// Reads the header; records come next.
    pub async fn head(&mut self) -> Result<Head, StorageError> {
        let bytes = self.bytes_at(0, FILE_HEADER_BYTES).await?;
        let head = bytes.slice(..bytes.len().min(FILE_HEADER_BYTES));
        self.at = FILE_HEADER_BYTES as u64;
        if head.len() < FILE_HEADER_BYTES || head.iter().all(|byte| *byte == 0) {
            return Ok(Head::Unwritten);
        }
        Ok(match FileHeader::decode(&mut Reader::new(head)) {
            Ok(header) if header.magic == LOG_MAGIC && header.version == FILE_VERSION => Head::Good,
            Ok(header) => Head::Foreign(format!("{:x} {}", header.magic, header.version)),
            Err(why) => Head::Foreign(why.to_string()),
        })
    }

    pub async fn next(&mut self) -> Result<Step, StorageError> {
        let mut wanted = RECORD_OVERHEAD_BYTES;
        loop {
            let bytes = self.bytes_at(self.at, wanted).await?;
            let last = self.at + bytes.len() as u64 >= self.len;
            let offset = self.at;
            match read_frame(&bytes, last, self.payload_max) {
                Frame::Needs(more) => wanted = more,
                Frame::End => return Ok(Step::End { offset, fault: None }),
                Frame::Bad(fault) => return Ok(Step::End { offset, fault: Some(fault) }),
                Frame::Record { payload } => {
                    let proposal = decode(bytes.slice_ref(payload)).map_err(|why| {
                        StorageError::UnreadableTxn { file: self.path.clone(), offset, why }
                    })?;
                    self.at += (payload.len() + RECORD_OVERHEAD_BYTES) as u64;
                    return Ok(Step::Record { offset, proposal: Rc::new(proposal) });
                }
            }
        }
    }

    /// Passes over the record here, whatever its checksum is and whether or not it can be read: its
    /// payload. `None` if where it ends is not known.
    pub async fn pass_over(&mut self) -> Result<Option<Bytes>, StorageError> {
        let head = self.bytes_at(self.at, RECORD_OVERHEAD_BYTES).await?;
        let Some(payload_len) = payload_len_of(&head).filter(|len| *len <= self.payload_max) else {
            return Ok(None);
        };
        let bytes = self.bytes_at(self.at, payload_len + RECORD_OVERHEAD_BYTES).await?;
        let payload = payload_of(&bytes, payload_len);
        if payload.is_some() {
            self.at += (payload_len + RECORD_OVERHEAD_BYTES) as u64;
        }
        Ok(payload)
    }

    /// The first place at `from` or behind it where a whole record begins that can be read: behind
    /// one that is torn, whose length says nothing.
    pub async fn find_record(&mut self, from: u64) -> Result<Option<u64>, StorageError> {
        let mut offset = from;
        while offset + (RECORD_OVERHEAD_BYTES as u64) < self.len {
            let bytes = self.bytes_at(offset, RECORD_OVERHEAD_BYTES).await?;
            if bytes.len() < RECORD_OVERHEAD_BYTES {
                break;
            }
            let left = usize::try_from(self.len - offset).unwrap_or(usize::MAX);
            let found = likely_record(&bytes, left.min(self.payload_max));
            let Some((skipped, payload_len)) = found else {
                // The last bytes may be the front of one.
                offset += (bytes.len() - (RECORD_OVERHEAD_BYTES - 1)) as u64;
                continue;
            };
            offset += skipped as u64;
            let bytes = self.bytes_at(offset, payload_len + RECORD_OVERHEAD_BYTES).await?;
            if let Frame::Record { payload } = read_frame(&bytes, true, self.payload_max)
                && decode(bytes.slice_ref(payload)).is_ok()
            {
                return Ok(Some(offset));
            }
            offset += 1;
        }
        Ok(None)
    }

    /// At least `wanted` bytes from `offset`, fewer only where the file ends.
    async fn bytes_at(&mut self, offset: u64, wanted: usize) -> Result<Bytes, StorageError> {
        let piece_end = self.piece_at + self.piece.len() as u64;
        let missing = offset < self.piece_at || offset + wanted as u64 > piece_end;
        if missing && (piece_end < self.len || offset < self.piece_at) {
            let len = wanted.max(self.piece_bytes);
            self.piece = self.file.read_at(offset, len).await.when("reading", &self.path)?;
            self.piece_at = offset;
        }
        let start = (offset - self.piece_at) as usize;
        Ok(self.piece.slice(start.min(self.piece.len())..))
    }
}

/// A check stands only inside a multi: no server starts on a log that holds one by itself.
fn decode(payload: Bytes) -> Result<Proposal, DecodeError> {
    let proposal = Proposal::decode(payload)?;
    if matches!(proposal.txn, Txn::CheckVersion(_)) {
        return Err(DecodeError::Unknown {
            what: "transaction type",
            value: proposal.header.kind.into(),
        });
    }
    Ok(proposal)
}

/// The same record again, or a run of them, be it in the next file, is the same history. Followers of
/// Apache 3.8.0 to 3.8.4 write them when a synchronisation fails behind NEWLEADER (ZOOKEEPER-4394).
pub(super) fn is_repeated(history: &[Rc<Proposal>], proposal: &Proposal) -> bool {
    // Nearly every record is the next one: no search for it among all of them.
    if history.last().is_none_or(|last| last.zxid() < proposal.zxid()) {
        return false;
    }
    let at = history.binary_search_by_key(&proposal.zxid(), |known| known.zxid());
    at.is_ok_and(|at| history[at].bytes() == proposal.bytes())
}
