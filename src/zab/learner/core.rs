//! The learner's state and its one entry point.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::{
    ConnId, Dialect, Difference, Epoch, Exhibit, GaveUp, LinkId, Mono, Museum, Note, Now,
};
use crate::base::{PeerMisbehaved, ServerId, SessionId, Zxid, invariant};
use crate::config::ServerConfig;
use crate::database::Database;
use crate::jute::client::op;
use crate::jute::data::Ids;
use crate::jute::persist::Pieces;
use crate::jute::quorum::{LearnerInfo, PROTOCOL_VERSION};
use crate::jute::txn::Proposal;
use crate::quorum::QuorumVerifier;
use crate::session::TouchTable;
use crate::storage::EpochKind;
use crate::zab::packet::Packet;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) enum Phase {
    Connecting,
    AwaitLeaderInfo,
    /// acceptedEpoch is on its way to the disk.
    AcceptingEpoch,
    AwaitSync,
    /// A snapshot is on its way.
    AwaitSnapshot,
    /// The log is being cut, or a snapshot made durable: packets wait.
    Replacing,
    Syncing,
    /// NEWLEADER came: history, then currentEpoch, are on their way to the disk.
    PersistingHistory,
    PersistingEpoch,
    /// Only where proposals are acked before NEWLEADER is ([`Difference::AcksBeforeNewleader`]).
    PersistingProposals,
    AwaitUpToDate,
    Broadcast,
}

impl Phase {
    /// Whether the next thing to happen is the work of our own disk.
    fn is_of_the_disk(self) -> bool {
        match self {
            Phase::AcceptingEpoch
            | Phase::Replacing
            | Phase::PersistingHistory
            | Phase::PersistingEpoch
            | Phase::PersistingProposals => true,
            Phase::Connecting
            | Phase::AwaitLeaderInfo
            | Phase::AwaitSync
            | Phase::AwaitSnapshot
            | Phase::Syncing
            | Phase::AwaitUpToDate
            | Phase::Broadcast => false,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Phase::Connecting => "Connecting",
            Phase::AwaitLeaderInfo => "AwaitLeaderInfo",
            Phase::AcceptingEpoch => "AcceptingEpoch",
            Phase::AwaitSync => "AwaitSync",
            Phase::AwaitSnapshot => "AwaitSnapshot",
            Phase::Replacing => "Replacing",
            Phase::Syncing => "Syncing",
            Phase::PersistingHistory => "PersistingHistory",
            Phase::PersistingEpoch => "PersistingEpoch",
            Phase::PersistingProposals => "PersistingProposals",
            Phase::AwaitUpToDate => "AwaitUpToDate",
            Phase::Broadcast => "Broadcast",
        }
    }
}

/// Events of a link that is not the learner's own, or not any more, mean nothing to it.
#[derive(Debug)]
pub enum Input {
    Connected(LinkId),
    DialFailed(LinkId, String),
    Packet(LinkId, Packet),
    /// More of the snapshot behind SNAP is there.
    Progress(LinkId),
    /// The inline snapshot behind SNAP.
    Snapshot(LinkId, Pieces),
    Lost(LinkId, String),
    /// The own log is durable up to here.
    Durable(Zxid),
    EpochDurable(EpochKind, Epoch),
    /// The log was cut and the database read anew, or the leader's snapshot is in the database
    /// and durable.
    Replaced,
    /// A client's write, for the leader.
    Request {
        session: SessionId,
        cxid: i32,
        op: i32,
        body: Bytes,
        auth: Option<Ids>,
    },
    /// A client's sync, for the leader; the answers come back in the order of these.
    Sync {
        conn: ConnId,
        session: SessionId,
        cxid: i32,
        body: Bytes,
    },
    /// A session wants to go on here: the leader knows whether it lives.
    Revalidate {
        session: SessionId,
        timeout_ms: i32,
    },
    /// A session was heard of: the leader is told with the answer to its next PING.
    Touch {
        session: SessionId,
        timeout_ms: i32,
    },
    /// The configuration of these members has this version.
    ConfigVersion(i64),
    /// Its closeSession was applied.
    SessionClosed(SessionId),
    Timer,
    /// The role is over: the link goes.
    Stop,
}

