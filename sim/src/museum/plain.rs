//! The plain hunt against every exhibit: one file that knows of no bug in particular, each bug
//! switched on in turn, and seeds in their order until one fails. How soon a bug is found so, and
//! how small its failure becomes, says what the hunt is worth.
//!
//! Seeds are played on all cores; the lowest that fails counts, so that nothing but the times
//! depends on how many are played at once. A seed that fails without the bug too has found another
//! one: it is told, and does not count.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use quorate::base::Exhibit;

use super::{Entry, columns, cpu_since, play_entry};
use crate::child::{self, Limit, RunReport, SIMULATOR, used_by_children};
use crate::grammar::show_duration;
use crate::hunt::plan::{Job, Part, Plan, Planned};
use crate::hunt::run_apart::{Player, run};
use crate::recording::Recording;
use crate::run::signature::Signature;
use crate::scenario::Scenario;
use crate::shrink::{LINES_GOAL, ShrinkOptions, Size, shrink};

/// What is played against every exhibit, and how.
#[derive(Clone, Debug)]
pub struct PlainHunt<'a> {
    /// What plays one run: this program.
    pub program: PathBuf,
    pub file: Planned,
    /// Seeds 1 to this one.
    pub seeds: u64,
    /// Runs at a time.
    pub jobs: usize,
    /// Processor time of one run.
    pub run_limit: Duration,
    /// How long the shrinking of a failure may take; `None`: nothing is shrunk.
    pub shrink: Option<Duration>,
    /// Show progress on a terminal.
    pub shows: bool,
    /// Where files are written while it goes on, and where the shrunk ones stay.
    pub dir: &'a Path,
}

/// One exhibit, and what came of it.
#[derive(Clone, Debug)]
pub struct Row {
    pub exhibit: Exhibit,
    /// Where the bug comes from: `ZOOKEEPER-1419`.
    pub source: String,
    /// The properties that fired in its own scenarios.
    pub fired: Vec<String>,
    /// Whether those were the ones that had to.
    pub caught: bool,
    pub found: Option<Found>,
    /// Processor time of the plain hunt, in seconds; `None` where the system does not tell.
    pub cpu_seconds: Option<f64>,
    /// The simulator failed.
    pub broken: bool,
}

/// The first seed that fails.
#[derive(Clone, Debug)]
pub struct Found {
    /// The property.
    pub id: String,
    /// How many seeds were needed, this one included.
    pub seeds: u64,
    /// `None`: not asked for. What went wrong, in words.
    pub small: Option<Result<Small, String>>,
}

/// A failure made small.
#[derive(Clone, Debug)]
pub struct Small {
    pub size: Size,
    pub seconds: f64,
    /// How the file fails when it is played once more.
    pub again: String,
    /// Whether that is as it must be.
    pub is_same: bool,
    /// The failure is not the exhibit's: it is there without it.
    pub without_exhibit: bool,
}

impl Small {
    fn is_good(&self) -> bool {
        self.is_same && !self.without_exhibit && self.size.lines <= LINES_GOAL
    }
}

impl Row {
    /// Found, and small if that was asked for.
    fn is_good(&self) -> bool {
        let small = |found: &Found| match &found.small {
            None => true,
            Some(small) => small.as_ref().is_ok_and(Small::is_good),
        };
        self.caught && self.found.as_ref().is_some_and(small)
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    pub rows: Vec<Row>,
    /// Seeds of the file that fail without any exhibit, and by what.
    pub unasked: BTreeMap<u64, String>,
}

impl Matrix {
    /// 0: all are found, and small. 1: one is not, or something fails without it. 3: the simulator
    /// failed.
    pub fn exit_code(&self) -> u8 {
        let simulator = self.unasked.values().any(|id| id == SIMULATOR);
        match simulator || self.rows.iter().any(|row| row.broken) {
            true => 3,
            false => u8::from(!self.unasked.is_empty() || !self.rows.iter().all(Row::is_good)),
        }
    }
}

impl PlainHunt<'_> {
    /// Against each exhibit of these entries, which say what its own scenarios are. `done` is told
    /// each row when it is there.
    pub fn against(&self, entries: &[Entry], mut done: impl FnMut(&Row)) -> Matrix {
        let Matrix { mut rows, mut unasked } = Matrix::default();
        for entry in entries {
            let own = play_entry(entry.clone(), self.run_limit);
            if let Some(row) = rows.iter_mut().find(|row| row.exhibit == entry.exhibit) {
                row.fired.extend(own.fired);
                row.caught &= own.caught;
                row.broken |= own.broken;
                continue;
            }
            let mut row = Row {
                exhibit: entry.exhibit,
                source: entry.source.clone(),
                fired: own.fired,
                caught: own.caught,
                found: None,
                cpu_seconds: None,
                broken: own.broken,
            };
            unasked.extend(self.hunt(&mut row));
            done(&row);
            rows.push(row);
        }
        Matrix { rows, unasked }
    }

