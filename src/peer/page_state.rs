//! What the page for an operator needs from one step to another. Nothing is decided by it.

use crate::admin::page::{Allowance, Changes, Counts, History};
use crate::metrics::Recent;

#[derive(Clone, Debug, Default)]
pub(super) struct PageState {
    pub(super) history: History,
    pub(super) changes: Changes,
    pub(super) allowance: Allowance,
    pub(super) seen: Seen,
}

/// How far the last interval of the history went.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// `None` before the first.
    pub(super) counts: Option<Counts>,
    pub(super) requests: Recent,
    pub(super) fsyncs: Recent,
    pub(super) commits: Recent,
}
