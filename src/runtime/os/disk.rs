//! Files of the machine.
//!
//! What may wait for the disk (open, read, sync, zeros, names) runs on the blocking pool, so that
//! the server's thread goes on. A write to the log goes to the page cache on the server's own
//! thread: it costs less than the way to another thread and back. That holds beside a snapshot too,
//! which is synced as it grows (storage), so that the kernel never has much to write. Each lane
//! has a gate, which makes its operations run one after another however many handles it has.

use std::cell::Cell;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::clock::Clock;
use crate::base::Stamp;
use crate::runtime::{DirEntry, File, FilePermissions, Lane, LaneId, OpenMode};

/// Larger writes take the blocking pool: copying them would hold up the server's thread.
const INLINE_WRITE_BYTES_MAX: usize = 256 * 1024;
/// Zeros are written in blocks of this size.
const ZEROS_BLOCK_BYTES: usize = 256 * 1024;

#[derive(Debug)]
struct Queue {
    lane: LaneId,
    gate: Mutex<()>,
    ended: Cell<Stamp>,
    clock: Clock,
    permissions: FilePermissions,
}

impl Queue {
    /// Runs `work` on the blocking pool once the operations before it have ended.
    async fn on_pool<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let _turn = self.gate.lock().await;
        let done = tokio::task::spawn_blocking(work).await;
        self.ended.set(self.clock.stamp());
        done.map_err(io::Error::other)?
    }

    /// Runs `work` on this thread once the operations before it have ended.
    async fn here<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let _turn = self.gate.lock().await;
        let done = work();
        self.ended.set(self.clock.stamp());
        done
    }
}

/// One queue of disk operations of this process.
#[derive(Clone, Debug)]
pub struct MachineLane {
    queue: Rc<Queue>,
}

impl MachineLane {
    pub(super) fn new(lane: LaneId, clock: Clock, permissions: FilePermissions) -> MachineLane {
        let ended = Cell::new(clock.stamp());
        let queue = Queue { lane, gate: Mutex::new(()), ended, clock, permissions };
        MachineLane { queue: Rc::new(queue) }
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
            .on_pool(move || {
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
        self.queue.on_pool(move || list(&dir).map_err(|error| named(error, "list", &dir))).await
    }

    async fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let dir = dir.to_path_buf();
        let permissions = self.queue.permissions.of_directory();
        self.queue
            .on_pool(move || {
                let created = fs::DirBuilder::new().recursive(true).mode(permissions).create(&dir);
                created.map_err(|error| named(error, "create directory", &dir))
            })
            .await
    }

    async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (from.to_path_buf(), to.to_path_buf());
        self.queue
            .on_pool(move || fs::rename(&from, &to).map_err(|error| named(error, "rename", &from)))
            .await
    }

    async fn remove(&self, path: &Path) -> io::Result<()> {
        let path = path.to_path_buf();
        self.queue
            .on_pool(move || fs::remove_file(&path).map_err(|error| named(error, "remove", &path)))
            .await
    }

    async fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let dir = dir.to_path_buf();
        self.queue
            .on_pool(move || {
                let synced = fs::File::open(&dir).and_then(|opened| opened.sync_all());
                synced.map_err(|error| named(error, "sync directory", &dir))
            })
            .await
    }

    async fn read(&self, path: &Path) -> io::Result<Bytes> {
        let path = path.to_path_buf();
        self.queue
            .on_pool(move || {
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
    async fn on_pool<T: Send + 'static>(
        &self,
        work: impl FnOnce(&fs::File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let file = Arc::clone(&self.file);
        self.queue.on_pool(move || work(&file)).await
    }
}

impl File for MachineFile {
    async fn len(&mut self) -> io::Result<u64> {
        self.queue.here(|| Ok(self.file.metadata()?.len())).await
    }

    async fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Bytes> {
        self.on_pool(move |file| {
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
        // A snapshot is large as a whole: the kernel may make its writer wait for the disk.
        if self.queue.lane == LaneId::Log && data.len() <= INLINE_WRITE_BYTES_MAX {
            self.queue.here(|| self.file.write_all_at(&data, offset)).await
        } else {
            self.on_pool(move |file| file.write_all_at(&data, offset)).await
        }
    }

    async fn write_zeros_at(&mut self, offset: u64, len: u64) -> io::Result<()> {
        self.on_pool(move |file| {
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
        self.on_pool(move |file| file.set_len(len)).await
    }

    async fn sync(&mut self) -> io::Result<()> {
        self.on_pool(|file| file.sync_data()).await
    }
}
