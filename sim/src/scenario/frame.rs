//! The frame of a scenario file as TOML: names and types, before any meaning.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

type Text = Spanned<String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Frame {
    pub(super) about: Text,
    pub(super) source: Option<Text>,
    pub(super) duration: Option<Text>,
    pub(super) liveness: Option<Text>,
    pub(super) museum: Option<Vec<Text>>,
    pub(super) violates: Option<Vec<Text>>,
    pub(super) seed: Option<Spanned<i64>>,
    pub(super) strict: Option<Vec<Text>>,
    pub(super) ensemble: Option<Ensemble>,
    #[serde(default)]
    pub(super) network: Network,
    #[serde(default)]
    pub(super) disk: DiskSpeed,
    pub(super) workload: Option<Workload>,
    /// Settings, and by class how many faults there are a minute at most.
    pub(super) chaos: Option<BTreeMap<Spanned<String>, Spanned<toml::Value>>>,
    /// What each seed draws, by key.
    pub(super) swarm: Option<BTreeMap<Spanned<String>, Spanned<toml::Value>>>,
    pub(super) boundary: Option<Boundary>,
    pub(super) start_orders: Option<StartOrders>,
    pub(super) timeline: Option<Vec<Text>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ensemble {
    /// Missing only where [swarm] draws them.
    pub(super) voters: Option<Spanned<Vec<i64>>>,
    #[serde(default)]
    pub(super) observers: Vec<i64>,
    #[serde(default)]
    pub(super) weights: BTreeMap<Spanned<String>, i64>,
    pub(super) tick_time: Option<Text>,
    pub(super) init_limit: Option<u32>,
    pub(super) sync_limit: Option<u32>,
    pub(super) finalize_wait: Option<Text>,
    pub(super) min_notification_interval: Option<Text>,
    pub(super) max_notification_interval: Option<Text>,
    pub(super) max_time_to_wait_for_epoch: Option<Text>,
    pub(super) snap_count: Option<u32>,
    pub(super) commit_log_count: Option<usize>,
    pub(super) snapshot_slice: Option<usize>,
    pub(super) slice_bytes: Option<Text>,
    pub(super) progress_bytes: Option<Text>,
    pub(super) link_limit: Option<Text>,
    pub(super) snapshot_size_factor: Option<f64>,
    pub(super) autocreate: Option<bool>,
    pub(super) read_only_mode: Option<bool>,
    pub(super) own_line_open: Option<bool>,
    #[serde(default)]
    pub(super) dialect: BTreeMap<Spanned<String>, Text>,
    pub(super) committed: Option<Text>,
    #[serde(default)]
    pub(super) disk: BTreeMap<Spanned<String>, Disk>,
    pub(super) timeline: Option<Vec<Text>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disk {
    pub(super) current_epoch: Option<i64>,
    pub(super) accepted_epoch: Option<i64>,
    pub(super) last: Option<Text>,
    pub(super) log: Option<Vec<Text>>,
    pub(super) session_timeout: Option<Text>,
    #[serde(default)]
    pub(super) ephemerals: usize,
    #[serde(default)]
    pub(super) uninitialised: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    pub(super) latency: Option<Text>,
    pub(super) bandwidth: Option<Text>,
    pub(super) socket_buffer: Option<Text>,
    pub(super) connect_timeout: Option<Text>,
    pub(super) timeline: Option<Vec<Text>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DiskSpeed {
    pub(super) fsync: Option<Text>,
    pub(super) throughput: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Workload {
    /// Missing only where [swarm] draws them.
    pub(super) clients: Option<usize>,
    pub(super) ops_per_second: Option<f64>,
    pub(super) writes: Option<f64>,
    pub(super) session_timeout: Option<Text>,
    pub(super) from: Option<Text>,
    pub(super) until: Option<Text>,
    pub(super) value_bytes: Option<Text>,
    pub(super) ballast: Option<Text>,
    pub(super) ballast_value: Option<Text>,
    pub(super) nodes: Option<u32>,
    pub(super) watches: Option<f64>,
    pub(super) read_only: Option<f64>,
    /// Weights of kinds of operations.
    pub(super) mix: Option<BTreeMap<Spanned<String>, u64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Boundary {
    /// The `$name` in the timeline.
    pub(super) vary: Text,
    /// A sum of times, `finalize_wait` and `latency`: `finalize_wait + 2 latency`, `0.5 finalize_wait`.
    pub(super) at: Text,
    pub(super) delta: Text,
    pub(super) check_at: Text,
    pub(super) expect_below: Text,
    pub(super) expect_above: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StartOrders {
    pub(super) of: Text,
    pub(super) gap: Text,
    pub(super) expect_leader: Text,
}
