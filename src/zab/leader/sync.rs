//! Bring one learner to our history before its acks count.    (Zab phase 2; LearnerHandler.syncFollower)
//!
//!     peer = where the learner's log ends; min..max = committed log; last = our last commit
//!
//!     last == peer                   DIFF, nothing else
//!     peer > max                     TRUNC(max)
//!     min <= peer <= max             DIFF from peer, or TRUNC to where its history leaves ours
//!     peer < min                     the log on disk, if it is not too much, else SNAP
//!     a transaction that is longer than a learner takes is missing there     SNAP
//!
//! Such a transaction is in a log that an older version has written, or Apache.
//!
//! - SY-3  nothing at or below our last commit is missing before NEWLEADER goes out.
//! - SY-4  a learner keeps no transaction that our history lacks (ZOOKEEPER-1154).
//! - SY-6  everything whose effects a snapshot may hold goes out before NEWLEADER, as a transaction of
//!   its own: what the learner promises is a tree that existed (ZOOKEEPER-3104).
//!
//! Not here: reading the log (storage), the socket (zab/driver/).

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::core::{Leader, Output};
use super::handler::Phase;
use crate::base::{Difference, Exhibit, LinkId, Note, Now, SyncMode, Zxid};
use crate::database::Database;
use crate::jute::txn::Proposal;
use crate::tree::SnapshotCursor;
use crate::zab::packet::Packet;

/// What the learner gets. `after`: the committed transactions above it follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SyncPlan {
    Diff {
        to: Zxid,
        after: Zxid,
    },
    Trunc {
        to: Zxid,
        after: Zxid,
    },
    Snap,
    /// The committed log begins too late: ask the log on disk.
    ReadLog,
}

/// The decision table of LearnerHandler.syncFollower. `history` is the committed log in order,
/// `last` the last committed zxid.
pub(super) fn choose_sync(peer: Zxid, last: Zxid, history: &[Zxid]) -> SyncPlan {
    let min = history.first().copied().unwrap_or(last);
    let max = history.last().copied().unwrap_or(last);
    if peer == last {
        return SyncPlan::Diff { to: peer, after: peer };
    }
    if peer > max && peer.counter() != 0 {
        return SyncPlan::Trunc { to: max, after: max };
    }
    if peer < min {
        return SyncPlan::ReadLog;
    }
    if peer > max {
        return SyncPlan::Snap;
    }
    walk_history(peer, max, history)
}

/// Finds where the learner's history leaves ours (LearnerHandler.queueCommittedProposals).
fn walk_history(peer: Zxid, max: Zxid, history: &[Zxid]) -> SyncPlan {
    let at = history.partition_point(|zxid| *zxid < peer);
    match history.get(at) {
        Some(first) if *first == peer => SyncPlan::Diff { to: max, after: peer },
        // The learner knows an epoch's beginning and nothing of it.
        _ if peer.counter() == 0 => SyncPlan::Diff { to: max, after: peer },
        Some(first) if at > 0 && first.epoch() == peer.epoch() => {
            SyncPlan::Trunc { to: history[at - 1], after: history[at - 1] }
        }
        // It went another way in an older epoch: a log cannot be cut across that.
        _ => SyncPlan::Snap,
    }
}

impl SyncPlan {
    /// How it is told, the zxid that it names, and behind which one transactions follow singly.
    fn ends(self, db: &Database) -> (SyncMode, Zxid, Zxid) {
        match self {
            SyncPlan::Diff { to, after } => (SyncMode::Diff, to, after),
            SyncPlan::Trunc { to, after } => (SyncMode::Trunc, to, after),
            SyncPlan::Snap | SyncPlan::ReadLog => {
                (SyncMode::Snap, db.last_applied(), db.last_applied())
            }
        }
    }
}

/// The committed transactions behind `after`, oldest first. `from_disk` ends where the committed
/// log begins, or in it.
fn history_after(after: Zxid, from_disk: &[Rc<Proposal>], db: &Database) -> Vec<Rc<Proposal>> {
    let first_in_memory = db.committed_log().next().map_or(Zxid::MAX, |p| p.zxid());
    let on_disk = from_disk.iter().filter(|p| p.zxid() < first_in_memory);
    on_disk.chain(db.committed_log()).filter(|p| p.zxid() > after).cloned().collect()
}

