//! The leader's state and its one entry point.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::handler::{Awaited, Handler, Phase};
use super::outstanding::{Broadcast, SyncOrigin};
use super::proof::{Proofs, SessionAt};
use crate::base::{
    ConnId, Dialect, Dismissed, Epoch, Exhibit, GaveUp, LinkId, Mono, Museum, Note, Now,
};
use crate::base::{PeerMisbehaved, ServerId, SessionId, Zxid, invariant};
use crate::config::ServerConfig;
use crate::database::Database;
use crate::jute::data::Ids;
use crate::jute::quorum::Touch;
use crate::jute::txn::Proposal;
use crate::metrics::Metrics;
use crate::quorum::{AckSet, QuorumVerifier};
use crate::storage::{EpochKind, LogPosition};
use crate::zab::packet::Packet;

/// What a quorum has reached.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Waiting for a quorum of FOLLOWERINFO.
    Discovery,
    /// Our acceptedEpoch is on its way to the disk.
    OfferingEpoch,
    /// Waiting for a quorum of ACKEPOCH.
    EpochAcks,
    /// Our currentEpoch is on its way to the disk.
    TakingEpoch,
    /// Waiting for a quorum of ACK(NEWLEADER).
    Synchronisation,
    Broadcast,
}

/// How far the search for a successor is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Succession {
    /// Nobody wants one.
    None,
    /// Something is outstanding.
    Waiting,
    /// Who answers PINGs of this round, or of a later one, lived behind the last commit. `patience`:
    /// until when the answers of all who have acked everything are waited for.
    Asked { round: u64, patience: Option<Mono> },
}

/// What one reading of the log brought.
#[derive(Debug)]
pub enum HistoryRead {
    Records {
        records: Vec<Rc<Proposal>>,
        /// Where to begin to read what follows.
        next: Option<LogPosition>,
    },
    /// More than a snapshot would cost.
    TooLong,
    /// Purged meanwhile.
    Gone,
}

#[derive(Debug)]
pub enum Input {
    Accepted(LinkId),
    Packet(LinkId, Packet),
    Lost(LinkId),
    /// Everything queued to this link has left.
    Drained(LinkId),
    /// The own log is durable up to here.
    Durable(Zxid),
    EpochDurable(EpochKind, Epoch),
    /// What the own log holds for a learner below the committed log.
    HistoryRead {
        link: LinkId,
        from: Zxid,
        read: HistoryRead,
    },
    /// The configuration of these members has this version.
    ConfigVersion(i64),
    /// The next transaction, made for [`Leader::next_zxid`].
    Propose(Rc<Proposal>),
    /// Somebody wants to be told when all that is proposed by now is committed.
    Sync(SyncOrigin),
    /// To an [`Output::Revalidate`]: the session lives.
    Revalidated {
        link: LinkId,
        session: SessionId,
    },
    /// A session that is not known wants to go on there.
    UnknownSession {
        session: SessionId,
        at: SessionAt,
    },
    /// Nothing more is proposed: which voter has everything, and can lead in place of this server?
    HandOver,
    /// None was found in time, and the leadership goes on.
    KeepLeading,
    Timer,
    /// The role is over: every learner goes.
    Stop,
}

#[derive(Debug)]
pub enum Output {
    Send(LinkId, Packet),
    /// A slice of the inline snapshot behind SNAP.
    SendSnapshot(LinkId, Bytes),
    NotifyDrained(LinkId),
    Close(LinkId, Dismissed),
    WriteEpoch(EpochKind, Epoch),
    Append(Rc<Proposal>),
    /// Read a portion of the log for a learner. `is_bounded`: no more than a snapshot would cost.
    ReadHistory {
        link: LinkId,
        from: Zxid,
        up_to: Zxid,
        begin: Option<LogPosition>,
        is_bounded: bool,
    },
    /// Established: serve clients from now on.
    Serve,
    /// Transactions up to here were committed: they wait in the database to be applied.
    Committed(Zxid),
    /// A learner forwards a client's operation.
    Request {
        link: LinkId,
        session: SessionId,
        cxid: i32,
        op: i32,
        body: Bytes,
        auth: Ids,
    },
    Touch {
        session: SessionId,
        timeout_ms: i32,
    },
    Revalidate {
        link: LinkId,
        session: SessionId,
        timeout_ms: i32,
    },
    /// To an [`Input::UnknownSession`] of this server: it is over.
    SessionOver {
        session: SessionId,
    },
    /// A local sync is done once the tree has reached this zxid.
    SyncDone {
        conn: ConnId,
        zxid: Zxid,
    },
    /// The leadership is over. The last output of its step, and of all steps but `Stop` (LD-1).
    GiveUp(GaveUp),
    Note(Note),
}

