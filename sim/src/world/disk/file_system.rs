//! What is on a disk: files, names, and what of both is durable; and what an operation does to it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use quorate::base::Stamp;
use quorate::runtime::{DirEntry, OpenMode};

use super::file::{Change, Inode};

/// An operation, as a lane was asked for it.
pub(super) enum Op {
    Open { path: PathBuf, mode: OpenMode },
    List(PathBuf),
    CreateDirAll(PathBuf),
    Rename { from: PathBuf, to: PathBuf },
    Remove(PathBuf),
    SyncDir(PathBuf),
    Len(u64),
    Read { inode: u64, offset: u64, len: usize },
    Change { inode: u64, change: Change },
    Sync(u64),
}

impl Op {
    pub(super) fn is_sync(&self) -> bool {
        matches!(self, Op::Sync(_) | Op::SyncDir(_))
    }
}

pub(super) enum Done {
    Nothing,
    Opened(u64),
    Entries(Vec<DirEntry>),
    Len(u64),
    Data(Bytes),
}

/// A change of a directory that no sync of it has covered.
#[derive(Clone)]
pub(super) enum NameChange {
    Link { name: String, inode: u64 },
    Unlink { name: String },
    Rename { from: String, to: String },
}

impl NameChange {
    /// The name that is there, or is gone, behind it.
    pub(super) fn name(&self) -> &str {
        match self {
            NameChange::Link { name, .. } | NameChange::Unlink { name } => name,
            NameChange::Rename { to, .. } => to,
        }
    }

    pub(super) fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            NameChange::Link { name, inode } => {
                names.insert(name.clone(), *inode);
            }
            NameChange::Unlink { name } => {
                names.remove(name);
            }
            NameChange::Rename { from, to } => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
}

#[derive(Clone)]
pub(super) struct Renaming {
    pub(super) n: u64,
    pub(super) at: Stamp,
    pub(super) change: NameChange,
}

#[derive(Clone, Default)]
pub(super) struct Dir {
    pub(super) names: BTreeMap<String, u64>,
    pub(super) durable: BTreeMap<String, u64>,
    pub(super) journal: Vec<Renaming>,
}

impl Dir {
    pub(super) fn change(&mut self, n: u64, at: Stamp, change: NameChange) {
        change.apply(&mut self.names);
        self.journal.push(Renaming { n, at, change });
    }

    /// Makes durable what was changed up to `begun`. Returns the names that this changed.
    pub(super) fn save(&mut self, begun: Stamp) -> Vec<String> {
        let mut saved = vec![];
        self.journal.retain(|renaming| {
            if renaming.at <= begun {
                renaming.change.apply(&mut self.durable);
                saved.push(renaming.change.name().to_owned());
            }
            renaming.at > begun
        });
        saved
    }
}

/// What is on the disk: all that survives a process, and all that an image of it holds.
#[derive(Clone, Default)]
pub(super) struct FileSystem {
    pub(super) dirs: BTreeMap<PathBuf, Dir>,
    pub(super) inodes: BTreeMap<u64, Inode>,
    pub(super) inodes_made: u64,
    /// Numbers every change of content or names.
    pub(super) changes: u64,
}

impl FileSystem {
    pub(super) fn perform(&mut self, op: &Op, at: Stamp) -> io::Result<Done> {
        self.changes += 1;
        let n = self.changes;
        match op {
            Op::Open { path, mode } => return self.open(path, *mode, at).map(Done::Opened),
            Op::List(dir) => return self.list(dir).map(Done::Entries),
            Op::CreateDirAll(dir) => {
                for dir in dir.ancestors() {
                    self.dirs.entry(dir.to_path_buf()).or_default();
                }
            }
            Op::Rename { from, to } => self.rename(from, to, at)?,
            Op::Remove(path) => {
                let (dir, name) = split(path)?;
                self.lookup(path)?;
                self.dir(dir)?.change(n, at, NameChange::Unlink { name });
            }
            Op::Len(inode) => return Ok(Done::Len(self.inode(*inode)?.cache.len())),
            Op::Read { inode, offset, len } => {
                return Ok(Done::Data(self.inode(*inode)?.cache.read(*offset, *len)));
            }
            Op::Change { inode, change } => self.inode(*inode)?.change(n, at, change.clone()),
            Op::Sync(_) | Op::SyncDir(_) => {}
        }
        Ok(Done::Nothing)
    }

