//! What drivers hold: a lane, a file.
//!
//! A lane has a cursor: when its last operation ends. An operation begins there, or at the stamp
//! of the event that asked for it, whichever is later, and is on its way from the first poll of
//! its future on. Dropping the future does not call it back. What needs the device, where that has
//! a throughput, waits in its line: when it ends is known once everybody has come who comes first.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use quorate::base::Stamp;
use quorate::runtime::{DirEntry, File, Lane, LaneId, OpenMode};

use super::cursor::LaneCursor;
use super::device::Running;
use super::file::Change;
use super::file_system::{Done, Op};
use crate::world::handle::{Event, Host, World};
use crate::world::process::Process;

/// A handle on one queue of a disk.
#[derive(Clone)]
pub struct SimLane {
    world: World,
    host: Rc<Host>,
    process: Rc<Process>,
    lane: LaneId,
}

impl SimLane {
    pub(crate) fn new(world: &World, process: Rc<Process>, lane: LaneId) -> SimLane {
        let host = world.host(process.machine.id);
        SimLane { world: world.clone(), host, process, lane }
    }

    async fn run(&self, op: Op) -> io::Result<Done> {
        Operation { lane: self, op: Some(op), id: None }.await
    }

    async fn nothing(&self, op: Op) -> io::Result<()> {
        self.run(op).await.map(|_| ())
    }

    fn state(&self) -> std::cell::RefMut<'_, LaneCursor> {
        self.process.lanes[self.lane as usize].borrow_mut()
    }

    /// Puts an operation on its way. None if the process may not.
    fn begin_op(&self, op: Op) -> Option<u64> {
        let process = &self.process;
        let (world, machine) = (&self.world, &process.machine);
        let mut state = self.state();
        let begins = state.at.max(state.cursor).max(process.started);
        if process.refuses(begins) {
            return None;
        }
        let begins = world.time().fresh(begins);
        let mut disk = self.host.disk.borrow_mut();
        let is_sync = op.is_sync();
        let key = disk.key.with(process.incarnation).with(self.lane as u64).with(state.begun);
        let ends = begins + disk.duration(&op, key);
        state.begun += 1;
        state.cursor = ends;
        disk.begun += 1;
        let id = disk.begun;
        let running = Running {
            process: process.clone(),
            lane: self.lane,
            op,
            begins,
            ends,
            key,
            outcome: None,
            waker: None,
            abandoned: false,
        };
        disk.running.insert(id, running);
        let waits = disk.put_in_line(id);
        drop((state, disk));
        if waits {
            world.push(world.settled(begins), Event::Device { host: machine.id });
        } else {
            world.push_disk(ends, machine.id, id);
        }
        if let Some(server) = machine.server.filter(|_| is_sync) {
            world.observer().sync_began(begins, server, id);
        }
        Some(id)
    }
}

impl Lane for SimLane {
    type File = SimFile;

    fn begin(&self, at: Stamp) {
        self.state().at = self.process.effective(at);
    }

    fn ended(&self) -> Stamp {
        let state = self.state();
        state.ended.max(self.process.started)
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> io::Result<SimFile> {
        match self.run(Op::Open { path: path.to_path_buf(), mode }).await? {
            Done::Opened(inode) => {
                Ok(SimFile { lane: self.clone(), inode, writable: mode != OpenMode::Read })
            }
            _ => Err(io::ErrorKind::Other.into()),
        }
    }

    async fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        match self.run(Op::List(dir.to_path_buf())).await? {
            Done::Entries(entries) => Ok(entries),
            _ => Err(io::ErrorKind::Other.into()),
        }
    }

    async fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.nothing(Op::CreateDirAll(dir.to_path_buf())).await
    }

    async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.nothing(Op::Rename { from: from.to_path_buf(), to: to.to_path_buf() }).await
    }

    async fn remove(&self, path: &Path) -> io::Result<()> {
        self.nothing(Op::Remove(path.to_path_buf())).await
    }

    async fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.nothing(Op::SyncDir(dir.to_path_buf())).await
    }
}

impl fmt::Debug for SimLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimLane({:?}, {:?})", self.process, self.lane)
    }
}

/// An open file. Its operations run on the lane that opened it.
pub struct SimFile {
    lane: SimLane,
    inode: u64,
    writable: bool,
}

impl SimFile {
    async fn change(&mut self, change: Change) -> io::Result<()> {
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.lane.nothing(Op::Change { inode: self.inode, change }).await
    }
}

impl File for SimFile {
    async fn len(&mut self) -> io::Result<u64> {
        match self.lane.run(Op::Len(self.inode)).await? {
            Done::Len(len) => Ok(len),
            _ => Err(io::ErrorKind::Other.into()),
        }
    }

    async fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Bytes> {
        match self.lane.run(Op::Read { inode: self.inode, offset, len }).await? {
            Done::Data(bytes) => Ok(bytes),
            _ => Err(io::ErrorKind::Other.into()),
        }
    }

    async fn write_at(&mut self, offset: u64, data: Bytes) -> io::Result<()> {
        self.change(Change::Write { offset, data }).await
    }

    async fn write_zeros_at(&mut self, offset: u64, len: u64) -> io::Result<()> {
        self.change(Change::Zeros { offset, len }).await
    }

    async fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.change(Change::SetLen(len)).await
    }

    async fn sync(&mut self) -> io::Result<()> {
        self.lane.nothing(Op::Sync(self.inode)).await
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let process = &self.lane.process;
        if !process.is_reaped()
            && let Ok(mut disk) = self.lane.host.disk.try_borrow_mut()
        {
            disk.file_system.close(self.inode);
        }
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFile({:?}, inode {})", self.lane.process, self.inode)
    }
}

/// One operation from the asking to its end. A dead process waits for ever.
struct Operation<'a> {
    lane: &'a SimLane,
    op: Option<Op>,
    id: Option<u64>,
}

impl Future for Operation<'_> {
    type Output = io::Result<Done>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Done>> {
        if let Some(op) = self.op.take() {
            self.id = self.lane.begin_op(op);
        }
        let Some(id) = self.id else { return Poll::Pending };
        let process = &self.lane.process;
        let mut disk = self.lane.host.disk.borrow_mut();
        let Some(running) = disk.running.get_mut(&id) else { return Poll::Pending };
        if running.outcome.is_none() {
            running.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let Poll::Ready(at) = process.poll_input(running.ends, true, cx) else {
            return Poll::Pending;
        };
        let running = disk.running.remove(&id);
        let mut state = self.lane.state();
        state.ended = state.ended.max(at);
        state.cursor = state.cursor.max(at);
        drop((state, disk));
        self.id = None;
        match running.and_then(|running| running.outcome) {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let Ok(mut disk) = self.lane.host.disk.try_borrow_mut() else { return };
        match disk.running.get_mut(&id) {
            Some(running) if running.outcome.is_none() => running.abandoned = true,
            Some(_) => {
                if let Some(Ok(Done::Opened(inode))) =
                    disk.running.remove(&id).and_then(|running| running.outcome)
                {
                    disk.file_system.close(inode);
                }
            }
            None => {}
        }
    }
}
