//! Files, directories and what makes them durable.
//!
//! Durable means: file contents after `File::sync`, names (create, rename, remove) after
//! `Lane::sync_dir` of their directory. Everything else may be lost or torn by a crash, in any
//! order, at 512-byte sectors.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::Stamp;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenMode {
    /// The file must exist.
    Read,
    /// Read and write; the file must exist.
    Write,
    /// Read and write; created empty, or emptied if it exists.
    Create,
}

/// Who may do what with the files that a server makes, as bits of a Unix mode. Files that exist keep
/// theirs, and the umask of the process takes away from these as always.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FilePermissions(u32);

impl FilePermissions {
    /// Three octal digits: the owner reads and writes, and nobody executes.
    pub fn parse(text: &str) -> Option<FilePermissions> {
        let digits = text.strip_prefix('0').filter(|rest| rest.len() == 3).unwrap_or(text);
        let is_octal = digits.len() == 3 && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
        let mode = u32::from_str_radix(digits, 8).ok().filter(|_| is_octal)?;
        (mode & 0o600 == 0o600 && mode & 0o111 == 0).then_some(FilePermissions(mode))
    }

    pub fn of_file(self) -> u32 {
        self.0
    }

    /// Whoever may read a file may enter its directory.
    pub fn of_directory(self) -> u32 {
        self.0 | (self.0 & 0o444) >> 2
    }
}

impl Default for FilePermissions {
    /// The owner and, for reading, his group.
    fn default() -> FilePermissions {
        FilePermissions(0o640)
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DirEntry {
    pub name: String,
    pub len: u64,
}

/// One queue of disk operations. Each operation begins when the one before it has ended.
pub trait Lane: Clone + 'static {
    type File: File;

    /// The operations that follow were asked for by an event of this stamp.
    fn begin(&self, at: Stamp);
    /// When the last operation of this lane ended.
    fn ended(&self) -> Stamp;

    fn open(&self, path: &Path, mode: OpenMode) -> impl Future<Output = io::Result<Self::File>>;
    /// Files (not directories) in a directory, sorted by name. `NotFound` if it does not exist.
    fn list(&self, dir: &Path) -> impl Future<Output = io::Result<Vec<DirEntry>>>;
    fn create_dir_all(&self, dir: &Path) -> impl Future<Output = io::Result<()>>;
    fn rename(&self, from: &Path, to: &Path) -> impl Future<Output = io::Result<()>>;
    fn remove(&self, path: &Path) -> impl Future<Output = io::Result<()>>;
    /// Makes names in this directory durable.
    fn sync_dir(&self, dir: &Path) -> impl Future<Output = io::Result<()>>;
    /// The whole content of a small file.
    fn read(&self, path: &Path) -> impl Future<Output = io::Result<Bytes>> {
        let path: PathBuf = path.to_path_buf();
        async move {
            let mut file = self.open(&path, OpenMode::Read).await?;
            let len = file.len().await?;
            file.read_at(0, len as usize).await
        }
    }
}

#[allow(clippy::len_without_is_empty)] // a file of no bytes is nothing special here
pub trait File: 'static {
    fn len(&mut self) -> impl Future<Output = io::Result<u64>>;
    /// Up to `len` bytes from `offset`; fewer only at the end of the file.
    fn read_at(&mut self, offset: u64, len: usize) -> impl Future<Output = io::Result<Bytes>>;
    /// Writes all of `data` at `offset`, growing the file if needed.
    fn write_at(&mut self, offset: u64, data: Bytes) -> impl Future<Output = io::Result<()>>;
    /// Writes `len` real zeros at `offset` (never a hole: see performance law "zeros ahead").
    fn write_zeros_at(&mut self, offset: u64, len: u64) -> impl Future<Output = io::Result<()>>;
    fn set_len(&mut self, len: u64) -> impl Future<Output = io::Result<()>>;
    /// fdatasync: content and length are durable when it returns. A failure is final.
    fn sync(&mut self) -> impl Future<Output = io::Result<()>>;
    /// `write_at`, then `sync`. The machine does both on one way to the disk's thread and back.
    fn write_and_sync(&mut self, offset: u64, data: Bytes) -> impl Future<Output = io::Result<()>> {
        async move {
            self.write_at(offset, data).await?;
            self.sync().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_three_octal_digits_of_which_the_owner_has_read_and_write() {
        let of = |text| FilePermissions::parse(text).map(|p| (p.of_file(), p.of_directory()));
        assert_eq!(of("640"), Some((0o640, 0o750)));
        assert_eq!(of("0664"), Some((0o664, 0o775)));
        assert_eq!(of("600"), Some((0o600, 0o700)));
        assert_eq!(FilePermissions::parse("640"), Some(FilePermissions::default()));
        for wrong in ["440", "750", "64", "0640x", "1640", "+40", "-rw-r-----", "689", ""] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
