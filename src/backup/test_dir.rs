//! Data directories for the tests of this room.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::cuts::Sizes;
use super::directory::Directory;
use super::error::BackupError;
use super::manifest::{Id, Manifest};
use super::progress::Progress;
use super::sender::{Count, Sender};
use super::source_dir::DataDir;
use super::store::{Store, Stored};
use super::write_manifest;
use crate::base::{SessionId, Zxid};
use crate::jute::data::{Acl, StatPersisted};
use crate::jute::persist::{SnapshotDigest, SnapshotNode};
use crate::jute::txn::{CreateTxn, Proposal, Txn, TxnHeader, kind};
use crate::storage::log_format::{encode_log_header, encode_record};
use crate::storage::{SnapshotEncoder, log_name, snapshot_name};

/// Small, so that little data has many parts.
const SIZES: Sizes = Sizes { min: 256, about: 512, max: 4096 };

/// A dataDir, and beside it a target and a place for restored ones.
pub(super) struct TestDir {
    dir: TempDir,
}

/// Each transaction creates a node of its own, and was made at 1,000 times its counter.
pub(super) fn proposal(zxid: i64) -> Proposal {
    let zxid = Zxid(zxid);
    let time = i64::from(zxid.counter()) * 1000;
    let header = TxnHeader { client_id: SessionId(1), cxid: 1, zxid, time, kind: kind::CREATE };
    let txn = CreateTxn {
        path: format!("/n{:x}", zxid.0),
        data: Some(vec![zxid.0 as u8; 60].into()),
        acl: Some(Acl::open()),
        ephemeral: false,
        parent_cversion: 1,
    };
    Proposal::new(header, Txn::Create(txn), None)
}

impl TestDir {
    pub(super) fn new() -> TestDir {
        let dir = tempfile::tempdir().expect("a directory for temporary files");
        fs::create_dir_all(dir.path().join("data/version-2")).expect("a writable directory");
        TestDir { dir }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn target(&self) -> PathBuf {
        self.path("target")
    }

    pub(super) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.data().join("version-2").join(name), content).expect("a writable file");
    }

    /// With the nodes of these transactions, and effects up to `effects_end`.
    pub(super) fn snapshot(&self, zxid: i64, effects_end: i64, nodes: &[i64]) {
        let node = |path: String| SnapshotNode {
            path,
            data: Some(vec![7; 60].into()),
            acl: -1,
            stat: StatPersisted::default(),
        };
        let mut encoder = SnapshotEncoder::for_file();
        encoder.sessions(&[]);
        encoder.acls(&[]);
        encoder.nodes(&[node(String::new())]);
        encoder.nodes(&nodes.iter().map(|n| node(format!("/n{n:x}"))).collect::<Vec<_>>());
        let mut content = encoder.take().to_vec();
        let effects_end = Zxid(effects_end);
        let digest = SnapshotDigest { zxid: effects_end, version: 2, digest: 0 };
        content.extend_from_slice(&encoder.finish(Some(&digest), Some(effects_end)));
        self.put(&snapshot_name(Zxid(zxid)), content);
    }

    /// A log of these transactions, with zeros ahead.
    pub(super) fn log(&self, zxids: &[i64]) {
        let mut content = Vec::new();
        encode_log_header(&mut content);
        for zxid in zxids {
            encode_record(proposal(*zxid).bytes(), &mut content);
        }
        content.extend_from_slice(&[0; 5000]);
        self.put(&log_name(Zxid(zxids[0])), content);
    }

    pub(super) fn source(&self, snapshots_max: usize) -> DataDir {
        let source = DataDir::open(&self.data(), None, snapshots_max, None);
        source.expect("it has a version-2").with_sizes(SIZES)
    }

    pub(super) fn store(&self) -> Directory {
        Directory::to_write(&self.target()).expect("nobody else writes there")
    }

    /// One backup of up to three snapshots.
    pub(super) fn back_up(&self) -> Taken {
        back_up(&self.source(3), &self.store(), 1_777_890_600_500).expect("it can be taken")
    }
}

pub(super) struct Taken {
    pub(super) id: Id,
    pub(super) manifest: Manifest,
    pub(super) sent: Count,
    pub(super) found: Count,
}

pub(super) fn back_up(
    source: &DataDir,
    store: &dyn Store,
    now_ms: i64,
) -> Result<Taken, BackupError> {
    let mut sender = Sender::new(store, Progress::new())?;
    let content = source.take(&mut sender)?;
    let (id, manifest) = write_manifest(store, content, now_ms)?;
    Ok(Taken { id, manifest, sent: sender.sent, found: sender.found })
}

/// Files below a directory.
pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Hears the name of what is put.
type Tell<'a> = dyn FnMut(&str) + 'a;

/// A store that does something before a write, or fails there as a full disk or a crash does.
pub(super) struct Faulty<'a> {
    pub(super) inner: &'a dyn Store,
    /// Of the writes, settlings and deletions that succeed.
    pub(super) left: Cell<usize>,
    pub(super) before_put: RefCell<Box<Tell<'a>>>,
}

impl<'a> Faulty<'a> {
    pub(super) fn failing_after(inner: &'a dyn Store, left: usize) -> Faulty<'a> {
        Faulty { inner, left: Cell::new(left), before_put: RefCell::new(Box::new(|_| ())) }
    }

    pub(super) fn telling(inner: &'a dyn Store, tell: impl FnMut(&str) + 'a) -> Faulty<'a> {
        Faulty { inner, left: Cell::new(usize::MAX), before_put: RefCell::new(Box::new(tell)) }
    }

    fn step(&self) -> Result<(), BackupError> {
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(BackupError::Refused("the store has failed".into())),
        }
    }
}

impl Store for Faulty<'_> {
    fn list(&self, folder: &str) -> Result<Vec<Stored>, BackupError> {
        self.inner.list(folder)
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, BackupError> {
        self.inner.get(name)
    }

    fn put(&self, name: &str, content: Vec<u8>) -> Result<(), BackupError> {
        self.before_put.borrow_mut()(name);
        self.step()?;
        self.inner.put(name, content)
    }

    fn delete(&self, name: &str) -> Result<(), BackupError> {
        self.step()?;
        self.inner.delete(name)
    }

    fn settle(&self) -> Result<(), BackupError> {
        self.step()?;
        self.inner.settle()
    }

    fn place(&self, name: &str) -> String {
        self.inner.place(name)
    }
}
