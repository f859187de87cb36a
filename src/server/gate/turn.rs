//! How many requests are answered in one step, of a connection and of all.
//!
//! A step may find many requests that have only their turn to wait for: reads behind a write, frames that
//! were held. What is beyond these numbers waits for a later step, behind whatever else has come: so
//! no step is long because one client has asked for much, and others have their turn in between.
//! Bytes need no number here: a connection is sent no more than `maxClientPendingResponseBytes` and one
//! reply before it has taken some.
//!
//! - TU-1  who waits for a turn is given one in a later step, in the order in which they began to wait

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{ConnId, Mono};

/// Requests of one connection that are answered in one step.
pub(in crate::server) const TURN_REQUESTS_MAX: usize = 256;
/// Requests that are answered in one step of those who wait for a turn.
const STEP_REQUESTS_MAX: usize = 1024;
/// When nothing else happens, the next turn begins so much later.
const NEXT_TURN: Duration = Duration::from_millis(1);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Turns {
    /// This step, counted.
    step: u64,
    now: Mono,
    /// Requests answered in it.
    taken: usize,
    /// Who waits, since which step.
    waiting: VecDeque<(u64, ConnId)>,
}

/// What a connection has had of the step it was answered in last.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Taken {
    step: u64,
    requests: usize,
}

impl Turns {
    pub(super) fn begin_step(&mut self, now: Mono) {
        self.step += 1;
        (self.now, self.taken) = (now, 0);
    }

    /// Whether one more request of a connection may be answered in this step.
    pub(super) fn takes(&mut self, taken: &mut Taken) -> bool {
        if taken.step != self.step {
            *taken = Taken { step: self.step, requests: 0 };
        }
        let takes = taken.requests < TURN_REQUESTS_MAX;
        taken.requests += usize::from(takes);
        self.taken += usize::from(takes);
        takes
    }

    pub(super) fn wait(&mut self, conn: ConnId) {
        self.waiting.push_back((self.step, conn));
    }

    /// A connection whose turn it is.
    pub(super) fn next(&mut self) -> Option<ConnId> {
        if self.taken >= STEP_REQUESTS_MAX {
            return None;
        }
        let step = self.step;
        self.waiting.pop_front_if(|(since, _)| *since < step).map(|(_, conn)| conn)
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn next_deadline(&self) -> Mono {
        if self.waiting.is_empty() { Mono::FAR } else { self.now + NEXT_TURN }
    }
}
