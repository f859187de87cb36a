//! [`World`]: the handle that everything above the world's parts works with, and the types that
//! hold these parts together.
//!
//! Not here: how a world begins and goes on (`executor`), faults (`lifecycle`, `net::faults`,
//! `disk::faults`; clocks and slow applying are here).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use quorate::base::{Now, ServerId, Stamp};
use quorate::runtime::{Label, LabelKind};

use super::disk::{Disk, Unsynced};
use super::machine::{Machine, ServerPorts, server_name};
use super::net::{Net, NetEvent, Plane};
use super::observe::Observer;
use super::process::Process;
use super::queue::Queue;
use super::time::{LATE, SETTLE, WorldTime};
use crate::draw::Key;

/// Send and receive buffer of a connection together, where nothing else is said.
pub const SOCKET_BUFFER: usize = 256 * 1024;

/// What a world is like where no fault says otherwise.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    /// One-way latency of a frame, uniform; at least `LATENCY_MIN`.
    pub latency: (Duration, Duration),
    /// Bytes a second from each server to each other one; `None` is no limit. Links of clients
    /// have none.
    pub bandwidth: Option<u64>,
    /// How much may be under way and unread in one direction of a connection before writes wait.
    pub socket_buffer: usize,
    /// How often a frame arrives in two or three pieces, per million.
    pub split_ppm: u32,
    /// Longest `Runtime::apply_delay`.
    pub apply_delay_max: Duration,
    /// Duration of `File::sync` and `Lane::sync_dir`, bytes apart.
    pub fsync: (Duration, Duration),
    /// Bytes a second that a disk reads and makes durable; `None` is no limit.
    pub disk_throughput: Option<u64>,
    /// What a power loss does to writes that were not synced.
    pub unsynced: Unsynced,
    /// Whether servers write trace lines.
    pub trace: bool,
}

impl Default for WorldOptions {
    fn default() -> WorldOptions {
        WorldOptions {
            latency: (Duration::from_millis(1), Duration::from_millis(5)),
            bandwidth: None,
            socket_buffer: SOCKET_BUFFER,
            split_ppm: 20_000,
            apply_delay_max: Duration::from_micros(500),
            fsync: (Duration::from_micros(300), Duration::from_millis(3)),
            disk_throughput: None,
            unsynced: Unsynced::Drawn,
            trace: false,
        }
    }
}

/// The laboratory's handle on one simulated world. Cheap to clone, bound to its thread.
#[derive(Clone)]
pub struct World(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    seed: u64,
    options: WorldOptions,
    observer: Rc<dyn Observer>,
    time: Rc<WorldTime>,
    pub(crate) queue: RefCell<Queue<Event>>,
    pub(crate) net: RefCell<Net>,
    hosts: RefCell<Vec<Rc<Host>>>,
    pub(crate) send_hooks: RefCell<Vec<SendHook>>,
    pub(crate) spawned: Cell<u64>,
    /// How many bits were flipped on disks so far.
    pub(crate) rotted: Cell<u64>,
}

/// A machine with its disk and the process that runs on it.
pub(crate) struct Host {
    pub(crate) machine: Rc<Machine>,
    pub(crate) disk: RefCell<Disk>,
    pub(crate) process: RefCell<Option<Rc<Process>>>,
    /// What a start of this server runs.
    pub(crate) program: RefCell<Option<Boot>>,
    /// Until then something is done to the disk of a stopped server: a boot waits.
    pub(crate) stopped_until: Cell<Stamp>,
}

/// The main future of a new process.
pub(crate) type Boot = Rc<dyn Fn(&World, Rc<Process>) -> Pin<Box<dyn Future<Output = ()>>>>;

/// What happens in a world, at its stamp.
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
    /// The device of a disk serves who waits for it.
    Device {
        host: usize,
    },
    /// The tasks of a process that died SETTLE + LATE ago end now.
    Reap(Rc<Process>),
    /// A resumed process sees what it missed.
    CatchUp(Rc<Process>),
}

impl Event {
    /// The others have no reader; the laboratory may ask for an action in the past.
    pub(crate) fn reaches_somebody(&self) -> bool {
        use Event::{Device, Disk, Net, Segment};
        matches!(self, Net(_) | Segment { .. } | Disk { .. } | Device { .. })
    }

    /// The order of events of one stamp: by class, then by what they are about.
    fn tie(&self) -> u64 {
        let (class, id) = match self {
            Event::Action(_) => (0, 0),
            Event::Net(event) => (1, event.id()),
            Event::Segment { conn, dir } => (2, (*conn as u64) * 2 + *dir as u64),
            Event::Disk { host, .. } | Event::Device { host } => (3, *host as u64),
            Event::Reap(process) | Event::CatchUp(process) => (4, process.machine.id as u64),
        };
        (class << 56) | id
    }
}

/// What to call when a frame of certain kinds was sent.
pub(crate) struct SendHook {
    pub(crate) kinds: Vec<LabelKind>,
    pub(crate) call: Rc<SendCall>,
}

pub(crate) type SendCall = dyn Fn(&World, Stamp, &str, &str, Label);

