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
use super::snapshot_state::Asker;
use crate::admin::{SnapshotFile, SnapshotQuestion, SnapshotRefusal};
use crate::admin::{refuse_snapshot, snapshot_taken};
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
        if let Err(refusal) = self.may_ask_for_snapshot(now, question) {
            return self.answer_command(number, refuse_snapshot(refusal));
        }
        self.snapshots.ask(now, Asker { number, streaming: question.streaming });
        self.begin_asked_snapshot();
    }

    fn may_ask_for_snapshot(
        &self,
        now: Now,
        question: &SnapshotQuestion,
    ) -> Result<(), SnapshotRefusal> {
        let admin = &self.config.admin;
        if !self.service.is_serving() {
            return Err(SnapshotRefusal::NotServing);
        }
        let Some(proof) = &question.authorization else { return Err(SnapshotRefusal::NoProof) };
        match self.service.permit_on_root(&question.client, &proof.scheme, &proof.proof, &self.db) {
            Permit::Granted => {}
            Permit::NotProven => return Err(SnapshotRefusal::BadProof),
            Permit::Denied => return Err(SnapshotRefusal::Forbidden),
        }
        if !admin.snapshot_enabled {
            return Err(SnapshotRefusal::Disabled);
        }
        if self.snapshots.is_too_soon(now, admin.snapshot_interval) {
            return Err(SnapshotRefusal::TooOften);
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
            self.answer_command(number, refuse_snapshot(SnapshotRefusal::NotServing));
        }
    }
}
