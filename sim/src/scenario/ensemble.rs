//! `[ensemble]`: who there is in a scenario, and what their disks hold.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use quorate::base::{Dialect, Epoch, ServerId, Zxid};
use quorate::config::SyncLimits;
use toml::Spanned;

use super::error::FileError;
use super::frame;
use super::reader::{Reader, Text};
use crate::grammar::lexer::zxid;
use crate::grammar::unknown_word;

/// Who there is, and how they are set up.
#[derive(Clone, Debug)]
pub struct Ensemble {
    pub voters: BTreeSet<ServerId>,
    pub observers: BTreeSet<ServerId>,
    /// Empty means: one server, one vote.
    pub weights: BTreeMap<ServerId, i64>,
    pub tick_time: Duration,
    pub init_limit: u32,
    pub sync_limit: u32,
    pub finalize_wait: Duration,
    pub notification_interval_min: Duration,
    pub notification_interval_max: Duration,
    pub epoch_wait_max: Option<Duration>,
    pub snap_count: u32,
    /// How much of a history moves at once.
    pub sync: SyncLimits,
    /// `db.autocreate`: whether an empty directory may vote without an `initialize` file.
    pub autocreate: bool,
    /// `readonlymode.enabled`: servers without a leader serve reads.
    pub read_only_mode: bool,
    /// In its own file each server's own line has 0.0.0.0 where the other files have its name.
    pub own_line_open: bool,
    /// Servers that speak as Apache's do.
    pub dialect: BTreeMap<ServerId, Dialect>,
    pub disks: BTreeMap<ServerId, DiskContent>,
    /// Up to here the contents of the disks had been committed.
    pub committed: Zxid,
}

impl Ensemble {
    pub fn servers(&self) -> BTreeSet<ServerId> {
        self.voters.union(&self.observers).copied().collect()
    }

    pub fn weight(&self, server: ServerId) -> i64 {
        if !self.voters.contains(&server) {
            return 0;
        }
        if self.weights.is_empty() { 1 } else { *self.weights.get(&server).unwrap_or(&1) }
    }

    /// Whether these servers are a quorum of the voters. One that is named twice counts once.
    pub fn is_quorum<'a>(&self, servers: impl IntoIterator<Item = &'a ServerId>) -> bool {
        let servers: Vec<ServerId> = servers.into_iter().copied().collect();
        self.is_quorum_of(|voter| servers.contains(&voter))
    }

    /// Whether the voters of whom this holds are a quorum.
    pub fn is_quorum_of(&self, holds: impl Fn(ServerId) -> bool) -> bool {
        let (mut have, mut total) = (0, 0);
        for voter in &self.voters {
            let weight = self.weight(*voter);
            total += weight;
            have += if holds(*voter) { weight } else { 0 };
        }
        have * 2 > total
    }

    pub fn init_timeout(&self) -> Duration {
        self.tick_time * self.init_limit
    }

    pub fn sync_timeout(&self) -> Duration {
        self.tick_time * self.sync_limit
    }
}

/// What a server's disk holds before its first start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskContent {
    pub current_epoch: Epoch,
    pub accepted_epoch: Epoch,
    /// The log, one small create each.
    pub log: Vec<Zxid>,
    /// In place of those: sessions, and behind each so many ephemerals that it owns.
    pub sessions: Option<DiskSessions>,
    /// Nothing at all, and no consent to vote.
    pub uninitialised: bool,
}

/// Sessions whose clients have gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskSessions {
    pub timeout: Duration,
    pub ephemerals: usize,
}

impl DiskContent {
    pub fn is_empty(&self) -> bool {
        *self == DiskContent::default() || self.uninitialised
    }

    pub fn last(&self) -> Zxid {
        self.log.last().copied().unwrap_or(Zxid::ZERO)
    }
}

