//! The pump's inbox: inputs in one order, whoever posts them.
//!
//! On the machine that is the order in which they are posted: an event is posted when it happens. In
//! the simulator it is (event time, source, n), which makes the order of its tasks meaningless.
//! There, what a step causes at once (a link closed, a request that needs no disk) carries the stamp
//! of that very step: it is taken a delay later, behind the step, when all of it has been posted.
//!
//! What comes from servers and disks lies apart from what comes from clients: a pump that is behind
//! takes it first. Neither is read while so many of its inputs wait that others would wait for them,
//! or memory would be used up: a client sends 20,000 requests in one packet train.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::rc::Rc;
use std::task::{Context, Waker};
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

/// While so many inputs of clients wait, no more are read.
const CLIENT_INPUTS_MAX: usize = 1024;
/// And so many of servers: what one sends faster than it is taken waits in the kernel, not in here.
const PEER_INPUTS_MAX: usize = 4096;

/// What waits of one side, in the order in which it is taken.
enum Row<I> {
    Posted(VecDeque<(Stamp, Source, I)>),
    Sorted(BinaryHeap<Reverse<Entry<I>>>),
}

impl<I> Row<I> {
    fn new(is_sorted: bool) -> Row<I> {
        if is_sorted { Row::Sorted(BinaryHeap::new()) } else { Row::Posted(VecDeque::new()) }
    }

    fn len(&self) -> usize {
        match self {
            Row::Posted(row) => row.len(),
            Row::Sorted(heap) => heap.len(),
        }
    }

    /// When the first of them happened, and its place among those of that moment.
    fn first(&self) -> Option<Key> {
        match self {
            Row::Posted(row) => row.front().map(|(at, source, _)| (*at, *source, 0)),
            Row::Sorted(heap) => heap.peek().map(|Reverse(entry)| entry.key),
        }
    }

    fn pop(&mut self) -> Option<(Stamp, Source, I)> {
        match self {
            Row::Posted(row) => row.pop_front(),
            Row::Sorted(heap) => {
                let Reverse(Entry { key: (at, source, _), input }) = heap.pop()?;
                Some((at, source, input))
            }
        }
    }
}

/// What servers and disks post, or what clients post.
struct Side<I> {
    row: Row<I>,
    /// While so many wait, no more are read.
    inputs_max: usize,
    /// Who is woken when there is room for more.
    readers: Vec<Waker>,
}

impl<I> Side<I> {
    fn new(is_sorted: bool, inputs_max: usize) -> Side<I> {
        Side { row: Row::new(is_sorted), inputs_max, readers: Vec::new() }
    }

    fn pop(&mut self) -> Option<(Stamp, Source, I)> {
        let popped = self.row.pop();
        if self.row.len() <= self.inputs_max / 2 {
            self.readers.drain(..).for_each(Waker::wake);
        }
        popped
    }

    fn has_room(&mut self, cx: &mut Context<'_>) -> bool {
        let has_room = self.row.len() < self.inputs_max;
        if !has_room {
            self.readers.push(cx.waker().clone());
        }
        has_room
    }
}

struct State<I> {
    peers: Side<I>,
    clients: Side<I>,
    /// Where inputs are sorted, how many each source has posted. Sources end; their counters are
    /// dropped with `forget`.
    posted: BTreeMap<Source, u64>,
}

/// Shared by the pump and everything that posts. One thread.
pub(super) struct Inbox<I> {
    state: Rc<RefCell<State<I>>>,
    wake: Rc<Notify>,
    delay: Duration,
    /// The first class whose sources are clients.
    client_class: u8,
}

impl<I> Clone for Inbox<I> {
    fn clone(&self) -> Self {
        let Inbox { state, wake, delay, client_class } = self;
        let (state, wake) = (state.clone(), wake.clone());
        Inbox { state, wake, delay: *delay, client_class: *client_class }
    }
}

impl<I> Inbox<I> {
    /// `delay`: how long after its event an input is taken, at the earliest (`Runtime::settle`);
    /// without one they are taken as they are posted. Sources of `client_class` and above are clients.
    pub(super) fn new(delay: Duration, client_class: u8) -> Inbox<I> {
        let is_sorted = !delay.is_zero();
        let state = Rc::new(RefCell::new(State {
            peers: Side::new(is_sorted, PEER_INPUTS_MAX),
            clients: Side::new(is_sorted, CLIENT_INPUTS_MAX),
            posted: BTreeMap::new(),
        }));
        Inbox { state, wake: Rc::new(Notify::new()), delay, client_class }
    }

