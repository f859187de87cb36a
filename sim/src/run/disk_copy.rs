//! Copies of files, as a lane that storage can work on: nothing waits, nothing is ever lost.

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
pub(super) struct Shelf(Rc<RefCell<Files>>);

impl Shelf {
    pub(super) fn of(files: Vec<(PathBuf, Bytes)>) -> Shelf {
        let shelf = Shelf::default();
        let mut kept = shelf.0.borrow_mut();
        for (path, content) in files {
            kept.dirs.extend(path.ancestors().skip(1).map(Path::to_path_buf));
            kept.named.insert(path, Rc::new(RefCell::new(content.to_vec())));
        }
        drop(kept);
        shelf
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Lane for Shelf {
    type File = Sheet;

    fn begin(&self, _: Stamp) {}

    fn ended(&self) -> Stamp {
        Stamp(0)
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Sheet> {
        let mut files = self.0.borrow_mut();
        if mode == OpenMode::Create {
            let content = files.named.entry(path.to_owned()).or_default();
            content.borrow_mut().clear();
        }
        files.named.get(path).cloned().map(Sheet).ok_or_else(not_found)
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

/// One file of a [`Shelf`].
pub(super) struct Sheet(Content);

impl Sheet {
    fn put(&self, offset: u64, data: &[u8]) {
        let mut content = self.0.borrow_mut();
        let (from, to) = (offset as usize, offset as usize + data.len());
        if content.len() < to {
            content.resize(to, 0);
        }
        content[from..to].copy_from_slice(data);
    }
}

impl File for Sheet {
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
