//! Many runs, a process each: all cases of a file, or many seeds of many files.
//!
//! The process of a run is this program again, `run --quiet --report`; its exit code and its first
//! line are the verdict. Failures that are the same (`run::signature`) are one, with the quickest
//! run that shows it.
//!
//! - `plan.rs`      which runs there are, their numbers, shards
//! - `run_apart.rs` one run in its process, or the same one twice
//! - `report.rs`    what came of all, `report.json`
//! - `store.rs`     the directory of a hunt: going on, recordings of the examples
//! - `merge.rs`     the shards of a hunt as one report
//! - `summary.rs`, `junit.rs`, `annotations.rs`    for people, for a CI server, for GitHub

pub mod annotations;
pub mod junit;
pub mod merge;
pub mod plan;
pub mod report;
pub mod run_apart;
pub mod store;
pub mod summary;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use plan::{Job, Plan};
use report::Report;
use run_apart::Player;

use crate::child::Limit;

/// How to hunt.
#[derive(Clone, Debug)]
pub struct HuntOptions<'a> {
    /// What plays one run: this program.
    pub program: PathBuf,
    /// Runs at a time.
    pub at_once: usize,
    /// Processor time of one run; one that takes more is ended, and is a failure.
    pub run_limit: Duration,
    /// No run begins later than this after the start.
    pub time: Option<Duration>,
    /// Show progress on a terminal.
    pub shows: bool,
    /// Show every failure in full, not only one of each way to fail.
    pub tells_all: bool,
    /// Where the report is saved again and again.
    pub dir: Option<&'a Path>,
}

impl HuntOptions<'_> {
    /// What plays one run.
    pub fn player(&self) -> Player<'_> {
        Player { program: &self.program, limit: Limit::of(self.run_limit) }
    }
}

/// Failures that are shown in full when they are first seen.
const SHOWN_MAX: usize = 10;
/// Seeds of two traces whose recordings are kept.
const PAIRS_MAX: u64 = 5;
/// How much of the work is lost if this process dies.
const SAVE_EVERY: Duration = Duration::from_secs(2);

struct State<I> {
    jobs: I,
    report: Report,
    saved: Instant,
    shown: usize,
    /// The report could not be saved.
    error: Option<io::Error>,
}

/// Does what the report says is still to do. An error is that of saving the report.
pub fn hunt(report: Report, options: &HuntOptions<'_>) -> io::Result<Report> {
    let begun = Instant::now();
    let (plan, done, before) = (report.plan.clone(), report.done.clone(), report.seconds);
    let bar = progress_bar(report.total - done.count(), options.shows);
    let scratch = Scratch::new(options.dir)?;
    let jobs = plan.jobs().filter(|job| !done.contains(job.place));
    let state = State { jobs, report, saved: begun, shown: 0, error: None };
    let state = Mutex::new(state);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..options.at_once.max(1) {
            scope.spawn(|| {
                loop {
                    let late = options.time.is_some_and(|time| begun.elapsed() >= time);
                    if late || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let job = state.lock().ok().and_then(|mut state| state.jobs.next());
                    let Some(job) = job else { return };
                    let ran = run_one(&plan, &job, options, &scratch.dir);
                    let Ok(mut state) = state.lock() else { return };
                    let enough = state.take(&job, ran, &bar, options.tells_all);
                    if enough {
                        run_apart::forget_pair(&scratch.dir, &job);
                    }
                    state.report.seconds = before + begun.elapsed().as_secs_f64();
                    if !state.save_in_time(options.dir) {
                        stop.store(true, Ordering::Relaxed);
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let state = state.into_inner().map_err(|_| io::Error::other("a thread of the hunt died"))?;
    match state.error {
        Some(error) => Err(error),
        None => Ok(state.report),
    }
}

fn run_one(plan: &Plan, job: &Job, options: &HuntOptions<'_>, dir: &Path) -> run_apart::Ran {
    let by = options.player();
    match plan.twice.takes(job.number) {
        true => run_apart::run_twice(by, plan, job, dir),
        false => run_apart::run(by, plan, job, None),
    }
}

impl<I> State<I> {
    /// Whether seeds of two traces are known well enough, so that this one's need not be kept.
    fn take(&mut self, job: &Job, ran: run_apart::Ran, bar: &ProgressBar, tells_all: bool) -> bool {
        let is_failure = ran.failure.is_some();
        let is_new = self.report.take(job, ran.ended, ran.seconds, ran.failure);
        if (is_new || tells_all && is_failure) && self.shown < SHOWN_MAX {
            self.shown += 1;
            // On a terminal above the bar.
            if bar.is_hidden() {
                println!("{}", ran.output.trim_end());
            } else {
                bar.println(ran.output.trim_end());
            }
        }
        let report = &self.report;
        if !report.failures.is_empty() {
            let (failed, ways) = (report.failed + report.broken, report.failures.len());
            bar.set_message(format!("{failed} failed in {ways} ways"));
        }
        let differs = report.failures.iter().find(|known| known.signature == run_apart::differs());
        differs.is_some_and(|differs| differs.count > PAIRS_MAX)
    }

    /// False if the report cannot be saved.
    fn save_in_time(&mut self, dir: Option<&Path>) -> bool {
        if let Some(dir) = dir
            && self.saved.elapsed() >= SAVE_EVERY
        {
            self.error = self.report.save(dir).err();
            self.saved = Instant::now();
        }
        self.error.is_none()
    }
}

/// Where runs that are done twice are recorded: the hunt's own directory, or one for the moment.
struct Scratch {
    dir: PathBuf,
    /// Whether it goes when the hunt is over.
    goes: bool,
}

impl Scratch {
    fn new(dir: Option<&Path>) -> io::Result<Scratch> {
        if let Some(dir) = dir {
            return Ok(Scratch { dir: dir.to_owned(), goes: false });
        }
        let dir = std::env::temp_dir().join(format!("quorate-hunt-{}", std::process::id()));
        let made = std::fs::create_dir_all(&dir);
        let words = |error| format!("{}: cannot be written: {error}", dir.display());
        made.map_err(|error| io::Error::new(error.kind(), words(error)))?;
        Ok(Scratch { dir, goes: true })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.goes {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

fn progress_bar(length: u64, shows: bool) -> ProgressBar {
    if !shows {
        return ProgressBar::hidden();
    }
    let template = "{elapsed_precise} {wide_bar} {pos}/{len} runs, {per_sec} {msg}";
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
