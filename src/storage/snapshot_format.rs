//! The bytes of a snapshot file. (FileSnap, SnapStream.)
//!
//!     header   magic "ZKSN" int | version 2 int | dbid -1 long
//!     body     sessions | ACL map | nodes | "/"                     (jute/persist.rs)
//!     seal     Adler-32 long | ustring "/"
//!     digest   zxid long | version int | digest long | seal         absent if digests are off
//!     last     zxid long | seal                                     since 3.9
//!
//! A seal's Adler-32 covers every byte of the file before it, earlier seals included. So the
//! last 13 bytes vouch for the whole file, and `SealCheck` needs no decoding. `snapshot_decoder.rs` reads
//! what this writes.
//! `.gz` is one gzip member; `.snappy` is snappy-java's stream:
//!
//!     82 "SNAPPY" 00 | int 1 | int 1 | (int length | raw snappy block)*
//!
//! Both are read, never written. Not here: files.

use std::io::{self, Write};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use simd_adler32::Adler32;
use thiserror::Error;

pub use super::layout::Compression;
use crate::base::{SessionId, Zxid};
use crate::jute::data::Acl;
use crate::jute::persist::{
    FileHeader, NodeRef, SNAPSHOT_MAGIC, SnapshotBody, SnapshotDigest, SnapshotNode, encode_acls,
    encode_body_end, encode_sessions,
};
use crate::jute::{DecodeError, Jute};

/// Adler-32 and the string "/".
pub(super) const SEAL_BYTES: usize = 13;
/// The string "/": what every complete snapshot ends with.
pub(super) const SEAL_END: [u8; 5] = [0, 0, 0, 1, b'/'];
const DIGEST_BYTES: usize = 20;
pub(super) const LAST_ZXID_BYTES: usize = 8;
/// From the tree's seal to the end of a file that has every block.
pub(super) const TAIL_BYTES: usize = 3 * SEAL_BYTES + DIGEST_BYTES + LAST_ZXID_BYTES;
const SNAPPY_HEAD: [u8; 16] = *b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01";

/// Why bytes are no snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum SnapshotFault {
    #[error("it begins with {magic:x}, version {version}")]
    Header { magic: i32, version: i32 },
    #[error("it does not end with a seal: it was never finished, or cut")]
    Unfinished,
    #[error("the seal at offset {offset} says {stored:x}, the content says {computed:x}")]
    Seal { offset: usize, stored: i64, computed: u32 },
    #[error("it cannot be read: {0}")]
    Decode(#[from] DecodeError),
    #[error("it cannot be unpacked: {0}")]
    Packed(String),
}

/// Writes a snapshot in pieces: sessions, ACLs, nodes, end, in this order.
///
/// [`SnapshotEncoder::take`] yields what has come together since the last call, to be written
/// or sent as it is.
#[derive(Clone, Serialize, Deserialize)]
pub struct SnapshotEncoder {
    out: Vec<u8>,
    /// The Adler-32 of all that was taken. `None`: the body of a SNAP stream, without header and
    /// seals.
    sum: Option<u32>,
}

impl std::fmt::Debug for SnapshotEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let untaken = self.out.len();
        f.debug_struct("SnapshotEncoder").field("untaken_bytes", &untaken).finish_non_exhaustive()
    }
}

impl SnapshotEncoder {
    /// A file.
    pub fn for_file() -> SnapshotEncoder {
        let mut out = Vec::new();
        FileHeader::SNAPSHOT.encode(&mut out);
        SnapshotEncoder { out, sum: Some(Adler32::new().finish()) }
    }

    /// The body alone, for a learner.
    pub fn for_learner() -> SnapshotEncoder {
        SnapshotEncoder { out: Vec::new(), sum: None }
    }

    pub fn sessions(&mut self, sessions: &[(SessionId, i32)]) {
        encode_sessions(sessions, &mut self.out);
    }

    pub fn acls(&mut self, acls: &[(i64, Vec<Acl>)]) {
        encode_acls(acls, &mut self.out);
    }

    /// Parents come before their children.
    pub fn node(&mut self, node: &NodeRef<'_>) {
        node.encode(&mut self.out);
    }

