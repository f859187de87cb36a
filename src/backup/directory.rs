//! A store that is a directory: a name is a file below it.
//!
//! Not here: other stores (objects.rs).

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::error::{BackupError, While};
use super::store::{Store, Stored};

/// Files below a directory.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
    /// Held by who writes.
    _lock: Option<File>,
}

/// What is being written. Nobody reads it.
const UNFINISHED: &str = ".tmp";
const LOCK: &str = "lock";

impl Directory {
    pub(super) fn to_read(root: &Path) -> Result<Directory, BackupError> {
        if !root.is_dir() {
            let why = format!("{} is no directory: there is no backup", root.display());
            return Err(BackupError::Invalid(why));
        }
        Ok(Directory { root: root.to_path_buf(), _lock: None })
    }

    /// Made if it is not there. What one that was interrupted has left unfinished goes.
    pub(super) fn to_write(root: &Path) -> Result<Directory, BackupError> {
        fs::create_dir_all(root).when("creating", root)?;
        let path = root.join(LOCK);
        let lock = File::create(&path).when("creating", &path)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(BackupError::Refused(format!(
                "{} is held by another backup to this directory: wait until it has ended",
                path.display()
            )));
        }
        let directory = Directory { root: root.to_path_buf(), _lock: Some(lock) };
        for folder in directory.folders()? {
            for entry in fs::read_dir(&folder).when("listing", &folder)? {
                let path = entry.when("listing", &folder)?.path();
                if path.to_string_lossy().ends_with(UNFINISHED) {
                    fs::remove_file(&path).when("removing", &path)?;
                }
            }
        }
        Ok(directory)
    }

    fn folders(&self) -> Result<Vec<PathBuf>, BackupError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.root).when("listing", &self.root)? {
            let path = entry.when("listing", &self.root)?.path();
            found.extend(path.is_dir().then_some(path));
        }
        Ok(found)
    }
}

impl Store for Directory {
    fn list(&self, folder: &str) -> Result<Vec<Stored>, BackupError> {
        let dir = self.root.join(folder);
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.when("listing", &dir)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.when("listing", &dir)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // One that goes meanwhile was there.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() && !name.ends_with(UNFINISHED) {
                found.push(Stored { name, bytes: metadata.len() });
            }
        }
        found.sort();
        Ok(found)
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, BackupError> {
        let path = self.root.join(name);
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(BackupError::Missing { place: self.place(name) })
            }
            content => content.when("reading", &path),
        }
    }

    fn put(&self, name: &str, content: Vec<u8>) -> Result<(), BackupError> {
        let path = self.root.join(name);
        let unfinished = self.root.join(format!("{name}{UNFINISHED}"));
        let parent = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(parent).when("creating", parent)?;
        let mut file = File::create(&unfinished).when("creating", &unfinished)?;
        file.write_all(&content).when("writing", &unfinished)?;
        file.sync_data().when("syncing", &unfinished)?;
        fs::rename(&unfinished, &path).when("renaming", &unfinished)
    }

    fn delete(&self, name: &str) -> Result<(), BackupError> {
        let path = self.root.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.when("removing", &path),
        }
    }

    fn settle(&self) -> Result<(), BackupError> {
        let mut dirs = self.folders()?;
        dirs.push(self.root.clone());
        for dir in dirs {
            sync_dir(&dir)?;
        }
        Ok(())
    }

    fn place(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), BackupError> {
    File::open(dir).and_then(|dir| dir.sync_all()).when("syncing", dir)
}
