//! How a world begins and goes on: the one task in which simulated events become real.
//!
//! The task runs on a node of its own, is never killed, and takes events out of the queue in their
//! order. madsim draws the order of ready tasks at random and moves its clock by 50-100 ns a poll;
//! neither reaches what happens here, since every stamp was computed beforehand and is later than
//! the moment it was computed.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use madsim::runtime::{Handle, Runtime as Executor};
use quorate::base::Stamp;

use super::handle::{Event, World, WorldOptions};
use super::observe::Observer;
use super::queue::Next;

impl World {
    /// Runs `main` in a new world until it returns. One world a process, where runs must repeat
    /// exactly. Panics when `time_limit` of simulated time has passed, or when nothing can
    /// ever happen again.
    pub fn run<T, F: Future<Output = T>>(
        seed: u64,
        options: WorldOptions,
        observer: Rc<dyn Observer>,
        time_limit: Duration,
        main: impl FnOnce(World) -> F,
    ) -> T {
        let mut executor = Executor::with_seed_and_config(seed, madsim::Config::default());
        executor.set_time_limit(time_limit);
        executor.block_on(async move { main(World::new(seed, options, observer)).await })
    }

    /// A world inside a madsim runtime that runs already.
    pub fn new(seed: u64, options: WorldOptions, observer: Rc<dyn Observer>) -> World {
        let world = World::empty(seed, options, observer);
        let node = Handle::current().create_node().name("events").build();
        world.spawn_on(&node, "events", dispatch_all(world.clone()));
        world
    }

    fn dispatch(&self, at: Stamp, event: Event) {
        self.time().set_current(Some(at));
        match event {
            Event::Action(action) => action(self),
            Event::Net(event) => self.on_net(at, event),
            Event::Segment { conn, dir } => self.on_segment(at, conn, dir),
            Event::Disk { host, op } => self.on_disk(at, host, op),
            Event::Device { host } => self.on_device(at, host),
            Event::Reap(process) => self.reap(&process),
            Event::CatchUp(process) => process.catch_up(),
        }
        self.time().set_current(None);
    }
}

/// Runs until the world ends.
async fn dispatch_all(world: World) {
    let mut sleep = Box::pin(madsim::time::sleep(Duration::ZERO));
    std::future::poll_fn(|cx| poll_queue(&world, sleep.as_mut(), cx)).await
}

fn poll_queue(
    world: &World,
    mut sleep: Pin<&mut madsim::time::Sleep>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let now = world.time().physical_now();
    world.0.queue.borrow_mut().awake(now, cx.waker());
    loop {
        let next = world.0.queue.borrow_mut().next(now);
        match next {
            Next::Event(at, event) => {
                if event.reaches_somebody() {
                    world.time().note_lateness(now, at);
                }
                world.dispatch(at, event);
            }
            Next::Timer(at, timer) => {
                world.time().note_lateness(now, at);
                match timer.process {
                    Some(process) => process.wake_timer(at, timer.waker),
                    None => timer.waker.wake(),
                }
            }
            Next::Idle => return Poll::Pending,
            Next::Wait(at) => {
                if !world.0.queue.borrow_mut().arm(at) {
                    return Poll::Pending;
                }
                // `sleep` has a floor of 1 ms, `reset` has none.
                sleep.as_mut().reset(world.time().instant_of(at));
                return match sleep.as_mut().poll(cx) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(()) => unreachable!("the deadline lies after now"),
                };
            }
        }
    }
}
