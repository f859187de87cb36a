//! What the laboratory does to disks, and how it looks at them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use quorate::base::ServerId;

use super::crash::Unsynced;
use super::file::{Change, Content, Inode};
use super::{Dir, Platter};
use crate::world::World;

/// A copy of everything a disk holds, durable and not. Cheap: pages are shared.
#[derive(Clone)]
pub struct DiskImage(Platter);

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
                self.push_disk(running.again_at(self.now()), host.id, id);
            }
        }
    }

    /// The next sync (of a file or a directory) that ends fails with EIO; what it covered is
    /// readable, but no later sync saves it.
    pub fn fail_next_sync(&self, server: ServerId) {
        self.server(server).disk.borrow_mut().failing_syncs += 1;
    }

    /// The next write, creation or change of length fails with EIO.
    pub fn fail_next_write(&self, server: ServerId) {
        self.server(server).disk.borrow_mut().failing_writes += 1;
    }

    /// Syncs that begin from now on take this long.
    pub fn set_fsync_latency(&self, server: ServerId, low: Duration, high: Duration) {
        self.server(server).disk.borrow_mut().fsync = (low, high);
    }

    /// While it is full, writes and creations fail; syncs, truncations and removals work.
    pub fn set_disk_full(&self, server: ServerId, full: bool) {
        self.server(server).disk.borrow_mut().full = full;
    }

    /// What later power losses of this server do to unsynced writes.
    pub fn set_unsynced(&self, server: ServerId, unsynced: Unsynced) {
        self.server(server).disk.borrow_mut().unsynced = unsynced;
    }

    /// Flips bits of one durable byte. False if there is no such byte.
    pub fn corrupt(&self, server: ServerId, path: &Path, offset: u64, xor: u8) -> bool {
        let host = self.server(server);
        let platter = &mut host.disk.borrow_mut().platter;
        let Ok(id) = platter.lookup(path) else { return false };
        let Ok(inode) = platter.inode(id) else { return false };
        let flip = |content: &mut Content| {
            let found = content.read(offset, 1).first().copied();
            if let Some(byte) = found {
                content.write(offset, &[byte ^ xor]);
            }
            found.is_some()
        };
        flip(&mut inode.durable) | flip(&mut inode.cache)
    }

    /// Empties the disk. Open files of a running process are gone too.
    pub fn wipe_disk(&self, server: ServerId) {
        self.restore_disk(server, &DiskImage(Platter::default()));
    }

    pub fn snapshot_disk(&self, server: ServerId) -> DiskImage {
        let mut platter = self.server(server).disk.borrow().platter.clone();
        platter.inodes.values_mut().for_each(|inode| inode.handles = 0);
        DiskImage(platter)
    }

    /// Puts a copy in place of what the disk holds: a rollback, or another server's disk.
    pub fn restore_disk(&self, server: ServerId, image: &DiskImage) {
        let host = self.server(server);
        let mut disk = host.disk.borrow_mut();
        let (changes, inodes_made) = (disk.platter.changes, disk.platter.inodes_made);
        let above = inodes_made.max(image.0.inodes_made);
        disk.platter = image.0.renumbered(above);
        // Numbers never come back: an old handle finds nothing, a sync covers what it covered.
        disk.platter.changes = disk.platter.changes.max(changes);
    }

    pub fn clone_disk(&self, from: ServerId, to: ServerId) {
        self.restore_disk(to, &self.snapshot_disk(from));
    }

    /// Every file as reads would see it, by path.
    pub fn disk_files(&self, server: ServerId) -> Vec<(PathBuf, Bytes)> {
        let host = self.server(server);
        let platter = &host.disk.borrow().platter;
        let files = platter.dirs.iter().flat_map(|(dir, entries)| {
            entries.names.iter().map(move |(name, inode)| (dir.join(name), *inode))
        });
        let content = |inode: u64| {
            let content = platter.inodes.get(&inode).map(|inode| &inode.cache);
            content.map_or(Bytes::new(), |content| content.read(0, content.len() as usize))
        };
        files.map(|(path, inode)| (path, content(inode))).collect()
    }

    /// Every file as it would be after a power loss that takes all that was not synced.
    pub fn durable_files(&self, server: ServerId) -> Vec<(PathBuf, Bytes)> {
        let host = self.server(server);
        let platter = &host.disk.borrow().platter;
        let files = platter.dirs.iter().flat_map(|(dir, entries)| {
            entries.durable.iter().map(move |(name, inode)| (dir.join(name), *inode))
        });
        let content = |inode: u64| {
            let content = platter.inodes.get(&inode).map(|inode| &inode.durable);
            content.map_or(Bytes::new(), |content| content.read(0, content.len() as usize))
        };
        files.map(|(path, inode)| (path, content(inode))).collect()
    }

    /// Puts a durable file there, with its directories, in place of any other of that name.
    pub fn put_file(&self, server: ServerId, path: &Path, content: &[u8]) {
        let host = self.server(server);
        let platter = &mut host.disk.borrow_mut().platter;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
        let name = name.to_string_lossy().into_owned();
        for dir in parent.ancestors() {
            platter.dirs.entry(dir.to_path_buf()).or_default();
        }
        platter.inodes_made += 1;
        let id = platter.inodes_made;
        let mut inode = Inode::default();
        Change::Write { offset: 0, data: Bytes::copy_from_slice(content) }.apply(&mut inode.cache);
        inode.durable = inode.cache.clone();
        platter.inodes.insert(id, inode);
        if let Some(dir) = platter.dirs.get_mut(parent) {
            dir.names.insert(name.clone(), id);
            dir.durable.insert(name, id);
        }
    }
}

impl Platter {
    /// The same disk with inode numbers above `above`.
    fn renumbered(&self, above: u64) -> Platter {
        let dirs = self.dirs.iter().map(|(path, dir)| (path.clone(), dir.renumbered(above)));
        let inodes = self.inodes.iter().map(|(id, inode)| (id + above, inode.clone()));
        Platter {
            dirs: dirs.collect(),
            inodes: inodes.collect(),
            inodes_made: self.inodes_made + above,
            changes: self.changes,
        }
    }
}

impl Dir {
    fn renumbered(&self, above: u64) -> Dir {
        use super::NameChange;
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
