//! Trials: does this draft still fail in the same way? A process each, as many at a time as there
//! are cores.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::child::{self, Limit, RUN_LIMIT, RunReport};
use crate::recording::Recording;
use crate::run::signature::Signature;
use crate::scenario::draft::Draft;

/// How a run of a draft failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) signature: Signature,
    /// When the property broke, after the start of the world.
    pub(super) at: Duration,
}

pub(super) struct Trials {
    dir: PathBuf,
    program: PathBuf,
    jobs: usize,
    deadline: Instant,
    /// What came of drafts that were tried already, by their text.
    known: BTreeMap<String, Option<Hit>>,
    files: AtomicUsize,
    /// Why a trial could not be written.
    unwritten: OnceLock<io::Error>,
    pub(super) runs: u64,
    pub(super) bar: ProgressBar,
}

impl Trials {
    pub(super) fn new(jobs: usize, bar: ProgressBar) -> io::Result<Trials> {
        let dir = std::env::temp_dir().join(format!("quorate-shrink-{}", std::process::id()));
        fs::create_dir_all(&dir)?;
        Ok(Trials {
            dir,
            program: std::env::current_exe()?,
            jobs: jobs.max(1),
            deadline: Instant::now() + RUN_LIMIT,
            known: BTreeMap::new(),
            files: AtomicUsize::new(0),
            unwritten: OnceLock::new(),
            runs: 0,
            bar,
        })
    }

    /// Whether what could not be written is why nothing failed.
    pub(super) fn unwritten(&mut self) -> Option<io::Error> {
        self.unwritten.take()
    }

    /// Trials that still run then are ended, and tell nothing.
    pub(super) fn end_at(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    pub(super) fn time_is_up(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// How this draft fails, if it does.
    pub(super) fn run(&mut self, draft: &Draft) -> Option<Hit> {
        let mut found = None;
        self.first(std::slice::from_ref(draft), &mut |hit| {
            found = Some(hit.clone());
            true
        });
        found
    }

    /// The first of these drafts, in their order, that fails as wanted. The answer does not
    /// depend on which trial ends first.
    pub(super) fn first(
        &mut self,
        drafts: &[Draft],
        wanted: &mut dyn FnMut(&Hit) -> bool,
    ) -> Option<(usize, Hit)> {
        let texts: Vec<Option<String>> = drafts.iter().map(text_of).collect();
        let mut from = 0;
        while from < texts.len() && !self.time_is_up() {
            let upto = (from + self.jobs).min(texts.len());
            let fresh: Vec<&String> = texts[from..upto]
                .iter()
                .flatten()
                .filter(|text| !self.known.contains_key(*text))
                .collect();
            let outcomes = self.run_all(&fresh);
            let told = fresh.into_iter().cloned().zip(outcomes);
            let told: Vec<_> = told.filter_map(|(text, hit)| Some((text, hit?))).collect();
            self.known.extend(told);
            for (n, text) in texts[from..upto].iter().enumerate() {
                let hit = text.as_ref().and_then(|text| self.known.get(text)).cloned().flatten();
                if let Some(hit) = hit
                    && wanted(&hit)
                {
                    return Some((from + n, hit));
                }
            }
            from = upto;
        }
        None
    }

    /// `None` where the time was up before the run was over.
    fn run_all(&mut self, texts: &[&String]) -> Vec<Option<Option<Hit>>> {
        let outcomes = Mutex::new(vec![None; texts.len()]);
        let this = &*self;
        thread::scope(|scope| {
            for (n, text) in texts.iter().enumerate() {
                let outcomes = &outcomes;
                scope.spawn(move || {
                    let outcome = this.run_one(text);
                    if let Ok(mut outcomes) = outcomes.lock() {
                        outcomes[n] = outcome;
                    }
                });
            }
        });
        self.runs += texts.len() as u64;
        self.bar.inc(texts.len() as u64);
        outcomes.into_inner().unwrap_or_default()
    }

    fn run_one(&self, text: &str) -> Option<Option<Hit>> {
        let file = self.new_file("toml");
        if let Err(error) = fs::write(&file, text) {
            // The first one says it all.
            let _ = self.unwritten.set(error);
            return None;
        }
        let mut command = Command::new(&self.program);
        command.arg("run").arg(&file).args(["--quiet", "--report"]);
        let output = self.output_of(command);
        let _ = fs::remove_file(&file);
        let first = RunReport::first_in(&output?);
        Some(
            first.map(|first| Hit {
                signature: first.signature,
                at: Duration::from_nanos(first.at),
            }),
        )
    }

    /// What happens in this draft, event by event.
    pub(super) fn record(&mut self, draft: &Draft) -> Option<Recording> {
        let (file, target) = (self.new_file("toml"), self.new_file("qrec"));
        fs::write(&file, draft.text()).ok()?;
        let mut command = Command::new(&self.program);
        command.arg("run").arg(&file).args(["--quiet", "--report"]).arg("--record").arg(&target);
        let output = self.output_of(command);
        let recording = output.and_then(|_| Recording::read(&target).ok());
        let _ = (fs::remove_file(&file), fs::remove_file(&target));
        self.runs += 1;
        recording
    }

    fn new_file(&self, extension: &str) -> PathBuf {
        let n = self.files.fetch_add(1, Ordering::Relaxed);
        self.dir.join(format!("{n}.{extension}"))
    }

    /// `None` if it had to be ended, or could not be started.
    fn output_of(&self, command: Command) -> Option<String> {
        let limit = Limit { work: RUN_LIMIT, until: Some(self.deadline) };
        child::run(command, limit).ok().map(|ended| ended.output)
    }
}

/// `None` if it is no scenario at all.
fn text_of(draft: &Draft) -> Option<String> {
    draft.compile(Path::new("candidate.toml")).ok().map(|scenario| scenario.text)
}

impl Drop for Trials {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}