    pub(super) fn post(&self, at: Stamp, source: Source, input: I) {
        let mut state = self.state.borrow_mut();
        let State { peers, clients, posted } = &mut *state;
        let side = if source.0 >= self.client_class { clients } else { peers };
        match &mut side.row {
            Row::Posted(row) => row.push_back((at, source, input)),
            Row::Sorted(heap) => {
                let n = posted.entry(source).or_default();
                *n += 1;
                heap.push(Reverse(Entry { key: (at + self.delay, source, *n), input }));
            }
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Whether more inputs of clients may be posted. If not, the task is woken when they may.
    pub(super) fn has_room_for_clients(&self, cx: &mut Context<'_>) -> bool {
        self.state.borrow_mut().clients.has_room(cx)
    }

    /// The same of servers and disks; disks do not ask.
    pub(super) fn has_room_for_peers(&self, cx: &mut Context<'_>) -> bool {
        self.state.borrow_mut().peers.has_room(cx)
    }

    /// No more inputs come from this source.
    pub(super) fn forget(&self, source: Source) {
        self.state.borrow_mut().posted.remove(&source);
    }

    /// When the first input happened.
    pub(super) fn first(&self) -> Option<Stamp> {
        let state = self.state.borrow();
        let firsts = [state.peers.row.first(), state.clients.row.first()];
        firsts.into_iter().flatten().map(|key| key.0).min()
    }

    /// When the first input of a server or a disk happened.
    pub(super) fn first_of_peers(&self) -> Option<Stamp> {
        self.state.borrow().peers.row.first().map(|key| key.0)
    }

    pub(super) fn pop(&self) -> Option<(Stamp, Source, I)> {
        let mut state = self.state.borrow_mut();
        let (of_peers, of_clients) = (state.peers.row.first(), state.clients.row.first());
        let is_client = of_clients.is_some_and(|client| of_peers.is_none_or(|peer| client < peer));
        if is_client { state.clients.pop() } else { state.peers.pop() }
    }

    /// The first input of a server or a disk, however many of clients are older.
    pub(super) fn pop_of_peers(&self) -> Option<(Stamp, Source, I)> {
        self.state.borrow_mut().peers.pop()
    }

    /// Returns when something was posted since the last return.
    pub(super) async fn posted(&self) {
        self.wake.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use super::*;

    #[test]
    fn inputs_leave_by_time_then_source_then_their_own_order() {
        let inbox = Inbox::new(Duration::from_nanos(1), 2);
        inbox.post(Stamp(2), (1, 1), "late");
        inbox.post(Stamp(1), (2, 1), "second source, first");
        inbox.post(Stamp(1), (1, 9), "first source");
        inbox.post(Stamp(1), (2, 1), "second source, second");
        let order: Vec<&str> = std::iter::from_fn(|| inbox.pop().map(|(_, _, i)| i)).collect();
        let expected = ["first source", "second source, first", "second source, second", "late"];
        assert_eq!(order, expected);
    }

    #[test]
    fn those_of_peers_can_be_taken_before_older_ones_of_clients() {
        let inbox = Inbox::new(Duration::from_nanos(1), 4);
        inbox.post(Stamp(1), (4, 1), "client");
        inbox.post(Stamp(3), (3, 1), "quorum");
        inbox.post(Stamp(2), (1, 1), "disk");
        let order = [(); 3].map(|()| inbox.pop_of_peers().map(|(_, _, input)| input));
        assert_eq!(order, [Some("disk"), Some("quorum"), None]);
        assert_eq!(inbox.pop().map(|(_, _, input)| input), Some("client"));
        assert_eq!(inbox.first(), None);
    }

    #[test]
    fn clients_are_read_again_once_half_of_their_inputs_are_taken() {
        struct Woken(AtomicBool);
        impl Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let inbox = Inbox::new(Duration::ZERO, 4);
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        for n in 0..CLIENT_INPUTS_MAX {
            assert!(inbox.has_room_for_clients(&mut cx));
            inbox.post(Stamp(n as u64), (4, 1), "client");
            inbox.post(Stamp(n as u64), (3, 1), "quorum");
        }
        assert!(!inbox.has_room_for_clients(&mut cx));
        while inbox.pop_of_peers().is_some() {}
        for _ in 0..CLIENT_INPUTS_MAX / 2 {
            assert!(!woken.0.load(Ordering::Relaxed));
            inbox.pop();
        }
        assert!(woken.0.load(Ordering::Relaxed) && inbox.has_room_for_clients(&mut cx));
    }
}
