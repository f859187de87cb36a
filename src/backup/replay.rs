//! Reads a data directory as the start of a server does, and holds the tree against the digest that the
//! leader wrote into the last transaction. (DigestCalculator)

use std::path::Path;
use std::rc::Rc;

use super::error::BackupError;
use crate::base::{Museum, Zxid};
use crate::database::Database;
use crate::jute::txn::Proposal;
use crate::runtime::os::Machine;
use crate::runtime::{LaneId, Runtime};
use crate::storage::{self, Loaded, StorageOptions};

pub(super) struct Replayed {
    pub(super) last: Zxid,
    pub(super) nodes: usize,
    pub(super) digest: u64,
    /// Why the tree is not the one that was there.
    pub(super) differs: Option<String>,
}

pub(super) fn replay(data_dir: &Path, data_log_dir: &Path) -> Result<Replayed, BackupError> {
    let wrong = |why: String| BackupError::Damaged { place: data_dir.display().to_string(), why };
    let machine = Machine::new();
    let options = options(data_dir, data_log_dir);
    let loaded = machine.run(storage::load(&options, machine.disk(LaneId::Log)));
    let loaded = loaded.map_err(|error| wrong(error.to_string()))?;
    let loaded = loaded.map_err(|error| wrong(error.to_string()))?;
    if let Some(note) = loaded.notes.first() {
        return Err(wrong(note.clone()));
    }
    let Loaded { last_logged: last, .. } = loaded;
    let expected = digest_behind(&loaded.txns);
    let mut database = Database::empty(0);
    database.restore(loaded).map_err(|error| wrong(error.to_string()))?;
    let digest = database.tree().digest();
    let differs = expected.filter(|(_, expected)| *expected != digest).map(|(zxid, expected)| {
        format!("the tree behind {zxid} has the digest {digest}, and its leader wrote {expected}")
    });
    Ok(Replayed { last, nodes: database.tree().node_count(), digest, differs })
}

/// What the tree sums up to behind the last of these. One that failed has changed nothing.
fn digest_behind(txns: &[Rc<Proposal>]) -> Option<(Zxid, u64)> {
    let last = txns.iter().rev().find(|txn| !txn.txn.is_error())?;
    Some((last.zxid(), last.digest.as_ref()?.tree_digest as u64))
}

fn options(data_dir: &Path, data_log_dir: &Path) -> StorageOptions {
    StorageOptions {
        data_dir: data_dir.to_path_buf(),
        data_log_dir: data_log_dir.to_path_buf(),
        pre_alloc_bytes: 0,
        snap_retain_count: 3,
        datadir_autocreate: false,
        db_autocreate: true,
        trust_empty: false,
        ensemble: false,
        // As long as it was logged.
        field_bytes_max: usize::MAX / 2,
        museum: Museum::default(),
    }
}
