//! From a recorded failure to the smallest scenario file that still fails in the same way.
//!
//! The run becomes a draft of its own (`scenario::draft`): every drawn fault two lines, the seed
//! pinned. Then parts are left out as long as the failure stays; each trial is a run in a process
//! of its own. Random numbers are keyed by what they are for, so what is left out moves nothing
//! else, and most trials tell something.
//!
//! - `trial.rs`    runs candidates; the first that fails is taken, whichever ends first
//! - `reduce.rs`   delta debugging over the parts of a list
//! - `lines.rs`    faults, lines, actions; what comes behind the failure
//! - `simpler.rs`  servers, settings, the workload
//! - `script.rs`   the workload's operations as lines
//! - `times.rs`    earlier and rounder times
//! - `edit.rs`     changes that keep a draft a scenario

mod edit;
mod lines;
mod reduce;
mod script;
mod simpler;
mod times;
mod trial;

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use thiserror::Error;
use toml::Value;

use crate::grammar::show_duration;
use crate::recording::{Build, Recording};
use crate::run::signature::Signature;
use crate::run::timeline;
use crate::scenario::draft::Draft;
use crate::scenario::{Action, FileError, Scenario};
use trial::{Hit, Trials};

/// A draft of no more lines than this can be read at a glance.
pub const LINES_GOAL: usize = 15;
/// What the last run may take when the time is up.
const CONTROL_TIME: Duration = Duration::from_secs(30);
/// Seeds that are tried besides that of the recording where a change moves draws.
const OTHER_SEEDS: u64 = 4;

/// How to shrink.
#[derive(Clone, Copy, Debug)]
pub struct ShrinkOptions {
    /// After this long the best so far is taken.
    pub time: Duration,
    /// Trials at a time.
    pub jobs: usize,
    /// Show progress on a terminal.
    pub shows: bool,
}

/// What a draft consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub lines: usize,
    pub servers: usize,
    /// Clients that work by themselves.
    pub clients: i64,
    pub duration: Duration,
}

/// The outcome.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The scenario file.
    pub text: String,
    /// The property that fails in it.
    pub id: String,
    pub before: Size,
    pub after: Size,
    pub runs: u64,
    pub seconds: f64,
    /// Whether everything holds without the exhibits; `None` if none is on.
    pub holds_without_exhibits: Option<bool>,
    /// The time was up before nothing more could be left out.
    pub unfinished: bool,
}