impl Leader {
    pub(super) fn synchronise(
        &mut self,
        now: Now,
        link: LinkId,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = self.handlers.get(&link).map(|h| h.last_zxid) else { return };
        let history: Vec<Zxid> = db.committed_log().map(|p| p.zxid()).collect();
        let plan = choose_sync(peer, db.committed(), &history);
        let plan = self.exhibited(plan, peer, db);
        if plan == SyncPlan::ReadLog {
            if let Some(handler) = self.handlers.get_mut(&link) {
                handler.phase = Phase::ReadingLog;
            }
            let up_to = db.committed();
            return out.push(Output::ReadLog { link, after: peer, up_to });
        }
        self.send_history(now, link, plan, &[], db, out);
    }

    /// The log on disk, from the learner's own last transaction on, joined to the committed log.
    pub(super) fn on_log_read(
        &mut self,
        now: Now,
        link: LinkId,
        records: Option<Vec<Rc<Proposal>>>,
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        let Some(handler) = self.handlers.get(&link) else { return };
        if handler.phase != Phase::ReadingLog {
            return;
        }
        let peer = handler.last_zxid;
        let records = records.unwrap_or_default();
        let min = db.committed_log().next().map_or(db.committed(), |p| p.zxid());
        // Both ends must meet: the learner's last transaction is in our log, and the log reaches
        // the committed log (ZOOKEEPER-2418).
        let starts_there = records.first().is_some_and(|p| p.zxid() == peer);
        let reaches = records.last().is_some_and(|p| p.zxid() >= min);
        let plan = if starts_there && reaches {
            SyncPlan::Diff { to: db.committed(), after: peer }
        } else {
            SyncPlan::Snap
        };
        self.send_history(now, link, plan, &records, db, out);
    }

    /// Queues the learner's whole history and registers it for what follows, in one step.
    fn send_history(
        &mut self,
        now: Now,
        link: LinkId,
        plan: SyncPlan,
        from_disk: &[Rc<Proposal>],
        db: &mut Database,
        out: &mut Vec<Output>,
    ) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        handler.phase = Phase::Syncing;
        handler.sync_began = now.mono;
        handler.deadline = now.mono + self.init_timeout + self.sync_timeout;
        let (sid, observer, peer) = (handler.sid, handler.observer, handler.last_zxid);
        self.broadcast.forget_acks_of(sid);
        let (mut mode, mut to, after) = plan.ends(db);
        let mut missing = history_after(after, from_disk, db);
        if missing.iter().any(|proposal| proposal.bytes().len() > self.txn_bytes_max) {
            (mode, to, _) = SyncPlan::Snap.ends(db);
            missing.retain(|proposal| proposal.zxid() > to);
        }
        out.push(Output::Note(Note::SyncChosen { learner: sid, mode, peer, to }));
        match mode {
            SyncMode::Diff => self.send(link, Packet::Diff { zxid: to }, out),
            SyncMode::Trunc => self.send(link, Packet::Trunc { zxid: to }, out),
            SyncMode::Snap => {
                self.begin_snapshot(link, db, out);
                self.repeat_snapshot(link, db, out);
            }
        }
        for proposal in missing {
            let zxid = proposal.zxid();
            self.send(link, Packet::Proposal(proposal), out);
            self.send(link, Packet::Commit { zxid }, out);
        }
        if !observer {
            for proposal in self.broadcast.outstanding_proposals() {
                let zxid = proposal.zxid();
                self.send(link, Packet::Proposal(proposal), out);
                self.note_unacked(now, link, zxid);
            }
        }
        let snapshot_is_out = self.handlers.get(&link).is_none_or(|h| h.snapshot.is_none());
        // ZOOKEEPER-3104 queued it while the tree went on changing under the snapshot.
        if snapshot_is_out || self.museum.on(Exhibit::NewleaderBeforeSnapshot) {
            self.send_newleader(link, out);
        }
    }

    fn send_newleader(&mut self, link: LinkId, out: &mut Vec<Output>) {
        let config = Some(Bytes::from(self.verifier.config_text()));
        let newleader = Packet::NewLeader { zxid: Zxid::new(self.epoch, 0), config };
        self.send(link, newleader, out);
    }

    fn begin_snapshot(&mut self, link: LinkId, db: &mut Database, out: &mut Vec<Output>) {
        out.push(Output::Send(link, Packet::Snap { zxid: db.last_applied() }));
        out.push(Output::SendSnapshot(link, db.snapshot_head()));
        if let Some(handler) = self.handlers.get_mut(&link) {
            handler.snapshot = Some(SnapshotCursor::of_slices(self.snapshot_slice_bytes));
        }
        self.send_snapshot_slice(link, db, out);
    }

    /// The link is free for the next slice of a snapshot; NEWLEADER follows the last one, and all
    /// that was queued meanwhile.
    pub(super) fn on_drained(
        &mut self,
        now: Now,
        link: LinkId,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let ends = self.send_snapshot_slice(link, db, out);
        self.allow_time(now, link, ends);
        if ends && !self.museum.on(Exhibit::NewleaderBeforeSnapshot) {
            self.send_newleader(link, out);
        }
    }

    /// As long as a snapshot moves, its learner is not silent. To save the whole of it may take as
    /// long as to send it, and nothing is heard of the learner meanwhile.
    fn allow_time(&mut self, now: Now, link: LinkId, ends: bool) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        if handler.snapshot.is_some() || ends {
            let sending = if ends { now.mono.since(handler.sync_began) } else { Duration::ZERO };
            handler.deadline = now.mono + self.init_timeout + self.sync_timeout + sending;
        }
    }

    /// One slice of the snapshot; what was queued behind it follows the last one, and true. The
    /// tree goes on changing meanwhile: the queued transactions bring the learner level again.
    fn send_snapshot_slice(&mut self, link: LinkId, db: &Database, out: &mut Vec<Output>) -> bool {
        let Some(handler) = self.handlers.get_mut(&link) else { return false };
        let Some(cursor) = handler.snapshot.as_mut() else { return false };
        let (slice, done) = db.snapshot_slice(cursor, self.snapshot_slice);
        out.push(Output::SendSnapshot(link, slice));
        if !done {
            out.push(Output::NotifyDrained(link));
            return false;
        }
        handler.snapshot = None;
        let (learner, upto) = (handler.sid, db.last_applied());
        out.push(Output::Note(Note::SnapshotSent { learner, upto }));
        for packet in std::mem::take(&mut handler.behind_snapshot) {
            out.push(Output::Send(link, packet));
        }
        true
    }
}

