//! What a hunt is to do: files, seeds, and which part of their runs. Runs are numbered from 0, by
//! seed, then file, then case; a shard takes every N-th number, so all shards together are the
//! whole and no two of them share a run.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::draw::Key;
use crate::scenario::Scenario;

/// What makes two hunts the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub scenarios: Vec<Planned>,
    /// The first, and the one after the last.
    pub seeds: (u64, u64),
    /// Exhibits switched on besides those of the files.
    pub museum: Vec<String>,
    /// The share of the runs that are done twice.
    pub twice: Part,
    /// `None`: all of it.
    pub shard: Option<Part>,
}

/// One file of a hunt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    pub file: PathBuf,
    /// A hash of what it says.
    pub text: String,
    /// The names of its cases; one empty name if it has one case alone.
    pub cases: Vec<String>,
    /// The seed it is about, whatever the range is.
    pub seed: Option<u64>,
}

/// One run to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Among the runs of all shards, from 0.
    pub number: u64,
    /// Among those of this shard, from 0.
    pub place: u64,
    /// In [`Plan::scenarios`].
    pub scenario: usize,
    /// From 1, as `--case` counts.
    pub case: usize,
    pub seed: u64,
    /// The seed of the range under which it is counted: another one, if its file is about one.
    pub round: u64,
}

/// `n/of`: the n-th of so many shards, or so many of so many runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Part {
    pub n: u64,
    pub of: u64,
}

impl Planned {
    pub fn new(scenario: &Scenario) -> Planned {
        Planned {
            file: scenario.file.clone(),
            text: format!("{:016x}", Key::new(0, "text").name(&scenario.text).draw()),
            cases: scenario.cases.iter().map(|case| case.name.clone()).collect(),
            seed: scenario.seed,
        }
    }
}

impl Plan {
    /// The runs of this shard, in their order.
    pub fn jobs(&self) -> impl Iterator<Item = Job> + Send + '_ {
        let whole = (self.seeds.0..self.seeds.1).flat_map(|seed| self.jobs_of_seed(seed));
        let Part { n, of } = self.shard.unwrap_or(Part { n: 1, of: 1 });
        let mine = whole.zip(0..).filter(move |(_, number)| number % of == n - 1);
        mine.zip(0..).map(|((job, number), place)| Job { number, place, ..job })
    }

    /// How many that are: as `jobs` has them, but counted without going through.
    pub fn total(&self) -> u64 {
        let cases = |is_pinned: bool| {
            let files = self.scenarios.iter().filter(|file| file.seed.is_some() == is_pinned);
            files.map(|file| file.cases.len() as u64).sum::<u64>()
        };
        let rounds = self.seeds.1.saturating_sub(self.seeds.0);
        let pinned = if rounds > 0 { cases(true) } else { 0 };
        let whole = rounds.saturating_mul(cases(false)).saturating_add(pinned);
        let Part { n, of } = self.shard.unwrap_or(Part { n: 1, of: 1 });
        // Numbers below `whole` that are n - 1 modulo `of`.
        whole / of + u64::from(whole % of >= n)
    }

    fn jobs_of_seed(&self, round: u64) -> impl Iterator<Item = Job> + Send + '_ {
        let files = self.scenarios.iter().enumerate();
        // A scenario about one seed is run once, whatever the range is.
        let files = files.filter(move |(_, file)| file.seed.is_none() || round == self.seeds.0);
        files.flat_map(move |(scenario, file)| {
            let seed = file.seed.unwrap_or(round);
            let job = move |case| Job { number: 0, place: 0, scenario, case, seed, round };
            (1..=file.cases.len()).map(job)
        })
    }

    /// The command that repeats one run.
    pub fn command(&self, job: &Job) -> String {
        let file = &self.scenarios[job.scenario];
        let mut command = format!("quorate-sim run {} --seed {}", self.file(job), job.seed);
        if file.cases.len() > 1 {
            command.push_str(&format!(" --case {}", job.case));
        }
        command + &self.exhibits()
    }

    /// The command that does one seed twice, in every case.
    pub fn command_twice(&self, job: &Job) -> String {
        let (file, seed) = (self.file(job), job.seed);
        let seeds = format!("{seed}..{}", seed.saturating_add(1));
        format!("quorate-sim hunt {file} --seeds {seeds} --twice 1/1{}", self.exhibits())
    }

    fn file(&self, job: &Job) -> String {
        shell_word(&self.scenarios[job.scenario].file.to_string_lossy())
    }

    fn exhibits(&self) -> String {
        match self.museum.is_empty() {
            true => String::new(),
            false => format!(" --museum {}", self.museum.join(",")),
        }
    }

    /// In what another hunt is another one, in words; `None` if it is the same.
    pub fn differs_from(&self, other: &Plan) -> Option<String> {
        let files = |plan: &Plan| {
            let files = plan.scenarios.iter().map(|file| file.file.display().to_string());
            files.collect::<Vec<_>>().join(" ")
        };
        let (its, this) = (files(self), files(other));
        if its != this {
            return Some(format!("its scenarios are {its}, not {this}"));
        }
        let mut pairs = self.scenarios.iter().zip(&other.scenarios);
        if let Some((file, _)) = pairs.find(|(one, other)| one != other) {
            return Some(format!("{} has been changed since", file.file.display()));
        }
        let mut pairs = self.settings().into_iter().zip(other.settings());
        let ((what, its), (_, this)) = pairs.find(|(one, other)| one != other)?;
        Some(format!("its {what} {its}, not {this}"))
    }

    /// What is the same for all files, in words.
    fn settings(&self) -> [(&'static str, String); 4] {
        let museum = if self.museum.is_empty() { "none".into() } else { self.museum.join(",") };
        let shard = self.shard.map_or("the whole".into(), |part| part.to_string());
        [
            ("seeds are", format!("{}..{}", self.seeds.0, self.seeds.1)),
            ("exhibits are", museum),
            ("shard is", shard),
            ("share of runs done twice is", self.twice.to_string()),
        ]
    }
}

