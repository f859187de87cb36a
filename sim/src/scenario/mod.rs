//! Scenario files: what a run is, written so that somebody who writes no Rust can read it.
//!
//! `frame.rs` is the TOML, `timeline.rs` the lines of its timeline, `compile.rs` turns both into a
//! [`Scenario`], `order.rs` knows what a line needs above it, `cases.rs` spreads one file over its
//! cases (start orders, both sides of a boundary), `chaos.rs` draws faults from a seed as further
//! lines, `swarm.rs` who there is and what the limits are. Everything that is wrong with a file is a
//! [`FileError`] with line and column.
//!
//! Not here: doing it (`run`), judging it (`checkers`). The grammar: `scenarios/README.md`.

pub mod action;
mod cases;
pub mod chaos;
mod compile;
pub mod draft;
mod ensemble;
pub mod error;
mod frame;
pub mod mix;
mod order;
pub mod swarm;
mod timeline;

pub use action::{Action, ClientAct, ClientState, Expectation, Line};
pub use cases::Case;
pub use error::{FileError, Source};

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate::base::{Epoch, Exhibit, ServerId, Zxid};

/// A scenario file, understood.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub file: PathBuf,
    /// All of the file.
    pub text: String,
    pub about: String,
    pub source: String,
    pub ensemble: Ensemble,
    /// Least and most time a frame travels.
    pub latency: (Duration, Duration),
    /// Least and most time an fsync takes.
    pub fsync: (Duration, Duration),
    pub workload: Option<Workload>,
    pub chaos: Option<chaos::Chaos>,
    /// What a seed has drawn, if the file has [swarm]: everything else here is that already.
    pub drawn: Option<swarm::Drawn>,
    pub museum: Vec<Exhibit>,
    /// Properties of which one must fail: the file shows a bug, and that it is caught.
    pub violates: Vec<String>,
    /// The seed this scenario is about; any, if it says none.
    pub seed: Option<u64>,
    /// Properties held in a stronger form than ZooKeeper promises: C-3.
    pub strict: Vec<String>,
    /// False where the ensemble cannot be available: the file says so, and the liveness
    /// deadlines do not run.
    pub liveness: bool,
    /// What the file tells, all its cases: the runner takes them one by one.
    pub cases: Vec<Case>,
}

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
    pub committed_log_count: usize,
    /// Znodes in one slice of a snapshot: transactions are applied between two slices.
    pub snapshot_slice: usize,
    /// `db.autocreate`: whether an empty directory may vote without an `initialize` file.
    pub autocreate: bool,
    /// `readonlymode.enabled`: servers without a leader serve reads.
    pub read_only_mode: bool,
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
    /// Nothing at all, and no consent to vote.
    pub uninitialised: bool,
}

impl DiskContent {
    pub fn is_empty(&self) -> bool {
        *self == DiskContent::default() || self.uninitialised
    }

    pub fn last(&self) -> Zxid {
        self.log.last().copied().unwrap_or(Zxid::ZERO)
    }
}

/// Clients that work by themselves.
#[derive(Clone, Debug)]
pub struct Workload {
    pub clients: usize,
    pub ops_per_second: f64,
    /// The share of operations that write.
    pub writes: f64,
    pub session_timeout: Duration,
    pub from: Duration,
    pub until: Duration,
    /// How many znodes the clients share.
    pub nodes: u32,
    /// The share of clients that take a server that only reads.
    pub read_only: f64,
    /// What the clients ask for; without one, reads and `writes` alone.
    pub mix: Option<mix::Mix>,
}

impl Scenario {
    pub fn load(file: &Path) -> Result<Scenario, FileError> {
        compile::compile(&Source::read(file)?)
    }

    pub fn parse(file: &Path, text: &str) -> Result<Scenario, FileError> {
        compile::compile(&Source { file: file.to_owned(), text: text.to_owned() })
    }

    /// The scenario of this seed: where the file has [swarm], with everything that it draws.
    pub fn drawn(&self, seed: u64) -> Result<Scenario, FileError> {
        if self.drawn.is_none() {
            return Ok(self.clone());
        }
        let source = Source { file: self.file.clone(), text: self.text.clone() };
        let drawn = compile::compile_drawn(&source, Some(seed))?;
        // Exhibits may have been switched on since.
        Ok(Scenario { museum: self.museum.clone(), ..drawn })
    }
}
