//! Sessions: their ids, passwords and timeouts, and when they die. (SessionTrackerImpl, UpgradeableSessionTracker)
//!
//!     all servers    Sessions         every session and its timeout, as the transactions made them
//!     the leader     SessionTracker   when each of them dies, and through which server it speaks
//!     each learner   TouchTable       its sessions that were heard since the leader's last PING
//!     each server    LocalSessions    sessions that this server alone knows
//!
//! SE-1  a session enters `Sessions` when its transaction is applied, never when it is prepared
//! SE-2  what a closing session still asks for is refused: nothing of it may be created after its end
//!
//! Not here: the connect handshake, and when a local session is made global (server); the
//! transactions that open and close a session (prepare).

mod ids;
mod local;
mod password;
mod table;
mod touches;
mod tracker;

pub use ids::{IdGenerator, was_opened_by};
pub use local::LocalSessions;
pub use password::password;
pub use table::Sessions;
pub use touches::TouchTable;
pub use tracker::{LOCAL_OWNER, SessionError, SessionTracker};

/// The session timeout a client gets, in milliseconds. (ZooKeeperServer.processConnectRequest)
///
/// Zero, negative and huge wishes are brought into range, never refused.
pub fn negotiate(requested_ms: i32, min_ms: i32, max_ms: i32) -> i32 {
    // The upper bound last: it wins where a configuration crosses the two.
    requested_ms.max(min_ms).min(max_ms)
}

#[cfg(test)]
mod tests {
    use super::negotiate;

    #[test]
    fn a_timeout_is_brought_between_the_bounds() {
        assert_eq!(negotiate(10_000, 4_000, 40_000), 10_000);
        assert_eq!(negotiate(-1, 4_000, 40_000), 4_000);
        assert_eq!(negotiate(i32::MAX, 4_000, 40_000), 40_000);
        assert_eq!(negotiate(10_000, 50_000, 40_000), 40_000);
    }
}
