//! One snapshot from its file, a piece at a time: no more of it is held than its nodes as they came.
//!
//! Not here: which one is taken (`recovery.rs`).

use std::io;
use std::path::Path;
use std::time::Duration;

use super::SnapshotData;
use super::error::{StorageError, While};
use super::layout::{Compression, Layout, SnapshotName};
use super::snapshot_decoder::{SnapshotDecoder, decode_snapshot};
use super::snapshot_format::{SnapshotContent, SnapshotFault, unpack};
use crate::base::Stamp;
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

pub(super) async fn read_snapshot<L: Lane>(
    lane: &L,
    layout: &Layout,
    name: &SnapshotName,
) -> Result<Result<SnapshotData, SnapshotFault>, StorageError> {
    let path = layout.snap_dir.join(&name.name);
    let content = match name.compression {
        Compression::None => read_plain_snapshot(lane, &path).await.when("reading", &path)?,
        packing => {
            let packed = lane.read(&path).await.when("reading", &path)?;
            unpack(packed, packing).and_then(decode_snapshot)
        }
    };
    Ok(content.map(|content| SnapshotData {
        zxid: name.zxid,
        sessions: content.body.sessions,
        acls: content.body.acls,
        nodes: content.body.nodes,
        digest: content.digest,
        last_zxid: content.last_zxid,
    }))
}

async fn read_plain_snapshot<L: Lane>(
    lane: &L,
    path: &Path,
) -> io::Result<Result<SnapshotContent, SnapshotFault>> {
    let mut file = lane.open(path, OpenMode::Read).await?;
    let len = file.len().await?;
    let mut decoder = SnapshotDecoder::new();
    let mut at = 0;
    let mut progress = Progress::begin(lane);
    while !decoder.is_done() {
        let wanted = (len - at).min(decoder.wanted() as u64) as usize;
        let piece = file.read_at(at, wanted).await?;
        let is_last = piece.len() < wanted || at + wanted as u64 == len;
        at += decoder.take(&piece, is_last) as u64;
        progress.tell(lane, path, at, len);
    }
    Ok(decoder.finish())
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
