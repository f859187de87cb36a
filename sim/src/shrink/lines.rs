//! Fewer lines: faults, then single lines, then single actions and single servers in them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Shrinker;
use super::edit::{action_without, tidy};
use crate::scenario::draft::Draft;
use crate::scenario::{Action, Line};

impl Shrinker {
    /// What comes behind the failure cannot matter, unless it was judged by the whole.
    pub(super) fn cut_tail(&mut self) -> bool {
        let (at, duration) = (self.hit.at, self.draft.duration());
        if at.is_zero() {
            return false;
        }
        if at >= duration {
            return self.shorter_draft();
        }
        let mut candidates = Vec::new();
        let needed = self.draft.lines.iter().map(|line| line.when.since());
        let needed = needed.filter(|from| *from <= at).max().unwrap_or_default();
        for step in [1_000, 100, 10, 1] {
            let upto = round_up(at.max(needed), Duration::from_millis(step));
            // The roundest time that is shorter; but no odd one where a round one is reached.
            if upto >= duration {
                break;
            }
            let mut draft = self.draft.clone();
            draft.lines.retain(|line| line.when.since() <= at);
            draft.set_duration(upto);
            candidates.push(tidy(draft));
        }
        let mut draft = self.draft.clone();
        draft.lines.retain(|line| line.when.since() <= at);
        if draft.lines.len() < self.draft.lines.len() {
            candidates.push(tidy(draft));
        }
        self.attempt(candidates).is_some()
    }

    /// Where the failure comes when the scenario is over: it ends earlier.
    fn shorter_draft(&mut self) -> bool {
        let (duration, second) = (self.draft.duration(), Duration::from_secs(1));
        let last = self.draft.lines.iter().map(|line| line.when.since()).max();
        let least = round_up(last.unwrap_or_default().max(second), second);
        let ends = [least, least + second, least + (duration.saturating_sub(least)) / 2];
        let candidates = ends.into_iter().filter(|end| *end < duration).map(|end| {
            let mut draft = self.draft.clone();
            draft.set_duration(round_up(end, second));
            draft
        });
        let candidates = candidates.filter(|draft| draft.duration() < duration).collect();
        self.attempt(candidates).is_some()
    }

    /// Leaves out drawn faults, each with its beginning and its end.
    pub(super) fn fewer_faults(&mut self) -> bool {
        let faults: BTreeSet<usize> =
            self.draft.lines.iter().filter_map(|line| line.fault).collect();
        self.reduce(faults.into_iter().collect(), |draft, kept| {
            let mut draft = draft.clone();
            draft.lines.retain(|line| line.fault.is_none_or(|fault| kept.contains(&fault)));
            draft
        })
    }

    /// Leaves out lines.
    pub(super) fn fewer_lines(&mut self) -> bool {
        let lines = self.draft.lines.clone();
        self.reduce(lines, |draft, kept| tidy(Draft { lines: kept.to_vec(), ..draft.clone() }))
    }

    /// Leaves out actions of lines with several, and servers of actions about several.
    pub(super) fn smaller_lines(&mut self) -> bool {
        let mut changed = false;
        let mut n = 0;
        while n < self.draft.lines.len() && !self.trials.time_is_up() {
            let smaller = smaller(&self.draft.lines[n]);
            let candidates = smaller.into_iter().map(|line| {
                let mut draft = self.draft.clone();
                draft.lines[n] = line;
                tidy(draft)
            });
            match self.attempt(candidates.collect()) {
                Some(_) => changed = true,
                None => n += 1,
            }
        }
        changed
    }
}

/// The line with one thing less.
fn smaller(line: &Line) -> Vec<Line> {
    let mut all = Vec::new();
    if line.actions.len() > 1 {
        for n in 0..line.actions.len() {
            let mut actions = line.actions.clone();
            actions.remove(n);
            all.push(Line { actions, ..line.clone() });
        }
    }
    for (n, action) in line.actions.iter().enumerate() {
        // Who is started decides who there is: `fewer_servers` looks after that.
        if matches!(action, Action::Fault(fault) if !fault.hinders()) {
            continue;
        }
        for server in super::edit::servers_of(action) {
            let Some(action) = action_without(action, server) else { continue };
            let mut actions = line.actions.clone();
            actions[n] = action;
            all.push(Line { actions, ..line.clone() });
        }
    }
    all
}

pub(super) fn round_up(time: Duration, step: Duration) -> Duration {
    let steps = time.as_nanos().div_ceil(step.as_nanos().max(1));
    Duration::from_nanos((steps * step.as_nanos()).try_into().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_to_whole_steps() {
        let ms = Duration::from_millis;
        assert_eq!(round_up(ms(1201), ms(1000)), ms(2000));
        assert_eq!(round_up(ms(1200), ms(100)), ms(1200));
    }
}