    pub(super) fn open(&mut self, path: &Path, mode: OpenMode, at: Stamp) -> io::Result<u64> {
        let n = self.changes;
        let (dir, name) = split(path)?;
        let id = match self.dir(dir)?.names.get(&name) {
            Some(id) => *id,
            None if mode != OpenMode::Create => return Err(not_found(path)),
            None => {
                self.inodes_made += 1;
                let inode = self.inodes_made;
                self.inodes.insert(inode, Inode::default());
                self.dir(dir)?.change(n, at, NameChange::Link { name, inode });
                inode
            }
        };
        let inode = self.inode(id)?;
        if mode == OpenMode::Create && inode.cache.len() > 0 {
            inode.change(n, at, Change::SetLen(0));
        }
        inode.handles += 1;
        Ok(id)
    }

    pub(super) fn list(&mut self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let names = self.dir(dir)?.names.clone();
        let entry = |(name, inode): (String, u64)| {
            let len = self.inodes.get(&inode).map_or(0, |inode| inode.cache.len());
            DirEntry { name, len }
        };
        Ok(names.into_iter().map(entry).collect())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path, at: Stamp) -> io::Result<()> {
        let n = self.changes;
        let inode = self.lookup(from)?;
        let ((from_dir, from_name), (to_dir, to_name)) = (split(from)?, split(to)?);
        if from_dir == to_dir {
            let change = NameChange::Rename { from: from_name, to: to_name };
            self.dir(from_dir)?.change(n, at, change);
            return Ok(());
        }
        self.dir(to_dir)?.change(n, at, NameChange::Link { name: to_name, inode });
        self.dir(from_dir)?.change(n, at, NameChange::Unlink { name: from_name });
        self.dir(to_dir)?.save(at);
        self.dir(from_dir)?.save(at);
        Ok(())
    }

    pub(super) fn lookup(&self, path: &Path) -> io::Result<u64> {
        let (dir, name) = split(path)?;
        let inode = self.dirs.get(dir).and_then(|dir| dir.names.get(&name)).copied();
        inode.ok_or_else(|| not_found(path))
    }

    pub(super) fn dir(&mut self, path: &Path) -> io::Result<&mut Dir> {
        self.dirs.get_mut(path).ok_or_else(|| not_found(path))
    }

    /// Makes a file's content durable. Returns its names, if that was something new.
    pub(super) fn save(&mut self, id: u64, begun: Stamp) -> io::Result<Vec<String>> {
        if !self.inode(id)?.save(begun) {
            return Ok(vec![]);
        }
        let names = self.dirs.values().flat_map(|dir| &dir.names);
        Ok(names.filter(|(_, inode)| **inode == id).map(|(name, _)| name.clone()).collect())
    }

    pub(super) fn inode(&mut self, id: u64) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&id).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// How much a sync that begins then has to save.
    pub(super) fn unsaved_bytes(&self, id: u64, begun: Stamp) -> u64 {
        self.inodes.get(&id).map_or(0, |inode| inode.unsaved_bytes(begun))
    }

    /// How much of a range there is to read.
    pub(super) fn bytes_there(&self, id: u64, offset: u64, len: usize) -> u64 {
        let whole = self.inodes.get(&id).map_or(0, |inode| inode.cache.len());
        whole.saturating_sub(offset).min(len as u64)
    }

    /// Forgets files that no name can bring back and nobody has open.
    pub(super) fn collect(&mut self) {
        let mut named: Vec<u64> = vec![];
        for dir in self.dirs.values() {
            named.extend(dir.names.values().chain(dir.durable.values()));
            named.extend(dir.journal.iter().filter_map(|renaming| match &renaming.change {
                NameChange::Link { inode, .. } => Some(*inode),
                _ => None,
            }));
        }
        named.sort_unstable();
        self.inodes.retain(|id, inode| inode.handles > 0 || named.binary_search(id).is_ok());
    }
}

impl FileSystem {
    pub(super) fn close(&mut self, inode: u64) {
        if let Some(inode) = self.inodes.get_mut(&inode) {
            inode.handles = inode.handles.saturating_sub(1);
        }
    }
}

pub(super) fn split(path: &Path) -> io::Result<(&Path, String)> {
    match (path.parent(), path.file_name()) {
        (Some(dir), Some(name)) => Ok((dir, name.to_string_lossy().into_owned())),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

pub(super) fn not_found(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("{}: no such file or directory", path.display()),
    )
}

/// EIO.
pub(super) fn io_error() -> io::Error {
    io::Error::from_raw_os_error(5)
}