impl Part {
    /// Whether the run of this number belongs to the share: the first of every so many.
    pub fn takes(self, number: u64) -> bool {
        number % self.of < self.n
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Part, String> {
        let (n, of) = text.split_once('/').unwrap_or((text, ""));
        match (n.parse(), of.parse()) {
            (Ok(n), Ok(of)) if n <= of && of > 0 => Ok(Part { n, of }),
            _ => Err(format!("expected a part such as 1/4, found {text}")),
        }
    }
}

impl TryFrom<String> for Part {
    type Error = String;

    fn try_from(text: String) -> Result<Part, String> {
        text.parse()
    }
}

impl From<Part> for String {
    fn from(part: Part) -> String {
        part.to_string()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.n, self.of)
    }
}

/// Numbers of runs that are done, as ranges: the first, and the one after the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub struct Done(BTreeMap<u64, u64>);

impl Done {
    pub fn insert(&mut self, number: u64) {
        if self.contains(number) {
            return;
        }
        let end = self.0.remove(&(number + 1)).unwrap_or(number + 1);
        match self.0.range_mut(..number).next_back() {
            Some((_, before)) if *before == number => *before = end,
            _ => {
                self.0.insert(number, end);
            }
        }
    }

    pub fn contains(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, end)| number < *end)
    }

    /// Above it nothing is done.
    pub fn end(&self) -> u64 {
        self.0.last_key_value().map_or(0, |(_, end)| *end)
    }

    pub fn count(&self) -> u64 {
        self.0.iter().map(|(from, end)| end - from).sum()
    }
}

impl From<Vec<(u64, u64)>> for Done {
    fn from(ranges: Vec<(u64, u64)>) -> Done {
        Done(ranges.into_iter().filter(|(from, end)| from < end).collect())
    }
}