#[derive(Debug, Error)]
pub enum ShrinkError {
    #[error("everything holds in this recording: there is nothing to shrink")]
    Holds,
    #[error("{0}")]
    File(#[from] FileError),
    /// Of the directory for temporary files.
    #[error("trials cannot be written: {0}; TMPDIR says where")]
    NoDirectory(#[from] std::io::Error),
    /// The recorded run does not fail again.
    #[error("{0}")]
    DoesNotRepeat(String),
}

struct Shrinker {
    draft: Draft,
    hit: Hit,
    trials: Trials,
    want: Signature,
    with_roles: bool,
    /// Whether what is expected must come where no fault is in the way. Without this an
    /// expectation would fail most simply where it is looked at too early.
    met_without_faults: bool,
    /// The draft asks for no liveness while it is shrunk, and did at first.
    without_liveness: bool,
}

/// Shrinks what a recording shows. `scenario` is the one it carries.
pub fn shrink(
    recording: &Recording,
    scenario: &Scenario,
    options: &ShrinkOptions,
) -> Result<Shrunk, ShrinkError> {
    let begun = Instant::now();
    if recording.violations.is_empty() && recording.simulator.is_none() {
        return Err(ShrinkError::Holds);
    }
    let draft = draft_of(recording, scenario)?;
    let before = Size::of(&draft);
    let mut trials = Trials::new(options.jobs, progress(options.shows))?;
    // However little time there is, whether it fails at all has to be known.
    let hit = trials.run(&draft).filter(|hit| is_recorded(recording, hit));
    let Some(hit) = hit else {
        return Err(match trials.unwritten() {
            Some(error) => ShrinkError::NoDirectory(error),
            None => does_not_repeat(recording),
        });
    };
    trials.end_at(begun + options.time);
    let want = hit.signature.clone();
    let met_without_faults = want.id == "expect" && trials.run(&without_faults(&draft)).is_none();
    let mut shrinker = Shrinker {
        draft,
        hit,
        trials,
        want,
        with_roles: true,
        met_without_faults,
        without_liveness: false,
    };
    shrinker.leave_out_liveness();
    shrinker.work();
    if shrinker.draft.lines.len() > LINES_GOAL {
        // Perhaps other servers can show the same.
        shrinker.with_roles = false;
        shrinker.work();
    }
    let unfinished = shrinker.trials.time_is_up();
    shrinker.ask_for_liveness_again();
    let holds_without_exhibits = shrinker.control();
    shrinker.trials.bar.finish_and_clear();
    let after = Size::of(&shrinker.draft);
    Ok(Shrunk {
        text: finished(&shrinker, recording),
        id: shrinker.want.id.clone(),
        before,
        after,
        runs: shrinker.trials.runs,
        seconds: begun.elapsed().as_secs_f64(),
        holds_without_exhibits,
        unfinished,
    })
}

/// The recorded run as a draft of its own, without what it is about.
pub fn draft_of(recording: &Recording, scenario: &Scenario) -> Result<Draft, FileError> {
    let options = recording.options();
    let mut draft = Draft::new(scenario, options.case, timeline(scenario, &options))?;
    let seed = i64::try_from(recording.seed).map_err(|_| FileError {
        file: scenario.file.clone(),
        line: 0,
        column: 0,
        message: format!("seed {} is too large to be pinned in a file", recording.seed),
    })?;
    draft.set_top("seed", seed);
    draft.add_to_list("museum", &recording.museum);
    draft.table.remove("violates");
    Ok(draft)
}

fn is_recorded(recording: &Recording, hit: &Hit) -> bool {
    match recording.violations.first() {
        Some(first) if recording.simulator.is_none() => first.id == hit.signature.id,
        _ => hit.signature.id == "simulator",
    }
}

fn does_not_repeat(recording: &Recording) -> ShrinkError {
    let words = match recording.is_of_this_build() {
        true => {
            "the recorded run does not fail in the same way again: `replay` says where it differs"
                .to_owned()
        }
        false => format!(
            "with this build ({}) the run does not fail as it was recorded by build {}",
            Build::this(),
            recording.build
        ),
    };
    ShrinkError::DoesNotRepeat(words)
}

impl Shrinker {
    /// Until nothing more goes, or the time is up.
    fn work(&mut self) {
        // What makes runs short comes first: the later steps have many of them.
        let steps: [fn(&mut Shrinker) -> bool; 11] = [
            Shrinker::cut_tail,
            Shrinker::fewer_faults,
            Shrinker::earlier,
            Shrinker::fewer_servers,
            Shrinker::easier_workload,
            Shrinker::fewer_lines,
            Shrinker::scripted_clients,
            Shrinker::smaller_lines,
            Shrinker::plainer_settings,
            Shrinker::earlier,
            Shrinker::rounder,
        ];
        loop {
            let before = self.draft.clone();
            for step in steps {
                if self.trials.time_is_up() {
                    return;
                }
                step(self);
                self.cut_tail();
            }
            if self.draft == before {
                return;
            }
        }
    }

    /// A failure that comes before the scenario is over needs nothing of what follows, which is the
    /// longer part of a short run that holds.
    fn leave_out_liveness(&mut self) {
        if self.draft.table.contains_key("liveness") || self.hit.at >= self.draft.duration() {
            return;
        }
        let mut draft = self.draft.clone();
        draft.set_top("liveness", "unavailable");
        self.without_liveness = self.attempt(vec![draft]).is_some();
    }

    fn ask_for_liveness_again(&mut self) {
        if !self.without_liveness {
            return;
        }
        let mut draft = self.draft.clone();
        draft.table.remove("liveness");
        self.trials.end_at(Instant::now() + CONTROL_TIME);
        // Where something else fails then, the draft is the shorter one.
        self.attempt(vec![draft]);
    }

    /// Whether the failure is the exhibits' own.
    fn control(&mut self) -> Option<bool> {
        let mut draft = self.draft.clone();
        draft.table.remove("museum")?;
        self.trials.end_at(Instant::now() + CONTROL_TIME);
        Some(self.trials.run(&draft).is_none())
    }

    /// Takes the first of these drafts that fails as wanted. Its place, if there is one.
    fn attempt(&mut self, candidates: Vec<Draft>) -> Option<usize> {
        let (want, with_roles) = (self.want.clone(), self.with_roles);
        let mut from = 0;
        let (n, hit) = loop {
            let rest = candidates.get(from..)?;
            let wanted = &mut |hit: &Hit| want.is(&hit.signature, with_roles);
            let (n, hit) = self.trials.first(rest, wanted)?;
            let plain = || without_faults(&rest[n]);
            if !self.met_without_faults || self.trials.run(&plain()).is_none() {
                break (from + n, hit);
            }
            from += n + 1;
        };
        self.draft = candidates.into_iter().nth(n)?;
        self.hit = hit;
        self.tell();
        Some(n)
    }

    /// The same where a change moves draws that matter: another seed may do. The place is that
    /// among the candidates, whatever the seed.
    fn attempt_with_any_seed(&mut self, candidates: Vec<Draft>) -> Option<usize> {
        let count = candidates.len();
        let mut all = candidates.clone();
        for seed in 1..=OTHER_SEEDS {
            all.extend(candidates.iter().map(|draft| {
                let mut draft = draft.clone();
                draft.set_top("seed", seed as i64);
                draft
            }));
        }
        self.attempt(all).map(|n| n % count.max(1))
    }

    fn tell(&self) {
        let Size { lines, servers, clients, duration } = Size::of(&self.draft);
        let clients = if clients > 0 { format!(", {clients} clients") } else { String::new() };
        let duration = show_duration(duration);
        let message = format!("{lines} lines, {servers} servers{clients}, {duration}");
        self.trials.bar.set_message(message);
    }
}

impl Size {
    fn of(draft: &Draft) -> Size {
        let clients = draft.get("workload", "clients").and_then(Value::as_integer);
        Size {
            lines: draft.lines.len(),
            servers: draft.members("voters").len() + draft.members("observers").len(),
            clients: clients.unwrap_or(0),
            duration: draft.duration(),
        }
    }
}

/// Servers start, clients ask, things are expected; nothing is in their way.
fn without_faults(draft: &Draft) -> Draft {
    let mut draft = draft.clone();
    let harmless = |action: &Action| match action {
        Action::Fault(fault) => !fault.hinders(),
        Action::Client { .. } | Action::Expect(_) => true,
    };
    draft.lines.iter_mut().for_each(|line| line.actions.retain(harmless));
    edit::tidy(draft)
}

/// With what it is about, and what must fail in it.
fn finished(shrinker: &Shrinker, recording: &Recording) -> String {
    let mut draft = shrinker.draft.clone();
    let id = &shrinker.want.id;
    let words = recording.violations.first().map_or("", |violated| &violated.words);
    let file = Path::new(&recording.scenario_file);
    let file = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let origin = format!("{file}, seed {}", recording.seed);
    draft.set_top(
        "about",
        wrapped(&format!(
            "The smallest scenario found in which {} fails as in {origin}. There: {words}.",
            named(id)
        )),
    );
    draft.set_top("source", format!("shrunk from {origin}"));
    if id != "simulator" {
        draft.set_top("violates", vec![id.clone()]);
    }
    draft.text()
}

/// A property as the subject of a sentence.
pub(super) fn named(id: &str) -> &str {
    match id {
        "expect" => "an expectation",
        "halt" => "the life of a process",
        "assert" => "an assertion",
        id => id,
    }
}

/// Lines of readable length.
pub(super) fn wrapped(text: &str) -> String {
    const WIDTH: usize = 100;
    let mut out = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        if width > 0 && width + 1 + word.len() > WIDTH {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += word.len();
    }
    out.push('\n');
    out
}

fn progress(shows: bool) -> ProgressBar {
    if !shows {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{elapsed_precise} {spinner} {pos} runs: {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
