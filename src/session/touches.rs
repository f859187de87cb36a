//! Sessions a learner heard, until it tells the leader. (LearnerSessionTracker.touchTable)

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::SessionId;
use crate::jute::quorum::Touch;

/// The data of the next answer to a PING.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TouchTable {
    timeouts: BTreeMap<SessionId, i32>,
}

impl TouchTable {
    pub fn new() -> TouchTable {
        TouchTable::default()
    }

    pub fn touch(&mut self, session: SessionId, timeout_ms: i32) {
        self.timeouts.insert(session, timeout_ms);
    }

    /// The session ended: a touch would only puzzle the leader.
    pub fn remove(&mut self, session: SessionId) {
        self.timeouts.remove(&session);
    }

    /// Who was heard since the last call, in the order of ids.
    pub fn take(&mut self) -> Vec<Touch> {
        std::mem::take(&mut self.timeouts)
            .into_iter()
            .map(|(session, timeout)| Touch { session, timeout })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_reported_once_however_often_it_was_heard() {
        let mut touches = TouchTable::new();
        for session in [2, 1, 2, 3] {
            touches.touch(SessionId(session), 4000);
        }
        touches.remove(SessionId(3));
        let touch = |session| Touch { session: SessionId(session), timeout: 4000 };
        assert_eq!(touches.take(), [touch(1), touch(2)]);
        assert_eq!(touches.take(), []);
    }
}
