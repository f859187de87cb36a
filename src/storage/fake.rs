//! A disk in memory and a world around it, for the tests of this folder.
//!
//! What a crash keeps: synced content under synced names. Every operation takes one nanosecond.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::base::{Mono, Note, Now, Stamp};
use crate::runtime::{
    DirEntry, File, Halt, HostPort, Label, Lane, LaneId, Listener, OpenMode, Purpose, Runtime,
    Stream,
};

/// Runs a future that never really waits.
pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    match poll_while_woken(future) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the fake disk never waits"),
    }
}

/// Runs a future up to where it waits for ever, and drops it.
pub(super) fn run_to_a_wait(future: impl Future<Output = ()>) {
    assert!(poll_while_woken(future).is_pending(), "it has come to its end");
}

/// Polls a future on, as long as it only gives way to others.
fn poll_while_woken<T>(future: impl Future<Output = T>) -> Poll<T> {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let mut future = pin!(future);
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(woken.clone());
    loop {
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_ready() || !woken.0.swap(false, Ordering::Relaxed) {
            return polled;
        }
    }
}

#[derive(Default)]
struct State {
    files: BTreeMap<u64, Content>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    dirs: BTreeSet<PathBuf>,
    next: u64,
    ops: Vec<String>,
    fail: Option<String>,
    fail_behind: Option<(String, String)>,
    stop_after: Option<usize>,
    ended: u64,
    bytes_read: usize,
}

#[derive(Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Bytes that a failed sync has marked clean: none saves them until they are written again.
    dropped: BTreeSet<usize>,
    /// The same of a length that is shorter than the durable one.
    dropped_cut: bool,
}

impl Content {
    fn save(&mut self) {
        let old = std::mem::replace(&mut self.durable, self.now.clone());
        for at in &self.dropped {
            if let Some(byte) = self.durable.get_mut(*at) {
                *byte = old.get(*at).copied().unwrap_or(0);
            }
        }
        if self.dropped_cut && old.len() > self.durable.len() {
            let cut = self.durable.len();
            self.durable.extend_from_slice(&old[cut..]);
        }
    }

    fn drop_dirty(&mut self) {
        let changed = |at: &usize| self.durable.get(*at) != self.now.get(*at);
        let changed: Vec<usize> = (0..self.now.len()).filter(changed).collect();
        self.dropped.extend(changed);
        self.dropped_cut |= self.now.len() < self.durable.len();
    }

    fn set_len(&mut self, len: u64) {
        self.dropped_cut &= len as usize == self.now.len();
        self.now.resize(len as usize, 0);
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        write(&mut self.now, offset, data);
        let written = offset as usize..offset as usize + data.len();
        self.dropped.retain(|at| !written.contains(at));
    }
}

#[derive(Clone, Default)]
pub(crate) struct FakeDisk(Rc<RefCell<State>>);

impl FakeDisk {
    /// A durable file.
    pub(super) fn put(&self, path: impl AsRef<Path>, content: &[u8]) {
        let mut state = self.0.borrow_mut();
        let path = path.as_ref().to_path_buf();
        state.dirs.extend(path.ancestors().skip(1).map(Path::to_path_buf));
        let id = state.new_file(Content {
            now: content.to_vec(),
            durable: content.to_vec(),
            dropped: BTreeSet::new(),
            dropped_cut: false,
        });
        state.names.insert(path.clone(), id);
        state.durable_names.insert(path, id);
    }

    pub(super) fn get(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let state = self.0.borrow();
        state.names.get(path.as_ref()).map(|id| state.files[id].now.clone())
    }

