//! What can be wrong with a disk or with what stands on it.
//!
//! Every variant but `CannotTruncate` ends the server: a failed write is never tried again (the
//! kernel may have dropped the page and report success next time), and a damaged history is
//! never served.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::log_format::RecordFault;
use crate::base::{Epoch, Zxid};
use crate::jute::DecodeError;
use crate::runtime::{BadFile, Halt};

#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum StorageError {
    #[error("{doing} {file} failed: {reason}", file = .file.display())]
    Io { doing: &'static str, file: PathBuf, kind: io::ErrorKind, reason: String },
    #[error(
        "{file} is damaged at offset {offset}: {fault}. See what can be saved (quorate txnlog verify), \
         or take the file away and let the ensemble bring this server up to date", file = .file.display()
    )]
    DamagedLog { file: PathBuf, offset: u64, fault: RecordFault },
    #[error(
        "{file} was durable up to offset {bound}, but its records end at offset {offset} ({why}): \
         the disk has lost data. {WAY_OUT}", file = .file.display()
    )]
    DurableDataLost { file: PathBuf, offset: u64, bound: u64, why: String },
    #[error(
        "{file} is missing, but it was durable up to offset {bound}, with transactions up to \
         {last}: the disk has lost data. {WAY_OUT}", file = .file.display()
    )]
    DurableLogMissing { file: PathBuf, bound: u64, last: Zxid },
    #[error(
        "transaction {missed} was durable in {dir}, but is not a part of what is left there: \
         {base} in a snapshot, and logs up to {last}, where {floor} was reached{skipped}. The disk \
         has lost data. {WAY_OUT}",
        dir = .dir.display(), skipped = Skipped(.skipped)
    )]
    HistoryLost {
        dir: PathBuf,
        /// The first transaction that is known and not found.
        missed: Zxid,
        /// How far the history once reached.
        floor: Zxid,
        base: Zxid,
        last: Zxid,
        skipped: Option<SkippedSnapshot>,
    },
    #[error("{file} does not begin as a transaction log does ({what})", file = .file.display())]
    NotALog { file: PathBuf, what: String },
    #[error("{file} holds at offset {offset} a transaction that cannot be read: {why}",
        file = .file.display())]
    UnreadableTxn { file: PathBuf, offset: u64, why: DecodeError },
    #[error(
        "{file} holds at offset {offset} transaction {found} behind {previous}: what lies between \
         is missing", file = .file.display()
    )]
    Gap { file: PathBuf, offset: u64, previous: Zxid, found: Zxid },
    #[error("{file} holds at offset {offset} transaction {found} behind {previous}: zxids must rise",
        file = .file.display())]
    NotRising { file: PathBuf, offset: u64, previous: Zxid, found: Zxid },
    #[error(
        "no valid snapshot in {dir}, but there are transaction logs: a tree rebuilt from a part \
         of its history would be wrong. If the logs are whole, as those of ZooKeeper 3.4 may be, \
         start it once with snapshot.trust.empty=true", dir = .dir.display()
    )]
    NoSnapshot { dir: PathBuf },
    #[error("none of the snapshots in {dir} is valid; the newest, {newest}: {why}",
        dir = .dir.display())]
    NoValidSnapshot { dir: PathBuf, newest: String, why: String },
    #[error(
        "{dir} is missing, and datadir.autocreate is false: make it by hand, with permissions for \
         the user of this server", dir = .dir.display()
    )]
    MissingDirectory { dir: PathBuf },
    #[error("{file} lies in the wrong directory: dataDir takes snapshots, dataLogDir takes logs",
        file = .file.display())]
    Misplaced { file: PathBuf },
    #[error("{file} is not an epoch: {text:?}", file = .file.display())]
    NotAnEpoch { file: PathBuf, text: String },
    #[error(
        "the current epoch, {current}, is older than that of the last zxid, {last}, and no epoch \
         that new was accepted: epoch files and log are not of one server"
    )]
    CurrentEpochTooOld { current: Epoch, last: Zxid },
    #[error(
        "the accepted epoch, {accepted}, is less than the current epoch, {current}: a promise \
         was lost, and voting could elect two leaders of one epoch"
    )]
    AcceptedEpochTooOld { accepted: Epoch, current: Epoch },
    #[error(
        "{file} is missing, but this server has written here: a promise was lost, and voting could \
         elect two leaders of one epoch. Restore the file; or empty the directory and let the \
         ensemble bring this server up to date", file = .file.display()
    )]
    AcceptedEpochMissing { file: PathBuf },
    #[error("cannot truncate to {to}: {why}")]
    CannotTruncate { to: Zxid, why: &'static str },
    #[error("a request came before Load")]
    NotLoaded,
    #[error("no snapshot has begun")]
    NoSnapshotBegun,
    #[error("storage has stopped after an earlier failure: {why}")]
    Stopped { why: Earlier },
}

/// What an operator can do about data that a disk has lost.
const WAY_OUT: &str = "Restore the file; or, if the other servers are a quorum without this one, \
     stop it, empty version-2 in dataDir and dataLogDir, and start it: they bring it up to date; \
     or, if files were taken away or put back on purpose, remove quorate.guard";

/// A snapshot that was passed over, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SkippedSnapshot {
    pub(super) name: String,
    pub(super) why: String,
}

struct Skipped<'a>(&'a Option<SkippedSnapshot>);

