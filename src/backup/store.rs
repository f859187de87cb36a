//! Where backups are kept: names and bytes.
//!
//! A name has all of its bytes or does not exist. Behind [`Store::settle`] all that was put stays.
//!
//! Not here: what the names mean (manifest.rs); files (directory.rs), objects of S3 (objects.rs).

use super::error::BackupError;

/// A file or an object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Stored {
    /// Below its folder.
    pub(super) name: String,
    pub(super) bytes: u64,
}

pub(super) trait Store {
    /// What is in a folder, in order. Nothing if there is no such folder.
    fn list(&self, folder: &str) -> Result<Vec<Stored>, BackupError>;
    fn get(&self, name: &str) -> Result<Vec<u8>, BackupError>;
    fn put(&self, name: &str, content: Vec<u8>) -> Result<(), BackupError>;
    /// It may be gone already.
    fn delete(&self, name: &str) -> Result<(), BackupError>;
    fn settle(&self) -> Result<(), BackupError>;
    /// As the operator finds it.
    fn place(&self, name: &str) -> String;
}
