//! What a server knows: tree, sessions, where its log ends and what of it is committed.   (ZKDatabase)
//!
//! A transaction is appended (it goes to the log), later committed (the ensemble decided), later
//! applied (the tree holds it). After `look` and after a restart the tree holds the whole log.
//!
//! - S-14  transactions are appended, committed and applied in zxid order, without a gap.
//! - DB-1  the committed log's last entry is the last commit, and it has no hole (ZOOKEEPER-4925):
//!   it grows in `commit_to` and nowhere else.
//! - DB-2  every transaction that is committed and not applied is in the committed log.
//! - DB-3  last_applied <= committed <= last_logged, and what lies between is held in memory.
//! - S-13  epochs do not fall.
//!
//! Not here: files (`storage`), who decides (`zab`).

mod digest_log;
mod error;
mod museum;
mod snapshot;

#[cfg(test)]
mod config_node_test;

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::{Epoch, SessionId, Zxid, invariant};
use crate::jute::persist::SnapshotBody;
use crate::jute::txn::Proposal;
use crate::session::Sessions;
use crate::storage::{EpochKind, Loaded};
use crate::tree::{AclRules, Applied, DataTree};

use digest_log::DigestLog;
pub use error::InstallError;

/// What /zookeeper/config holds on this server.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ConfigNode {
    text: Bytes,
    version: Zxid,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Database {
    tree: DataTree,
    /// It stays whatever a disk or a leader has there. `None`: the node is left as it is found.
    config: Option<ConfigNode>,
    sessions: Sessions,
    /// The last committed transactions, for DIFF.
    committed_log: VecDeque<Rc<Proposal>>,
    committed_log_max: usize,
    /// All that is committed behind this is in the committed log.
    committed_log_behind: Zxid,
    /// What is committed behind this stays in the committed log.
    kept_behind: Option<Zxid>,
    /// Appended and not applied, oldest first; those up to `committed` may be applied.
    unapplied: VecDeque<Rc<Proposal>>,
    /// How many of these are committed.
    unapplied_committed: usize,
    committed: Zxid,
    last_logged: Zxid,
    /// What the disk is known to hold.
    durable: Zxid,
    accepted_epoch: Epoch,
    current_epoch: Epoch,
    initialised: bool,
    /// A leader's TRUNC could not be obeyed: only a snapshot can bring this server level.
    needs_snapshot: bool,
    /// The tree comes from a leader's snapshot, and not all is in the log that was committed while it
    /// was written: the tree may be as none ever was. Storage keeps the mark over a restart.
    is_unfinished: bool,
    /// The tree's digest behind some of its last transactions, for an operator to compare.
    digests: DigestLog,
    /// Museum only: a zxid that was announced and never came (ZOOKEEPER-2355).
    pretended: Zxid,
    /// Museum only: DB-1 and DB-2 do not hold (ZOOKEEPER-4925).
    unkept: bool,
}

impl Database {
    pub fn empty(committed_log_max: usize) -> Database {
        Database {
            tree: DataTree::new(),
            config: None,
            sessions: Sessions::default(),
            committed_log: VecDeque::new(),
            committed_log_max,
            committed_log_behind: Zxid::ZERO,
            kept_behind: None,
            unapplied: VecDeque::new(),
            unapplied_committed: 0,
            committed: Zxid::ZERO,
            last_logged: Zxid::ZERO,
            durable: Zxid::ZERO,
            accepted_epoch: Epoch(0),
            current_epoch: Epoch(0),
            initialised: false,
            needs_snapshot: false,
            is_unfinished: false,
            digests: DigestLog::default(),
            pretended: Zxid::ZERO,
            unkept: false,
        }
    }

    pub fn with_acl_rules(mut self, rules: AclRules) -> Database {
        self.tree.set_acl_rules(rules);
        self
    }

    /// The members of the ensemble, for clients: a server alone has none.
    pub fn with_config(mut self, text: Bytes, version: Zxid) -> Database {
        self.config = Some(ConfigNode { text, version });
        self.put_config();
        self
    }

    fn put_config(&mut self) {
        if let Some(ConfigNode { text, version }) = &self.config {
            self.tree.set_config(text.clone(), *version);
        }
    }

