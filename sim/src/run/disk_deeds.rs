//! Does to disks what a timeline says.
//!
//! Not here: the words (`scenario::disk_deeds`), what a disk then does (`world::disk`).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use quorate::base::{ServerId, Stamp};

use super::recorder::Recorder;
use crate::checkers::Event;
use crate::scenario::DiskDeed;
use crate::world::{DiskImage, Unsynced, World};

/// What must be remembered between two deeds.
#[derive(Default)]
pub(super) struct Disks {
    images: RefCell<BTreeMap<ServerId, DiskImage>>,
    rotted: Cell<u64>,
}

impl Disks {
    /// Whether the server must be stopped first. Then `put` comes once its process is gone.
    pub(super) fn stops(deed: &DiskDeed, servers: &[ServerId]) -> Vec<ServerId> {
        match deed {
            DiskDeed::Restore => servers.to_vec(),
            DiskDeed::Clone => servers.iter().skip(1).copied().collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn act(
        &self,
        world: &World,
        recorder: &Recorder,
        at: Stamp,
        deed: &DiskDeed,
        servers: &[ServerId],
    ) {
        for server in servers.iter().copied() {
            match deed {
                DiskDeed::FailWrite => world.fail_next_write(server),
                DiskDeed::FailFsync => world.fail_next_sync(server),
                DiskDeed::FailRead => world.fail_next_read(server),
                DiskDeed::Fill => world.set_disk_full(server, true),
                DiskDeed::Free => world.set_disk_full(server, false),
                DiskDeed::Mend => world.mend_disk(server),
                DiskDeed::LieFsync => world.lie_about_syncs(server),
                DiskDeed::Save => {
                    self.images.borrow_mut().insert(server, world.snapshot_disk(server));
                    recorder.lab(at, server, Event::DiskSaved);
                }
                DiskDeed::Rot(file) => {
                    self.rotted.set(self.rotted.get() + 1);
                    world.rot(server, file, self.rotted.get());
                }
                DiskDeed::Unsynced(policy) => world.set_unsynced(server, *policy),
                DiskDeed::Restore | DiskDeed::Clone => {}
            }
        }
    }

    /// The second half of what stops a server first.
    pub(super) fn put(
        &self,
        world: &World,
        recorder: &Recorder,
        deed: &DiskDeed,
        servers: &[ServerId],
    ) {
        let at = world.now();
        match (deed, servers) {
            (DiskDeed::Clone, [from, to]) => {
                world.clone_disk(*from, *to);
                recorder.lab(at, *to, Event::DiskPut { from: Some(*from) });
            }
            _ => {
                for server in servers.iter().copied() {
                    let image = self.images.borrow().get(&server).cloned();
                    if let Some(image) = image {
                        world.restore_disk(server, &image);
                        recorder.lab(at, server, Event::DiskPut { from: None });
                    }
                }
            }
        }
    }

    /// The end of the story: nothing fails any more.
    pub(super) fn heal(&self, world: &World, server: ServerId) {
        world.mend_disk(server);
        world.set_unsynced(server, Unsynced::Drawn);
    }
}
