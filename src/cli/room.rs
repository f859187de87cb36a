//! Whether a server that starts has room on its disks: a warning says so before it ends for the want of it.
//!
//! Not here: what happens when a disk is full (storage).

use std::fs;
use std::path::Path;

use tracing::warn;

use crate::config::ServerConfig;
use crate::runtime::os::{Room, room_in};

/// Logs that are begun one after another before any is removed.
const LOGS: u64 = 3;
/// A 20th of a disk is to be free, or this much if that is less.
const FREE_MIN: u64 = 1 << 30;
/// Where the files lie in dataDir and dataLogDir.
const VERSION_DIR: &str = "version-2";

/// Logs go to dataLogDir and snapshots to dataDir, which may share a disk.
pub(super) fn warn_of_little(config: &ServerConfig) {
    let logs = config.pre_alloc_bytes.saturating_mul(LOGS);
    let snapshot = largest_snapshot(&config.data_dir.join(VERSION_DIR));
    let all = logs.saturating_add(snapshot);
    let (data_dir, log_dir) = (&config.data_dir, &config.data_log_dir);
    let look = |dir| {
        room_in(dir).inspect_err(|error| {
            warn!(dir = %Path::display(dir), %error, "cannot see how much room there is");
        })
    };
    let (data, log) = (look(data_dir).ok(), look(log_dir).ok());
    let are_one = data.zip(log).is_some_and(|(data, log)| data.disk == log.disk);
    if are_one {
        warn_if_little("dataDir", data_dir, data, all);
    } else {
        warn_if_little("dataDir", data_dir, data, snapshot);
        warn_if_little("dataLogDir", log_dir, log, logs);
    }
}

fn warn_if_little(key: &str, dir: &Path, room: Option<Room>, needed: u64) {
    if let Some(room) = room
        && let Some(wanted) = wanted(room, needed)
    {
        let (dir, free) = (dir.display(), mib(room.free));
        let wanted = mib(wanted);
        warn!(
            "{key} ({dir}) has {free} MiB free, and {wanted} MiB are wanted: with a full disk the server ends"
        );
    }
}

/// How many bytes should be free, if there are less.
fn wanted(room: Room, needed: u64) -> Option<u64> {
    let wanted = needed.max((room.whole / 20).min(FREE_MIN));
    (room.free < wanted).then_some(wanted)
}

/// The next one may be as long. 0 if there is none, or nobody can see.
fn largest_snapshot(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let snapshots =
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("snapshot."));
    snapshots.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).max().unwrap_or(0)
}

/// Rounded up.
fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn what_is_wanted_is_what_is_needed_and_a_share_of_the_disk() {
        let room = |free, whole| Room { free, whole, disk: 7 };
        assert_eq!(wanted(room(2 * GIB, 10 * GIB), GIB), None);
        assert_eq!(wanted(room(GIB, 10 * GIB), 3 * GIB), Some(3 * GIB));
        assert_eq!(wanted(room(GIB / 4, 10 * GIB), 0), Some(GIB / 2), "a 20th");
        assert_eq!(wanted(room(2 * GIB, 1000 * GIB), 0), None, "a large disk need not be empty");
        assert_eq!(wanted(room(0, 1000 * GIB), 0), Some(GIB));
    }

    #[test]
    fn the_largest_snapshot_counts_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(largest_snapshot(&dir.path().join("none")), 0);
        for (name, len) in
            [("snapshot.0", 5), ("snapshot.100000003", 30), ("snapshot.9", 7), ("log.1", 90)]
        {
            fs::write(dir.path().join(name), vec![0; len]).expect("it is written");
        }
        assert_eq!(largest_snapshot(dir.path()), 30);
    }
}
