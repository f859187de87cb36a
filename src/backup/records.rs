//! The records of log files, as they stand there.
//!
//! A server may be writing the newest log: what is not whole there ends it.
//!
//! Not here: whether they are one history (history.rs).

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::error::{BackupError, While};
use crate::base::Zxid;
use crate::jute::persist::{FILE_HEADER_BYTES, FILE_VERSION, FileHeader, LOG_MAGIC};
use crate::jute::txn::TxnHeader;
use crate::jute::{Jute, Reader};
use crate::storage::log_format::{Frame, RECORD_OVERHEAD_BYTES, RecordFault, read_frame};

/// Read at once, unless a record is longer.
const PIECE_BYTES: usize = 1 << 20;
/// What claims to be longer is no record: a transaction is as long as `jute.maxbuffer` lets it be.
const PAYLOAD_BYTES_MAX: usize = 1 << 30;

/// One transaction, with what surrounds it in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) zxid: Zxid,
    /// By its leader's clock, in milliseconds since 1970.
    pub(super) time_ms: i64,
}

/// Where the records of a file end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct End {
    pub(super) offset: u64,
    /// Unless it is because there are no more.
    pub(super) fault: Option<RecordFault>,
}

/// The record at the begin of these bytes.
fn record_of<'a>(bytes: &'a [u8], payload: &[u8], place: &str) -> Result<Record<'a>, BackupError> {
    let mut from = Reader::new(Bytes::copy_from_slice(&payload[..payload.len().min(HEADER_BYTES)]));
    let header = TxnHeader::decode(&mut from).map_err(|error| BackupError::Damaged {
        place: place.into(),
        why: format!("it holds a transaction that cannot be read: {error}"),
    })?;
    let bytes = &bytes[..payload.len() + RECORD_OVERHEAD_BYTES];
    Ok(Record { bytes, zxid: header.zxid, time_ms: header.time })
}

/// Of a transaction's header.
const HEADER_BYTES: usize = 32;

/// The records of a part of a backup; they fill it.
pub(super) fn each_in_part(
    part: &[u8],
    place: &str,
    mut each: impl FnMut(Record<'_>) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut rest = part;
    while !rest.is_empty() {
        let Frame::Record { payload } = read_frame(rest, true, PAYLOAD_BYTES_MAX) else {
            let why = format!("at offset {} is no record", part.len() - rest.len());
            return Err(BackupError::Damaged { place: place.into(), why });
        };
        let record = record_of(rest, payload, place)?;
        each(record)?;
        rest = &rest[record.bytes.len()..];
    }
    Ok(())
}

/// The whole records of a stream, which may be cut short anywhere.
pub(super) fn each_in_stream(
    stream: &mut impl Read,
    place: &str,
    mut each: impl FnMut(Record<'_>) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let (mut buffer, mut at, mut wanted) = (Vec::new(), 0, RECORD_OVERHEAD_BYTES);
    loop {
        buffer.drain(..at);
        at = 0;
        let len = buffer.len();
        let missing = wanted.max(PIECE_BYTES).saturating_sub(len) as u64;
        let read = stream.by_ref().take(missing).read_to_end(&mut buffer);
        let is_end = read.is_err() || buffer.len() == len;
        loop {
            match read_frame(&buffer[at..], false, PAYLOAD_BYTES_MAX) {
                Frame::Record { payload } => {
                    let record = record_of(&buffer[at..], payload, place)?;
                    each(record)?;
                    at += record.bytes.len();
                }
                Frame::Needs(_) if is_end => return Ok(()),
                Frame::Needs(more) => {
                    wanted = more;
                    break;
                }
                Frame::End | Frame::Bad(_) => {
                    let why = "it sends what is no record".into();
                    return Err(BackupError::Damaged { place: place.into(), why });
                }
            }
        }
    }
}

/// One log file.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    /// Of the first byte in the buffer that was not taken, in the buffer.
    at: usize,
    /// Of the buffer, in the file.
    buffer_offset: u64,
}

impl LogFile {
    /// `None`: it was created and not written yet.
    pub(super) fn open(path: &Path) -> Result<Option<LogFile>, BackupError> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(BackupError::Moved { place: path.display().to_string() });
            }
            file => file.when("opening", path)?,
        };
        let mut head = [0; FILE_HEADER_BYTES];
        let mut len = 0;
        while len < head.len() {
            match file.read(&mut head[len..]).when("reading", path)? {
                0 => return Ok(None),
                more => len += more,
            }
        }
        if head == [0; FILE_HEADER_BYTES] {
            return Ok(None);
        }
        match FileHeader::decode(&mut Reader::new(Bytes::copy_from_slice(&head))) {
            Ok(FileHeader { magic: LOG_MAGIC, version: FILE_VERSION, .. }) => {}
            _ => {
                let why = "it does not begin as a transaction log does".to_string();
                return Err(BackupError::Damaged { place: path.display().to_string(), why });
            }
        }
        let (path, buffer_offset) = (path.to_path_buf(), FILE_HEADER_BYTES as u64);
        Ok(Some(LogFile { path, file, buffer: Vec::new(), at: 0, buffer_offset }))
    }

    /// The records from where reading has ended, to where they end now.
    pub(super) fn each(
        &mut self,
        mut each: impl FnMut(Record<'_>) -> Result<(), BackupError>,
    ) -> Result<End, BackupError> {
        let place = self.path.display().to_string();
        let offset = self.offset();
        self.file.seek(SeekFrom::Start(offset)).when("reading", &self.path)?;
        (self.buffer_offset, self.at) = (offset, 0);
        self.buffer.clear();
        let mut is_end = false;
        loop {
            let bytes = &self.buffer[self.at..];
            match read_frame(bytes, is_end, PAYLOAD_BYTES_MAX) {
                Frame::Needs(more) => is_end = self.fill(more)?,
                Frame::End => return Ok(End { offset: self.offset(), fault: None }),
                Frame::Bad(fault) => return Ok(End { offset: self.offset(), fault: Some(fault) }),
                Frame::Record { payload } => {
                    let record = record_of(bytes, payload, &place)?;
                    each(record)?;
                    self.at += record.bytes.len();
                }
            }
        }
    }

    fn offset(&self) -> u64 {
        self.buffer_offset + self.at as u64
    }

    /// At least so many bytes behind what was taken; true if the file has no more.
    fn fill(&mut self, wanted: usize) -> Result<bool, BackupError> {
        self.buffer.drain(..self.at);
        self.buffer_offset += self.at as u64;
        self.at = 0;
        let target = wanted.max(PIECE_BYTES);
        let mut len = self.buffer.len();
        self.buffer.resize(target.max(len), 0);
        while len < self.buffer.len() {
            let more = self.file.read(&mut self.buffer[len..]).when("reading", &self.path)?;
            if more == 0 {
                break;
            }
            len += more;
        }
        let is_end = len < self.buffer.len();
        self.buffer.truncate(len);
        Ok(is_end)
    }
}
