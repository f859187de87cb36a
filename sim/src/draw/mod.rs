//! Random numbers for faults and clients, keyed by what they are for: one more draw for one
//! purpose changes no other. The world draws from a [`Key`] of its own.

mod keyed;

pub use keyed::{Key, keyed};
pub use quorate::base::splitmix::mix;

pub(crate) use keyed::nanos;

use std::time::Duration;

/// Draws of one seed.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    key: Key,
}

impl Draws {
    pub fn new(seed: u64) -> Draws {
        Draws { key: Key::new(seed, "lab") }
    }

    /// The `n`-th number for this purpose of this party.
    pub fn u64(&self, what: &str, who: u64, n: u64) -> u64 {
        self.key.name(what).with(who).with(n).draw()
    }

    /// At least 0, below 1.
    pub fn unit(&self, what: &str, who: u64, n: u64) -> f64 {
        (self.u64(what, who, n) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Below `bound`, which is not 0.
    pub fn below(&self, what: &str, who: u64, n: u64, bound: u64) -> u64 {
        self.u64(what, who, n) % bound
    }

    /// From `low` to `high`, in whole microseconds.
    pub fn between(
        &self,
        what: &str,
        who: u64,
        n: u64,
        (low, high): (Duration, Duration),
    ) -> Duration {
        let span = high.saturating_sub(low).as_micros() as f64;
        low + Duration::from_micros((self.unit(what, who, n) * span) as u64)
    }
}

/// A key made of a name.
pub fn key_of(name: &str) -> u64 {
    name.bytes().fold(17, |key, byte| mix(key ^ u64::from(byte)))
}
