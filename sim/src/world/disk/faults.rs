//! What the laboratory does to disks, and how it looks at them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use quorate::base::ServerId;
use quorate::runtime::Halt;

use super::crash::Unsynced;
use super::file::{Change, Content, Inode};
use super::file_system::{Dir, FileSystem, NameChange};
use crate::world::handle::World;
use crate::world::observe::ServerChange;

/// A copy of everything a disk holds, durable and not. Cheap: pages are shared.
#[derive(Clone)]
pub struct DiskImage(FileSystem);

impl fmt::Debug for DiskImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DiskImage({} files)", self.0.inodes.len())
    }
}

impl World {
    /// No sync of this server ends from now on, until [`World::release_fsync`].
    pub fn hold_fsync(&self, server: ServerId) {
        self.server(server).disk.borrow_mut().fsync_held = true;
    }

    pub fn release_fsync(&self, server: ServerId) {
        let host = self.server(server);
        let mut disk = host.disk.borrow_mut();
        disk.fsync_held = false;
        for id in std::mem::take(&mut disk.held) {
            if let Some(running) = disk.running.get(&id) {
                self.push_disk(running.again_at(self.now()), host.machine.id, id);
            }
        }
    }

    /// Syncs that begin from now on take so much longer than in a world without faults.
    pub fn slow_fsync(&self, server: ServerId, by: Duration) {
        let (low, high) = self.options().fsync;
        self.server(server).disk.borrow_mut().fsync = (low + by, high + by);
    }

    /// What later power losses of this server do to unsynced writes.
    pub fn set_unsynced(&self, server: ServerId, unsynced: Unsynced) {
        self.server(server).disk.borrow_mut().unsynced = unsynced;
    }

    /// Flips bits of one durable byte. False if there is no such byte.
    pub fn corrupt(&self, server: ServerId, path: &Path, offset: u64, xor: u8) -> bool {
        let host = self.server(server);
        let file_system = &mut host.disk.borrow_mut().file_system;
        let Ok(id) = file_system.lookup(path) else { return false };
        let Ok(inode) = file_system.inode(id) else { return false };
        let flip = |content: &mut Content| {
            let found = content.read(offset, 1).first().copied();
            if let Some(byte) = found {
                content.write(offset, &[byte ^ xor]);
            }
            found.is_some()
        };
        flip(&mut inode.durable) | flip(&mut inode.cache)
    }

    /// Flips one bit of the newest file whose name begins so, among the bytes up to its last one that
    /// is not zero. Returns the file's name; None if there is no such byte.
    pub fn rot(&self, server: ServerId, file: &str) -> Option<String> {
        let nth = self.0.rotted.get() + 1;
        self.0.rotted.set(nth);
        let mut found: Vec<(PathBuf, Bytes)> = self.disk_files(server);
        let name_of =
            |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        found.retain(|(path, _)| {
            name_of(path).is_some_and(|name| name.starts_with(file) && !name.ends_with(".tmp"))
        });
        // Zxids are written in hex without zeros in front: of two the longer is the newer.
        let (path, content) =
            found.into_iter().max_by_key(|(path, _)| (path.as_os_str().len(), path.clone()))?;
        let end = content.iter().rposition(|byte| *byte != 0)? as u64;
        let key = self.key("rot").with(server.0 as u64).with(nth);
        self.corrupt(server, &path, key.range(0, end), 1 << key.with(1).range(0, 7));
        let name = name_of(&path)?;
        self.server(server).disk.borrow_mut().failures.rotten.push(name.clone());
        Some(name)
    }

    /// Empties the disk. Open files of a running process are gone too.
    pub fn wipe_disk(&self, server: ServerId) {
        self.restore_disk(server, &DiskImage(FileSystem::default()));
        self.observer().changed(self.now(), server, ServerChange::Wiped);
    }

    /// Puts a copy of the disk as it is now aside; a later one takes its place.
    pub fn save_disk(&self, server: ServerId) {
        let DiskImage(file_system) = self.snapshot_disk(server);
        self.server(server).disk.borrow_mut().put_aside = Some(file_system);
        self.observer().changed(self.now(), server, ServerChange::DiskSaved);
    }

    /// Puts the copy that was put aside, if there is one, in place of what the disk holds.
    pub fn put_saved_disk(&self, server: ServerId) {
        let put_aside = self.server(server).disk.borrow().put_aside.clone();
        if let Some(file_system) = put_aside {
            self.restore_disk(server, &DiskImage(file_system));
            self.observer().changed(self.now(), server, ServerChange::DiskPut { from: None });
        }
    }

    pub fn snapshot_disk(&self, server: ServerId) -> DiskImage {
        let mut file_system = self.server(server).disk.borrow().file_system.clone();
        file_system.inodes.values_mut().for_each(|inode| inode.handles = 0);
        DiskImage(file_system)
    }

    /// Puts a copy in place of what the disk holds: a rollback, or another server's disk.
    pub fn restore_disk(&self, server: ServerId, image: &DiskImage) {
        let host = self.server(server);
        let mut disk = host.disk.borrow_mut();
        let (changes, inodes_made) = (disk.file_system.changes, disk.file_system.inodes_made);
        let above = inodes_made.max(image.0.inodes_made);
        disk.file_system = image.0.renumbered(above);
        // Numbers never come back: an old handle finds nothing, a sync covers what it covered.
        disk.file_system.changes = disk.file_system.changes.max(changes);
        disk.failures.rotten.clear();
    }

