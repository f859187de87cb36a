//! The bytes of a transaction log. (FileTxnLog; facts of Apache's format.)
//!
//!     0        4        8                16
//!     | "ZKLG" | 2      | dbid = 0       |  header, then records:
//!
//!     0                8        12                    12+length
//!     | checksum long  | length | payload             | 'B' |
//!
//! The checksum is the Adler-32 of the payload alone. The payload is a proposal: header, record,
//! digest. Zeros behind the last record are space written ahead: a length of 0 ends the log.
//!
//! Not here: what to do about a bad record (`recovery.rs`).

use bytes::Bytes;
use simd_adler32::adler32;
use thiserror::Error;

use crate::jute::Jute;
use crate::jute::persist::FileHeader;

/// Checksum and length.
const RECORD_HEAD_BYTES: usize = 12;
/// What a record adds to its payload.
pub const RECORD_OVERHEAD_BYTES: usize = RECORD_HEAD_BYTES + 1;
/// The byte behind each payload.
const END_MARK: u8 = b'B';

/// What is wrong with a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RecordFault {
    #[error("the file ends inside a record")]
    EndOfFile,
    #[error("a record has a checksum but no length")]
    NoLength,
    #[error("a record claims a length of {0}")]
    Length(i32),
    #[error("a record lacks its end mark")]
    NoEndMark,
    #[error("a record's checksum is {stored:x}, its content's is {computed:x}")]
    Checksum { stored: i64, computed: u32 },
}

impl RecordFault {
    /// Apache takes this for the end of the file, as a crash leaves it; the rest it refuses.
    pub fn is_torn_tail(&self) -> bool {
        matches!(self, RecordFault::EndOfFile | RecordFault::NoLength | RecordFault::NoEndMark)
    }
}

/// The first bytes of a stretch of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame<'a> {
    Record {
        payload: &'a [u8],
    },
    /// Space written ahead, or nothing more.
    End,
    /// This many bytes from the start of the record are needed to tell.
    Needs(usize),
    Bad(RecordFault),
}

/// The header of every log.
pub fn encode_log_header(out: &mut Vec<u8>) {
    FileHeader::LOG.encode(out);
}

/// One record.
pub fn encode_record(payload: &[u8], out: &mut Vec<u8>) {
    encode_record_as(i64::from(adler32(&payload)), payload, out);
}

/// A record with that checksum, be it right or wrong.
pub fn encode_record_as(checksum: i64, payload: &[u8], out: &mut Vec<u8>) {
    let length = i32::try_from(payload.len()).expect("a proposal is far below 2 GiB");
    out.extend_from_slice(&checksum.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(payload);
    out.push(END_MARK);
}

/// What `bytes` begin with. `last`: nothing follows them in the file. `payload_max`: a record that
/// claims to be longer is none.
pub fn read_frame(bytes: &[u8], last: bool, payload_max: usize) -> Frame<'_> {
    let Some((head, rest)) = bytes.split_first_chunk::<RECORD_HEAD_BYTES>() else {
        return match (last, bytes.iter().all(|byte| *byte == 0)) {
            (false, _) => Frame::Needs(RECORD_HEAD_BYTES),
            (true, true) => Frame::End,
            (true, false) => Frame::Bad(RecordFault::EndOfFile),
        };
    };
    let [c0, c1, c2, c3, c4, c5, c6, c7, l0, l1, l2, l3] = *head;
    let stored = i64::from_be_bytes([c0, c1, c2, c3, c4, c5, c6, c7]);
    let length = i32::from_be_bytes([l0, l1, l2, l3]);
    let payload_len = match usize::try_from(length) {
        Ok(0) if stored == 0 => return Frame::End,
        Ok(0) => return Frame::Bad(RecordFault::NoLength),
        Ok(len) if len <= payload_max => len,
        _ => return Frame::Bad(RecordFault::Length(length)),
    };
    if rest.len() <= payload_len {
        let needs = Frame::Needs(payload_len + RECORD_OVERHEAD_BYTES);
        return if last { Frame::Bad(RecordFault::EndOfFile) } else { needs };
    }
    let payload = &rest[..payload_len];
    if rest[payload_len] != END_MARK {
        return Frame::Bad(RecordFault::NoEndMark);
    }
    let computed = adler32(&payload);
    if stored != i64::from(computed) {
        return Frame::Bad(RecordFault::Checksum { stored, computed });
    }
    Frame::Record { payload }
}

