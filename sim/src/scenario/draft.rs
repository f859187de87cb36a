//! One run of a scenario as a file of its own: no cases, nothing drawn, every fault a line of the
//! timeline, the seed pinned.
//!
//! What is not the timeline stays as the original file says it, whatever keys there are; the text
//! is always laid out in the same way.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use toml::{Table, Value};

use super::action::Line;
use super::compile::Scenario;
use super::error::FileError;
use crate::grammar::lexer::duration;
use crate::grammar::{When, show_duration};

/// A scenario that can be changed and written.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The file without its timeline and without everything that spreads or draws.
    pub table: Table,
    /// Sorted by time.
    pub lines: Vec<Line>,
}

/// Keys in the order in which a file has them; others follow.
const TOP: [&str; 8] =
    ["about", "source", "duration", "seed", "liveness", "museum", "violates", "strict"];
const TABLES: [&str; 4] = ["ensemble", "network", "disk", "workload"];
const ENSEMBLE: [&str; 22] = [
    "voters",
    "observers",
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
    "read_only_mode",
    "own_line_open",
    "dialect",
    "autocreate",
    "committed",
];
const WORKLOAD: [&str; 13] = [
    "clients",
    "ops_per_second",
    "writes",
    "session_timeout",
    "from",
    "until",
    "value_bytes",
    "ballast",
    "ballast_value",
    "nodes",
    "watches",
    "read_only",
    "mix",
];

impl Draft {
    /// One case of a scenario; `lines` is its timeline, drawn faults included.
    pub fn new(scenario: &Scenario, case: usize, mut lines: Vec<Line>) -> Result<Draft, FileError> {
        let file = &scenario.file;
        let mut table: Table = toml::from_str(&scenario.text).map_err(|error| FileError {
            file: file.clone(),
            line: 0,
            column: 0,
            message: error.message().trim_end().to_owned(),
        })?;
        for key in ["timeline", "chaos", "swarm", "boundary", "start_orders"] {
            table.remove(key);
        }
        for part in ["ensemble", "network"] {
            if let Some(Value::Table(part)) = table.get_mut(part) {
                part.remove("timeline");
            }
        }
        for setting in scenario.drawn.iter().flat_map(|drawn| &drawn.settings) {
            let entry = table.entry(setting.table).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(entry) = entry else { continue };
            match &setting.value {
                Some(value) => drop(entry.insert(setting.key.to_owned(), value.clone())),
                None => drop(entry.remove(setting.key)),
            }
        }
        // What comes later is never done.
        let duration = scenario.cases[case].duration;
        lines.retain(|line| line.when.since() <= duration);
        lines.sort_by_key(|line| line.when.since());
        let mut draft = Draft { table, lines };
        draft.set_duration(duration);
        if let Some(workload) = &scenario.workload
            && scenario.cases.len() > 1
        {
            draft.set("workload", "until", Value::String(show_duration(workload.until)));
        }
        Ok(draft)
    }

    /// As a scenario again.
    pub fn compile(&self, file: &Path) -> Result<Scenario, FileError> {
        Scenario::parse(file, &self.text())
    }

    pub fn set_top(&mut self, key: &str, value: impl Into<Value>) {
        self.table.insert(key.to_owned(), value.into());
    }

    /// Sets a key of a table; a table that is not there stays away.
    pub fn set(&mut self, table: &str, key: &str, value: impl Into<Value>) {
        if let Some(Value::Table(table)) = self.table.get_mut(table) {
            table.insert(key.to_owned(), value.into());
        }
    }

    pub fn get(&self, table: &str, key: &str) -> Option<&Value> {
        self.table.get(table)?.as_table()?.get(key)
    }

    pub fn remove(&mut self, table: &str, key: &str) -> Option<Value> {
        self.table.get_mut(table)?.as_table_mut()?.remove(key)
    }

    /// A key of a table that holds a time.
    pub fn time(&self, table: &str, key: &str) -> Option<Duration> {
        duration(self.get(table, key)?.as_str()?)
    }

    pub fn set_duration(&mut self, duration: Duration) {
        self.set_top("duration", show_duration(duration));
    }

    pub fn duration(&self) -> Duration {
        let text = self.table.get("duration").and_then(Value::as_str);
        text.and_then(duration).unwrap_or_default()
    }

    /// Adds to a list of strings at the top what it does not hold yet.
    pub fn add_to_list(&mut self, key: &str, more: &[String]) {
        let list = self.table.entry(key).or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(list) = list else { return };
        for word in more {
            let word = Value::String(word.clone());
            if !list.contains(&word) {
                list.push(word);
            }
        }
        if list.is_empty() {
            self.table.remove(key);
        }
    }

    /// The servers a key of [ensemble] lists.
    pub fn members(&self, key: &str) -> Vec<i64> {
        let list = self.get("ensemble", key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_integer).collect()
    }

    /// The file.
    pub fn text(&self) -> String {
        let mut out = String::new();
        write_keys(&mut out, &self.table, &TOP);
        let others = self.table.keys().map(String::as_str).filter(|name| !TABLES.contains(name));
        for name in TABLES.into_iter().chain(others) {
            let Some(Value::Table(table)) = self.table.get(name) else { continue };
            if table.is_empty() {
                continue;
            }
            let _ = writeln!(out, "\n[{name}]");
            let order: &[&str] = if name == "ensemble" { &ENSEMBLE } else { &WORKLOAD };
            write_keys(&mut out, table, order);
            if name == "ensemble" {
                self.write_timeline(&mut out);
            }
        }
        out
    }

