//! What an operator is shown of the gate.

use super::{Flow, Gate};

impl Gate {
    /// Tokens that are missing for new sessions.
    pub(in crate::server) fn session_token_deficit(&self) -> u64 {
        self.sessions.deficit()
    }

    pub(in crate::server) fn session_drop_chance(&self) -> f64 {
        self.sessions.drop_chance()
    }

    /// Bytes that were written and are not known to have left.
    pub(in crate::server) fn unsent_bytes(&self) -> usize {
        self.outflow.total()
    }

    /// What comes into the queue now has to wait.
    pub(in crate::server) fn queue_is_full(&self) -> bool {
        self.queue.waits(self.requests)
    }
}

impl Flow {
    /// Whether the connection is not read from; and bytes that it was sent and has not taken, if its
    /// answers wait for that. (As long as they do not, nobody asks what has left.)
    pub(in crate::server) fn figures(&self) -> (bool, usize) {
        let waits = self.sent.awaits_room();
        (self.is_paused, if waits { self.sent.bytes() } else { 0 })
    }
}
