//! The directory of a hunt: what it goes on from, and what it leaves there.
//!
//!     report.json      everything, and where to go on
//!     junit.xml        for a CI server
//!     ID-SEED.qrec     the quickest example of each failure, recorded
//!     differs-*.qrec   two runs of one seed that were not the same

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::plan::Plan;
use super::report::{Example, Failure, Place, Report, replace};
use super::run_apart::Player;
use super::{junit, run_apart};
use crate::child::SIMULATOR;

/// A directory that one hunt has for itself.
#[derive(Debug)]
pub struct Store {
    pub dir: PathBuf,
    /// Held as long as the hunt goes on.
    _lock: File,
}

impl Store {
    /// Opens or makes it. What is wrong with it, in a sentence.
    pub fn open(dir: &Path) -> Result<Store, String> {
        let wrong = |error| format!("{}: cannot be written: {error}", dir.display());
        fs::create_dir_all(dir).map_err(wrong)?;
        let lock = File::create(dir.join("lock")).map_err(wrong)?;
        match lock.try_lock() {
            Ok(()) => Ok(Store { dir: dir.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                Err(format!("{}: another hunt writes into this directory", dir.display()))
            }
            Err(TryLockError::Error(error)) => Err(wrong(error)),
        }
    }

    /// The report to go on from: that of this directory, or an empty one.
    pub fn begin(&self, plan: &Plan) -> Result<Report, String> {
        let fresh = Report::new(plan);
        self.takes(&fresh)?;
        let mut report = Report::load(&self.dir)?.unwrap_or(fresh);
        // Whether it can be written shows before the work is done.
        self.save(&mut report)?;
        Ok(report)
    }

    /// Whether this report may be written here: what another hunt left is not touched.
    pub fn takes(&self, report: &Report) -> Result<(), String> {
        let before = Report::load(&self.dir)?;
        match before.and_then(|before| before.differs_from(&report.plan, &report.build)) {
            None => Ok(()),
            Some(what) => Err(format!("{}: holds another hunt: {what}", self.dir.display())),
        }
    }

    fn save(&self, report: &mut Report) -> Result<(), String> {
        let wrong = |error| format!("{}: cannot be written: {error}", self.dir.display());
        report.save(&self.dir).map_err(wrong)
    }

    /// Writes the report in all its forms. `made` makes the recording of a failure's example in a
    /// file, if it can; what it finds wrong with it is one more failure.
    pub fn finish(
        &self,
        report: &mut Report,
        mut made: impl FnMut(&Failure, &Path) -> Result<bool, Box<Failure>>,
    ) -> Result<(), String> {
        let (mut taken, mut unsteady) = (BTreeSet::new(), Vec::new());
        for failure in &mut report.failures {
            let name = free_name(failure, &mut taken);
            let file = self.dir.join(&name);
            if failure.recording.as_ref() == Some(&name) && file.exists() {
                continue;
            }
            let made = made(failure, &file).unwrap_or_else(|wrong| {
                unsteady.push(wrong);
                false
            });
            failure.recording = made.then_some(name);
        }
        unsteady.into_iter().for_each(|failure| {
            report.add(*failure);
        });
        self.sweep(report, &taken);
        self.save(report)?;
        let wrong = |error| format!("{}: cannot be written: {error}", self.dir.display());
        replace(&self.dir.join("junit.xml"), &junit::xml(report)).map_err(wrong)
    }

    /// Recordings of examples that were the quickest once.
    fn sweep(&self, report: &Report, taken: &BTreeSet<String>) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_example = report.failures.iter().any(|failure| is_recording(failure, &name));
            if is_example && !taken.contains(&name) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Whether a file has a name that [`free_name`] gives.
fn is_recording(failure: &Failure, name: &str) -> bool {
    let rest = name.strip_prefix(&failure.signature.id).and_then(|rest| rest.strip_prefix('-'));
    let Some(numbers) = rest.and_then(|rest| rest.strip_suffix(".qrec")) else { return false };
    numbers.split('-').all(|n| !n.is_empty() && n.bytes().all(|digit| digit.is_ascii_digit()))
}

/// `ID-SEED.qrec`; with a number where two ways to fail have both alike.
fn free_name(failure: &Failure, taken: &mut BTreeSet<String>) -> String {
    let base = format!("{}-{}", failure.signature.id, failure.example.seed);
    let mut name = format!("{base}.qrec");
    let mut n = 1;
    while !taken.insert(name.clone()) {
        n += 1;
        name = format!("{base}-{n}.qrec");
    }
    name
}

/// Runs the example of a failure again and records it. `Err` if it does not fail so again: then
/// the simulator is at fault.
pub fn record_example(
    by: Player<'_>,
    plan: &Plan,
    failure: &Failure,
    file: &Path,
) -> Result<bool, Box<Failure>> {
    let example = &failure.example;
    let is_it = |scenario: usize| plan.scenarios[scenario].file == example.file;
    let mut jobs = plan.jobs();
    let job = jobs
        .find(|job| is_it(job.scenario) && (job.case, job.seed) == (example.case, example.seed));
    let none = [run_apart::differs(), run_apart::endless()].contains(&failure.signature);
    let (Some(job), false) = (job, none) else { return Ok(false) };
    let ran = run_apart::run(by, plan, &job, Some(file));
    let again = ran.failure.as_ref().map(|broke| &broke.signature);
    if again == Some(&failure.signature) {
        // A process that was ended by a signal wrote nothing.
        let empty = fs::metadata(file).map_or(true, |data| data.len() == 0);
        if empty {
            let _ = fs::remove_file(file);
        }
        return Ok(!empty);
    }
    let _ = fs::remove_file(file);
    let (signature, words, command) = match ran.failure {
        // Perhaps it could only not be recorded.
        Some(broke) if broke.signature.id == SIMULATOR => {
            (broke.signature, broke.words, plan.command(&job))
        }
        other => {
            let now =
                other.map_or("holds".into(), |broke| format!("fails by {}", broke.signature.id));
            let words = format!("it failed by {}, and run again it {now}", failure.signature.id);
            (run_apart::differs(), words, plan.command_twice(&job))
        }
    };
    let example = Example { words, command, ..example.clone() };
    let places = vec![Place { count: 1, example: example.clone() }];
    Err(Box::new(Failure { signature, count: 1, example, recording: None, places }))
}
