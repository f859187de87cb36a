//! What completions of the disk mean to the roles.
//!
//! A completion that comes when its role is over is passed over by `step_leader` and
//! `step_learner`: the server is Draining until all of them have come (S-19), and only then looks.
//!
//! - PE-1  a failed write or fsync ends the process; nothing is tried again.
//! - PE-9  the disk is read while this server is Loading.
//!
//! Not here: which request a completion answers (disk.rs).

use super::core::Peer;
use super::disk::Stored;
use super::role::{AfterLoad, Role};
use super::snapshotter::Purpose;
use crate::base::invariant::broken;
use crate::base::{Exhibit, GaveUp, Note, Now, RoleName, Zxid};
use crate::jute::persist::Pieces;
use crate::metrics::Summary;
use crate::runtime::Halt;
use crate::storage::{Loaded, Outcome, StorageError, Ticket};
use crate::zab::{leader, learner};

impl Peer {
    pub(super) fn on_stored(
        &mut self,
        now: Now,
        ticket: Ticket,
        result: Result<Outcome, StorageError>,
    ) {
        match self.disk.on_stored(ticket, result, &mut self.db, &mut self.queue) {
            Stored::Durable { zxid, time_ms, batch } => {
                self.metrics.record_since(Summary::ProposalAckCreationLatency, now, time_ms);
                if let Some(batch) = batch {
                    self.count_batch(&batch);
                }
                self.step_leader(now, leader::Input::Durable(zxid));
                self.step_learner(now, learner::Input::Durable(zxid));
            }
            Stored::EpochWritten(which, epoch) => {
                self.step_leader(now, leader::Input::EpochDurable(which, epoch));
                self.step_learner(now, learner::Input::EpochDurable(which, epoch));
            }
            Stored::HistoryRead { link, from, read } => {
                self.step_leader(now, leader::Input::HistoryRead { link, from, read });
            }
            Stored::Loaded(loaded) => self.on_loaded(now, *loaded),
            Stored::Reloaded(loaded) => {
                if self.restore(*loaded) {
                    self.step_learner(now, learner::Input::Replaced);
                }
            }
            Stored::LogReset => self.step_learner(now, learner::Input::Replaced),
            Stored::FirstSnapshot => {
                self.snapshots.note(Zxid::ZERO, Some(now));
                self.on_restored(now, AfterLoad::Begin);
            }
            Stored::Snapshot { zxid, took, asked_bytes } => {
                self.metrics.record_ms(Summary::SnapshotTime, took);
                self.on_snapshot_written(now, zxid, asked_bytes);
            }
            Stored::Measured(sizes) => self.on_measured(now, sizes),
            Stored::Nothing => {}
            Stored::Refused(error) | Stored::Failed(error) => return self.on_failed(now, error),
        }
        self.begin_asked_snapshot();
        self.try_look(now);
    }

    fn on_failed(&mut self, now: Now, error: StorageError) {
        match error {
            // ZOOKEEPER-4882 kept the tree, and went on.
            error if self.config.museum.on(Exhibit::MemoryAheadOfDisk) => {
                self.become_draining(now, GaveUp::Storage { error: error.to_string() });
            }
            // Nothing was changed. With the snapshot of a leader whose history came to nothing,
            // the log may begin behind where another leader wants it cut. Apache ends here, and
            // again after each restart (exit code 13).
            error @ StorageError::CannotTruncate { .. } => {
                let sid = self.config.my_id;
                tracing::warn!(%sid, "{error}; the leader's snapshot shall replace it");
                self.db.require_snapshot();
                self.become_draining(now, GaveUp::Storage { error: error.to_string() });
            }
            // PE-1: whatever could not be written, we no longer know what the disk holds.
            error => self.become_halted(error.into()),
        }
    }

    /// The disk was read: at the start, or because a role left something half done.
    fn on_loaded(&mut self, now: Now, loaded: Loaded) {
        let is_new = loaded.snapshot.is_none();
        if let Some(snapshot) = &loaded.snapshot {
            self.snapshots.note(snapshot.zxid, None);
        }
        let Role::Loading(after) = self.role else {
            broken("PE-9", format!("the disk was read while the role is {:?}", self.role));
        };
        if !self.restore(loaded) {
            return;
        }
        if after == AfterLoad::Begin && is_new && self.db.vote_zxid() >= Zxid::ZERO {
            // Nothing may be logged before a snapshot lies below it (facts: loading).
            self.disk.begin_snapshot(Purpose::First, &self.db, &mut self.queue);
        } else {
            self.on_restored(now, after);
        }
    }

    fn on_restored(&mut self, now: Now, after: AfterLoad) {
        if after == AfterLoad::Begin {
            self.disk.begin_purging(now);
        }
        if self.config.is_standalone() {
            return self.become_standalone(now);
        }
        if after == AfterLoad::Begin {
            self.count_election(None);
            let (role, epoch) = (RoleName::Looking, self.db.current_epoch());
            self.note(Note::Role { role, epoch });
        }
        self.become_looking(now, false, None);
    }

    fn restore(&mut self, loaded: Loaded) -> bool {
        for note in &loaded.notes {
            tracing::warn!(sid = %self.config.my_id, "{note}");
        }
        self.count_load(loaded.took, loaded.txns.len());
        match self.db.restore(loaded) {
            Ok(()) => {
                self.note(Note::Recovered {
                    last_logged: self.db.last_logged(),
                    last_applied: self.db.last_applied(),
                    accepted: self.db.accepted_epoch(),
                    current: self.db.current_epoch(),
                    tree_digest: self.db.state_digest(),
                });
                true
            }
            Err(error) => {
                self.become_halted(Halt::unexpected(error.to_string()));
                false
            }
        }
    }

    /// The leader's snapshot replaces everything we have. (SNAP)
    pub(super) fn install_snapshot(&mut self, now: Now, zxid: Zxid, body: Pieces) {
        if let Err(error) = self.db.install_stream(zxid, body) {
            let error = error.to_string();
            return self.become_draining(now, GaveUp::BadSnapshot { error });
        }
        let tree_digest = self.db.state_digest();
        self.note(Note::SnapshotInstalled { zxid, tree_digest });
        self.disk.abort_snapshot(&mut self.queue);
        self.disk.begin_snapshot(Purpose::Install, &self.db, &mut self.queue);
    }
}