#[derive(Debug)]
pub enum Output {
    /// Connect to the leader's quorum address.
    Dial(LinkId, ServerId),
    Send(LinkId, Packet),
    Close(LinkId),
    WriteEpoch(EpochKind, Epoch),
    Append(Rc<Proposal>),
    /// Cut the log behind `to` and read the database anew.
    Truncate {
        to: Zxid,
    },
    /// Replace the database by this snapshot, make it durable and begin a new log.
    InstallSnapshot {
        zxid: Zxid,
        body: Pieces,
    },
    /// UPTODATE: serve clients from now on.
    Serve,
    /// Transactions up to here were committed: they wait in the database to be applied.
    Committed(Zxid),
    /// A local sync is done once the tree has reached this zxid.
    SyncDone {
        conn: ConnId,
        zxid: Zxid,
    },
    Revalidated {
        session: SessionId,
        valid: bool,
    },
    /// The leader's version of our configuration counts from now on.
    ConfigVersion(i64),
    /// The role is over. The last output of its step, and of all steps but `Stop` (LN-1).
    GiveUp(GaveUp),
    Note(Note),
}

/// One following or observing, from the end of an election to its own end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Learner {
    pub(super) sid: ServerId,
    pub(super) leader: ServerId,
    pub(super) observer: bool,
    pub(super) verifier: QuorumVerifier,
    /// The leader's version of our configuration, and the zxid from which on it counts: that of
    /// NEWLEADER with UPTODATE, or that of a reconfiguration with its COMMIT.
    pub(super) next_version: Option<(Zxid, i64)>,
    pub(super) museum: Museum,
    pub(super) dialect: Dialect,
    pub(super) init_timeout: Duration,
    pub(super) sync_timeout: Duration,
    pub(super) phase: Phase,
    pub(super) link: LinkId,
    /// The epoch of LEADERINFO.
    pub(super) epoch: Epoch,
    pub(super) dials: u32,
    pub(super) dial_at: Mono,
    /// The leader must be heard by then.
    pub(super) deadline: Mono,
    /// Proposals of the synchronisation, not logged yet; the committed ones come first.
    pub(super) to_log: VecDeque<Rc<Proposal>>,
    pub(super) committed_in_sync: usize,
    /// Packets that wait until the database was replaced or NEWLEADER is acked.
    pub(super) waiting: VecDeque<Packet>,
    /// Up to here the database is the leader's snapshot; `None` if it sent none.
    pub(super) snapshot: Option<Zxid>,
    /// The last transaction that must be durable before currentEpoch may be written.
    pub(super) history_end: Zxid,
    pub(super) durable: Zxid,
    /// Local syncs on their way to the leader, oldest first: SYNC answers carry no name.
    pub(super) syncs: VecDeque<ConnId>,
    /// Whom we heard of since the leader's last PING.
    pub(super) touches: TouchTable,
    /// `GiveUp` went out.
    pub(super) gave_up: bool,
}

/// Attempts to reach a leader that may not listen yet (Learner.connectToLeader). Apache makes five,
/// 100 ms apart (`leaderConnectDelayDuringRetryMs`); these take as long, and begin sooner.
pub(super) const DIALS_MAX: u32 = 11;
const DIAL_PAUSE_MIN: Duration = Duration::from_millis(10);
const DIAL_PAUSE_MAX: Duration = Duration::from_millis(50);

/// The pause behind so many attempts.
pub(super) fn dial_pause(dials: u32) -> Duration {
    (DIAL_PAUSE_MIN * (1 << (dials - 1).min(3))).min(DIAL_PAUSE_MAX)
}

impl Learner {
    /// Follows `leader`, or observes it without a vote. `link` is the number of the first connection.
    pub fn new(
        now: Now,
        config: &ServerConfig,
        verifier: QuorumVerifier,
        leader: ServerId,
        link: LinkId,
        db: &Database,
        out: &mut Vec<Output>,
    ) -> Learner {
        out.push(Output::Dial(link, leader));
        Learner {
            sid: config.my_id,
            leader,
            observer: !verifier.is_voter(config.my_id),
            verifier,
            next_version: None,
            museum: config.museum,
            dialect: config.dialect,
            init_timeout: config.init_timeout(),
            sync_timeout: config.sync_timeout(),
            phase: Phase::Connecting,
            link,
            epoch: Epoch(-1),
            dials: 1,
            dial_at: Mono::FAR,
            deadline: now.mono + config.init_timeout(),
            to_log: VecDeque::new(),
            committed_in_sync: 0,
            waiting: VecDeque::new(),
            snapshot: None,
            history_end: Zxid::ZERO,
            durable: db.last_logged(),
            syncs: VecDeque::new(),
            touches: TouchTable::new(),
            gave_up: false,
        }
    }

