//! One snapshot from its file, a piece at a time: no more of it is held than its nodes as they came.
//!
//! Not here: which one is taken (`recovery.rs`).

use std::io;
use std::path::Path;

use super::SnapshotData;
use super::error::{StorageError, While};
use super::layout::{Compression, Layout, SnapshotName};
use super::snapshot_decoder::{SnapshotDecoder, decode_snapshot};
use super::snapshot_format::{SnapshotContent, SnapshotFault, unpack};
use crate::runtime::{File, Lane, OpenMode};

/// Whoever waits for a large snapshot hears how far it is, each time that so much was read.
const TOLD_EVERY_BYTES: u64 = 256 * 1024 * 1024;

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
    let mut told = 0;
    while !decoder.is_done() {
        let wanted = (len - at).min(decoder.wanted() as u64) as usize;
        let piece = file.read_at(at, wanted).await?;
        let is_last = piece.len() < wanted || at + wanted as u64 == len;
        at += decoder.take(&piece, is_last) as u64;
        if at - told >= TOLD_EVERY_BYTES {
            told = at;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            tracing::info!(percent = at * 100 / len, "{name} is being read");
        }
    }
    Ok(decoder.finish())
}
