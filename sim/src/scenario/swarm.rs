//! `[swarm]`: each seed draws its ensemble, its limits and its workload, not only its faults.
//!
//! Runs that differ in kind find more than runs that differ in dice: with a snap_count of 5 a
//! learner is sent a SNAP where with 200 it gets a DIFF, and with 4 voters a quorum is another one.
//! A draw gives values for keys of `[ensemble]`, `[network]`, `[disk]` and `[workload]`, and the
//! starts of all servers; what comes of it is a scenario like any other, and everything behind it
//! sees those values alone. Each key has a stream of its own: one more drawn key moves no other.
//!
//! Over 500 lines: a draw and a test of it for each key.
//!
//! Not here: the values' own checks (`compile.rs`, `ensemble.rs`), faults (`chaos.rs`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use quorate::base::ServerId;
use toml::{Spanned, Table, Value};

use super::action::{Action, Line};
use super::compile::Compiler;
use super::error::FileError;
use super::frame::{self, Frame};
use super::mix::MIX_WORDS;
use crate::draw::{Draws, key_of};
use crate::grammar::lexer::duration_range;
use crate::grammar::{show_duration, unknown_word};

/// A key of `[swarm]`: the table of the value it draws, and what is drawn.
type Known = (&'static str, &'static str, Kind);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// How many servers.
    Members,
    /// A whole number of at least so much, even on a logarithmic scale.
    Whole(u64),
    /// A number, even on a logarithmic scale.
    Rate,
    /// A number from 0 to 1, evenly.
    Part,
    /// A time, even on a logarithmic scale.
    Time,
    /// Least and most of a time.
    TimeRange,
    /// The share of seeds in which something is so.
    Share,
}

/// In the order in which they are told.
const KEYS: [Known; 24] = [
    ("voters", "ensemble", Kind::Members),
    ("observers", "ensemble", Kind::Members),
    ("weights", "ensemble", Kind::Share),
    ("late", "ensemble", Kind::Share),
    ("tick_time", "ensemble", Kind::Time),
    ("init_limit", "ensemble", Kind::Whole(1)),
    ("sync_limit", "ensemble", Kind::Whole(1)),
    ("finalize_wait", "ensemble", Kind::Time),
    ("max_notification_interval", "ensemble", Kind::Time),
    ("snap_count", "ensemble", Kind::Whole(1)),
    ("commit_log_count", "ensemble", Kind::Whole(1)),
    ("snapshot_slice", "ensemble", Kind::Whole(1)),
    ("read_only_mode", "ensemble", Kind::Share),
    ("latency", "network", Kind::TimeRange),
    ("fsync", "disk", Kind::TimeRange),
    ("clients", "workload", Kind::Whole(0)),
    ("ops_per_second", "workload", Kind::Rate),
    ("writes", "workload", Kind::Part),
    ("session_timeout", "workload", Kind::Time),
    ("from", "workload", Kind::Time),
    ("nodes", "workload", Kind::Whole(1)),
    ("read_only", "workload", Kind::Part),
    ("watches", "workload", Kind::Part),
    ("mix", "workload", Kind::Share),
];

/// The longest silence before the next of the servers that start one after another.
const START_GAP_MS_MAX: f64 = 2_000.0;
/// The share of kinds that are left out where a mix is drawn.
const KIND_IS_OFF: f64 = 0.3;

/// What may be drawn of a key.
#[derive(Clone, Debug, PartialEq)]
enum Choice {
    /// One of these.
    OneOf(Vec<u64>),
    Whole(u64, u64),
    Rate(f64, f64),
    Part(f64, f64),
    Time(Duration, Duration),
    TimeRange(Duration, Duration),
    Share(f64),
}

/// A section `[swarm]`, understood.
#[derive(Clone, Debug, Default)]
pub struct Swarm {
    choices: Vec<(Known, Choice)>,
    /// What a drawn mix is drawn from: `[workload.mix]`.
    kinds: BTreeMap<String, u64>,
    /// The servers of `[ensemble]`, where they are not drawn.
    voters: Vec<i64>,
    observers: Vec<i64>,
}

/// What a seed has drawn: values by table and key, and the lines that start the servers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawn {
    pub settings: Vec<Setting>,
    pub(super) starts: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    pub table: &'static str,
    pub key: &'static str,
    /// `None`: the key is not there.
    pub value: Option<Value>,
}