    /// Fills the row. Which seeds on the way to its failure fail without the exhibit.
    fn hunt(&self, row: &mut Row) -> BTreeMap<u64, String> {
        let plan = Plan {
            scenarios: vec![self.file.clone()],
            seeds: (1, self.seeds.saturating_add(1)),
            museum: vec![row.exhibit.name().to_owned()],
            twice: Part { n: 0, of: 1 },
            shard: None,
        };
        let begun = used_by_children();
        let Trail { first, unasked } = self.trail(&plan);
        row.cpu_seconds = cpu_since(begun);
        let Some((job, signature)) = first else { return unasked };
        row.broken |= signature.id == SIMULATOR;
        let small = self.shrink.map(|time| self.small(&plan, &job, &signature, time));
        row.found = Some(Found { id: signature.id, seeds: job.number + 1, small });
        unasked
    }

    /// Plays the runs of a plan up to the first that fails.
    fn trail(&self, plan: &Plan) -> Trail {
        let plain = Plan { museum: Vec::new(), ..plan.clone() };
        let jobs = Mutex::new(Some(plan.jobs()));
        let failed: Mutex<Vec<Failed>> = Mutex::default();
        let next = || jobs.lock().ok()?.as_mut()?.next();
        let play = || {
            while let Some(job) = next() {
                let Some(broke) = run(self.player(), plan, &job, None).failure else { continue };
                let control = run(self.player(), &plain, &job, None).failure;
                // Runs begin in their order: whatever is lower has begun already.
                if let (None, Ok(mut jobs)) = (&control, jobs.lock()) {
                    *jobs = None;
                }
                if let Ok(mut failed) = failed.lock() {
                    let without = control.map(|control| control.signature.id);
                    failed.push(Failed { job, signature: broke.signature, without });
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(play);
            }
        });
        Trail::of(failed.into_inner().unwrap_or_default())
    }

    fn player(&self) -> Player<'_> {
        Player { program: &self.program, limit: Limit::of(self.run_limit) }
    }

    /// Records the run, shrinks it, and plays what came of it once more.
    fn small(
        &self,
        plan: &Plan,
        job: &Job,
        signature: &Signature,
        time: Duration,
    ) -> Result<Small, String> {
        let file = self.dir.join(format!("{}.toml", plan.museum[0]));
        let recorded = file.with_extension("qrec");
        let again = run(self.player(), plan, job, Some(&recorded)).failure;
        match again {
            None => return Err("run again it holds".into()),
            Some(broke) if broke.signature != *signature => {
                return Err(format!("run again it fails otherwise: {}", broke.words));
            }
            Some(_) => {}
        }
        let recording = Recording::read(&recorded);
        let _ = fs::remove_file(&recorded);
        let recording = recording.map_err(|error| error.to_string())?;
        let scenario = recording.scenario().map_err(|error| error.to_string())?;
        let options = ShrinkOptions { time, jobs: self.jobs, shows: self.shows };
        let shrunk = shrink(&recording, &scenario, &options).map_err(|error| error.to_string())?;
        let written = fs::write(&file, &shrunk.text);
        written.map_err(|error| format!("{}: cannot be written: {error}", file.display()))?;
        let mut command = Command::new(&self.program);
        command.arg("run").arg(&file).args(["--quiet", "--report"]);
        let ended = child::run(command, self.player().limit).map_err(|error| error.to_string())?;
        let again =
            RunReport::first_in(&ended.output).map_or("holds".into(), |first| first.signature.id);
        Ok(Small {
            size: shrunk.after,
            seconds: shrunk.seconds,
            // The file says what must fail in it: then it is played as it should be.
            is_same: again == signature.id && ended.status.success(),
            again,
            without_exhibit: shrunk.holds_without_exhibits == Some(false),
        })
    }
}

