//! Faults drawn from a seed, as further lines of the timeline.
//!
//! They are drawn before the run, from streams keyed by class and number: so they can be listed,
//! and one of them left out (`--without 3`) without any other moving. Each class gets its own
//! rate per seed, and one class in four is off: runs that differ in kind find more than runs that
//! differ in dice.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate::base::ServerId;

use super::Ensemble;
use super::action::{Action, Line};
use super::links::{Links, Plane};
use crate::draw::Draws;

/// `[chaos]`: most so many faults of a class a minute, when, and how long one lasts.
#[derive(Clone, Debug)]
pub struct Chaos {
    pub from: Duration,
    pub until: Duration,
    pub lasting: (Duration, Duration),
    pub rates: Vec<(&'static str, f64)>,
    /// The share of seeds whose faults come in bursts, with quiet between them.
    pub bursts: f64,
}

/// One drawn fault: its beginning and, where it has one, its end.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) begins: Duration,
    pub(super) ends: Duration,
    pub(super) class: &'static str,
    /// The key of its draws.
    pub(super) key: u64,
}

impl Chaos {
    /// The lines of this seed's faults, numbered from 1 in the order of their beginning.
    pub fn lines(&self, seed: u64, ensemble: &Ensemble) -> Vec<Line> {
        let draws = Draws::new(seed);
        let mut faults = Vec::new();
        for (class, most) in &self.rates {
            faults.extend(self.of_class(&draws, class, *most));
        }
        self.in_bursts(&draws, &mut faults);
        faults.sort_by_key(|fault| (fault.begins, fault.class, fault.key));
        let mut busy: BTreeMap<ServerId, Duration> = BTreeMap::new();
        let mut lines = Vec::new();
        let mut number = 0;
        for fault in &faults {
            let told = super::plots::plot(&draws, ensemble, fault)
                .or_else(|| super::chaos_stories::story(&draws, ensemble, fault))
                .or_else(|| simple(&draws, ensemble, fault, &mut busy));
            let Some(told) = told else { continue };
            number += 1;
            lines.extend(told.into_iter().map(|line| Line { fault: Some(number), ..line }));
        }
        lines.sort_by_key(|line| (super::cases::from(&line.when), line.fault));
        lines
    }

