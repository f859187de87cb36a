//! Shorter and rounder: later lines come earlier, times become whole seconds where they may.

use std::time::Duration;

use super::Shrinker;
use super::edit::tidy;
use super::lines::round_up;
use crate::grammar::show_duration;
use crate::scenario::draft::Draft;
use crate::scenario::{Action, Line};

const STEPS_MS: [u64; 5] = [1_000, 500, 100, 10, 1];

impl Shrinker {
    /// Closes gaps between one moment of the draft and the next.
    pub(super) fn earlier(&mut self) -> bool {
        let mut changed = false;
        let mut n = 0;
        while n < moments(&self.draft).len() && !self.trials.time_is_up() {
            let all = moments(&self.draft);
            let (at, before) = (all[n], n.checked_sub(1).map_or(Duration::ZERO, |n| all[n]));
            let gap = at - before;
            let shifts = [gap, gap * 7 / 8, gap * 3 / 4, gap / 2, gap / 4];
            let shifts = shifts.into_iter().filter(|by| by.as_millis() >= 50);
            let candidates = shifts.map(|by| shifted(&self.draft, at, round_down(by))).collect();
            match self.attempt(candidates) {
                Some(_) => changed = true,
                None => n += 1,
            }
        }
        changed
    }

    /// Rounds all times at once, or one by one.
    pub(super) fn rounder(&mut self) -> bool {
        let mut changed = false;
        let all = STEPS_MS.map(|step| {
            let mut draft = self.draft.clone();
            draft.lines.iter_mut().for_each(|line| round_line(line, step));
            round_workload(&mut draft, step);
            tidy(draft)
        });
        let all = all.into_iter().filter(|draft| *draft != self.draft).collect();
        changed |= self.attempt(all).is_some();
        for n in 0..self.draft.lines.len() {
            let one = STEPS_MS.map(|step| {
                let mut draft = self.draft.clone();
                round_line(&mut draft.lines[n], step);
                tidy(draft)
            });
            changed |= self.attempt_rounder(one.into());
        }
        let workload = STEPS_MS.map(|step| {
            let mut draft = self.draft.clone();
            round_workload(&mut draft, step);
            draft
        });
        changed |= self.attempt_rounder(workload.into());
        changed | self.attempt_rounder(self.rounder_ends())
    }

    /// The run ends with the failure: its duration may as well be round.
    fn rounder_ends(&self) -> Vec<Draft> {
        let last = self.draft.lines.iter().map(|line| line.when.since()).max();
        let end = self.hit.at.min(self.draft.duration()).max(last.unwrap_or_default());
        let ends = STEPS_MS.map(|step| {
            let mut draft = self.draft.clone();
            draft.set_duration(round_up(end, Duration::from_millis(step)));
            draft
        });
        // Only what is rounder than it is.
        ends.into_iter().take_while(|draft| *draft != self.draft).collect()
    }

    fn attempt_rounder(&mut self, candidates: Vec<Draft>) -> bool {
        let present = self.draft.clone();
        let rounder = candidates.into_iter().filter(|draft| *draft != present).collect();
        self.attempt(rounder).is_some()
    }
}

/// When something begins: lines and clients.
fn moments(draft: &Draft) -> Vec<Duration> {
    let mut all: Vec<Duration> = draft.lines.iter().map(|line| line.when.since()).collect();
    all.extend(draft.time("workload", "from"));
    all.retain(|at| !at.is_zero());
    all.sort();
    all.dedup();
    all
}

/// Everything from a moment on, so much earlier.
fn shifted(draft: &Draft, from: Duration, by: Duration) -> Draft {
    let mut draft = draft.clone();
    for line in &mut draft.lines {
        let at = line.when.since();
        if at >= from {
            line.when.set_since(at - by);
        }
    }
    for key in ["from", "until"] {
        if let Some(at) = draft.time("workload", key).filter(|at| *at >= from) {
            draft.set("workload", key, show_duration(at - by));
        }
    }
    let duration = draft.duration().saturating_sub(by);
    draft.set_duration(duration);
    tidy(draft)
}

fn round_down(time: Duration) -> Duration {
    let step = if time >= Duration::from_secs(1) { 100 } else { 10 };
    let whole = time.as_millis() as u64;
    match whole % step {
        _ if whole <= step => time,
        rest => Duration::from_millis(whole - rest),
    }
}

/// To the nearest multiple; nothing becomes nothing.
fn round(time: Duration, step_ms: u64) -> Duration {
    let step = step_ms * 1_000_000;
    let nanos = time.as_nanos() as u64;
    let rounded = (nanos + step / 2) / step * step;
    if rounded == 0 { time } else { Duration::from_nanos(rounded) }
}

fn round_line(line: &mut Line, step_ms: u64) {
    let at = line.when.since();
    line.when.set_since(round(at, step_ms));
    for action in &mut line.actions {
        if let Action::Fault(fault) = action {
            fault.round(&|time| round(time, step_ms));
        }
    }
}

fn round_workload(draft: &mut Draft, step_ms: u64) {
    for key in ["from", "until"] {
        if let Some(at) = draft.time("workload", key) {
            draft.set("workload", key, show_duration(round(at, step_ms)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_keeps_what_would_vanish() {
        let ms = Duration::from_millis;
        assert_eq!(round(ms(1_499), 1_000), ms(1_000));
        assert_eq!(round(ms(1_500), 1_000), ms(2_000));
        assert_eq!(round(ms(300), 1_000), ms(300));
        assert_eq!(round_down(ms(1_234)), ms(1_200));
        assert_eq!(round_down(ms(234)), ms(230));
    }
}
