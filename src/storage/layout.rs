//! Where files lie and what they are called; small files replaced in one step.
//!
//!     <dataDir>/version-2/snapshot.<hex zxid>[.gz|.snappy]   zxid captured before serialising
//!     <dataDir>/version-2/acceptedEpoch, currentEpoch
//!     <dataLogDir>/version-2/log.<hex zxid>                  zxid of its first transaction
//!     <dataLogDir>/version-2/quorate.guard, quorate.floor
//!     <dataLogDir>/initialize                                consent to vote from nothing
//!
//! Hex is lower case without padding. Other names in `version-2` are ignored.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::StorageOptions;
use super::error::{StorageError, While};
use crate::base::Zxid;
use crate::runtime::{File, Lane, OpenMode};

pub const GUARD_FILE: &str = "quorate.guard";
pub(super) const FLOOR_FILE: &str = "quorate.floor";
pub(super) const ACCEPTED_EPOCH_FILE: &str = "acceptedEpoch";
pub(super) const CURRENT_EPOCH_FILE: &str = "currentEpoch";
/// Below `dataDir` and `dataLogDir`: snapshots, logs and epochs are there.
pub const VERSION_2: &str = "version-2";
pub(super) const TMP_SUFFIX: &str = ".tmp";

/// The directories of one server.
#[derive(Clone, Debug)]
pub struct Layout {
    pub(super) data_dir: PathBuf,
    pub(super) data_log_dir: PathBuf,
    pub snap_dir: PathBuf,
    pub log_dir: PathBuf,
    /// Bytes of a log record's payload.
    pub(super) payload_max: usize,
}

impl Layout {
    pub(super) fn new(options: &StorageOptions) -> Layout {
        Layout {
            data_dir: options.data_dir.clone(),
            data_log_dir: options.data_log_dir.clone(),
            snap_dir: options.data_dir.join(VERSION_2),
            log_dir: options.data_log_dir.join(VERSION_2),
            // It may exceed one field's limit by its other fields, never twice over.
            payload_max: options.field_bytes_max.saturating_mul(2),
        }
    }

    /// Of files that are looked at and belong to no server here: each directory is the one in which
    /// they lie. `payload_max`: a log record that claims to be longer is none.
    pub fn of_files(snap_dir: PathBuf, log_dir: PathBuf, payload_max: usize) -> Layout {
        let above = |dir: &Path| dir.parent().unwrap_or(dir).to_path_buf();
        let (data_dir, data_log_dir) = (above(&snap_dir), above(&log_dir));
        Layout { data_dir, data_log_dir, snap_dir, log_dir, payload_max }
    }

    pub fn log(&self, first: Zxid) -> PathBuf {
        self.log_dir.join(log_name(first))
    }

    pub(super) fn initialize_marker(&self) -> PathBuf {
        self.data_log_dir.join("initialize")
    }

    /// The logs, oldest first.
    pub async fn logs<L: Lane>(&self, lane: &L) -> Result<Vec<LogName>, StorageError> {
        let entries = lane.list(&self.log_dir).await.when("listing", &self.log_dir)?;
        let mut logs: Vec<LogName> = entries
            .iter()
            .filter_map(|entry| {
                Some(LogName { first: parse_log_name(&entry.name)?, len: entry.len })
            })
            .collect();
        logs.sort();
        Ok(logs)
    }

