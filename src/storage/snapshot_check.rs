//! Judging snapshot files without decoding them: whole or not, and how far their effects reach.

use super::error::{StorageError, While};
use super::layout::{Compression, Layout, SnapshotName};
use super::snapshot_format::{SealCheck, TAIL_BYTES, effects_end, unpack_into};
use crate::base::Zxid;
use crate::runtime::{File, Lane, OpenMode};

/// Bytes of a snapshot read at once.
const PIECE_BYTES: usize = 1024 * 1024;

/// True if the last seal vouches for the whole file.
pub(super) async fn is_intact<L: Lane>(
    lane: &L,
    layout: &Layout,
    snapshot: &SnapshotName,
) -> Result<bool, StorageError> {
    let path = layout.snap_dir.join(&snapshot.name);
    let mut check = SealCheck::new();
    if snapshot.compression != Compression::None {
        let content = lane.read(&path).await.when("reading", &path)?;
        let unpacked = unpack_into(&content, snapshot.compression, &mut check);
        return Ok(unpacked.is_ok() && check.verdict());
    }
    let mut file = lane.open(&path, OpenMode::Read).await.when("opening", &path)?;
    let mut offset = 0;
    loop {
        let piece = file.read_at(offset, PIECE_BYTES).await.when("reading", &path)?;
        check.feed(&piece);
        offset += piece.len() as u64;
        if piece.len() < PIECE_BYTES {
            return Ok(check.verdict());
        }
    }
}

/// The last zxid whose effects a snapshot may hold. One that cannot be unpacked is judged by its
/// name: no load will take it.
pub(super) async fn effects_end_of<L: Lane>(
    lane: &L,
    layout: &Layout,
    snapshot: &SnapshotName,
) -> Result<Zxid, StorageError> {
    let path = layout.snap_dir.join(&snapshot.name);
    let end = if snapshot.compression == Compression::None {
        let mut file = lane.open(&path, OpenMode::Read).await.when("opening", &path)?;
        let start = file.len().await.when("reading", &path)?.saturating_sub(TAIL_BYTES as u64);
        effects_end(&file.read_at(start, TAIL_BYTES).await.when("reading", &path)?)
    } else {
        let content = lane.read(&path).await.when("reading", &path)?;
        let mut check = SealCheck::new();
        let unpacked = unpack_into(&content, snapshot.compression, &mut check);
        unpacked.ok().and_then(|()| check.effects_end())
    };
    Ok(end.map_or(snapshot.zxid, |end| end.max(snapshot.zxid)))
}
