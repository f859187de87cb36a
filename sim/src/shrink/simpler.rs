//! Fewer servers, plainer settings, an easier workload.

use std::time::Duration;

use quorate::base::ServerId;
use toml::Value;

use super::Shrinker;
use super::edit::without_server;
use crate::grammar::show_duration;
use crate::scenario::draft::Draft;

/// Settings of [ensemble] that have a default.
const OPTIONAL: [&str; 16] = [
    "weights",
    "tick_time",
    "init_limit",
    "sync_limit",
    "finalize_wait",
    "min_notification_interval",
    "max_notification_interval",
    "max_time_to_wait_for_epoch",
    "snap_count",
    "commit_log_count",
    "snapshot_slice",
    "slice_bytes",
    "progress_bytes",
    "link_limit",
    "snapshot_size_factor",
    "autocreate",
];

impl Shrinker {
    /// Drops observers, then voters from the highest down.
    pub(super) fn fewer_servers(&mut self) -> bool {
        let mut changed = false;
        for key in ["observers", "voters"] {
            for id in self.draft.members(key).into_iter().rev() {
                if key == "voters" && self.draft.members(key).len() == 1 {
                    break;
                }
                let candidate = without_server(&self.draft, ServerId(id));
                changed |= self.attempt_with_any_seed(vec![candidate]).is_some();
            }
        }
        changed
    }

    /// Takes the default where a setting does not matter.
    pub(super) fn plainer_settings(&mut self) -> bool {
        let mut removals: Vec<(Vec<String>, String)> = Vec::new();
        let path = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        for key in OPTIONAL {
            removals.push((path(&["ensemble"]), key.to_owned()));
        }
        if let Some(Value::Table(disks)) = self.draft.get("ensemble", "disk") {
            for server in disks.keys() {
                removals.push((path(&["ensemble", "disk"]), server.clone()));
            }
        }
        for key in ["latency", "bandwidth", "socket_buffer"] {
            removals.push((path(&["network"]), key.into()));
        }
        for key in ["fsync", "throughput"] {
            removals.push((path(&["disk"]), key.into()));
        }
        if !self.without_liveness {
            removals.push((Vec::new(), "liveness".into()));
        }
        let mut changed = false;
        for (path, key) in removals {
            let mut candidate = self.draft.clone();
            if remove(&mut candidate, &path, &key) {
                changed |= self.attempt(vec![candidate]).is_some();
            }
        }
        changed
    }

    /// No clients, or fewer, or lazier ones.
    pub(super) fn easier_workload(&mut self) -> bool {
        if !self.draft.table.contains_key("workload") {
            return false;
        }
        let mut none = self.draft.clone();
        none.table.remove("workload");
        if self.attempt_with_any_seed(vec![none]).is_some() {
            return true;
        }
        let mut changed = false;
        let steps: [fn(&Shrinker) -> Vec<Draft>; 6] =
            [fewer_clients, later_begin, slower, writing, fewer_nodes, plainer_workload];
        for step in steps {
            // Each success may open a further one of the same kind.
            for _ in 0..8 {
                let candidates = step(self);
                let done = self.attempt(candidates).is_some();
                changed |= done;
                if !done {
                    break;
                }
            }
        }
        changed
    }
}

fn remove(draft: &mut Draft, path: &[String], key: &str) -> bool {
    let mut table = &mut draft.table;
    for part in path {
        match table.get_mut(part) {
            Some(Value::Table(inner)) => table = inner,
            _ => return false,
        }
    }
    table.remove(key).is_some()
}

fn with(shrinker: &Shrinker, key: &str, value: impl Into<Value>) -> Draft {
    let mut draft = shrinker.draft.clone();
    draft.set("workload", key, value);
    draft
}

fn fewer_clients(shrinker: &Shrinker) -> Vec<Draft> {
    let have = shrinker.draft.get("workload", "clients").and_then(Value::as_integer).unwrap_or(1);
    let mut fewer = vec![1, have / 2, have - 1];
    fewer.retain(|clients| (1..have).contains(clients));
    fewer.dedup();
    fewer.into_iter().map(|clients| with(shrinker, "clients", clients)).collect()
}

/// The later they begin before the failure, the fewer operations there are.
fn later_begin(shrinker: &Shrinker) -> Vec<Draft> {
    let from = shrinker.draft.time("workload", "from").unwrap_or_default();
    let ms = Duration::from_millis;
    let left = shrinker.hit.at.saturating_sub(from);
    let befores = [ms(100), ms(500), ms(2000), left / 4, left / 2];
    let later = befores.into_iter().map(|before| {
        let at = shrinker.hit.at.saturating_sub(before).as_millis() as u64;
        ms(if at > 2000 { at - at % 100 } else { at })
    });
    let later: Vec<Duration> = later.filter(|at| *at > from + ms(200)).collect();
    later.into_iter().map(|at| with(shrinker, "from", show_duration(at))).collect()
}

fn slower(shrinker: &Shrinker) -> Vec<Draft> {
    let have = match shrinker.draft.get("workload", "ops_per_second") {
        Some(Value::Float(rate)) => *rate,
        Some(Value::Integer(rate)) => *rate as f64,
        _ => 25.0,
    };
    let rates = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0];
    let slower = rates.into_iter().filter(|rate| *rate < have * 0.9);
    slower.map(|rate| with(shrinker, "ops_per_second", rate)).collect()
}

fn writing(shrinker: &Shrinker) -> Vec<Draft> {
    match shrinker.draft.get("workload", "writes") {
        Some(Value::Float(share)) if *share >= 1.0 => Vec::new(),
        _ => vec![with(shrinker, "writes", 1.0)],
    }
}

fn fewer_nodes(shrinker: &Shrinker) -> Vec<Draft> {
    match shrinker.draft.get("workload", "nodes").and_then(Value::as_integer) {
        Some(1) => Vec::new(),
        _ => vec![with(shrinker, "nodes", 1)],
    }
}

fn plainer_workload(shrinker: &Shrinker) -> Vec<Draft> {
    let needed = ["clients", "from", "ops_per_second", "writes", "nodes"];
    let Some(Value::Table(workload)) = shrinker.draft.table.get("workload") else {
        return Vec::new();
    };
    let keys = workload.keys().filter(|key| !needed.contains(&key.as_str()));
    let without = keys.map(|key| {
        let mut draft = shrinker.draft.clone();
        draft.remove("workload", key);
        draft
    });
    without.collect()
}
