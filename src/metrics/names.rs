//! Which metrics there are. Those whose names begin with `quorate_` are ours, all others Apache's.
//!
//! docs/monitoring.md says what each of ours means, and which of Apache's are left out.

use super::family::Kind;

/// An enum, and what each of its members is called.
macro_rules! names {
    ($(#[$doc:meta])* $kind:ident: $row:ty { $($(#[$of:meta])* $member:ident = $name:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $kind {
            $($(#[$of])* $member,)*
        }

        impl $kind {
            /// One for each member, in their order.
            pub(super) const ROWS: [$row; [$($name,)*].len()] = [$($name,)*];
        }
    };
}

names! {
    /// A number that only rises.
    Counter: &str {
        /// Apache shows these three as gauges.
        AuthFailedCount = "auth_failed_count",
        /// Connections without a certificate: from other machines, ...
        NonMtlsRemoteConnCount = "non_mtls_remote_conn_count",
        /// ... and from this one.
        NonMtlsLocalConnCount = "non_mtls_local_conn_count",
        /// From clients, with the lengths of the frames.
        BytesReceived = "bytes_received_count",
        CnxnClosedWithoutZkServerRunning = "cnxn_closed_without_zk_server_running",
        CommitCount = "commit_count",
        /// Connections that ended without a closeSession.
        ConnectionDropCount = "connection_drop_count",
        ConnectionRejected = "connection_rejected",
        /// ConnectRequests.
        ConnectionRequestCount = "connection_request_count",
        /// Sessions that wanted to go on here.
        ConnectionRevalidateCount = "connection_revalidate_count",
        DiffCount = "diff_count",
        EnsembleAuthFail = "ensemble_auth_fail",
        EnsembleAuthSkip = "ensemble_auth_skip",
        EnsembleAuthSuccess = "ensemble_auth_success",
        LargeRequestsRejected = "large_requests_rejected",
        LearnerCommitReceivedCount = "learner_commit_received_count",
        LearnerProposalReceivedCount = "learner_proposal_received_count",
        LookingCount = "looking_count",
        /// Requests that a leader made a transaction of.
        PrepProcessorRequestQueued = "prep_processor_request_queued",
        ProposalCount = "proposal_count",
        /// Committed transactions that came to be applied.
        RequestCommitQueued = "request_commit_queued",
        RequestThrottleWaitCount = "request_throttle_wait_count",
        ResponseBytes = "response_bytes",
        /// Sessions that a learner asked its leader for.
        RevalidateCount = "revalidate_count",
        SessionlessConnectionsExpired = "sessionless_connections_expired",
        SnapCount = "snap_count",
        StaleRequests = "stale_requests",
        StaleRequestsDropped = "stale_requests_dropped",
        StaleSessionsExpired = "stale_sessions_expired",
        /// Transactions that were handed to the log.
        SyncProcessorRequestQueued = "sync_processor_request_queued",
        ThrottledOps = "throttled_ops",
        UnrecoverableErrorCount = "unrecoverable_error_count",
        /// Of watch events.
        WatchBytes = "watch_bytes",
        FsyncThresholdExceedCount = "quorate_fsync_threshold_exceed_count",
    }
}

names! {
    /// Values of which count, sum and quantiles are shown.
    Summary: (&str, Kind) {
        CommitPropagationLatency = ("commit_propagation_latency", Kind::ADVANCED),
        ConnectionTokenDeficit = ("connection_token_deficit", Kind::BASIC),
        DbInitTime = ("dbinittime", Kind::BASIC),
        ElectionTime = ("election_time", Kind::BASIC),
        FollowerSyncTime = ("follower_sync_time", Kind::BASIC),
        FsyncTime = ("fsynctime", Kind::BASIC),
        InflightDiffCount = ("inflight_diff_count", Kind::BASIC),
        InflightSnapCount = ("inflight_snap_count", Kind::BASIC),
        LeaderUnavailableTime = ("leader_unavailable_time", Kind::BASIC),
        NodeChangedWatchCount = ("node_changed_watch_count", Kind::BASIC),
        NodeChildrenWatchCount = ("node_children_watch_count", Kind::BASIC),
        NodeCreatedWatchCount = ("node_created_watch_count", Kind::BASIC),
        NodeDeletedWatchCount = ("node_deleted_watch_count", Kind::BASIC),
        ObserverSyncTime = ("observer_sync_time", Kind::BASIC),
        PropagationLatency = ("propagation_latency", Kind::ADVANCED),
        ProposalAckCreationLatency = ("proposal_ack_creation_latency", Kind::ADVANCED),
        ProposalLatency = ("proposal_latency", Kind::ADVANCED),
        QuorumAckLatency = ("quorum_ack_latency", Kind::ADVANCED),
        RequestThrottleQueueTime = ("request_throttle_queue_time_ms", Kind::ADVANCED),
        SnapshotTime = ("snapshottime", Kind::BASIC),
        StartupSnapLoadTime = ("startup_snap_load_time", Kind::BASIC),
        StartupTxnsLoadTime = ("startup_txns_load_time", Kind::BASIC),
        StartupTxnsLoaded = ("startup_txns_loaded", Kind::BASIC),
        SyncProcessorBatchSize = ("sync_processor_batch_size", Kind::BASIC),
        SyncProcessorQueueAndFlushTime = ("sync_processor_queue_and_flush_time_ms", Kind::ADVANCED),
        SyncProcessorQueueFlushTime = ("sync_processor_queue_flush_time_ms", Kind::ADVANCED),
        SyncProcessorQueueSize = ("sync_processor_queue_size", Kind::BASIC),
        SyncProcessorQueueTime = ("sync_processor_queue_time_ms", Kind::ADVANCED),
        UnavailableTime = ("unavailable_time", Kind::BASIC),
        /// From a proposal to its commit, on the leader.
        CommitLatency = ("quorate_commit_latency_us", Kind::ADVANCED),
        /// From the leader's own durable log to the commit.
        QuorumWait = ("quorate_quorum_wait_us", Kind::ADVANCED),
        /// Write and sync of a batch.
        FsyncLatency = ("quorate_fsync_us", Kind::ADVANCED),
        FsyncBytes = ("quorate_fsync_bytes", Kind::ADVANCED),
        /// Steps that lasted longer than a quarter of a tick while clients were served.
        SlowStep = ("quorate_slow_step_ms", Kind::ADVANCED),
    }
}

names! {
    /// Counters by a key.
    CounterSet: &str {
        QuotaExceededErrorPerNamespace = "quota_exceeded_error_per_namespace",
        /// Elections that this server took part in, by why it began to look.
        Elections = "quorate_elections",
    }
}
