//! What a seed has drawn: into the frame of its file, and in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use toml::{Spanned, Value};

use crate::scenario::action::Line;
use crate::scenario::frame::{self, Frame};

/// What a seed has drawn: values by table and key, and the lines that start the servers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawn {
    pub settings: Vec<Setting>,
    pub(in crate::scenario) starts: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    pub table: &'static str,
    pub key: &'static str,
    /// `None`: the key is not there.
    pub value: Option<Value>,
}

impl Drawn {
    /// Puts it into the frame of the file.
    pub(in crate::scenario) fn put_into(&self, frame: &mut Frame) {
        for setting in &self.settings {
            match setting.table {
                "ensemble" => setting.of_ensemble(frame.ensemble.get_or_insert_default()),
                "network" => setting.of_network(&mut frame.network),
                "disk" => setting.of_disk(&mut frame.disk),
                _ => setting.of_workload(frame.workload.get_or_insert_default()),
            }
        }
    }

    /// What it is, in one line: `4 voters, 1 observer, snap_count 17`.
    pub fn words(&self) -> String {
        let mut words = String::new();
        let mut add = |word: String| {
            let comma = if words.is_empty() { "" } else { ", " };
            let _ = write!(words, "{comma}{word}");
        };
        for Setting { key, value, .. } in &self.settings {
            match (*key, value) {
                ("voters" | "observers", Some(Value::Array(list))) => match list.len() {
                    0 => {}
                    1 => add(format!("1 {}", key.trim_end_matches('s'))),
                    n => add(format!("{n} {key}")),
                },
                ("mix", Some(Value::Table(kinds))) => {
                    add(format!("a mix of {} kinds", kinds.len()));
                }
                ("dialect", Some(Value::Table(servers))) => {
                    for (id, name) in servers {
                        add(format!("{} speaks {}", id, name.as_str().unwrap_or_default()));
                    }
                }
                ("weights", Some(Value::Table(one))) => {
                    one.iter().for_each(|(id, weight)| add(format!("weight {weight} of {id}")));
                }
                (_, None | Some(Value::Boolean(false))) => {}
                (_, Some(Value::Boolean(true))) => add((*key).to_owned()),
                (_, Some(Value::String(text))) => add(format!("{key} {text}")),
                (_, Some(value)) => add(format!("{key} {value}")),
            }
        }
        if self.starts.len() > 1 {
            add("started one after another".into());
        }
        words
    }
}

impl Setting {
    fn text(&self) -> Option<Spanned<String>> {
        self.value.as_ref().and_then(Value::as_str).map(|text| spanned(text.to_owned()))
    }

    fn whole<T: TryFrom<i64>>(&self) -> Option<T> {
        self.value.as_ref()?.as_integer()?.try_into().ok()
    }

    fn float(&self) -> Option<f64> {
        self.value.as_ref()?.as_float()
    }

    fn ids(&self) -> Vec<i64> {
        let list = self.value.as_ref().and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_integer).collect()
    }

    /// A table, by name.
    fn table<T>(&self, read: impl Fn(&Value) -> Option<T>) -> BTreeMap<Spanned<String>, T> {
        let table = self.value.as_ref().and_then(Value::as_table);
        let pair = |(name, value): (&String, &Value)| Some((spanned(name.clone()), read(value)?));
        table.into_iter().flatten().filter_map(pair).collect()
    }

    fn of_network(&self, network: &mut frame::Network) {
        match self.key {
            "latency" => network.latency = self.text(),
            "bandwidth" => network.bandwidth = self.text(),
            _ => network.socket_buffer = self.text(),
        }
    }

    fn of_disk(&self, disk: &mut frame::DiskSpeed) {
        match self.key {
            "fsync" => disk.fsync = self.text(),
            _ => disk.throughput = self.text(),
        }
    }

    fn of_ensemble(&self, ensemble: &mut frame::Ensemble) {
        match self.key {
            "voters" => ensemble.voters = Some(spanned(self.ids())),
            "observers" => ensemble.observers = self.ids(),
            "weights" => ensemble.weights.extend(self.table(Value::as_integer)),
            "tick_time" => ensemble.tick_time = self.text(),
            "init_limit" => ensemble.init_limit = self.whole(),
            "sync_limit" => ensemble.sync_limit = self.whole(),
            "finalize_wait" => ensemble.finalize_wait = self.text(),
            "max_notification_interval" => ensemble.max_notification_interval = self.text(),
            "snap_count" => ensemble.snap_count = self.whole(),
            "commit_log_count" => ensemble.commit_log_count = self.whole(),
            "snapshot_slice" => ensemble.snapshot_slice = self.whole(),
            "slice_bytes" => ensemble.slice_bytes = self.text(),
            "progress_bytes" => ensemble.progress_bytes = self.text(),
            "link_limit" => ensemble.link_limit = self.text(),
            "snapshot_size_factor" => ensemble.snapshot_size_factor = self.float(),
            "dialect" => {
                let text = |value: &Value| value.as_str().map(|text| spanned(text.to_owned()));
                ensemble.dialect.extend(self.table(text));
            }
            _ => ensemble.read_only_mode = self.value.as_ref().and_then(Value::as_bool),
        }
    }

    fn of_workload(&self, workload: &mut frame::Workload) {
        match self.key {
            "clients" => workload.clients = self.whole(),
            "ops_per_second" => workload.ops_per_second = self.float(),
            "writes" => workload.writes = self.float(),
            "session_timeout" => workload.session_timeout = self.text(),
            "from" => workload.from = self.text(),
            "value_bytes" => workload.value_bytes = self.text(),
            "ballast" => workload.ballast = self.text(),
            "ballast_value" => workload.ballast_value = self.text(),
            "nodes" => workload.nodes = self.whole(),
            "read_only" => workload.read_only = self.float(),
            "watches" => workload.watches = self.float(),
            _ => {
                let kinds = self.table(|value| value.as_integer().map(|n| n as u64));
                workload.mix = self.value.as_ref().map(|_| kinds);
            }
        }
    }
}

/// A value that stands nowhere in the file.
fn spanned<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}
