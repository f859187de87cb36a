//! Sessions that this server alone knows. (LocalSessionTracker, UpgradeableSessionTracker)
//!
//! No transaction opens or closes a local session: it lives and dies here, and is unknown to
//! every other server. It ends with the role of its server. Upgrading takes it out of here; from
//! then on the leader tracks it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SessionTracker;
use crate::base::{Mono, SessionId};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LocalSessions {
    tick: Duration,
    tracker: SessionTracker,
    /// The timeouts in milliseconds with which they were opened.
    opened_with: BTreeMap<SessionId, i32>,
}

impl LocalSessions {
    /// `tick` is tickTime.
    pub fn new(tick: Duration) -> LocalSessions {
        LocalSessions { tick, tracker: SessionTracker::new(tick), opened_with: BTreeMap::new() }
    }

    pub fn open(&mut self, session: SessionId, timeout_ms: i32, now: Mono) {
        self.opened_with.insert(session, timeout_ms);
        self.tracker.add(session, timeout_ms, now);
    }

    /// A local session, closing or not.
    pub fn contains(&self, session: SessionId) -> bool {
        self.opened_with.contains_key(&session)
    }

    /// False: it is not local, or closing.
    pub fn touch(&mut self, session: SessionId, timeout_ms: i32, now: Mono) -> bool {
        self.tracker.touch(session, timeout_ms, now)
    }

    /// Its closeSession waits for its turn.
    pub fn set_closing(&mut self, session: SessionId) {
        self.tracker.set_closing(session);
    }

    pub fn is_closing(&self, session: SessionId) -> bool {
        self.tracker.is_closing(session)
    }

    /// Forgets it: it was closed, or is global now. Answers the timeout in milliseconds with which
    /// it was opened, if it was local.
    pub fn remove(&mut self, session: SessionId) -> Option<i32> {
        self.tracker.remove(session);
        self.opened_with.remove(&session)
    }

    /// Takes out those whose time ran out.
    pub fn expire(&mut self, now: Mono) -> Vec<SessionId> {
        let mut expired = Vec::new();
        while let Some(session) = self.tracker.expire_next(now) {
            self.remove(session);
            expired.push(session);
        }
        expired
    }

    pub fn next_expiry(&self) -> Option<Mono> {
        self.tracker.next_expiry()
    }

    /// The role of this server ended, and its local sessions with it.
    pub fn clear(&mut self) {
        *self = LocalSessions::new(self.tick);
    }

    /// When each of them dies.
    pub fn tracker(&self) -> &SessionTracker {
        &self.tracker
    }

    pub fn len(&self) -> usize {
        self.opened_with.len()
    }

    pub fn is_empty(&self) -> bool {
        self.opened_with.is_empty()
    }

    /// With the timeouts with which they were opened, by id.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, i32)> + '_ {
        self.opened_with.iter().map(|(session, timeout_ms)| (*session, *timeout_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SessionId = SessionId(1);
    const B: SessionId = SessionId(2);

    fn at(ms: u64) -> Mono {
        Mono(ms * 1_000_000)
    }

    #[test]
    fn an_expired_local_session_is_gone() {
        let mut local = LocalSessions::new(Duration::from_millis(2000));
        local.open(A, 4000, at(0));
        local.open(B, 8000, at(0));
        assert_eq!(local.next_expiry(), Some(at(6000)));
        assert_eq!(local.expire(at(6000)), [A]);
        assert!(!local.contains(A) && local.contains(B));
        assert!(!local.touch(A, 4000, at(6000)));
    }

    #[test]
    fn an_upgraded_session_keeps_the_timeout_it_was_opened_with() {
        let mut local = LocalSessions::new(Duration::from_millis(2000));
        local.open(A, 8000, at(0));
        assert!(local.touch(A, 4000, at(0)), "another timeout after a reconnect");
        assert_eq!(local.remove(A), Some(8000));
        assert_eq!(local.remove(A), None);
        assert_eq!(local.next_expiry(), None);
    }

    #[test]
    fn a_closing_session_is_known_and_not_saved() {
        let mut local = LocalSessions::new(Duration::from_millis(2000));
        local.open(A, 4000, at(0));
        local.set_closing(A);
        assert!(local.contains(A) && local.is_closing(A));
        assert!(!local.touch(A, 4000, at(1)));
        assert_eq!(local.expire(at(99_000)), []);
        local.clear();
        assert_eq!(local.len(), 0);
    }
}