impl fmt::Display for Skipped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(SkippedSnapshot { name, why }) => write!(f, " ({name} is unreadable: {why})"),
            None => Ok(()),
        }
    }
}

/// The failure after which storage has stopped. Shown as its words alone, as everywhere in a trace.
#[derive(Clone, PartialEq, Eq)]
pub struct Earlier(pub(super) Box<StorageError>);

impl fmt::Display for Earlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Earlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.to_string(), f)
    }
}

impl StorageError {
    /// Nothing was changed, and the driver goes on.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(
            self,
            StorageError::CannotTruncate { .. }
                | StorageError::NotLoaded
                | StorageError::NoSnapshotBegun
        )
    }

    /// It is not the disk that fails: this process may not do what it wants to, or the directories are
    /// not those that it was given before. (DatadirException and the exceptions below it)
    fn is_no_access(&self) -> bool {
        use io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
        match self {
            StorageError::Io { kind, .. } => {
                matches!(kind, PermissionDenied | NotADirectory | ReadOnlyFilesystem)
            }
            StorageError::Misplaced { .. } | StorageError::MissingDirectory { .. } => true,
            StorageError::Stopped { why: Earlier(first) } => first.is_no_access(),
            _ => false,
        }
    }

    /// The file to blame, if it is one.
    fn bad_file(&self) -> Option<BadFile> {
        let (path, failed) = match self {
            StorageError::Io { file, kind, .. } => (file.clone(), Some(*kind)),
            StorageError::DamagedLog { file, .. }
            | StorageError::DurableDataLost { file, .. }
            | StorageError::DurableLogMissing { file, .. }
            | StorageError::NotALog { file, .. }
            | StorageError::UnreadableTxn { file, .. }
            | StorageError::Gap { file, .. }
            | StorageError::NotRising { file, .. }
            | StorageError::Misplaced { file }
            | StorageError::AcceptedEpochMissing { file }
            | StorageError::NotAnEpoch { file, .. } => (file.clone(), None),
            StorageError::MissingDirectory { dir } => (dir.clone(), None),
            StorageError::NoValidSnapshot { dir, newest, .. } => (dir.join(newest), None),
            StorageError::HistoryLost { dir, skipped: Some(skipped), .. } => {
                (dir.join(&skipped.name), None)
            }
            StorageError::Stopped { why: Earlier(first) } => return first.bad_file(),
            StorageError::NoSnapshot { .. }
            | StorageError::HistoryLost { skipped: None, .. }
            | StorageError::CurrentEpochTooOld { .. }
            | StorageError::AcceptedEpochTooOld { .. }
            | StorageError::CannotTruncate { .. }
            | StorageError::NotLoaded
            | StorageError::NoSnapshotBegun => return None,
        };
        Some(BadFile { path, failed })
    }
}

/// ExitCode.UNABLE_TO_ACCESS_DATADIR
const EXIT_NO_ACCESS: i32 = 3;

/// The end of a process over this error.
impl From<StorageError> for Halt {
    fn from(error: StorageError) -> Halt {
        let ends = match error.is_no_access() {
            true => Halt::new(EXIT_NO_ACCESS, error.to_string()),
            false => Halt::unexpected(error.to_string()),
        };
        Halt { file: error.bad_file(), ..ends }
    }
}

/// Says of an I/O error what was done to which file.
pub(super) trait While<T> {
    fn when(self, doing: &'static str, file: &Path) -> Result<T, StorageError>;
}

impl<T> While<T> for io::Result<T> {
    fn when(self, doing: &'static str, file: &Path) -> Result<T, StorageError> {
        self.map_err(|error| StorageError::Io {
            doing,
            file: file.to_path_buf(),
            kind: error.kind(),
            reason: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_that_has_stopped_blames_the_file_of_the_first_failure_in_the_same_words() {
        let failed: io::Result<()> = Err(io::ErrorKind::StorageFull.into());
        let first = failed.when("syncing", Path::new("/data/log.1")).expect_err("it failed");
        let words = format!("storage has stopped after an earlier failure: {first}");
        let stopped = StorageError::Stopped { why: Earlier(Box::new(first.clone())) };
        assert_eq!(format!("{stopped:?}"), format!("Stopped {{ why: {:?} }}", first.to_string()));
        let (first, stopped) = (Halt::from(first), Halt::from(stopped));
        assert!(first.file.is_some() && first.file == stopped.file);
        assert_eq!(stopped.why, words);
        assert!(!format!("{stopped:?}").contains("file"), "{stopped:?}");
    }
    #[test]
    fn no_access_to_the_data_directory_has_an_exit_code_of_its_own() {
        let exit_code = |kind: io::ErrorKind| {
            let failed: io::Result<()> = Err(kind.into());
            let first = failed.when("create", Path::new("/data/log.1")).expect_err("it failed");
            let stopped = StorageError::Stopped { why: Earlier(Box::new(first.clone())) };
            (Halt::from(first).exit_code, Halt::from(stopped).exit_code)
        };
        assert_eq!(exit_code(io::ErrorKind::PermissionDenied), (3, 3));
        assert_eq!(exit_code(io::ErrorKind::ReadOnlyFilesystem), (3, 3));
        assert_eq!(exit_code(io::ErrorKind::NotADirectory), (3, 3));
        assert_eq!(exit_code(io::ErrorKind::StorageFull), (1, 1));
        assert_eq!(exit_code(io::ErrorKind::Other), (1, 1));
    }
}
