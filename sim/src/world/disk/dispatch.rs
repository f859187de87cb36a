//! What the end of an operation does: the one place where a file changes.

use quorate::base::Stamp;

use super::device::Running;
use super::file_system::Done;
use crate::draw::nanos;
use crate::world::handle::{Event, World};
use crate::world::time::{LATE, SETTLE};

impl World {
    /// An operation has come to its end.
    pub(crate) fn on_disk(&self, at: Stamp, host: usize, id: u64) {
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
        if let Some(server) = host.machine.server.filter(|_| running.op.is_sync()) {
            self.observer().sync_ended(at, server, id, outcome.is_err(), &disk.saved);
        }
        if running.abandoned {
            if let Ok(Done::Opened(inode)) = outcome {
                disk.file_system.close(inode);
            }
            return;
        }
        let mut running = Running { outcome: Some(outcome), ends: at, ..running };
        if let Some(waker) = running.waker.take() {
            running.process.wake(at, waker);
        }
        disk.running.insert(id, running);
    }

    /// All who began by SETTLE + LATE ago stand in the device's line: they are served.
    pub(crate) fn on_device(&self, at: Stamp, host: usize) {
        let known = Stamp(at.0.saturating_sub(nanos(SETTLE + LATE)));
        let host = self.host(host);
        let mut disk = host.disk.borrow_mut();
        for (id, ends) in disk.serve_line(known) {
            if let Some(running) = disk.running.get(&id) {
                let mut lane = running.process.lanes[running.lane as usize].borrow_mut();
                lane.cursor = lane.cursor.max(ends);
            }
            self.push_disk(ends, host.machine.id, id);
        }
    }

    pub(super) fn push_disk(&self, at: Stamp, host: usize, op: u64) {
        self.push(at, Event::Disk { host, op });
    }
}
