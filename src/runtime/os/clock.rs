//! The machine's clocks and entropy.
//!
//! A stamp is the monotonic clock in nanoseconds since the process made its [`Clock`]; the
//! server's own monotonic clock shows the same number.

use std::cell::Cell;
use std::fs::File;
use std::future;
use std::io::{self, Read};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::base::Stamp;

#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock { start: Instant::now() }
    }

    pub(super) fn stamp(&self) -> Stamp {
        // 2^64 ns are 584 years of uptime.
        Stamp(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Milliseconds since 1970, 0 if the machine believes to be older than that.
    pub(super) fn wall_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    /// Never returns for a time that no clock of the machine will show.
    pub(super) async fn sleep_until(&self, at: Stamp) {
        match self.start.checked_add(Duration::from_nanos(at.0)) {
            Some(when) if at != Stamp::FAR => tokio::time::sleep_until(when.into()).await,
            _ => future::pending().await,
        }
    }
}

/// The wall clock as it was last read. A transaction has its time in milliseconds: under load the
/// clock is not asked for each of them.
#[derive(Debug, Default)]
pub(super) struct WallClock {
    /// When it was read, and what it said.
    read: Cell<(u64, i64)>,
}

/// For so many nanoseconds the wall clock is taken to say what it said.
const WALL_FRESH: u64 = 100_000;

impl WallClock {
    /// Milliseconds since 1970 for a step whose input happened at `at`.
    pub(super) fn at(&self, at: Stamp, clock: Clock) -> i64 {
        let (read, wall_ms) = self.read.get();
        if read != 0 && at.0 < read + WALL_FRESH {
            return wall_ms;
        }
        let wall_ms = clock.wall_ms();
        self.read.set((at.0.max(1), wall_ms));
        wall_ms
    }
}

/// Eight bytes of the kernel's generator. It stays open: later there may be no descriptor for it.
pub(super) fn random_u64() -> io::Result<u64> {
    static GENERATOR: OnceLock<File> = OnceLock::new();
    let mut generator = match GENERATOR.get() {
        Some(generator) => generator,
        None => {
            let opened = File::open("/dev/urandom")?;
            GENERATOR.get_or_init(|| opened)
        }
    };
    let mut bytes = [0; 8];
    generator.read_exact(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}
