//! The time of a world: stamps, and how far the executor's time may be behind them.
//!
//! madsim's clock moves a little with every poll, so its time is no event time. It is always a
//! little later than the last event, and this is where the difference is watched.

use std::cell::Cell;
use std::time::{Duration, Instant};

use madsim::time::TimeHandle;
use quorate::base::Stamp;

use crate::draw::nanos;

/// How long an instant settles before a pump takes its inputs.
pub const SETTLE: Duration = Duration::from_micros(100);
/// An input that reaches its reader this long after its stamp is late: a fault of the simulator.
pub const LATE: Duration = Duration::from_micros(60);
/// The least latency of anything. Longer than SETTLE + LATE: what a step causes is posted before
/// anything it causes arrives.
pub const LATENCY_MIN: Duration = Duration::from_micros(200);
/// What is done later than its cause is done at a multiple of this many nanoseconds: executor time is no
/// event time, and rounding hides its jitter.
const LATE_GRID: u64 = 1_000_000;
/// Over how much time a resumed process sees what it missed.
pub(crate) const SPREAD: Duration = Duration::from_micros(10);

pub(crate) struct WorldTime {
    executor: TimeHandle,
    base: Instant,
    /// The stamp of the event that is being dispatched.
    current: Cell<Option<Stamp>>,
    late: Cell<u64>,
    late_reads: Cell<u64>,
    stale: Cell<u64>,
}

impl WorldTime {
    /// Of the executor that runs now.
    pub(crate) fn current() -> WorldTime {
        let executor = TimeHandle::current();
        let base = executor.now_instant() - executor.elapsed();
        WorldTime {
            executor,
            base,
            current: Cell::new(None),
            late: Cell::new(0),
            late_reads: Cell::new(0),
            stale: Cell::new(0),
        }
    }

    /// The stamp of the event that is being dispatched; the executor's time between events.
    pub(crate) fn now(&self) -> Stamp {
        self.current.get().unwrap_or_else(|| self.physical_now())
    }

    /// `None` between events.
    pub(crate) fn set_current(&self, at: Option<Stamp>) {
        self.current.set(at);
    }

    pub(crate) fn physical_now(&self) -> Stamp {
        Stamp(nanos(self.executor.elapsed()))
    }

    pub(crate) fn instant_of(&self, at: Stamp) -> Instant {
        self.base + Duration::from_nanos(at.0)
    }

    pub(crate) fn late_events(&self) -> u64 {
        self.late.get()
    }

    pub(crate) fn late_reads(&self) -> u64 {
        self.late_reads.get()
    }

    pub(crate) fn stale_effects(&self) -> u64 {
        self.stale.get()
    }

    pub(crate) fn note_lateness(&self, now: Stamp, at: Stamp) {
        if now - at > LATE {
            self.late.set(self.late.get() + 1);
        }
    }

    pub(crate) fn note_late_read(&self, now: Stamp, at: Stamp) {
        if now - at > LATE {
            self.late_reads.set(self.late_reads.get() + 1);
        }
    }

    /// The moment an effect computed for `at` can still happen; counts those that are too old.
    pub(crate) fn not_before_now(&self, at: Stamp) -> Stamp {
        let now = self.now();
        if at < now {
            self.stale.set(self.stale.get() + 1);
            return now;
        }
        at
    }

    /// The cause of an effect, if it is not too old to be one; counts those that are.
    pub(crate) fn fresh(&self, at: Stamp) -> Stamp {
        if self.is_fresh(at) { at } else { self.not_before_now(at) }
    }

    /// The cause of an effect; where it is too old to be one, the next instant of a coarse grid.
    pub(crate) fn fresh_or_rounded(&self, at: Stamp) -> Stamp {
        if self.is_fresh(at) {
            at
        } else {
            Stamp(self.physical_now().0.next_multiple_of(LATE_GRID))
        }
    }

    pub(crate) fn is_fresh(&self, at: Stamp) -> bool {
        self.physical_now() - at <= SETTLE + LATE
    }
}
