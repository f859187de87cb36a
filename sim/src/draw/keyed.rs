//! Randomness by key: every draw is a pure function of (seed, what, who, n).
//!
//! There is no generator with a state. One more draw somewhere, one event less, one task more:
//! none of it changes another draw. Replaying a run with a fault removed rests on this.
//!
//! Each part of a key is mixed in on its own (splitmix64).

use std::time::Duration;

use quorate::base::splitmix::mix;

/// A key under construction, and the numbers drawn from it. Cheap to copy: a prefix that stays
/// the same (a link, a disk) is built once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key(u64);

impl Key {
    /// `what` names the kind of draw: "net", "disk", "crash".
    pub fn new(seed: u64, what: &str) -> Key {
        Key(mix(seed ^ 0x51_75_6f_72_61_74_65)).name(what)
    }

    pub fn with(self, part: u64) -> Key {
        Key(mix(self.0.rotate_left(23) ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    pub fn name(self, name: &str) -> Key {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in name.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.with(hash)
    }

    /// The draw itself.
    pub fn draw(self) -> u64 {
        mix(self.0)
    }

    /// Uniform over `low..=high`; `low` if the range is empty.
    pub fn range(self, low: u64, high: u64) -> u64 {
        if high <= low {
            return low;
        }
        let width = u128::from(high - low) + 1;
        low + ((u128::from(self.draw()) * width) >> 64) as u64
    }

    /// Uniform over `low..=high`, in nanoseconds.
    pub fn duration(self, low: Duration, high: Duration) -> Duration {
        Duration::from_nanos(self.range(nanos(low), nanos(high)))
    }

    /// True in `ppm` of a million cases.
    pub fn chance(self, ppm: u32) -> bool {
        ppm > 0 && self.range(0, 999_999) < u64::from(ppm)
    }
}

/// One draw for callers outside the world (fault schedules, workloads).
pub fn keyed(seed: u64, what: &str, parts: &[u64]) -> u64 {
    parts.iter().fold(Key::new(seed, what), |key, part| key.with(*part)).draw()
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_key_matters_and_so_does_their_order() {
        let base = keyed(1, "net", &[2, 3]);
        assert_eq!(base, keyed(1, "net", &[2, 3]));
        for other in [
            keyed(2, "net", &[2, 3]),
            keyed(1, "disk", &[2, 3]),
            keyed(1, "net", &[3, 2]),
            keyed(1, "net", &[2, 3, 0]),
            keyed(1, "net", &[2]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn ranges_are_inclusive_and_roughly_uniform() {
        let mut seen = [0_u32; 4];
        for n in 0..40_000 {
            seen[(Key::new(7, "range").with(n).range(10, 13) - 10) as usize] += 1;
        }
        assert!(seen.iter().all(|count| (9_500..10_500).contains(count)), "{seen:?}");
        assert_eq!(Key::new(7, "range").range(5, 5), 5);
        assert_eq!(Key::new(7, "range").range(5, 2), 5);
    }

    #[test]
    fn a_chance_is_about_as_likely_as_it_says() {
        let hits = (0..100_000).filter(|n| Key::new(9, "chance").with(*n).chance(50_000)).count();
        assert!((4_700..5_300).contains(&hits), "{hits}");
        assert!(!Key::new(9, "chance").chance(0));
        assert!(Key::new(9, "chance").chance(1_000_000));
    }
}
