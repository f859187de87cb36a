//! When a session dies, as its leader sees it. (SessionTrackerImpl, ExpiryQueue, LeaderSessionTracker)
//!
//! Deadlines are rounded up to the next tick, so that sessions die in buckets:
//!
//!     deadline = ((now + timeout) / tick + 1) * tick      milliseconds of the leader's monotonic clock
//!
//! A session lives at least its timeout after the last touch, and at most one tick longer (C-5).
//! The timeout of a touch is the one its connection has negotiated: a session that goes on
//! elsewhere with another timeout is held to that one, until the next leader adds it anew.
//! A closing session stays known until its closeSession is applied, but has no deadline any more.
//!
//! - C-5   a touch moves the deadline to the first tick behind the timeout; who is beyond it has expired
//! - SE-3  a live session stands in the bucket of its deadline and in no other, a closing one in none
//! - SE-4  no bucket is empty
//! - SE-5  the number of expired sessions is kept
//!
//! Where servers have local sessions, requests come from sessions that no leader tracks. They may
//! do everything but own ephemerals (`check_global_owner`).
//!
//! Not here: which sessions exist (`Sessions`). A leader starts by adding all of those. The local
//! sessions of this server (local.rs).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::base::{COSTLY_CHECKS, Mono, ServerId, SessionId, invariant};
use crate::jute::client::code;

/// The owner of sessions whose clients are connected to the leader itself.
pub const LOCAL_OWNER: u64 = 0;

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

