//! Log, ack, commit.                                    (Follower.processPacket, Observer.processPacket)

use std::rc::Rc;

use super::core::{Learner, Output, Phase};
use crate::base::{AckKind, Note, PeerMisbehaved, Zxid, routine};
use crate::database::Database;
use crate::jute::txn::Proposal;
use crate::zab::packet::Packet;

impl Learner {
    pub(super) fn on_broadcast_packet(
        &mut self,
        packet: Packet,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        match packet {
            Packet::Proposal(proposal) => drop(self.log_proposal(proposal, db, out)),
            Packet::Commit { zxid } => self.on_commit(zxid, db, out),
            Packet::Inform(proposal) => {
                let zxid = proposal.zxid();
                if self.log_proposal(proposal, db, out) {
                    self.on_commit(zxid, db, out);
                }
            }
            Packet::UpToDate if self.phase == Phase::AwaitUpToDate => self.on_uptodate(db, out),
            Packet::Ping { zxid } => self.on_ping(zxid, out),
            Packet::Sync => {
                if let Some(conn) = self.syncs.pop_front() {
                    out.push(Output::SyncDone { conn, zxid: db.committed() });
                }
            }
            Packet::RevalidateReply { session, valid } => {
                out.push(Output::Revalidated { session, valid });
            }
            other => self.misbehaved(&other, out),
        }
    }

    /// To the log; the ack follows when it is durable (`on_durable`). False if there is a hole in
    /// front of it, or if it changes the members: then this role is over.
    pub(super) fn log_proposal(
        &mut self,
        proposal: Rc<Proposal>,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) -> bool {
        let zxid = proposal.zxid();
        let behind = db.last_logged();
        if !behind.is_followed_by(zxid) {
            self.leader_did(PeerMisbehaved::Gap { zxid, behind }, out);
            return false;
        }
        if !self.hear_reconfiguration(&proposal, out) {
            return false;
        }
        db.append(proposal.clone());
        out.push(Output::Append(proposal));
        if self.acks_too_early() && !self.observer {
            self.send_ack(zxid, out);
        }
        true
    }

    /// The only place where an ACK of a proposal is sent.
    pub(super) fn on_durable(&mut self, zxid: Zxid, db: &mut Database, out: &mut Vec<Output>) {
        self.durable = self.durable.max(zxid);
        self.try_take_epoch(out);
        let is_of_broadcast = self.phase > Phase::PersistingEpoch && zxid > self.history_end;
        if is_of_broadcast && !self.observer && !self.acks_too_early() {
            self.send_ack(zxid, out);
        }
        if self.phase == Phase::PersistingProposals && self.durable >= db.last_logged() {
            self.ack_newleader(db, out);
        }
    }

    fn send_ack(&mut self, zxid: Zxid, out: &mut Vec<Output>) {
        let sent = routine(|| Note::AckSent { kind: AckKind::Proposal, zxid });
        out.extend(sent.map(Output::Note));
        out.push(Output::Send(self.link, Packet::Ack { zxid }));
    }

    fn on_commit(&mut self, zxid: Zxid, db: &mut Database, out: &mut Vec<Output>) {
        match db.oldest_uncommitted() {
            Some(oldest) if oldest == zxid => {
                db.commit_to(zxid);
                out.push(Output::Committed(zxid));
                self.activate_config(zxid, out);
            }
            oldest => self.leader_did(PeerMisbehaved::UnexpectedCommit { zxid, oldest }, out),
        }
    }

    fn on_uptodate(&mut self, db: &Database, out: &mut Vec<Output>) {
        self.phase = Phase::Broadcast;
        let newleader = Zxid::new(self.epoch, 0);
        self.activate_config(newleader, out);
        out.push(Output::Send(self.link, Packet::Ack { zxid: newleader }));
        // What is committed here and now; proposals logged since NEWLEADER may still wait.
        out.push(Output::Note(Note::Serving { epoch: self.epoch, zxid: db.committed() }));
        out.push(Output::Serve);
    }
}
