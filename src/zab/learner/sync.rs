//! Come level with the leader's history.                           (Learner.syncWithLeader)
//!
//! Committed proposals of the synchronisation are held until NEWLEADER, then logged in one go;
//! proposals without a commit are logged after our ack of NEWLEADER, like any of the broadcast.

use std::rc::Rc;

use bytes::Bytes;

use super::core::{Learner, Output, Phase};
use crate::base::{AckKind, Difference, Exhibit, Note, PeerMisbehaved, ToldIn, Zxid};
use crate::database::Database;
use crate::jute::persist::Pieces;
use crate::jute::txn::Proposal;
use crate::storage::EpochKind;
use crate::zab::packet::Packet;

impl Learner {
    pub(super) fn on_sync_header(
        &mut self,
        packet: Packet,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        match packet {
            Packet::Diff { zxid } if self.museum.on(Exhibit::DiffMovesLearner) => {
                db.pretend(zxid);
                self.phase = Phase::Syncing;
            }
            Packet::Diff { .. } if db.needs_snapshot() => {
                self.leader_did(PeerMisbehaved::DiffWithoutHistory, out);
            }
            // DIFF's zxid is the leader's last commit, not ours: nothing moves (ZOOKEEPER-2355).
            Packet::Diff { .. } => self.phase = Phase::Syncing,
            Packet::Trunc { zxid } => {
                self.phase = Phase::Replacing;
                out.push(Output::Truncate { to: zxid });
            }
            Packet::Snap { zxid } => {
                self.phase = Phase::AwaitSnapshot;
                self.snapshot = Some(zxid);
            }
            other => self.misbehaved(&other, out),
        }
    }

    pub(super) fn on_snapshot(&mut self, body: Pieces, out: &mut Vec<Output>) {
        if let (Phase::AwaitSnapshot, Some(zxid)) = (self.phase, self.snapshot) {
            self.phase = Phase::Replacing;
            out.push(Output::InstallSnapshot { zxid, body });
        }
    }

    /// A snapshot holds what this packet is about. Apache's leaders queue packets from the moment
    /// a learner is registered, and choose the zxid of its snapshot later (LearnerHandler.run).
    pub(super) fn is_in_snapshot(&self, packet: &Packet) -> bool {
        let zxid = match packet {
            Packet::Proposal(proposal) | Packet::Inform(proposal) => proposal.zxid(),
            Packet::Commit { zxid } => *zxid,
            _ => return false,
        };
        self.snapshot.is_some_and(|snapshot| zxid <= snapshot)
    }

    /// The database stands where the leader wants it; what came meanwhile goes on.
    pub(super) fn on_replaced(&mut self, db: &mut Database, out: &mut Vec<Output>) {
        if self.phase != Phase::Replacing {
            return;
        }
        self.phase = Phase::Syncing;
        self.durable = db.last_logged();
        self.replay_waiting(db, out);
    }

    fn replay_waiting(&mut self, db: &mut Database, out: &mut Vec<Output>) {
        let waiting = std::mem::take(&mut self.waiting);
        for packet in waiting {
            if self.gave_up {
                return;
            }
            self.on_packet(packet, db, out);
        }
    }

    pub(super) fn on_sync_packet(
        &mut self,
        packet: Packet,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        match packet {
            Packet::Proposal(proposal) => drop(self.hold(proposal, db, out)),
            Packet::Commit { zxid } => match self.to_log.get(self.committed_in_sync) {
                Some(oldest) if oldest.zxid() == zxid => self.committed_in_sync += 1,
                _ => self.misbehaved(&Packet::Commit { zxid }, out),
            },
            Packet::Inform(proposal) => {
                self.committed_in_sync += usize::from(self.hold(proposal, db, out));
            }
            Packet::NewLeader { zxid, config } => self.on_newleader(zxid, config, db, out),
            Packet::Ping { zxid } => self.on_ping(zxid, out),
            other => self.misbehaved(&other, out),
        }
    }

    /// False if there is a hole in front of it: then this role is over.
    fn hold(&mut self, proposal: Rc<Proposal>, db: &Database, out: &mut Vec<Output>) -> bool {
        let zxid = proposal.zxid();
        let behind = self.to_log.back().map_or(db.last_logged(), |p| p.zxid());
        if behind.is_followed_by(zxid) {
            self.to_log.push_back(proposal);
            return true;
        }
        self.leader_did(PeerMisbehaved::Gap { zxid, behind }, out);
        false
    }

    /// History first: log the committed proposals, wait until they are durable.
    fn on_newleader(
        &mut self,
        zxid: Zxid,
        config: Option<Bytes>,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        if zxid != Zxid::new(self.epoch, 0) {
            return self.misbehaved(&Packet::NewLeader { zxid, config: None }, out);
        }
        let config = config.unwrap_or_default();
        if !self.hear_config(zxid, ToldIn::NewLeader, &config, out) {
            return;
        }
        // ZOOKEEPER-4643: a crash behind this leaves the new epoch above the old history.
        let unflushed = self.museum.on(Exhibit::NewleaderAckBeforeFlush);
        if self.museum.on(Exhibit::EpochBeforeHistory) || unflushed {
            out.push(Output::WriteEpoch(EpochKind::Current, self.epoch));
        }
        let rest = self.to_log.split_off(self.committed_in_sync);
        for proposal in std::mem::replace(&mut self.to_log, rest) {
            db.append(proposal.clone());
            out.push(Output::Append(proposal));
        }
        self.committed_in_sync = 0;
        self.phase = Phase::PersistingHistory;
        self.history_end = db.last_logged();
        if unflushed {
            // ZOOKEEPER-4646: the ack does not wait for the log.
            self.phase = Phase::PersistingEpoch;
        }
        self.try_take_epoch(out);
    }

    /// Then the epoch.
    pub(super) fn try_take_epoch(&mut self, out: &mut Vec<Output>) {
        if self.phase == Phase::PersistingHistory && self.durable >= self.history_end {
            self.phase = Phase::PersistingEpoch;
            out.push(Output::WriteEpoch(EpochKind::Current, self.epoch));
        }
    }

    /// Then the tree, so that whoever counts us finds the history applied (I-11, ZOOKEEPER-3023).
    pub(super) fn take_history(&mut self, db: &mut Database, out: &mut Vec<Output>) {
        if self.museum.on(Exhibit::HoleInCommittedLog) {
            db.commit_unkept(self.history_end);
        } else {
            db.commit_to(self.history_end);
        }
        out.push(Output::Committed(self.history_end));
        let others_first = self.dialect.has(Difference::AcksBeforeNewleader);
        if others_first && !self.to_log.is_empty() && !self.observer {
            self.phase = Phase::PersistingProposals;
            self.log_held(db, out);
        } else {
            self.ack_newleader(db, out);
        }
    }

    /// And only then the ack.
    pub(super) fn ack_newleader(&mut self, db: &mut Database, out: &mut Vec<Output>) {
        let zxid = Zxid::new(self.epoch, 0);
        out.push(Output::Note(Note::AckSent { kind: AckKind::NewLeader, zxid }));
        out.push(Output::Send(self.link, Packet::Ack { zxid }));
        self.phase = Phase::AwaitUpToDate;
        if self.log_held(db, out) {
            self.replay_waiting(db, out);
        }
    }

    /// Proposals without a commit. False if this role is over by it.
    fn log_held(&mut self, db: &mut Database, out: &mut Vec<Output>) -> bool {
        let held = std::mem::take(&mut self.to_log);
        held.into_iter().all(|proposal| self.log_proposal(proposal, db, out))
    }
}
