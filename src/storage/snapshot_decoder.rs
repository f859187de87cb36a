//! Reads a snapshot file in pieces, and checks every seal. (FileSnap.deserialize)
//!
//! Of each piece as much is taken as is whole; the next one begins where that ends. What is wrong is
//! told at the end: a file that was never finished is called so, whatever is wrong in it besides.
//!
//! Not here: files; what the bytes are (`snapshot_format.rs`).

use bytes::Bytes;
use simd_adler32::Adler32;

use super::snapshot_format::{
    LAST_ZXID_BYTES, SEAL_BYTES, SEAL_END, SnapshotContent, SnapshotFault,
};
use crate::base::Zxid;
use crate::jute::persist::{
    BODY_END, FILE_VERSION, FileHeader, SNAPSHOT_MAGIC, SnapshotBody, SnapshotDigest,
    decode_snapshot_head,
};
use crate::jute::{DecodeError, Jute, Reader};

/// Bytes of a snapshot that are read at once, if no record is longer.
pub(super) const PIECE_BYTES: usize = 1024 * 1024;

/// Reads a snapshot (unpacked).
pub fn decode_snapshot(plain: Bytes) -> Result<SnapshotContent, SnapshotFault> {
    let mut decoder = SnapshotDecoder::new();
    let mut at = 0;
    while !decoder.is_done() {
        let end = plain.len().min(at + decoder.wanted());
        at += decoder.take(&plain.slice(at..end), end == plain.len());
    }
    decoder.finish()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Head,
    Nodes,
    Seals,
    Done,
}

#[derive(Debug)]
pub(super) struct SnapshotDecoder {
    stage: Stage,
    wanted: usize,
    content: SnapshotContent,
    sum: u32,
    /// Of the first byte that was not taken.
    offset: usize,
    fault: Option<SnapshotFault>,
    is_sealed: bool,
}

impl SnapshotDecoder {
    pub(super) fn new() -> SnapshotDecoder {
        SnapshotDecoder {
            stage: Stage::Head,
            wanted: PIECE_BYTES,
            content: SnapshotContent::default(),
            sum: Adler32::new().finish(),
            offset: 0,
            fault: None,
            is_sealed: false,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// What stands before the nodes, and those nodes that nobody has taken yet.
    pub(super) fn body_mut(&mut self) -> &mut SnapshotBody {
        &mut self.content.body
    }

    /// The offset of the first byte that is not understood.
    pub(super) fn offset(&self) -> usize {
        let at_fault = match &self.fault {
            Some(SnapshotFault::Decode(error)) => error.offset(),
            Some(SnapshotFault::Seal { offset, .. }) => Some(*offset),
            _ => None,
        };
        at_fault.unwrap_or(self.offset)
    }

    /// How long the next piece should be.
    pub(super) fn wanted(&self) -> usize {
        self.wanted
    }

    /// Takes what is whole of the bytes behind those that were taken before, and tells how many it
    /// took. None: it needs a longer piece. `is_last`: the file ends with them.
    pub(super) fn take(&mut self, piece: &Bytes, is_last: bool) -> usize {
        let mut taken = 0;
        while self.fault.is_none() && self.stage != Stage::Done {
            let rest = piece.slice(taken..);
            let stage = self.stage;
            match self.take_some(&rest, is_last) {
                Ok(more) => {
                    taken += more;
                    self.offset += more;
                }
                Err(fault) => self.fault = Some(fault),
            }
            if self.stage == stage {
                break;
            }
        }
        // Of a snapshot that is no good only the end is of interest.
        let behind = piece.len().saturating_sub(SEAL_END.len());
        let taken = if self.fault.is_some() { behind } else { taken };
        if is_last {
            self.stage = Stage::Done;
            self.is_sealed = piece.ends_with(&SEAL_END);
        }
        self.wanted = if taken == 0 { 2 * self.wanted } else { PIECE_BYTES };
        taken
    }

    /// What the whole file was.
    pub(super) fn finish(self) -> Result<SnapshotContent, SnapshotFault> {
        match self.fault {
            // Neither of them was looked for behind the header.
            Some(fault @ SnapshotFault::Header { .. }) => Err(fault),
            _ if !self.is_sealed => Err(SnapshotFault::Unfinished),
            Some(fault) => Err(fault),
            None => Ok(self.content),
        }
    }

    fn take_some(&mut self, piece: &Bytes, is_last: bool) -> Result<usize, SnapshotFault> {
        let taken = match self.stage {
            Stage::Head => {
                let mut from = Reader::new(piece.clone());
                match self.head(&mut from) {
                    Ok(()) => from.position(),
                    Err(SnapshotFault::Decode(DecodeError::Short { .. })) if !is_last => 0,
                    Err(fault) => return Err(fault),
                }
            }
            Stage::Nodes => {
                let taken = self.content.body.nodes.take(piece, is_last);
                let split = taken.map_err(|error| error.moved(self.offset))?;
                if split.is_last {
                    self.stage = Stage::Seals;
                }
                split.end
            }
            Stage::Seals if is_last => return self.seals(piece).map(|()| piece.len()),
            Stage::Seals | Stage::Done => 0,
        };
        self.sum = sum_on(self.sum, &piece[..taken]);
        Ok(taken)
    }

    fn head(&mut self, from: &mut Reader) -> Result<(), SnapshotFault> {
        let header = FileHeader::decode(from)?;
        if header.magic != SNAPSHOT_MAGIC || header.version != FILE_VERSION {
            return Err(SnapshotFault::Header { magic: header.magic, version: header.version });
        }
        self.content.body = decode_snapshot_head(from)?;
        self.stage = Stage::Nodes;
        Ok(())
    }

    /// All that follows the nodes.
    fn seals(&mut self, rest: &Bytes) -> Result<(), SnapshotFault> {
        let mut from = Reader::new(rest.clone());
        let mut seals = Seals { rest, begin: self.offset, sum: self.sum, summed: 0 };
        seals.check(&mut from)?;
        let moved = |error: DecodeError| error.moved(self.offset);
        // Digests may be off: then the last zxid follows at once.
        if from.remaining() > LAST_ZXID_BYTES + SEAL_BYTES {
            self.content.digest = Some(SnapshotDigest::decode(&mut from).map_err(moved)?);
            seals.check(&mut from)?;
        }
        if from.remaining() > 0 {
            self.content.last_zxid = Some(Zxid::decode(&mut from).map_err(moved)?);
            seals.check(&mut from)?;
        }
        // Blocks of a later version may follow; Apache's readers pass over them as well.
        Ok(())
    }
}

struct Seals<'a> {
    rest: &'a Bytes,
    /// Where it begins in the file.
    begin: usize,
    sum: u32,
    summed: usize,
}

impl Seals<'_> {
    fn check(&mut self, from: &mut Reader) -> Result<(), SnapshotFault> {
        let at = from.position();
        self.sum = sum_on(self.sum, &self.rest[self.summed..at]);
        self.summed = at;
        let moved = |error: DecodeError| error.moved(self.begin);
        let stored = from.long().map_err(moved)?;
        let end = String::decode(from).map_err(moved)?;
        if stored != i64::from(self.sum) || end != BODY_END {
            let (offset, computed) = (self.begin + at, self.sum);
            return Err(SnapshotFault::Seal { offset, stored, computed });
        }
        Ok(())
    }
}