    /// Names in a directory.
    pub(super) fn names(&self, dir: impl AsRef<Path>) -> Vec<String> {
        let state = self.0.borrow();
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir.as_ref()));
        inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_string())).collect()
    }

    /// Power failure: what was not synced is gone.
    pub(super) fn crash(&self) {
        let mut state = self.0.borrow_mut();
        state.names = state.durable_names.clone();
        state.files.values_mut().for_each(|file| file.now = file.durable.clone());
        state.fail = None;
        state.stop_after = None;
    }

    /// From now on an operation whose line begins so fails.
    pub(super) fn fail(&self, line: &str) {
        self.0.borrow_mut().fail = Some(line.into());
    }

    /// The same once an operation whose line begins with `behind` was done.
    pub(super) fn fail_behind(&self, behind: &str, line: &str) {
        self.0.borrow_mut().fail_behind = Some((behind.into(), line.into()));
    }

    /// Nothing fails any more.
    pub(super) fn mend(&self) {
        self.0.borrow_mut().fail = None;
    }

    /// After so many more operations every one fails and changes nothing.
    pub(super) fn stop_after(&self, ops: usize) {
        self.0.borrow_mut().stop_after = Some(ops);
    }

    /// What was done since the last call, a line an operation.
    pub(super) fn take_ops(&self) -> Vec<String> {
        std::mem::take(&mut self.0.borrow_mut().ops)
    }

    pub(super) fn bytes_read(&self) -> usize {
        self.0.borrow().bytes_read
    }

    pub(super) fn lane(&self) -> FakeLane {
        FakeLane { disk: self.clone() }
    }

    /// An independent disk of the same content.
    pub(super) fn copy(&self) -> FakeDisk {
        let state = self.0.borrow();
        FakeDisk(Rc::new(RefCell::new(State {
            files: state.files.clone(),
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            dirs: state.dirs.clone(),
            next: state.next,
            ..State::default()
        })))
    }

    fn op(&self, line: String) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.ended += 1;
        if let Some(left) = &mut state.stop_after {
            if *left == 0 {
                return Err(io::Error::other("stopped"));
            }
            *left -= 1;
        }
        if state.fail.as_ref().is_some_and(|fail| line.starts_with(fail.as_str())) {
            return Err(io::Error::other("injected"));
        }
        state.ops.push(line);
        Ok(())
    }
}

impl State {
    fn new_file(&mut self, content: Content) -> u64 {
        self.next += 1;
        self.files.insert(self.next, content);
        self.next
    }

    fn id(&self, path: &Path) -> io::Result<u64> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn short(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[derive(Clone)]
pub(crate) struct FakeLane {
    disk: FakeDisk,
}

pub(crate) struct FakeFile {
    disk: FakeDisk,
    id: u64,
    name: String,
}

impl Lane for FakeLane {
    type File = FakeFile;

    fn begin(&self, at: Stamp) {
        let mut state = self.disk.0.borrow_mut();
        state.ended = state.ended.max(at.0);
    }

    fn ended(&self) -> Stamp {
        Stamp(self.disk.0.borrow().ended)
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> io::Result<FakeFile> {
        if mode == OpenMode::Create {
            self.disk.op(format!("create {}", short(path)))?;
        }
        let mut state = self.disk.0.borrow_mut();
        let id = match (state.id(path), mode) {
            (Ok(id), OpenMode::Create) => {
                state.files.get_mut(&id).expect("named files exist").now.clear();
                id
            }
            (Ok(id), _) => id,
            (Err(_), OpenMode::Create) => {
                let id = state.new_file(Content::default());
                state.names.insert(path.to_path_buf(), id);
                id
            }
            (Err(error), _) => return Err(error),
        };
        Ok(FakeFile { disk: self.disk.clone(), id, name: short(path) })
    }

    async fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let state = self.disk.0.borrow();
        if !state.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = state.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        Ok(inside
            .map(|(path, id)| DirEntry { name: short(path), len: state.files[id].now.len() as u64 })
            .collect())
    }

    async fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.disk.op(format!("mkdir {}", short(dir)))?;
        let mut state = self.disk.0.borrow_mut();
        state.dirs.extend(dir.ancestors().map(Path::to_path_buf));
        Ok(())
    }

    async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.op(format!("rename {} {}", short(from), short(to)))?;
        let mut state = self.disk.0.borrow_mut();
        let id = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_path_buf(), id);
        Ok(())
    }

    async fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.0.borrow().id(path)?;
        self.disk.op(format!("remove {}", short(path)))?;
        self.disk.0.borrow_mut().names.remove(path);
        Ok(())
    }

    async fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.op(format!("sync_dir {}", short(dir)))?;
        let mut state = self.disk.0.borrow_mut();
        state.durable_names.retain(|path, _| path.parent() != Some(dir));
        let names = state.names.clone();
        state
            .durable_names
            .extend(names.into_iter().filter(|(path, _)| path.parent() == Some(dir)));
        Ok(())
    }
}

