//! How much of a history moves at once from a leader to its learners, and to the disk.
//!
//! `zoo.cfg` has keys for the first two. The others are the same for every server; the simulator makes
//! them small, so that small trees meet them.
//!
//! Not here: what clients may take (limits.rs).

use serde::{Deserialize, Serialize};

use crate::base::limits::{
    COMMITTED_LOG_COUNT, LINK_QUEUE_BYTES_MAX, SNAPSHOT_PROGRESS_BYTES, SNAPSHOT_SLICE_BYTES,
    SNAPSHOT_SLICE_NODES,
};

/// Limits on synchronisation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SyncLimits {
    /// `commitLogCount`: committed transactions kept in memory for DIFF.
    pub committed_log_count: usize,
    /// `zookeeper.snapshotSizeFactor`: how much of the log on disk a DIFF may hold, as a share of the
    /// tree; below 0 for none.
    pub snapshot_size_factor: f64,
    /// Znodes in one slice of a snapshot, at least 1.
    pub slice_nodes: usize,
    /// Bytes after which a slice ends, whatever the number of its znodes, and a portion of a history.
    pub slice_bytes: usize,
    /// A snapshot that arrives is told of each time so many bytes more are there.
    pub progress_bytes: usize,
    /// Bytes queued to one peer before its connection is given up.
    pub link_bytes_max: usize,
}

impl Default for SyncLimits {
    fn default() -> SyncLimits {
        SyncLimits {
            committed_log_count: COMMITTED_LOG_COUNT,
            snapshot_size_factor: 0.33,
            slice_nodes: SNAPSHOT_SLICE_NODES,
            slice_bytes: SNAPSHOT_SLICE_BYTES,
            progress_bytes: SNAPSHOT_PROGRESS_BYTES,
            link_bytes_max: LINK_QUEUE_BYTES_MAX,
        }
    }
}
