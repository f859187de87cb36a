//! A copy of a disk's files in memory. Storage works on it as on a disk; no operation waits or fails.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;
use quorate::base::Stamp;
use quorate::runtime::{DirEntry, File, Lane, OpenMode};

type Content = Rc<RefCell<Vec<u8>>>;

#[derive(Default)]
struct Files {
    dirs: BTreeSet<PathBuf>,
    named: BTreeMap<PathBuf, Content>,
}

/// A handle on the copies.
#[derive(Clone, Default)]
pub(super) struct DiskCopy(Rc<RefCell<Files>>);

impl DiskCopy {
    pub(super) fn of(files: Vec<(PathBuf, Bytes)>) -> DiskCopy {
        let copy = DiskCopy::default();
        let mut files_of_copy = copy.0.borrow_mut();
        for (path, content) in files {
            files_of_copy.dirs.extend(path.ancestors().skip(1).map(Path::to_path_buf));
            files_of_copy.named.insert(path, Rc::new(RefCell::new(content.to_vec())));
        }
        drop(files_of_copy);
        copy
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Lane for DiskCopy {
    type File = FileCopy;

    fn begin(&self, _: Stamp) {}

    fn ended(&self) -> Stamp {
        Stamp(0)
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> io::Result<FileCopy> {
        let mut files = self.0.borrow_mut();
        if mode == OpenMode::Create {
            let content = files.named.entry(path.to_owned()).or_default();
            content.borrow_mut().clear();
        }
        files.named.get(path).cloned().map(FileCopy).ok_or_else(not_found)
    }

    async fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let files = self.0.borrow();
        if !files.dirs.contains(dir) {
            return Err(not_found());
        }
        let entry = |(path, content): (&PathBuf, &Content)| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            let len = content.borrow().len() as u64;
            (path.parent() == Some(dir)).then_some(DirEntry { name, len })
        };
        Ok(files.named.iter().filter_map(entry).collect())
    }

    async fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.0.borrow_mut().dirs.extend(dir.ancestors().map(Path::to_path_buf));
        Ok(())
    }

    async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.0.borrow_mut();
        let content = files.named.remove(from).ok_or_else(not_found)?;
        files.named.insert(to.to_owned(), content);
        Ok(())
    }

    async fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.borrow_mut().named.remove(path).map(|_| ()).ok_or_else(not_found)
    }

    async fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// One file of a [`DiskCopy`].
pub(super) struct FileCopy(Content);

impl FileCopy {
    fn put(&self, offset: u64, data: &[u8]) {
        let mut content = self.0.borrow_mut();
        let (from, to) = (offset as usize, offset as usize + data.len());
        if content.len() < to {
            content.resize(to, 0);
        }
        content[from..to].copy_from_slice(data);
    }
}

impl File for FileCopy {
    async fn len(&mut self) -> io::Result<u64> {
        Ok(self.0.borrow().len() as u64)
    }

    async fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Bytes> {
        let content = self.0.borrow();
        let from = content.len().min(offset as usize);
        let to = content.len().min(from.saturating_add(len));
        Ok(Bytes::copy_from_slice(&content[from..to]))
    }

    async fn write_at(&mut self, offset: u64, data: Bytes) -> io::Result<()> {
        self.put(offset, &data);
        Ok(())
    }

    async fn write_zeros_at(&mut self, offset: u64, len: u64) -> io::Result<()> {
        self.put(offset, &vec![0; len as usize]);
        Ok(())
    }

    async fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.borrow_mut().resize(len as usize, 0);
        Ok(())
    }

    async fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
