//! What one seed draws: each key has a stream of its own, so one more drawn key moves no other.

use std::time::Duration;

use quorate::base::ServerId;
use toml::{Table, Value};

use super::keys::Choice;
use crate::draw::{Draws, key_of};
use crate::grammar::{show_bytes, show_duration};
use crate::scenario::action::{Action, Line};

/// The longest silence before the next of the servers that start one after another.
const START_GAP_MS_MAX: f64 = 2_000.0;

/// The draws of one seed, or the least of everything.
pub(super) struct Dice {
    draws: Option<Draws>,
}

impl Dice {
    pub(super) fn new(seed: Option<u64>) -> Dice {
        Dice { draws: seed.map(Draws::new) }
    }

    /// At least 0, below 1.
    pub(super) fn unit(&self, what: &str, key: &str, n: u64) -> f64 {
        let what = format!("swarm {what}");
        self.draws.map_or(0.0, |draws| draws.unit(&what, key_of(key), n))
    }

    /// Even on a logarithmic scale, or, from 0 on, on a plain one.
    fn log(&self, key: &str, n: u64, low: f64, high: f64) -> f64 {
        let unit = self.unit("value", key, n);
        if low > 0.0 { low * (high / low).powf(unit) } else { low + (high - low) * unit }
    }

    pub(super) fn count(&self, key: &str, choice: &Choice) -> i64 {
        let Choice::OneOf(sizes) = choice else { return 1 };
        match self.draws {
            None => sizes.iter().min().copied().unwrap_or(1) as i64,
            Some(_) => {
                let place = self.unit("value", key, 0) * sizes.len() as f64;
                sizes.get(place as usize).copied().unwrap_or(1) as i64
            }
        }
    }

    pub(super) fn value(&self, key: &str, choice: &Choice) -> Value {
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
            Choice::Size(low, high) => Value::String(show_bytes(self.size(key, 0, *low, *high))),
            Choice::SizeRange(low, high) => {
                let ends = [0, 1].map(|n| self.size(key, n, *low, *high));
                let (from, to) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
                Value::String(format!("{}..{}", show_bytes(from), show_bytes(to)))
            }
            Choice::ByteRate(low, high) => {
                Value::String(format!("{}/s", show_bytes(self.size(key, 0, *low, *high))))
            }
            Choice::Share(share) => Value::Float(*share),
        }
    }

    /// Two digits of it, and zeros.
    fn size(&self, key: &str, n: u64, low: u64, high: u64) -> u64 {
        let drawn = self.log(key, n, low as f64, high as f64) as u64;
        let unit = 10_u64.pow(drawn.max(1).ilog10().saturating_sub(1));
        (drawn - drawn % unit).clamp(low, high)
    }

    /// In some seeds one voter has no vote, or two.
    pub(super) fn weights(&self, share: f64, voters: &[i64]) -> Option<Value> {
        if voters.len() < 3 || self.unit("is on", "weights", 0) >= share {
            return None;
        }
        let place = self.unit("value", "weights", 0) * voters.len() as f64;
        let voter = voters.get(place as usize)?;
        let weight = if self.unit("value", "weights", 1) < 0.5 { 0 } else { 2 };
        Some(Value::Table(Table::from_iter([(voter.to_string(), Value::Integer(weight))])))
    }

    /// In some seeds about half of the servers speak as Apache's do, half of these as the newest.
    pub(super) fn dialects(&self, share: f64, servers: &[i64]) -> Option<Value> {
        self.draws?;
        if self.unit("is on", "dialect", 0) >= share {
            return None;
        }
        let mut names = Table::new();
        for id in servers {
            let unit = self.unit("value", "dialect", *id as u64);
            let name = match unit {
                ..0.05 => "apache-3.4.5",
                ..0.1 => "apache-3.4",
                ..0.2 => "apache-3.8.0",
                ..0.4 => "apache-3.9",
                ..0.5 => "apache-3.9-dynamic",
                _ => continue,
            };
            names.insert(id.to_string(), Value::String(name.into()));
        }
        Some(Value::Table(names))
    }

    /// All at once, or one after another in any order.
    pub(super) fn starts(&self, late: f64, servers: &[i64]) -> Vec<Line> {
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
