//! Bring one learner to our history before its acks count.    (Zab phase 2; LearnerHandler.syncFollower)
//!
//!     peer = where the learner's log ends; min..max = committed log; last = our last commit
//!
//!     last == peer                   DIFF, nothing else
//!     peer > max                     TRUNC(max)
//!     min <= peer <= max             DIFF from peer, or TRUNC to where its history leaves ours
//!     peer < min                     the log on disk, if it is not too much and comes soon, else SNAP
//!     a transaction that is longer than a learner takes is missing there     SNAP
//!
//! Such a transaction is in a log that an older version has written, or Apache.
//!
//!     SNAP --slices of the tree--> SendingSnapshot --last slice--> SendingHistory
//!     DIFF, TRUNC ----------------------------------------------> SendingHistory
//!     SendingHistory --portions, from memory or from the log--> all that is committed was sent:
//!         NEWLEADER, what is proposed --> Syncing
//!
//! A slice or a portion goes out when the one before it has left, so a tree or a history of any
//! size takes the room of one. A learner is registered for what follows with the last portion alone:
//! nothing queues up for it before. While the log is read, what lies behind it stays in memory.
//!
//! - SY-8  who waits for the log to be read is not left without a word for initLimit.
//! - SY-3  nothing at or below our last commit is missing before NEWLEADER goes out.
//! - SY-4  a learner keeps no transaction that our history lacks (ZOOKEEPER-1154).
//! - SY-7  what is not committed yet follows NEWLEADER. Apache sends it before; a learner of 3.8.0 to
//!   3.8.4 that finds none of it behind NEWLEADER ends at the next COMMIT (ZOOKEEPER-4394).
//! - SY-6  everything whose effects a snapshot may hold goes out before NEWLEADER, as a transaction of
//!   its own: what the learner promises is a tree that existed (ZOOKEEPER-3104).
//!
//! Not here: reading the log (storage), the socket (zab/driver/).

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::core::{HistoryRead, Leader, Output};
use super::handler::{Awaited, Handler, Phase};
use crate::base::{Difference, Dismissed, Exhibit, LinkId, Mono, Note, Now, SyncMode, Zxid};
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
        // Of the beginning of an epoch no log has a record.
        return if peer.counter() == 0 { SyncPlan::Snap } else { SyncPlan::ReadLog };
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

impl Leader {
    pub(super) fn synchronise(
        &mut self,
        now: Now,
        link: LinkId,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = self.handlers.get(&link).map(|h| h.last_zxid) else { return };
        let history: Vec<Zxid> = db.committed_log().map(|p| p.zxid()).collect();
        let plan = choose_sync(peer, db.committed(), &history);
        let plan = if peer < self.too_long { SyncPlan::Snap } else { plan };
        let plan = self.exhibited(plan, peer, db);
        if plan != SyncPlan::ReadLog {
            return self.begin_history(now, link, plan, db, out);
        }
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        handler.phase = Phase::ReadingLog;
        handler.begin_telling(now);
        let (from, up_to) = (peer, db.committed().min(db.durable()));
        handler.awaits = Some(Awaited::Log { from, up_to });
        out.push(Output::ReadHistory { link, from, up_to, begin: None, is_bounded: true });
    }

    /// Whoever waits for the first words of its synchronisation gives up after initLimit: who has
    /// waited half of that for our log gets a snapshot.
    pub(super) fn stop_reading(&mut self, now: Now, db: &Database, out: &mut Vec<Output>) {
        let is_late = |h: &Handler| h.phase == Phase::ReadingLog && now.mono >= self.read_by(h);
        for link in self.links_where(is_late) {
            self.begin_history(now, link, SyncPlan::Snap, db, out);
        }
    }

    pub(super) fn read_by(&self, handler: &Handler) -> Mono {
        handler.sync_began + self.init_timeout / 2
    }

    /// A portion of the log on disk.
    pub(super) fn on_history_read(
        &mut self,
        now: Now,
        (link, from): (LinkId, Zxid),
        read: HistoryRead,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        if !matches!(handler.awaits, Some(Awaited::Log { from: asked, .. }) if asked == from) {
            return; // It took too long.
        }
        let (peer, learner) = (handler.last_zxid, handler.sid);
        let (mut records, next) = match read {
            HistoryRead::Records { records, next } => (records, next),
            HistoryRead::TooLong | HistoryRead::Gone => (Vec::new(), None),
        };
        handler.awaits = None;
        handler.log_position = next;
        match handler.phase {
            Phase::ReadingLog => {
                let meets = records.first().is_some_and(|first| first.zxid() == peer);
                // The learner's last transaction must be in our log: otherwise it went another way.
                if !meets || records.iter().any(|proposal| self.is_too_long(proposal)) {
                    return self.begin_history(now, link, SyncPlan::Snap, db, out);
                }
                let (to, after) = (db.committed(), peer);
                self.announce(now, link, SyncPlan::Diff { to, after }, db, out);
                records.remove(0);
            }
            Phase::SendingHistory if records.is_empty() => {
                return self.close(link, Dismissed::HistoryGone { server: learner }, out);
            }
            Phase::SendingHistory => self.allow_time(now, link, false),
            _ => return,
        }
        self.send_records(now, link, records, db, out);
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        if db.remembers_behind(handler.sent_to) {
            return self.send_history(now, link, db, out);
        }
        handler.awaits = Some(Awaited::Link);
        out.push(Output::NotifyDrained(link));
    }