impl Compiler<'_> {
    /// The section of a frame; values that are drawn may not be given too.
    pub(super) fn swarm(&self, frame: &Frame) -> Result<Option<Swarm>, FileError> {
        let Some(section) = &frame.swarm else { return Ok(None) };
        let words: Vec<&str> = KEYS.iter().map(|(key, ..)| *key).collect();
        let mut choices = Vec::new();
        for (key, value) in section {
            let Some(known) = KEYS.iter().find(|(word, ..)| word == key.get_ref()) else {
                return Err(self.at(&key.span(), unknown_word("key", key.get_ref(), &words)));
            };
            if known.2 != Kind::Share && self.gives(known) {
                let (key_word, table, _) = known;
                let message = format!("`{key_word}` is drawn here and given in [{table}]");
                return Err(self.at(&key.span(), message));
            }
            choices.push((*known, self.choice(known.2, value)?));
        }
        if frame.boundary.is_some() || frame.start_orders.is_some() {
            let at = section.keys().next().map_or(0..0, Spanned::span);
            let message = "[swarm] goes with neither [boundary] nor [start_orders]";
            return Err(self.at(&at, message));
        }
        let has = |key: &str| section.keys().any(|word| word.get_ref() == key);
        let of_workload = |(word, table, _): &&Known| *table == "workload" && has(word);
        if let Some((word, ..)) = KEYS.iter().find(of_workload)
            && frame.workload.is_none()
            && !has("clients")
        {
            let at = section.keys().find(|key| key.get_ref() == word).map_or(0..0, Spanned::span);
            return Err(self.at(&at, format!("`{word}` needs a [workload], or drawn `clients`")));
        }
        let mix = frame.workload.as_ref().and_then(|workload| workload.mix.as_ref());
        let kinds = mix.into_iter().flatten().map(|(word, n)| (word.get_ref().clone(), *n));
        let kinds: BTreeMap<String, u64> = kinds.collect();
        if let Some((key, _)) = section.iter().find(|(key, _)| key.get_ref() == "mix")
            && kinds.values().all(|weight| *weight == 0)
        {
            return Err(
                self.at(&key.span(), "`mix` is drawn from [workload.mix], which is not there")
            );
        }
        // In the order of KEYS, whatever the order of the file.
        choices.sort_by_key(|((key, ..), _)| words.iter().position(|word| word == key));
        let given = |list: Option<&Vec<i64>>| list.cloned().unwrap_or_default();
        let ensemble = frame.ensemble.as_ref();
        Ok(Some(Swarm {
            choices,
            kinds,
            voters: given(ensemble.and_then(|e| e.voters.as_ref()).map(Spanned::get_ref)),
            observers: given(ensemble.map(|e| &e.observers)),
        }))
    }

    /// Whether the file says a value itself.
    fn gives(&self, (key, table, _): &Known) -> bool {
        let read: Option<Table> = toml::from_str(&self.source.text).ok();
        let table = read.as_ref().and_then(|file| file.get(*table)).and_then(Value::as_table);
        table.is_some_and(|table| table.contains_key(*key))
    }

    fn choice(&self, kind: Kind, value: &Spanned<Value>) -> Result<Choice, FileError> {
        let text = match value.get_ref() {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let (choice, expected) = match kind {
            Kind::Members => (
                members(value.get_ref()),
                "expected how many servers: a number, `\"3..5\"` or a list of numbers up to 9",
            ),
            Kind::Whole(least) => (
                bounds::<u64>(&text)
                    .filter(|(low, _)| *low >= least)
                    .map(|(low, high)| Choice::Whole(low, high)),
                "expected a whole number or a range such as `\"5..200\"`",
            ),
            Kind::Rate => (
                bounds::<f64>(&text)
                    .filter(|(low, high)| *low > 0.0 && high.is_finite())
                    .map(|(low, high)| Choice::Rate(low, high)),
                "expected a number above 0 or a range such as `\"2..30\"`",
            ),
            Kind::Part => (
                bounds::<f64>(&text)
                    .filter(|(low, high)| *low >= 0.0 && *high <= 1.0)
                    .map(|(low, high)| Choice::Part(low, high)),
                "expected a number from 0 to 1 or a range such as `\"0.1..0.9\"`",
            ),
            Kind::Time | Kind::TimeRange => (
                duration_range(&text).filter(|(low, _)| !low.is_zero()).map(
                    |(low, high)| match kind {
                        Kind::Time => Choice::Time(low, high),
                        _ => Choice::TimeRange(low, high),
                    },
                ),
                "expected a time above 0 or a range such as `\"100ms..400ms\"`",
            ),
            Kind::Share => (
                text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).map(Choice::Share),
                "expected a share of the seeds: a number from 0 to 1",
            ),
        };
        let span = value.span();
        let inside = usize::from(matches!(value.get_ref(), Value::String(_)));
        choice.ok_or_else(|| self.source.error(span.start + inside, expected))
    }
}

