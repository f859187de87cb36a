//! A run in a process of its own, and the same run twice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::plan::{Job, Plan};
use crate::child::{self, Limit, NoEnd};
use crate::child::{RunFailure, RunReport, SIMULATOR};
use crate::recording::Recording;
use crate::replay::first_difference;
use crate::run::signature::{Signature, without_numbers};

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ran {
    /// In nanoseconds of simulated time.
    pub(super) ended: u64,
    /// Of its process.
    pub(super) seconds: f64,
    pub(crate) failure: Option<RunFailure>,
    /// Its verdict in words, if it failed.
    pub(crate) output: String,
    hash: u64,
}

impl Ran {
    fn is_endless(&self) -> bool {
        self.failure.as_ref().is_some_and(|broke| broke.signature == endless())
    }
}

/// The failure of a seed that has two traces.
pub(super) fn differs() -> Signature {
    let words = "two runs of one seed differ".into();
    Signature { id: SIMULATOR.into(), roles: Vec::new(), words }
}

/// The failure of a run that had to be ended. It has no recording.
pub(super) fn endless() -> Signature {
    let words = "a run did not end".into();
    Signature { id: SIMULATOR.into(), roles: Vec::new(), words }
}

fn broke_off(what: &str) -> RunFailure {
    let signature =
        Signature { id: SIMULATOR.into(), roles: Vec::new(), words: without_numbers(what) };
    RunFailure { signature, words: what.to_owned() }
}

/// The program that plays runs, and how long one may take.
#[derive(Clone, Copy, Debug)]
pub struct Player<'a> {
    pub program: &'a Path,
    pub limit: Limit,
}

/// glibc's malloc keeps what a run has freed, and asks the kernel for much at once: a run with a large
/// tree spends a third of its time in page faults otherwise. Other libraries ignore these.
const MALLOC: [(&str, &str); 3] = [
    ("MALLOC_TRIM_THRESHOLD_", "8000000000"),
    // Above 32 MiB older ones refuse it.
    ("MALLOC_MMAP_THRESHOLD_", "33554432"),
    ("MALLOC_TOP_PAD_", "16777216"),
];

/// Runs it, and records if there is a file for it.
pub(crate) fn run(by: Player<'_>, plan: &Plan, job: &Job, record: Option<&Path>) -> Ran {
    let begun = Instant::now();
    let mut command = Command::new(by.program);
    command.envs(MALLOC);
    command.arg("run").arg(&plan.scenarios[job.scenario].file).args(["--quiet", "--report"]);
    command.args(["--seed", &job.seed.to_string(), "--case", &job.case.to_string()]);
    if !plan.museum.is_empty() {
        command.args(["--museum", &plan.museum.join(",")]);
    }
    if let Some(file) = record {
        command.arg("--record").arg(file);
    }
    let mut ran = match child::run(command, by.limit) {
        Ok(done) => {
            let status = done.status.to_string();
            outcome(done.status.code(), &status, &done.output, &done.error)
        }
        Err(error @ NoEnd::TooLong(_)) => too_long(plan, job, &error.to_string()),
        Err(error) => outcome(None, &error.to_string(), "", ""),
    };
    if let (true, Some(file)) = (ran.is_endless(), record) {
        // Nothing is in it yet, if it is there.
        let _ = fs::remove_file(file);
    }
    ran.seconds = begun.elapsed().as_secs_f64();
    ran
}

/// What a process that is over says: its exit code and its line must agree.
fn outcome(code: Option<i32>, status: &str, output: &str, error: &str) -> Ran {
    if let Some((report, verdict)) = RunReport::read_report(output) {
        let broken = report.failure.as_ref().map(|broke| broke.signature.id == SIMULATOR);
        let agree = matches!((code, broken), (Some(0), None) | (Some(1), Some(false)))
            || (code == Some(3) && broken == Some(true));
        if agree {
            return Ran {
                ended: report.ended,
                seconds: 0.0,
                failure: report.failure,
                output: verdict.to_owned(),
                hash: report.hash,
            };
        }
    }
    let last = error.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("");
    let what = format!("a run broke off: {status}: {}", last.trim());
    let what = what.trim_end_matches([':', ' ']);
    Ran {
        ended: 0,
        seconds: 0.0,
        failure: Some(broke_off(what)),
        output: format!("{what}\n{output}{error}"),
        hash: 0,
    }
}

