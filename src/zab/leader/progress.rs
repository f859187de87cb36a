//! How far a learner's synchronisation is, for the log and `mntr`.
//!
//! Estimates: a snapshot is about as long as its tree's paths and data and a stat for each znode,
//! and the tree changes meanwhile.

use std::time::Duration;

use super::core::{Leader, Output};
use super::handler::{Handler, Phase};
use crate::base::{LinkId, Note, Now};
use crate::database::Database;

/// A synchronisation is told of in the log once it has lasted so long, and then again and again.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// Bytes of a znode in a snapshot beside its path and data: the lengths of both, ACL and stat.
const ZNODE_OVERHEAD_BYTES: u64 = 76;

/// How far one learner is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SyncProgress {
    pub sent_bytes: u64,
    /// Of what it needs, 0 to 99.
    pub percent: u64,
}

impl Leader {
    /// The learners that are being synchronised.
    pub fn syncs(&self, db: &Database) -> impl Iterator<Item = SyncProgress> {
        let runs = self.handlers.values().filter(|handler| handler.is_synchronising());
        runs.map(|handler| progress_of(handler, db))
    }

    /// So many bytes more are on their way to this learner.
    pub(super) fn count_sent(
        &mut self,
        now: Now,
        link: LinkId,
        bytes: usize,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        handler.sent_bytes += bytes as u64;
        if now.mono >= handler.next_telling {
            handler.next_telling = now.mono + TOLD_EVERY;
            let SyncProgress { sent_bytes, percent } = progress_of(handler, db);
            let took_ms = now.mono.since(handler.sync_began).as_millis() as u64;
            let learner = handler.sid;
            out.push(Output::Note(Note::SyncProgress { learner, sent_bytes, percent, took_ms }));
        }
    }
}

impl Handler {
    pub(super) fn is_synchronising(&self) -> bool {
        (Phase::ReadingLog..Phase::Syncing).contains(&self.phase)
    }

    pub(super) fn begin_telling(&mut self, now: Now) {
        self.sync_began = now.mono;
        self.sent_bytes = 0;
        self.next_telling = now.mono + TOLD_EVERY;
    }
}

pub(super) fn progress_of(handler: &Handler, db: &Database) -> SyncProgress {
    let sent_bytes = handler.sent_bytes;
    let of_snapshot = || {
        let tree = db.tree();
        let data = tree.approximate_data_size().max(0) as u64;
        (sent_bytes, data + tree.node_count() as u64 * ZNODE_OVERHEAD_BYTES)
    };
    // Of a history in another epoch nobody knows how many transactions it has.
    let of_history = || {
        let (begin, end) = (handler.last_zxid, db.committed());
        let is_known = begin.epoch() == end.epoch() && handler.sent_to > begin;
        match is_known {
            true => ((handler.sent_to.0 - begin.0) as u64, (end.0 - begin.0).max(1) as u64),
            false => (0, 1),
        }
    };
    let (done, of) = match handler.phase {
        Phase::SendingSnapshot => of_snapshot(),
        _ => of_history(),
    };
    SyncProgress { sent_bytes, percent: (done * 100 / of.max(1)).min(99) }
}
