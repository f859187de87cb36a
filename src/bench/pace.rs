//! When the operations of an open loop are due.
//!
//! Operation `i` of all is due at `i / rate` seconds, and belongs to connection `i mod connections`.
//! Its latency counts from that moment, sent or not: a server that stalls delays everything that falls
//! due meanwhile, and each of those operations shows what a user would have waited (no coordinated
//! omission).

const NANOS: f64 = 1e9;

#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// Operations a second, of all connections.
    pub(super) rate: f64,
    pub(super) connections: u64,
}

impl Schedule {
    /// When the `nth` operation of a connection is due, in nanoseconds from the start.
    pub(super) fn due(&self, connection: u64, nth: u64) -> u64 {
        let i = nth * self.connections + connection;
        (i as f64 * NANOS / self.rate) as u64
    }

    /// How many operations, of all connections, are due until then.
    pub(super) fn due_until(&self, at: u64) -> u64 {
        (at as f64 * self.rate / NANOS) as u64 + 1
    }

    /// How often to look at the clock: at each operation, if they are not too many.
    pub(super) fn tick_nanos(&self) -> u64 {
        const SHORTEST: u64 = 50_000;
        ((NANOS / self.rate) as u64).max(SHORTEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn connections_take_turns() {
        let schedule = Schedule { rate: 1_000.0, connections: 4 };
        let due: Vec<u64> = (0..3).map(|nth| schedule.due(1, nth)).collect();
        assert_eq!(due, [MS, 5 * MS, 9 * MS]);
        assert_eq!(schedule.due_until(0), 1);
        assert_eq!(schedule.due_until(9 * MS), 10);
        assert_eq!(schedule.tick_nanos(), MS);
    }

    /// The latencies of a connection whose server answers at once, but for one stall.
    fn latencies(stall: std::ops::Range<u64>, until: u64) -> Vec<u64> {
        let schedule = Schedule { rate: 1_000.0, connections: 1 };
        let answered = |asked: u64| if stall.contains(&asked) { stall.end } else { asked };
        // With one request in flight: the next is sent when the last is answered, or when it is due.
        let mut free_at = 0;
        let due = (0..).map(|nth| schedule.due(0, nth)).take_while(|due| *due < until);
        due.map(|due| {
            free_at = answered(free_at.max(due));
            free_at - due
        })
        .collect()
    }

    #[test]
    fn a_server_that_stalls_shows_the_whole_delay() {
        let all = latencies(100 * MS..600 * MS, 1_000 * MS);
        assert_eq!(all.len(), 1_000);
        let delayed: Vec<u64> = all.into_iter().filter(|latency| *latency > 0).collect();
        // One operation waited for the server; 499 more fell due behind it.
        assert_eq!(delayed.len(), 500);
        assert_eq!((delayed[0], delayed[499]), (500 * MS, MS));
    }
}