/// A run that had to be ended.
fn too_long(plan: &Plan, job: &Job, words: &str) -> Ran {
    let file = plan.scenarios[job.scenario].file.display();
    let output = format!("{file} seed {}: {words}\n  repeat: {}\n", job.seed, plan.command(job));
    let failure = Some(RunFailure { signature: endless(), words: words.to_owned() });
    Ran { ended: 0, seconds: 0.0, failure, output, hash: 0 }
}

/// Runs twice, both recorded, and compares. The recordings stay only if they differ.
pub(super) fn run_twice(by: Player<'_>, plan: &Plan, job: &Job, dir: &Path) -> Ran {
    let files = [1, 2].map(|n| pair_file(dir, job, n));
    let mut first = run(by, plan, job, Some(&files[0]));
    if first.is_endless() {
        return first;
    }
    let second = run(by, plan, job, Some(&files[1]));
    first.seconds += second.seconds;
    let signatures = |ran: &Ran| ran.failure.as_ref().map(|broke| broke.signature.clone());
    if (first.hash, first.ended, signatures(&first))
        == (second.hash, second.ended, signatures(&second))
    {
        remove(&files);
        return first;
    }
    let words = difference(&first, &second, &files);
    first.output = format!(
        "{} seed {}: two runs of this seed DIFFER\n{words}\n  repeat: {}\n",
        plan.scenarios[job.scenario].file.display(),
        job.seed,
        plan.command_twice(job)
    );
    first.failure = Some(RunFailure { signature: differs(), words });
    first
}

/// The file of the first or second run of a pair.
fn pair_file(dir: &Path, job: &Job, n: u32) -> PathBuf {
    dir.join(format!("differs-{}-{}.{n}.qrec", job.seed, job.number))
}

/// Removes the recordings of a pair: there are enough of them.
pub(super) fn forget_pair(dir: &Path, job: &Job) {
    remove(&[1, 2].map(|n| pair_file(dir, job, n)));
}

fn remove(files: &[PathBuf]) {
    for file in files {
        // What was never written need not be removed.
        let _ = fs::remove_file(file);
    }
}

/// Where two runs part.
fn difference(first: &Ran, second: &Ran, files: &[PathBuf; 2]) -> String {
    let recorded = (Recording::read(&files[0]), Recording::read(&files[1]));
    let found = match &recorded {
        (Ok(one), Ok(other)) => first_difference(one, other),
        _ => None,
    };
    match found {
        Some(found) => {
            // Both are recorded here.
            let words = found.words.replace("\n  recorded   ", "\n  first      ");
            let words = words.replace("\n  now        ", "\n  second     ");
            format!("they part at event {}\n{words}", found.place)
        }
        None => {
            let side = |ran: &Ran| {
                let failure = ran.failure.as_ref().map_or("holds", |broke| &broke.words);
                format!("trace hash {:016x}, {} ns, {failure}", ran.hash, ran.ended)
            };
            format!("they differ\n  first      {}\n  second     {}", side(first), side(second))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_a_verdict_is_the_simulators_failure() {
        let ran = outcome(Some(101), "exit status: 101", "noise\n", "panicked\nat line 7\n");
        let broke = ran.failure.expect("it broke off");
        assert_eq!(broke.words, "a run broke off: exit status: 101: at line 7");
        assert_eq!(broke.signature.words, "a run broke off: exit status: #: at line #");
        assert_eq!(broke.signature.id, SIMULATOR);
        assert!(outcome(None, "signal: 9", "", "").failure.is_some());
    }

    #[test]
    fn an_exit_code_that_contradicts_the_verdict_is_not_believed() {
        let report = RunReport { hash: 1, ended: 2, first: None, failure: None };
        let output = format!("{}\n", report.to_line());
        assert_eq!(outcome(Some(0), "", &output, "").failure, None);
        assert!(outcome(Some(1), "", &output, "").failure.is_some());
        assert!(outcome(Some(3), "", &output, "disk full").failure.is_some());
    }
}
