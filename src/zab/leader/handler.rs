//! What the leader knows of one learner's connection.       (LearnerHandler.java)
//!
//!     Greeting --FOLLOWERINFO--> AwaitEpoch --LEADERINFO--> AwaitAckEpoch --ACKEPOCH-->
//!     AwaitElection --epoch quorum--> [ReadingLog] --> [SendingSnapshot] --> SendingHistory
//!     --NEWLEADER--> Syncing --ACK(NEWLEADER)--> Synced --UPTODATE--> Serving

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::proof::Pings;
use crate::base::{LinkId, Mono, ServerId, Zxid};
use crate::storage::LogPosition;
use crate::tree::SnapshotCursor;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) enum Phase {
    Greeting,
    AwaitEpoch,
    AwaitAckEpoch,
    AwaitElection,
    ReadingLog,
    SendingSnapshot,
    /// What is committed goes out, portion by portion.
    SendingHistory,
    /// History and NEWLEADER were sent; from here on the learner gets every packet.
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
            Phase::SendingSnapshot => "SendingSnapshot",
            Phase::SendingHistory => "SendingHistory",
            Phase::Syncing => "Syncing",
            Phase::Synced => "Synced",
            Phase::Serving => "Serving",
        }
    }
}

/// What must happen before a learner's history goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Awaited {
    /// What was sent has left.
    Link,
    /// The log is read, from one zxid to the other.
    Log { from: Zxid, up_to: Zxid },
    /// Our own log holds more.
    OwnLog,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Handler {
    pub(super) sid: ServerId,
    pub(super) observer: bool,
    pub(super) phase: Phase,
    /// The link is given up when nothing was heard by then.
    pub(super) deadline: Mono,
    /// When something was heard of it last.
    pub(super) heard: Mono,
    /// Since when it waits for another link that speaks for its server.
    pub(super) waits_since: Option<Mono>,
    /// An answer of that link in this round proves that it was alive when this one came to wait.
    pub(super) waits_for_round: u64,
    /// It follows beside a link that speaks for its server: it is counted nowhere.
    pub(super) shadow: bool,
    pub(super) pings: Pings,
    /// How many synchronisations of members had begun when NEWLEADER went out.
    pub(super) asked: u64,
    /// When its synchronisation began.
    pub(super) sync_began: Mono,
    /// Bytes of the snapshot and of transactions that went out since then.
    pub(super) sent_bytes: u64,
    /// When the log is to say how far it is.
    pub(super) next_telling: Mono,
    /// What ACKEPOCH said: where its log ends.
    pub(super) last_zxid: Zxid,
    /// Its history, or what was sent of ours, ends here.
    pub(super) sent_to: Zxid,
    /// Where our log goes on behind that, if it was read.
    pub(super) log_position: Option<LogPosition>,
    pub(super) awaits: Option<Awaited>,
    /// When each proposal that it must ack singly, and has not, was sent.
    pub(super) unacked: Unacked,
    /// Acks that came before the one of NEWLEADER, or while another link speaks; they count behind it.
    pub(super) early_acks: Vec<Zxid>,
    /// A snapshot on its way.
    pub(super) snapshot: Option<SnapshotCursor>,
    /// Museum only: NEWLEADER went out right behind the snapshot (ZOOKEEPER-3104).
    pub(super) has_early_newleader: bool,
}

/// Numbers of links. Asked for with each transaction: few need no memory of their own.
pub(super) type Links = SmallVec<[LinkId; 8]>;

/// Proposals that one learner was sent and has not acked, in the order of their zxids, and when each
/// was sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Unacked {
    row: VecDeque<(Zxid, Mono)>,
}

impl Unacked {
    /// Proposals are sent in the order of their zxids.
    pub(super) fn push(&mut self, zxid: Zxid, sent: Mono) {
        self.row.push_back((zxid, sent));
    }

    /// Takes one out. Acks come in order too, but for those of Apache's that overtake NEWLEADER's.
    pub(super) fn remove(&mut self, zxid: Zxid) -> bool {
        if self.row.front().is_some_and(|(first, _)| *first == zxid) {
            return self.row.pop_front().is_some();
        }
        let place = self.row.binary_search_by_key(&zxid, |(zxid, _)| *zxid);
        place.is_ok_and(|place| self.row.remove(place).is_some())
    }

    pub(super) fn contains(&self, zxid: Zxid) -> bool {
        self.row.binary_search_by_key(&zxid, |(zxid, _)| *zxid).is_ok()
    }

    pub(super) fn len(&self) -> usize {
        self.row.len()
    }

    pub(super) fn first(&self) -> Option<Zxid> {
        self.row.front().map(|(zxid, _)| *zxid)
    }

    /// When the one that waits longest was sent.
    pub(super) fn oldest(&self) -> Option<Mono> {
        self.row.front().map(|(_, sent)| *sent)
    }

    /// All of them count as sent now.
    pub(super) fn renew(&mut self, now: Mono) {
        self.row.iter_mut().for_each(|(_, sent)| *sent = now);
    }
}

impl Handler {
    pub(super) fn new(deadline: Mono) -> Handler {
        Handler {
            sid: ServerId::NOBODY,
            observer: false,
            phase: Phase::Greeting,
            deadline,
            heard: Mono(0),
            waits_since: None,
            waits_for_round: 0,
            shadow: false,
            pings: Pings::default(),
            asked: 0,
            sync_began: Mono::FAR,
            sent_bytes: 0,
            next_telling: Mono::FAR,
            last_zxid: Zxid::ZERO,
            sent_to: Zxid::ZERO,
            log_position: None,
            awaits: None,
            unacked: Unacked::default(),
            early_acks: Vec::new(),
            snapshot: None,
            has_early_newleader: false,
        }
    }

    /// Whether its acks are those of its server.
    pub(super) fn speaks(&self) -> bool {
        self.phase >= Phase::Synced && !self.shadow
    }

    /// Whether broadcast packets go to this learner.
    pub(super) fn is_forwarding(&self) -> bool {
        self.phase >= Phase::Syncing
    }
}
