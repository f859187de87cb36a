//! When a session dies, as its leader sees it. (SessionTrackerImpl, ExpiryQueue, LeaderSessionTracker)
//!
//! Deadlines are rounded up to the next tick, so that sessions die in buckets:
//!
//!     deadline = ((now + timeout) / tick + 1) * tick      milliseconds of the leader's monotonic clock
//!
//! A session lives at least its timeout after the last touch, and at most one tick longer (C-5).
//! A closing session stays known until its closeSession is applied, but has no deadline any more.
//!
//! Not here: which sessions exist (`Sessions`). A leader starts by adding all of those.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use thiserror::Error;

use crate::base::{Mono, SessionId};

/// Why a session may not do what it asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SessionError {
    /// Unknown here, or closing.
    #[error("the session has expired")]
    Expired,
    /// It speaks through another server now; this request comes from the one it left.
    #[error("the session has moved to another server")]
    Moved,
}

#[derive(Clone, Debug)]
struct Session {
    timeout_ms: i32,
    closing: bool,
    /// The bucket it is in; `None` while closing.
    deadline_ms: Option<u64>,
    /// The link its requests come over, as the leader's driver numbers links.
    owner: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct SessionTracker {
    tick_ms: u64,
    sessions: BTreeMap<SessionId, Session>,
    buckets: BTreeMap<u64, BTreeSet<SessionId>>,
}

impl SessionTracker {
    /// `tick` is tickTime; less than a millisecond counts as one.
    pub fn new(tick: Duration) -> SessionTracker {
        let tick_ms = u32::try_from(tick.as_millis()).unwrap_or(u32::MAX).max(1).into();
        SessionTracker { tick_ms, sessions: BTreeMap::new(), buckets: BTreeMap::new() }
    }

    /// Starts to track a session, or touches the one that is tracked already.
    pub fn add(&mut self, session: SessionId, timeout_ms: i32, now: Mono) {
        self.sessions.entry(session).or_insert(Session {
            timeout_ms,
            closing: false,
            deadline_ms: None,
            owner: None,
        });
        self.touch(session, now);
    }

    /// The session was heard. False: it is unknown or closing, and nothing can save it.
    pub fn touch(&mut self, session: SessionId, now: Mono) -> bool {
        let tick_ms = self.tick_ms;
        let Some(tracked) = self.sessions.get_mut(&session).filter(|s| !s.closing) else {
            return false;
        };
        let timeout_ms = u64::try_from(tracked.timeout_ms).unwrap_or(0);
        let deadline = ((now.millis() + timeout_ms) / tick_ms + 1) * tick_ms;
        let before = tracked.deadline_ms.replace(deadline);
        if before != Some(deadline) {
            self.leave_bucket(session, before);
            self.buckets.entry(deadline).or_default().insert(session);
        }
        true
    }

    /// Its closeSession was applied. Answers whether it was known.
    pub fn remove(&mut self, session: SessionId) -> bool {
        let Some(tracked) = self.sessions.remove(&session) else { return false };
        self.leave_bucket(session, tracked.deadline_ms);
        true
    }

    /// Its closeSession is on the way: from now on `check_owner` refuses it (SE-2, ZOOKEEPER-1208).
    pub fn set_closing(&mut self, session: SessionId) {
        if let Some(tracked) = self.sessions.get_mut(&session) {
            tracked.closing = true;
            let deadline = tracked.deadline_ms.take();
            self.leave_bucket(session, deadline);
        }
    }

    pub fn is_closing(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|tracked| tracked.closing)
    }