    /// In some seeds all that begins within a while begins within a part of it.
    fn in_bursts(&self, draws: &Draws, faults: &mut [Fault]) {
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
    fn of_class(&self, draws: &Draws, class: &'static str, most: f64) -> Vec<Fault> {
        let mut faults = Vec::new();
        if most <= 0.0 || draws.unit("class is on", key_of(class), 0) < 0.25 {
            return faults;
        }
        let rate = most * draws.unit("class rate", key_of(class), 0);
        let mut at = self.from;
        for n in 0..1000 {
            let unit = 1.0 - draws.unit("fault gap", key_of(class), n);
            let minutes = -unit.ln() / rate.max(1e-6);
            at += Duration::from_micros((minutes.min(1e4) * 60e6) as u64);
            if at >= self.until {
                break;
            }
            let lasts = draws.between("fault length", key_of(class), n, self.lasting);
            let ends = (at + lasts).min(self.until);
            faults.push(Fault { begins: at, ends, class, key: key_of(class).wrapping_add(n) });
        }
        faults
    }
}

pub(super) fn key_of(class: &str) -> u64 {
    class.bytes().fold(17, |key, byte| crate::draw::mix(key ^ u64::from(byte)))
}

/// The lines of a fault that is one action, and perhaps the one that takes it back.
fn simple(
    draws: &Draws,
    ensemble: &Ensemble,
    fault: &Fault,
    busy: &mut BTreeMap<ServerId, Duration>,
) -> Option<Vec<Line>> {
    let (begin, end) = actions(draws, ensemble, fault, busy)?;
    let mut lines = vec![Line::at(fault.begins, begin)];
    lines.extend(end.map(|end| Line::at(fault.ends, end)));
    Some(lines)
}

/// What begins and what ends a fault. `None` if its server is down or paused already.
fn actions(
    draws: &Draws,
    ensemble: &Ensemble,
    fault: &Fault,
    busy: &mut BTreeMap<ServerId, Duration>,
) -> Option<(Action, Option<Action>)> {
    let all: Vec<ServerId> = ensemble.servers().into_iter().collect();
    let one = all[draws.below("fault server", fault.key, 0, all.len() as u64) as usize];
    if matches!(fault.class, "crash" | "stop" | "pause") {
        if busy.get(&one).is_some_and(|until| *until >= fault.begins) {
            return None;
        }
        busy.insert(one, fault.ends);
    }
    let servers = vec![one];
    Some(match fault.class {
        "crash" => (Action::Crash(servers.clone()), Some(Action::Start(servers))),
        "stop" => (Action::Stop(servers.clone()), Some(Action::Start(servers))),
        "pause" => (Action::Pause(servers.clone()), Some(Action::Resume(servers))),
        "cut" => mended(split(draws, fault.key, &all)),
        "partial_cut" => {
            let others: Vec<ServerId> = all.iter().copied().filter(|s| *s != one).collect();
            let other = others.get(
                draws.below("fault other", fault.key, 0, u64::MAX) as usize % others.len().max(1),
            )?;
            mended(Links::between(Plane::Servers, &[servers, vec![*other]]))
        }
        "one_way_cut" => {
            let others: Vec<ServerId> = all.iter().copied().filter(|s| *s != one).collect();
            let inbound = draws.below("fault direction", fault.key, 0, 2) == 0;
            mended(if inbound {
                Links::one_way(Plane::Servers, &others, &servers)
            } else {
                Links::one_way(Plane::Servers, &servers, &others)
            })
        }
        "clock_rate" => {
            // From half to double speed, even on a logarithmic scale.
            let rate = 2f64.powf(draws.unit("clock rate", fault.key, 0) * 2.0 - 1.0);
            let rate = (rate * 100.0).round() / 100.0;
            let back = Action::ClockRate { servers: servers.clone(), rate: 1.0 };
            (Action::ClockRate { servers, rate }, Some(back))
        }
        "clock_jump" => {
            let hour = 3_600_000.0;
            let by = (draws.unit("clock jump", fault.key, 0) * 2.0 - 1.0) * hour;
            (Action::ClockJump { servers, by_ms: by as i64 }, None)
        }
        "slow_apply" => {
            let range = (Duration::from_millis(5), Duration::from_millis(300));
            let by = draws.between("apply delay", fault.key, 0, range);
            let back = Action::SlowApply { servers: servers.clone(), by: Duration::ZERO };
            (Action::SlowApply { servers, by }, Some(back))
        }
        "slow_fsync" => {
            let range = (Duration::from_millis(5), Duration::from_millis(400));
            let by = draws.between("fsync delay", fault.key, 0, range);
            let back = Action::SlowFsync { servers: servers.clone(), by: Duration::ZERO };
            (Action::SlowFsync { servers, by }, Some(back))
        }
        _ => (Action::HoldFsync(servers.clone()), Some(Action::ReleaseFsync(servers))),
    })
}

fn mended(links: Links) -> (Action, Option<Action>) {
    (Action::Cut(links.clone()), Some(Action::Heal(Some(links))))
}

/// Two groups, neither of them empty.
fn split(draws: &Draws, key: u64, all: &[ServerId]) -> Links {
    let mut sides = [Vec::new(), Vec::new()];
    for (n, server) in all.iter().enumerate() {
        sides[draws.below("fault side", key, n as u64, 2) as usize].push(*server);
    }
    for i in 0..2 {
        if sides[i].is_empty() {
            let moved = sides[1 - i].pop();
            sides[i].extend(moved);
        }
    }
    Links::between(Plane::Servers, &sides)
}
