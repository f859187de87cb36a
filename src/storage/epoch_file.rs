//! acceptedEpoch and currentEpoch. (QuorumPeer.loadDataBase, writeLongToFile; Zab phase 1 and 2.)
//!
//!     <dataDir>/version-2/acceptedEpoch    decimal text: the newest epoch promised to a leader
//!     <dataDir>/version-2/currentEpoch     decimal text: the epoch whose history the log holds
//!
//! - S-13 epoch(last logged) <= currentEpoch <= acceptedEpoch. The history of a sync is durable
//!   before currentEpoch is: a crash in between leaves epoch(last logged) > currentEpoch, with an
//!   accepted epoch that covers it. That is repaired, not refused: the log is a prefix of what
//!   the leader of the accepted epoch sent, so it is a history of epoch(last logged).
//! - Where acceptedEpoch is missing Apache takes the epoch of the last transaction. So does this
//!   server in a directory that Apache has written; in one of its own a promise was lost.
//!
//! Not here: when epochs are written (zab).

use std::path::Path;

use bytes::Bytes;

use super::error::StorageError;
use super::layout::{
    ACCEPTED_EPOCH_FILE, CURRENT_EPOCH_FILE, Layout, TMP_SUFFIX, read_file, replace_file,
};
use super::{EpochKind, error};
use crate::base::{Epoch, Exhibit, Museum, Zxid};
use crate::runtime::Lane;
use error::While;

impl EpochKind {
    pub fn file_name(self) -> &'static str {
        match self {
            EpochKind::Accepted => ACCEPTED_EPOCH_FILE,
            EpochKind::Current => CURRENT_EPOCH_FILE,
        }
    }
}

pub(super) async fn write_epoch<L: Lane>(
    lane: &L,
    layout: &Layout,
    which: EpochKind,
    epoch: Epoch,
) -> Result<(), StorageError> {
    let text = Bytes::from(epoch.to_string());
    replace_file(lane, &layout.snap_dir, which.file_name(), text).await
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Epochs {
    pub(super) accepted: Option<Epoch>,
    pub(super) current: Option<Epoch>,
}

/// Reads both files and checks them against the last transaction. `guarded`: the directory has a
/// guard file, which is written after acceptedEpoch.
pub(super) async fn load_epochs<L: Lane>(
    lane: &L,
    layout: &Layout,
    last_logged: Zxid,
    guarded: bool,
    museum: Museum,
    notes: &mut Vec<String>,
) -> Result<Epochs, StorageError> {
    let accepted = read_epoch(lane, &layout.snap_dir.join(ACCEPTED_EPOCH_FILE)).await?;
    let mut current = read_epoch(lane, &layout.snap_dir.join(CURRENT_EPOCH_FILE)).await?;
    let last = last_logged.epoch();
    if let Some(too_old) = current
        && last > too_old
    {
        let repaired = newer_current(lane, layout, last, accepted)
            .await?
            // Before ZOOKEEPER-1653 such a disk was refused.
            .filter(|_| !museum.on(Exhibit::HalfSyncedDiskRefused))
            .ok_or(StorageError::CurrentEpochTooOld { current: too_old, last: last_logged })?;
        write_epoch(lane, layout, EpochKind::Current, repaired).await?;
        notes.push(format!(
            "currentEpoch was {too_old}, but the last transaction is {last_logged}: a \
             synchronisation was cut short; currentEpoch is {repaired} now"
        ));
        current = Some(repaired);
    }
    // What Apache assumes where a file is missing.
    let default = Epoch(last.0.max(0));
    if guarded && accepted.is_none() && default > Epoch(0) {
        let file = layout.snap_dir.join(ACCEPTED_EPOCH_FILE);
        return Err(StorageError::AcceptedEpochMissing { file });
    }
    let (assumed_accepted, assumed_current) =
        (accepted.unwrap_or(default), current.unwrap_or(default));
    if assumed_accepted < assumed_current {
        return Err(StorageError::AcceptedEpochTooOld {
            accepted: assumed_accepted,
            current: assumed_current,
        });
    }
    for (which, found) in [(ACCEPTED_EPOCH_FILE, accepted), (CURRENT_EPOCH_FILE, current)] {
        if found.is_none() && default > Epoch(0) {
            notes.push(format!("{which} is missing; the last transaction's epoch is {default}"));
        }
    }
    Ok(Epochs { accepted, current })
}

/// The epoch that a write cut short was about to set, else the one the log itself proves.
async fn newer_current<L: Lane>(
    lane: &L,
    layout: &Layout,
    last: Epoch,
    accepted: Option<Epoch>,
) -> Result<Option<Epoch>, StorageError> {
    let tmp = layout.snap_dir.join(format!("{CURRENT_EPOCH_FILE}{TMP_SUFFIX}"));
    // A torn tmp file is no epoch, and no error either: it was never the file.
    let pending = read_epoch(lane, &tmp).await.ok().flatten().filter(|epoch| *epoch >= last);
    Ok(pending.or(accepted.filter(|accepted| *accepted >= last).map(|_| last)))
}

async fn read_epoch<L: Lane>(lane: &L, path: &Path) -> Result<Option<Epoch>, StorageError> {
    let Some(content) = read_file(lane, path).await? else { return Ok(None) };
    let text = String::from_utf8_lossy(&content);
    let line = text.lines().next().unwrap_or_default().trim();
    match line.parse() {
        Ok(epoch) => Ok(Some(Epoch(epoch))),
        Err(_) => {
            Err(StorageError::NotAnEpoch { file: path.to_path_buf(), text: line.to_string() })
        }
    }
}

/// Removes what a replacement cut short has left.
pub(super) async fn remove_leftovers<L: Lane>(
    lane: &L,
    dir: &Path,
    is_ours: impl Fn(&str) -> bool,
) -> Result<usize, StorageError> {
    let entries = lane.list(dir).await.when("listing", dir)?;
    let mut removed = 0;
    for entry in &entries {
        if entry.name.strip_suffix(TMP_SUFFIX).is_some_and(&is_ours) {
            let path = dir.join(&entry.name);
            lane.remove(&path).await.when("removing", &path)?;
            removed += 1;
        }
    }
    if removed > 0 {
        lane.sync_dir(dir).await.when("syncing", dir)?;
    }
    Ok(removed)
}
