//! Completions of the disk: only now has anything happened.

use super::core::{AfterLoad, ForWhom, Peer, Role};
use crate::base::{Exhibit, LinkId, Note, Now};
use crate::runtime::Halt;
use crate::storage::{EpochKind, Loaded, LogRequest, Outcome, StorageError, Ticket};
use crate::zab::{leader, learner};

impl Peer {
    pub(super) fn on_stored(
        &mut self,
        now: Now,
        ticket: Ticket,
        result: Result<Outcome, StorageError>,
    ) {
        let outcome = match result {
            Ok(outcome) => outcome,
            // ZOOKEEPER-4882 kept the tree, and went on.
            Err(error) if self.config.museum.on(Exhibit::MemoryAheadOfDisk) => {
                self.on_log.remove(&ticket);
                return self.become_looking(now, error.to_string());
            }
            Err(error @ StorageError::CannotTruncate { .. }) => {
                self.on_log.remove(&ticket);
                return self.ask_for_a_snapshot(now, &error);
            }
            // PE-1: whatever could not be written, we no longer know what the disk holds.
            Err(error) => {
                return self.halt(Halt::unexpected(error.to_string()));
            }
        };
        let Some(whom) = self.on_log.remove(&ticket) else {
            return self.on_snapshot_stored(now, outcome);
        };
        match (whom, outcome) {
            (_, Outcome::Durable { zxid }) => {
                self.db.set_durable(zxid);
                self.note(Note::Durable { zxid });
                self.finish_snapshot();
                self.step_leader(now, leader::Input::Durable(zxid));
                self.step_learner(now, learner::Input::Durable(zxid));
            }
            (_, Outcome::EpochWritten { which, epoch }) => {
                self.db.set_epoch(which, epoch);
                self.note(match which {
                    EpochKind::Accepted => Note::AcceptedEpochDurable { epoch },
                    EpochKind::Current => Note::CurrentEpochDurable { epoch },
                });
                self.step_leader(now, leader::Input::EpochDurable(which, epoch));
                self.step_learner(now, learner::Input::EpochDurable(which, epoch));
            }
            (ForWhom::LearnerSync(link), Outcome::Log(records)) => {
                self.log_read(now, link, Some(records));
            }
            (ForWhom::LearnerSync(link), Outcome::LogTooLong) => self.log_read(now, link, None),
            (ForWhom::Load, Outcome::Loaded(loaded)) => self.on_loaded(now, *loaded),
            (ForWhom::Replace, Outcome::Truncated { to }) => {
                self.note(Note::Truncated { to });
                self.ask_log(ForWhom::Replace, LogRequest::Load);
            }
            (ForWhom::Replace, Outcome::Loaded(loaded)) => self.on_reloaded(now, *loaded),
            (ForWhom::Snapshotter, Outcome::LogReset) => {
                self.step_learner(now, learner::Input::Replaced);
            }
            _ => {}
        }
        self.try_look(now);
    }

    /// Nothing was changed. With the snapshot of a leader whose history came to nothing, the log
    /// may begin behind where another leader wants it cut. Apache ends here, and again after each
    /// restart (exit code 13).
    fn ask_for_a_snapshot(&mut self, now: Now, error: &StorageError) {
        tracing::warn!(sid = %self.config.my_id, "{error}; the leader's snapshot shall replace it");
        self.db.require_snapshot();
        self.become_looking(now, error.to_string());
    }

    fn log_read(
        &mut self,
        now: Now,
        link: LinkId,
        records: Option<Vec<std::rc::Rc<crate::jute::txn::Proposal>>>,
    ) {
        self.step_leader(now, leader::Input::LogRead(link, records));
    }

    /// The disk was read: at the start, or because a role left something half done.
    fn on_loaded(&mut self, now: Now, loaded: Loaded) {
        let after = match self.role {
            Role::Loading(after) => after,
            _ => AfterLoad::Look,
        };
        let is_new = loaded.snapshot.is_none();
        if !self.restore(loaded) {
            return;
        }
        if after == AfterLoad::Begin && is_new && self.db.vote_zxid().0 >= 0 {
            // Nothing may be logged before a snapshot lies below it (facts: loading).
            return self.begin_first_snapshot();
        }
        self.loaded(now, after);
    }

    pub(super) fn loaded(&mut self, now: Now, after: AfterLoad) {
        if after == AfterLoad::Begin && self.config.purge_interval.is_some() {
            self.next_purge = now.mono;
        }
        if self.config.is_standalone() {
            return self.become_standalone(now);
        }
        if after == AfterLoad::Begin {
            let (role, epoch) = (crate::base::RoleName::Looking, self.db.current_epoch());
            self.note(Note::Role { role, epoch });
        }
        self.look(now);
    }

    /// The log was cut for a leader's TRUNC, and the database read anew.
    fn on_reloaded(&mut self, now: Now, loaded: Loaded) {
        if self.restore(loaded) {
            self.step_learner(now, learner::Input::Replaced);
        }
    }

    fn restore(&mut self, loaded: Loaded) -> bool {
        for note in &loaded.notes {
            tracing::warn!(sid = %self.config.my_id, "{note}");
        }
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
                self.halt(Halt::unexpected(error.to_string()));
                false
            }
        }
    }
}