/// `"3..5"`, or one value that is both ends.
fn bounds<T: std::str::FromStr + PartialOrd + Copy>(text: &str) -> Option<(T, T)> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let (low, high) = (low.trim().parse::<T>().ok()?, high.trim().parse::<T>().ok()?);
    (low <= high).then_some((low, high))
}

fn members(value: &Value) -> Option<Choice> {
    let sizes: Vec<u64> = match value {
        Value::Array(list) => list
            .iter()
            .map(|size| size.as_integer().and_then(|size| u64::try_from(size).ok()))
            .collect::<Option<_>>()?,
        Value::String(text) => {
            let (low, high) = bounds::<u64>(text)?;
            (low..=high.min(9)).collect()
        }
        other => vec![u64::try_from(other.as_integer()?).ok()?],
    };
    (!sizes.is_empty() && sizes.iter().all(|size| *size <= 9)).then_some(Choice::OneOf(sizes))
}

impl Swarm {
    /// What this seed draws. Without a seed: the smallest of everything, and no starts; for
    /// checking the file.
    pub(super) fn draw(&self, seed: Option<u64>) -> Drawn {
        let dice = Dice { draws: seed.map(Draws::new) };
        let mut drawn = Drawn::default();
        let mut voters = self.voters.clone();
        let mut observers = self.observers.clone();
        let mut late = 0.0;
        for ((key, table, _), choice) in &self.choices {
            let value = match (*key, choice) {
                ("voters", choice) => {
                    voters = (1..=dice.count(key, choice).max(1)).collect();
                    Some(ids(&voters))
                }
                ("observers", choice) => {
                    let last = voters.iter().max().copied().unwrap_or(0);
                    observers = (last + 1..=last + dice.count(key, choice)).collect();
                    Some(ids(&observers))
                }
                ("weights", Choice::Share(share)) => dice.weights(*share, &voters),
                ("late", Choice::Share(share)) => {
                    late = *share;
                    continue;
                }
                ("read_only_mode", Choice::Share(share)) => {
                    Some(Value::Boolean(dice.unit("is on", key, 0) < *share))
                }
                ("mix", Choice::Share(share)) => self.mix(&dice, *share),
                (key, choice) => Some(dice.value(key, choice)),
            };
            drawn.settings.push(Setting { table, key, value });
        }
        if seed.is_some() {
            voters.extend(observers);
            drawn.starts = dice.starts(late, &voters);
        }
        drawn
    }

    /// Some of the kinds of [workload.mix], or no mix at all.
    fn mix(&self, dice: &Dice, share: f64) -> Option<Value> {
        if dice.unit("is on", "mix", 0) >= share {
            return None;
        }
        let mut kinds = Table::new();
        for (n, (word, _)) in MIX_WORDS.iter().enumerate() {
            let weight = self.kinds.get(*word).copied().unwrap_or(0);
            if weight > 0 && dice.unit("kind is on", "mix", n as u64) >= KIND_IS_OFF {
                kinds.insert((*word).to_owned(), Value::Integer(weight as i64));
            }
        }
        if kinds.is_empty() {
            kinds.extend(self.kinds.iter().map(|(word, n)| (word.clone(), (*n as i64).into())));
        }
        Some(Value::Table(kinds))
    }
}

fn ids(servers: &[i64]) -> Value {
    Value::Array(servers.iter().map(|id| Value::Integer(*id)).collect())
}

/// The draws of one seed, or the least of everything.
struct Dice {
    draws: Option<Draws>,
}

