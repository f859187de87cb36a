//! What the leader knows of one learner's connection.       (LearnerHandler.java)
//!
//!     Greeting --FOLLOWERINFO--> AwaitEpoch --LEADERINFO--> AwaitAckEpoch --ACKEPOCH-->
//!     AwaitElection --epoch quorum--> [ReadingLog] --history, NEWLEADER--> Syncing
//!     --ACK(NEWLEADER)--> Synced --UPTODATE--> Serving

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::base::{Mono, ServerId, Zxid};
use crate::tree::SnapshotCursor;
use crate::zab::packet::Packet;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) enum Phase {
    Greeting,
    AwaitEpoch,
    AwaitAckEpoch,
    AwaitElection,
    ReadingLog,
    /// History and NEWLEADER are queued, or a snapshot and then NEWLEADER; from here on the learner gets every packet.
    Syncing,
    /// NEWLEADER was acked, the leader is not established yet.
    Synced,
    Serving,
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Phase::Greeting => "Greeting",
            Phase::AwaitEpoch => "AwaitEpoch",
            Phase::AwaitAckEpoch => "AwaitAckEpoch",
            Phase::AwaitElection => "AwaitElection",
            Phase::ReadingLog => "ReadingLog",
            Phase::Syncing => "Syncing",
            Phase::Synced => "Synced",
            Phase::Serving => "Serving",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Handler {
    pub(super) sid: ServerId,
    pub(super) observer: bool,
    pub(super) phase: Phase,
    /// The link is given up when nothing was heard by then.
    pub(super) deadline: Mono,
    /// When its synchronisation began.
    pub(super) sync_began: Mono,
    /// What ACKEPOCH said: where its log ends.
    pub(super) last_zxid: Zxid,
    /// When each proposal that it must ack singly, and has not, was sent. A proposal whose commit
    /// goes out before NEWLEADER is part of the history that the ack of NEWLEADER stands for.
    pub(super) unacked: BTreeMap<Zxid, Mono>,
    /// Acks that came before the one of NEWLEADER; they count behind it.
    pub(super) early_acks: Vec<Zxid>,
    /// A snapshot on its way; packets wait behind it.
    pub(super) snapshot: Option<SnapshotCursor>,
    pub(super) behind_snapshot: VecDeque<Packet>,
}

impl Handler {
    pub(super) fn new(deadline: Mono) -> Handler {
        Handler {
            sid: ServerId::NOBODY,
            observer: false,
            phase: Phase::Greeting,
            deadline,
            sync_began: Mono::FAR,
            last_zxid: Zxid::ZERO,
            unacked: BTreeMap::new(),
            early_acks: Vec::new(),
            snapshot: None,
            behind_snapshot: VecDeque::new(),
        }
    }

    /// Whether broadcast packets go to this learner.
    pub(super) fn is_forwarding(&self) -> bool {
        self.phase >= Phase::Syncing
    }

    /// Whether NEWLEADER has left: behind a snapshot it follows at its end.
    pub(super) fn has_newleader(&self) -> bool {
        self.is_forwarding() && self.snapshot.is_none()
    }
}
