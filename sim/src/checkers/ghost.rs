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
//! Over 500 lines: one state, and what each kind of note does to it.
//!
//! A crash loses what was not durable; `Recovered` says what was left.

use std::collections::BTreeMap;

use quorate::base::{AckKind, Epoch, Mono, Note, RoleName, ServerId, Stamp, SyncMode, Zxid};

use super::log::{Chain, ChainLog, EMPTY};
use crate::scenario::Ensemble;

/// One thing that happened, in the order of the world's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    pub at: Stamp,
    /// The server's own monotonic clock then.
    pub mono: Mono,
    pub server: ServerId,
    pub event: Event,
}

/// What happened: a server's own words, or what the laboratory did to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Note(Note),
    Started,
    /// The process is gone, by a kill, a power loss or its own halt.
    Died,
    Wiped,
    /// A copy of its disk was put aside.
    DiskSaved,
    /// Its disk is the copy put aside, or a copy of another server's.
    DiskPut {
        from: Option<ServerId>,
    },
    Paused,
    Resumed,
    /// A frame of another server came that a cut had swallowed, or a delay kept, for long.
    HeardLate {
        from: ServerId,
    },
    /// The laboratory has recovered a copy of this server's disk, as a start would now.
    Rebuilt(Rebuilt),
}

/// The state that a copy of a disk comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Of what was durable alone: after a power loss. Otherwise of all that was written.
    pub durable: bool,
    pub last_applied: Zxid,
    pub digest: u64,
    /// Of the tree alone, after one replay of the log, and after another one on top of it.
    pub replayed: (u64, u64),
}

/// An established leadership.
#[derive(Clone, Debug)]
pub struct Leadership {
    pub leader: ServerId,
    pub history_end: Zxid,
    /// Of the leader's log up to `history_end`: the initial history I[e].
    pub chain: Chain,
    pub at: Stamp,
}

/// The zxids of a leader's snapshot, and of the last transaction whose effects it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfSynced {
    pub from: Zxid,
    pub upto: Zxid,
}

/// What is known of one server.
#[derive(Clone, Debug)]
pub struct ServerGhost {
    pub running: bool,
    pub paused: bool,
    pub role: RoleName,
    /// The epoch this server leads as an established leader.
    pub established: Option<Epoch>,
    /// The epoch in which this learner serves.
    pub serving: Option<Epoch>,
    pub log: ChainLog,
    /// Everything in the log up to here is durable.
    pub durable: Zxid,
    /// A durable snapshot covers everything up to here.
    pub snapshot: Zxid,
    /// A leader's snapshot is in memory and not yet durable.
    pub installed: Option<Zxid>,
    /// A leader's snapshot may hold effects beyond its own zxid: from there until what follows it
    /// is in the tree, this server's state is one that never existed. It ends with the ack of
    /// NEWLEADER at the latest: who has acked may be elected, and serve.
    pub half_synced: Option<HalfSynced>,
    /// The same of an older snapshot that the disk holds until the newer one is durable.
    half_synced_disk: Option<HalfSynced>,
    /// Its present leader has told it to cut its log there, and it has not said that it is done.
    pub cutting_to: Option<Zxid>,
    /// What the tree holds.
    pub applied: Zxid,
    /// The epoch files, as far as they are known to be durable.
    pub accepted: Epoch,
    pub current: Epoch,
    /// No consent to vote: nothing on disk, zxid -1.
    pub uninitialised: bool,
    pub truncated_to: Vec<Zxid>,
    pub synced_by: Option<SyncMode>,
    /// A leader's snapshot that was on its way to the disk, whatever became of the role or the
    /// process since: the next recovery may find it.
    pub saving: Option<Zxid>,
    /// Whom the last election made its leader.
    follows: ServerId,
    /// Entries of the log that were there before `installed`.
    entries_before_install: usize,
}

impl Default for ServerGhost {
    fn default() -> ServerGhost {
        ServerGhost {
            running: false,
            paused: false,
            role: RoleName::Looking,
            established: None,
            serving: None,
            log: ChainLog::default(),
            durable: Zxid::ZERO,
            snapshot: Zxid::ZERO,
            installed: None,
            half_synced: None,
            half_synced_disk: None,
            follows: ServerId::NOBODY,
            cutting_to: None,
            applied: Zxid::ZERO,
            accepted: Epoch(0),
            current: Epoch(0),
            uninitialised: false,
            truncated_to: Vec::new(),
            synced_by: None,
            saving: None,
            entries_before_install: 0,
        }
    }
}

impl ServerGhost {
    /// What this server would still know after a power loss.
    pub fn durable_upto(&self) -> Zxid {
        self.durable.max(self.snapshot)
    }

    /// Whether the durable part of log and snapshot holds the transaction.
    pub fn holds_durably(&self, zxid: Zxid) -> bool {
        zxid <= self.durable_upto() && self.log.covers(zxid)
    }

    fn take_role(&mut self, role: RoleName) {
        if self.role != role || role == RoleName::Looking {
            self.established = None;
            self.serving = None;
        }
        if role != RoleName::Looking {
            self.cutting_to = None;
        }
        self.role = role;
    }

    /// Whether what this server applies is delivered: clients may see it.
    pub fn delivers(&self) -> bool {
        self.established.is_some() || self.serving.is_some()
    }