    /// Rebuilds everything from what the disk holds: newest snapshot, then the log behind it.
    /// Missing epoch files default to the epoch of the last transaction.
    pub fn restore(&mut self, loaded: Loaded) -> Result<(), InstallError> {
        let mut fresh =
            Database::empty(self.committed_log_max).with_acl_rules(self.tree.acl_rules());
        fresh.config = self.config.clone();
        if let Some(snapshot) = loaded.snapshot {
            let zxid = snapshot.zxid;
            fresh.is_unfinished = loaded.unfinished;
            let fuzzy_up_to = snapshot.digest.as_ref().map_or(Zxid::ZERO, |digest| digest.zxid);
            let body = SnapshotBody {
                sessions: snapshot.sessions,
                acls: snapshot.acls,
                nodes: snapshot.nodes,
            };
            let created = loaded.txns.iter().filter(|proposal| proposal.txn.is_create()).count();
            fresh.install(zxid, body, created)?;
            fresh.digests = DigestLog::fuzzy_up_to(fuzzy_up_to);
        }
        // One at a time: what is in the tree need not be held any longer.
        for proposal in loaded.txns {
            fresh.append(proposal);
            fresh.fast_forward();
        }
        fresh.drop_orphans();
        fresh.put_config();
        fresh.last_logged = fresh.last_logged.max(loaded.last_logged);
        fresh.durable = fresh.last_logged;
        let epoch = fresh.last_logged.epoch();
        fresh.accepted_epoch = loaded.accepted_epoch.unwrap_or(epoch);
        fresh.current_epoch = loaded.current_epoch.unwrap_or(epoch);
        fresh.initialised = loaded.initialised;
        *self = fresh;
        self.invariants();
        Ok(())
    }

    pub fn tree(&self) -> &DataTree {
        &self.tree
    }

    pub fn tree_mut(&mut self) -> &mut DataTree {
        &mut self.tree
    }

    /// Every live session of the ensemble and its timeout in milliseconds.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The tree's digest behind some of its last transactions, the oldest first.
    pub fn digests(&self) -> impl Iterator<Item = (Zxid, i64)> {
        self.digests.iter()
    }

    pub fn last_logged(&self) -> Zxid {
        self.last_logged
    }

    pub fn last_applied(&self) -> Zxid {
        self.tree.last_processed()
    }

    pub fn committed(&self) -> Zxid {
        self.committed
    }

    /// The log (or the snapshot below it) is durable up to here.
    pub fn durable(&self) -> Zxid {
        self.durable
    }

    pub fn set_durable(&mut self, zxid: Zxid) {
        self.durable = self.durable.max(zxid);
    }

    /// The log cannot be cut where the ensemble's history leaves it.
    pub fn require_snapshot(&mut self) {
        self.needs_snapshot = true;
    }

    /// Until a leader's snapshot has come; what it replaces still votes.
    pub fn needs_snapshot(&self) -> bool {
        self.needs_snapshot
    }

    /// The tree may hold a part of what was committed behind it, and lack another.
    pub fn is_unfinished(&self) -> bool {
        self.is_unfinished
    }

    pub fn accepted_epoch(&self) -> Epoch {
        self.accepted_epoch
    }

    pub fn current_epoch(&self) -> Epoch {
        self.current_epoch
    }

    /// The zxid of this server's vote: an uninitialised one may not vote (E-4).
    pub fn vote_zxid(&self) -> Zxid {
        if self.initialised { self.last_logged.max(self.pretended) } else { Zxid::UNINITIALISED }
    }

    /// A synced learner holds the ensemble's history: it may vote from now on.
    pub fn become_initialised(&mut self) {
        self.initialised = true;
    }

    /// An epoch file is durable: only now the promise stands (ZOOKEEPER-2307).
    pub fn set_epoch(&mut self, kind: EpochKind, epoch: Epoch) {
        let slot = match kind {
            EpochKind::Accepted => &mut self.accepted_epoch,
            EpochKind::Current => &mut self.current_epoch,
        };
        invariant!(*slot <= epoch, "S-13", "{kind:?} epoch {slot} would become {epoch}");
        *slot = epoch;
        // It is written behind the history of NEWLEADER, which follows the whole snapshot.
        if kind == EpochKind::Current {
            self.is_unfinished = false;
        }
    }

    pub fn committed_log(&self) -> impl Iterator<Item = &Rc<Proposal>> {
        self.committed_log.iter()
    }

    /// Whether the committed log holds all that is committed behind this zxid.
    pub fn remembers_behind(&self, zxid: Zxid) -> bool {
        self.committed_log_behind <= zxid
    }

    /// The transaction goes to the log.
    pub fn append(&mut self, proposal: Rc<Proposal>) {
        let (last, zxid) = (self.last_logged, proposal.zxid());
        invariant!(last.is_followed_by(zxid), "S-14", "{zxid} is appended behind {last}");
        self.last_logged = zxid;
        self.unapplied.push_back(proposal);
        self.invariants();
    }

