//! The ghost state: what only somebody who sees every server can know.       (bug_museum 2.2)
//!
//! Built from notes alone, one by one, at a cost that does not grow with the run. Checkers look
//! at it before and after each fact.
//!
//! - `committed`   the one committed history. A transaction enters it when a quorum holds it
//!   durably in its own epoch, when a leader is established on it, commits it, or when anybody
//!   delivers it, whichever comes first. What is there for the first reason alone lies beyond
//!   `firm`: its own leader may still cut it on one of those disks and propose it to it again.
//! - `leaders`     per epoch: who was established, on which history.
//! - `servers`     per server: its log (hash-chained), what of it is durable, its epoch files.
//!
//! A server's own part stands in `server.rs`; here is what several servers have in common.

mod server;

pub use server::{HalfSynced, ServerGhost};

use std::collections::BTreeMap;

use quorate::base::{Epoch, Note, ServerId, Stamp, SyncMode, Zxid};

use super::fact::{Event, Fact, told_state};
use super::log::{Chain, ChainLog, EMPTY};
use crate::scenario::Ensemble;

/// An established leadership.
#[derive(Clone, Debug)]
pub struct Leadership {
    pub leader: ServerId,
    pub history_end: Zxid,
    /// Of the leader's log up to `history_end`: the initial history I[e].
    pub chain: Chain,
    pub at: Stamp,
}

/// A transaction where it was first logged.
#[derive(Clone, Copy, Debug)]
struct Known {
    hash: u64,
    /// The one before it in that log, or the snapshot below it.
    before: Zxid,
    /// The history that ends in it.
    chain: Chain,
}

/// Everything the checkers know.
#[derive(Clone, Debug)]
pub struct Ghost {
    pub ensemble: Ensemble,
    pub servers: BTreeMap<ServerId, ServerGhost>,
    pub leaders: BTreeMap<Epoch, Leadership>,
    /// Who proposed which transaction, by its hash.
    pub proposed: BTreeMap<Zxid, (u64, ServerId)>,
    /// The history that ends in this transaction, as first logged by anybody.
    known: BTreeMap<Zxid, Known>,
    pub committed: ChainLog,
    /// The state after a history, as first told by anybody, and by whom.
    states: BTreeMap<(Zxid, Chain), (u64, ServerId)>,
    /// Up to where the last snapshot of a leader for a learner reaches.
    snapshots_sent: BTreeMap<(ServerId, ServerId), Zxid>,
    /// Up to here the committed history is known to somebody, and is there for good.
    pub firm: Zxid,
    /// Per epoch: how far each voter's log was durable while that was its only epoch.
    held: BTreeMap<Epoch, BTreeMap<ServerId, Zxid>>,
    /// What is known of the copies of disks that were put aside.
    images: BTreeMap<ServerId, ServerGhost>,
}

impl Ghost {
    /// `disks` are the logs that servers have before their first start: zxids and hashes.
    pub fn new(ensemble: &Ensemble, disks: &BTreeMap<ServerId, Vec<(Zxid, u64)>>) -> Ghost {
        let mut ghost = Ghost {
            ensemble: ensemble.clone(),
            servers: BTreeMap::new(),
            leaders: BTreeMap::new(),
            proposed: BTreeMap::new(),
            known: BTreeMap::new(),
            committed: ChainLog::default(),
            states: BTreeMap::new(),
            snapshots_sent: BTreeMap::new(),
            firm: Zxid::ZERO,
            held: BTreeMap::new(),
            images: BTreeMap::new(),
        };
        for server in ensemble.servers() {
            ghost.servers.insert(server, ServerGhost::default());
        }
        for (server, log) in disks {
            ghost.set_disk(*server, log);
        }
        let holder = ghost.servers.iter().find(|(_, s)| s.log.last() >= ensemble.committed);
        if let Some(holder) = holder.map(|(server, _)| *server) {
            ghost.commit_firmly(holder, ensemble.committed);
        }
        ghost
    }

    fn set_disk(&mut self, server: ServerId, log: &[(Zxid, u64)]) {
        let Some(ghost) = self.servers.get_mut(&server) else { return };
        for (zxid, hash) in log {
            let before = ghost.log.last();
            ghost.log.push(*zxid, *hash);
            let chain = ghost.log.chain();
            self.known.entry(*zxid).or_insert(Known { hash: *hash, before, chain });
            self.proposed.entry(*zxid).or_insert((*hash, server));
        }
        ghost.durable = ghost.log.last();
        if let Some(disk) = self.ensemble.disks.get(&server) {
            ghost.accepted = disk.accepted_epoch;
            ghost.current = disk.current_epoch;
            ghost.uninitialised = disk.uninitialised;
        }
    }

    pub fn server(&self, server: ServerId) -> &ServerGhost {
        self.servers.get(&server).expect("every fact is of a server of the ensemble")
    }

    /// The established leader of the highest epoch that still leads.
    pub fn leader(&self) -> Option<(Epoch, ServerId)> {
        self.servers
            .iter()
            .filter(|(_, s)| s.running)
            .filter_map(|(id, s)| s.established.map(|epoch| (epoch, *id)))
            .max()
    }