    /// Tells the learner how it is brought level, and begins.
    fn begin_history(
        &mut self,
        now: Now,
        link: LinkId,
        plan: SyncPlan,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let (_, _, after) = plan.ends(db);
        let is_long = |p: &&Rc<Proposal>| p.zxid() > after && self.is_too_long(p);
        let plan = if db.committed_log().any(|p| is_long(&p)) { SyncPlan::Snap } else { plan };
        self.announce(now, link, plan, db, out);
        if plan == SyncPlan::Snap {
            self.begin_snapshot(now, link, db, out);
        } else {
            self.send_history(now, link, db, out);
        }
    }

    fn announce(
        &mut self,
        now: Now,
        link: LinkId,
        plan: SyncPlan,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        let (mode, to, after) = plan.ends(db);
        handler.phase = Phase::SendingHistory;
        handler.begin_telling(now);
        (handler.sent_to, handler.awaits) = (after, None);
        let (learner, peer, is_shadow) = (handler.sid, handler.last_zxid, handler.shadow);
        self.note_synchronisation(learner, is_shadow);
        out.push(Output::Note(Note::SyncChosen { learner, mode, peer, to }));
        let header = match mode {
            SyncMode::Diff => Packet::Diff { zxid: to },
            SyncMode::Trunc => Packet::Trunc { zxid: to },
            SyncMode::Snap => Packet::Snap { zxid: to },
        };
        self.send(link, header, out);
        self.allow_time(now, link, false);
    }