    /// Known and not closing.
    pub fn is_alive(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|tracked| !tracked.closing)
    }

    /// The session speaks through `owner` now (createSession, REVALIDATE).
    pub fn set_owner(&mut self, session: SessionId, owner: u64) {
        if let Some(tracked) = self.sessions.get_mut(&session) {
            tracked.owner = Some(owner);
        }
    }

    /// Whether a request of this session that came over `owner` may be carried out. Where no
    /// owner is known, as after an election, the first to ask becomes it.
    pub fn check_owner(&mut self, session: SessionId, owner: u64) -> Result<(), SessionError> {
        let tracked = self.sessions.get_mut(&session).ok_or(SessionError::Expired)?;
        if tracked.closing {
            return Err(SessionError::Expired);
        }
        if *tracked.owner.get_or_insert(owner) != owner {
            return Err(SessionError::Moved);
        }
        Ok(())
    }

    /// Takes the sessions whose time ran out, earliest deadline first and by id within one, and
    /// marks them closing. The caller sends a closeSession for each.
    pub fn expire_sessions(&mut self, now: Mono) -> Vec<SessionId> {
        let mut expired = Vec::new();
        while let Some(bucket) = self.buckets.first_entry() {
            if *bucket.key() > now.millis() {
                break;
            }
            expired.extend(bucket.remove());
        }
        for session in &expired {
            let tracked =
                self.sessions.get_mut(session).expect("a bucket holds tracked sessions only");
            tracked.closing = true;
            tracked.deadline_ms = None;
        }
        expired
    }

    /// When to call `expire_sessions` next; `None` while there is nobody to expire.
    pub fn next_expiry(&self) -> Option<Mono> {
        let (deadline_ms, _) = self.buckets.first_key_value()?;
        Some(Mono(deadline_ms.saturating_mul(1_000_000)))
    }

    pub fn timeout_ms(&self, session: SessionId) -> Option<i32> {
        self.sessions.get(&session).map(|tracked| tracked.timeout_ms)
    }

    /// Every tracked session with its timeout in milliseconds, closing ones too, by id.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, i32)> + '_ {
        self.sessions.iter().map(|(session, tracked)| (*session, tracked.timeout_ms))
    }

    /// Deadlines in milliseconds with the sessions that end there (four-letter word `dump`).
    pub fn buckets(&self) -> impl Iterator<Item = (u64, &BTreeSet<SessionId>)> + '_ {
        self.buckets.iter().map(|(deadline_ms, sessions)| (*deadline_ms, sessions))
    }

    fn leave_bucket(&mut self, session: SessionId, deadline_ms: Option<u64>) {
        let Some(deadline_ms) = deadline_ms else { return };
        if let Some(bucket) = self.buckets.get_mut(&deadline_ms) {
            bucket.remove(&session);
            if bucket.is_empty() {
                self.buckets.remove(&deadline_ms);
            }
        }
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

    fn tracker() -> SessionTracker {
        SessionTracker::new(Duration::from_millis(2000))
    }

    #[test]
    fn a_session_dies_at_the_tick_after_its_timeout() {
        let mut tracker = tracker();
        tracker.add(A, 4000, at(1));
        assert_eq!(tracker.next_expiry(), Some(at(6000)));
        assert_eq!(tracker.expire_sessions(at(5999)), []);
        assert_eq!(tracker.expire_sessions(at(6000)), [A]);
        assert!(tracker.is_closing(A));
        assert_eq!(tracker.next_expiry(), None);
        assert_eq!(tracker.expire_sessions(at(99_000)), [], "nobody expires twice");
    }

    #[test]
    fn a_timeout_that_ends_on_a_tick_still_gets_the_whole_next_one() {
        let mut tracker = tracker();
        tracker.add(A, 4000, at(2000));
        assert_eq!(tracker.next_expiry(), Some(at(8000)));
    }

    #[test]
    fn a_touch_moves_the_deadline() {
        let mut tracker = tracker();
        tracker.add(A, 4000, at(0));
        assert!(tracker.touch(A, at(5000)));
        assert_eq!(tracker.expire_sessions(at(9999)), []);
        assert_eq!(tracker.expire_sessions(at(10_000)), [A]);
        assert!(!tracker.touch(A, at(10_000)), "a closing session cannot be saved");
        assert!(!tracker.touch(B, at(0)), "an unknown one neither");
    }

    #[test]
    fn sessions_expire_by_deadline_and_then_by_id() {
        let mut tracker = tracker();
        for (session, timeout) in [(9, 4000), (3, 4000), (5, 8000), (1, 20_000)] {
            tracker.add(SessionId(session), timeout, at(0));
        }
        assert_eq!(tracker.expire_sessions(at(10_000)), [SessionId(3), SessionId(9), SessionId(5)]);
    }

    #[test]
    fn a_closing_session_is_refused_and_not_expired_again() {
        let mut tracker = tracker();
        tracker.add(A, 4000, at(0));
        assert_eq!(tracker.check_owner(A, 7), Ok(()));
        tracker.set_closing(A);
        assert_eq!(tracker.check_owner(A, 7), Err(SessionError::Expired));
        assert_eq!(tracker.next_expiry(), None);
        assert_eq!(tracker.iter().collect::<Vec<_>>(), [(A, 4000)], "known until it is applied");
        assert!(tracker.remove(A));
        assert!(!tracker.remove(A));
    }

    #[test]
    fn the_first_to_ask_owns_a_session_until_it_moves() {
        let mut tracker = tracker();
        tracker.add(A, 4000, at(0));
        assert_eq!(tracker.check_owner(A, 7), Ok(()));
        assert_eq!(tracker.check_owner(A, 8), Err(SessionError::Moved));
        tracker.set_owner(A, 8);
        assert_eq!(tracker.check_owner(A, 8), Ok(()));
        assert_eq!(tracker.check_owner(A, 7), Err(SessionError::Moved));
        assert_eq!(tracker.check_owner(B, 7), Err(SessionError::Expired));
    }

    #[test]
    fn adding_a_known_session_only_touches_it() {
        let mut tracker = tracker();
        tracker.add(A, 4000, at(0));
        tracker.add(A, 40_000, at(5000));
        assert_eq!(tracker.next_expiry(), Some(at(10_000)));
        assert_eq!(tracker.timeout_ms(A), Some(4000));
    }
}
