//! The simulated world: networks, disks and clocks that a seed decides, on madsim's executor.
//!
//! [`World`] is the laboratory's handle: hosts, processes, faults. [`SimRuntime`] is what one
//! process sees: `quorate::runtime::Runtime`. madsim runs the tasks and moves virtual time;
//! everything that can matter is computed here, in stamps, from keyed draws (`draw`).
//!
//! - WO-1  an event reaches its reader no later than LATE after its stamp ([`World::late_events`])
//! - WO-2  what a step causes arrives at least LATENCY_MIN later, so SETTLE is enough to wait
//! - WO-3  a fault takes effect at its stamp, in the hub's order, before deliveries of that stamp
//! - WO-4  a dead process has done what inputs up to its death caused, and nothing later
//!
//! Faults: `lifecycle` (crash, pause), `net::faults`, `disk::faults`, clocks below. A fault
//! called inside [`World::at`] happens at exactly that stamp; called elsewhere, it happens now.
//!
//! Not here: what faults to apply when, what to check (`scenario`, `checkers`).

mod clock;
mod disk;
mod hub;
mod lifecycle;
mod net;
mod observe;
mod process;
mod runtime;

#[cfg(test)]
mod tests;

pub use clock::RATE_ONE;
pub use disk::{DiskImage, SimFile, SimLane, Unsynced};
pub use hub::{LATE, LATENCY_MIN, SETTLE, Sleep};
pub use lifecycle::{CrashMode, Program};
pub use net::{Plane, RETRANSMIT_WAIT_MAX, SimListener, SimStream};
pub use observe::{NoObserver, Observer, ServerChange};
pub use runtime::SimRuntime;

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use madsim::runtime::Runtime as Executor;
use madsim::time::TimeHandle;
use quorate::base::{Now, ServerId, Stamp};

use crate::draw::{Key, nanos};
use clock::SimClock;
use disk::Disk;
use hub::{Event, Hub};

use net::{Net, SendHook};
use process::Process;

/// What a world is like where no fault says otherwise.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    /// One-way latency of a frame, uniform; at least [`LATENCY_MIN`].
    pub latency: (Duration, Duration),
    /// How often a frame arrives in two or three pieces, per million.
    pub split_ppm: u32,
    /// Longest `Runtime::apply_delay`.
    pub apply_delay_max: Duration,
    /// Duration of `File::sync` and `Lane::sync_dir`.
    pub fsync: (Duration, Duration),
    /// What a power loss does to writes that were not synced.
    pub unsynced: Unsynced,
    /// Whether servers write trace lines.
    pub trace: bool,
}

impl Default for WorldOptions {
    fn default() -> WorldOptions {
        WorldOptions {
            latency: (Duration::from_millis(1), Duration::from_millis(5)),
            split_ppm: 20_000,
            apply_delay_max: Duration::from_micros(500),
            fsync: (Duration::from_micros(300), Duration::from_millis(3)),
            unsynced: Unsynced::Drawn,
            trace: false,
        }
    }
}

/// Which ports of a server carry what. Any other port counts as [`Plane::Client`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServerPorts {
    pub quorum: u16,
    pub election: u16,
    pub client: u16,
}

impl Default for ServerPorts {
    fn default() -> ServerPorts {
        ServerPorts { quorum: 2888, election: 3888, client: 2181 }
    }
}

/// The laboratory's handle on one simulated world. Cheap to clone, bound to its thread.
#[derive(Clone)]
pub struct World(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    seed: u64,
    options: WorldOptions,
    observer: Rc<dyn Observer>,
    time: TimeHandle,
    base: Instant,
    pub(crate) hub: RefCell<Hub>,
    pub(crate) net: RefCell<Net>,
    hosts: RefCell<Vec<Rc<Host>>>,
    send_hooks: RefCell<Vec<SendHook>>,
    /// The stamp of the event that is being dispatched.
    current: Cell<Option<Stamp>>,
    late: Cell<u64>,
    late_reads: Cell<u64>,
    stale: Cell<u64>,
    spawned: Cell<u64>,
    /// How many bits were flipped on disks so far.
    rotted: Cell<u64>,
}

