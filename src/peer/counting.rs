//! What is counted of this server as a whole: roles, the log, transactions. What comes of clients is
//! counted by the service, what comes of acks by the leader.          (QuorumPeer, SyncRequestProcessor)
//!
//! Here too, the warning of a slow disk: what waited for a sync, and for how long. (FileTxnLog.commit)
//!
//! Not here: what is shown (shown.rs).

use super::core::Peer;
use super::role::Role;
use crate::base::{GaveUp, Note, Now, RoleName, SyncMode};
use crate::jute::txn::Proposal;
use crate::metrics::{Counter, CounterSet, Summary};
use crate::storage::{Batch, LoadTimes};

impl Peer {
    /// Some of what is told is counted, too.
    pub(super) fn count_note(&self, note: &Note) {
        match note {
            Note::SyncChosen { mode, .. } => self.count_sync(*mode),
            Note::SessionExpired { .. } => self.metrics.count(Counter::StaleSessionsExpired),
            _ => {}
        }
    }

    /// A leader begins to synchronise a learner: one more of those that it is busy with.
    fn count_sync(&self, mode: SyncMode) {
        let Role::Leading(leading) = &self.role else { return };
        let busy = leading.leader().syncs(&self.db).count() as u64;
        let (counter, summary) = match mode {
            SyncMode::Snap => (Counter::SnapCount, Summary::InflightSnapCount),
            SyncMode::Diff | SyncMode::Trunc => (Counter::DiffCount, Summary::InflightDiffCount),
        };
        self.metrics.count(counter);
        self.metrics.record(summary, busy);
    }

    /// This server begins to look, for the first time or since its role came to an end.
    pub(super) fn count_election(&self, why: Option<&GaveUp>) {
        self.metrics.count_under(CounterSet::Elections, why.map_or("start", GaveUp::name));
    }

    /// Clients are served from now on.
    pub(super) fn count_serving(&mut self, now: Now) {
        let since_role = now.mono.since(self.course.since);
        let Some(unavailable_since) = self.course.unavailable_since.take() else { return };
        let unavailable = now.mono.since(unavailable_since);
        let role = self.role_name();
        match role {
            RoleName::Following => self.metrics.record_ms(Summary::FollowerSyncTime, since_role),
            RoleName::Observing => self.metrics.record_ms(Summary::ObserverSyncTime, since_role),
            RoleName::Leading | RoleName::Looking | RoleName::Standalone => {}
        }
        if role == RoleName::Leading {
            self.metrics.record_ms(Summary::LeaderUnavailableTime, unavailable);
        }
        self.metrics.record_ms(Summary::UnavailableTime, unavailable);
    }

    pub(super) fn count_load(&self, took: LoadTimes, txns: usize) {
        self.metrics.record_ms(Summary::DbInitTime, took.all);
        self.metrics.record_ms(Summary::StartupSnapLoadTime, took.snapshot);
        self.metrics.record_ms(Summary::StartupTxnsLoadTime, took.logs);
        self.metrics.record(Summary::StartupTxnsLoaded, txns as u64);
    }

    /// A batch is durable.
    pub(super) fn count_batch(&self, batch: &Batch) {
        let Batch { txns, bytes, waited, took } = *batch;
        let metrics = &self.metrics;
        metrics.record_ms(Summary::FsyncTime, took);
        metrics.record_us(Summary::FsyncLatency, took);
        metrics.record(Summary::FsyncBytes, bytes as u64);
        metrics.record(Summary::SyncProcessorBatchSize, txns as u64);
        metrics.record_ms(Summary::SyncProcessorQueueTime, waited);
        metrics.record_ms(Summary::SyncProcessorQueueFlushTime, took);
        metrics.record_ms(Summary::SyncProcessorQueueAndFlushTime, waited + took);
        let behind = self.disk.waiting();
        metrics.record(Summary::SyncProcessorQueueSize, behind.txns as u64);
        if took > self.config.fsync_warning {
            metrics.count(Counter::FsyncThresholdExceedCount);
            tracing::warn!(
                took_ms = took.as_millis() as u64,
                waiting_txns = behind.txns,
                waiting_bytes = behind.bytes,
                "a sync of the log was slow: {txns} transactions with {bytes} bytes waited for it"
            );
        }
    }

    /// A transaction came from the leader.
    pub(super) fn count_proposal_received(&self, now: Now, proposal: &Proposal) {
        if self.service.is_serving() {
            self.metrics.count(Counter::LearnerProposalReceivedCount);
            self.metrics.record_since(Summary::ProposalLatency, now, proposal.header.time);
        }
    }

    pub(super) fn count_commit_received(&self) {
        if self.service.is_serving() {
            self.metrics.count(Counter::LearnerCommitReceivedCount);
        }
    }

    /// A committed transaction is applied.
    pub(super) fn count_applied(&self, now: Now, proposal: &Proposal) {
        let time_ms = proposal.header.time;
        self.metrics.count(Counter::RequestCommitQueued);
        self.metrics.record_since(Summary::PropagationLatency, now, time_ms);
        if matches!(self.role, Role::Learning(_)) {
            self.metrics.record_since(Summary::CommitPropagationLatency, now, time_ms);
        }
    }
}