    /// The voters whose durable state holds this transaction.
    pub fn holders(&self, zxid: Zxid) -> Vec<ServerId> {
        let voters = self.ensemble.voters.iter();
        voters.filter(|id| self.server(**id).holds_durably(zxid)).copied().collect()
    }

    /// Takes in one fact. Checkers' `before` have seen it, their `after` will.
    pub fn advance(&mut self, fact: &Fact) {
        let Some(server) = self.servers.get_mut(&fact.server) else { return };
        match &fact.event {
            Event::Note(note) => {
                self.advance_note(fact.at, fact.server, note);
                self.advance_half_synced(fact.server, note);
                self.remember_state(fact.server, note);
            }
            Event::Started => server.running = true,
            Event::Died => server.die(),
            Event::Wiped => {
                let empty = ServerGhost::wiped(self.ensemble.autocreate);
                self.replace_disk(fact.server, &empty);
            }
            Event::DiskSaved => {
                let image = server.clone();
                self.images.insert(fact.server, image);
            }
            Event::DiskPut { from } => {
                let image = match from {
                    Some(from) => self.servers.get(from),
                    None => self.images.get(&fact.server),
                };
                if let Some(image) = image.cloned() {
                    self.replace_disk(fact.server, &image);
                }
            }
            Event::Paused => server.paused = true,
            Event::Resumed => server.paused = false,
            Event::HeardLate { .. } => {}
            Event::Rebuilt(_) => {}
        }
    }

    /// The server's disk is another one: what it held no longer counts.
    fn replace_disk(&mut self, id: ServerId, image: &ServerGhost) {
        self.servers.insert(id, image.disk_alone());
        for held in self.held.values_mut() {
            held.remove(&id);
        }
        self.give_up_what_is_not_held();
    }

    fn advance_note(&mut self, at: Stamp, id: ServerId, note: &Note) {
        let server = self.servers.get_mut(&id).expect("looked up by advance");
        match note {
            Note::Recovered { last_logged, last_applied, accepted, current, .. } => {
                let known = self.known.get(last_logged).and_then(|known| known.chain);
                server.recover(*last_logged, known);
                (server.applied, server.accepted, server.current) =
                    (*last_applied, *accepted, *current);
                self.count_durable(id);
            }
            Note::Role { role, .. } => server.take_role(*role),
            Note::Established { epoch, history_end, .. } => {
                server.established = Some(*epoch);
                server.applied = server.applied.max(*history_end);
                let chain = server.log.chain_upto(*history_end);
                let leadership = Leadership { leader: id, history_end: *history_end, chain, at };
                self.leaders.entry(*epoch).or_insert(leadership);
                self.commit_firmly(id, *history_end);
            }
            Note::Serving { epoch, zxid } => {
                server.serving = Some(*epoch);
                server.uninitialised = false;
                server.applied = server.applied.max(*zxid);
                self.commit_firmly(id, *zxid);
            }
            Note::Committed { zxid, .. } => self.commit_firmly(id, *zxid),
            Note::Proposed { zxid, hash } => {
                self.proposed.entry(*zxid).or_insert((*hash, id));
            }
            Note::Appended { zxid, hash } => {
                let before = server.log.last();
                server.log.push(*zxid, *hash);
                let chain = server.log.chain();
                self.known.entry(*zxid).or_insert(Known { hash: *hash, before, chain });
            }
            Note::Durable { zxid } => {
                server.durable = server.durable.max(*zxid).min(server.log.last());
                self.count_durable(id);
            }
            Note::Truncated { to } => self.truncate(id, *to),
            Note::SnapshotInstalled { zxid, .. } => server.install(*zxid),
            Note::SnapshotDurable { zxid } => self.snapshot(id, *zxid),
            Note::Applied { zxid, .. } => {
                server.applied = *zxid;
                // Before it serves, a learner fills its tree with a history that is committed
                // only when its leader is established.
                if server.delivers() {
                    self.commit_firmly(id, *zxid);
                }
            }
            Note::FastForwarded { to, .. } => server.applied = *to,
            Note::AcceptedEpochDurable { epoch } => server.accepted = *epoch,
            Note::CurrentEpochDurable { epoch } => {
                server.current = *epoch;
                self.count_durable(id);
            }
            Note::SyncChosen { learner, mode, to, .. } => {
                if let Some(learner) = self.servers.get_mut(learner) {
                    learner.synced_by = Some(*mode);
                    learner.cutting_to = (*mode == SyncMode::Trunc).then_some(*to);
                }
            }
            _ => {}
        }
    }

    fn advance_half_synced(&mut self, id: ServerId, note: &Note) {
        if let Note::SnapshotSent { learner, upto } = note {
            self.snapshots_sent.insert((id, *learner), *upto);
        }
        let server = self.servers.get_mut(&id).expect("looked up by advance");
        let sent = self.snapshots_sent.get(&(server.follows, id)).copied();
        server.advance_half_synced(note, sent);
    }

