//! Facts: what the checkers are told, one by one.

use quorate::base::{Mono, Note, ServerId, Stamp, Zxid};

/// One thing that happened, in the order of the world's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    pub at: Stamp,
    /// The server's own monotonic clock then.
    pub mono: Mono,
    pub server: ServerId,
    pub event: Event,
}

/// What happened: a server's own words, or what the laboratory did to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Note(Note),
    Started,
    /// The process is gone, by a kill, a power loss or its own halt.
    Died,
    Wiped,
    /// A copy of its disk was put aside.
    DiskSaved,
    /// Its disk is the copy put aside, or a copy of another server's.
    DiskPut {
        from: Option<ServerId>,
    },
    Paused,
    Resumed,
    /// A frame of another server came that a cut had swallowed, or a delay kept, for long.
    HeardLate {
        from: ServerId,
    },
    /// The laboratory has recovered a copy of this server's disk, as a start would now.
    Rebuilt(Rebuilt),
}

/// The state that a copy of a disk comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Of what was durable alone: after a power loss. Otherwise of all that was written.
    pub durable: bool,
    pub last_applied: Zxid,
    pub digest: u64,
    /// Of the tree alone, after one replay of the log, and after another one on top of it.
    pub replayed: (u64, u64),
}

/// The state that a server says to have, and at which zxid.
pub(super) fn told_state(note: &Note) -> Option<(Zxid, u64)> {
    match note {
        Note::Applied { zxid, state_digest, .. } => Some((*zxid, *state_digest)),
        Note::FastForwarded { to, state_digest } => Some((*to, *state_digest)),
        Note::SnapshotInstalled { zxid, tree_digest } => Some((*zxid, *tree_digest)),
        Note::Recovered { last_applied, tree_digest, .. } => Some((*last_applied, *tree_digest)),
        _ => None,
    }
}
