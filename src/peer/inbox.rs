//! The pump's inbox: inputs in one order, whoever posts them.
//!
//! The order is (event time, source, n). On the machine events come in the order of time anyway;
//! in the simulator this is what makes the order of its tasks meaningless. There, what a step
//! causes at once (a link closed, a request that needs no disk) carries the stamp of that very
//! step: it is taken a delay later, behind the step, when all of it has been posted.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::base::Stamp;

/// Who posts: a class of sources, and a number within it (a link, a connection).
pub(super) type Source = (u8, u64);

type Key = (Stamp, Source, u64);

struct Entry<I> {
    key: Key,
    input: I,
}

impl<I> PartialEq for Entry<I> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl<I> Eq for Entry<I> {}
impl<I> PartialOrd for Entry<I> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<I> Ord for Entry<I> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

struct State<I> {
    heap: BinaryHeap<Reverse<Entry<I>>>,
    /// How many inputs each source has posted. Sources end; their counters are dropped with
    /// `forget`.
    posted: BTreeMap<Source, u64>,
}

/// Shared by the pump and everything that posts. One thread.
pub(super) struct Inbox<I> {
    state: Rc<RefCell<State<I>>>,
    wake: Rc<Notify>,
    delay: Duration,
}

impl<I> Clone for Inbox<I> {
    fn clone(&self) -> Self {
        Inbox { state: self.state.clone(), wake: self.wake.clone(), delay: self.delay }
    }
}

impl<I> Inbox<I> {
    /// `delay`: how long after its event an input is taken, at the earliest (`Runtime::settle`).
    pub(super) fn new(delay: Duration) -> Inbox<I> {
        let state = State { heap: BinaryHeap::new(), posted: BTreeMap::new() };
        Inbox { state: Rc::new(RefCell::new(state)), wake: Rc::new(Notify::new()), delay }
    }

    pub(super) fn post(&self, at: Stamp, source: Source, input: I) {
        let mut state = self.state.borrow_mut();
        let n = state.posted.entry(source).or_default();
        *n += 1;
        let key = (at + self.delay, source, *n);
        state.heap.push(Reverse(Entry { key, input }));
        drop(state);
        self.wake.notify_one();
    }

    /// No more inputs come from this source.
    pub(super) fn forget(&self, source: Source) {
        self.state.borrow_mut().posted.remove(&source);
    }

    /// When the first input happened.
    pub(super) fn first(&self) -> Option<Stamp> {
        self.state.borrow().heap.peek().map(|Reverse(entry)| entry.key.0)
    }

    pub(super) fn pop(&self) -> Option<(Stamp, Source, I)> {
        let Reverse(entry) = self.state.borrow_mut().heap.pop()?;
        Some((entry.key.0, entry.key.1, entry.input))
    }

    /// Returns when something was posted since the last return.
    pub(super) async fn posted(&self) {
        self.wake.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_leave_by_time_then_source_then_their_own_order() {
        let inbox = Inbox::new(Duration::ZERO);
        inbox.post(Stamp(2), (1, 1), "late");
        inbox.post(Stamp(1), (2, 1), "second source, first");
        inbox.post(Stamp(1), (1, 9), "first source");
        inbox.post(Stamp(1), (2, 1), "second source, second");
        let order: Vec<&str> = std::iter::from_fn(|| inbox.pop().map(|(_, _, i)| i)).collect();
        let expected = ["first source", "second source, first", "second source, second", "late"];
        assert_eq!(order, expected);
    }
}