/// How long the payload of the record is that these bytes begin with, as it says itself.
pub(super) fn payload_len_of(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(8..RECORD_HEAD_BYTES)?.first_chunk()?;
    usize::try_from(i32::from_be_bytes(*length)).ok().filter(|len| *len > 0)
}

/// The payload of that length, if its end mark stands behind it. The checksum is not looked at.
pub(super) fn payload_of(bytes: &Bytes, payload_len: usize) -> Option<Bytes> {
    let end = RECORD_HEAD_BYTES + payload_len;
    (bytes.get(end) == Some(&END_MARK)).then(|| bytes.slice(RECORD_HEAD_BYTES..end))
}

/// Where in these bytes the head of a record may be, and the length of its payload: four zeros above an
/// Adler-32, and a length of at most `payload_max`.
pub(super) fn likely_record(bytes: &[u8], payload_max: usize) -> Option<(usize, usize)> {
    (0..(bytes.len() + 1).saturating_sub(RECORD_OVERHEAD_BYTES)).find_map(|at| {
        let head = &bytes[at..];
        let is_sum = head.starts_with(&[0; 4]) && head[4..8] != [0; 4];
        let payload_len = is_sum.then(|| payload_len_of(head))??;
        let end = bytes.get(at + RECORD_HEAD_BYTES + payload_len);
        let may_end = end.is_none_or(|mark| *mark == END_MARK);
        (payload_len <= payload_max && may_end).then_some((at, payload_len))
    })
}

/// The header and records of a log whose bytes are all at hand: offsets and payloads, and where
/// and why reading ended. For tools; the server reads files piece by piece.
pub fn read_records(file: &Bytes, mut each: impl FnMut(u64, Bytes)) -> (u64, Option<RecordFault>) {
    let mut at = crate::jute::persist::FILE_HEADER_BYTES.min(file.len());
    loop {
        match read_frame(&file[at..], true, usize::MAX) {
            Frame::Record { payload } => {
                each(at as u64, file.slice_ref(payload));
                at += payload.len() + RECORD_OVERHEAD_BYTES;
            }
            Frame::Bad(fault) => return (at as u64, Some(fault)),
            Frame::End | Frame::Needs(_) => return (at as u64, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::JUTE_FIELD_BYTES_MAX as MAX;

    fn record(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode_record(payload, &mut out);
        out
    }

    #[test]
    fn a_record_cut_anywhere_is_never_a_record() {
        let whole = record(b"some payload");
        assert_eq!(read_frame(&whole, true, MAX), Frame::Record { payload: b"some payload" });
        for cut in 1..whole.len() {
            assert_eq!(read_frame(&whole[..cut], true, MAX), expected_at(cut), "cut at {cut}");
            assert!(matches!(read_frame(&whole[..cut], false, MAX), Frame::Needs(_)), "{cut}");
        }
    }

    /// The checksum of a short payload begins with zeros, which alone look like space ahead.
    fn expected_at(cut: usize) -> Frame<'static> {
        if cut <= 4 { Frame::End } else { Frame::Bad(RecordFault::EndOfFile) }
    }

    #[test]
    fn a_changed_byte_is_never_a_record() {
        let whole = record(b"some payload");
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            assert!(!matches!(read_frame(&changed, true, MAX), Frame::Record { .. }), "byte {at}");
        }
    }

    #[test]
    fn zeros_end_the_log_and_an_absurd_length_does_not() {
        assert_eq!(read_frame(&[0; 40], false, MAX), Frame::End);
        assert_eq!(read_frame(&[], true, MAX), Frame::End);
        let mut absurd = record(b"x");
        absurd[8] = 0x7f;
        assert!(matches!(read_frame(&absurd, false, MAX), Frame::Bad(RecordFault::Length(_))));
        absurd[8] = 0xff;
        assert!(matches!(read_frame(&absurd, false, MAX), Frame::Bad(RecordFault::Length(_))));
    }
}
