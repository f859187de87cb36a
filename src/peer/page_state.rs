//! What the page for an operator needs from one step to another. Nothing is decided by it.

use crate::admin::page::{Allowance, Changes, Counts, History};
use crate::base::Now;
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
    pub(super) counts: Counts,
    pub(super) requests: Recent,
    pub(super) fsyncs: Recent,
    pub(super) commits: Recent,
}

impl PageState {
    /// The first interval begins.
    pub(super) fn begin(now: Now) -> PageState {
        let counts = Counts { mono_ms: now.mono.millis(), ..Counts::default() };
        PageState { seen: Seen { counts, ..Seen::default() }, ..PageState::default() }
    }
}