    /// The history behind which a server has come to this zxid; `None` if nobody saw it.
    fn history_at(&self, id: ServerId, zxid: Zxid) -> Chain {
        let server = self.server(id);
        let own = match server.installed {
            Some(_) => None,
            None => server.log.chain_upto(zxid),
        };
        own.or_else(|| self.known_chain(zxid))
    }

    fn remember_state(&mut self, id: ServerId, note: &Note) {
        let Some((zxid, digest)) = told_state(note) else { return };
        let history = self.history_at(id, zxid);
        if history.is_some() && self.server(id).is_exact_at(zxid) {
            self.states.entry((zxid, history)).or_insert((digest, id));
        }
    }

    /// The state that belongs to this server's history up to this zxid, and who told of it first;
    /// `None` if nobody did, or if this server need not have it.
    pub fn state_at(&self, id: ServerId, zxid: Zxid) -> Option<(u64, ServerId)> {
        let history = self.history_at(id, zxid);
        if history.is_none() || !self.server(id).is_exact_at(zxid) {
            return None;
        }
        self.states.get(&(zxid, history)).copied()
    }

    fn truncate(&mut self, id: ServerId, to: Zxid) {
        let server = self.servers.get_mut(&id).expect("looked up by advance");
        server.truncate(to);
        for held in self.held.values_mut() {
            if let Some(upto) = held.get_mut(&id) {
                *upto = (*upto).min(to);
            }
        }
        self.give_up_what_is_not_held();
    }

    /// Beyond `firm` only what a quorum still holds is committed.
    fn give_up_what_is_not_held(&mut self) {
        while self.committed.last() > self.firm {
            let last = self.committed.last();
            let held = self.held.get(&last.epoch());
            let holds = |id| held.and_then(|held| held.get(&id)).is_some_and(|upto| *upto >= last);
            if self.ensemble.is_quorum_of(holds) {
                return;
            }
            self.committed.pop();
        }
    }

    fn snapshot(&mut self, id: ServerId, zxid: Zxid) {
        let chain = match self.committed.chain_upto(zxid) {
            chain if self.committed.last() >= zxid => chain,
            _ => self.known_chain(zxid),
        };
        let server = self.servers.get_mut(&id).expect("looked up by advance");
        server.save(zxid, chain);
        self.count_durable(id);
    }

    /// Notes how far this voter holds its epoch's history, and commits what a quorum holds so.
    ///
    /// Only while accepted and current epoch agree: a server that has promised itself to a later
    /// leader may take nothing more from an earlier one.
    fn count_durable(&mut self, id: ServerId) {
        let server = self.server(id);
        let (epoch, upto) = (server.current, server.durable);
        if !self.ensemble.voters.contains(&id) || server.accepted != epoch || upto.epoch() != epoch
        {
            return;
        }
        self.held.entry(epoch).or_default().insert(id, upto);
        let held = &self.held[&epoch];
        let mut ends: Vec<Zxid> = held.values().copied().filter(|end| *end <= upto).collect();
        ends.sort_unstable();
        let quorum_holds = |end: &Zxid| {
            self.ensemble.is_quorum_of(|id| held.get(&id).is_some_and(|upto| upto >= end))
        };
        if let Some(end) = ends.into_iter().rev().find(quorum_holds) {
            self.commit_upto(id, end);
        }
    }

    fn commit_firmly(&mut self, id: ServerId, zxid: Zxid) {
        self.commit_upto(id, zxid);
        self.firm = self.firm.max(zxid.min(self.committed.last()));
    }

    /// The committed history now contains this server's log up to `zxid`.
    fn commit_upto(&mut self, id: ServerId, zxid: Zxid) {
        let log = &self.server(id).log;
        let last = self.committed.last();
        if zxid <= last {
            return;
        }
        let Some(mut new) = self.committed_below(log) else { return };
        let entries = &log.entries()[log.count_upto(last)..log.count_upto(zxid)];
        new.extend(entries.iter().map(|entry| (entry.zxid, entry.hash)));
        for (zxid, hash) in new {
            self.committed.push(zxid, hash);
        }
    }

    /// What lies between the committed history and the snapshot below this log, which nobody need
    /// have in his log any more. `None` if the log does not continue the committed history.
    fn committed_below(&self, log: &ChainLog) -> Option<Vec<(Zxid, u64)>> {
        let last = self.committed.last();
        let mut below = Vec::new();
        let mut at = log.base();
        if at <= last {
            return (log.chain_upto(last) == self.committed.chain()).then_some(below);
        }
        if self.known_chain(at) != log.chain_upto(at) {
            return None;
        }
        while at > last {
            let known = self.known.get(&at)?;
            below.push((at, known.hash));
            at = known.before;
        }
        below.reverse();
        let before = if at == Zxid::ZERO { EMPTY } else { self.known_chain(at) };
        (at == last && before == self.committed.chain()).then_some(below)
    }

    /// The history that ends in this transaction, as first logged by anybody.
    pub fn known_chain(&self, zxid: Zxid) -> Chain {
        self.known.get(&zxid).and_then(|known| known.chain)
    }
}