    pub fn nodes<'a>(&mut self, nodes: impl IntoIterator<Item = &'a SnapshotNode>) {
        nodes.into_iter().for_each(|node| self.node(&node.as_node_ref()));
    }

    /// The bytes since the last call.
    pub fn take(&mut self) -> Bytes {
        if let Some(sum) = &mut self.sum {
            let mut adler = Adler32::from_checksum(*sum);
            adler.write(&self.out);
            *sum = adler.finish();
        }
        Bytes::from(std::mem::take(&mut self.out))
    }

    /// Ends the nodes. In a file the seal follows, then the blocks that are given.
    pub fn finish(mut self, digest: Option<&SnapshotDigest>, last_zxid: Option<Zxid>) -> Bytes {
        encode_body_end(&mut self.out);
        let Some(sum) = self.sum else { return Bytes::from(self.out) };
        let mut adler = Adler32::from_checksum(sum);
        let mut summed = 0;
        seal(&mut self.out, &mut adler, &mut summed);
        if let Some(digest) = digest {
            digest.encode(&mut self.out);
            seal(&mut self.out, &mut adler, &mut summed);
        }
        if let Some(last_zxid) = last_zxid {
            last_zxid.encode(&mut self.out);
            seal(&mut self.out, &mut adler, &mut summed);
        }
        Bytes::from(self.out)
    }
}

/// Appends a seal; `adler` has seen the first `summed` bytes of `out`.
fn seal(out: &mut Vec<u8>, adler: &mut Adler32, summed: &mut usize) {
    adler.write(&out[*summed..]);
    *summed = out.len();
    i64::from(adler.finish()).encode(out);
    encode_body_end(out);
}

/// A snapshot file's content.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SnapshotContent {
    pub body: SnapshotBody,
    pub digest: Option<SnapshotDigest>,
    pub last_zxid: Option<Zxid>,
}

/// The plain bytes of a snapshot file.
#[cfg(test)]
pub(super) fn unpack(packed: Bytes, compression: Compression) -> Result<Bytes, SnapshotFault> {
    if compression == Compression::None {
        return Ok(packed);
    }
    let mut plain = Vec::new();
    unpack_into(&packed, compression, &mut plain)?;
    Ok(plain.into())
}

/// Unpacks piece by piece into `out`.
pub fn unpack_into(
    packed: &[u8],
    compression: Compression,
    out: &mut impl Write,
) -> Result<(), SnapshotFault> {
    let mut unpacker = Unpacker::new(compression);
    let mut plain = Vec::new();
    for piece in packed.chunks(PACKED_PIECE_BYTES) {
        unpacker.feed(piece, &mut plain)?;
        out.write_all(&plain).map_err(packed_fault)?;
        plain.clear();
    }
    unpacker.finish(&mut plain)?;
    out.write_all(&plain).map_err(packed_fault)
}

fn packed_fault(error: io::Error) -> SnapshotFault {
    SnapshotFault::Packed(error.to_string())
}

/// Packed bytes that are unpacked at once: they are a thousand times as many at most.
pub(super) const PACKED_PIECE_BYTES: usize = 16 * 1024;

/// A packed snapshot that comes in pieces of any length.
pub enum Unpacker {
    Plain,
    Gz(Box<flate2::write::GzDecoder<Vec<u8>>>),
    /// Bytes of a head or a block that is not whole yet.
    Snappy {
        begun: bool,
        rest: Vec<u8>,
    },
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unpacker")
    }
}

impl Unpacker {
    pub fn new(compression: Compression) -> Unpacker {
        match compression {
            Compression::None => Unpacker::Plain,
            Compression::Gz => Unpacker::Gz(Box::new(flate2::write::GzDecoder::new(Vec::new()))),
            Compression::Snappy => Unpacker::Snappy { begun: false, rest: Vec::new() },
        }
    }

    /// Appends to `plain` what these bytes, behind those before them, unpack to.
    pub fn feed(&mut self, packed: &[u8], plain: &mut Vec<u8>) -> Result<(), SnapshotFault> {
        match self {
            Unpacker::Plain => plain.extend_from_slice(packed),
            Unpacker::Gz(decoder) => {
                let mut packed = packed;
                while !packed.is_empty() {
                    match decoder.write(packed).map_err(packed_fault)? {
                        // Behind the only member.
                        0 => break,
                        taken => packed = &packed[taken..],
                    }
                }
                plain.append(decoder.get_mut());
            }
            Unpacker::Snappy { begun, rest } => {
                rest.extend_from_slice(packed);
                let mut at = 0;
                if !*begun && rest.len() >= SNAPPY_HEAD.len() {
                    if !rest.starts_with(&SNAPPY_HEAD) {
                        return Err(SnapshotFault::Packed("not a snappy-java stream".to_string()));
                    }
                    (*begun, at) = (true, SNAPPY_HEAD.len());
                }
                while let Some(block) = snappy_block(&rest[at..]).filter(|_| *begun) {
                    unpack_block(block, plain)?;
                    at += 4 + block.len();
                }
                rest.drain(..at);
            }
        }
        Ok(())
    }