    pub fn step(&mut self, now: Now, input: Input, db: &mut Database, out: &mut Vec<Output>) {
        if !matches!(input, Input::Stop) && (self.gave_up || self.is_of_another_link(&input)) {
            return;
        }
        match input {
            Input::Connected(_) => self.on_connected(db, out),
            Input::DialFailed(_, error) => self.on_dial_failed(now, error, out),
            Input::Packet(_, packet) => {
                self.hear(now);
                self.on_packet(packet, db, out);
            }
            Input::Progress(_) => self.hear(now),
            Input::Snapshot(_, body) => {
                self.hear(now);
                self.on_snapshot(body, out);
            }
            Input::Lost(_, error) => self.give_up(GaveUp::LeaderLost { error }, out),
            Input::Durable(zxid) => self.on_durable(zxid, db, out),
            Input::EpochDurable(kind, epoch) => self.on_epoch_durable(kind, epoch, db, out),
            Input::Replaced => self.on_replaced(db, out),
            Input::Request { session, cxid, op, body, auth } => {
                out.push(self.packet(Packet::Request { session, cxid, op, body, auth }));
            }
            Input::Sync { conn, session, cxid, body } => {
                self.syncs.push_back(conn);
                let (op, auth) = (op::SYNC, Some(Ids::default()));
                out.push(self.packet(Packet::Request { session, cxid, op, body, auth }));
            }
            Input::Revalidate { session, timeout_ms } => {
                out.push(self.packet(Packet::RevalidateRequest { session, timeout_ms }));
            }
            Input::Touch { session, timeout_ms } => self.touches.touch(session, timeout_ms),
            Input::ConfigVersion(version) => self.verifier.learn_version(version),
            Input::SessionClosed(session) => self.touches.remove(session),
            Input::Timer => self.on_timer(now, out),
            Input::Stop => return self.on_stop(out),
        }
        let is_last = matches!(out.last(), Some(Output::GiveUp(_)));
        invariant!(
            !self.gave_up || is_last,
            "LN-1",
            "{:?} follows the end of the role",
            out.last()
        );
        self.count_no_time_of_the_disk(now);
        self.invariants(db);
    }

    fn is_of_another_link(&self, input: &Input) -> bool {
        match input {
            Input::Connected(link)
            | Input::DialFailed(link, _)
            | Input::Packet(link, _)
            | Input::Progress(link)
            | Input::Snapshot(link, _)
            | Input::Lost(link, _) => *link != self.link,
            _ => false,
        }
    }

    /// For the leader.
    fn packet(&self, packet: Packet) -> Output {
        Output::Send(self.link, packet)
    }

    fn on_stop(&mut self, out: &mut Vec<Output>) {
        self.gave_up = true;
        out.push(Output::Close(self.link));
    }

    /// The role comes to nothing. Whoever calls this does nothing more in this step (LN-1).
    pub(super) fn give_up(&mut self, why: GaveUp, out: &mut Vec<Output>) {
        self.gave_up = true;
        out.push(Output::GiveUp(why));
    }

    pub(super) fn on_ping(&mut self, zxid: Zxid, out: &mut Vec<Output>) {
        let is_early = self.phase < Phase::Broadcast;
        if is_early && self.dialect.has(Difference::NoPingBeforeUptodate) {
            return;
        }
        let touches = self.touches.take();
        out.push(self.packet(Packet::PingReply { zxid, touches }));
    }

    /// The leader must be heard every initLimit ticks, and once it has said UPTODATE every syncLimit
    /// ticks. Not the whole synchronisation is bounded but each silence in it, as in Apache: a large
    /// snapshot takes its time. Apache's leaders send no PING until a quorum is synchronised.
    fn hear(&mut self, now: Now) {
        let serves = self.phase == Phase::Broadcast;
        self.deadline = now.mono + if serves { self.sync_timeout } else { self.init_timeout };
    }

