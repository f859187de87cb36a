//! Which store a word of the command line means.

use std::path::Path;

use super::directory::Directory;
use super::error::BackupError;
use super::store::Store;

/// A store that holds this target. `to_write`: a directory that is not there is made, and nobody else
/// writes to it meanwhile.
pub(super) fn open(target: &str, to_write: bool) -> Result<Box<dyn Store>, BackupError> {
    if let Some(rest) = target.strip_prefix("s3://") {
        return open_objects(target, rest);
    }
    if target.contains("://") {
        return Err(BackupError::Invalid(format!(
            "{target}: a target is a directory or s3://BUCKET/PREFIX"
        )));
    }
    let root = Path::new(target);
    if to_write {
        return Ok(Box::new(Directory::to_write(root)?));
    }
    Ok(Box::new(Directory::to_read(root)?))
}

#[cfg(feature = "s3")]
fn open_objects(target: &str, rest: &str) -> Result<Box<dyn Store>, BackupError> {
    Ok(Box::new(super::objects::Objects::open(target, rest)?))
}

#[cfg(not(feature = "s3"))]
fn open_objects(target: &str, _rest: &str) -> Result<Box<dyn Store>, BackupError> {
    Err(BackupError::Invalid(format!(
        "{target}: this program was built without S3: build it with `cargo build --release --features s3`"
    )))
}