    /// The snapshots, newest first.
    pub async fn snapshots<L: Lane>(&self, lane: &L) -> Result<Vec<SnapshotName>, StorageError> {
        let entries = lane.list(&self.snap_dir).await.when("listing", &self.snap_dir)?;
        let mut snapshots: Vec<SnapshotName> =
            entries.iter().filter_map(|entry| parse_snapshot_name(&entry.name)).collect();
        snapshots.sort_by(|a, b| b.cmp(a));
        Ok(snapshots)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LogName {
    pub first: Zxid,
    pub len: u64,
}

/// How a snapshot file is packed; told by its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Compression {
    None,
    Gz,
    Snappy,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SnapshotName {
    pub zxid: Zxid,
    pub compression: Compression,
    pub name: String,
}

pub fn log_name(first: Zxid) -> String {
    format!("log.{:x}", first.0)
}

pub fn parse_log_name(name: &str) -> Option<Zxid> {
    parse_hex(name.strip_prefix("log.")?)
}

/// Where this server writes a snapshot of that zxid.
pub fn snapshot_path(data_dir: &Path, zxid: Zxid) -> PathBuf {
    data_dir.join(VERSION_2).join(snapshot_name(zxid))
}

pub fn snapshot_name(zxid: Zxid) -> String {
    format!("snapshot.{:x}", zxid.0)
}

pub fn parse_snapshot_name(name: &str) -> Option<SnapshotName> {
    let rest = name.strip_prefix("snapshot.")?;
    let (hex, compression) = if let Some(hex) = rest.strip_suffix(".gz") {
        (hex, Compression::Gz)
    } else if let Some(hex) = rest.strip_suffix(".snappy") {
        (hex, Compression::Snappy)
    } else {
        (rest, Compression::None)
    };
    Some(SnapshotName { zxid: parse_hex(hex)?, compression, name: name.to_string() })
}

pub(super) fn parse_hex(text: &str) -> Option<Zxid> {
    if text.starts_with('+') {
        return None;
    }
    i64::from_str_radix(text, 16).ok().filter(|zxid| *zxid >= 0).map(Zxid)
}

/// The logs that may hold transactions with a zxid of at least `from`: the newest one that begins
/// at or below it, and all behind that.
pub fn logs_from(logs: &[LogName], from: Zxid) -> &[LogName] {
    let start = logs.partition_point(|log| log.first <= from).saturating_sub(1);
    &logs[start..]
}

/// Replaces a small file: at every moment it holds the old content or the new, whole.
pub(super) async fn replace_file<L: Lane>(
    lane: &L,
    dir: &Path,
    name: &str,
    content: Bytes,
) -> Result<(), StorageError> {
    let path = dir.join(name);
    let tmp = dir.join(format!("{name}{TMP_SUFFIX}"));
    let mut file = lane.open(&tmp, OpenMode::Create).await.when("creating", &tmp)?;
    file.write_at(0, content).await.when("writing", &tmp)?;
    file.sync().await.when("syncing", &tmp)?;
    drop(file);
    lane.rename(&tmp, &path).await.when("renaming", &tmp)?;
    lane.sync_dir(dir).await.when("syncing", dir)
}

/// A whole small file; `None` if there is none.
pub(super) async fn read_file<L: Lane>(
    lane: &L,
    path: &Path,
) -> Result<Option<Bytes>, StorageError> {
    match lane.read(path).await {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).when("reading", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_other_than_zookeepers_are_no_logs_and_no_snapshots() {
        assert_eq!(parse_log_name("log.10000000a"), Some(Zxid(0x1_0000_000a)));
        for name in ["log.", "log.x", "log.1.tmp", "log.+1", "log.-1", "zeros.1", "snapshot.1"] {
            assert_eq!(parse_log_name(name), None, "{name}");
        }
        assert_eq!(
            parse_snapshot_name("snapshot.b.gz").map(|s| (s.zxid, s.compression)),
            Some((Zxid(0xb), Compression::Gz))
        );
        for name in ["snapshot.1.tmp", "snapshot.", "snapshot.1.gz.tmp", "log.1"] {
            assert_eq!(parse_snapshot_name(name), None, "{name}");
        }
    }

    #[test]
    fn the_log_that_straddles_a_zxid_is_among_those_from_it() {
        let logs: Vec<LogName> =
            [1, 5, 9].map(|first| LogName { first: Zxid(first), len: 0 }).into();
        let firsts = |from| -> Vec<i64> {
            logs_from(&logs, Zxid(from)).iter().map(|log| log.first.0).collect()
        };
        assert_eq!(firsts(0), [1, 5, 9]);
        assert_eq!(firsts(4), [1, 5, 9]);
        assert_eq!(firsts(5), [5, 9]);
        assert_eq!(firsts(8), [5, 9]);
        assert_eq!(firsts(99), [9]);
        assert!(logs_from(&[], Zxid(1)).is_empty());
    }
}
