//! The one place where simulated events become real: a queue ordered by stamp.
//!
//! A single task on a node of its own, never killed, takes events in the order (stamp, class,
//! id, n) and runs them. madsim draws the order of ready tasks at random and moves its clock
//! by 50-100 ns a poll; neither reaches what happens here, since every stamp was computed
//! beforehand and is later than the moment it was computed.
//!
//! Sleeps live here too, so that they can be cancelled (madsim's timers cannot) and so that
//! madsim has one timer in all.
//!
//! Not here: what an event does (`World::dispatch`).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use quorate::base::Stamp;

use super::World;
use super::net::NetEvent;
use super::process::Process;

/// How long an instant settles before a pump takes its inputs.
pub const SETTLE: Duration = Duration::from_micros(100);
/// An input that reaches its reader this long after its stamp is late: a fault of the simulator.
pub const LATE: Duration = Duration::from_micros(60);
/// The least latency of anything. Longer than SETTLE + LATE: what a step causes is posted before
/// anything it causes arrives.
pub const LATENCY_MIN: Duration = Duration::from_micros(200);

pub(crate) enum Event {
    /// Faults come first within a stamp.
    Action(Box<dyn FnOnce(&World)>),
    Net(NetEvent),
    /// Segments of this direction of this connection may have arrived.
    Segment {
        conn: usize,
        dir: usize,
    },
    Disk {
        host: usize,
        op: u64,
    },
    /// The tasks of a process that died SETTLE + LATE ago end now.
    Reap(Rc<Process>),
    /// A resumed process sees what it missed.
    CatchUp(Rc<Process>),
}

impl Event {
    /// The others have no reader; the laboratory may ask for an action in the past.
    fn reaches_somebody(&self) -> bool {
        matches!(self, Event::Net(_) | Event::Segment { .. } | Event::Disk { .. })
    }

    fn tie(&self) -> u64 {
        let (class, id) = match self {
            Event::Action(_) => (0, 0),
            Event::Net(event) => (1, event.id()),
            Event::Segment { conn, dir } => (2, (*conn as u64) * 2 + *dir as u64),
            Event::Disk { host, .. } => (3, *host as u64),
            Event::Reap(process) | Event::CatchUp(process) => (4, process.host.id as u64),
        };
        (class << 56) | id
    }
}

struct Queued {
    at: Stamp,
    tie: u64,
    n: u64,
    event: Event,
}

impl Ord for Queued {
    fn cmp(&self, other: &Queued) -> Ordering {
        (other.at, other.tie, other.n).cmp(&(self.at, self.tie, self.n)) // earliest on top
    }
}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Queued) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Queued) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Queued {}

struct Timer {
    process: Option<Rc<Process>>,
    waker: Waker,
}

#[derive(Default)]
pub(crate) struct Hub {
    events: BinaryHeap<Queued>,
    timers: BTreeMap<(Stamp, u64), Timer>,
    n: u64,
    waker: Option<Waker>,
    /// madsim will wake the hub no later than this.
    armed: Option<Stamp>,
}

enum Next {
    Event(Stamp, Event),
    Timer(Stamp, Timer),
    Wait(Stamp),
    Idle,
}

impl Hub {
    pub(crate) fn push(&mut self, at: Stamp, event: Event) {
        self.n += 1;
        self.events.push(Queued { at, tie: event.tie(), n: self.n, event });
        self.wake_for(at);
    }

    fn add_timer(&mut self, at: Stamp, timer: Timer) -> u64 {
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

    fn next(&mut self, now: Stamp) -> Next {
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

/// The hub's task: runs until the world ends.
pub(crate) async fn run(world: World) {
    let mut sleep = Box::pin(madsim::time::sleep(Duration::ZERO));
    std::future::poll_fn(|cx| poll_hub(&world, sleep.as_mut(), cx)).await
}

fn poll_hub(
    world: &World,
    mut sleep: Pin<&mut madsim::time::Sleep>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let now = world.physical_now();
    {
        let mut hub = world.0.hub.borrow_mut();
        if hub.waker.is_none() {
            hub.waker = Some(cx.waker().clone());
        }
        if hub.armed.is_some_and(|armed| armed <= now) {
            hub.armed = None;
        }
    }
    loop {
        let next = world.0.hub.borrow_mut().next(now);
        match next {
            Next::Event(at, event) => {
                if event.reaches_somebody() {
                    world.note_lateness(now, at);
                }
                world.dispatch(at, event);
            }
            Next::Timer(at, timer) => {
                world.note_lateness(now, at);
                match timer.process {
                    Some(process) => process.wake_timer(at, timer.waker),
                    None => timer.waker.wake(),
                }
            }
            Next::Idle => return Poll::Pending,
            Next::Wait(at) => {
                let mut hub = world.0.hub.borrow_mut();
                if hub.armed.is_some_and(|armed| armed <= at) {
                    return Poll::Pending;
                }
                hub.armed = Some(at);
                // `sleep` has a floor of 1 ms, `reset` has none.
                sleep.as_mut().reset(world.instant_of(at));
                return match sleep.as_mut().poll(cx) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(()) => unreachable!("the deadline lies after now"),
                };
            }
        }
    }
}

/// Sleeps until the world has reached a stamp. For a paused server it ends after the resume.
pub struct Sleep {
    world: World,
    process: Option<Rc<Process>>,
    at: Stamp,
    timer: Option<u64>,
}

impl Sleep {
    pub(crate) fn new(world: World, process: Option<Rc<Process>>, at: Stamp) -> Sleep {
        Sleep { world, process, at, timer: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let world = self.world.clone();
        if world.physical_now() < self.at {
            let mut hub = world.0.hub.borrow_mut();
            let key = self.timer.map(|n| (self.at, n));
            if let Some(timer) = key.and_then(|key| hub.timers.get_mut(&key)) {
                timer.waker.clone_from(cx.waker());
            } else {
                let timer = Timer { process: self.process.clone(), waker: cx.waker().clone() };
                self.timer = Some(hub.add_timer(self.at, timer));
            }
            return Poll::Pending;
        }
        match &self.process {
            Some(process) => process.poll_timer(self.at, self.timer.is_some(), cx),
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(n) = self.timer
            && let Ok(mut hub) = self.world.0.hub.try_borrow_mut()
        {
            hub.timers.remove(&(self.at, n));
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("at", &self.at).finish_non_exhaustive()
    }
}
