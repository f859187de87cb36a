//! The machine's clocks and entropy.
//!
//! A stamp is the monotonic clock in nanoseconds since the process made its [`Clock`]; the
//! server's own monotonic clock shows the same number.

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