    /// The time that our own disk takes is not the leader's: Apache's learners do not read then. A
    /// leader that ends meanwhile ends the link.
    fn count_no_time_of_the_disk(&mut self, now: Now) {
        if self.phase.is_of_the_disk() {
            self.deadline = Mono::FAR;
        } else if self.deadline == Mono::FAR {
            self.hear(now);
        }
    }

    pub(super) fn on_packet(&mut self, packet: Packet, db: &mut Database, out: &mut Vec<Output>) {
        let packet = packet.without_activation();
        if self.is_in_snapshot(&packet) {
            return;
        }
        match self.phase {
            Phase::AwaitLeaderInfo => self.on_leader_info(packet, db, out),
            Phase::AwaitSync => self.on_sync_header(packet, db, out),
            Phase::Syncing => self.on_sync_packet(packet, db, out),
            Phase::Replacing
            | Phase::PersistingHistory
            | Phase::PersistingEpoch
            | Phase::PersistingProposals => {
                self.waiting.push_back(packet);
            }
            Phase::AwaitUpToDate | Phase::Broadcast => {
                self.on_broadcast_packet(packet, db, out);
            }
            Phase::Connecting | Phase::AcceptingEpoch | Phase::AwaitSnapshot => {
                self.misbehaved(&packet, out);
            }
        }
    }

    pub(super) fn leader_did(&mut self, did: PeerMisbehaved, out: &mut Vec<Output>) {
        self.give_up(GaveUp::LeaderMisbehaved { leader: self.leader, did }, out);
    }

    pub(super) fn misbehaved(&mut self, packet: &Packet, out: &mut Vec<Output>) {
        let (packet, phase) = (packet.seen(), self.phase.name());
        self.leader_did(PeerMisbehaved::UnexpectedPacket { packet, phase }, out);
    }

    fn on_timer(&mut self, now: Now, out: &mut Vec<Output>) {
        if now.mono >= self.dial_at {
            self.dial_at = Mono::FAR;
            self.dials += 1;
            self.link = LinkId(self.link.0 + 2);
            out.push(Output::Dial(self.link, self.leader));
        }
        if now.mono >= self.deadline {
            let limit = if self.phase < Phase::Broadcast { "initLimit" } else { "syncLimit" };
            let phase = self.phase.name();
            self.leader_did(PeerMisbehaved::NotInTime { limit, phase }, out);
        }
    }

    pub fn next_deadline(&self) -> Mono {
        self.dial_at.min(self.deadline)
    }

    /// When the leader is dialled again; `Mono::FAR` unless a dial has failed.
    pub fn next_dial(&self) -> Mono {
        self.dial_at
    }

    /// How far it is, in the words of Apache's QuorumPeer.ZabState.
    pub fn zab_state(&self) -> &'static str {
        match self.phase {
            phase if phase < Phase::AwaitSync => "discovery",
            phase if phase < Phase::Broadcast => "synchronization",
            _ => "broadcast",
        }
    }

    /// How long ago the leader was heard; `None` while nothing has to be heard of it.
    pub fn heard_ago(&self, now: Mono) -> Option<Duration> {
        let limit =
            if self.phase < Phase::Broadcast { self.init_timeout } else { self.sync_timeout };
        (self.deadline != Mono::FAR).then(|| limit.saturating_sub(self.deadline.since(now)))
    }

    pub fn leader(&self) -> ServerId {
        self.leader
    }

    pub(super) fn info_packet(&self, db: &Database) -> Packet {
        let accepted_epoch = db.accepted_epoch();
        let info = LearnerInfo {
            server_id: self.sid,
            protocol_version: PROTOCOL_VERSION,
            config_version: self.verifier.version(),
        };
        if self.observer {
            Packet::ObserverInfo { accepted_epoch, info }
        } else {
            Packet::FollowerInfo { accepted_epoch, info }
        }
    }

    pub(super) fn acks_too_early(&self) -> bool {
        self.museum.on(Exhibit::AckBeforeFlush)
    }
}
