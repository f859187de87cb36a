//! How many lines of one kind the log takes.
//!
//! What strangers do is logged, and they can do it a hundred thousand times a second. A kind of line
//! (a place in the source) has twenty lines a minute. One that has used them up is a flood: from the
//! next minute on it has one line, until a minute goes by in which there was no more to say than
//! twenty lines. At the end of each minute one line more says how many were left out.

use std::collections::BTreeMap;
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(60);
/// Lines of a kind in a minute.
const LINES_MAX: u64 = 20;

/// Where in the source a line is written: file and line.
pub(super) type Kind = (&'static str, u32);

/// A minute of one kind.
#[derive(Debug)]
struct Minute {
    ends: Duration,
    lines_max: u64,
    seen: u64,
    /// The first of them.
    example: String,
}

/// What is known of every kind. Times are since any fixed moment.
#[derive(Debug, Default)]
pub(super) struct Limits {
    kinds: BTreeMap<Kind, Minute>,
    /// Lines that are still to be said of minutes that are over.
    sums: Vec<String>,
}

/// Whether a line is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Write,
    /// The first of a minute: it is to be told as an [`Limits::example`].
    WriteFirst,
    LeaveOut,
    /// The first that is left out: from now on a sum is due.
    LeaveOutFirst,
}

impl Limits {
    pub(super) fn judge(&mut self, kind: Kind, now: Duration) -> Verdict {
        let Limits { kinds, sums } = self;
        let minute = kinds.entry(kind).or_insert_with(|| Minute::new(now, LINES_MAX));
        if minute.ends <= now {
            sums.extend(minute.sum());
            *minute = minute.next(now);
        }
        minute.seen += 1;
        match minute.seen {
            1 => Verdict::WriteFirst,
            seen if seen <= minute.lines_max => Verdict::Write,
            seen if seen == minute.lines_max + 1 => Verdict::LeaveOutFirst,
            _ => Verdict::LeaveOut,
        }
    }

    /// What the lines of this minute are like.
    pub(super) fn example(&mut self, kind: Kind, text: &str) {
        if let Some(minute) = self.kinds.get_mut(&kind) {
            text.clone_into(&mut minute.example);
        }
    }

    /// The lines about what was left out in minutes that are over.
    pub(super) fn take_sums(&mut self, now: Duration) -> Vec<String> {
        for minute in self.kinds.values_mut().filter(|minute| minute.ends <= now) {
            if let Some(sum) = minute.sum() {
                self.sums.push(sum);
                *minute = minute.next(now);
            }
        }
        std::mem::take(&mut self.sums)
    }

    /// How long it is until the next sum; `None` if nothing was left out.
    pub(super) fn until_sum(&self, now: Duration) -> Option<Duration> {
        if !self.sums.is_empty() {
            return Some(Duration::ZERO);
        }
        let due = self.kinds.values().filter(|minute| minute.left_out() > 0);
        due.map(|minute| minute.ends.saturating_sub(now)).min()
    }
}

impl Minute {
    fn new(now: Duration, lines_max: u64) -> Minute {
        Minute { ends: now + WINDOW, lines_max, seen: 0, example: String::new() }
    }

    /// The minute behind this one. Those in between had nothing to say.
    fn next(&self, now: Duration) -> Minute {
        let goes_on = self.seen > LINES_MAX && now < self.ends + WINDOW;
        Minute::new(now, if goes_on { 1 } else { LINES_MAX })
    }

    fn left_out(&self) -> u64 {
        self.seen.saturating_sub(self.lines_max)
    }

    fn sum(&self) -> Option<String> {
        let (count, example) = (self.left_out(), &self.example);
        let seconds = WINDOW.as_secs();
        (count > 0).then(|| format!("{example} ({count} more like this in {seconds} s)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = ("src/a.rs", 7);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// So many lines at this second; how many of them are written.
    fn written(limits: &mut Limits, count: u64, second: u64) -> u64 {
        let mut written = 0;
        for n in 0..count {
            let verdict = limits.judge(KIND, at(second));
            if verdict == Verdict::WriteFirst {
                limits.example(KIND, &format!(" WARN line {n} of second {second}"));
            }
            written += u64::from(matches!(verdict, Verdict::Write | Verdict::WriteFirst));
        }
        written
    }

    #[test]
    fn a_flood_has_twenty_lines_and_then_one_a_minute_and_a_sum() {
        let mut limits = Limits::default();
        assert_eq!(written(&mut limits, 100_000, 0), 20);
        assert_eq!(limits.until_sum(at(10)), Some(at(50)));
        assert_eq!(limits.take_sums(at(59)), Vec::<String>::new());
        let sum = " WARN line 0 of second 0 (99980 more like this in 60 s)";
        assert_eq!(limits.take_sums(at(60)), [sum]);
        assert_eq!(limits.until_sum(at(60)), None);
        assert_eq!(written(&mut limits, 1000, 61), 1);
        assert_eq!(written(&mut limits, 1000, 125), 1, "its minute is over, and so is the next");
        let sum = " WARN line 0 of second 61 (999 more like this in 60 s)";
        assert_eq!(limits.take_sums(at(126)), [sum]);
    }

    #[test]
    fn a_kind_that_was_quiet_for_a_minute_has_its_lines_again() {
        let mut limits = Limits::default();
        assert_eq!(written(&mut limits, 21, 0), 20);
        assert_eq!(written(&mut limits, 2, 60), 1);
        assert_eq!(written(&mut limits, 30, 120), 20, "two in a minute are no flood");
        assert_eq!(written(&mut limits, 30, 300), 20, "nothing for minutes is none either");
    }

    #[test]
    fn kinds_do_not_count_for_each_other() {
        let mut limits = Limits::default();
        written(&mut limits, 1000, 0);
        assert_eq!(limits.judge(("src/a.rs", 8), at(1)), Verdict::WriteFirst);
        assert_eq!(limits.judge(KIND, at(1)), Verdict::LeaveOut);
    }
}