    fn write_timeline(&self, out: &mut String) {
        let at = |line: &Line| match &line.when {
            When::At(at) => Some(show_duration(*at)),
            When::On(..) => None,
        };
        let width = self.lines.iter().filter_map(at).map(|at| at.len()).max().unwrap_or(0);
        out.push_str("timeline = [\n");
        for line in &self.lines {
            let text = line.to_string();
            let text = match (at(line), text.split_once("  ")) {
                (Some(at), Some((_, actions))) => format!("{at:width$}  {actions}"),
                _ => text,
            };
            let _ = writeln!(out, "  {},", Value::String(text));
        }
        out.push_str("]\n");
    }
}

/// Plain values and, in tables of servers, dotted keys.
fn write_keys(out: &mut String, table: &Table, order: &[&str]) {
    let known = order.iter().filter_map(|key| table.get_key_value(*key));
    let others = table.iter().filter(|(key, _)| !order.contains(&key.as_str()));
    for (key, value) in known.chain(others) {
        match value {
            // A table of the file; it stands behind the keys.
            Value::Table(_) if order.contains(&"about") => {}
            Value::Table(parts) if key == "disk" => {
                for (server, disk) in parts {
                    let _ = writeln!(out, "disk.{server} = {disk}");
                }
            }
            Value::String(text) if text.contains('\n') && !text.contains("\"\"\"") => {
                let text = text.trim_end().replace('\\', "\\\\");
                let _ = writeln!(out, "{key} = \"\"\"\n{text}\n\"\"\"");
            }
            _ => {
                let _ = writeln!(out, "{key} = {value}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
about = "a test"
duration = "25s"
museum = ["ack_before_flush"]

[ensemble]
voters = [1, 2, 3]
observers = [4]
weights = { 3 = 2 }
disk.1 = { log = ["0x100000001..0x100000005"], current_epoch = 2 }
timeline = ["0s start 1 2 3", "on 3 established  crash 3", "12s start 3"]

[workload]
clients = 2

[chaos]
crash = 20.0
until = "30s"
"#;

    fn scenario(text: &str) -> Scenario {
        Scenario::parse(Path::new("a.toml"), text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn draft() -> (Scenario, Draft) {
        let scenario = scenario(FILE);
        let mut lines = scenario.cases[0].timeline.clone();
        lines.extend(scenario.chaos.iter().flat_map(|c| c.lines(3, &scenario.ensemble)));
        let draft = Draft::new(&scenario, 0, lines).expect("a scenario is TOML");
        (scenario, draft)
    }

    #[test]
    fn a_draft_reads_back_with_the_same_lines_and_settings() {
        let (original, draft) = draft();
        let read = scenario(&draft.text());
        let plain = |lines: &[Line]| {
            let plain = |line: &Line| Line { place: (0, 0), fault: None, ..line.clone() };
            lines.iter().map(plain).collect::<Vec<Line>>()
        };
        assert!(draft.lines.len() > 3, "chaos has drawn something");
        assert!(draft.lines.iter().all(|line| line.when.since() <= Duration::from_secs(25)));
        assert_eq!(plain(&read.cases[0].timeline), plain(&draft.lines));
        assert_eq!(format!("{:?}", read.ensemble), format!("{:?}", original.ensemble));
        assert_eq!(format!("{:?}", read.workload), format!("{:?}", original.workload));
        assert_eq!(read.museum, original.museum);
        assert!(read.chaos.is_none());
        assert_eq!(
            Draft::new(&read, 0, read.cases[0].timeline.clone()).map(|s| s.text()),
            Ok(draft.text())
        );
    }

    #[test]
    fn every_file_of_the_repository_can_be_written_again() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        let mut seen = 0;
        for area in ["election", "split_brain", "disk", "scale", "chaos", "museum"] {
            for entry in std::fs::read_dir(root.join(area)).expect("an area is a directory") {
                let file = entry.expect("an entry can be read").path();
                let scenario = Scenario::load(&file).expect("the files are read without a mistake");
                let lines = scenario.cases[0].timeline.clone();
                let draft = Draft::new(&scenario, 0, lines).expect("a scenario is TOML");
                let read = draft.compile(&file);
                let read = read.unwrap_or_else(|error| panic!("{error}\n{}", draft.text()));
                assert_eq!(read.cases[0].timeline.len(), draft.lines.len(), "{}", file.display());
                assert_eq!(read.about, scenario.about, "{}", file.display());
                seen += 1;
            }
        }
        assert!(seen > 50, "{seen} files");
    }

    #[test]
    fn lists_grow_without_doubles_and_stay_away_when_empty() {
        let (_, mut draft) = draft();
        draft.add_to_list("museum", &["ack_before_flush".into(), "diff_without_trunc".into()]);
        draft.add_to_list("violates", &[]);
        let text = draft.text();
        assert!(text.contains(r#"museum = ["ack_before_flush", "diff_without_trunc"]"#), "{text}");
        assert!(!text.contains("violates"), "{text}");
    }
}
