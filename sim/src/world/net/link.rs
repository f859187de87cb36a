//! One direction between two machines: what was cut and how slow it is, over time.

use std::time::Duration;

use quorate::base::Stamp;

use super::plane::Plane;

#[derive(Clone, Copy, Debug)]
pub(super) struct Latency {
    pub(super) low: Duration,
    pub(super) high: Duration,
    pub(super) extra: Duration,
}

#[derive(Clone, Copy)]
pub(super) struct Cut {
    pub(super) from: Stamp,
    pub(super) until: Stamp,
}

/// What one host sees of another, in one direction: what was cut and how slow it is, by plane
/// and over time.
#[derive(Default)]
pub(super) struct Link {
    pub(super) cuts: [Vec<Cut>; 3],
    pub(super) latencies: [Vec<(Stamp, Latency)>; 3],
    /// Bytes a second; `None` is no limit.
    pub(super) bandwidth: Option<u64>,
    /// Directions of connections that have something to send. They take turns.
    pub(super) line: Vec<(usize, usize)>,
    /// How many turns there were.
    pub(super) turns: u64,
    /// When the next turn is taken, if one was called.
    pub(super) turn_at: Option<Stamp>,
    /// The last turn ends then.
    pub(super) busy_until: Stamp,
}

impl Link {
    /// Whether something that left and arrived then met a cut.
    pub(super) fn cut_between(&self, plane: Plane, left: Stamp, arrived: Stamp) -> bool {
        let cuts = &self.cuts[plane as usize];
        cuts.iter().rev().take_while(|cut| cut.until > left).any(|cut| cut.from <= arrived)
    }

    pub(super) fn latency_at(&self, plane: Plane, at: Stamp) -> Option<Latency> {
        let history = &self.latencies[plane as usize];
        history.iter().rev().find(|(from, _)| *from <= at).map(|(_, latency)| *latency)
    }
}
