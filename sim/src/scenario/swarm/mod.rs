//! `[swarm]`: each seed draws its ensemble, its limits and its workload, not only its faults.
//!
//! Runs that differ in kind find more than runs that differ in dice: with a snap_count of 5 a
//! learner is sent a SNAP where with 200 it gets a DIFF, and with 4 voters a quorum is another one.
//! A draw gives values for keys of `[ensemble]`, `[network]`, `[disk]` and `[workload]`, and the
//! starts of all servers; what comes of it is a scenario like any other, and everything behind it
//! sees those values alone.
//!
//! `keys.rs`: what can be drawn; `dice.rs`: drawing it; `drawn.rs`: what came of it.
//!
//! Not here: the values' own checks (`ensemble.rs`, `workload.rs`), faults (`chaos.rs`).

mod dice;
mod drawn;
mod keys;

pub use drawn::Drawn;

use std::collections::BTreeMap;

use toml::{Spanned, Table, Value};

use super::error::FileError;
use super::frame::Frame;
use super::mix::MIX_WORDS;
use super::reader::Reader;
use crate::grammar::lexer::duration_range;
use crate::grammar::sizes::{byte_rate, bytes, size_range};
use crate::grammar::unknown_word;
use dice::Dice;
use drawn::Setting;
use keys::{Choice, KEYS, Kind, Known};

/// The share of kinds that are left out where a mix is drawn.
const KIND_IS_OFF: f64 = 0.3;

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

impl Reader<'_> {
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
            Kind::Size | Kind::SizeRange => (
                size_range(&text, bytes).filter(|(low, _)| *low > 0).map(
                    |(low, high)| match kind {
                        Kind::Size => Choice::Size(low, high),
                        _ => Choice::SizeRange(low, high),
                    },
                ),
                "expected bytes above 0 or a range such as `\"4KB..64KB\"`",
            ),
            Kind::ByteRate => (
                size_range(&text, byte_rate)
                    .filter(|(low, _)| *low > 0)
                    .map(|(low, high)| Choice::ByteRate(low, high)),
                "expected bytes a second or a range such as `\"1MB/s..20MB/s\"`",
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
        let dice = Dice::new(seed);
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
                ("dialect", Choice::Share(share)) => {
                    let servers: Vec<i64> = voters.iter().chain(&observers).copied().collect();
                    dice.dialects(*share, &servers)
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

#[cfg(test)]
#[path = "swarm_test.rs"]
mod tests;
