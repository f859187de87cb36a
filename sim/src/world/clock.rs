//! One server's two clocks as functions of world time.
//!
//! The monotonic clock is piecewise linear: a list of segments, each with a rate. A change adds
//! a segment at its own stamp, so that what the clock showed before stays what it showed. The
//! wall clock runs at the same rate and jumps besides.
//!
//! Not here: whether anyone may depend on these clocks (they may not: only `mono` decides).

use quorate::base::{Mono, Now, Stamp};

/// The rate of a clock that is right: nanoseconds of its own per second of the world.
pub const RATE_ONE: u64 = 1_000_000_000;

/// Slower than this would make time stand still in integer arithmetic.
const RATE_MIN: u64 = 1_000_000;

/// 2026-01-01 00:00:00 UTC, when every world begins.
const WALL_START_MS: i64 = 1_767_225_600_000;

#[derive(Clone, Debug)]
struct Segment {
    from: Stamp,
    mono: u64,
    rate: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct SimClock {
    mono_start: u64,
    segments: Vec<Segment>,
    /// Sum of all wall clock jumps from this stamp on.
    jumps: Vec<(Stamp, i64)>,
}

impl SimClock {
    /// `mono_start` differs between servers, so that a mono that crosses a wire shows.
    pub(crate) fn new(mono_start: u64) -> SimClock {
        let segments = vec![Segment { from: Stamp(0), mono: mono_start, rate: RATE_ONE }];
        SimClock { mono_start, segments, jumps: vec![] }
    }

    pub(crate) fn now_at(&self, at: Stamp) -> Now {
        let mono = self.mono_at(at);
        let jumped =
            self.jumps.iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, sum)| *sum);
        let wall_ms = WALL_START_MS + ((mono - self.mono_start) / 1_000_000) as i64 + jumped;
        Now { mono: Mono(mono), wall_ms }
    }

    /// The first moment at which the clock shows at least `mono`.
    pub(crate) fn stamp_of(&self, mono: Mono) -> Stamp {
        if mono == Mono::FAR {
            return Stamp::FAR;
        }
        let Some(segment) = self.segments.iter().rev().find(|segment| segment.mono <= mono.0)
        else {
            return Stamp(0);
        };
        let elapsed = u128::from(mono.0 - segment.mono) * u128::from(RATE_ONE);
        let elapsed = elapsed.div_ceil(u128::from(segment.rate));
        Stamp(u64::try_from(u128::from(segment.from.0) + elapsed).unwrap_or(u64::MAX))
    }

    /// From `at` on the clock runs at `rate` (own nanoseconds per world second).
    pub(crate) fn set_rate(&mut self, at: Stamp, rate: u64) {
        let mono = self.mono_at(at);
        self.segments.retain(|segment| segment.from < at || segment.from == Stamp(0));
        self.segments.push(Segment { from: at, mono, rate: rate.max(RATE_MIN) });
    }

    /// From `at` on the wall clock shows `by_ms` more (or less) than it would.
    pub(crate) fn jump_wall(&mut self, at: Stamp, by_ms: i64) {
        let sum = self.jumps.last().map_or(0, |(_, sum)| *sum);
        self.jumps.push((at, sum.saturating_add(by_ms)));
    }

    fn mono_at(&self, at: Stamp) -> u64 {
        let found = self.segments.iter().rev().find(|segment| segment.from <= at);
        let segment = found.unwrap_or(&self.segments[0]);
        let elapsed = u128::from((at - segment.from).as_nanos() as u64);
        let shown =
            u128::from(segment.mono) + elapsed * u128::from(segment.rate) / u128::from(RATE_ONE);
        u64::try_from(shown).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_change_leaves_the_past_as_it_was() {
        let mut clock = SimClock::new(5);
        let before = clock.now_at(Stamp(700));
        clock.set_rate(Stamp(1_000), 2 * RATE_ONE);
        assert_eq!(clock.now_at(Stamp(700)), before);
        assert_eq!(clock.now_at(Stamp(1_000)).mono, Mono(1_005));
        assert_eq!(clock.now_at(Stamp(1_500)).mono, Mono(2_005));
    }

    #[test]
    fn stamp_of_is_the_first_moment_that_shows_the_mono() {
        let mut clock = SimClock::new(1_000_000);
        clock.set_rate(Stamp(10_000), 999_700_000);
        clock.set_rate(Stamp(5_000_000), 1_000_200_001);
        for mono in (1_000_000..9_000_000).step_by(777) {
            let at = clock.stamp_of(Mono(mono));
            assert!(clock.now_at(at).mono >= Mono(mono));
            assert!(at.0 == 0 || clock.now_at(Stamp(at.0 - 1)).mono < Mono(mono));
        }
        assert_eq!(clock.stamp_of(Mono::FAR), Stamp::FAR);
        assert_eq!(clock.stamp_of(Mono(3)), Stamp(0));
    }

    #[test]
    fn a_wall_jump_moves_the_wall_clock_alone() {
        let mut clock = SimClock::new(0);
        let mono = clock.now_at(Stamp(2_000_000)).mono;
        clock.jump_wall(Stamp(1_000_000), -90_000);
        clock.jump_wall(Stamp(3_000_000), 1_000);
        assert_eq!(clock.now_at(Stamp(2_000_000)).mono, mono);
        assert_eq!(clock.now_at(Stamp(999_999)).wall_ms, WALL_START_MS);
        assert_eq!(clock.now_at(Stamp(2_000_000)).wall_ms, WALL_START_MS + 2 - 90_000);
        assert_eq!(clock.now_at(Stamp(3_000_000)).wall_ms, WALL_START_MS + 3 - 89_000);
    }
}