impl Reader<'_> {
    pub(super) fn ensemble(&self, frame: &frame::Ensemble) -> Result<Ensemble, FileError> {
        let Some(listed) = &frame.voters else { return Err(self.missing("ensemble", "voters")) };
        let voters: BTreeSet<ServerId> = listed.get_ref().iter().copied().map(ServerId).collect();
        let observers: BTreeSet<ServerId> = frame.observers.iter().copied().map(ServerId).collect();
        if voters.is_empty() || voters.len() != listed.get_ref().len() {
            return Err(self.at(&listed.span(), "expected one or more different servers"));
        }
        if voters.intersection(&observers).next().is_some() {
            return Err(self.at(&listed.span(), "a voter cannot be an observer too"));
        }
        let all: BTreeSet<ServerId> = voters.union(&observers).copied().collect();
        let mut weights = BTreeMap::new();
        for (name, weight) in &frame.weights {
            weights.insert(self.member(name, &voters)?, *weight);
        }
        let mut disks = BTreeMap::new();
        for (name, disk) in &frame.disk {
            disks.insert(self.member(name, &all)?, self.disk(disk)?);
        }
        let mut dialect = BTreeMap::new();
        for (name, text) in &frame.dialect {
            let expected =
                || self.wrong(text, 0, unknown_word("dialect", text.get_ref(), &Dialect::NAMES));
            let known = Dialect::named(text.get_ref()).ok_or_else(expected)?;
            dialect.insert(self.member(name, &all)?, known);
        }
        let ms = Duration::from_millis;
        let mut ensemble = Ensemble {
            voters,
            observers,
            weights,
            tick_time: self.optional(frame.tick_time.as_ref())?.unwrap_or(ms(1000)),
            init_limit: frame.init_limit.unwrap_or(10),
            sync_limit: frame.sync_limit.unwrap_or(5),
            finalize_wait: self.optional(frame.finalize_wait.as_ref())?.unwrap_or(ms(200)),
            notification_interval_min: self
                .optional(frame.min_notification_interval.as_ref())?
                .unwrap_or(ms(200)),
            notification_interval_max: self
                .optional(frame.max_notification_interval.as_ref())?
                .unwrap_or(ms(60_000)),
            epoch_wait_max: self.optional(frame.max_time_to_wait_for_epoch.as_ref())?,
            snap_count: frame.snap_count.unwrap_or(100_000),
            sync: self.sync_limits(frame)?,
            autocreate: frame.autocreate.unwrap_or(true),
            read_only_mode: frame.read_only_mode.unwrap_or(false),
            own_line_open: frame.own_line_open.unwrap_or(false),
            dialect,
            disks,
            committed: Zxid::ZERO,
        };
        ensemble.committed = match &frame.committed {
            Some(text) => self.zxid(text)?,
            None => held_by_a_quorum(&ensemble),
        };
        Ok(ensemble)
    }

    fn sync_limits(&self, frame: &frame::Ensemble) -> Result<SyncLimits, FileError> {
        let known = SyncLimits::default();
        let size = |text: Option<&Text>, known: usize| {
            self.bytes(text).map(|bytes| bytes.map_or(known, |bytes| bytes as usize))
        };
        Ok(SyncLimits {
            committed_log_count: frame.commit_log_count.unwrap_or(known.committed_log_count),
            snapshot_size_factor: frame.snapshot_size_factor.unwrap_or(known.snapshot_size_factor),
            slice_nodes: frame.snapshot_slice.unwrap_or(known.slice_nodes).max(1),
            slice_bytes: size(frame.slice_bytes.as_ref(), known.slice_bytes)?,
            progress_bytes: size(frame.progress_bytes.as_ref(), known.progress_bytes)?,
            link_bytes_max: size(frame.link_limit.as_ref(), known.link_bytes_max)?,
        })
    }

    fn member(
        &self,
        name: &Spanned<String>,
        servers: &BTreeSet<ServerId>,
    ) -> Result<ServerId, FileError> {
        let id = name.get_ref().parse::<i64>().ok().map(ServerId);
        match id {
            Some(id) if servers.contains(&id) => Ok(id),
            _ => {
                let known: Vec<String> = servers.iter().map(ToString::to_string).collect();
                let message =
                    format!("expected a server ({}), found `{}`", known.join(" "), name.get_ref());
                Err(self.at(&name.span(), message))
            }
        }
    }

    fn disk(&self, frame: &frame::Disk) -> Result<DiskContent, FileError> {
        let mut log = Vec::new();
        if let Some(last) = &frame.last {
            if frame.log.is_some() {
                return Err(self.wrong(last, 0, "`last` and `log` exclude each other"));
            }
            let last_zxid = self.zxid(last)?;
            log.extend((1..=last_zxid.counter()).map(|c| Zxid::new(last_zxid.epoch(), c)));
        }
        for part in frame.log.iter().flatten() {
            let range = part.get_ref().split_once("..").unwrap_or((part.get_ref(), part.get_ref()));
            let (Some(from), Some(to)) = (zxid(range.0), zxid(range.1)) else {
                let expected = "expected a zxid or a range such as `0x100000001..0x100000009`";
                return Err(self.wrong(part, 0, expected));
            };
            let rises = log.last().is_none_or(|last| *last < from);
            if from.epoch() != to.epoch() || from > to || !rises {
                return Err(self.wrong(part, 0, "expected rising zxids of one epoch in a range"));
            }
            log.extend((from.0..=to.0).map(Zxid));
        }
        let last = log.last().copied().unwrap_or(Zxid::ZERO);
        let current = frame.current_epoch.unwrap_or(last.epoch().0);
        Ok(DiskContent {
            current_epoch: Epoch(current),
            accepted_epoch: Epoch(frame.accepted_epoch.unwrap_or(current)),
            log,
            sessions: self
                .optional(frame.session_timeout.as_ref())?
                .map(|timeout| DiskSessions { timeout, ephemerals: frame.ephemerals }),
            uninitialised: frame.uninitialised,
        })
    }
}

/// What a quorum of disks holds alike was committed, unless the file says otherwise.
fn held_by_a_quorum(ensemble: &Ensemble) -> Zxid {
    let logs: Vec<(&ServerId, &Vec<Zxid>)> =
        ensemble.disks.iter().map(|(server, disk)| (server, &disk.log)).collect();
    let mut committed = Zxid::ZERO;
    for (_, log) in &logs {
        for (n, zxid) in log.iter().enumerate() {
            let holders: Vec<ServerId> = logs
                .iter()
                .filter(|(_, other)| other.len() > n && other[..=n] == log[..=n])
                .map(|(server, _)| **server)
                .collect();
            if ensemble.is_quorum(&holders) {
                committed = committed.max(*zxid);
            }
        }
    }
    committed
}