/// A run that failed.
struct Failed {
    job: Job,
    signature: Signature,
    /// By what the same seed fails without the exhibit.
    without: Option<String>,
}

/// What the runs up to the first failure said.
struct Trail {
    /// The lowest run that fails because of the exhibit.
    first: Option<(Job, Signature)>,
    /// Seeds below it that fail without it, and by what.
    unasked: BTreeMap<u64, String>,
}

impl Trail {
    /// Of runs that failed, in any order.
    fn of(mut failed: Vec<Failed>) -> Trail {
        failed.sort_by_key(|failed| failed.job.number);
        let mut unasked = BTreeMap::new();
        for Failed { job, signature, without } in failed {
            match without {
                None => return Trail { first: Some((job, signature)), unasked },
                Some(id) => unasked.insert(job.seed, id),
            };
        }
        Trail { first: None, unasked }
    }
}

const HEAD: [&str; 6] = ["exhibit", "bug", "its scenario", "plain hunt", "seeds", "CPU s"];
const HEAD_SMALL: [&str; 5] = ["lines", "servers", "simulated", "shrink s", "again"];

/// The rows in columns, a line that counts, and what was found besides.
pub fn table(matrix: &Matrix, hunt: &PlainHunt<'_>) -> String {
    let Matrix { rows, unasked } = matrix;
    let mut head: Vec<String> = HEAD.map(String::from).into();
    if hunt.shrink.is_some() {
        head.extend(HEAD_SMALL.map(String::from));
    }
    let mut lines = vec![head];
    lines.extend(rows.iter().map(|row| cells(row, hunt)));
    let mut text = columns(&lines);
    let found = rows.iter().filter(|row| row.found.is_some()).count();
    let file = hunt.file.file.display();
    text.push_str(&format!("{found} of {} found in {file}", rows.len()));
    if let Some(time) = hunt.shrink {
        let good = rows.iter().filter(|row| row.is_good()).count();
        let time = show_duration(time);
        text.push_str(&format!(", {good} of them in {LINES_GOAL} lines or less after {time}"));
    }
    text.push('\n');
    for (seed, id) in unasked {
        text.push_str(&format!(
            "NO EXHIBIT'S: seed {seed} fails by {id} without any\n  \
             repeat: quorate-sim run {file} --seed {seed}\n"
        ));
    }
    text
}

fn cells(row: &Row, hunt: &PlainHunt<'_>) -> Vec<String> {
    let (id, seeds) = match &row.found {
        Some(found) => (found.id.clone(), found.seeds.to_string()),
        None => (format!("not found in {}", hunt.seeds), "-".into()),
    };
    let own = match (row.fired.is_empty(), row.caught) {
        (true, _) => "NOT SHOWN".into(),
        (false, true) => row.fired.join(" "),
        (false, false) => format!("NOT CAUGHT: {}", row.fired.join(" ")),
    };
    let cpu = row.cpu_seconds.map_or("-".into(), |seconds| format!("{seconds:.2}"));
    let mut cells = vec![row.exhibit.name().into(), row.source.clone(), own, id, seeds, cpu];
    match row.found.as_ref().and_then(|found| found.small.as_ref()) {
        None => {}
        Some(Err(words)) => cells.push(words.clone()),
        Some(Ok(small)) => {
            let Size { lines, servers, duration, .. } = small.size;
            let again = match (small.is_same, small.without_exhibit) {
                (true, false) => "the same".into(),
                (true, true) => "NOT THE EXHIBIT'S: fails without it too".into(),
                (false, _) => format!("NOT THE SAME: {}", small.again),
            };
            let (duration, seconds) = (show_duration(duration), format!("{:.1}", small.seconds));
            cells.extend([lines.to_string(), servers.to_string(), duration, seconds, again]);
        }
    }
    cells
}