/// What others do: the museum's bugs, and what Apache's leaders may.
impl Leader {
    /// The last packets of what the snapshot holds follow it.
    fn repeat_snapshot(&mut self, link: LinkId, db: &Database, out: &mut Vec<Output>) {
        /// As many as may come in while a leader registers a learner.
        const REPEATED: usize = 3;
        if !self.dialect.has(Difference::PacketsInSnapshot) {
            return;
        }
        let held = db.committed_log().filter(|p| p.zxid() <= db.last_applied());
        let held: Vec<Rc<Proposal>> = held.cloned().collect();
        for proposal in held.into_iter().rev().take(REPEATED).rev() {
            let zxid = proposal.zxid();
            self.send(link, Packet::Proposal(proposal), out);
            self.send(link, Packet::Commit { zxid }, out);
        }
    }

    /// The plan for a learner at `peer`: the one given, unless a bug is switched on.
    fn exhibited(&self, plan: SyncPlan, peer: Zxid, db: &Database) -> SyncPlan {
        if plan == SyncPlan::ReadLog && self.dialect.has(Difference::SnapForLogDiff) {
            return SyncPlan::Snap;
        }
        let is_fresh = peer == Zxid::ZERO && self.broadcast.last_proposed().counter() == 0;
        match plan {
            // ZOOKEEPER-1154: what the learner has and we lack stays in its log.
            SyncPlan::Trunc { .. } if self.museum.on(Exhibit::DiffWithoutTrunc) => {
                let newest = db.committed_log().last().map_or(db.committed(), |p| p.zxid());
                SyncPlan::Diff { to: newest, after: peer }
            }
            // ZOOKEEPER-1319 compared with a "last proposed" that nobody had set yet: zero.
            _ if is_fresh && self.museum.on(Exhibit::EmptyLearnerInSync) => {
                SyncPlan::Diff { to: db.committed(), after: db.committed() }
            }
            plan => plan,
        }
    }
}