    fn begin_snapshot(&mut self, now: Now, link: LinkId, db: &Database, out: &mut Vec<Output>) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        handler.phase = Phase::SendingSnapshot;
        handler.snapshot = Some(SnapshotCursor::of_slices(self.portion_bytes));
        out.push(Output::SendSnapshot(link, db.snapshot_head()));
        self.send_snapshot_slice(now, link, db, out);
    }

    /// What was sent has left: the learner's history goes on.
    pub(super) fn on_drained(
        &mut self,
        now: Now,
        link: LinkId,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        match handler.phase {
            Phase::SendingSnapshot => self.send_snapshot_slice(now, link, db, out),
            Phase::SendingHistory => {
                handler.awaits = None;
                self.allow_time(now, link, false);
                self.send_history(now, link, db, out);
            }
            _ => {}
        }
    }

    /// As long as its history moves, a learner is not silent. To save the whole of it may take as
    /// long as to send it, and nothing is heard of the learner meanwhile.
    fn allow_time(&mut self, now: Now, link: LinkId, ends: bool) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        let sending = if ends { now.mono.since(handler.sync_began) } else { Duration::ZERO };
        // So is a leadership that waits for it.
        self.deadline = self.deadline.max(now.mono + self.init_timeout + sending);
        handler.deadline = now.mono + self.init_timeout + self.sync_timeout + sending;
    }

    /// One slice of the snapshot. The tree goes on changing meanwhile: the transactions behind the
    /// snapshot's zxid, which follow the last slice, bring the learner level again.
    fn send_snapshot_slice(
        &mut self,
        now: Now,
        link: LinkId,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        let Some(cursor) = handler.snapshot.as_mut() else { return };
        let (slice, done) = db.snapshot_slice(cursor, self.snapshot_slice);
        let bytes = slice.len();
        out.push(Output::SendSnapshot(link, slice));
        self.count_sent(now, link, bytes, db, out);
        if !done {
            self.allow_time(now, link, false);
            return out.push(Output::NotifyDrained(link));
        }
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        handler.snapshot = None;
        handler.phase = Phase::SendingHistory;
        let (learner, upto, sent_to) = (handler.sid, db.last_applied(), handler.sent_to);
        out.push(Output::Note(Note::SnapshotSent { learner, upto }));
        self.repeat_snapshot(link, sent_to, db, out);
        // ZOOKEEPER-3104 queued it before what had changed the tree under the snapshot.
        if self.museum.on(Exhibit::NewleaderBeforeSnapshot) {
            self.send_newleader(link, out);
            self.handlers.entry(link).and_modify(|h| h.has_early_newleader = true);
        }
        self.send_history(now, link, db, out);
    }

    /// The next portion of what the learner lacks: from memory if it is there, and from the log if
    /// the committed log begins too late by now. Behind the last one the learner is registered.
    fn send_history(&mut self, now: Now, link: LinkId, db: &Database, out: &mut Vec<Output>) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        let sent_to = handler.sent_to;
        // ZOOKEEPER-4925 took a committed log with a hole for the whole.
        let trusts = self.museum.on(Exhibit::HoleInCommittedLog);
        if !db.remembers_behind(sent_to) && sent_to < db.committed() && !trusts {
            return self.read_history(link, db, out);
        }
        let mut bytes = 0;
        let mut portion = Vec::new();
        for proposal in db.committed_log().filter(|p| p.zxid() > sent_to) {
            if bytes >= self.portion_bytes {
                break;
            }
            bytes += proposal.bytes().len();
            portion.push(proposal.clone());
        }
        self.send_records(now, link, portion, db, out);
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        if handler.sent_to < db.committed() && !trusts {
            handler.awaits = Some(Awaited::Link);
            return out.push(Output::NotifyDrained(link));
        }
        self.register(now, link, out);
    }

    /// Asks for the next portion of the log.
    fn read_history(&mut self, link: LinkId, db: &Database, out: &mut Vec<Output>) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        let (from, up_to) = (handler.sent_to.next(), db.committed().min(db.durable()));
        if up_to < from {
            // Our own disk is far behind the others': its next sync brings us back here.
            handler.awaits = Some(Awaited::OwnLog);
            return;
        }
        handler.awaits = Some(Awaited::Log { from, up_to });
        let (begin, is_bounded) = (handler.log_position, false);
        out.push(Output::ReadHistory { link, from, up_to, begin, is_bounded });
    }

    /// Transactions of our history, in order, each with its commit.
    fn send_records(
        &mut self,
        now: Now,
        link: LinkId,
        records: Vec<Rc<Proposal>>,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        let mut bytes = 0;
        for proposal in records {
            let Some(handler) = self.handlers.get_mut(&link) else { return };
            let zxid = proposal.zxid();
            let trusts = self.museum.on(Exhibit::HoleInCommittedLog);
            let (server, sent_to) = (handler.sid, handler.sent_to);
            handler.sent_to = zxid;
            if self.is_too_long(&proposal) {
                // It comes back, and gets a snapshot.
                self.too_long = self.too_long.max(zxid);
            }
            let follows = sent_to.is_followed_by(zxid) || trusts;
            if !follows || zxid == self.too_long {
                return self.close(link, Dismissed::HistoryGone { server }, out);
            }
            bytes += proposal.bytes().len();
            self.send_committed(link, proposal, out);
        }
        self.count_sent(now, link, bytes, db, out);
    }

    fn send_committed(&mut self, link: LinkId, proposal: Rc<Proposal>, out: &mut Vec<Output>) {
        let zxid = proposal.zxid();
        self.send(link, Packet::Proposal(proposal), out);
        self.send(link, Packet::Commit { zxid }, out);
    }

    fn is_too_long(&self, proposal: &Proposal) -> bool {
        proposal.bytes().len() > self.txn_bytes_max
    }

    /// The learner has all that is committed: in this very step it is asked for its promise, gets
    /// what is proposed, and is registered for all that follows.
    fn register(&mut self, now: Now, link: LinkId, out: &mut Vec<Output>) {
        let Some(handler) = self.handlers.get_mut(&link) else { return };
        handler.phase = Phase::Syncing;
        handler.asked = self.turn;
        let (is_observer, has_newleader) = (handler.observer, handler.has_early_newleader);
        self.allow_time(now, link, true);
        let is_last = self.dialect.has(Difference::ProposalsBeforeNewleader);
        if !has_newleader && !is_last {
            self.send_newleader(link, out);
        }
        if !is_observer {
            for proposal in self.broadcast.outstanding_proposals() {
                let zxid = proposal.zxid();
                self.send(link, Packet::Proposal(proposal), out);
                self.note_unacked(now, link, zxid);
            }
        }
        if !has_newleader && is_last {
            self.send_newleader(link, out);
        }
    }

    /// Our own log is durable a little further: whose history waited for that goes on.
    pub(super) fn go_on_with_history(&mut self, now: Now, db: &Database, out: &mut Vec<Output>) {
        for link in self.links_where(|handler| handler.awaits == Some(Awaited::OwnLog)) {
            self.send_history(now, link, db, out);
        }
    }

    fn send_newleader(&mut self, link: LinkId, out: &mut Vec<Output>) {
        let has_config = !self.dialect.has(Difference::NoConfig);
        let config = has_config.then(|| Bytes::from(self.verifier.config_text()));
        let newleader = Packet::NewLeader { zxid: Zxid::new(self.epoch, 0), config };
        self.send(link, newleader, out);
    }
}

/// What others do: the museum's bugs, and what Apache's leaders may.
impl Leader {
    /// The last packets of what the snapshot holds follow it.
    fn repeat_snapshot(
        &mut self,
        link: LinkId,
        snapshot: Zxid,
        db: &Database,
        out: &mut Vec<Output>,
    ) {
        /// As many as may come in while a leader registers a learner.
        const REPEATED: usize = 3;
        if !self.dialect.has(Difference::PacketsInSnapshot) {
            return;
        }
        let held = db.committed_log().filter(|p| p.zxid() <= snapshot);
        let held: Vec<Rc<Proposal>> = held.cloned().collect();
        for proposal in held.into_iter().rev().take(REPEATED).rev() {
            self.send_committed(link, proposal, out);
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