    pub fn clone_disk(&self, from: ServerId, to: ServerId) {
        self.restore_disk(to, &self.snapshot_disk(from));
        self.observer().changed(self.now(), to, ServerChange::DiskPut { from: Some(from) });
    }

    /// Every file as reads would see it, by path.
    pub fn disk_files(&self, server: ServerId) -> Vec<(PathBuf, Bytes)> {
        let files = self.written_contents(server).into_iter();
        files.map(|(path, content)| (path, content.read(0, content.len() as usize))).collect()
    }

    /// The same, shared with the disk until one of both is written.
    pub(crate) fn written_contents(&self, server: ServerId) -> Vec<(PathBuf, Content)> {
        self.contents(server, |dir| &dir.names, |inode| &inode.cache)
    }

    /// Every file as it would be after a power loss that takes all that was not synced.
    pub(crate) fn durable_contents(&self, server: ServerId) -> Vec<(PathBuf, Content)> {
        self.contents(server, |dir| &dir.durable, |inode| &inode.durable)
    }

    fn contents(
        &self,
        server: ServerId,
        names: fn(&Dir) -> &BTreeMap<String, u64>,
        content: fn(&Inode) -> &Content,
    ) -> Vec<(PathBuf, Content)> {
        let host = self.server(server);
        let file_system = &host.disk.borrow().file_system;
        let files = file_system.dirs.iter().flat_map(|(dir, entries)| {
            names(entries).iter().map(move |(name, inode)| (dir.join(name), *inode))
        });
        let content = |inode: u64| file_system.inodes.get(&inode).map(content).cloned();
        files.map(|(path, inode)| (path, content(inode).unwrap_or_default())).collect()
    }

    /// How long all files are together.
    pub fn disk_bytes(&self, server: ServerId) -> u64 {
        let host = self.server(server);
        let file_system = &host.disk.borrow().file_system;
        file_system.inodes.values().map(|inode| inode.cache.len()).sum()
    }

    /// Puts a durable file there, with its directories, in place of any other of that name.
    pub fn put_file(&self, server: ServerId, path: &Path, content: &[u8]) {
        let host = self.server(server);
        let file_system = &mut host.disk.borrow_mut().file_system;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
        let name = name.to_string_lossy().into_owned();
        for dir in parent.ancestors() {
            file_system.dirs.entry(dir.to_path_buf()).or_default();
        }
        file_system.inodes_made += 1;
        let id = file_system.inodes_made;
        let mut inode = Inode::default();
        Change::Write { offset: 0, data: Bytes::copy_from_slice(content) }.apply(&mut inode.cache);
        inode.durable = inode.cache.clone();
        file_system.inodes.insert(id, inode);
        if let Some(dir) = file_system.dirs.get_mut(parent) {
            dir.names.insert(name.clone(), id);
            dir.durable.insert(name, id);
        }
    }
}

impl World {
    /// The next sync (of a file or a directory) that ends fails with EIO; what it covered is
    /// readable, but no later sync saves it.
    pub fn fail_next_sync(&self, server: ServerId) {
        self.server(server).disk.borrow_mut().failures.syncs += 1;
    }

    /// The next write, creation or change of length fails with EIO.
    pub fn fail_next_write(&self, server: ServerId) {
        self.server(server).disk.borrow_mut().failures.writes += 1;
    }

    /// The next read of a file's content fails with EIO.
    pub fn fail_next_read(&self, server: ServerId) {
        self.server(server).disk.borrow_mut().failures.reads += 1;
    }

    /// While it is full, writes and creations fail; syncs, truncations and removals work.
    pub fn set_disk_full(&self, server: ServerId, full: bool) {
        self.server(server).disk.borrow_mut().failures.full = full;
    }

    /// From now on syncs succeed at once and make nothing durable, until [`World::mend_disk`].
    pub fn lie_about_syncs(&self, server: ServerId) {
        self.server(server).disk.borrow_mut().failures.lying = true;
    }

    /// Takes back all of the above that has not come true.
    pub fn mend_disk(&self, server: ServerId) {
        self.server(server).disk.borrow_mut().failures.mend();
    }

    /// Whether the laboratory itself made this server end so.
    pub fn disk_explains(&self, server: ServerId, halt: &Halt) -> bool {
        self.server(server).disk.borrow().failures.explain(halt)
    }
}

impl FileSystem {
    /// The same disk with inode numbers above `above`.
    fn renumbered(&self, above: u64) -> FileSystem {
        let dirs = self.dirs.iter().map(|(path, dir)| (path.clone(), dir.renumbered(above)));
        let inodes = self.inodes.iter().map(|(id, inode)| (id + above, inode.clone()));
        FileSystem {
            dirs: dirs.collect(),
            inodes: inodes.collect(),
            inodes_made: self.inodes_made + above,
            changes: self.changes,
        }
    }
}

impl Dir {
    fn renumbered(&self, above: u64) -> Dir {
        let mut dir = self.clone();
        dir.names.values_mut().chain(dir.durable.values_mut()).for_each(|inode| *inode += above);
        for renaming in &mut dir.journal {
            if let NameChange::Link { inode, .. } = &mut renaming.change {
                *inode += above;
            }
        }
        dir
    }
}
