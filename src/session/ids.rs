//! New session ids. (SessionTrackerImpl.initializeNextSessionId)
//!
//!     server id 8 bits | low 40 bits of a start time in ms | counter 16 bits, running over into the time

use serde::{Deserialize, Serialize};

use crate::base::{ServerId, SessionId};

/// The mark of a container node stands where a session id would; no session may have it.
const CONTAINER_OWNER: i64 = i64::MIN;

/// Gives out session ids; two servers of an ensemble never give out the same one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdGenerator {
    next: i64,
}

impl IdGenerator {
    /// `now_ms` seeds the ids: it must be later at every start of this server than at the one
    /// before, and differ between servers or starts as a clock does.
    pub fn new(server_id: ServerId, now_ms: u64) -> IdGenerator {
        let time = (now_ms << 24) >> 8;
        let mut next = time as i64 | server_id.0 << 56;
        if next == CONTAINER_OWNER {
            next += 1;
        }
        IdGenerator { next }
    }

    pub fn next_id(&mut self) -> SessionId {
        let id = SessionId(self.next);
        self.next = self.next.wrapping_add(1);
        id
    }
}

/// Whether a server with this id gave out the session id.
pub fn was_opened_by(server: ServerId, session: SessionId) -> bool {
    (session.0 ^ server.0 << 56) as u64 >> 56 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_server_and_its_start() {
        let mut ids = IdGenerator::new(ServerId(1), 0x0012_d0d1);
        assert_eq!(ids.next_id(), SessionId(0x0100_0012_d0d1_0000));
        assert_eq!(ids.next_id(), SessionId(0x0100_0012_d0d1_0001));
    }

    #[test]
    fn an_id_is_known_by_its_server() {
        for server in [1, 2, 127, 128, 255] {
            let session = IdGenerator::new(ServerId(server), 0xff01_0203_0405).next_id();
            assert!(was_opened_by(ServerId(server), session), "{server}");
            assert!(!was_opened_by(ServerId(server ^ 1), session), "{server}");
        }
    }

    #[test]
    fn only_the_low_40_bits_of_the_start_count() {
        let mut ids = IdGenerator::new(ServerId(2), 0xff01_0203_0405);
        assert_eq!(ids.next_id(), SessionId(0x0201_0203_0405_0000));
    }

    #[test]
    fn no_session_is_taken_for_a_container() {
        assert_eq!(IdGenerator::new(ServerId(128), 0).next_id(), SessionId(i64::MIN + 1));
    }
}
