//! The disk of one machine: what is on it, what is on its way, what is wrong with it.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use quorate::base::Stamp;
use quorate::runtime::LaneId;

use super::crash::Unsynced;
use super::failures::Failures;
use super::file_system::{Done, FileSystem, Op};
use crate::draw::{Key, nanos};
use crate::world::process::{CrashMode, Process};

/// What everything but a sync takes.
const OTHERWISE: (Duration, Duration) = (Duration::from_micros(200), Duration::from_micros(300));
/// A gigabyte a second, on top.
const NANOS_PER_BYTE: u64 = 1;

/// An operation on its way.
pub(super) struct Running {
    pub(super) process: Rc<Process>,
    pub(super) lane: LaneId,
    pub(super) op: Op,
    pub(super) begins: Stamp,
    /// `Stamp::FAR` while it waits for the device.
    pub(super) ends: Stamp,
    pub(super) key: Key,
    pub(super) outcome: Option<io::Result<Done>>,
    pub(super) waker: Option<Waker>,
    pub(super) abandoned: bool,
}

pub(crate) struct Disk {
    pub(super) key: Key,
    pub(super) file_system: FileSystem,
    pub(super) running: BTreeMap<u64, Running>,
    pub(super) begun: u64,
    pub(super) crashes: u64,
    pub(super) unsynced: Unsynced,
    pub(super) fsync: (Duration, Duration),
    /// Bytes a second that the device reads or makes durable; `None` is no limit.
    throughput: Option<u64>,
    /// Operations that wait for the device.
    line: Vec<u64>,
    /// The device is at work until then.
    busy_until: Stamp,
    pub(super) fsync_held: bool,
    pub(super) held: Vec<u64>,
    pub(super) failures: Failures,
    /// Names of what the sync that was performed last made durable.
    pub(super) saved: Vec<String>,
    /// The copy of it that was put aside.
    pub(super) put_aside: Option<FileSystem>,
}

impl Disk {
    pub(crate) fn new(
        key: Key,
        fsync: (Duration, Duration),
        throughput: Option<u64>,
        unsynced: Unsynced,
    ) -> Disk {
        Disk {
            key,
            file_system: FileSystem::default(),
            running: BTreeMap::new(),
            begun: 0,
            crashes: 0,
            unsynced,
            fsync,
            throughput,
            line: vec![],
            busy_until: Stamp(0),
            fsync_held: false,
            held: vec![],
            failures: Failures::default(),
            saved: vec![],
            put_aside: None,
        }
    }

    /// Puts an operation in line for the device, if it needs it.
    pub(super) fn put_in_line(&mut self, id: u64) -> bool {
        let Some(running) = self.running.get_mut(&id) else { return false };
        let waits = self.throughput.is_some() && self.file_system.bytes_for(running) > 0;
        if waits {
            running.ends = Stamp::FAR;
            self.line.push(id);
        }
        waits
    }

    /// The device serves one operation at a time, in the order in which they were begun: whose end
    /// is known now, when all that began by `begun` are.
    pub(super) fn serve_line(&mut self, begun: Stamp) -> Vec<(u64, Stamp)> {
        let begins = |id: &u64| self.running.get(id).map(|running| (running.begins, running.lane));
        self.line.retain(|id| begins(id).is_some());
        let mut known: Vec<u64> = self.line.clone();
        known.retain(|id| begins(id).is_some_and(|(begins, _)| begins <= begun));
        known.sort_by_key(begins);
        self.line.retain(|id| !known.contains(id));
        known.into_iter().filter_map(|id| Some((id, self.serve(id)?))).collect()
    }

    fn serve(&mut self, id: u64) -> Option<Stamp> {
        let running = self.running.get(&id)?;
        let (begins, key) = (running.begins, running.key);
        let bytes = self.file_system.bytes_for(running);
        let nanos = self.throughput.map_or(0, |rate| bytes * 1_000_000_000 / rate.max(1));
        self.busy_until = begins.max(self.busy_until) + Duration::from_nanos(nanos);
        let ends = self.busy_until + self.duration(&running.op, key);
        self.running.get_mut(&id)?.ends = ends;
        Some(ends)
    }

