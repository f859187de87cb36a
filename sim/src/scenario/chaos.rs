//! `[chaos]`: faults drawn from a seed, as further lines of the timeline.
//!
//! They are drawn before the run, from streams keyed by class and number: so they can be listed,
//! and one of them left out (`--without 3`) without any other moving. Each class gets its own
//! rate per seed, and one class in four is off: runs that differ in kind find more than runs that
//! differ in dice.
//!
//! Not here: the classes (`fault`).

use std::collections::BTreeMap;
use std::time::Duration;

use quorate::base::ServerId;

use super::action::Line;
use super::ensemble::Ensemble;
use super::error::FileError;
use super::reader::{Reader, Section};
use crate::draw::{Draws, key_of};
use crate::fault::{Class, Drawing, classes};
use crate::grammar::unknown_word;

/// `[chaos]`: most so many faults of a class a minute, when, and how long one lasts.
#[derive(Clone, Debug)]
pub struct Chaos {
    pub from: Duration,
    pub until: Duration,
    pub lasting: (Duration, Duration),
    pub rates: Vec<(&'static Class, f64)>,
    /// The share of seeds whose faults come in bursts, with quiet between them.
    pub bursts: f64,
}

/// When one fault begins and, if it is one that lasts, ends.
#[derive(Clone, Debug)]
struct DrawnFault {
    begins: Duration,
    ends: Duration,
    class: &'static Class,
    /// The key of its draws.
    key: u64,
}

impl Chaos {
    /// The lines of this seed's faults, numbered from 1 in the order of their beginning.
    pub fn lines(&self, seed: u64, ensemble: &Ensemble) -> Vec<Line> {
        let draws = Draws::new(seed);
        let mut faults = Vec::new();
        for (class, most) in &self.rates {
            faults.extend(self.draw_class(&draws, class, *most));
        }
        self.in_bursts(&draws, &mut faults);
        faults.sort_by_key(|fault| (fault.begins, fault.class.name, fault.key));
        let servers: Vec<ServerId> = ensemble.servers().into_iter().collect();
        let observers: Vec<ServerId> = ensemble.observers.iter().copied().collect();
        let mut busy = BTreeMap::new();
        let mut lines = Vec::new();
        let mut number = 0;
        for DrawnFault { begins, ends, class, key } in faults {
            let mut drawing = Drawing {
                draws,
                key,
                begins,
                ends,
                servers: &servers,
                observers: &observers,
                busy: &mut busy,
            };
            let Some(steps) = (class.draw)(&mut drawing) else { continue };
            number += 1;
            lines.extend(steps.into_iter().map(|step| Line::drawn(number, step)));
        }
        lines.sort_by_key(|line| (line.when.since(), line.fault));
        lines
    }

    /// In some seeds all that begins within a while begins within a part of it.
    fn in_bursts(&self, draws: &Draws, faults: &mut [DrawnFault]) {
        if draws.unit("bursts are on", 0, 0) >= self.bursts {
            return;
        }
        let range = (Duration::from_millis(800), Duration::from_millis(4000));
        let period = draws.between("burst period", 0, 0, range).as_micros() as u64;
        let part = 0.02 + 0.3 * draws.unit("burst part", 0, 0);
        for fault in faults {
            let since = fault.begins.saturating_sub(self.from).as_micros() as u64;
            let earlier = Duration::from_micros(((since % period) as f64 * (1.0 - part)) as u64);
            fault.begins -= earlier;
            fault.ends -= earlier;
        }
    }

    /// Beginnings with exponential gaps at this seed's rate for the class.
    fn draw_class(&self, draws: &Draws, class: &'static Class, most: f64) -> Vec<DrawnFault> {
        let mut faults = Vec::new();
        let key = key_of(class.name);
        if most <= 0.0 || draws.unit("class is on", key, 0) < 0.25 {
            return faults;
        }
        let rate = most * draws.unit("class rate", key, 0);
        let mut at = self.from;
        for n in 0..1000 {
            let unit = 1.0 - draws.unit("fault gap", key, n);
            let minutes = -unit.ln() / rate.max(1e-6);
            at += Duration::from_micros((minutes.min(1e4) * 60e6) as u64);
            if at >= self.until {
                break;
            }
            let lasts = draws.between("fault length", key, n, self.lasting);
            let ends = (at + lasts).min(self.until);
            faults.push(DrawnFault { begins: at, ends, class, key: key.wrapping_add(n) });
        }
        faults
    }
}

impl Reader<'_> {
    /// `length`: how long the longest case lasts.
    pub(super) fn chaos(&self, section: &Section, length: Duration) -> Result<Chaos, FileError> {
        let second = Duration::from_secs(1);
        let mut chaos = Chaos {
            from: second * 5,
            until: length,
            lasting: (second / 2, second * 8),
            rates: Vec::new(),
            bursts: 0.0,
        };
        for (key, value) in section {
            match key.get_ref().as_str() {
                "from" => chaos.from = self.duration(&self.text(value)?)?,
                "until" => chaos.until = self.duration(&self.text(value)?)?,
                "lasting" => chaos.lasting = self.range(Some(&self.text(value)?), (0, 0))?,
                "bursts" => chaos.bursts = self.number(value)?.clamp(0.0, 1.0),
                name => match classes().find(|class| class.name == name) {
                    Some(class) => chaos.rates.push((class, self.number(value)?)),
                    None => {
                        let mut known = vec!["from", "until", "lasting", "bursts"];
                        known.extend(classes().map(|class| class.name));
                        return Err(
                            self.at(&key.span(), unknown_word("class of faults", name, &known))
                        );
                    }
                },
            }
        }
        Ok(chaos)
    }
}
