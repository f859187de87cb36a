//! A copy of a data directory, read and written through the storage of a server.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

use quorate::base::{Epoch, Zxid};
use quorate::database::Database;
use quorate::jute::persist::SnapshotDigest;
use quorate::jute::txn::Proposal;
use quorate::runtime::os::Machine;
use quorate::runtime::{LaneId, Runtime};
use quorate::storage::{
    self, Loaded, LogRequest, Outcome, SnapshotEncoder, SnapshotRequest, StorageError,
    StorageOptions, Ticket,
};
use quorate::tree::{DIGEST_VERSION, SnapshotCursor};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::captured::{expected, is_ensemble, list, snapshots};
use crate::golden_files::bytes;

/// Nodes of one slice of a snapshot: few, so that every tree takes several.
const SLICE_NODES: usize = 7;

/// A copy of a directory on this machine's disk.
pub(crate) struct DirCopy {
    dir: String,
    at: TempDir,
}

impl DirCopy {
    pub(crate) fn empty(dir: &str) -> DirCopy {
        DirCopy { dir: dir.to_owned(), at: tempfile::tempdir().expect("a place for a copy") }
    }

    pub(crate) fn of(dir: &str) -> DirCopy {
        let copy = DirCopy::empty(dir);
        copy.lay(dir);
        copy
    }

    /// An empty directory on which a server has started.
    pub(crate) fn begun(dir: &str) -> DirCopy {
        let copy = DirCopy::empty(dir);
        assert_eq!(copy.load_sound().snapshot, None);
        copy
    }

    /// Puts the files of a directory there, over those that are there already.
    pub(crate) fn lay(&self, dir: &str) {
        for file in list(&expected(dir), "files") {
            let file = file.as_str().expect("names of files");
            let name = file.strip_prefix(&format!("dirs/{dir}/")).expect("a file of its own");
            let to = self.at.path().join(name);
            fs::create_dir_all(to.parent().expect("it is inside")).expect("the copy is writable");
            fs::write(to, bytes(file)).expect("the copy is writable");
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.at.path().join("version-2").join(name)
    }

    /// Takes the snapshots away that are newer than this one.
    pub(crate) fn forget_after(&self, newest: Zxid) {
        for (name, zxid) in snapshots(&self.dir) {
            if zxid > newest {
                fs::remove_file(self.file(&name)).expect("it was copied");
            }
        }
    }

    /// Writes acceptedEpoch, as a server does before its first transaction of that epoch.
    pub(crate) fn accept(&self, epoch: Epoch) {
        fs::write(self.file("acceptedEpoch"), epoch.0.to_string())
            .expect("a directory to write in");
    }

    pub(crate) fn options(&self) -> StorageOptions {
        StorageOptions {
            data_dir: self.at.path().to_owned(),
            data_log_dir: self.at.path().to_owned(),
            pre_alloc_bytes: 4096,
            snap_retain_count: 3,
            datadir_autocreate: true,
            db_autocreate: true,
            trust_empty: false,
            ensemble: is_ensemble(&self.dir),
            field_bytes_max: quorate::base::limits::JUTE_FIELD_BYTES_MAX,
            museum: quorate::base::Museum::default(),
        }
    }

    pub(crate) fn load(&self) -> Result<Loaded, StorageError> {
        let machine = Machine::new();
        let lane = machine.disk(LaneId::Log);
        let options = self.options();
        machine.run(storage::load(&options, lane)).expect("an event queue")
    }

    pub(crate) fn load_sound(&self) -> Loaded {
        self.load().unwrap_or_else(|error| panic!("{}: {error}", self.dir))
    }

    /// Appends through the driver of the log, behind what it finds.
    pub(crate) fn append(&self, txns: &[Rc<Proposal>]) {
        let machine = Machine::new();
        let (queue, queued) = mpsc::unbounded_channel();
        let appends = txns.iter().cloned().map(LogRequest::Append);
        for (n, request) in [LogRequest::Load].into_iter().chain(appends).enumerate() {
            assert!(queue.send((machine.stamp(), Ticket(n as u64), request)).is_ok());
        }
        drop(queue);
        let (floors, _) = mpsc::unbounded_channel();
        let outcomes = Rc::new(RefCell::new(Vec::new()));
        let told = outcomes.clone();
        let driver = storage::run_log(
            machine.clone(),
            self.options(),
            queued,
            floors,
            move |_, _, outcome| {
                told.borrow_mut().push(outcome.expect("the disk is sound"));
            },
        );
        machine.run(driver).expect("an event queue");
        let told: Vec<Outcome> = outcomes.take().split_off(1);
        let durable = told.iter().map(|outcome| match outcome {
            Outcome::Durable { zxid, .. } => *zxid,
            other => panic!("{}: {other:?}", self.dir),
        });
        assert!(durable.eq(txns.iter().map(|proposal| proposal.zxid())), "{}: {told:?}", self.dir);
    }

    /// Writes a snapshot as a server does: in slices, through the driver of snapshots.
    pub(crate) fn write_snapshot(&self, db: &Database) {
        let zxid = db.last_applied();
        let mut encoder = SnapshotEncoder::for_file();
        db.begin_snapshot(&mut encoder);
        let mut requests = vec![
            SnapshotRequest::Begin { zxid, sync: true },
            SnapshotRequest::Chunk(encoder.take()),
        ];
        let mut cursor = SnapshotCursor::new();
        while !cursor.is_done() {
            encoder.nodes(&db.tree().snapshot_slice(&mut cursor, SLICE_NODES));
            requests.push(SnapshotRequest::Chunk(encoder.take()));
        }
        let end = encoder.finish(Some(&digest_block(db)), Some(zxid));
        requests.extend([SnapshotRequest::Chunk(end), SnapshotRequest::Finish]);

        let machine = Machine::new();
        let (queue, queued) = mpsc::unbounded_channel();
        for (n, request) in requests.into_iter().enumerate() {
            assert!(queue.send((machine.stamp(), Ticket(n as u64), request)).is_ok());
        }
        drop(queue);
        let last = Rc::new(RefCell::new(None));
        let told = last.clone();
        let driver =
            storage::run_snapshots(machine.clone(), self.options(), queued, move |_, _, done| {
                *told.borrow_mut() = Some(done.expect("the disk is sound"));
            });
        machine.run(driver).expect("an event queue");
        match last.take() {
            Some(Outcome::SnapshotDone { zxid: done, sync: true, .. }) if done == zxid => {}
            other => panic!("{}: {other:?}", self.dir),
        }
    }
}

pub(crate) fn digest_block(db: &Database) -> SnapshotDigest {
    let digest = db.tree().digest() as i64;
    SnapshotDigest { zxid: db.last_applied(), version: DIGEST_VERSION, digest }
}