fn sum_on(sum: u32, bytes: &[u8]) -> u32 {
    let mut adler = Adler32::from_checksum(sum);
    adler.write(bytes);
    adler.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SessionId;
    use crate::jute::data::{Acl, StatPersisted};
    use crate::jute::persist::SnapshotNode;
    use crate::storage::SnapshotEncoder;

    fn snapshot() -> Bytes {
        let mut encoder = SnapshotEncoder::for_file();
        encoder.sessions(&[(SessionId(1), 4000)]);
        encoder.acls(&[(1, Acl::open())]);
        let node = |path: &str, bytes| SnapshotNode {
            path: path.into(),
            data: Some(vec![7; bytes].into()),
            acl: -1,
            stat: StatPersisted::default(),
        };
        encoder.nodes(&[node("", 0), node("/a", 40), node("/b", 400), node("/c", 1)]);
        let digest = SnapshotDigest { zxid: Zxid(7), version: 2, digest: 9 };
        encoder.finish(Some(&digest), Some(Zxid(8)))
    }

    fn decode(plain: &Bytes, piece: usize) -> Result<SnapshotContent, SnapshotFault> {
        let mut decoder = SnapshotDecoder { wanted: piece, ..SnapshotDecoder::new() };
        let (mut at, mut wanted) = (0, piece);
        while !decoder.is_done() {
            let end = plain.len().min(at + wanted);
            let taken = decoder.take(&plain.slice(at..end), end == plain.len());
            wanted = if taken == 0 { 2 * wanted } else { piece };
            at += taken;
        }
        decoder.finish()
    }

    #[test]
    fn pieces_of_any_length_give_the_same_content_and_the_same_fault() {
        let whole = snapshot();
        let content = decode(&whole, whole.len()).expect("it was just written");
        assert_eq!((content.body.nodes.len(), content.last_zxid), (4, Some(Zxid(8))));
        for piece in [1, 7, 64, 300, whole.len() - 1] {
            assert_eq!(decode(&whole, piece).as_ref(), Ok(&content), "{piece}");
            for at in (0..whole.len()).step_by(5) {
                let mut changed = whole.to_vec();
                changed[at] ^= 0x81;
                let changed = Bytes::from(changed);
                let fault = decode(&changed, changed.len()).expect_err("a byte is wrong");
                assert_eq!(decode(&changed, piece), Err(fault), "byte {at}, pieces of {piece}");
                let cut = whole.slice(..at);
                let at_once = decode(&cut, whole.len());
                assert_eq!(decode(&cut, piece), at_once, "cut at {at}, pieces of {piece}");
            }
        }
    }
}