    /// Whether a state at this zxid must be that of everybody else there.
    fn is_exact_at(&self, zxid: Zxid) -> bool {
        let halves = [self.half_synced, self.half_synced_disk];
        halves.iter().flatten().all(|half| zxid < half.from || zxid >= half.upto)
    }

    /// Neither dead nor stopped by the scenario.
    pub fn is_up(&self) -> bool {
        self.running && !self.paused
    }
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

/// The state that a server says to have, and at which zxid.
pub fn told_state(note: &Note) -> Option<(Zxid, u64)> {
    match note {
        Note::Applied { zxid, state_digest, .. } => Some((*zxid, *state_digest)),
        Note::FastForwarded { to, state_digest } => Some((*to, *state_digest)),
        Note::SnapshotInstalled { zxid, tree_digest } => Some((*zxid, *tree_digest)),
        Note::Recovered { last_applied, tree_digest, .. } => Some((*last_applied, *tree_digest)),
        _ => None,
    }
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
            Event::Died => {
                server.running = false;
                server.paused = false;
                server.role = RoleName::Looking;
                server.established = None;
                server.serving = None;
                server.installed = None;
            }
            Event::Wiped => {
                let uninitialised = !self.ensemble.autocreate;
                let empty = ServerGhost { uninitialised, ..ServerGhost::default() };
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
        let server = ServerGhost {
            log: image.log.clone(),
            durable: image.durable,
            snapshot: image.snapshot,
            accepted: image.accepted,
            current: image.current,
            uninitialised: image.uninitialised,
            ..ServerGhost::default()
        };
        self.servers.insert(id, server);
        for held in self.held.values_mut() {
            held.remove(&id);
        }
        self.give_up_what_is_not_held();
    }

    fn advance_note(&mut self, at: Stamp, id: ServerId, note: &Note) {
        let server = self.servers.get_mut(&id).expect("looked up by advance");
        match note {
            Note::Recovered { last_logged, last_applied, accepted, current, .. } => {
                self.recover(id, *last_logged);
                let server = self.servers.get_mut(&id).expect("looked up by advance");
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
            Note::SnapshotInstalled { zxid, .. } => {
                server.applied = *zxid;
                server.installed = Some(*zxid);
                server.saving = Some(*zxid);
                server.entries_before_install = server.log.len();
            }
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
        match note {
            Note::Elected { leader, .. } => server.follows = *leader,
            Note::SnapshotInstalled { zxid, .. } => {
                let upto = self.snapshots_sent.get(&(server.follows, id)).copied();
                let half = HalfSynced { from: *zxid, upto: upto.unwrap_or(*zxid) };
                server.half_synced_disk = server.half_synced.or(server.half_synced_disk);
                server.half_synced = Some(half).filter(|half| half.upto > half.from);
            }
            Note::SnapshotDurable { .. } => server.half_synced_disk = None,
            Note::AckSent { kind: AckKind::NewLeader, .. } => {
                (server.half_synced, server.half_synced_disk) = (None, None);
            }
            Note::Recovered { .. } if server.half_synced_disk.is_some() => {
                let at = server.applied;
                let holds = |half: &HalfSynced| half.from <= at && at < half.upto;
                let old = server.half_synced_disk.take().filter(holds);
                server.half_synced = old.or(server.half_synced);
            }
            Note::Recovered { .. } | Note::Applied { .. } | Note::FastForwarded { .. }
                if server.is_exact_at(server.applied) =>
            {
                server.half_synced = None;
            }
            _ => {}
        }
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

    /// A process has read its disk: what was not durable may be gone.
    fn recover(&mut self, id: ServerId, last_logged: Zxid) {
        let known = self.known_chain(last_logged);
        let server = self.servers.get_mut(&id).expect("looked up by advance");
        // Everything a process finds on its disk is durable from then on.
        if last_logged > server.log.last() {
            server.log = ChainLog::from_base(last_logged, known);
        } else if last_logged >= server.log.base() {
            server.log.truncate(last_logged);
        } else {
            let base = last_logged.max(Zxid::ZERO);
            server.log = ChainLog::from_base(base, if base == Zxid::ZERO { EMPTY } else { known });
        }
        server.durable = server.log.last();
        server.snapshot = server.snapshot.min(server.durable);
        server.uninitialised &= last_logged <= Zxid::ZERO;
        server.installed = None;
        server.saving = None;
        server.cutting_to = None;
    }

    fn truncate(&mut self, id: ServerId, to: Zxid) {
        let server = self.servers.get_mut(&id).expect("looked up by advance");
        server.log.truncate(to);
        server.durable = server.durable.min(server.log.last());
        server.applied = server.applied.min(to);
        server.truncated_to.push(to);
        server.cutting_to = None;
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
        server.snapshot = server.snapshot.max(zxid);
        let installed = server.installed.take().is_some();
        server.saving = None;
        if installed || zxid > server.log.last() {
            let kept = if installed { server.entries_before_install } else { server.log.len() };
            let later: Vec<_> = server.log.entries()[kept.min(server.log.len())..].to_vec();
            server.log = ChainLog::from_base(zxid, chain);
            for entry in later.iter().filter(|entry| entry.zxid > zxid) {
                server.log.push(entry.zxid, entry.hash);
            }
            server.durable = server.durable.min(server.log.last()).max(zxid);
            server.snapshot = zxid;
        }
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
