//! Which files a path of the command line stands for.
//!
//! A file is itself. A directory is a server's dataDir or dataLogDir, its `version-2`, or any other in
//! which such files lie.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::ToolError;
use super::verdict::Disk;
use crate::runtime::{Lane, OpenMode};
use crate::storage::{Layout, VERSION_2};

/// Longer records of a log are taken for damage. `jute.maxbuffer` is 1 MiB if nothing is said.
const PAYLOAD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Of snapshots that lie in the first directory, and logs in the second.
pub(super) fn layout_of(snap_dir: &Path, log_dir: &Path) -> Layout {
    Layout::of_files(snap_dir.to_path_buf(), log_dir.to_path_buf(), PAYLOAD_BYTES_MAX)
}

/// The directory in which the files lie; `None` if the path is a file's.
pub(super) async fn directory(disk: &Disk, path: &Path) -> Result<Option<PathBuf>, ToolError> {
    match disk.list(path).await {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(ToolError::Invalid(error.to_string())),
    }
    let below = path.join(VERSION_2);
    let is_above = disk.list(&below).await.is_ok();
    Ok(Some(if is_above { below } else { path.to_path_buf() }))
}

/// The logs that these paths stand for; those of a directory oldest first.
pub(super) async fn logs(disk: &Disk, paths: &[PathBuf]) -> Result<Vec<PathBuf>, ToolError> {
    let mut files = Vec::new();
    for path in paths {
        let Some(dir) = directory(disk, path).await? else {
            files.push(path.clone());
            continue;
        };
        let layout = layout_of(&dir, &dir);
        let logs = layout.logs(disk).await?;
        if logs.is_empty() {
            let dir = dir.display();
            return Err(ToolError::Invalid(format!("there is no transaction log in {dir}")));
        }
        files.extend(logs.iter().map(|log| layout.log(log.first)));
    }
    Ok(files)
}

/// The snapshots that these paths stand for; those of a directory oldest first.
pub(super) async fn snapshots(disk: &Disk, paths: &[PathBuf]) -> Result<Vec<PathBuf>, ToolError> {
    let mut files = Vec::new();
    for path in paths {
        let Some(dir) = directory(disk, path).await? else {
            files.push(path.clone());
            continue;
        };
        let snapshots = layout_of(&dir, &dir).snapshots(disk).await?;
        if snapshots.is_empty() {
            let dir = dir.display();
            return Err(ToolError::Invalid(format!("there is no snapshot in {dir}")));
        }
        files.extend(snapshots.iter().rev().map(|snapshot| dir.join(&snapshot.name)));
    }
    Ok(files)
}

/// Refuses to write over what is there.
pub(super) async fn must_be_new(disk: &Disk, path: &Path) -> Result<(), ToolError> {
    match disk.open(path, OpenMode::Read).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(ToolError::Invalid(error.to_string())),
        Ok(_) => Err(ToolError::Invalid(format!(
            "{} exists already: name a new file, nothing is written over",
            path.display()
        ))),
    }
}