/// A machine: a server's or a workload client's. It outlives its processes.
pub(crate) struct Host {
    pub(crate) id: usize,
    pub(crate) name: Rc<str>,
    pub(crate) ip: String,
    pub(crate) server: Option<ServerId>,
    pub(crate) planes: BTreeMap<u16, Plane>,
    pub(crate) clock: RefCell<SimClock>,
    pub(crate) disk: RefCell<Disk>,
    pub(crate) process: RefCell<Option<Rc<Process>>>,
    /// What a start of this server runs.
    program: RefCell<Option<Program>>,
    /// Whether there is power: a kernel that answers.
    pub(crate) up: Cell<bool>,
    /// Whether the kernel takes no more connections.
    backlog_full: Cell<bool>,
    /// How much later than drawn a committed transaction is applied at most.
    apply_lag: Cell<Duration>,
    incarnations: Cell<u64>,
    calls: Cell<u64>,
}

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
        let time = TimeHandle::current();
        let base = time.now_instant() - time.elapsed();
        let net = Net::new(options.latency);
        let world = World(Rc::new(Inner {
            seed,
            options,
            observer,
            time,
            base,
            hub: RefCell::default(),
            net: RefCell::new(net),
            hosts: RefCell::default(),
            send_hooks: RefCell::default(),
            current: Cell::new(None),
            late: Cell::new(0),
            late_reads: Cell::new(0),
            stale: Cell::new(0),
            spawned: Cell::new(0),
            rotted: Cell::new(0),
        }));
        let node = madsim::runtime::Handle::current().create_node().name("hub").build();
        world.spawn_on(&node, "hub", hub::run(world.clone()));
        world
    }

    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// The present: inside [`World::at`] its stamp, elsewhere the executor's time, which is a
    /// little later than the last event.
    pub fn now(&self) -> Stamp {
        self.0.current.get().unwrap_or_else(|| self.physical_now())
    }

    pub fn sleep_until(&self, at: Stamp) -> Sleep {
        Sleep::new(self.clone(), None, at)
    }

    /// Does `action` at exactly that stamp, before anything else of that stamp. A stamp that
    /// has passed is taken as it is, next.
    pub fn at(&self, at: Stamp, action: impl FnOnce(&World) + 'static) {
        self.push(at, Event::Action(Box::new(action)));
    }

    /// When every note and frame of stamp `at` has certainly been told. Faults triggered by one
    /// belong there: `world.at(world.settled(at), ...)` comes before anything it caused arrives.
    pub fn settled(&self, at: Stamp) -> Stamp {
        at + SETTLE + LATE
    }

    /// How many events happened later than [`LATE`] after their stamp. Any is a failure of the
    /// simulator (too many tasks for one settled instant): order may have depended on the executor.
    pub fn late_events(&self) -> u64 {
        self.0.late.get()
    }

    /// How many inputs a task was woken for and took later than [`LATE`] after their stamp, since
    /// it did something else first (it was blocked in a write). Its pump gets them out of order.
    pub fn late_reads(&self) -> u64 {
        self.0.late_reads.get()
    }

    /// How many effects carried a stamp too old for their latency, and so happened later than
    /// computed. Harmless to servers; replays with other faults may differ.
    pub fn stale_effects(&self) -> u64 {
        self.0.stale.get()
    }

    /// A machine for a server, named "s<id>", with its disk and clocks. No process yet.
    pub fn add_server(&self, id: ServerId, ports: ServerPorts) {
        let planes = BTreeMap::from([
            (ports.quorum, Plane::Quorum),
            (ports.election, Plane::Election),
            (ports.client, Plane::Client),
        ]);
        self.add_host(&server_name(id), Some(id), planes);
    }

    /// All servers, in the order in which they were added.
    pub fn servers(&self) -> Vec<ServerId> {
        self.0.hosts.borrow().iter().filter_map(|host| host.server).collect()
    }

    /// The names of all machines that are no servers, in the order in which they were added.
    pub fn clients(&self) -> Vec<String> {
        let hosts = self.0.hosts.borrow();
        let clients = hosts.iter().filter(|host| host.server.is_none());
        clients.map(|host| host.name.to_string()).collect()
    }

    /// What a server's clocks show at a moment.
    pub fn clock_at(&self, server: ServerId, at: Stamp) -> Now {
        self.server(server).clock.borrow().now_at(at)
    }

    /// From now on this server's clocks run at `rate` nanoseconds per second ([`RATE_ONE`]).
    pub fn set_clock_rate(&self, server: ServerId, rate: u64) {
        self.server(server).clock.borrow_mut().set_rate(self.now(), rate);
    }

    /// Whether this server's kernel leaves everybody who connects without an answer, as if the
    /// backlogs of its listeners were full.
    pub fn set_backlog_full(&self, server: ServerId, is_full: bool) {
        self.server(server).backlog_full.set(is_full);
    }

    /// From now on a committed transaction of this server is applied up to so much later than
    /// [`WorldOptions::apply_delay_max`].
    pub fn set_apply_lag(&self, server: ServerId, by: Duration) {
        self.server(server).apply_lag.set(by);
    }

    pub fn jump_wall_clock(&self, server: ServerId, by_ms: i64) {
        self.server(server).clock.borrow_mut().jump_wall(self.now(), by_ms);
    }

    pub(crate) fn key(&self, what: &str) -> Key {
        Key::new(self.0.seed, what)
    }

    pub(crate) fn options(&self) -> &WorldOptions {
        &self.0.options
    }

    pub(crate) fn physical_now(&self) -> Stamp {
        Stamp(nanos(self.0.time.elapsed()))
    }

    pub(crate) fn instant_of(&self, at: Stamp) -> Instant {
        self.0.base + Duration::from_nanos(at.0)
    }

    pub(crate) fn push(&self, at: Stamp, event: Event) {
        self.0.hub.borrow_mut().push(at, event);
    }

    pub(crate) fn note_lateness(&self, now: Stamp, at: Stamp) {
        if now - at > LATE {
            self.0.late.set(self.0.late.get() + 1);
        }
    }

    pub(crate) fn note_late_read(&self, now: Stamp, at: Stamp) {
        if now - at > LATE {
            self.0.late_reads.set(self.0.late_reads.get() + 1);
        }
    }

    /// The moment an effect computed for `at` can still happen; counts those that are too old.
    pub(crate) fn not_before_now(&self, at: Stamp) -> Stamp {
        let now = self.0.current.get().unwrap_or_else(|| self.physical_now());
        if at < now {
            self.0.stale.set(self.0.stale.get() + 1);
            return now;
        }
        at
    }

    /// The cause of an effect, if it is not too old to be one; counts those that are.
    pub(crate) fn fresh(&self, at: Stamp) -> Stamp {
        if self.is_fresh(at) { at } else { self.not_before_now(at) }
    }

    pub(crate) fn is_fresh(&self, at: Stamp) -> bool {
        self.physical_now() - at <= SETTLE + LATE
    }

    pub(crate) fn dispatch(&self, at: Stamp, event: Event) {
        self.0.current.set(Some(at));
        match event {
            Event::Action(action) => action(self),
            Event::Net(event) => self.on_net(at, event),
            Event::Segment { conn, dir } => self.on_segment(at, conn, dir),
            Event::Disk { host, op } => self.on_disk(at, host, op),
            Event::Reap(process) => self.reap(&process),
            Event::CatchUp(process) => process.catch_up(),
        }
        self.0.current.set(None);
    }

    pub(crate) fn observer(&self) -> &Rc<dyn Observer> {
        &self.0.observer
    }

    pub(crate) fn host(&self, id: usize) -> Rc<Host> {
        self.0.hosts.borrow()[id].clone()
    }

    pub(crate) fn host_named(&self, name: &str) -> Option<Rc<Host>> {
        self.0.hosts.borrow().iter().find(|host| &*host.name == name || host.ip == name).cloned()
    }

    /// A server that the laboratory names; naming one that does not exist is its bug.
    pub(crate) fn server(&self, id: ServerId) -> Rc<Host> {
        let hosts = self.0.hosts.borrow();
        let found = hosts.iter().find(|host| host.server == Some(id));
        found.unwrap_or_else(|| panic!("server {id} was never added to this world")).clone()
    }

    pub(crate) fn add_host(
        &self,
        name: &str,
        server: Option<ServerId>,
        planes: BTreeMap<u16, Plane>,
    ) -> Rc<Host> {
        if let Some(host) = self.host_named(name) {
            return host;
        }
        let id = self.0.hosts.borrow().len();
        let ip = match server {
            Some(ServerId(id @ 1..=250)) => format!("10.0.0.{id}"),
            _ => format!("10.1.{}.{}", id / 250, id % 250 + 1),
        };
        let mono_start = self.key("mono").name(name).range(1_000_000_000, 1_000_000_000_000);
        let host = Rc::new(Host {
            id,
            name: name.into(),
            ip,
            server,
            planes,
            clock: RefCell::new(SimClock::new(mono_start)),
            disk: RefCell::new(Disk::new(
                self.key("disk").name(name),
                self.0.options.fsync,
                self.0.options.unsynced,
            )),
            process: RefCell::new(None),
            program: RefCell::new(None),
            up: Cell::new(true),
            backlog_full: Cell::new(false),
            apply_lag: Cell::new(Duration::ZERO),
            incarnations: Cell::new(0),
            calls: Cell::new(0),
        });
        self.0.hosts.borrow_mut().push(host.clone());
        host
    }
}

/// The name of a server's machine.
pub fn server_name(id: ServerId) -> String {
    format!("s{}", id.0)
}

impl Host {
    /// The running number of the next call to the observer about this host.
    pub(crate) fn next_call(&self) -> u64 {
        self.calls.replace(self.calls.get() + 1)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.0.seed)
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}
