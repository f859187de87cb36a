//! Every exhibit of the museum and what catches it, as a table.
//!
//! Each scenario is played in a process of its own, one after another, so that the processor time
//! is that of the run alone. A scenario without a seed of its own is played with three.
//! `museum/plain.rs` hunts for the same bugs with one file that knows of none.

pub mod plain;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use quorate::base::Exhibit;

use crate::child::{self, Limit, RunReport, used_by_children};
use crate::scenario::Scenario;

/// One exhibit and its scenario.
#[derive(Clone, Debug)]
pub struct Entry {
    pub exhibit: Exhibit,
    /// `None`: nobody ever tried whether it is caught.
    pub file: Option<PathBuf>,
    /// Where the bug comes from: `ZOOKEEPER-1419`.
    pub source: String,
    /// One of these must fire.
    pub violates: Vec<String>,
    pub seeds: Vec<u64>,
}

/// What came of one entry.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub entry: Entry,
    /// The properties that fired first, each once.
    pub fired: Vec<String>,
    pub caught: bool,
    /// The simulator failed, or a run could not be started.
    pub broken: bool,
    /// Processor time of all runs, in seconds; `None` where the system does not tell.
    pub cpu_seconds: Option<f64>,
}

/// What came of all of them.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub outcomes: Vec<Outcome>,
}

impl Report {
    pub fn exit_code(&self) -> u8 {
        if self.outcomes.iter().any(|outcome| outcome.broken) {
            3
        } else {
            u8::from(self.outcomes.iter().any(|outcome| !outcome.caught))
        }
    }
}

/// Seeds for a scenario that says none.
const SEEDS: [u64; 3] = [1, 2, 3];

/// Every exhibit, with each scenario of this directory that switches it on.
pub fn entries(dir: &Path) -> Result<Vec<Entry>, String> {
    let entries = fs::read_dir(dir).map_err(|error| {
        format!("{}: cannot be read: {error}; --dir says where the scenarios are", dir.display())
    })?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ext| ext == "toml"));
    files.sort();
    let mut scenarios = Vec::new();
    for file in files {
        let scenario = Scenario::load(&file).map_err(|error| error.to_string())?;
        scenarios.push((file, scenario));
    }
    let mut entries = Vec::new();
    for exhibit in Exhibit::ALL {
        let before = entries.len();
        for (file, scenario) in scenarios.iter().filter(|(_, s)| s.museum.contains(exhibit)) {
            entries.push(Entry {
                exhibit: *exhibit,
                file: Some(file.clone()),
                source: scenario.source.clone(),
                violates: scenario.violates.clone(),
                seeds: scenario.seed.map_or(SEEDS.to_vec(), |seed| vec![seed]),
            });
        }
        if entries.len() == before {
            entries.push(unseen(*exhibit));
        }
    }
    Ok(entries)
}

fn unseen(exhibit: Exhibit) -> Entry {
    let (source, violates, seeds) = (String::new(), Vec::new(), Vec::new());
    Entry { exhibit, file: None, source, violates, seeds }
}

/// The entries of these names or issue numbers; all if there are none.
pub fn choose(entries: Vec<Entry>, names: &[String]) -> Result<Vec<Entry>, String> {
    if names.is_empty() {
        return Ok(entries);
    }
    let is = |entry: &Entry, name: &str| {
        let number = name.trim_start_matches("ZOOKEEPER-");
        let of_issue = entry.source.split(|c: char| !c.is_ascii_digit()).any(|n| n == number);
        entry.exhibit.name() == name || (!number.is_empty() && of_issue)
    };
    let mut chosen = Vec::new();
    for name in names {
        let before = chosen.len();
        chosen.extend(entries.iter().filter(|entry| is(entry, name)).cloned());
        if chosen.len() == before {
            return Err(format!("there is no exhibit {name}: `quorate-sim museum` lists them"));
        }
    }
    Ok(chosen)
}

/// Plays them all. No run takes longer than `limit` of processor time.
pub fn play_all(entries: Vec<Entry>, limit: Duration) -> Report {
    Report { outcomes: entries.into_iter().map(|entry| play_entry(entry, limit)).collect() }
}

fn play_entry(entry: Entry, limit: Duration) -> Outcome {
    let begun = used_by_children();
    let mut outcome = Outcome {
        caught: entry.file.is_some(),
        fired: Vec::new(),
        broken: false,
        cpu_seconds: None,
        entry,
    };
    if let Some(file) = outcome.entry.file.clone() {
        for seed in outcome.entry.seeds.clone() {
            let (code, fired) = play(&file, seed, Limit::of(limit));
            outcome.broken |= !matches!(code, 0 | 1);
            outcome.caught &= code == 0;
            let fired = fired.unwrap_or_else(|| "nothing".into());
            if !outcome.fired.contains(&fired) {
                outcome.fired.push(fired);
            }
        }
    }
    outcome.cpu_seconds = cpu_since(begun);
    outcome
}

/// One run: its exit code, and the property that fired first.
fn play(file: &Path, seed: u64, limit: Limit) -> (i32, Option<String>) {
    let Ok(program) = std::env::current_exe() else { return (3, None) };
    let mut command = Command::new(program);
    command.arg("run").arg(file).args(["--seed", &seed.to_string(), "--quiet", "--report"]);
    match child::run(command, limit) {
        Ok(done) => {
            let fired = RunReport::first_in(&done.output).map(|first| first.signature.id);
            (done.status.code().unwrap_or(3), fired)
        }
        Err(error) => (3, Some(error.to_string())),
    }
}

/// Processor time of all child processes that have ended since, in seconds.
fn cpu_since(begun: Option<Duration>) -> Option<f64> {
    let ended = used_by_children();
    begun.zip(ended).map(|(begun, ended)| ended.saturating_sub(begun).as_secs_f64())
}

/// The report as a table in columns, and a last line that counts.
pub fn table(report: &Report) -> String {
    let head = ["exhibit", "bug", "caught by", "seeds", "CPU s", "scenario"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for outcome in &report.outcomes {
        let entry = &outcome.entry;
        let seeds: Vec<String> = entry.seeds.iter().map(ToString::to_string).collect();
        let caught = match (&entry.file, outcome.caught) {
            (None, _) => "NOT SHOWN".to_owned(),
            (Some(_), true) => outcome.fired.join(" "),
            (Some(_), false) => {
                format!("NOT CAUGHT: {}, not {}", outcome.fired.join(" "), entry.violates.join(" "))
            }
        };
        rows.push(vec![
            entry.exhibit.name().to_owned(),
            entry.source.clone(),
            caught,
            seeds.join(" "),
            outcome.cpu_seconds.map_or("-".into(), |seconds| format!("{seconds:.2}")),
            entry.file.as_ref().map_or("-".into(), |file| file.display().to_string()),
        ]);
    }
    let mut text = columns(&rows);
    let caught = report.outcomes.iter().filter(|outcome| outcome.caught).count();
    let _ = writeln!(text, "{caught} of {} caught", report.outcomes.len());
    text
}

/// Rows of cells, each column as wide as it needs to be. A row may end early.
fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    // The last cell of a row has all the room there is.
    let cells = |column: usize| rows.iter().filter(move |row| column + 1 < row.len());
    let width = |column| cells(column).map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<String>>().join("  ");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
#[path = "museum_test.rs"]
mod tests;