/// One leadership, from the end of an election to its own end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Leader {
    pub(super) sid: ServerId,
    pub(super) verifier: QuorumVerifier,
    pub(super) museum: Museum,
    pub(super) dialect: Dialect,
    pub(super) tick: Duration,
    pub(super) init_timeout: Duration,
    pub(super) sync_timeout: Duration,
    /// Bytes of the longest transaction that goes to a learner singly.
    pub(super) txn_bytes_max: usize,
    /// Znodes in one slice of a snapshot.
    pub(super) snapshot_slice: usize,
    /// Bytes after which a slice of a snapshot, or a portion of a history, ends.
    pub(super) portion_bytes: usize,
    /// The newest transaction found in the log that no learner takes.
    pub(super) too_long: Zxid,
    pub(super) stage: Stage,
    pub(super) epoch: Epoch,
    /// What members reported as accepted, and what we had.
    pub(super) reports: BTreeMap<ServerId, Epoch>,
    pub(super) own_accepted: Epoch,
    /// The highest of these that is believed.
    pub(super) max_accepted: Epoch,
    /// Where our own history ended when the leadership began.
    pub(super) history_end: Zxid,
    pub(super) connecting: AckSet,
    pub(super) electing: AckSet,
    pub(super) newleader_acks: AckSet,
    pub(super) handlers: BTreeMap<LinkId, Handler>,
    /// Synchronisations of members begun so far, and for each member which was its last.
    pub(super) turn: u64,
    pub(super) synchronised: BTreeMap<ServerId, u64>,
    pub(super) broadcast: Broadcast,
    pub(super) proofs: Proofs,
    pub(super) succession: Succession,
    /// A link has gone in this step: another may have waited for that.
    pub(super) has_lost_link: bool,
    /// Discovery and synchronisation must be over by then.
    pub(super) deadline: Mono,
    pub(super) epoch_deadline: Mono,
    pub(super) next_ping: Mono,
    pub(super) half_ticks: u64,
    pub(super) standalone: bool,
    /// `GiveUp` went out.
    pub(super) gave_up: bool,
    #[serde(skip)]
    pub(super) metrics: Metrics,
}

impl Leader {
    /// Takes up a leadership that an election decided. Everything logged is in the tree.
    pub fn new(
        now: Now,
        config: &ServerConfig,
        verifier: QuorumVerifier,
        db: &Database,
        out: &mut Vec<Output>,
    ) -> Leader {
        let mut leader = Leader::idle(config, verifier, db);
        leader.deadline = now.mono + config.init_timeout();
        let epoch_wait = config.epoch_wait_max.unwrap_or(config.init_timeout());
        leader.epoch_deadline = now.mono + epoch_wait.min(config.init_timeout());
        leader.next_ping = now.mono + leader.tick / 2;
        leader.connecting.add(leader.sid, &leader.verifier);
        leader.try_offer_epoch(out);
        leader
    }

    /// A server without an ensemble: its own quorum, serving at once, zxids going on where the
    /// log ends, no epochs.
    pub fn standalone(config: &ServerConfig, db: &Database) -> Leader {
        let verifier = QuorumVerifier::alone(config.my_id);
        let mut leader = Leader::idle(config, verifier, db);
        leader.standalone = true;
        leader.stage = Stage::Broadcast;
        leader.epoch = db.last_logged().epoch();
        leader.broadcast.begin(db.last_logged());
        leader
    }

