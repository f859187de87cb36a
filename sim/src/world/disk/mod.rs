//! The simulated disk of one machine: files, names, and what of both is durable.
//!
//! An operation takes a keyed time on its lane and has its effect when it ends, as a hub event:
//! `on_disk` is the only place where a file changes. Until then it can be cut off by a death.
//! Operations are numbered a lane and an incarnation, so that one lane's work changes no other
//! lane's draws.
//!
//! - DI-1  what a successful sync covered survives every crash
//! - DI-2  a name survives a power loss only if its directory was synced after the change
//! - DI-3  nothing that a dead process asked for later than its death happens
//!
//! Directories themselves are durable at once, and a rename between two directories is durable
//! in both: neither occurs in a data directory at work.
//!
//! Not here: content (`file`), lanes and handles (`lane`), crashes (`crash`), errors (`failures`),
//! other faults (`faults`).

mod crash;
mod failures;
mod faults;
mod file;
mod lane;

pub use crash::Unsynced;
pub use faults::DiskImage;
pub(crate) use lane::LaneState;
pub use lane::{SimFile, SimLane};

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use quorate::base::Stamp;
use quorate::runtime::{DirEntry, OpenMode};

use super::World;
use super::hub::Event;
use super::process::Process;
use crate::draw::Key;
use failures::Failures;
use file::{Change, Inode};

/// What everything but a sync takes.
const OTHERWISE: (Duration, Duration) = (Duration::from_micros(200), Duration::from_micros(300));
/// A gigabyte a second, on top.
const NANOS_PER_BYTE: u64 = 1;

/// An operation, as a lane was asked for it.
enum Op {
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
    fn is_sync(&self) -> bool {
        matches!(self, Op::Sync(_) | Op::SyncDir(_))
    }
}

enum Done {
    Nothing,
    Opened(u64),
    Entries(Vec<DirEntry>),
    Len(u64),
    Data(Bytes),
}

/// An operation on its way.
struct Running {
    process: Rc<Process>,
    op: Op,
    begins: Stamp,
    ends: Stamp,
    key: Key,
    outcome: Option<io::Result<Done>>,
    waker: Option<Waker>,
    abandoned: bool,
}

/// A change of a directory that no sync of it has covered.
#[derive(Clone)]
enum NameChange {
    Link { name: String, inode: u64 },
    Unlink { name: String },
    Rename { from: String, to: String },
}

impl NameChange {
    /// The name that is there, or is gone, behind it.
    fn name(&self) -> &str {
        match self {
            NameChange::Link { name, .. } | NameChange::Unlink { name } => name,
            NameChange::Rename { to, .. } => to,
        }
    }

