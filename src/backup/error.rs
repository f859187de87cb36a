//! Why a backup or a restore cannot be, or cannot go on, and what to do about it.

use std::io;
use std::path::Path;

use crate::base::Zxid;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum BackupError {
    /// The command is wrong, or what it names.
    #[error("{0}")]
    Invalid(String),
    /// Nothing is broken, and going on would do harm.
    #[error("{0}")]
    Refused(String),
    #[error("{doing} {place} failed: {error}")]
    Io { doing: &'static str, place: String, error: io::Error },
    /// A part of a backup, or a file that it names.
    #[error("{place} is missing")]
    Missing { place: String },
    #[error("{place} is damaged: {why}")]
    Damaged { place: String, why: String },
    /// What the server does meanwhile: the copy begins anew.
    #[error("{place} was changed or removed while it was read")]
    Moved { place: String },
    #[error(
        "the logs in {dir} do not lead from {previous} to {found}, and no valid snapshot lies between: \
         a server would not start on them either. Take the backup from another server of the ensemble"
    )]
    Gap { dir: String, previous: Zxid, found: Zxid },
    #[error("{server}: {why}")]
    Server { server: String, why: String },
    #[error("{target}: {why}")]
    #[cfg_attr(not(feature = "s3"), allow(dead_code, reason = "only a store of objects has them"))]
    Objects { target: String, why: String },
}

impl BackupError {
    pub(super) fn io(doing: &'static str, place: &Path, error: io::Error) -> BackupError {
        BackupError::Io { doing, place: place.display().to_string(), error }
    }

    /// The command is to be given otherwise; else it failed.
    pub(super) fn is_invalid(&self) -> bool {
        matches!(self, BackupError::Invalid(_))
    }
}

/// Says what was being done to which file.
pub(super) trait While<T> {
    fn when(self, doing: &'static str, place: &Path) -> Result<T, BackupError>;
}

impl<T> While<T> for io::Result<T> {
    fn when(self, doing: &'static str, place: &Path) -> Result<T, BackupError> {
        self.map_err(|error| BackupError::io(doing, place, error))
    }
}
