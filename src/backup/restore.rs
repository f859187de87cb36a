//! Makes a data directory of a backup.
//!
//!     <dataDir>/restore.unfinished/version-2    written, synced, and read as a start of a server reads it
//!     <dataDir>/version-2                       its name then, in one step
//!
//! Whoever is interrupted leaves `restore.unfinished`, which no server looks at and the next restore
//! removes. With a dataLogDir the logs get their name first: a server that finds them alone refuses to start.
//!
//! No guard file is written, so that a server takes the directory for a new one of its own. What the epoch
//! files say is far ahead of every epoch that the backup knows of: no zxid is given out a second time, and
//! an old data directory that joins by mistake loses the election.
//!
//! Not here: which state (choice.rs), whether it is a tree (replay.rs).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::checksum::Sum;
use super::choice::{Choice, bases};
use super::directory::sync_dir;
use super::error::{BackupError, While};
use super::manifest::{Chunk, Part, SnapshotFile};
use super::progress::Progress;
use super::records::each_in_part;
use super::replay::{Replayed, replay};
use super::store::Store;
use super::verify::read_part;
use crate::base::Zxid;
use crate::runtime::FilePermissions;
use crate::storage::log_format::encode_log_header;
use crate::storage::{EpochKind, VERSION_2, log_name, snapshot_name};

/// What is being made lies here.
const UNFINISHED: &str = "restore.unfinished";
/// So many leaderships the old ensemble may have had behind the backup.
const EPOCHS_AHEAD: i64 = 1000;

pub(super) struct Restored {
    pub(super) target: Zxid,
    /// The snapshot, as it is named there.
    pub(super) snapshot: String,
    /// Behind it.
    pub(super) transactions: u64,
    /// By the clock of its leader; `None`: no transaction is behind the snapshot.
    pub(super) time_ms: Option<i64>,
    pub(super) nodes: usize,
    pub(super) digest: u64,
    /// The snapshot alone may hold some of what was written while it was, and lack another.
    pub(super) is_exact: bool,
    pub(super) epoch: Option<i64>,
}

/// Where a state is written.
pub(super) struct Place {
    data_dir: PathBuf,
    data_log_dir: PathBuf,
}

impl Place {
    /// Refuses one that is in use.
    pub(super) fn new(data_dir: &Path, data_log_dir: Option<&Path>) -> Result<Place, BackupError> {
        let data_log_dir = data_log_dir.unwrap_or(data_dir);
        for dir in [data_dir, data_log_dir] {
            let version_2 = dir.join(VERSION_2);
            let is_empty = match fs::read_dir(&version_2) {
                Err(error) if error.kind() == ErrorKind::NotFound => true,
                entries => entries.when("listing", &version_2)?.next().is_none(),
            };
            if !is_empty {
                return Err(BackupError::Invalid(format!(
                    "{} is not empty: a state is restored into an empty directory alone. Stop the server, \
                     and move it away (mv {0} {0}.old)",
                    version_2.display()
                )));
            }
        }
        Ok(Place { data_dir: data_dir.to_path_buf(), data_log_dir: data_log_dir.to_path_buf() })
    }

    fn dirs(&self) -> Vec<&Path> {
        let mut dirs = vec![self.data_log_dir.as_path(), self.data_dir.as_path()];
        dirs.dedup();
        dirs
    }

    fn staged(dir: &Path) -> PathBuf {
        dir.join(UNFINISHED)
    }

    fn snap_dir(&self) -> PathBuf {
        Place::staged(&self.data_dir).join(VERSION_2)
    }

    fn log_dir(&self) -> PathBuf {
        Place::staged(&self.data_log_dir).join(VERSION_2)
    }

    fn begin(&self) -> Result<(), BackupError> {
        self.remove_staged()?;
        let mode = FilePermissions::default().of_directory();
        for dir in self.dirs() {
            let staged = Place::staged(dir).join(VERSION_2);
            let made = DirBuilder::new().recursive(true).mode(mode).create(&staged);
            made.when("creating", &staged)?;
        }
        Ok(())
    }

    /// The names that servers look at.
    fn publish(&self) -> Result<(), BackupError> {
        for dir in self.dirs() {
            let staged = Place::staged(dir).join(VERSION_2);
            sync_dir(&staged)?;
            fs::rename(&staged, dir.join(VERSION_2)).when("renaming", &staged)?;
            sync_dir(dir)?;
        }
        self.remove_staged()
    }

    fn remove_staged(&self) -> Result<(), BackupError> {
        for dir in self.dirs() {
            let staged = Place::staged(dir);
            match fs::remove_dir_all(&staged) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed.when("removing", &staged)?,
            }
        }
        Ok(())
    }
}

/// Writes the state, reads it as a server does, and gives it its name.
pub(super) fn restore(
    store: &dyn Store,
    choice: &Choice,
    place: &Place,
) -> Result<Restored, BackupError> {
    let mut refused = None;
    // An older base holds no effects that the newer one might have and must not.
    for base in bases(&choice.manifest, choice.target) {
        place.begin()?;
        let mut restored = write_state(store, choice, base, place)?;
        match replay(&Place::staged(&place.data_dir), &Place::staged(&place.data_log_dir))? {
            Replayed { differs: Some(why), .. } => refused = Some(why),
            Replayed { last, nodes, digest, .. } => {
                assert!(last == choice.target, "{last} was written, and {} chosen", choice.target);
                (restored.nodes, restored.digest) = (nodes, digest);
                place.publish()?;
                return Ok(restored);
            }
        }
    }
    place.remove_staged()?;
    Err(BackupError::Refused(format!(
        "the state at {} cannot be made exactly: {}. Choose a later one with --at",
        choice.target,
        refused.unwrap_or("there is no snapshot before it".into())
    )))
}

