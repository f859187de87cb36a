//! How far one queue of a process's disk operations has come.

use quorate::base::Stamp;

/// One queue of a process: shared by all handles on it.
#[derive(Default)]
pub(crate) struct LaneCursor {
    /// The stamp of the event that asks.
    pub(super) at: Stamp,
    /// When the last operation begun ends, as far as that is computed.
    pub(super) cursor: Stamp,
    /// When the last operation ended.
    pub(super) ended: Stamp,
    pub(super) begun: u64,
}
