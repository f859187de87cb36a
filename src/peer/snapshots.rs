//! Snapshots that are asked for at the admin port, and which was the last.   (Z/server/admin/Commands)
//!
//!     asked --another is being written--> waits --> is written --> answered
//!
//! One at a time, and not more often than `admin.rateLimiterIntervalInMS` says. Who asks must have
//! every permission on the root: a snapshot holds whatever anybody may read.
//!
//! Like a routine snapshot it is fuzzy; it is durable when it is answered.
//!
//! Not here: how it is written (snapshotter.rs), what is kept from one step to another
//! (snapshot_state.rs), what the answer looks like (admin/snapshot.rs).

use super::core::Peer;
use super::pump::storage_options;
use super::snapshot_state::Asker;
use crate::admin::{Command, LogStretch, Proof, SnapshotFile, SnapshotQuestion, SnapshotRefusal};
use crate::admin::{refuse_snapshot, snapshot_taken, txn_log};
use crate::base::{Now, Zxid};
use crate::server::Permit;
use crate::storage::snapshot_path;

impl Peer {
    pub(super) fn on_snapshot_question(
        &mut self,
        now: Now,
        number: u64,
        question: &SnapshotQuestion,
    ) {
        let admin = &self.config.admin;
        let may = self.may_have_all(&question.proof).and_then(|()| {
            let is_soon = self.snapshots.is_too_soon(now, admin.snapshot_interval);
            if is_soon { Err(SnapshotRefusal::TooOften) } else { Ok(()) }
        });
        if let Err(refusal) = may {
            return self.answer_command(number, refuse_snapshot(Command::Snapshot, refusal));
        }
        self.snapshots.ask(now, Asker { number, streaming: question.streaming });
        self.begin_asked_snapshot();
    }

    /// Transactions behind a snapshot: those that are committed, applied, and in this server's log.
    pub(super) fn on_txn_log_question(&mut self, number: u64, from: Zxid, proof: &Proof) {
        let answer = match self.may_have_all(proof) {
            Err(refusal) => refuse_snapshot(Command::TxnLog, refusal),
            Ok(()) => {
                let up_to = self.db.last_applied().min(self.db.durable());
                txn_log(LogStretch { storage: storage_options(&self.config), from, up_to })
            }
        };
        self.answer_command(number, answer);
    }

    fn may_have_all(&self, proof: &Proof) -> Result<(), SnapshotRefusal> {
        if !self.service.is_serving() {
            return Err(SnapshotRefusal::NotServing);
        }
        let Proof { client, authorization } = proof;
        let Some(proof) = authorization else { return Err(SnapshotRefusal::NoProof) };
        match self.service.permit_on_root(client, &proof.scheme, &proof.proof, &self.db) {
            Permit::Granted => {}
            Permit::NotProven => return Err(SnapshotRefusal::BadProof),
            Permit::Denied => return Err(SnapshotRefusal::Forbidden),
        }
        if !self.config.admin.snapshot_enabled {
            return Err(SnapshotRefusal::Disabled);
        }
        Ok(())
    }

    /// As soon as no other is being written.
    pub(super) fn begin_asked_snapshot(&mut self) {
        if self.snapshots.is_asked() {
            self.disk.begin_asked_snapshot(&self.db, &mut self.queue);
        }
    }

    pub(super) fn on_snapshot_written(&mut self, now: Now, zxid: Zxid, asked_bytes: Option<u64>) {
        self.snapshots.note(zxid, Some(now));
        let Some(bytes) = asked_bytes else { return };
        if let Some(Asker { number, streaming }) = self.snapshots.take_asker() {
            let path = snapshot_path(&self.config.data_dir, zxid);
            let file = SnapshotFile { path, zxid, bytes };
            self.answer_command(number, snapshot_taken(file, streaming));
        }
    }

    /// The role has ended, and what was being written with it.
    pub(super) fn forget_asked_snapshot(&mut self) {
        if let Some(Asker { number, .. }) = self.snapshots.take_asker() {
            let refusal = refuse_snapshot(Command::Snapshot, SnapshotRefusal::NotServing);
            self.answer_command(number, refusal);
        }
    }
}
