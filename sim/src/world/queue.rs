//! Events and timers, in the order of their stamps.
//!
//! Events come by (stamp, tie, n), timers by (stamp, n), an event before a timer of its stamp. Timers
//! are kept here and not in madsim, so that they can be cancelled and madsim has one timer in all.
//!
//! Not here: who takes them out (`executor`), what an event is (`handle`).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::task::Waker;

use quorate::base::Stamp;

use super::process::Process;

struct Queued<E> {
    at: Stamp,
    tie: u64,
    n: u64,
    event: E,
}

impl<E> Ord for Queued<E> {
    fn cmp(&self, other: &Queued<E>) -> Ordering {
        (other.at, other.tie, other.n).cmp(&(self.at, self.tie, self.n)) // earliest on top
    }
}

impl<E> PartialOrd for Queued<E> {
    fn partial_cmp(&self, other: &Queued<E>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Queued<E> {
    fn eq(&self, other: &Queued<E>) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Queued<E> {}

pub(super) struct Timer {
    pub(super) process: Option<Rc<Process>>,
    pub(super) waker: Waker,
}

pub(crate) struct Queue<E> {
    events: BinaryHeap<Queued<E>>,
    timers: BTreeMap<(Stamp, u64), Timer>,
    n: u64,
    waker: Option<Waker>,
    /// madsim will wake the queue's task no later than this.
    armed: Option<Stamp>,
}

impl<E> Default for Queue<E> {
    fn default() -> Queue<E> {
        Queue { events: BinaryHeap::new(), timers: BTreeMap::new(), n: 0, waker: None, armed: None }
    }
}

/// What the queue's task does next.
pub(super) enum Next<E> {
    Event(Stamp, E),
    Timer(Stamp, Timer),
    Wait(Stamp),
    Idle,
}

impl<E> Queue<E> {
    /// `tie` orders the events of one stamp.
    pub(super) fn push(&mut self, at: Stamp, tie: u64, event: E) {
        self.n += 1;
        self.events.push(Queued { at, tie, n: self.n, event });
        self.wake_for(at);
    }

    pub(super) fn add_timer(&mut self, at: Stamp, timer: Timer) -> u64 {
        self.n += 1;
        self.timers.insert((at, self.n), timer);
        self.wake_for(at);
        self.n
    }

    fn wake_for(&mut self, at: Stamp) {
        if self.armed.is_none_or(|armed| at < armed)
            && let Some(waker) = &self.waker
        {
            waker.wake_by_ref();
        }
    }

    /// The timer that [`Queue::add_timer`] numbered `n`, if it has not come.
    pub(super) fn timer(&mut self, at: Stamp, n: u64) -> Option<&mut Timer> {
        self.timers.get_mut(&(at, n))
    }

    pub(super) fn remove_timer(&mut self, at: Stamp, n: u64) {
        self.timers.remove(&(at, n));
    }

    /// The queue's task runs: this wakes it from now on.
    pub(super) fn awake(&mut self, now: Stamp, waker: &Waker) {
        if self.waker.is_none() {
            self.waker = Some(waker.clone());
        }
        if self.armed.is_some_and(|armed| armed <= now) {
            self.armed = None;
        }
    }

    /// Whether the executor's one timer has to be set to this moment.
    pub(super) fn arm(&mut self, at: Stamp) -> bool {
        let is_new = self.armed.is_none_or(|armed| armed > at);
        if is_new {
            self.armed = Some(at);
        }
        is_new
    }

    pub(super) fn next(&mut self, now: Stamp) -> Next<E> {
        let event = self.events.peek().map(|queued| queued.at);
        let timer = self.timers.first_key_value().map(|((at, _), _)| *at);
        let timer_first = match (event, timer) {
            (None, None) => return Next::Idle,
            (Some(event), Some(timer)) => timer < event,
            (event, _) => event.is_none(),
        };
        let at = if timer_first { timer } else { event }.unwrap_or(Stamp::FAR);
        if at > now {
            return Next::Wait(at);
        }
        if timer_first {
            let ((at, _), timer) = self.timers.pop_first().expect("a first timer was seen");
            return Next::Timer(at, timer);
        }
        let queued = self.events.pop().expect("a first event was seen");
        Next::Event(queued.at, queued.event)
    }
}
