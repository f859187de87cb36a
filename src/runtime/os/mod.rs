//! The machine: tokio sockets, files through threads of their own, the system clocks.
//!
//! One thread runs every task of the server. Each lane of the disk has another, so have the sockets of
//! clients (`workers`), and tokio's pool those that resolve names and look at certificates.

#[cfg(test)]
mod clients_test;
mod clock;
mod descriptors;
mod disk;
mod ends;
mod environment;
mod halt;
mod log;
mod manager;
mod net;
mod notes;
mod orders;
mod room;
mod slots;
mod socket;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod workers;

pub use disk::{MachineFile, MachineLane};
pub use ends::hear_ends;
pub use log::{finish_log, log_layer};
pub use net::MachineListener;
pub use room::{Room, room_in};
pub use stream::MachineStream;
pub use tls::{Hosts, TlsError, check_server_trust, check_tls, hosts_of, subject_of};

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::base::{Mono, Note, Now, Stamp};
use crate::runtime::tls::{ClientTls, ServerTrust, TlsPort};
use crate::runtime::{ClientSockets, Environment, FilePermissions, Halt, HostPort};
use crate::runtime::{LaneId, Notice, Order, Purpose, Runtime};

use clock::{Clock, WallClock};
use descriptors::Shares;
use halt::{end, guarded};
use manager::Manager;
use net::Door;
use orders::Orders;
use slots::Slots;
use tls::{Accepting, Tls};
use workers::{CARRIERS_MIN, Workers};

/// Any value of this environment variable turns the pump's trace on (log level `trace`).
const TRACE_VARIABLE: &str = "QUORATE_TRACE";

/// More threads for the sockets of clients than this are of use to no pump.
const CLIENT_THREADS_MAX: usize = 4;

/// The real world, as one process sees it.
#[derive(Clone, Debug)]
pub struct Machine {
    clock: Clock,
    log: MachineLane,
    snapshot: MachineLane,
    history: MachineLane,
    floor: MachineLane,
    traces: bool,
    shares: Shares,
    /// Connections of clients, on all ports.
    clients: Slots,
    client_sockets: ClientSockets,
    wall: Rc<WallClock>,
    /// Shared by the ports of one server: the files are read and watched once.
    tls: Rc<RefCell<Weak<Tls>>>,
    /// How many threads carry the connections of clients, and they once they have begun.
    client_threads: usize,
    workers: Rc<RefCell<Option<Rc<Workers>>>>,
    orders: Orders,
    manager: Manager,
}

impl Machine {
    pub fn new() -> Machine {
        Machine::with_permissions(FilePermissions::default())
    }

    /// The files that it makes have these.
    pub fn with_permissions(permissions: FilePermissions) -> Machine {
        let clock = Clock::new();
        let shares = Shares::of_process();
        let lane = |lane| MachineLane::new(lane, clock, permissions);
        Machine {
            clock,
            log: lane(LaneId::Log),
            snapshot: lane(LaneId::Snapshot),
            history: lane(LaneId::History),
            floor: lane(LaneId::Floor),
            traces: std::env::var_os(TRACE_VARIABLE).is_some(),
            shares,
            clients: Slots::new(shares.clients),
            client_sockets: ClientSockets::default(),
            wall: Rc::default(),
            tls: Rc::default(),
            client_threads: 0,
            workers: Rc::default(),
            orders: Orders::default(),
            manager: Manager::default(),
        }
    }

    /// The sockets of clients have so many threads of their own (`net.threads`).
    pub fn with_client_threads(self, client_threads: usize) -> Machine {
        Machine { client_threads, ..self }
    }

    /// The sockets of clients are set so.
    pub fn with_client_sockets(self, client_sockets: ClientSockets) -> Machine {
        Machine { client_sockets, ..self }
    }

    /// What there are cores for, beside the thread that decides.
    pub fn client_threads() -> usize {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        (cores - 1).min(CLIENT_THREADS_MAX)
    }

    /// The service manager that started this process is told what it wants to hear.
    pub fn with_manager(self) -> Machine {
        Machine { manager: Manager::of_process(), ..self }
    }

    /// Signals are orders from now on. An end in good order may take so long.
    /// `watched`: the file of the configuration, of which a change is an order, too.
    pub fn obey_signals(&self, stop_timeout: Duration, watched: &Path) -> io::Result<()> {
        self.orders.begin(stop_timeout, watched)
    }

    /// Waits until the terminal interrupts this process: that is an order to what waits, and ends the
    /// process no more.
    pub async fn interrupted(&self) {
        orders::interrupted().await;
    }

    fn workers(&self) -> io::Result<Option<Rc<Workers>>> {
        let mut workers = self.workers.borrow_mut();
        if workers.is_none() && self.client_threads > 0 {
            let begun = Workers::begin(self.client_threads);
            let begun = begun.map_err(|error| net::said(error, "begin net.threads".into()))?;
            *workers = Some(Rc::new(begun));
        }
        Ok(workers.clone())
    }

