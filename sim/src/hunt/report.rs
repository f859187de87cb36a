//! What came of a hunt so far: failures that are the same told once, and which runs are done.
//!
//! `report.json` is this, and what a hunt that was interrupted goes on from: the runs that are
//! done and what came of them stand in one file that is replaced as a whole. Nothing in it but
//! seconds depends on which run ended first.

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::plan::{Done, Job, Plan};
use crate::child::{RunFailure, SIMULATOR};
use crate::recording::Build;
use crate::run::signature::Signature;

/// The version of `report.json`. Any change of a type below, or of the plan, needs a new one.
pub const VERSION: u32 = 1;
const FILE: &str = "report.json";

/// A hunt, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub version: u32,
    /// The program that ran.
    pub build: String,
    pub plan: Plan,
    /// How many runs there are to do, of this shard.
    pub total: u64,
    /// Places of runs among those of this shard, in the order of the plan.
    pub done: Done,
    /// Seeds of the range of which every run of this shard is done. Scenarios about a seed of
    /// their own count with the first one.
    pub seeds_done: Done,
    pub held: u64,
    /// Runs in which a property failed.
    pub failed: u64,
    /// Runs in which the simulator itself failed.
    pub broken: u64,
    /// How long it took, all times it was started together.
    pub seconds: f64,
    pub cases: Vec<CaseRuns>,
    /// Sorted by signature.
    pub failures: Vec<Failure>,
}

/// How many runs one case of one file had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseRuns {
    pub file: PathBuf,
    /// From 1.
    pub case: usize,
    /// Empty if the file has one case alone.
    pub name: String,
    pub runs: u64,
    /// Of its processes.
    pub seconds: f64,
}

/// One way to fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    #[serde(flatten)]
    pub signature: Signature,
    pub count: u64,
    /// The quickest one: fewest simulated seconds, then the smallest seed.
    pub example: Example,
    /// Its recording, beside the report.
    pub recording: Option<String>,
    /// By file and case.
    pub places: Vec<Place>,
}

/// Where a failure was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    pub count: u64,
    pub example: Example,
}

/// One run that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    pub file: PathBuf,
    /// From 1.
    pub case: usize,
    pub seed: u64,
    /// When the run was over.
    pub simulated_s: f64,
    pub words: String,
    /// The command that repeats it.
    pub command: String,
}

impl Example {
    /// The quicker one first.
    fn order(&self, other: &Example) -> Ordering {
        let rest = |of: &Example| (of.seed, of.file.clone(), of.case);
        self.simulated_s.total_cmp(&other.simulated_s).then_with(|| rest(self).cmp(&rest(other)))
    }
}

impl Failure {
    /// Whether it is the simulator's own.
    pub fn is_broken(&self) -> bool {
        self.signature.id == SIMULATOR
    }
}

impl Report {
    pub fn new(plan: &Plan) -> Report {
        let files = plan.scenarios.iter();
        let cases = files.flat_map(|file| {
            file.cases.iter().zip(1..).map(|(name, case)| CaseRuns {
                file: file.file.clone(),
                case,
                name: name.clone(),
                runs: 0,
                seconds: 0.0,
            })
        });
        Report {
            version: VERSION,
            build: Build::this().to_string(),
            plan: plan.clone(),
            total: plan.total(),
            done: Done::default(),
            seeds_done: Done::default(),
            held: 0,
            failed: 0,
            broken: 0,
            seconds: 0.0,
            cases: cases.collect(),
            failures: Vec::new(),
        }
    }

    pub fn runs(&self) -> u64 {
        self.held + self.failed + self.broken
    }

    pub fn is_finished(&self) -> bool {
        self.done.count() == self.total
    }

    /// 0 everything holds, 1 a property failed, 3 the simulator failed.
    pub fn exit_code(&self) -> u8 {
        match self.failures.as_slice() {
            [] => 0,
            failures if failures.iter().any(Failure::is_broken) => 3,
            _ => 1,
        }
    }