    /// The oldest transaction that is appended and not committed.
    pub fn oldest_uncommitted(&self) -> Option<Zxid> {
        self.unapplied.get(self.unapplied_committed).map(|p| p.zxid())
    }

    /// The ensemble decided on everything up to here.
    pub fn commit_to(&mut self, zxid: Zxid) {
        while let Some(proposal) = self.unapplied.get(self.unapplied_committed)
            && proposal.zxid() <= zxid
        {
            self.unapplied_committed += 1;
            let (last, zxid) = (self.committed_log.back(), proposal.zxid());
            let follows = last.is_none_or(|last| last.zxid().is_followed_by(zxid));
            invariant!(follows || self.unkept, "DB-1", "{zxid} behind {last:?}");
            self.committed_log.push_back(proposal.clone());
        }
        self.committed = self.committed.max(zxid);
        self.trim_committed_log();
        self.invariants();
    }

    /// The committed log is not shortened behind this zxid: somebody reads the log up to there.
    pub fn keep_behind(&mut self, zxid: Option<Zxid>) {
        self.kept_behind = zxid;
    }

    /// Never beyond what the tree holds: behind a snapshot of it a learner gets the rest from here
    /// (DB-2).
    fn trim_committed_log(&mut self) {
        let applied = self.tree.last_processed();
        let spare = self.kept_behind.unwrap_or(applied).min(applied);
        while self.committed_log.len() > self.committed_log_max
            && self.committed_log.front().is_some_and(|oldest| oldest.zxid() <= spare)
        {
            let oldest = self.committed_log.pop_front();
            self.committed_log_behind = oldest.map_or(applied, |oldest| oldest.zxid());
        }
    }

    /// The oldest transaction that is committed and not applied.
    pub fn next_to_apply(&self) -> Option<Zxid> {
        self.unapplied.front().map(|p| p.zxid()).filter(|zxid| *zxid <= self.committed)
    }

    /// Applies the oldest committed transaction.
    pub fn apply_next(&mut self) -> Option<(Rc<Proposal>, Applied)> {
        self.next_to_apply()?;
        let proposal = self.unapplied.pop_front()?;
        self.unapplied_committed = self.unapplied_committed.saturating_sub(1);
        let applied = self.tree.apply(&proposal.header, &proposal.txn);
        self.sessions.apply(&proposal.header, &proposal.txn);
        self.digests.note(proposal.zxid(), &self.tree);
        self.trim_committed_log();
        self.invariants();
        Some((proposal, applied))
    }

    /// At `look`: the tree takes in the whole own log, committed or not, so that the vote, the log
    /// and the tree say the same (ZOOKEEPER-2845). A new leader may still cut it.
    pub fn fast_forward(&mut self) {
        self.commit_to(self.last_logged);
        while self.apply_next().is_some() {}
    }

    /// Ephemerals whose session did not survive have no owner left to close them.
    fn drop_orphans(&mut self) {
        let orphaned: Vec<SessionId> =
            self.tree.ephemeral_owners().filter(|s| !self.sessions.contains(*s)).collect();
        for session in orphaned {
            let zxid = self.tree.last_processed();
            self.tree.kill_session(session, zxid);
        }
    }

    /// What must hold between two calls.
    fn invariants(&self) {
        let (applied, committed, logged) = (self.last_applied(), self.committed, self.last_logged);
        let in_order = applied <= committed && committed <= logged;
        invariant!(in_order, "DB-3", "applied {applied}, committed {committed}, logged {logged}");
        let (first, last) = (self.unapplied.front(), self.unapplied.back());
        let held = match (first, last) {
            (Some(first), Some(last)) => first.zxid() > applied && last.zxid() == logged,
            _ => applied == logged,
        };
        invariant!(held, "DB-3", "{first:?}..{last:?} held, applied {applied}, logged {logged}");
        if self.unkept {
            return;
        }
        let (first, last) = (self.committed_log.front(), self.committed_log.back());
        let ends = last.is_none_or(|last| last.zxid() == committed);
        invariant!(ends, "DB-1", "committed {committed}, but the committed log ends with {last:?}");
        let next = self.next_to_apply();
        let known = next.is_none_or(|next| first.is_some_and(|first| first.zxid() <= next));
        invariant!(known, "DB-2", "{next:?} is to be applied, and {first:?} is the first known");
    }

    /// Covers tree and sessions: equal on two servers at the same zxid (S-16).
    pub fn state_digest(&self) -> u64 {
        self.tree.state_digest() ^ self.sessions.digest().rotate_left(17)
    }
}