impl Dice {
    /// At least 0, below 1.
    fn unit(&self, what: &str, key: &str, n: u64) -> f64 {
        let what = format!("swarm {what}");
        self.draws.map_or(0.0, |draws| draws.unit(&what, key_of(key), n))
    }

    /// Even on a logarithmic scale, or, from 0 on, on a plain one.
    fn log(&self, key: &str, n: u64, low: f64, high: f64) -> f64 {
        let unit = self.unit("value", key, n);
        if low > 0.0 { low * (high / low).powf(unit) } else { low + (high - low) * unit }
    }

    fn count(&self, key: &str, choice: &Choice) -> i64 {
        let Choice::OneOf(sizes) = choice else { return 1 };
        match self.draws {
            None => sizes.iter().min().copied().unwrap_or(1) as i64,
            Some(_) => {
                let place = self.unit("value", key, 0) * sizes.len() as f64;
                sizes.get(place as usize).copied().unwrap_or(1) as i64
            }
        }
    }

    fn value(&self, key: &str, choice: &Choice) -> Value {
        let micros = |time: &Duration| time.as_micros() as f64;
        let time = |n, low: &Duration, high: &Duration| {
            let (low, high) = (micros(low), micros(high));
            let drawn = self.log(key, n, low, high) as u64;
            // Whole milliseconds, where that is no great change.
            Duration::from_micros(if drawn > 10_000 { drawn - drawn % 1_000 } else { drawn })
        };
        match choice {
            Choice::OneOf(_) => Value::Integer(self.count(key, choice)),
            Choice::Whole(low, high) => {
                let drawn = self.log(key, 0, *low as f64, (high + 1) as f64) as u64;
                Value::Integer(drawn.clamp(*low, *high) as i64)
            }
            Choice::Rate(low, high) => Value::Float(rounded(self.log(key, 0, *low, *high), *low)),
            Choice::Part(low, high) => {
                let drawn = low + (high - low) * self.unit("value", key, 0);
                Value::Float(rounded(drawn, *low))
            }
            Choice::Time(low, high) => Value::String(show_duration(time(0, low, high).max(*low))),
            Choice::TimeRange(low, high) => {
                let ends = [time(0, low, high), time(1, low, high)];
                let (from, to) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
                Value::String(format!("{}..{}", show_duration(from), show_duration(to)))
            }
            Choice::Share(share) => Value::Float(*share),
        }
    }

    /// In some seeds one voter has no vote, or two.
    fn weights(&self, share: f64, voters: &[i64]) -> Option<Value> {
        if voters.len() < 3 || self.unit("is on", "weights", 0) >= share {
            return None;
        }
        let place = self.unit("value", "weights", 0) * voters.len() as f64;
        let voter = voters.get(place as usize)?;
        let weight = if self.unit("value", "weights", 1) < 0.5 { 0 } else { 2 };
        Some(Value::Table(Table::from_iter([(voter.to_string(), Value::Integer(weight))])))
    }

    /// All at once, or one after another in any order.
    fn starts(&self, late: f64, servers: &[i64]) -> Vec<Line> {
        let ids = |servers: &[i64]| servers.iter().copied().map(ServerId).collect();
        if self.unit("is on", "late", 0) >= late {
            return vec![Line::at(Duration::ZERO, Action::start(ids(servers)))];
        }
        let order = |id: &i64| self.draws.map_or(0, |d| d.u64("swarm order", *id as u64, 0));
        let mut servers = servers.to_vec();
        servers.sort_by_key(order);
        let mut at = Duration::ZERO;
        let mut starts = Vec::new();
        for id in &servers {
            starts.push(Line::at(at, Action::start(ids(&[*id]))));
            let gap = START_GAP_MS_MAX.powf(self.unit("start gap", "late", *id as u64));
            at += Duration::from_millis(gap as u64);
        }
        starts
    }
}

/// With two digits behind the point; not below `least`.
fn rounded(value: f64, least: f64) -> f64 {
    ((value * 100.0).round() / 100.0).max(least)
}

/// A value that stands nowhere in the file.
fn spanned<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

