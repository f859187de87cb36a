//! How far a server is that gives its leadership to another, or is told to end.
//!
//! Not here: what follows from it (handing_over.rs, stopping.rs).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::base::{ConnId, Mono};

/// A leader that looks for somebody to take its place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HandingOver {
    /// No successor is looked for any more then.
    pub(super) until: Mono,
    /// Who is told how it ended.
    pub(super) askers: Vec<Asker>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Asker {
    /// By the word `hand`.
    Word(ConnId),
    /// By the command `hand_over`, under the number of its question.
    Command(u64),
}

/// A server that is told to end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stopping {
    /// The process ends then, whatever is missing.
    pub(super) until: Mono,
    /// Its part in the election of the successor is done.
    pub(super) has_voted: bool,
    /// Connections that were closed, and have not ended: something is on its way to them.
    pub(super) closing: BTreeSet<ConnId>,
}