    /// Descriptors of this process, and how many connections of clients there may be for them.
    pub fn descriptors(&self) -> (usize, usize) {
        (self.shares.all, self.shares.clients)
    }

    /// Runs `main` on this thread, and every task it spawns until it ends. Fails if the kernel
    /// gives no event queue.
    pub fn run<T>(&self, main: impl Future<Output = T>) -> io::Result<T> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let tasks = LocalSet::new();
        let done = tasks.block_on(&runtime, guarded("main", main));
        if let Some(workers) = self.workers.take() {
            workers.end();
        }
        Ok(done)
    }
}

impl Default for Machine {
    fn default() -> Machine {
        Machine::new()
    }
}

impl Runtime for Machine {
    type Stream = MachineStream;
    type Listener = MachineListener;
    type Lane = MachineLane;

    fn stamp(&self) -> Stamp {
        self.clock.stamp()
    }

    fn now_at(&self, at: Stamp) -> Now {
        Now { mono: Mono(at.0), wall_ms: self.wall.at(at, self.clock) }
    }

    fn stamp_of(&self, mono: Mono) -> Stamp {
        Stamp(mono.0)
    }

    fn done_at(&self, at: Stamp) -> Stamp {
        at.max(self.clock.stamp())
    }

    fn settle(&self) -> Duration {
        Duration::ZERO
    }

    fn apply_delay(&self, _: u64) -> Duration {
        Duration::ZERO
    }

    fn random_u64(&self, _: Purpose, _: u64) -> u64 {
        match clock::random_u64() {
            Ok(number) => number,
            Err(error) => end(&Halt::unexpected(format!("read /dev/urandom: {error}"))),
        }
    }

    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(guarded(name, task));
    }

    async fn sleep_until(&self, at: Stamp) {
        self.clock.sleep_until(at).await;
    }

    fn halt(&self, why: Halt) {
        end(&why);
    }

    fn take_orders(&self, take: impl Fn(Stamp, Order) + 'static) {
        let (orders, clock) = (self.orders.clone(), self.clock);
        self.spawn("orders", async move {
            while let Some(order) = orders.next().await {
                take(clock.stamp(), order);
            }
        });
    }

    fn notify(&self, notice: Notice) {
        self.manager.tell(notice);
    }

    fn sign_of_life_every(&self) -> Option<Duration> {
        self.manager.sign_of_life_every()
    }

    async fn connect(
        &self,
        _: Stamp,
        to: &HostPort,
        timeout: Duration,
    ) -> (Stamp, io::Result<MachineStream>) {
        let connected = net::connect(self.clock, to, timeout, None).await;
        (self.clock.stamp(), connected)
    }

    async fn connect_tls(
        &self,
        _: Stamp,
        to: &HostPort,
        timeout: Duration,
        tls: &ServerTrust,
    ) -> (Stamp, io::Result<MachineStream>) {
        let connected = net::connect(self.clock, to, timeout, Some(tls)).await;
        (self.clock.stamp(), connected)
    }

    async fn listen(&self, on: &HostPort) -> io::Result<MachineListener> {
        let door = Door::Plain(Slots::new(self.shares.peers), None);
        net::listen(self.clock, on, door, ClientSockets::default()).await
    }

    async fn listen_clients(&self, on: &HostPort) -> io::Result<MachineListener> {
        let carried = self.client_threads >= CARRIERS_MIN;
        let workers = if carried { self.workers()? } else { None };
        let door = Door::Plain(self.clients.clone(), workers);
        net::listen(self.clock, on, door, self.client_sockets).await
    }

    async fn listen_tls(
        &self,
        on: &HostPort,
        settings: &ClientTls,
        port: TlsPort,
        per_address_max: u32,
    ) -> io::Result<MachineListener> {
        let known = self.tls.borrow().upgrade().filter(|tls| tls.settings() == settings);
        let tls = match known {
            Some(tls) => tls,
            None => Tls::load(settings)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?,
        };
        *self.tls.borrow_mut() = Arc::downgrade(&tls);
        let (clients, workers) = (self.clients.clone(), self.workers()?);
        let accepting = Accepting::new(tls, port, clients, per_address_max, workers);
        net::listen(self.clock, on, Door::Tls(accepting), self.client_sockets).await
    }

    fn disk(&self, lane: LaneId) -> MachineLane {
        match lane {
            LaneId::Log => self.log.clone(),
            LaneId::Snapshot => self.snapshot.clone(),
            LaneId::History => self.history.clone(),
            LaneId::Floor => self.floor.clone(),
        }
    }

    fn environment(&self) -> Environment {
        environment::environment()
    }

    fn file_descriptors(&self) -> Option<(u64, u64)> {
        descriptors::open_and_allowed()
    }

    fn observe(&self, _: Stamp, note: Note) {
        notes::log(&note);
    }

    fn trace(&self, at: Stamp, line: &dyn fmt::Display) {
        tracing::trace!(target: "quorate::pump", %at, "{}", log::Veiled(line));
    }

    fn traces(&self) -> bool {
        self.traces
    }
}
