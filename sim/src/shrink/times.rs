//! Shorter and rounder: later lines come earlier, times become whole seconds where they may.

use std::time::Duration;

use super::Shrinker;
use super::edit::tidy;
use super::lines::round_up;
use crate::grammar::show_duration;
use crate::scenario::story::Story;
use crate::scenario::{Action, Line};

const STEPS_MS: [u64; 5] = [1_000, 500, 100, 10, 1];

impl Shrinker {
    /// Closes gaps between one moment of the story and the next.
    pub(super) fn earlier(&mut self) -> bool {
        let mut changed = false;
        let mut n = 0;
        while n < moments(&self.story).len() && !self.trials.time_is_up() {
            let all = moments(&self.story);
            let (at, before) = (all[n], n.checked_sub(1).map_or(Duration::ZERO, |n| all[n]));
            let gap = at - before;
            let shifts = [gap, gap * 7 / 8, gap * 3 / 4, gap / 2, gap / 4];
            let shifts = shifts.into_iter().filter(|by| by.as_millis() >= 50);
            let candidates = shifts.map(|by| shifted(&self.story, at, round_down(by))).collect();
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
            let mut story = self.story.clone();
            story.lines.iter_mut().for_each(|line| round_line(line, step));
            round_workload(&mut story, step);
            tidy(story)
        });
        let all = all.into_iter().filter(|story| *story != self.story).collect();
        changed |= self.attempt(all).is_some();
        for n in 0..self.story.lines.len() {
            let one = STEPS_MS.map(|step| {
                let mut story = self.story.clone();
                round_line(&mut story.lines[n], step);
                tidy(story)
            });
            changed |= self.attempt_rounder(one.into());
        }
        let workload = STEPS_MS.map(|step| {
            let mut story = self.story.clone();
            round_workload(&mut story, step);
            story
        });
        changed |= self.attempt_rounder(workload.into());
        changed | self.attempt_rounder(self.rounder_ends())
    }

    /// The run ends with the failure: its duration may as well be round.
    fn rounder_ends(&self) -> Vec<Story> {
        let last = self.story.lines.iter().map(|line| line.when.since()).max();
        let end = self.hit.at.min(self.story.duration()).max(last.unwrap_or_default());
        let ends = STEPS_MS.map(|step| {
            let mut story = self.story.clone();
            story.set_duration(round_up(end, Duration::from_millis(step)));
            story
        });
        // Only what is rounder than it is.
        ends.into_iter().take_while(|story| *story != self.story).collect()
    }

    fn attempt_rounder(&mut self, candidates: Vec<Story>) -> bool {
        let present = self.story.clone();
        let rounder = candidates.into_iter().filter(|story| *story != present).collect();
        self.attempt(rounder).is_some()
    }
}

/// When something begins: lines and clients.
fn moments(story: &Story) -> Vec<Duration> {
    let mut all: Vec<Duration> = story.lines.iter().map(|line| line.when.since()).collect();
    all.extend(story.time("workload", "from"));
    all.retain(|at| !at.is_zero());
    all.sort();
    all.dedup();
    all
}

/// Everything from a moment on, so much earlier.
fn shifted(story: &Story, from: Duration, by: Duration) -> Story {
    let mut story = story.clone();
    for line in &mut story.lines {
        let at = line.when.since();
        if at >= from {
            line.when.set_since(at - by);
        }
    }
    for key in ["from", "until"] {
        if let Some(at) = story.time("workload", key).filter(|at| *at >= from) {
            story.set("workload", key, show_duration(at - by));
        }
    }
    let duration = story.duration().saturating_sub(by);
    story.set_duration(duration);
    tidy(story)
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

fn round_workload(story: &mut Story, step_ms: u64) {
    for key in ["from", "until"] {
        if let Some(at) = story.time("workload", key) {
            story.set("workload", key, show_duration(round(at, step_ms)));
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
