//! Propose, count acks, commit in order.                       (Zab phase 3; Leader.propose, tryToCommit)
//!
//! - BR-1  commits leave in zxid order: a transaction with a quorum waits for those before it.
//! - BR-2  no transaction is longer than a learner takes.
//! - S-14  a proposal follows the one before it without a gap
//! - S-20  a commit needs a quorum of distinct voters; our own vote is our own durable log.

use std::rc::Rc;

use super::core::{Leader, Output, Stage};
use super::handler::{Handler, Links, Phase};
use super::outstanding::{Outstanding, SyncOrigin};
use crate::base::{Exhibit, GaveUp, LinkId, Note, Now, routine};
use crate::base::{PeerMisbehaved, ServerId, Zxid, invariant};
use crate::database::Database;
use crate::jute::txn::Proposal;
use crate::metrics::{Counter, Summary};
use crate::zab::packet::Packet;

/// The acks of one zxid in so many are counted in `ack_latency`. (leader.ackLoggingFrequency)
const RECORDED_ACKS: i64 = 1000;

impl Leader {
    /// The zxid under which the next transaction is to be prepared.
    pub fn next_zxid(&self) -> Zxid {
        self.broadcast.last_proposed.next()
    }

    /// Proposes a prepared transaction: to the own log and to every follower. When the counter is
    /// used up the leadership ends, and the next epoch counts from 1 (ZOOKEEPER-1277).
    pub(super) fn propose(
        &mut self,
        now: Now,
        proposal: Rc<Proposal>,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        let zxid = proposal.zxid();
        let next = self.next_zxid();
        invariant!(zxid == next, "S-14", "{zxid} is proposed where {next} is next");
        let len = proposal.bytes().len();
        invariant!(len <= self.txn_bytes_max, "BR-2", "{zxid} has {len} bytes");
        if zxid.counter() == u32::MAX {
            return self.give_up(GaveUp::CounterUsedUp, out);
        }
        self.broadcast.propose(now.mono, proposal.clone());
        self.metrics.count(Counter::PrepProcessorRequestQueued);
        self.metrics.count(Counter::ProposalCount);
        out.extend(routine(|| Note::Proposed { zxid, hash: proposal.hash() }).map(Output::Note));
        db.append(proposal.clone());
        out.push(Output::Append(proposal.clone()));
        for link in self.forwarding_links(false) {
            self.send(link, Packet::Proposal(proposal.clone()), out);
            self.note_unacked(now, link, zxid);
        }
    }

    pub(super) fn on_own_log_durable(
        &mut self,
        now: Now,
        zxid: Zxid,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        if let Some(outstanding) = self.broadcast.outstanding_at(zxid) {
            outstanding.durable = Some(now.mono);
        }
        self.tally_acks(now, self.sid, zxid, out);
        self.try_commit(now, db, out);
        self.go_on_with_history(now, db, out);
    }

    pub(super) fn on_ack(
        &mut self,
        now: Now,
        link: LinkId,
        zxid: Zxid,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        let sid = handler.sid;
        match handler.phase {
            Phase::Syncing if zxid == Zxid::new(self.epoch, 0) => {
                if !self.may_speak(link, out) {
                    return;
                }
                let Some(handler) = self.handlers.get_mut(&link) else { return };
                handler.phase = Phase::Synced;
                handler.unacked.renew(now.mono);
                let is_shadow = handler.shadow;
                let early = std::mem::take(&mut handler.early_acks);
                if is_shadow {
                    self.send_uptodate(now, link, out);
                } else {
                    self.on_newleader_ack(now, link, db, out);
                }
                for zxid in early {
                    self.on_ack(now, link, zxid, db, out);
                }
            }
            // Apache 3.8.0 to 3.8.4, 3.9.0 and 3.9.1 log the history in a thread of its own, whose
            // acks may overtake the one of NEWLEADER (ZOOKEEPER-4646).
            Phase::Syncing if zxid <= self.broadcast.last_proposed => {
                handler.early_acks.extend(handler.unacked.contains(zxid).then_some(zxid));
            }
            Phase::Synced | Phase::Serving => {
                let is_sent = handler.unacked.remove(zxid);
                if zxid.counter() == 0 {
                    handler.pings.on_uptodate_acked();
                }
                if handler.shadow {
                    handler.early_acks.retain(|acked| *acked > db.committed());
                    handler.early_acks.extend(is_sent.then_some(zxid));
                    return;
                }
                // UPTODATE is acked with the epoch's zxid.
                if zxid.counter() != 0 && !handler.observer {
                    self.tally_acks(now, sid, zxid, out);
                    self.try_commit(now, db, out);
                }
            }
            phase => {
                let did = PeerMisbehaved::UnexpectedAck { zxid, phase: phase.name() };
                self.dismiss(link, did, out);
            }
        }
    }

