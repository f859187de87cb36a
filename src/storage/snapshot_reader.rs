//! One snapshot from its file, a piece at a time: no more of it is held than its nodes as they came.
//!
//! Not here: which one is taken (`recovery.rs`).

use std::mem;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

use super::SnapshotData;
use super::error::{StorageError, While};
use super::layout::{Compression, Layout, SnapshotName};
use super::snapshot_decoder::SnapshotDecoder;
use super::snapshot_format::{PACKED_PIECE_BYTES, SnapshotContent, SnapshotFault, Unpacker};
use crate::base::Stamp;
use crate::jute::persist::SnapshotBody;
use crate::runtime::{File, Lane, OpenMode};

/// Whoever waits for a long load hears so often how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(3);

/// How far the reading of one file is.
pub(super) struct Progress {
    told: Stamp,
}

impl Progress {
    pub(super) fn begin<L: Lane>(lane: &L) -> Progress {
        Progress { told: lane.ended() }
    }

    pub(super) fn tell<L: Lane>(&mut self, lane: &L, path: &Path, done: u64, all: u64) {
        if self.is_due(lane.ended()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            tracing::info!("{name} is being read: {done} of {all} bytes");
        }
    }

    fn is_due(&mut self, now: Stamp) -> bool {
        let is_due = now >= self.told + TOLD_EVERY;
        self.told = if is_due { now } else { self.told };
        is_due
    }
}

/// A snapshot file, packed or not, that is read a piece at a time.
#[allow(missing_debug_implementations, reason = "a file of the runtime has none")]
pub struct SnapshotScan<F> {
    path: PathBuf,
    file: F,
    len: u64,
    /// How much of the file was read.
    at: u64,
    unpacker: Unpacker,
    /// Unpacked, and not taken.
    rest: Vec<u8>,
    decoder: SnapshotDecoder,
    fault: Option<SnapshotFault>,
}

impl<F: File> SnapshotScan<F> {
    pub async fn open<L: Lane<File = F>>(
        lane: &L,
        path: PathBuf,
        compression: Compression,
    ) -> Result<SnapshotScan<F>, StorageError> {
        let mut file = lane.open(&path, OpenMode::Read).await.when("reading", &path)?;
        let len = file.len().await.when("reading", &path)?;
        let (unpacker, decoder) = (Unpacker::new(compression), SnapshotDecoder::new());
        Ok(SnapshotScan {
            path,
            file,
            len,
            at: 0,
            unpacker,
            rest: Vec::new(),
            decoder,
            fault: None,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file_bytes(&self) -> u64 {
        self.len
    }

    /// How much of the file was read.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// How far the unpacked bytes were understood.
    pub fn offset(&self) -> usize {
        self.decoder.offset()
    }

    pub fn is_done(&self) -> bool {
        self.fault.is_some() || self.decoder.is_done()
    }

    /// Bytes of the next piece: more than usual where a record is longer.
    pub fn wanted(&self) -> usize {
        self.decoder.wanted()
    }

    /// What stands before the nodes, and those nodes that nobody has taken yet.
    pub fn body_mut(&mut self) -> &mut SnapshotBody {
        self.decoder.body_mut()
    }

    /// Reads the next piece.
    pub async fn next(&mut self) -> Result<(), StorageError> {
        match self.unpacker {
            Unpacker::Plain => self.next_plain().await,
            _ => self.next_packed().await,
        }
    }

    async fn next_plain(&mut self) -> Result<(), StorageError> {
        let wanted = (self.len - self.at).min(self.decoder.wanted() as u64) as usize;
        let piece = self.file.read_at(self.at, wanted).await.when("reading", &self.path)?;
        let is_last = piece.len() < wanted || self.at + wanted as u64 == self.len;
        self.at += self.decoder.take(&piece, is_last) as u64;
        Ok(())
    }

    async fn next_packed(&mut self) -> Result<(), StorageError> {
        let mut is_last = false;
        while !is_last && self.rest.len() < self.decoder.wanted() {
            let piece = self.file.read_at(self.at, PACKED_PIECE_BYTES).await;
            let piece = piece.when("reading", &self.path)?;
            is_last = piece.is_empty();
            let unpacked = match is_last {
                true => self.unpacker.finish(&mut self.rest),
                false => self.unpacker.feed(&piece, &mut self.rest),
            };
            if let Err(fault) = unpacked {
                self.fault = Some(fault);
                return Ok(());
            }
            self.at += piece.len() as u64;
        }
        let plain = Bytes::from(mem::take(&mut self.rest));
        let taken = self.decoder.take(&plain, is_last);
        self.rest = plain[taken..].to_vec();
        Ok(())
    }

    /// What the whole file was, without the nodes that were taken.
    pub fn finish(self) -> Result<SnapshotContent, SnapshotFault> {
        self.fault.map_or_else(|| self.decoder.finish(), Err)
    }
}

pub(super) async fn read_snapshot<L: Lane>(
    lane: &L,
    layout: &Layout,
    name: &SnapshotName,
) -> Result<Result<SnapshotData, SnapshotFault>, StorageError> {
    let path = layout.snap_dir.join(&name.name);
    let mut scan = SnapshotScan::open(lane, path, name.compression).await?;
    let mut progress = Progress::begin(lane);
    while !scan.is_done() {
        scan.next().await?;
        progress.tell(lane, scan.path(), scan.at(), scan.file_bytes());
    }
    Ok(scan.finish().map(|content| SnapshotData {
        zxid: name.zxid,
        sessions: content.body.sessions,
        acls: content.body.acls,
        nodes: content.body.nodes,
        digest: content.digest,
        last_zxid: content.last_zxid,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_once_in_each_stretch_of_time() {
        let mut progress = Progress { told: Stamp(0) + TOLD_EVERY };
        let second = |n| Stamp(0) + Duration::from_secs(n);
        let told: Vec<u64> = (3..20).filter(|n| progress.is_due(second(*n))).collect();
        assert_eq!(told, [6, 9, 12, 15, 18]);
        assert!(progress.is_due(second(100)) && !progress.is_due(second(102)));
    }
}
