//! Files of the machine.
//!
//! What may wait for the disk runs on a thread of its lane, so that the server's thread goes on, and
//! that nothing else can take the threads away: names that resolve slowly wait in tokio's pool. A batch
//! of the log is written and synced on one way there and back: one wake-up each way, which is what such a
//! thread costs, and on a machine with little to do as much as a good part of the sync itself. Each
//! lane has a gate, which makes its operations run one after another however many handles it has.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;

use bytes::Bytes;
use tokio::sync::{Mutex, oneshot};

use super::clock::Clock;
use crate::base::Stamp;
use crate::runtime::{DirEntry, File, FilePermissions, Lane, LaneId, OpenMode};

/// Zeros are written in blocks of this size.
const ZEROS_BLOCK_BYTES: usize = 256 * 1024;

type Job = Box<dyn FnOnce() + Send>;

struct Queue {
    lane: LaneId,
    gate: Mutex<()>,
    ended: Cell<Stamp>,
    clock: Clock,
    permissions: FilePermissions,
    /// The way to the thread, which begins with the first operation.
    jobs: RefCell<Option<mpsc::Sender<Job>>>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("lane", &self.lane).finish_non_exhaustive()
    }
}

impl Queue {
    /// Runs `work` on the lane's thread once the operations before it have ended.
    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let _turn = self.gate.lock().await;
        let (tell, told) = oneshot::channel();
        self.send(Box::new(move || drop(tell.send(catch_unwind(AssertUnwindSafe(work))))))?;
        let done = told.await;
        self.ended.set(self.clock.stamp());
        match done {
            Ok(Ok(done)) => done,
            Ok(Err(_)) | Err(_) => Err(io::Error::other("an operation of the disk panicked")),
        }
    }

    fn send(&self, job: Job) -> io::Result<()> {
        let mut jobs = self.jobs.borrow_mut();
        let jobs = match &mut *jobs {
            Some(jobs) => jobs,
            none => none.insert(begin_thread(self.lane)?),
        };
        jobs.send(job).map_err(|_| io::Error::other("the thread of the disk has ended"))
    }

    /// Runs `work` on this thread once the operations before it have ended.
    async fn here<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let _turn = self.gate.lock().await;
        let done = work();
        self.ended.set(self.clock.stamp());
        done
    }
}

/// A thread that carries out jobs one after another, as long as somebody may send one.
fn begin_thread(lane: LaneId) -> io::Result<mpsc::Sender<Job>> {
    let (jobs, to_do) = mpsc::channel::<Job>();
    let thread = thread::Builder::new().name(format!("disk {lane:?}"));
    thread.spawn(move || to_do.into_iter().for_each(|job| job()))?;
    Ok(jobs)
}

/// One queue of disk operations of this process.
#[derive(Clone, Debug)]
pub struct MachineLane {
    queue: Rc<Queue>,
}

impl MachineLane {
    pub(super) fn new(lane: LaneId, clock: Clock, permissions: FilePermissions) -> MachineLane {
        let ended = Cell::new(clock.stamp());
        let (gate, jobs) = (Mutex::new(()), RefCell::new(None));
        MachineLane { queue: Rc::new(Queue { lane, gate, ended, clock, permissions, jobs }) }
    }
}

impl Lane for MachineLane {
    type File = MachineFile;

    fn begin(&self, _: Stamp) {}

    fn ended(&self) -> Stamp {
        self.queue.ended.get()
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> io::Result<MachineFile> {
        let path = path.to_path_buf();
        let permissions = self.queue.permissions.of_file();
        let file = self
            .queue
            .on_thread(move || {
                let mut options = fs::OpenOptions::new();
                options.read(true).mode(permissions);
                match mode {
                    OpenMode::Read => &mut options,
                    OpenMode::Write => options.write(true),
                    OpenMode::Create => options.write(true).create(true).truncate(true),
                };
                options.open(&path).map_err(|error| named(error, "open", &path))
            })
            .await?;
        Ok(MachineFile { file: Arc::new(file), queue: Rc::clone(&self.queue) })
    }

    async fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let dir = dir.to_path_buf();
        self.queue.on_thread(move || list(&dir).map_err(|error| named(error, "list", &dir))).await
    }