/// The file of the plain hunt, without a bug.
pub fn planned(scenario: &Scenario) -> Result<Planned, String> {
    let file = scenario.file.display();
    match scenario.museum.is_empty() && scenario.violates.is_empty() {
        true => Ok(Planned::new(scenario)),
        false => Err(format!("{file}: has a bug of its own; a plain hunt knows of none")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(exhibit: Exhibit, found: Option<Found>) -> Row {
        let (fired, cpu_seconds) = (vec!["S-18".to_owned()], Some(0.5));
        let source = "ZOOKEEPER-1".into();
        Row { exhibit, source, fired, caught: true, found, cpu_seconds, broken: false }
    }

    fn small(lines: usize) -> Small {
        let size = Size { lines, servers: 3, clients: 0, duration: Duration::from_secs(2) };
        let (again, is_same) = ("S-18".into(), true);
        Small { size, seconds: 7.25, again, is_same, without_exhibit: false }
    }

    fn found(small: Option<Result<Small, String>>) -> Option<Found> {
        Some(Found { id: "S-18".into(), seeds: 4, small })
    }

    fn hunt(shrink: Option<Duration>) -> PlainHunt<'static> {
        let file = Planned {
            file: "plain.toml".into(),
            text: String::new(),
            cases: vec![String::new()],
            seed: None,
        };
        PlainHunt {
            program: PathBuf::new(),
            file,
            seeds: 20,
            jobs: 1,
            run_limit: Duration::from_secs(1),
            shrink,
            shows: false,
            dir: Path::new(""),
        }
    }

    fn matrix(rows: &[Row]) -> Matrix {
        Matrix { rows: rows.to_vec(), unasked: BTreeMap::new() }
    }

    #[test]
    fn what_fails_without_the_exhibit_does_not_count_and_is_told() {
        let signature = |id: &str| Signature { id: id.into(), roles: vec![], words: "".into() };
        let failed = |number: u64, id: &str, without: Option<&str>| {
            let seed = number + 1;
            let job = Job { number, place: number, scenario: 0, case: 1, seed, round: seed };
            Failed { job, signature: signature(id), without: without.map(String::from) }
        };
        let trail = Trail::of(vec![
            failed(9, "S-12", Some("S-12")),
            failed(7, "S-18", None),
            failed(3, "halt", Some("S-12")),
            failed(5, "S-18", None),
        ]);
        let first = trail.first.map(|(job, signature)| (job.seed, signature.id));
        assert_eq!(first, Some((6, "S-18".into())));
        // What comes behind it may or may not have been played.
        assert_eq!(trail.unasked, BTreeMap::from([(4, "S-12".to_owned())]));
        let rows = vec![row(Exhibit::AckBeforeFlush, found(None))];
        let all = Matrix { rows, unasked: trail.unasked };
        assert_eq!(all.exit_code(), 1);
        let text = table(&all, &hunt(None));
        assert!(text.contains("seed 4 fails by S-12 without any\n"), "{text}");
        assert!(text.ends_with("  repeat: quorate-sim run plain.toml --seed 4\n"), "{text}");
    }

    #[test]
    fn what_is_not_found_is_said_and_fails() {
        let all = [row(Exhibit::AckBeforeFlush, found(None)), row(Exhibit::VoteFromTree, None)];
        assert_eq!(matrix(&all[..1]).exit_code(), 0);
        assert_eq!(matrix(&all).exit_code(), 1);
        let text = table(&matrix(&all), &hunt(None));
        assert!(text.contains("not found in 20"), "{text}");
        assert!(text.ends_with("\n1 of 2 found in plain.toml\n"), "{text}");
    }

    #[test]
    fn what_stays_large_or_fails_otherwise_fails() {
        let one =
            |small: Result<Small, String>| vec![row(Exhibit::VoteFromTree, found(Some(small)))];
        let good = one(Ok(small(LINES_GOAL)));
        assert_eq!(matrix(&good).exit_code(), 0);
        let text = table(&matrix(&good), &hunt(Some(Duration::from_secs(120))));
        for words in ["vote_from_tree", " 15 ", " 2s ", " 7.2 ", "the same"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let other = Small { is_same: false, again: "I-7".into(), ..small(3) };
        let without = Small { without_exhibit: true, ..small(3) };
        for (bad, words) in [
            (Ok(small(LINES_GOAL + 1)), "16"),
            (Ok(other), "NOT THE SAME: I-7"),
            (Ok(without), "fails without it too"),
            (Err("run again it holds".to_owned()), "run again it holds"),
        ] {
            let rows = one(bad);
            assert_eq!(matrix(&rows).exit_code(), 1, "{words}");
            let text = table(&matrix(&rows), &hunt(Some(Duration::from_secs(120))));
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn a_simulator_that_fails_is_the_simulators_failure() {
        let broken = Row { broken: true, ..row(Exhibit::VoteFromTree, found(None)) };
        assert_eq!(matrix(&[broken]).exit_code(), 3);
    }
}