impl FakeFile {
    fn change(&self, line: String, change: impl FnOnce(&mut Content)) -> io::Result<()> {
        self.disk.op(line.clone())?;
        let mut state = self.disk.0.borrow_mut();
        change(state.files.get_mut(&self.id).expect("open files exist"));
        if let Some((_, fails)) =
            state.fail_behind.take_if(|(behind, _)| line.starts_with(&**behind))
        {
            state.fail = Some(fails);
        }
        Ok(())
    }
}

fn write(content: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + data.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(data);
}

impl File for FakeFile {
    async fn len(&mut self) -> io::Result<u64> {
        Ok(self.disk.0.borrow().files[&self.id].now.len() as u64)
    }

    async fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Bytes> {
        let mut state = self.disk.0.borrow_mut();
        let content = &state.files[&self.id].now;
        let start = (offset as usize).min(content.len());
        let bytes = Bytes::copy_from_slice(&content[start..(start + len).min(content.len())]);
        state.bytes_read += bytes.len();
        Ok(bytes)
    }

    async fn write_at(&mut self, offset: u64, data: Bytes) -> io::Result<()> {
        let line = format!("write {} {offset}+{}", self.name, data.len());
        self.change(line, |content| content.write(offset, &data))
    }

    async fn write_zeros_at(&mut self, offset: u64, len: u64) -> io::Result<()> {
        let line = format!("zeros {} {offset}+{len}", self.name);
        self.change(line, |content| content.write(offset, &vec![0; len as usize]))
    }

    async fn set_len(&mut self, len: u64) -> io::Result<()> {
        let line = format!("cut {} {len}", self.name);
        self.change(line, |content| content.set_len(len))
    }

    async fn sync(&mut self) -> io::Result<()> {
        let line = format!("sync {}", self.name);
        let outcome = self.change(line, Content::save);
        if outcome.as_ref().is_err_and(|error| error.to_string() == "injected") {
            let mut state = self.disk.0.borrow_mut();
            state.files.get_mut(&self.id).expect("open files exist").drop_dirty();
        }
        outcome
    }
}

/// A world with a disk and nothing else.
#[derive(Clone, Default)]
pub(crate) struct FakeWorld {
    pub(super) disk: FakeDisk,
    /// More than zero: the group commit of a simulated world.
    pub(super) settle: Duration,
    /// The present; without one it is the end of the disk's last work.
    pub(crate) present: Option<Rc<Cell<Stamp>>>,
}

impl Runtime for FakeWorld {
    type Stream = NoStream;
    type Listener = NoListener;
    type Lane = FakeLane;

    fn stamp(&self) -> Stamp {
        self.present.as_ref().map_or_else(|| self.disk.lane().ended(), |present| present.get())
    }
    fn now_at(&self, _: Stamp) -> Now {
        Now::default()
    }
    fn stamp_of(&self, mono: Mono) -> Stamp {
        Stamp(mono.0)
    }
    fn settle(&self) -> Duration {
        self.settle
    }
    fn apply_delay(&self, _: u64) -> Duration {
        Duration::ZERO
    }
    fn random_u64(&self, _: Purpose, n: u64) -> u64 {
        0xfeed_0000 + n
    }
    fn spawn(&self, _: &'static str, _: impl Future<Output = ()> + 'static) {}
    async fn sleep_until(&self, _: Stamp) {}
    fn halt(&self, _: Halt) {}
    async fn connect(&self, at: Stamp, _: &HostPort, _: Duration) -> (Stamp, io::Result<NoStream>) {
        (at, Err(io::ErrorKind::Unsupported.into()))
    }
    async fn listen(&self, _: &HostPort) -> io::Result<NoListener> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn disk(&self, _: LaneId) -> FakeLane {
        self.disk.lane()
    }
    fn observe(&self, _: Stamp, _: Note) {}
    fn trace(&self, _: Stamp, _: &dyn std::fmt::Display) {}
    fn traces(&self) -> bool {
        false
    }
}

pub(crate) struct NoListener;

impl Listener for NoListener {
    type Stream = NoStream;
    async fn accept(&mut self) -> io::Result<(Stamp, NoStream)> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub(crate) struct NoStream;

impl Stream for NoStream {
    fn begin_write(&mut self, _: Stamp, _: Label) {}
    fn read_at(&self) -> Stamp {
        Stamp(0)
    }
    fn peer(&self) -> String {
        String::new()
    }
}

impl AsyncRead for NoStream {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for NoStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(data.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