fn write_state(
    store: &dyn Store,
    choice: &Choice,
    base: usize,
    place: &Place,
) -> Result<Restored, BackupError> {
    let (manifest, target) = (&choice.manifest, choice.target);
    let file = &manifest.snapshots[base];
    let log: Vec<&Chunk> = manifest
        .log
        .iter()
        .filter(|chunk| chunk.last > file.zxid && chunk.first <= target)
        .collect();
    let is_exact = !log.is_empty() || file.zxid == target;
    // Without a log it is as new as the newest of its effects.
    let name = if is_exact { file.name.clone() } else { renamed(file, target) };
    let mut progress = Progress::new();
    write_snapshot(store, file, &place.snap_dir().join(&name), &mut progress)?;
    let mut tail =
        Tail { previous: file.zxid, target, first: None, transactions: 0, time_ms: None };
    if !log.is_empty() {
        tail.write(store, &log, &place.log_dir(), &mut progress)?;
    }
    let epoch = manifest
        .accepted_epoch
        .map(|accepted| accepted.max(manifest.last().epoch().0).saturating_add(EPOCHS_AHEAD));
    for which in [EpochKind::Accepted, EpochKind::Current] {
        let Some(epoch) = epoch else { continue };
        let mut file = create(&place.snap_dir().join(which.file_name()))?;
        file.add(epoch.to_string().as_bytes())?;
        file.finish()?;
    }
    let Tail { transactions, time_ms, .. } = tail;
    let (snapshot, nodes, digest) = (name, 0, 0);
    Ok(Restored { target, snapshot, transactions, time_ms, nodes, digest, is_exact, epoch })
}

/// The name of the file for another zxid.
fn renamed(file: &SnapshotFile, zxid: Zxid) -> String {
    file.name.replacen(&snapshot_name(file.zxid), &snapshot_name(zxid), 1)
}

fn write_snapshot(
    store: &dyn Store,
    file: &SnapshotFile,
    path: &Path,
    progress: &mut Progress,
) -> Result<(), BackupError> {
    let mut written = create(path)?;
    let mut sum = Sum::default();
    for part in &file.parts {
        let content = get(store, part, progress)?;
        sum.add(&content);
        written.add(&content)?;
    }
    let found = sum.hex();
    if found != file.sha256 {
        let why =
            format!("its parts together have SHA-256 {found}, its manifest says {}", file.sha256);
        return Err(BackupError::Damaged { place: file.name.clone(), why });
    }
    written.finish()
}

fn get(store: &dyn Store, part: &Part, progress: &mut Progress) -> Result<Vec<u8>, BackupError> {
    let content = read_part(store, part)?;
    progress.show(|| format!("reading {}", part.name()));
    Ok(content)
}

/// The transactions behind the snapshot, up to the last that is wanted.
struct Tail {
    previous: Zxid,
    target: Zxid,
    first: Option<Zxid>,
    transactions: u64,
    time_ms: Option<i64>,
}

impl Tail {
    fn write(
        &mut self,
        store: &dyn Store,
        log: &[&Chunk],
        dir: &Path,
        progress: &mut Progress,
    ) -> Result<(), BackupError> {
        let mut file: Option<Written> = None;
        for chunk in log {
            let content = get(store, &chunk.part(), progress)?;
            let mut kept = Vec::new();
            let place = store.place(&chunk.part().name());
            each_in_part(&content, &place, |record| {
                if record.zxid <= self.previous || record.zxid > self.target {
                    return Ok(());
                }
                if !self.previous.is_followed_by(record.zxid) {
                    let why = format!("{} does not follow {}", record.zxid, self.previous);
                    return Err(BackupError::Damaged { place: place.clone(), why });
                }
                self.previous = record.zxid;
                self.first.get_or_insert(record.zxid);
                self.transactions += 1;
                self.time_ms = Some(record.time_ms);
                kept.extend_from_slice(record.bytes);
                Ok(())
            })?;
            let Some(first) = self.first else { continue };
            let file = match &mut file {
                Some(file) => file,
                none => {
                    let file = none.insert(create(&dir.join(log_name(first)))?);
                    let mut head = Vec::new();
                    encode_log_header(&mut head);
                    file.add(&head)?;
                    file
                }
            };
            file.add(&kept)?;
        }
        file.map_or(Ok(()), Written::finish)
    }
}

/// A file that is being written.
struct Written {
    path: PathBuf,
    file: File,
}

fn create(path: &Path) -> Result<Written, BackupError> {
    let mode = FilePermissions::default().of_file();
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    Ok(Written { path: path.to_path_buf(), file: opened.when("creating", path)? })
}

impl Written {
    fn add(&mut self, content: &[u8]) -> Result<(), BackupError> {
        self.file.write_all(content).when("writing", &self.path)
    }

    fn finish(self) -> Result<(), BackupError> {
        self.file.sync_all().when("syncing", &self.path)
    }
}