impl From<Done> for Vec<(u64, u64)> {
    fn from(done: Done) -> Vec<(u64, u64)> {
        done.0.into_iter().collect()
    }
}

/// A word as a shell takes it.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    match word.chars().all(plain) && !word.is_empty() {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file of two cases, one about seed 77, one of one case.
    pub(in crate::hunt) fn plan(seeds: (u64, u64)) -> Plan {
        let file = |file: &str, cases: &[&str], seed| Planned {
            file: file.into(),
            text: String::new(),
            cases: cases.iter().map(ToString::to_string).collect(),
            seed,
        };
        let scenarios = vec![
            file("two.toml", &["up", "down"], None),
            file("scenario.toml", &[""], Some(77)),
            file("one.toml", &[""], None),
        ];
        Plan { scenarios, seeds, museum: Vec::new(), twice: Part { n: 0, of: 1 }, shard: None }
    }

    #[test]
    fn all_shards_together_are_the_whole_and_share_nothing() {
        let whole: Vec<Job> = plan((3, 20)).jobs().collect();
        assert_eq!(whole.len(), 17 * 3 + 1, "a scenario about one seed is run once");
        for of in [1, 2, 5, 60] {
            let mut all = Vec::new();
            for n in 1..=of {
                let part = Plan { shard: Some(Part { n, of }), ..plan((3, 20)) };
                assert!(part.jobs().zip(0..).all(|(job, place)| job.place == place));
                assert_eq!(part.total(), part.jobs().count() as u64);
                all.extend(part.jobs().map(|job| Job { place: job.number, ..job }));
            }
            all.sort_by_key(|job| job.number);
            assert_eq!(all, whole, "{of} shards");
        }
    }

    #[test]
    fn ranges_of_what_is_done_grow_together() {
        let mut done = Done::default();
        for number in [5, 3, 9, 4, 0, 5] {
            done.insert(number);
        }
        assert_eq!(Vec::from(done.clone()), [(0, 1), (3, 6), (9, 10)]);
        assert_eq!(done.count(), 5);
        let there: Vec<u64> = (0..12).filter(|number| done.contains(*number)).collect();
        assert_eq!(there, [0, 3, 4, 5, 9]);
    }

    #[test]
    fn a_part_is_read_or_refused() {
        assert_eq!("2/4".parse(), Ok(Part { n: 2, of: 4 }));
        for wrong in ["", "2", "5/4", "1/0", "a/b", "-1/2", "1/2/3"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
        let share = Part { n: 1, of: 50 };
        assert_eq!((0..120).filter(|n| share.takes(*n)).collect::<Vec<u64>>(), [0, 50, 100]);
        assert!(!(0..9).any(|n| Part { n: 0, of: 1 }.takes(n)));
    }

    #[test]
    fn another_hunt_is_told_by_what_is_another() {
        let one = plan((1, 9));
        assert_eq!(one.differs_from(&one), None);
        let mut text = one.clone();
        text.scenarios[2].text = "changed".into();
        let shard = Plan { shard: Some(Part { n: 1, of: 2 }), ..one.clone() };
        for (other, words) in [
            (plan((1, 8)), "its seeds are 1..9, not 1..8"),
            (text, "one.toml has been changed"),
            (shard, "its shard is the whole, not 1/2"),
        ] {
            assert!(one.differs_from(&other).is_some_and(|told| told.contains(words)), "{words}");
        }
    }

    #[test]
    fn a_command_can_be_given_to_a_shell() {
        let mut plan = plan((1, 2));
        plan.scenarios[0].file = "a b's.toml".into();
        plan.museum = vec!["ack_before_flush".into()];
        let jobs: Vec<Job> = plan.jobs().collect();
        let command =
            r"quorate-sim run 'a b'\''s.toml' --seed 1 --case 2 --museum ack_before_flush";
        assert_eq!(plan.command(&jobs[1]), command);
        plan.museum.clear();
        assert_eq!(plan.command(&jobs[2]), "quorate-sim run scenario.toml --seed 77");
    }
}