    fn apply(&self, names: &mut BTreeMap<String, u64>) {
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
struct Renaming {
    n: u64,
    at: Stamp,
    change: NameChange,
}

#[derive(Clone, Default)]
struct Dir {
    names: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    journal: Vec<Renaming>,
}

impl Dir {
    fn change(&mut self, n: u64, at: Stamp, change: NameChange) {
        change.apply(&mut self.names);
        self.journal.push(Renaming { n, at, change });
    }

    /// Makes durable what was changed up to `begun`. Returns the names that this changed.
    fn save(&mut self, begun: Stamp) -> Vec<String> {
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
struct Platter {
    dirs: BTreeMap<PathBuf, Dir>,
    inodes: BTreeMap<u64, Inode>,
    inodes_made: u64,
    /// Numbers every change of content or names.
    changes: u64,
}

pub(crate) struct Disk {
    key: Key,
    platter: Platter,
    running: BTreeMap<u64, Running>,
    begun: u64,
    crashes: u64,
    unsynced: Unsynced,
    fsync: (Duration, Duration),
    fsync_held: bool,
    held: Vec<u64>,
    failures: Failures,
    /// Names of what the sync that was performed last made durable.
    saved: Vec<String>,
    /// The copy of it that was put aside.
    put_aside: Option<Platter>,
}

impl Disk {
    pub(super) fn new(key: Key, fsync: (Duration, Duration), unsynced: Unsynced) -> Disk {
        Disk {
            key,
            platter: Platter::default(),
            running: BTreeMap::new(),
            begun: 0,
            crashes: 0,
            unsynced,
            fsync,
            fsync_held: false,
            held: vec![],
            failures: Failures::default(),
            saved: vec![],
            put_aside: None,
        }
    }

    /// How long an operation takes.
    fn duration(&self, op: &Op, key: Key) -> Duration {
        let (low, high) = match op {
            Op::Sync(_) | Op::SyncDir(_) => self.fsync,
            _ => OTHERWISE,
        };
        let bytes = match op {
            Op::Read { inode, offset, len } => {
                let whole = self.platter.inodes.get(inode).map_or(0, |inode| inode.cache.len());
                whole.saturating_sub(*offset).min(*len as u64)
            }
            Op::Change { change, .. } => change.range().1 - change.range().0,
            _ => 0,
        };
        key.duration(low, high).max(OTHERWISE.0) + Duration::from_nanos(bytes * NANOS_PER_BYTE)
    }

    /// The effect, at `at`, of an operation that began at `begun`. A sync covers what was done
    /// before it began.
    fn perform(&mut self, op: &Op, begun: Stamp, at: Stamp) -> io::Result<Done> {
        let failure = self.failures.meet(op);
        match op {
            Op::Sync(inode) => match failure {
                Err(_) => self.platter.inode(*inode)?.drop_dirty(begun),
                Ok(()) if self.failures.lying => {}
                Ok(()) => self.saved = self.platter.save(*inode, begun)?,
            },
            Op::SyncDir(dir) if failure.is_ok() && !self.failures.lying => {
                self.saved = self.platter.dir(dir)?.save(begun);
                self.platter.collect();
            }
            Op::SyncDir(_) => {}
            _ => {
                failure?;
                return self.platter.perform(op, at);
            }
        }
        failure.map(|()| Done::Nothing)
    }
}

impl Platter {
    fn perform(&mut self, op: &Op, at: Stamp) -> io::Result<Done> {
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

    fn open(&mut self, path: &Path, mode: OpenMode, at: Stamp) -> io::Result<u64> {
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

    fn list(&mut self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let names = self.dir(dir)?.names.clone();
        let entry = |(name, inode): (String, u64)| {
            let len = self.inodes.get(&inode).map_or(0, |inode| inode.cache.len());
            DirEntry { name, len }
        };
        Ok(names.into_iter().map(entry).collect())
    }

    fn rename(&mut self, from: &Path, to: &Path, at: Stamp) -> io::Result<()> {
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

    fn lookup(&self, path: &Path) -> io::Result<u64> {
        let (dir, name) = split(path)?;
        let inode = self.dirs.get(dir).and_then(|dir| dir.names.get(&name)).copied();
        inode.ok_or_else(|| not_found(path))
    }

    fn dir(&mut self, path: &Path) -> io::Result<&mut Dir> {
        self.dirs.get_mut(path).ok_or_else(|| not_found(path))
    }

    /// Makes a file's content durable. Returns its names, if that was something new.
    fn save(&mut self, id: u64, begun: Stamp) -> io::Result<Vec<String>> {
        if !self.inode(id)?.save(begun) {
            return Ok(vec![]);
        }
        let names = self.dirs.values().flat_map(|dir| &dir.names);
        Ok(names.filter(|(_, inode)| **inode == id).map(|(name, _)| name.clone()).collect())
    }

    fn inode(&mut self, id: u64) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&id).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Forgets files that no name can bring back and nobody has open.
    fn collect(&mut self) {
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

impl World {
    /// An operation has come to its end.
    pub(super) fn on_disk(&self, at: Stamp, host: usize, id: u64) {
        let host = self.host(host);
        let mut disk = host.disk.borrow_mut();
        let disk = &mut *disk;
        let Some(running) = disk.running.get_mut(&id) else { return };
        if running.process.dead_at() < at {
            return; // its death decides what becomes of it
        }
        if disk.fsync_held && running.op.is_sync() {
            disk.held.push(id);
            return;
        }
        let running = disk.running.remove(&id).expect("it was just seen");
        disk.saved.clear();
        let outcome = disk.perform(&running.op, running.begins, at);
        if let Some(server) = host.server.filter(|_| running.op.is_sync()) {
            self.observer().sync_ended(at, server, id, outcome.is_err(), &disk.saved);
        }
        if running.abandoned {
            if let Ok(Done::Opened(inode)) = outcome {
                disk.platter.close(inode);
            }
            return;
        }
        let mut running = Running { outcome: Some(outcome), ends: at, ..running };
        if let Some(waker) = running.waker.take() {
            running.process.wake(at, waker);
        }
        disk.running.insert(id, running);
    }

    fn push_disk(&self, at: Stamp, host: usize, op: u64) {
        self.push(at, Event::Disk { host, op });
    }
}

impl Platter {
    fn close(&mut self, inode: u64) {
        if let Some(inode) = self.inodes.get_mut(&inode) {
            inode.handles = inode.handles.saturating_sub(1);
        }
    }
}

fn split(path: &Path) -> io::Result<(&Path, String)> {
    match (path.parent(), path.file_name()) {
        (Some(dir), Some(name)) => Ok((dir, name.to_string_lossy().into_owned())),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("{}: no such file or directory", path.display()),
    )
}

/// EIO.
fn io_error() -> io::Error {
    io::Error::from_raw_os_error(5)
}