    /// Nothing more comes.
    pub fn finish(&mut self, plain: &mut Vec<u8>) -> Result<(), SnapshotFault> {
        let ended = match self {
            Unpacker::Plain => Ok(()),
            Unpacker::Gz(decoder) => {
                let ended = decoder.try_finish();
                plain.append(decoder.get_mut());
                ended
            }
            Unpacker::Snappy { begun: true, rest } if rest.is_empty() => Ok(()),
            Unpacker::Snappy { .. } => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        ended.map_err(packed_fault)
    }
}

/// The block that these bytes begin with, behind its length, if it is whole.
fn snappy_block(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.get(..u32::from_be_bytes(*length) as usize)
}

fn unpack_block(block: &[u8], plain: &mut Vec<u8>) -> Result<(), SnapshotFault> {
    /// Three bytes say "copy 64" at best.
    const RATIO_MAX: usize = 64;
    let fault = |error: snap::Error| SnapshotFault::Packed(error.to_string());
    let len = snap::raw::decompress_len(block).map_err(fault)?;
    if len > block.len() * RATIO_MAX {
        return Err(SnapshotFault::Packed(format!("a block claims to unpack to {len} bytes")));
    }
    plain.extend_from_slice(&snap::raw::Decoder::new().decompress_vec(block).map_err(fault)?);
    Ok(())
}

/// Checks the last seal of a snapshot that streams through it, and keeps the end of the file.
pub struct SealCheck {
    /// Over everything but what `tail` holds.
    adler: Adler32,
    tail: Vec<u8>,
    begins_well: Option<bool>,
}

impl std::fmt::Debug for SealCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealCheck").field("tail_bytes", &self.tail.len()).finish_non_exhaustive()
    }
}

impl Default for SealCheck {
    fn default() -> SealCheck {
        SealCheck::new()
    }
}

impl SealCheck {
    pub fn new() -> SealCheck {
        SealCheck { adler: Adler32::new(), tail: Vec::new(), begins_well: None }
    }

    /// True if the whole stream was a finished snapshot.
    pub fn verdict(mut self) -> bool {
        let Some(sealed_len) = self.tail.len().checked_sub(SEAL_BYTES) else { return false };
        let (sealed, seal) = self.tail.split_at(sealed_len);
        self.adler.write(sealed);
        let mut expected = i64::from(self.adler.finish()).to_be_bytes().to_vec();
        expected.extend_from_slice(&SEAL_END);
        seal == expected && self.begins_well == Some(true)
    }

    /// See [`effects_end`].
    pub fn effects_end(&self) -> Option<Zxid> {
        effects_end(&self.tail)
    }
}

impl SealCheck {
    /// The next bytes of the stream.
    pub fn feed(&mut self, data: &[u8]) {
        self.tail.extend_from_slice(data);
        if self.begins_well.is_none() && self.tail.len() >= 4 {
            self.begins_well = Some(self.tail.starts_with(&SNAPSHOT_MAGIC.to_be_bytes()));
        }
        if let Some(over) = self.tail.len().checked_sub(TAIL_BYTES) {
            self.adler.write(&self.tail[..over]);
            self.tail.drain(..over);
        }
    }
}

