//! What storage must know of a server's configuration.

use std::path::PathBuf;

use crate::base::Museum;

/// What storage must know of a server's configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StorageOptions {
    /// Snapshots and epoch files live in its `version-2`.
    pub data_dir: PathBuf,
    /// Logs and the guard file live in its `version-2`. Often the same directory.
    pub data_log_dir: PathBuf,
    /// `preAllocSize`, in bytes: how far zeros are written ahead at most.
    pub pre_alloc_bytes: u64,
    /// `autopurge.snapRetainCount`; fewer than 3 count as 3.
    pub snap_retain_count: usize,
    /// `zookeeper.datadir.autocreate`: directories that are missing are made.
    pub datadir_autocreate: bool,
    /// `zookeeper.db.autocreate`: an empty directory may vote without an `initialize` file.
    pub db_autocreate: bool,
    /// `zookeeper.snapshot.trust.empty`: logs without a snapshot are a whole history.
    pub trust_empty: bool,
    /// False for a standalone server: it has no epoch files.
    pub ensemble: bool,
    /// Bytes of the longest string or buffer of a transaction (`ClientLimits::field_bytes_max`).
    pub field_bytes_max: usize,
    pub museum: Museum,
}