    /// Counts one server's ack of one proposal.
    pub(super) fn tally_acks(
        &mut self,
        now: Now,
        from: ServerId,
        zxid: Zxid,
        out: &mut Vec<Output>,
    ) {
        let Some(outstanding) = self.broadcast.outstanding_at(zxid) else { return };
        if outstanding.acks.add(from, &self.verifier) {
            out.extend(routine(|| Note::AckCounted { zxid, from }).map(Output::Note));
            if zxid.0 % RECORDED_ACKS == 0 && !self.standalone {
                self.metrics.record_ack(from, now, outstanding.proposal.header.time);
            }
        }
    }

    /// Commits from the oldest proposal on, as long as each has its quorum.
    pub(super) fn try_commit(&mut self, now: Now, db: &mut Database, out: &mut Vec<Output>) {
        if self.stage != Stage::Broadcast {
            return;
        }
        let mut decided = self.broadcast.take_decided(&self.verifier);
        if decided.is_none() {
            return;
        }
        let before = db.committed();
        let (followers, observers) = (self.forwarding_links(false), self.forwarding_links(true));
        while let Some(outstanding) = decided {
            let zxid = outstanding.proposal.zxid();
            let voters = || outstanding.acks.to_vec();
            out.extend(routine(|| Note::Committed { zxid, voters: voters() }).map(Output::Note));
            for link in &followers {
                self.send(*link, Packet::Commit { zxid }, out);
            }
            for link in &observers {
                self.send(*link, Packet::Inform(outstanding.proposal.clone()), out);
            }
            db.commit_to(zxid);
            self.count_commit(now, &outstanding);
            for origin in outstanding.syncs {
                self.answer_sync(origin, zxid, out);
            }
            decided = self.broadcast.take_decided(&self.verifier);
        }
        if db.committed() > before {
            out.push(Output::Committed(db.committed()));
        }
    }

    fn count_commit(&self, now: Now, outstanding: &Outstanding) {
        let metrics = &self.metrics;
        metrics.count(Counter::CommitCount);
        metrics.record_since(Summary::QuorumAckLatency, now, outstanding.proposal.header.time);
        metrics.record_us(Summary::CommitLatency, now.mono.since(outstanding.proposed));
        let own_log = outstanding.durable.unwrap_or(now.mono);
        metrics.record_us(Summary::QuorumWait, now.mono.since(own_log));
    }

    /// A sync is answered behind the commit of everything proposed before it. With nothing
    /// outstanding that is at once, without asking a quorum: as in Apache, not linearizable.
    pub(super) fn on_sync(&mut self, origin: SyncOrigin, db: &Database, out: &mut Vec<Output>) {
        match self.broadcast.newest() {
            Some(newest) => newest.syncs.push_back(origin),
            None => self.answer_sync(origin, db.committed(), out),
        }
    }

    fn answer_sync(&mut self, origin: SyncOrigin, zxid: Zxid, out: &mut Vec<Output>) {
        match origin {
            SyncOrigin::Learner(link) => self.send(link, Packet::Sync, out),
            SyncOrigin::Local(conn) => out.push(Output::SyncDone { conn, zxid }),
        }
    }

    fn on_newleader_ack(
        &mut self,
        now: Now,
        link: LinkId,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        let Some(handler) = self.handlers.get(&link) else { return };
        let sid = handler.sid;
        if self.newleader_acks.add(sid, &self.verifier) {
            let note = Note::NewLeaderAckCounted { epoch: self.epoch, from: sid };
            out.push(Output::Note(note));
        }
        if self.stage == Stage::Broadcast {
            self.send_uptodate(now, link, out);
        } else {
            self.try_establish(now, db, out);
        }
    }

    /// A quorum holds our history durably: it is committed, and we serve.
    pub(super) fn try_establish(&mut self, now: Now, db: &mut Database, out: &mut Vec<Output>) {
        if self.stage != Stage::Synchronisation || !self.newleader_acks.has_quorum(&self.verifier) {
            return;
        }
        self.stage = Stage::Broadcast;
        out.push(Output::Note(Note::Established {
            epoch: self.epoch,
            voters: self.newleader_acks.to_vec(),
            history_end: self.history_end,
        }));
        out.push(Output::Serve);
        for link in self.links_in(Phase::Synced) {
            self.send_uptodate(now, link, out);
        }
        self.try_commit(now, db, out);
    }

    fn send_uptodate(&mut self, now: Now, link: LinkId, out: &mut Vec<Output>) {
        if let Some(handler) = self.handlers.get_mut(&link) {
            handler.phase = Phase::Serving;
            handler.deadline = now.mono + self.sync_timeout;
            handler.heard = now.mono;
        }
        self.send(link, Packet::UpToDate, out);
    }

    pub(super) fn note_unacked(&mut self, now: Now, link: LinkId, zxid: Zxid) {
        if let Some(handler) = self.handlers.get_mut(&link) {
            handler.unacked.push(zxid, now.mono);
        }
    }

    fn forwarding_links(&self, observers: bool) -> Links {
        // ZOOKEEPER-962 registered a learner some time after its history was collected.
        let late = self.museum.on(Exhibit::ForwardsTooLate);
        let hears = |h: &Handler| h.is_forwarding() && !(late && h.phase == Phase::Syncing);
        self.links_where(|h| hears(h) && h.observer == observers)
    }
}