impl Write for SealCheck {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.feed(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The last zxid whose effects a snapshot may hold, read from the end of its plain bytes: from
/// the last-zxid block (3.9), else from the digest block. `None` if it has neither.
///
/// A snapshot is written while transactions apply, so this may lie beyond its name.
pub(super) fn effects_end(tail: &[u8]) -> Option<Zxid> {
    const ALL: usize = TAIL_BYTES;
    const NO_LAST: usize = 2 * SEAL_BYTES + DIGEST_BYTES;
    let zxid_at = |at: usize| {
        let bytes: [u8; 8] = tail.get(at..at + 8)?.try_into().ok()?;
        Some(Zxid(i64::from_be_bytes(bytes)))
    };
    let seal_ends_at = |end: usize| tail.get(..end).is_some_and(|head| head.ends_with(&SEAL_END));
    let len = tail.len();
    if !seal_ends_at(len) {
        return None;
    }
    if let Some(start) = len.checked_sub(ALL)
        && seal_ends_at(start + SEAL_BYTES)
        && seal_ends_at(start + SEAL_BYTES + DIGEST_BYTES + SEAL_BYTES)
    {
        return zxid_at(len - SEAL_BYTES - LAST_ZXID_BYTES);
    }
    if let Some(start) = len.checked_sub(NO_LAST)
        && seal_ends_at(start + SEAL_BYTES)
    {
        return zxid_at(start + SEAL_BYTES);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::Reader;
    use crate::jute::data::StatPersisted;
    use crate::jute::persist::decode_snapshot_head;
    use crate::storage::snapshot_decoder::decode_snapshot;

    fn node(path: &str) -> SnapshotNode {
        SnapshotNode {
            path: path.into(),
            data: Some(Bytes::from_static(b"x")),
            acl: -1,
            stat: StatPersisted::default(),
        }
    }

    fn snapshot(digest: Option<i64>, last: Option<i64>) -> Bytes {
        let mut encoder = SnapshotEncoder::for_file();
        let mut out = Vec::new();
        encoder.sessions(&[(SessionId(1), 4000)]);
        out.extend_from_slice(&encoder.take());
        encoder.acls(&[(1, Acl::open())]);
        encoder.nodes(&[node(""), node("/a")]);
        out.extend_from_slice(&encoder.take());
        encoder.nodes(&[node("/b")]);
        let digest = digest.map(|zxid| SnapshotDigest { zxid: Zxid(zxid), version: 2, digest: 9 });
        out.extend_from_slice(&encoder.finish(digest.as_ref(), last.map(Zxid)));
        out.into()
    }

    fn is_intact(bytes: &[u8], piece: usize) -> bool {
        let mut check = SealCheck::new();
        for piece in bytes.chunks(piece) {
            check.feed(piece);
        }
        check.verdict()
    }

    #[test]
    fn every_combination_of_blocks_is_read_back() {
        for digest in [None, Some(7)] {
            for last in [None, Some(8)] {
                let bytes = snapshot(digest, last);
                let content = decode_snapshot(bytes.clone()).expect("it was just written");
                assert_eq!(content.digest.map(|d| d.zxid.0), digest);
                assert_eq!(content.last_zxid.map(|z| z.0), last);
                assert_eq!(content.body.nodes.len(), 3);
                assert!(is_intact(&bytes, 1) && is_intact(&bytes, 1000));
            }
        }
        assert_eq!(effects_end(&snapshot(Some(7), Some(8))), Some(Zxid(8)));
        assert_eq!(effects_end(&snapshot(Some(7), None)), Some(Zxid(7)));
        assert_eq!(effects_end(&snapshot(None, None)), None);
    }

    #[test]
    fn a_snapshot_with_any_byte_changed_or_cut_is_invalid() {
        let whole = snapshot(Some(7), Some(8));
        for at in 0..whole.len() {
            let mut changed = whole.to_vec();
            changed[at] ^= 1;
            assert!(!is_intact(&changed, 64), "byte {at}");
            assert!(decode_snapshot(changed.into()).is_err(), "byte {at}");
            // At the end of an earlier seal it is what an earlier release writes.
            let older = [21, 54].iter().any(|blocks| at + blocks == whole.len());
            assert_eq!(is_intact(&whole[..at], 64), older, "cut at {at}");
        }
    }

    #[test]
    fn a_learners_stream_has_neither_header_nor_seal() {
        let mut encoder = SnapshotEncoder::for_learner();
        encoder.sessions(&[]);
        encoder.acls(&[]);
        encoder.nodes(&[node("")]);
        let mut from = Reader::new(encoder.finish(None, None));
        let mut body = decode_snapshot_head(&mut from).expect("it was just written");
        let nodes = body.nodes.take(&from.rest(), true).expect("they were just written");
        assert_eq!((body.nodes.len(), nodes.end), (1, from.remaining()));
    }

    #[test]
    fn a_snappy_stream_that_lies_about_a_length_is_refused() {
        let mut packed = SNAPPY_HEAD.to_vec();
        packed.extend_from_slice(&[0, 0, 1, 0, 5]);
        assert!(unpack(packed.into(), Compression::Snappy).is_err());
        assert!(unpack(Bytes::from_static(b"x"), Compression::Gz).is_err());
    }
}
