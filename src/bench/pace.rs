//! When the operations of an open loop are due.
//!
//! Operation `i` of all is due at `i / rate` seconds, and belongs to connection `i mod connections`.
//! Its latency counts from that moment, sent or not: a server that stalls delays everything that falls
//! due meanwhile, and each of those operations shows what a user would have waited (no coordinated
//! omission).

const NANOS: f64 = 1e9;
/// What was due is asked so much later at most, once time is up, in nanoseconds.
const LATE_MAX: u64 = 1_000_000_000;

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
    fn due_until(&self, at: u64) -> u64 {
        (at as f64 * self.rate / NANOS) as u64 + 1
    }

    /// How often to look at the clock: at each operation, if they are not too many.
    pub(super) fn tick_nanos(&self) -> u64 {
        const SHORTEST: u64 = 50_000;
        ((NANOS / self.rate) as u64).max(SHORTEST)
    }
}

/// How long, how much at once, and how fast.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    pub(super) window: usize,
    /// No request is due from then on.
    pub(super) until: Option<u64>,
    /// An open loop, and when it began.
    pub(super) schedule: Option<(Schedule, u64)>,
    /// Lasts until then even if nothing is in flight.
    pub(super) idle: bool,
}

/// Who may ask: in a closed loop whoever has room, in an open loop whose operation is due.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    phase: Phase,
    /// How many operations each connection has asked.
    asked: Vec<u64>,
    /// How many operations, of all connections, were due when last looked.
    due: u64,
}

impl Turns {
    pub(super) fn new(phase: Phase, connections: usize) -> Turns {
        Turns { phase, asked: vec![0; connections], due: 0 }
    }

    pub(super) fn window(&self) -> usize {
        self.phase.window
    }

    /// From when the latency of the connection's next operation counts, if it may be asked now.
    pub(super) fn start(&self, connection: usize, now: u64) -> Option<u64> {
        let until = self.phase.until.unwrap_or(u64::MAX);
        let Some((schedule, began)) = &self.phase.schedule else {
            return (now < until && !self.phase.idle).then_some(now);
        };
        let due = began + schedule.due(connection as u64, self.asked[connection]);
        (due <= now && due < until && now < until.saturating_add(LATE_MAX)).then_some(due)
    }

    pub(super) fn taken(&mut self, connection: usize) {
        self.asked[connection] += 1;
    }

    /// Operations that were due before then and were not asked.
    pub(super) fn late(&self, until: u64) -> u64 {
        let Some((schedule, began)) = &self.phase.schedule else { return 0 };
        let due = schedule.due_until(until.saturating_sub(began + 1));
        due.saturating_sub(self.asked.iter().sum())
    }

    /// The connections for which operations fell due since this was last asked.
    pub(super) fn newly_due(&mut self, now: u64) -> Vec<usize> {
        let Some((schedule, began)) = &self.phase.schedule else { return Vec::new() };
        let due = schedule.due_until(now.saturating_sub(*began));
        let all = schedule.connections;
        let from = std::mem::replace(&mut self.due, due);
        (from.max(due.saturating_sub(all))..due).map(|i| (i % all) as usize).collect()
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

    /// The latencies on one connection with one request in flight, whose server answers at once but
    /// for one stall; and how many operations were late.
    fn latencies(stall: std::ops::Range<u64>, until: u64) -> (Vec<u64>, u64) {
        let schedule = Schedule { rate: 1_000.0, connections: 1 };
        let phase =
            Phase { window: 1, until: Some(until), schedule: Some((schedule, 0)), idle: false };
        let mut turns = Turns::new(phase, 1);
        let mut latencies = Vec::new();
        let mut now = 0;
        while now < until + LATE_MAX {
            let Some(start) = turns.start(0, now) else {
                now += MS;
                continue;
            };
            turns.taken(0);
            now = if stall.contains(&now) { stall.end } else { now };
            latencies.push(now - start);
        }
        (latencies, turns.late(until))
    }

    #[test]
    fn a_server_that_stalls_shows_the_whole_delay() {
        let (all, late) = latencies(100 * MS..600 * MS, 1_000 * MS);
        assert_eq!((all.len(), late), (1_000, 0));
        let delayed: Vec<u64> = all.into_iter().filter(|latency| *latency > 0).collect();
        // One operation waited for the server; 499 more fell due behind it.
        assert_eq!(delayed.len(), 500);
        assert_eq!((delayed[0], delayed[499]), (500 * MS, MS));
    }

    #[test]
    fn what_was_due_at_the_end_is_asked_for_a_while_and_then_counted_as_late() {
        let (all, late) = latencies(900 * MS..1_500 * MS, 1_000 * MS);
        assert_eq!((all.len(), all.last(), late), (1_000, Some(&(501 * MS)), 0));
        let (all, late) = latencies(900 * MS..2_500 * MS, 1_000 * MS);
        assert_eq!((all.len(), all.last(), late), (901, Some(&(1_600 * MS)), 99));
    }

    #[test]
    fn connections_are_told_once_of_what_fell_due() {
        let schedule = Schedule { rate: 1_000.0, connections: 3 };
        let phase = Phase { window: 1, until: None, schedule: Some((schedule, 0)), idle: false };
        let mut turns = Turns::new(phase, 3);
        assert_eq!(turns.newly_due(MS), [0, 1]);
        assert_eq!(turns.newly_due(MS), [0; 0]);
        assert_eq!(turns.newly_due(3 * MS), [2, 0]);
        assert_eq!(turns.newly_due(90 * MS).len(), 3, "each is asked once, however long it was");
    }
}
