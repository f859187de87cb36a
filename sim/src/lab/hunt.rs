//! Many runs, a process each: all cases of a file, or many seeds of many files.
//!
//! The process of a run is this program again, `run --quiet`; its exit code is the verdict.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// One run to do.
#[derive(Clone, Debug)]
pub struct Job {
    pub file: PathBuf,
    /// From 1, as `--case` counts.
    pub case: usize,
    pub seed: u64,
    /// Exhibits switched on besides those of the file.
    pub museum: Vec<String>,
}

/// What came of all runs.
#[derive(Debug, Default)]
pub struct Report {
    pub runs: u64,
    pub held: u64,
    /// Output of the first runs that failed, by file.
    pub failures: Vec<String>,
    pub failed: u64,
    /// Runs in which the simulator itself failed.
    pub broken: u64,
    pub seconds: f64,
    /// The time was up before the seeds were.
    pub unfinished: bool,
}

impl Report {
    pub fn exit_code(&self) -> u8 {
        match (self.broken, self.failed) {
            (1.., _) => 3,
            (0, 1..) => 1,
            (0, 0) => 0,
        }
    }
}

/// Failures shown in full.
const SHOWN_MAX: usize = 10;

/// Runs all jobs, so many at a time, at most for so long.
pub fn hunt(jobs: Vec<Job>, at_once: usize, time: Option<Duration>, shows: bool) -> Report {
    let bar = progress_bar(jobs.len() as u64, shows);
    let begun = Instant::now();
    let queue = Mutex::new(VecDeque::from(jobs));
    let report = Mutex::new(Report::default());
    let time_is_up = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..at_once.max(1) {
            scope.spawn(|| {
                loop {
                    if time.is_some_and(|time| begun.elapsed() >= time) {
                        time_is_up.store(true, Ordering::Relaxed);
                        return;
                    }
                    let job = queue.lock().ok().and_then(|mut queue| queue.pop_front());
                    let Some(job) = job else { return };
                    let (code, output) = run_apart(&job);
                    if let Ok(mut report) = report.lock() {
                        report.take(code, output, &bar);
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut report = report.into_inner().unwrap_or_default();
    report.seconds = begun.elapsed().as_secs_f64();
    report.unfinished =
        time_is_up.into_inner() && queue.into_inner().is_ok_and(|queue| !queue.is_empty());
    report
}

impl Report {
    fn take(&mut self, code: i32, output: String, bar: &ProgressBar) {
        self.runs += 1;
        match code {
            0 => self.held += 1,
            1 => self.failed += 1,
            _ => self.broken += 1,
        }
        if code != 0 && self.failures.len() < SHOWN_MAX {
            // On a terminal above the bar.
            if bar.is_hidden() {
                println!("{}", output.trim_end());
            } else {
                bar.println(output.trim_end());
            }
            self.failures.push(output);
        }
        if self.failed + self.broken > 0 {
            bar.set_message(format!("{} failed", self.failed + self.broken));
        }
    }
}

fn run_apart(job: &Job) -> (i32, String) {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return (3, format!("this program cannot find itself: {error}")),
    };
    let mut command = Command::new(program);
    command.arg("run").arg(&job.file).arg("--quiet");
    command.args(["--seed", &job.seed.to_string(), "--case", &job.case.to_string()]);
    if !job.museum.is_empty() {
        command.args(["--museum", &job.museum.join(",")]);
    }
    let done = command.stdin(Stdio::null()).output();
    match done {
        Ok(done) => {
            let mut output = String::from_utf8_lossy(&done.stdout).into_owned();
            let code = done.status.code().unwrap_or(3);
            if !matches!(code, 0 | 1) {
                output.push_str(&String::from_utf8_lossy(&done.stderr));
            }
            (code, output)
        }
        Err(error) => (3, format!("a run could not be started: {error}")),
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