impl World {
    /// A world without machines, in the executor that runs now. Nothing happens in it by itself.
    pub(super) fn empty(seed: u64, options: WorldOptions, observer: Rc<dyn Observer>) -> World {
        let net = Net::new(options.latency, options.bandwidth, options.socket_buffer);
        World(Rc::new(Inner {
            seed,
            options,
            observer,
            time: Rc::new(WorldTime::current()),
            queue: RefCell::default(),
            net: RefCell::new(net),
            hosts: RefCell::default(),
            send_hooks: RefCell::default(),
            spawned: Cell::new(0),
            rotted: Cell::new(0),
        }))
    }

    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// The present: inside [`World::at`] its stamp, elsewhere the executor's time, which is a
    /// little later than the last event.
    pub fn now(&self) -> Stamp {
        self.0.time.now()
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

    /// How many events happened later than LATE after their stamp. Any is a failure of the
    /// simulator (too many tasks for one settled instant): order may have depended on the executor.
    pub fn late_events(&self) -> u64 {
        self.0.time.late_events()
    }

    /// How many inputs a task was woken for and took later than LATE after their stamp, since
    /// it did something else first (it was blocked in a write). Its pump gets them out of order.
    pub fn late_reads(&self) -> u64 {
        self.0.time.late_reads()
    }

    /// How many effects carried a stamp too old for their latency, and so happened later than
    /// computed. Harmless to servers; replays with other faults may differ.
    pub fn stale_effects(&self) -> u64 {
        self.0.time.stale_effects()
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
        self.0.hosts.borrow().iter().filter_map(|host| host.machine.server).collect()
    }

    /// The names of all machines that are no servers, in the order in which they were added.
    pub fn clients(&self) -> Vec<String> {
        let hosts = self.0.hosts.borrow();
        let clients = hosts.iter().filter(|host| host.machine.server.is_none());
        clients.map(|host| host.machine.name.to_string()).collect()
    }

    /// What a server's clocks show at a moment.
    pub fn clock_at(&self, server: ServerId, at: Stamp) -> Now {
        self.server(server).machine.clock.borrow().now_at(at)
    }

    /// From now on this server's clocks run at `rate` nanoseconds per second (`RATE_ONE`).
    pub fn set_clock_rate(&self, server: ServerId, rate: u64) {
        self.server(server).machine.clock.borrow_mut().set_rate(self.now(), rate);
    }

    /// Whether this server's kernel leaves everybody who connects without an answer, as if the
    /// backlogs of its listeners were full.
    pub fn set_backlog_full(&self, server: ServerId, is_full: bool) {
        self.server(server).machine.backlog_full.set(is_full);
    }

    /// From now on a committed transaction of this server is applied up to so much later than
    /// [`WorldOptions::apply_delay_max`].
    pub fn set_apply_lag(&self, server: ServerId, by: Duration) {
        self.server(server).machine.apply_lag.set(by);
    }

    /// From now on a step of this server takes so much time for each of its outputs.
    pub fn set_output_time(&self, server: ServerId, by: Duration) {
        self.server(server).machine.output_time.set(by);
    }

    pub fn jump_wall_clock(&self, server: ServerId, by_ms: i64) {
        self.server(server).machine.clock.borrow_mut().jump_wall(self.now(), by_ms);
    }

    pub(crate) fn key(&self, what: &str) -> Key {
        Key::new(self.0.seed, what)
    }

    pub(crate) fn options(&self) -> &WorldOptions {
        &self.0.options
    }

    pub(crate) fn time(&self) -> &Rc<WorldTime> {
        &self.0.time
    }

    pub(crate) fn push(&self, at: Stamp, event: Event) {
        self.0.queue.borrow_mut().push(at, event.tie(), event);
    }

    pub(crate) fn observer(&self) -> &Rc<dyn Observer> {
        &self.0.observer
    }

    pub(crate) fn host(&self, id: usize) -> Rc<Host> {
        self.0.hosts.borrow()[id].clone()
    }

    pub(crate) fn machine(&self, id: usize) -> Rc<Machine> {
        self.0.hosts.borrow()[id].machine.clone()
    }

    /// The host of this name or address.
    pub(crate) fn host_named(&self, name: &str) -> Option<Rc<Host>> {
        let hosts = self.0.hosts.borrow();
        let is_it = |host: &&Rc<Host>| &*host.machine.name == name || host.machine.ip == name;
        hosts.iter().find(is_it).cloned()
    }

    /// A server that the laboratory names; naming one that does not exist is its bug.
    pub(crate) fn server(&self, id: ServerId) -> Rc<Host> {
        let hosts = self.0.hosts.borrow();
        let found = hosts.iter().find(|host| host.machine.server == Some(id));
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
        let mono_start = self.key("mono").name(name).range(1_000_000_000, 1_000_000_000_000);
        let host = Rc::new(Host {
            machine: Rc::new(Machine::new(id, name, server, planes, mono_start)),
            disk: RefCell::new(Disk::new(
                self.key("disk").name(name),
                self.0.options.fsync,
                self.0.options.disk_throughput,
                self.0.options.unsynced,
            )),
            process: RefCell::new(None),
            program: RefCell::new(None),
            stopped_until: Cell::new(Stamp(0)),
        });
        if server.is_some() {
            self.0.net.borrow_mut().add_server(id);
        }
        self.0.hosts.borrow_mut().push(host.clone());
        host
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