    /// Takes the outcome of a run. Whether it failed as none before.
    pub(super) fn take(
        &mut self,
        job: &Job,
        ended: u64,
        wall: f64,
        failure: Option<RunFailure>,
    ) -> bool {
        self.done.insert(job.place);
        let file = &self.plan.scenarios[job.scenario].file;
        let mut cases = self.cases.iter_mut();
        if let Some(case) = cases.find(|case| case.file == *file && case.case == job.case) {
            case.runs += 1;
            case.seconds += wall;
        }
        match &failure {
            None => self.held += 1,
            Some(broke) if broke.signature.id == SIMULATOR => self.broken += 1,
            Some(_) => self.failed += 1,
        }
        failure.is_some_and(|broke| self.fails(job, ended, broke))
    }

    /// A failure of a run that is perhaps counted already.
    pub(super) fn fails(&mut self, job: &Job, ended: u64, broke: RunFailure) -> bool {
        let twice = broke.signature == super::run_apart::differs();
        let plan = &self.plan;
        let example = Example {
            file: plan.scenarios[job.scenario].file.clone(),
            case: job.case,
            seed: job.seed,
            simulated_s: ended as f64 / 1e9,
            words: broke.words,
            command: if twice { plan.command_twice(job) } else { plan.command(job) },
        };
        let places = vec![Place { count: 1, example: example.clone() }];
        self.add(Failure { signature: broke.signature, count: 1, example, recording: None, places })
    }

    /// Whether it is one as none before.
    pub(super) fn add(&mut self, failure: Failure) -> bool {
        let n =
            match self.failures.binary_search_by(|known| known.signature.cmp(&failure.signature)) {
                Ok(n) => n,
                Err(n) => {
                    self.failures.insert(n, failure);
                    return true;
                }
            };
        let known = &mut self.failures[n];
        known.count += failure.count;
        if failure.example.order(&known.example).is_lt() {
            known.example = failure.example;
            known.recording = failure.recording;
        }
        for place in failure.places {
            let key = |place: &Place| (place.example.file.clone(), place.example.case);
            match known.places.binary_search_by_key(&key(&place), key) {
                Err(n) => known.places.insert(n, place),
                Ok(n) => {
                    let known = &mut known.places[n];
                    known.count += place.count;
                    if place.example.order(&known.example).is_lt() {
                        known.example = place.example;
                    }
                }
            }
        }
        false
    }

    /// Of which seeds every run is done.
    fn whole_seeds(&self) -> Done {
        let (mut open, mut seeds) = (Done::default(), Done::default());
        for job in self.plan.jobs() {
            if !self.done.contains(job.place) {
                open.insert(job.round);
            }
            if job.place >= self.done.end() {
                break;
            }
        }
        for job in self.plan.jobs().take_while(|job| job.place < self.done.end()) {
            if !open.contains(job.round) {
                seeds.insert(job.round);
            }
        }
        seeds
    }

    /// Replaces `report.json` in this directory as a whole.
    pub fn save(&mut self, dir: &Path) -> io::Result<()> {
        self.seeds_done = self.whole_seeds();
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        replace(&dir.join(FILE), &text)
    }

    /// The report in this directory, if there is one. What is wrong with it, in a sentence.
    pub fn load(dir: &Path) -> Result<Option<Report>, String> {
        let file = dir.join(FILE);
        let text = match fs::read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{}: cannot be read: {error}", file.display())),
            Ok(text) => text,
        };
        let wrong = |what: String| {
            let file = file.display();
            format!("{file}: is no report of a hunt: {what}; remove it, and hunt again")
        };
        // The version first: another one may look otherwise.
        let json: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        match json.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => {
                return Err(format!(
                    "{}: was written in version {version} of reports, this program knows version \
                     {VERSION}; use the program that wrote it",
                    file.display()
                ));
            }
            None => return Err(wrong("it has no version".into())),
        }
        serde_json::from_value(json).map(Some).map_err(|error| wrong(error.to_string()))
    }

    /// In what another hunt is another one, in words; `None` if it is the same.
    pub fn differs_from(&self, plan: &Plan, build: &str) -> Option<String> {
        if let Some(what) = self.plan.differs_from(plan) {
            return Some(what);
        }
        (self.build != build).then(|| format!("its build is {}, not {build}", self.build))
    }
}

/// Writes a file so that whoever reads it sees all of it, or what was there before.
pub(super) fn replace(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut out = File::create(&new)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(new, file)
}

#[cfg(test)]
#[path = "report_test.rs"]
mod tests;