impl Drawn {
    /// Puts it into the frame of the file.
    pub(super) fn put_into(&self, frame: &mut Frame) {
        for setting in &self.settings {
            match setting.table {
                "ensemble" => setting.of_ensemble(frame.ensemble.get_or_insert_default()),
                "network" => frame.network.latency = setting.text(),
                "disk" => frame.disk.fsync = setting.text(),
                _ => setting.of_workload(frame.workload.get_or_insert_default()),
            }
        }
    }

    /// What it is, in one line: `4 voters, 1 observer, snap_count 17`.
    pub fn words(&self) -> String {
        let mut words = String::new();
        let mut add = |word: String| {
            let comma = if words.is_empty() { "" } else { ", " };
            let _ = write!(words, "{comma}{word}");
        };
        for Setting { key, value, .. } in &self.settings {
            match (*key, value) {
                ("voters" | "observers", Some(Value::Array(list))) => match list.len() {
                    0 => {}
                    1 => add(format!("1 {}", key.trim_end_matches('s'))),
                    n => add(format!("{n} {key}")),
                },
                ("mix", Some(Value::Table(kinds))) => {
                    add(format!("a mix of {} kinds", kinds.len()));
                }
                ("weights", Some(Value::Table(one))) => {
                    one.iter().for_each(|(id, weight)| add(format!("weight {weight} of {id}")));
                }
                (_, None | Some(Value::Boolean(false))) => {}
                (_, Some(Value::Boolean(true))) => add((*key).to_owned()),
                (_, Some(Value::String(text))) => add(format!("{key} {text}")),
                (_, Some(value)) => add(format!("{key} {value}")),
            }
        }
        if self.starts.len() > 1 {
            add("started one after another".into());
        }
        words
    }
}

impl Setting {
    fn text(&self) -> Option<Spanned<String>> {
        self.value.as_ref().and_then(Value::as_str).map(|text| spanned(text.to_owned()))
    }

    fn whole<T: TryFrom<i64>>(&self) -> Option<T> {
        self.value.as_ref()?.as_integer()?.try_into().ok()
    }

    fn float(&self) -> Option<f64> {
        self.value.as_ref()?.as_float()
    }

    fn ids(&self) -> Vec<i64> {
        let list = self.value.as_ref().and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_integer).collect()
    }

    /// Numbers by name.
    fn numbers(&self) -> BTreeMap<Spanned<String>, i64> {
        let table = self.value.as_ref().and_then(Value::as_table);
        let pair = |(name, value): (&String, &Value)| {
            value.as_integer().map(|value| (spanned(name.clone()), value))
        };
        table.into_iter().flatten().filter_map(pair).collect()
    }

    fn of_ensemble(&self, ensemble: &mut frame::Ensemble) {
        match self.key {
            "voters" => ensemble.voters = Some(spanned(self.ids())),
            "observers" => ensemble.observers = self.ids(),
            "weights" => ensemble.weights.extend(self.numbers()),
            "tick_time" => ensemble.tick_time = self.text(),
            "init_limit" => ensemble.init_limit = self.whole(),
            "sync_limit" => ensemble.sync_limit = self.whole(),
            "finalize_wait" => ensemble.finalize_wait = self.text(),
            "max_notification_interval" => ensemble.max_notification_interval = self.text(),
            "snap_count" => ensemble.snap_count = self.whole(),
            "commit_log_count" => ensemble.commit_log_count = self.whole(),
            "snapshot_slice" => ensemble.snapshot_slice = self.whole(),
            _ => ensemble.read_only_mode = self.value.as_ref().and_then(Value::as_bool),
        }
    }

    fn of_workload(&self, workload: &mut frame::Workload) {
        match self.key {
            "clients" => workload.clients = self.whole(),
            "ops_per_second" => workload.ops_per_second = self.float(),
            "writes" => workload.writes = self.float(),
            "session_timeout" => workload.session_timeout = self.text(),
            "from" => workload.from = self.text(),
            "nodes" => workload.nodes = self.whole(),
            "read_only" => workload.read_only = self.float(),
            "watches" => workload.watches = self.float(),
            _ => {
                let kinds = self.numbers().into_iter().map(|(word, n)| (word, n as u64));
                workload.mix = self.value.as_ref().map(|_| kinds.collect());
            }
        }
    }
}

#[cfg(test)]
#[path = "swarm_test.rs"]
mod tests;