    async fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let dir = dir.to_path_buf();
        let permissions = self.queue.permissions.of_directory();
        self.queue
            .on_thread(move || {
                let created = fs::DirBuilder::new().recursive(true).mode(permissions).create(&dir);
                created.map_err(|error| named(error, "create directory", &dir))
            })
            .await
    }

    async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (from.to_path_buf(), to.to_path_buf());
        self.queue
            .on_thread(move || {
                fs::rename(&from, &to).map_err(|error| named(error, "rename", &from))
            })
            .await
    }

    async fn remove(&self, path: &Path) -> io::Result<()> {
        let path = path.to_path_buf();
        self.queue
            .on_thread(move || {
                fs::remove_file(&path).map_err(|error| named(error, "remove", &path))
            })
            .await
    }

    async fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let dir = dir.to_path_buf();
        self.queue
            .on_thread(move || {
                let synced = fs::File::open(&dir).and_then(|opened| opened.sync_all());
                synced.map_err(|error| named(error, "sync directory", &dir))
            })
            .await
    }

    async fn read(&self, path: &Path) -> io::Result<Bytes> {
        let path = path.to_path_buf();
        self.queue
            .on_thread(move || {
                let content = fs::read(&path).map_err(|error| named(error, "read", &path))?;
                Ok(Bytes::from(content))
            })
            .await
    }
}

fn list(dir: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let is_file = match entry.metadata() {
            Ok(metadata) if metadata.is_file() => Some(metadata),
            Ok(_) => None,
            // Purged or renamed between the two looks.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if let Some(metadata) = is_file {
            let name = entry.file_name().to_string_lossy().into_owned();
            entries.push(DirEntry { name, len: metadata.len() });
        }
    }
    entries.sort();
    Ok(entries)
}

fn named(error: io::Error, doing: &str, path: &Path) -> io::Error {
    let path: PathBuf = path.to_path_buf();
    io::Error::new(error.kind(), format!("{doing} {}: {error}", path.display()))
}

/// An open file; its operations take their turn in the lane that opened it.
#[derive(Debug)]
pub struct MachineFile {
    file: Arc<fs::File>,
    queue: Rc<Queue>,
}

impl MachineFile {
    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&fs::File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let file = Arc::clone(&self.file);
        self.queue.on_thread(move || work(&file)).await
    }
}

impl File for MachineFile {
    async fn len(&mut self) -> io::Result<u64> {
        self.queue.here(|| Ok(self.file.metadata()?.len())).await
    }

    async fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Bytes> {
        self.on_thread(move |file| {
            let mut content = vec![0; len];
            let mut filled = 0;
            while filled < len {
                match file.read_at(&mut content[filled..], offset + filled as u64) {
                    Ok(0) => break,
                    Ok(n) => filled += n,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            content.truncate(filled);
            Ok(Bytes::from(content))
        })
        .await
    }

    async fn write_at(&mut self, offset: u64, data: Bytes) -> io::Result<()> {
        self.on_thread(move |file| file.write_all_at(&data, offset)).await
    }

    async fn write_zeros_at(&mut self, offset: u64, len: u64) -> io::Result<()> {
        self.on_thread(move |file| {
            static ZEROS: [u8; ZEROS_BLOCK_BYTES] = [0; ZEROS_BLOCK_BYTES];
            let mut done = 0;
            while done < len {
                let block = (len - done).min(ZEROS_BLOCK_BYTES as u64);
                file.write_all_at(&ZEROS[..block as usize], offset + done)?;
                done += block;
            }
            Ok(())
        })
        .await
    }

    async fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.on_thread(move |file| file.set_len(len)).await
    }

    async fn sync(&mut self) -> io::Result<()> {
        self.on_thread(|file| file.sync_data()).await
    }

    async fn write_and_sync(&mut self, offset: u64, data: Bytes) -> io::Result<()> {
        self.on_thread(move |file| {
            file.write_all_at(&data, offset)?;
            file.sync_data()
        })
        .await
    }
}