impl SessionError {
    /// What a client is answered.
    pub fn code(self) -> i32 {
        match self {
            SessionError::Expired => code::SESSION_EXPIRED,
            SessionError::Moved => code::SESSION_MOVED,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    /// Of the last touch.
    timeout_ms: i32,
    closing: bool,
    /// Closing because its time ran out.
    expired: bool,
    /// The bucket it is in; `None` while closing.
    deadline: Option<Mono>,
    /// The link its requests come over, as the leader's driver numbers links.
    owner: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionTracker {
    tick_ms: u64,
    sessions: BTreeMap<SessionId, Session>,
    buckets: BTreeMap<Mono, BTreeSet<SessionId>>,
    /// How many of the sessions have expired.
    expiring: usize,
    /// Set where servers have local sessions: the leader's own id.
    local_sessions_at: Option<ServerId>,
}

impl SessionTracker {
    /// `tick` is tickTime; less than a millisecond counts as one.
    pub fn new(tick: Duration) -> SessionTracker {
        let tick_ms = u32::try_from(tick.as_millis()).unwrap_or(u32::MAX).max(1).into();
        SessionTracker {
            tick_ms,
            sessions: BTreeMap::new(),
            buckets: BTreeMap::new(),
            expiring: 0,
            local_sessions_at: None,
        }
    }

    /// Lets through what sessions ask that are local at their servers; `leader` is this one.
    pub fn allow_local_sessions(mut self, leader: ServerId) -> SessionTracker {
        self.local_sessions_at = Some(leader);
        self
    }

    /// Starts to track a session, or touches the one that is tracked already.
    pub fn add(&mut self, session: SessionId, timeout_ms: i32, now: Mono) {
        self.sessions.entry(session).or_insert(Session {
            timeout_ms,
            closing: false,
            expired: false,
            deadline: None,
            owner: None,
        });
        self.touch(session, timeout_ms, now);
    }

    /// The session was heard over a connection with this timeout. False: it is unknown or
    /// closing, and nothing can save it.
    pub fn touch(&mut self, session: SessionId, timeout_ms: i32, now: Mono) -> bool {
        let tick_ms = self.tick_ms;
        let Some(tracked) = self.sessions.get_mut(&session).filter(|s| !s.closing) else {
            return false;
        };
        tracked.timeout_ms = timeout_ms;
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(0);
        let deadline = Mono::from_millis(((now.millis() + timeout_ms) / tick_ms + 1) * tick_ms);
        let before = tracked.deadline.replace(deadline);
        if before != Some(deadline) {
            self.leave_bucket(session, before);
            self.buckets.entry(deadline).or_default().insert(session);
            self.invariants_of(session, now);
        }
        true
    }

    /// Its closeSession was applied. Answers whether it was known.
    pub fn remove(&mut self, session: SessionId) -> bool {
        let Some(tracked) = self.sessions.remove(&session) else { return false };
        self.expiring -= usize::from(tracked.expired);
        self.leave_bucket(session, tracked.deadline);
        self.invariants();
        true
    }

    /// Its closeSession is on the way: from now on `check_owner` refuses it (SE-2, ZOOKEEPER-1208).
    pub fn set_closing(&mut self, session: SessionId) {
        if let Some(tracked) = self.sessions.get_mut(&session) {
            tracked.closing = true;
            let deadline = tracked.deadline.take();
            self.leave_bucket(session, deadline);
            self.invariants();
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
    /// (LeaderSessionTracker.checkSession)
    pub fn check_owner(&mut self, session: SessionId, owner: u64) -> Result<(), SessionError> {
        if !self.sessions.contains_key(&session) && self.may_be_local(session, owner) {
            return Ok(());
        }
        self.check_tracked(session, owner)
    }

    /// The same for what only a global session may do, to own an ephemeral. The error is the code
    /// of the answer. (LeaderSessionTracker.checkGlobalSession)
    pub fn check_global_owner(&mut self, session: SessionId, owner: u64) -> Result<(), i32> {
        // The server of a session that could have been made global did that before it asked.
        if owner == LOCAL_OWNER
            && !self.sessions.contains_key(&session)
            && self.may_be_local(session, owner)
        {
            return Err(code::EPHEMERAL_ON_LOCAL_SESSION);
        }
        self.check_tracked(session, owner).map_err(SessionError::code)
    }

    /// Whether a session nobody here knows may live at another server, or at this one: what
    /// comes from our own clients was checked before. One of our ids that comes from elsewhere
    /// was a local session here, and is gone.
    fn may_be_local(&self, session: SessionId, owner: u64) -> bool {
        let elsewhere = |leader: ServerId| session.0 >> 56 != leader.0;
        self.local_sessions_at.is_some_and(|leader| owner == LOCAL_OWNER || elsewhere(leader))
    }

    fn check_tracked(&mut self, session: SessionId, owner: u64) -> Result<(), SessionError> {
        let tracked = self.sessions.get_mut(&session).ok_or(SessionError::Expired)?;
        if tracked.closing {
            return Err(SessionError::Expired);
        }
        if *tracked.owner.get_or_insert(owner) != owner {
            return Err(SessionError::Moved);
        }
        Ok(())
    }

    /// Takes a session whose time ran out, the earliest deadline first and by id within one, and
    /// marks it closing. The caller sends its closeSession.
    pub fn expire_next(&mut self, now: Mono) -> Option<SessionId> {
        let mut bucket = self.buckets.first_entry().filter(|bucket| *bucket.key() <= now)?;
        let session = bucket.get_mut().pop_first()?;
        if bucket.get().is_empty() {
            bucket.remove();
        }
        let tracked =
            self.sessions.get_mut(&session).expect("a bucket holds tracked sessions only");
        tracked.closing = true;
        tracked.expired = true;
        tracked.deadline = None;
        self.expiring += 1;
        self.invariants();
        Some(session)
    }

    /// Sessions that `expire_next` took, and whose closeSession is not applied yet.
    pub fn expiring(&self) -> usize {
        self.expiring
    }

    /// When to call `expire_next`; `None` while there is nobody to expire.
    pub fn next_expiry(&self) -> Option<Mono> {
        self.buckets.first_key_value().map(|(deadline, _)| *deadline)
    }

    /// Sessions by the time when they die, the earliest first. Closing ones are in none of these.
    pub fn buckets(&self) -> impl Iterator<Item = (Mono, &BTreeSet<SessionId>)> {
        self.buckets.iter().map(|(deadline, sessions)| (*deadline, sessions))
    }

    /// Tracked sessions, closing ones too.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The timeout of its last touch, in milliseconds.
    pub fn timeout_ms(&self, session: SessionId) -> Option<i32> {
        self.sessions.get(&session).map(|tracked| tracked.timeout_ms)
    }

    /// Every tracked session with its timeout in milliseconds, closing ones too, by id.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, i32)> + '_ {
        self.sessions.iter().map(|(session, tracked)| (*session, tracked.timeout_ms))
    }

    /// Those from this one on.
    pub fn iter_from(&self, first: SessionId) -> impl Iterator<Item = (SessionId, i32)> + '_ {
        let sessions = self.sessions.range(first..);
        sessions.map(|(session, tracked)| (*session, tracked.timeout_ms))
    }

    /// What must hold of a session that was just touched.
    fn invariants_of(&self, session: SessionId, now: Mono) {
        let Some(Session { timeout_ms, deadline: Some(deadline), closing: false, .. }) =
            self.sessions.get(&session)
        else {
            return;
        };
        let there = self.buckets.get(deadline).is_some_and(|bucket| bucket.contains(&session));
        invariant!(there, "SE-3", "{session} is not in its bucket, {deadline:?}");
        let end_ms = now.millis() + u64::try_from(*timeout_ms).unwrap_or(0);
        let in_time = (end_ms + 1..=end_ms + self.tick_ms).contains(&deadline.millis());
        invariant!(in_time, "C-5", "{session} may live until {end_ms} ms, not {deadline:?}");
    }

    /// What must hold between two calls.
    fn invariants(&self) {
        if !COSTLY_CHECKS {
            return;
        }
        let mut waiting = 0;
        for (session, tracked) in &self.sessions {
            let Session { closing, deadline, .. } = tracked;
            invariant!(*closing == deadline.is_none(), "SE-3", "{session}: {tracked:?}");
            let Some(deadline) = deadline else { continue };
            waiting += 1;
            let bucket = self.buckets.get(deadline);
            let there = bucket.is_some_and(|bucket| bucket.contains(session));
            invariant!(there, "SE-3", "{session} is not in its bucket, {deadline:?}");
        }
        let expired = self.sessions.values().filter(|tracked| tracked.expired).count();
        invariant!(
            expired == self.expiring,
            "SE-5",
            "{expired} are expired, not {}",
            self.expiring
        );
        let empty = self.buckets.iter().find(|(_, bucket)| bucket.is_empty());
        invariant!(empty.is_none(), "SE-4", "nobody is in the bucket {empty:?}");
        let held: usize = self.buckets.values().map(BTreeSet::len).sum();
        invariant!(held == waiting, "SE-3", "{waiting} sessions have {held} places");
    }

    fn leave_bucket(&mut self, session: SessionId, deadline: Option<Mono>) {
        let Some(deadline) = deadline else { return };
        if let Some(bucket) = self.buckets.get_mut(&deadline) {
            bucket.remove(&session);
            if bucket.is_empty() {
                self.buckets.remove(&deadline);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::invariant::testing::each_fires;

    const A: SessionId = SessionId(1);
    const B: SessionId = SessionId(2);

    fn at(ms: u64) -> Mono {
        Mono(ms * 1_000_000)
    }

    fn expired(tracker: &mut SessionTracker, now: Mono) -> Vec<SessionId> {
        std::iter::from_fn(|| tracker.expire_next(now)).collect()
    }

    fn tracker() -> SessionTracker {
        SessionTracker::new(Duration::from_millis(2000))
    }

    #[test]
    fn a_session_dies_at_the_tick_after_its_timeout() {
        let mut tracker = tracker();
        tracker.add(A, 4000, at(1));
        assert_eq!(tracker.next_expiry(), Some(at(6000)));
        assert_eq!(expired(&mut tracker, at(5999)), []);
        assert_eq!(expired(&mut tracker, at(6000)), [A]);
        assert!(tracker.is_closing(A));
        assert_eq!((tracker.next_expiry(), tracker.expiring()), (None, 1));
        assert_eq!(expired(&mut tracker, at(99_000)), [], "nobody expires twice");
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
        assert!(tracker.touch(A, 4000, at(5000)));
        assert_eq!(expired(&mut tracker, at(9999)), []);
        assert_eq!(expired(&mut tracker, at(10_000)), [A]);
        assert!(!tracker.touch(A, 4000, at(10_000)), "a closing session cannot be saved");
        assert!(!tracker.touch(B, 4000, at(0)), "an unknown one neither");
    }

    #[test]
    fn sessions_expire_by_deadline_and_then_by_id() {
        let mut tracker = tracker();
        for (session, timeout) in [(9, 4000), (3, 4000), (5, 8000), (1, 20_000)] {
            tracker.add(SessionId(session), timeout, at(0));
        }
        assert_eq!(expired(&mut tracker, at(10_000)), [SessionId(3), SessionId(9), SessionId(5)]);
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
    fn the_timeout_of_the_last_touch_counts() {
        let mut tracker = tracker();
        tracker.add(A, 40_000, at(0));
        assert!(tracker.touch(A, 4000, at(1000)));
        assert_eq!(tracker.timeout_ms(A), Some(4000));
        assert_eq!(tracker.next_expiry(), Some(at(6000)));
        tracker.add(A, 8000, at(1000));
        assert_eq!(tracker.next_expiry(), Some(at(10_000)), "adding it again is a touch");
    }

    #[test]
    fn a_session_nobody_tracks_is_let_through_where_it_may_be_local() {
        let local_at = |server: i64| SessionId(server << 56 | 7);
        let mut strict = tracker();
        assert_eq!(strict.check_owner(local_at(2), 9), Err(SessionError::Expired));

        let mut leader = tracker().allow_local_sessions(ServerId(1));
        assert_eq!(leader.check_owner(local_at(2), 9), Ok(()), "at a learner");
        assert_eq!(leader.check_owner(local_at(1), LOCAL_OWNER), Ok(()), "at the leader");
        let gone = leader.check_owner(local_at(1), 9);
        assert_eq!(gone, Err(SessionError::Expired), "it was ours");
        for (session, owner, error) in [
            (local_at(2), 9, code::SESSION_EXPIRED),
            (local_at(1), LOCAL_OWNER, code::EPHEMERAL_ON_LOCAL_SESSION),
        ] {
            assert_eq!(leader.check_global_owner(session, owner), Err(error), "{session}");
        }
        leader.add(local_at(2), 4000, at(0));
        assert_eq!(leader.check_global_owner(local_at(2), 9), Ok(()), "it was upgraded");
        assert_eq!(leader.check_owner(local_at(2), 8), Err(SessionError::Moved));
        leader.set_closing(local_at(2));
        assert_eq!(leader.check_owner(local_at(2), 9), Err(SessionError::Expired));
    }
    const C: SessionId = SessionId(3);

    /// A lives until 6000 ms, C until 10,000; B is closing.
    fn three_sessions() -> SessionTracker {
        let mut tracker = tracker();
        for (session, timeout_ms) in [(A, 4000), (B, 4000), (C, 8000)] {
            tracker.add(session, timeout_ms, at(1));
        }
        tracker.set_closing(B);
        tracker
    }

    #[test]
    fn each_invariant_fires() {
        fn bucket(tracker: &mut SessionTracker, deadline_ms: u64) -> &mut BTreeSet<SessionId> {
            tracker.buckets.entry(at(deadline_ms)).or_default()
        }
        fn session(tracker: &mut SessionTracker, session: SessionId) -> &mut Session {
            tracker.sessions.get_mut(&session).expect("it is tracked")
        }
        each_fires(
            include_str!("tracker.rs"),
            |tracker: &SessionTracker| {
                tracker.invariants_of(A, at(1));
                tracker.invariants();
            },
            &[
                ("SE-3", three_sessions, |t| _ = t.buckets.remove(&at(6000))),
                ("SE-3", three_sessions, |t| session(t, C).closing = true),
                ("SE-3", three_sessions, |t| session(t, C).deadline = Some(at(8000))),
                ("SE-3", three_sessions, |t| _ = bucket(t, 6000).insert(B)),
                ("SE-3", three_sessions, |t| _ = bucket(t, 8000).insert(A)),
                ("SE-4", three_sessions, |t| bucket(t, 4000).clear()),
                ("SE-5", three_sessions, |t| t.expiring = 1),
                ("C-5", three_sessions, |t| session(t, A).timeout_ms = 1000),
                ("C-5", three_sessions, |t| session(t, A).timeout_ms = 6000),
            ],
        );
    }
}
