//! What a server says of itself to whoever watches: the trace, the checkers, the log.
//!
//! A note is a fact, told at the step where it became true. The cores emit notes beside their
//! outputs; the machine's runtime logs a few, the simulator's feeds every checker with them.

use serde::{Deserialize, Serialize};

use super::{Epoch, GaveUp, ServerId, SessionId, Zxid};

/// The four states of a peer (QuorumPeer.ServerState), and the server without an ensemble.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RoleName {
    Looking,
    Following,
    Leading,
    Observing,
    Standalone,
}

/// How a leader brings a learner to its own history (LearnerHandler.syncFollower).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SyncMode {
    Diff,
    Trunc,
    Snap,
}

/// What an ACK promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AckKind {
    /// The log holds every proposal up to the zxid, durably.
    Proposal,
    /// History of the epoch and `currentEpoch` are durable.
    NewLeader,
    /// `acceptedEpoch` is durable; the zxid is the learner's last logged one.
    Epoch,
}

/// One fact. `hash` is always the hash of a proposal's bytes as logged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// The process has read its disk, at its start or anew: what it found there.
    Recovered {
        last_logged: Zxid,
        last_applied: Zxid,
        accepted: Epoch,
        current: Epoch,
        tree_digest: u64,
    },
    /// The role began; `epoch` is currentEpoch.
    Role {
        role: RoleName,
        epoch: Epoch,
    },
    /// The vote changed, within a round or by a new one.
    Vote {
        round: u64,
        leader: ServerId,
        zxid: Zxid,
        epoch: Epoch,
    },
    /// A vote of `from` entered the tally of this round.
    VoteCounted {
        round: u64,
        from: ServerId,
        leader: ServerId,
    },
    /// The election ended; `voters` is the set that carried it.
    Elected {
        round: u64,
        leader: ServerId,
        voters: Vec<ServerId>,
    },
    /// A leader offers this epoch (LEADERINFO); `voters` reported their accepted epochs.
    EpochOffered {
        epoch: Epoch,
        voters: Vec<ServerId>,
    },
    /// A learner's ACKEPOCH was counted.
    EpochAckCounted {
        epoch: Epoch,
        from: ServerId,
        current: Epoch,
        zxid: Zxid,
    },
    AcceptedEpochDurable {
        epoch: Epoch,
    },
    CurrentEpochDurable {
        epoch: Epoch,
    },
    SyncChosen {
        learner: ServerId,
        mode: SyncMode,
        peer: Zxid,
        to: Zxid,
    },
    /// A synchronisation goes on.
    SyncProgress {
        learner: ServerId,
        sent_bytes: u64,
        /// An estimate, at most 99.
        percent: u64,
        took_ms: u64,
    },
    /// The last slice of a leader's snapshot is on its way: it may hold effects of transactions up
    /// to `upto`, behind the zxid that SNAP named.
    SnapshotSent {
        learner: ServerId,
        upto: Zxid,
    },
    /// A learner's NEWLEADER ack was counted.
    NewLeaderAckCounted {
        epoch: Epoch,
        from: ServerId,
    },
    /// A quorum acked NEWLEADER: the leader serves, and everything up to `history_end`, the end of
    /// its initial history, is committed.
    Established {
        epoch: Epoch,
        voters: Vec<ServerId>,
        history_end: Zxid,
    },
    /// The leader gave this transaction its zxid.
    Proposed {
        zxid: Zxid,
        hash: u64,
    },
    /// Handed to the log, not yet durable.
    Appended {
        zxid: Zxid,
        hash: u64,
    },
    /// Everything appended up to here is durable.
    Durable {
        zxid: Zxid,
    },
    /// The log ends here now; what followed is gone.
    Truncated {
        to: Zxid,
    },
    /// A snapshot of this server is durable and covers everything up to `zxid`.
    SnapshotDurable {
        zxid: Zxid,
    },
    /// The tree was replaced by a leader's snapshot. Not durable before `SnapshotDurable`.
    SnapshotInstalled {
        zxid: Zxid,
        tree_digest: u64,
    },
    AckSent {
        kind: AckKind,
        zxid: Zxid,
    },
    AckCounted {
        zxid: Zxid,
        from: ServerId,
    },
    /// The leader decided: `voters` is the quorum that made it durable.
    Committed {
        zxid: Zxid,
        voters: Vec<ServerId>,
    },
    /// The tree holds this transaction. `state_digest` covers tree and sessions.
    Applied {
        zxid: Zxid,
        hash: u64,
        state_digest: u64,
    },
    /// At `look` the own log's tail was replayed into the tree: not a delivery, the ensemble may
    /// still truncate it.
    FastForwarded {
        to: Zxid,
        state_digest: u64,
    },
    /// A learner reached UPTODATE and serves; everything it logged up to `zxid` is committed.
    Serving {
        epoch: Epoch,
        zxid: Zxid,
    },
    /// The leader still has a quorum of live learners (its keep-alive tick).
    QuorumAlive {
        voters: Vec<ServerId>,
    },
    /// The leader heard of this session (touch or request).
    SessionTouched {
        session: SessionId,
    },
    /// The leader lets a session die because its time ran out.
    SessionExpired {
        session: SessionId,
        timeout_ms: u32,
    },
    /// A step took longer than a quarter of a tick.
    SlowStep {
        took_ms: u64,
    },
    /// A leader or learner gave its role up.
    GaveUp {
        why: GaveUp,
    },
    /// A server's own assertion: property id and words.
    Broken {
        id: &'static str,
        what: String,
    },
}
