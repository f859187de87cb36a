//! A copy of a disk's files, which shares their pages with the disk until it writes. Storage works on it as
//! on a disk; no operation waits or fails.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;
use quorate::base::Stamp;
use quorate::runtime::{DirEntry, File, Lane, OpenMode};

use crate::world::Content;

type Shared = Rc<RefCell<Content>>;

#[derive(Default)]
struct Files {
    dirs: BTreeSet<PathBuf>,
    named: BTreeMap<PathBuf, Shared>,
}

/// A handle on the copies.
#[derive(Clone, Default)]
pub(super) struct DiskCopy(Rc<RefCell<Files>>);

impl DiskCopy {
    pub(super) fn of(files: Vec<(PathBuf, Content)>) -> DiskCopy {
        let copy = DiskCopy::default();
        let mut files_of_copy = copy.0.borrow_mut();
        for (path, content) in files {
            files_of_copy.dirs.extend(path.ancestors().skip(1).map(Path::to_path_buf));
            files_of_copy.named.insert(path, Rc::new(RefCell::new(content)));
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
            *content.borrow_mut() = Content::default();
        }
        files.named.get(path).cloned().map(FileCopy).ok_or_else(not_found)
    }

    async fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let files = self.0.borrow();
        if !files.dirs.contains(dir) {
            return Err(not_found());
        }
        let entry = |(path, content): (&PathBuf, &Shared)| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            let len = content.borrow().len();
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
pub(super) struct FileCopy(Shared);

impl File for FileCopy {
    async fn len(&mut self) -> io::Result<u64> {
        Ok(self.0.borrow().len())
    }

    async fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Bytes> {
        Ok(self.0.borrow().read(offset, len))
    }

    async fn write_at(&mut self, offset: u64, data: Bytes) -> io::Result<()> {
        self.0.borrow_mut().write(offset, &data);
        Ok(())
    }

    async fn write_zeros_at(&mut self, offset: u64, len: u64) -> io::Result<()> {
        self.0.borrow_mut().zero(offset, len);
        Ok(())
    }

    async fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.borrow_mut().set_len(len);
        Ok(())
    }

    async fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
