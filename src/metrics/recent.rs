//! What was recorded since somebody looked last, of several series together.
//!
//! A series keeps two windows, and nothing is recorded twice for whoever looks more often: he keeps what
//! the window held when he looked, and subtracts it.
//!
//! ```text
//!     window before   |######| present |###|        a window begins every five minutes
//!                        ^ last look      ^ now:    (before - seen) + present
//!                            ^ last look  ^ now:    present - seen
//! ```

use hdrhistogram::Histogram;

use super::series::{Series, histogram};
use crate::base::Mono;

/// Somebody's last look.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// What the present window held; `None` before the first look.
    seen: Option<Histogram<u32>>,
    /// When the window after that one begins.
    rotates: Mono,
}

/// How values are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spread {
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
}

impl Recent {
    /// `None` of no values. `rotates`: when the next window begins.
    pub(super) fn look<'a>(
        &mut self,
        all: impl Iterator<Item = &'a Series> + Clone,
        rotates: Mono,
    ) -> Option<Spread> {
        let window = |before: bool| {
            let mut values = histogram();
            all.clone().for_each(|series| series.add_window(before, &mut values));
            values
        };
        let present = window(false);
        let mut values = if rotates == self.rotates { present.clone() } else { window(true) };
        // Of a window that was emptied meanwhile everything is new.
        if let Some(seen) = &self.seen
            && seen.len() <= values.len()
        {
            _ = values.subtract(seen);
        }
        if rotates != self.rotates {
            _ = values.add(&present);
        }
        (self.seen, self.rotates) = (Some(present), rotates);
        let at = |quantile| values.value_at_quantile(quantile);
        (!values.is_empty()).then(|| Spread { p50: at(0.5), p99: at(0.99), max: at(1.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(last: &mut Recent, series: &Series, rotates: u64) -> Option<[u64; 3]> {
        let spread = last.look([series].into_iter(), Mono(rotates));
        spread.map(|spread| [spread.p50, spread.p99, spread.max])
    }

    #[test]
    fn a_look_sees_what_came_since_the_last_one_however_windows_turn() {
        let (series, mut last) = (Series::default(), Recent::default());
        assert_eq!(look(&mut last, &series, 1), None);
        series.record(100);
        assert_eq!(look(&mut last, &series, 1), Some([100; 3]));
        assert_eq!(look(&mut last, &series, 1), None);
        [2, 4, 4].into_iter().for_each(|value| series.record(value));
        assert_eq!(look(&mut last, &series, 1), Some([4; 3]));
        series.record(7);
        series.rotate();
        series.record(9);
        assert_eq!(look(&mut last, &series, 2), Some([7, 9, 9]));
        series.record(3);
        assert_eq!(look(&mut last, &series, 2), Some([3; 3]));
    }

    #[test]
    fn a_reset_makes_everything_behind_it_new() {
        let (series, mut last) = (Series::default(), Recent::default());
        (0..5).for_each(|_| series.record(8));
        look(&mut last, &series, 1);
        series.reset();
        series.record(1);
        assert_eq!(look(&mut last, &series, 1), Some([1; 3]));
    }
}