    /// How long an operation takes, the device apart.
    pub(super) fn duration(&self, op: &Op, key: Key) -> Duration {
        let (low, high) = match op {
            Op::Sync(_) | Op::SyncDir(_) => self.fsync,
            _ => OTHERWISE,
        };
        let bytes = match op {
            Op::Read { inode, offset, len } => self.file_system.bytes_there(*inode, *offset, *len),
            Op::Change { change, .. } => change.range().1 - change.range().0,
            _ => 0,
        };
        key.duration(low, high).max(OTHERWISE.0) + Duration::from_nanos(bytes * NANOS_PER_BYTE)
    }

    /// The effect, at `at`, of an operation that began at `begun`. A sync covers what was done
    /// before it began.
    pub(super) fn perform(&mut self, op: &Op, begun: Stamp, at: Stamp) -> io::Result<Done> {
        let failure = self.failures.meet(op);
        match op {
            Op::Sync(inode) => match failure {
                Err(_) => self.file_system.inode(*inode)?.drop_dirty(begun),
                Ok(()) if self.failures.lying => {}
                Ok(()) => self.saved = self.file_system.save(*inode, begun)?,
            },
            Op::SyncDir(dir) if failure.is_ok() && !self.failures.lying => {
                self.saved = self.file_system.dir(dir)?.save(begun);
                self.file_system.collect();
            }
            Op::SyncDir(_) => {}
            _ => {
                failure?;
                return self.file_system.perform(op, at);
            }
        }
        failure.map(|()| Done::Nothing)
    }
}

impl FileSystem {
    /// With how much an operation keeps the device busy.
    fn bytes_for(&self, running: &Running) -> u64 {
        match &running.op {
            Op::Sync(inode) => self.unsaved_bytes(*inode, running.begins),
            Op::Read { inode, offset, len } => self.bytes_there(*inode, *offset, *len),
            _ => 0,
        }
    }
}

// What a death leaves.
impl Disk {
    /// The process is gone: its operations on their way end somehow, and on a power loss
    /// everything unsynced does.
    pub(crate) fn end_process(&mut self, process: &Rc<Process>) {
        let key = self.next_crash();
        let ids: Vec<u64> = self.running.keys().copied().collect();
        for id in ids {
            let Some(running) = self.running.get(&id) else { continue };
            if !Rc::ptr_eq(&running.process, process) {
                continue;
            }
            if let Some(running) = self.running.remove(&id)
                && running.outcome.is_none()
                && running.begins <= process.dead_at()
            {
                self.break_off(&running, process.dead_at());
            }
        }
        self.held.retain(|id| self.running.contains_key(id));
        for inode in self.file_system.inodes.values_mut() {
            inode.handles = 0;
        }
        if process.mode() == CrashMode::Power {
            self.file_system.lose_unsynced(self.unsynced, key);
            self.busy_until = Stamp(0);
        }
        self.file_system.collect();
        self.failures.forget_process();
    }

    /// The machine goes dark without a process on it.
    pub(crate) fn lose_power(&mut self) {
        let key = self.next_crash();
        self.file_system.lose_unsynced(self.unsynced, key);
        self.file_system.collect();
        self.busy_until = Stamp(0);
    }

    fn next_crash(&mut self) -> Key {
        self.crashes += 1;
        self.key.name("crash").with(self.crashes)
    }

    /// An operation that had begun and not ended: not done, done, or half done.
    fn break_off(&mut self, running: &Running, at: Stamp) {
        let draw = running.key.name("broken off");
        match (draw.range(0, 2), &running.op) {
            (0, _) => {}
            (1, Op::Change { inode, change }) => {
                let (from, to) = change.range();
                let part = change.within(from, draw.with(1).range(from, to));
                if let Some(change) = part {
                    let op = Op::Change { inode: *inode, change };
                    let _ = self.perform(&op, running.begins, at);
                }
            }
            // Whether it succeeded, nobody is left to learn.
            (_, op) => drop(self.perform(op, running.begins, at)),
        }
    }
}

impl Running {
    /// When it ends if it starts again at `at` (a held sync that is let go).
    pub(super) fn again_at(&self, at: Stamp) -> Stamp {
        Stamp(at.0 + nanos(OTHERWISE.0)).max(self.begins)
    }
}