    fn idle(config: &ServerConfig, verifier: QuorumVerifier, db: &Database) -> Leader {
        let sid = config.my_id;
        invariant!(verifier.weight(sid) > 0, "E-4", "server {sid} leads without a vote");
        Leader {
            sid,
            verifier,
            museum: config.museum,
            dialect: config.dialect,
            tick: config.tick_time,
            init_timeout: config.init_timeout(),
            sync_timeout: config.sync_timeout(),
            txn_bytes_max: config.limits.field_bytes_max(),
            snapshot_slice: config.sync.slice_nodes,
            portion_bytes: config.sync.slice_bytes,
            too_long: Zxid::ZERO,
            stage: Stage::Discovery,
            epoch: Epoch(-1),
            reports: BTreeMap::new(),
            own_accepted: db.accepted_epoch(),
            max_accepted: db.accepted_epoch(),
            history_end: db.last_logged(),
            // ZOOKEEPER-2959 let observers take part in the choice of the epoch.
            connecting: AckSet::new(config.museum).fooled_by(Exhibit::ObserversChooseEpoch),
            electing: AckSet::new(config.museum).fooled_by(Exhibit::ObserversChooseEpoch),
            newleader_acks: AckSet::new(config.museum),
            handlers: BTreeMap::new(),
            turn: 0,
            synchronised: BTreeMap::new(),
            broadcast: Broadcast::new(config.museum),
            proofs: Proofs::default(),
            succession: Succession::None,
            has_lost_link: false,
            deadline: Mono::FAR,
            epoch_deadline: Mono::FAR,
            next_ping: Mono::FAR,
            half_ticks: 0,
            standalone: false,
            gave_up: false,
            metrics: Metrics::default(),
        }
    }

    /// Counts there what comes of its proposals.
    pub fn counting_in(mut self, metrics: Metrics) -> Leader {
        self.metrics = metrics;
        self
    }

    pub fn step(&mut self, now: Now, input: Input, db: &mut Database, out: &mut Vec<Output>) {
        if self.gave_up && !matches!(input, Input::Stop) {
            return; // What was on its way here when the leadership ended (LD-1).
        }
        match input {
            Input::Accepted(link) => {
                let deadline = now.mono + self.init_timeout;
                self.handlers.insert(link, Handler::new(deadline));
            }
            Input::Packet(link, packet) => self.on_packet(now, link, packet, db, out),
            Input::Lost(link) => {
                self.forget(link);
                self.check_quorum_of_links(now, out);
            }
            Input::Drained(link) => self.on_drained(now, link, db, out),
            Input::Durable(zxid) => self.on_own_log_durable(now, zxid, db, out),
            Input::EpochDurable(kind, epoch) => self.on_epoch_durable(now, kind, epoch, db, out),
            Input::HistoryRead { link, from, read } => {
                self.on_history_read(now, (link, from), read, db, out);
            }
            Input::ConfigVersion(version) => self.verifier.learn_version(version),
            Input::Propose(proposal) => self.propose(now, proposal, db, out),
            Input::Sync(origin) => self.on_sync(origin, db, out),
            Input::Revalidated { link, session } => {
                self.send(link, Packet::RevalidateReply { session, valid: true }, out);
            }
            Input::UnknownSession { session, at } => self.deny(session, at, out),
            Input::HandOver => self.succession = Succession::Waiting,
            Input::KeepLeading => self.succession = Succession::None,
            Input::Timer => self.on_timer(now, db, out),
            Input::Stop => return self.on_stop(db, out),
        }
        if !self.gave_up && std::mem::take(&mut self.has_lost_link) {
            self.admit_waiting(now, db, out);
        }
        if self.succession == Succession::Waiting && !self.gave_up {
            self.ask_successors(now, out);
        }
        let is_last = matches!(out.last(), Some(Output::GiveUp(_)));
        invariant!(
            !self.gave_up || is_last,
            "LD-1",
            "{:?} follows the end of a leadership",
            out.last()
        );
        db.keep_behind(self.oldest_read());
        self.invariants(db);
    }

    /// The oldest transaction up to which the log is read for a learner: what follows it must be in
    /// memory when that is done.
    fn oldest_read(&self) -> Option<Zxid> {
        let read_to = |handler: &Handler| match handler.awaits {
            Some(Awaited::Log { up_to, .. }) => Some(up_to),
            _ => None,
        };
        self.handlers.values().filter_map(read_to).min()
    }

