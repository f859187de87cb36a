//! Time as a value: cores are told the time, they never ask for it.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A server's own monotonic clock, in nanoseconds since an arbitrary start.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize,
)]
pub struct Mono(pub u64);

impl Mono {
    pub const FAR: Mono = Mono(u64::MAX);

    pub const fn from_millis(millis: u64) -> Mono {
        Mono(millis.saturating_mul(1_000_000))
    }

    pub const fn millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Zero when `earlier` is later than `self`.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, by: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// The two clocks of one server at one event. Only `mono` decides anything; `wall_ms` is what
/// a transaction header and a `Stat` show (milliseconds since 1970).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Now {
    pub mono: Mono,
    pub wall_ms: i64,
}

/// When an event happened, in the world's own nanoseconds, the same for every server of a
/// world. The runtime turns it into a server's `Now`; nothing else may read meaning into it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp(pub u64);

impl Stamp {
    pub const FAR: Stamp = Stamp(u64::MAX);
}

impl Add<Duration> for Stamp {
    type Output = Stamp;
    fn add(self, by: Duration) -> Stamp {
        Stamp(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Stamp {
    type Output = Duration;
    fn sub(self, earlier: Stamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
