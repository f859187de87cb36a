//! What is known of one server: its log, what of it is durable, its epoch files, its role.
//!
//! A crash loses what was not durable; `Recovered` says what was left.

use quorate::base::{AckKind, Epoch, Note, RoleName, ServerId, SyncMode, Zxid};

use crate::checkers::log::{Chain, ChainLog, EMPTY};

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
    pub(super) follows: ServerId,
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

    pub(super) fn take_role(&mut self, role: RoleName) {
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
    pub(super) fn is_exact_at(&self, zxid: Zxid) -> bool {
        let halves = [self.half_synced, self.half_synced_disk];
        halves.iter().flatten().all(|half| zxid < half.from || zxid >= half.upto)
    }

    /// Neither dead nor stopped by the scenario.
    pub fn is_up(&self) -> bool {
        self.running && !self.paused
    }
    /// With an empty disk. `autocreate`: whether that may vote.
    pub(super) fn wiped(autocreate: bool) -> ServerGhost {
        ServerGhost { uninitialised: !autocreate, ..ServerGhost::default() }
    }

    /// The server's process is gone.
    pub(super) fn die(&mut self) {
        self.running = false;
        self.paused = false;
        self.role = RoleName::Looking;
        self.established = None;
        self.serving = None;
        self.installed = None;
    }

    /// What a disk tells of itself, and nothing of a process.
    pub(super) fn disk_alone(&self) -> ServerGhost {
        ServerGhost {
            log: self.log.clone(),
            durable: self.durable,
            snapshot: self.snapshot,
            accepted: self.accepted,
            current: self.current,
            uninitialised: self.uninitialised,
            ..ServerGhost::default()
        }
    }

    /// A process has read its disk: what was not durable may be gone. `known`: the history that ends
    /// in `last_logged`.
    pub(super) fn recover(&mut self, last_logged: Zxid, known: Chain) {
        // Everything a process finds on its disk is durable from then on.
        if last_logged > self.log.last() {
            self.log = ChainLog::from_base(last_logged, known);
        } else if last_logged >= self.log.base() {
            self.log.truncate(last_logged);
        } else {
            let base = last_logged.max(Zxid::ZERO);
            self.log = ChainLog::from_base(base, if base == Zxid::ZERO { EMPTY } else { known });
        }
        self.durable = self.log.last();
        self.snapshot = self.snapshot.min(self.durable);
        self.uninitialised &= last_logged <= Zxid::ZERO;
        self.installed = None;
        self.saving = None;
        self.cutting_to = None;
    }

    pub(super) fn truncate(&mut self, to: Zxid) {
        self.log.truncate(to);
        self.durable = self.durable.min(self.log.last()).min(to);
        // Snapshots of what is cut go too: one up to there is left, or the log from an older one.
        self.snapshot = self.snapshot.min(to);
        self.applied = self.applied.min(to);
        self.truncated_to.push(to);
        self.cutting_to = None;
    }

    /// A leader's snapshot is in memory.
    pub(super) fn install(&mut self, zxid: Zxid) {
        self.applied = zxid;
        self.installed = Some(zxid);
        self.saving = Some(zxid);
        self.entries_before_install = self.log.len();
    }

    /// A snapshot is durable. `chain`: the history that it covers.
    pub(super) fn save(&mut self, zxid: Zxid, chain: Chain) {
        self.snapshot = self.snapshot.max(zxid);
        let installed = self.installed.take().is_some();
        self.saving = None;
        if installed || zxid > self.log.last() {
            let kept = if installed { self.entries_before_install } else { self.log.len() };
            let later: Vec<_> = self.log.entries()[kept.min(self.log.len())..].to_vec();
            self.log = ChainLog::from_base(zxid, chain);
            for entry in later.iter().filter(|entry| entry.zxid > zxid) {
                self.log.push(entry.zxid, entry.hash);
            }
            self.durable = self.durable.min(self.log.last()).max(zxid);
            self.snapshot = zxid;
        }
    }

    /// `sent`: up to where the last snapshot of its leader for it reaches.
    pub(super) fn advance_half_synced(&mut self, note: &Note, sent: Option<Zxid>) {
        match note {
            Note::Elected { leader, .. } => self.follows = *leader,
            Note::SnapshotInstalled { zxid, .. } => {
                let half = HalfSynced { from: *zxid, upto: sent.unwrap_or(*zxid) };
                self.half_synced_disk = self.half_synced.or(self.half_synced_disk);
                self.half_synced = Some(half).filter(|half| half.upto > half.from);
            }
            Note::SnapshotDurable { .. } => self.half_synced_disk = None,
            Note::AckSent { kind: AckKind::NewLeader, .. } => {
                (self.half_synced, self.half_synced_disk) = (None, None);
            }
            Note::Recovered { .. } if self.half_synced_disk.is_some() => {
                let at = self.applied;
                let holds = |half: &HalfSynced| half.from <= at && at < half.upto;
                let old = self.half_synced_disk.take().filter(holds);
                self.half_synced = old.or(self.half_synced);
            }
            Note::Recovered { .. } | Note::Applied { .. } | Note::FastForwarded { .. }
                if self.is_exact_at(self.applied) =>
            {
                self.half_synced = None;
            }
            _ => {}
        }
    }
}
