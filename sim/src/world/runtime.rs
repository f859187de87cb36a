//! `quorate::runtime::Runtime` for one process of the world.

use std::fmt;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use quorate::base::{Mono, Note, Now, Stamp};
use quorate::runtime::{Halt, HostPort, LaneId, Order, Purpose, Runtime};

use super::disk::SimLane;
use super::handle::World;
use super::net::{SimListener, SimStream};
use super::process::Process;
use super::sleep::Sleep;
use super::task::Guarded;
use super::time::SETTLE;
use crate::draw::nanos;

/// One process's view of the world.
#[derive(Clone)]
pub struct SimRuntime {
    world: World,
    process: Rc<Process>,
}

impl SimRuntime {
    pub(crate) fn new(world: World, process: Rc<Process>) -> SimRuntime {
        SimRuntime { world, process }
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    pub(super) fn process(&self) -> &Rc<Process> {
        &self.process
    }

    /// The name of its machine: "s1", "c1".
    pub fn host(&self) -> &str {
        &self.process.machine.name
    }
}

impl Runtime for SimRuntime {
    type Stream = SimStream;
    type Listener = SimListener;
    type Lane = SimLane;

    /// The stamp of the event that resumed the task that asks (the read, accept, disk operation
    /// or sleep it has just awaited), since the executor's own time is no event time. A task
    /// resumed by another of its process gets the event that resumed that one.
    fn stamp(&self) -> Stamp {
        self.process.seen()
    }

    fn now_at(&self, at: Stamp) -> Now {
        let at = self.process.effective(at);
        self.process.note_step(at);
        self.process.machine.clock.borrow().now_at(at)
    }

    fn stamp_of(&self, mono: Mono) -> Stamp {
        self.process.machine.clock.borrow().stamp_of(mono)
    }

    fn noticed_at(&self, at: Stamp) -> Stamp {
        self.process.effective(at)
    }

    fn settle(&self) -> Duration {
        SETTLE
    }

    fn apply_delay(&self, n: u64) -> Duration {
        let max = self.world.options().apply_delay_max + self.process.machine.apply_lag.get();
        let max = nanos(max);
        Duration::from_nanos(self.random(Purpose::ApplyDelay, n).range(0, max))
    }

    fn step_time(&self, outputs: usize) -> Option<Duration> {
        Some(self.process.machine.output_time.get() * u32::try_from(outputs).unwrap_or(u32::MAX))
    }

    fn random_u64(&self, what: Purpose, n: u64) -> u64 {
        self.random(what, n).draw()
    }

    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + 'static) {
        let task = Guarded::new(self.world.clone(), self.process.clone(), task, false);
        self.world.spawn_in(&self.process, name, task);
    }

    fn sleep_until(&self, at: Stamp) -> impl Future<Output = ()> {
        Sleep::new(self.world.clone(), Some(self.process.clone()), at)
    }

    fn halt(&self, why: Halt) {
        self.world.halt(&self.process, why);
    }

    fn take_orders(&self, take: impl Fn(Stamp, Order) + 'static) {
        self.process.taker.replace(Some(Rc::new(take)));
    }

    async fn connect(
        &self,
        at: Stamp,
        to: &HostPort,
        timeout: Duration,
    ) -> (Stamp, io::Result<SimStream>) {
        SimStream::connect(&self.world, &self.process, at, to, timeout).await
    }

    async fn listen(&self, on: &HostPort) -> io::Result<SimListener> {
        SimListener::bind(&self.world, &self.process, on)
    }

    fn disk(&self, lane: LaneId) -> SimLane {
        SimLane::new(&self.world, self.process.clone(), lane)
    }

    fn observe(&self, at: Stamp, note: Note) {
        let at = self.process.effective(at);
        self.process.note_step(at);
        if let Some(server) = self.process.machine.server
            && !self.process.refuses(at)
        {
            self.world.observer().note(at, server, self.process.machine.next_call(), &note);
        }
    }

    fn trace(&self, at: Stamp, line: &dyn fmt::Display) {
        let at = self.process.effective(at);
        self.process.note_step(at);
        if let Some(server) = self.process.machine.server
            && !self.process.refuses(at)
        {
            self.world.observer().trace(at, server, self.process.machine.next_call(), line);
        }
    }

    fn traces(&self) -> bool {
        self.world.options().trace
    }
}

impl SimRuntime {
    fn random(&self, what: Purpose, n: u64) -> crate::draw::Key {
        let process = &self.process;
        let key = self.world.key("random").name(&process.machine.name).with(process.incarnation);
        let purpose = match what {
            Purpose::Identity => 2,
            Purpose::ApplyDelay => 3,
            Purpose::SaslNonce => 4,
            Purpose::ConnectionThrottle => 5,
            Purpose::ServerOrder => 6,
        };
        key.with(purpose).with(n)
    }
}

impl fmt::Debug for SimRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimRuntime({:?})", self.process)
    }
}
