//! Does to disks what a timeline says.
//!
//! Not here: the words (`scenario::disk_deeds`), what a disk then does (`world::disk`).

use quorate::base::ServerId;

use crate::scenario::DiskDeed;
use crate::world::World;

pub(super) fn act(world: &World, deed: &DiskDeed, servers: &[ServerId]) {
    if let (DiskDeed::Clone, [from, to]) = (deed, servers) {
        let (from, to) = (*from, *to);
        return world.once_stopped(to, move |world| world.clone_disk(from, to));
    }
    for server in servers.iter().copied() {
        match deed {
            DiskDeed::FailWrite => world.fail_next_write(server),
            DiskDeed::FailFsync => world.fail_next_sync(server),
            DiskDeed::FailRead => world.fail_next_read(server),
            DiskDeed::Fill => world.set_disk_full(server, true),
            DiskDeed::Free => world.set_disk_full(server, false),
            DiskDeed::Mend => world.mend_disk(server),
            DiskDeed::LieFsync => world.lie_about_syncs(server),
            DiskDeed::Save => world.save_disk(server),
            DiskDeed::Restore => world.once_stopped(server, move |w| w.put_saved_disk(server)),
            DiskDeed::Rot(file) => drop(world.rot(server, file)),
            DiskDeed::Unsynced(policy) => world.set_unsynced(server, *policy),
            DiskDeed::Clone => {}
        }
    }
}