    fn on_packet(
        &mut self,
        now: Now,
        link: LinkId,
        packet: Packet,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        let limit = self.liveness_limit(link);
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        handler.deadline = now.mono + limit;
        handler.heard = now.mono;
        let phase = handler.phase;
        match packet {
            Packet::FollowerInfo { accepted_epoch, info, .. } if phase == Phase::Greeting => {
                self.on_learner_info(link, accepted_epoch, info, false, out);
            }
            Packet::ObserverInfo { accepted_epoch, info, .. } if phase == Phase::Greeting => {
                self.on_learner_info(link, accepted_epoch, info, true, out);
            }
            Packet::AckEpoch { last_zxid, current_epoch, .. } if phase == Phase::AwaitAckEpoch => {
                self.on_ack_epoch(now, link, last_zxid, current_epoch, db, out);
            }
            Packet::Ack { zxid } => self.on_ack(now, link, zxid, db, out),
            Packet::PingReply { touches, .. } if phase >= Phase::SendingHistory => {
                self.on_ping_reply(now, link, db, out);
                for touch in touches.into_iter().filter(is_of_session) {
                    out.push(Output::Touch { session: touch.session, timeout_ms: touch.timeout });
                }
            }
            Packet::RevalidateRequest { session, timeout_ms } if phase >= Phase::Syncing => {
                if !is_of_session(&Touch { session, timeout: timeout_ms }) {
                    return self.dismiss(link, PeerMisbehaved::NoSession { session }, out);
                }
                out.push(Output::Revalidate { link, session, timeout_ms });
            }
            Packet::Request { session, cxid, op, body, auth } if phase >= Phase::Syncing => {
                if session == SessionId(0) {
                    return self.dismiss(link, PeerMisbehaved::NoSession { session }, out);
                }
                let auth = auth.unwrap_or_default();
                out.push(Output::Request { link, session, cxid, op, body, auth });
            }
            other => {
                let (packet, phase) = (other.seen(), phase.name());
                let did = PeerMisbehaved::UnexpectedPacket { packet, phase };
                self.dismiss(link, did, out);
            }
        }
    }

    /// The epoch this leader was given; -1 before it has one.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn is_established(&self) -> bool {
        self.stage == Stage::Broadcast
    }

    /// When the leader wants to be woken.
    pub fn next_deadline(&self) -> Mono {
        if self.standalone {
            return Mono::FAR;
        }
        let establishing = match self.stage {
            Stage::Broadcast => Mono::FAR,
            Stage::Discovery => self.epoch_deadline,
            _ => self.deadline,
        };
        let due = |handler: &Handler| match handler.phase {
            Phase::ReadingLog => handler.deadline.min(self.read_by(handler)),
            _ => handler.deadline,
        };
        let learners = self.handlers.values().map(due).min().unwrap_or(Mono::FAR);
        let ends = self.next_speaker_due().min(self.patience());
        establishing.min(self.next_ping).min(learners).min(ends)
    }

    pub(super) fn send(&mut self, link: LinkId, packet: Packet, out: &mut Vec<Output>) {
        if self.handlers.contains_key(&link) {
            out.push(Output::Send(link, packet));
        }
    }

    /// The leadership comes to nothing. Whoever calls this does nothing more in this step (LD-1).
    pub(super) fn give_up(&mut self, why: GaveUp, out: &mut Vec<Output>) {
        self.gave_up = true;
        out.push(Output::GiveUp(why));
    }

    fn on_stop(&mut self, db: &mut Database, out: &mut Vec<Output>) {
        db.keep_behind(None);
        for link in std::mem::take(&mut self.handlers).into_keys() {
            out.push(Output::Close(link, Dismissed::RoleOver));
        }
        self.gave_up = true;
    }

    pub(super) fn dismiss(&mut self, link: LinkId, did: PeerMisbehaved, out: &mut Vec<Output>) {
        let Some(handler) = self.handlers.get(&link) else { return };
        let server = handler.sid;
        self.close(link, Dismissed::Misbehaved { server, did }, out);
    }

    pub(super) fn close(&mut self, link: LinkId, why: Dismissed, out: &mut Vec<Output>) {
        if self.forget(link) {
            out.push(Output::Close(link, why));
        }
    }

    /// A learner is gone. Until we are established its ack of NEWLEADER goes with it: it may be
    /// following another leader by now, and with acks of the past we would serve without a quorum.
    fn forget(&mut self, link: LinkId) -> bool {
        let Some(handler) = self.handlers.remove(&link) else { return false };
        self.has_lost_link = true;
        if self.stage == Stage::Synchronisation && handler.phase == Phase::Synced {
            self.newleader_acks.remove(handler.sid);
        }
        true
    }

    /// A learner in synchronisation has initLimit, one that serves syncLimit. Between the two it
    /// may say nothing, as Apache's followers do, until UPTODATE comes.
    fn liveness_limit(&self, link: LinkId) -> Duration {
        match self.handlers.get(&link) {
            Some(handler) if handler.phase == Phase::Serving => self.sync_timeout,
            _ => self.init_timeout + self.sync_timeout,
        }
    }
}

/// Requests without a session, number 0, are a leader's own; a timeout was negotiated.
fn is_of_session(touch: &Touch) -> bool {
    touch.session != SessionId(0) && touch.timeout > 0
}
