//! Files and directories that the command makes, with the permissions of a server's own.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::runtime::FilePermissions;

pub(super) fn create_dirs(dir: &Path, permissions: FilePermissions) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(permissions.of_directory()).create(dir)
}

/// Empties it if it exists.
pub(super) fn create(file: &Path, permissions: FilePermissions) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(permissions.of_file()).open(file)
}

pub(super) fn append_to(file: &Path, permissions: FilePermissions) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(permissions.of_file()).open(file)
}
