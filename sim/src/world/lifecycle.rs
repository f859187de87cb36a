//! Processes begin, end, pause.
//!
//! Every incarnation runs on a madsim node of its own (a node is never restarted: madsim keeps
//! a little of each, and nothing of one can leak into the next).
//!
//! Not here: when effects of a dying process are refused (`process`), what its sockets and
//! files become (`net::faults`, `disk::crash`).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{self, Future};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use madsim::runtime::{Handle, NodeHandle};
use quorate::base::{Broken, ServerId, Stamp};
use quorate::runtime::{Halt, Order};

use super::handle::{Event, Host, World};
use super::observe::ServerChange;
use super::process::{CrashMode, Process};
use super::runtime::SimRuntime;
use super::task::Guarded;
use super::time::{SETTLE, SPREAD};

/// What a process of a server runs. Every start begins it anew.
pub type Program = Rc<dyn Fn(SimRuntime) -> Pin<Box<dyn Future<Output = ()>>>>;

impl World {
    /// From now on this is what [`World::boot`] starts.
    pub fn install(&self, server: ServerId, program: Program) {
        let boot = move |world: &World, process| program(SimRuntime::new(world.clone(), process));
        *self.server(server).program.borrow_mut() = Some(Rc::new(boot));
    }

    /// Starts a process of a server that runs what was installed. Nothing happens if one is alive.
    /// Where [`World::once_stopped`] has still something to do, the start waits for it.
    pub fn boot(&self, server: ServerId) {
        let host = self.server(server);
        let earliest = host.stopped_until.get();
        if self.now() < earliest {
            self.at(earliest, move |world| world.boot(server));
            return;
        }
        let program = host.program.borrow().clone();
        let program = program.expect("a server has a program before its first start");
        if self.start(server, move |rt| program(rt.world(), rt.process().clone())) {
            self.observer().changed(self.now(), server, ServerChange::Started);
        }
    }

    /// Starts a new incarnation. False if one is alive. If the last one is just dying, the new
    /// one begins as soon as it is gone.
    pub fn start<F: Future<Output = ()> + 'static>(
        &self,
        server: ServerId,
        main: impl FnOnce(SimRuntime) -> F + 'static,
    ) -> bool {
        let host = self.server(server);
        let dying = host.process.borrow().clone();
        match dying {
            Some(process) if !process.is_dead() => false,
            Some(process) => {
                self.at(process.reap_at() + Duration::from_nanos(1), move |world| {
                    world.start(server, main);
                });
                true
            }
            None => {
                let process = self.new_process(&host, self.now());
                let main = main(SimRuntime::new(self.clone(), process.clone()));
                let task = Guarded::new(self.clone(), process.clone(), main, true);
                self.spawn_in(&process, "main", task);
                true
            }
        }
    }

    /// A machine with a process for a workload: network, clock, tasks. The same name gives the
    /// same machine, and the same process while it lives.
    pub fn client_runtime(&self, name: &str) -> SimRuntime {
        let host = self.add_host(name, None, BTreeMap::new());
        let alive = host.process.borrow().clone().filter(|process| !process.is_dead());
        let process = alive.unwrap_or_else(|| self.new_process(&host, self.now()));
        process.note_seen(self.now());
        SimRuntime::new(self.clone(), process)
    }

    /// Ends the process of a server, now. A power loss also after the process has ended.
    pub fn crash(&self, server: ServerId, mode: CrashMode) {
        let was_alive = self.is_alive(server);
        self.end_process(&self.server(server), mode);
        if was_alive {
            self.observer().changed(self.now(), server, ServerChange::Died);
        }
    }

    /// Stops a server, and does something a moment later, when its process is certainly gone.
    pub fn once_stopped(&self, server: ServerId, then: impl FnOnce(&World) + 'static) {
        self.crash(server, CrashMode::Kill);
        let gone = self.now() + Duration::from_millis(1);
        self.server(server).stopped_until.set(gone + Duration::from_nanos(1));
        self.at(gone, then);
    }

    fn end_process(&self, host: &Rc<Host>, mode: CrashMode) {
        let at = self.now();
        if mode == CrashMode::Power {
            host.machine.up.set(false);
        }
        let process = host.process.borrow().clone();
        match process {
            Some(process) if process.die(at, mode) => {
                self.push(process.reap_at(), Event::Reap(process));
            }
            Some(_) => {}
            None if mode == CrashMode::Power => {
                self.0.net.borrow_mut().power_off(self, host.machine.id, at);
                host.disk.borrow_mut().lose_power();
            }
            None => {}
        }
    }

    /// Tells the process of a server something, now. Nothing happens if none runs.
    pub fn tell(&self, server: ServerId, order: Order) {
        let process = self.server(server).process.borrow().clone();
        let Some(process) = process.filter(|process| !process.is_dead()) else { return };
        let Some(take) = process.taker.borrow().clone() else { return };
        let (at, told) = (self.now(), process.clone());
        let telling = async move {
            let mut awaited = false;
            let seen = future::poll_fn(|cx| {
                let polled = told.poll_input(at, awaited, cx);
                awaited = true;
                polled
            });
            take(seen.await, order);
        };
        let task = Guarded::new(self.clone(), process.clone(), telling, false);
        self.spawn_in(&process, "order", task);
    }

    /// From now on the process sees nothing more, until [`World::resume`]. Its kernel and its
    /// clocks go on. Nothing happens to one that is paused, or dead.
    pub fn pause(&self, server: ServerId) {
        let process = self.server(server).process.borrow().clone();
        let awake = process.filter(|process| !process.is_dead() && !process.is_paused());
        if let Some(process) = awake {
            process.pause(self.now());
            self.observer().changed(self.now(), server, ServerChange::Paused);
        }
    }

    pub fn resume(&self, server: ServerId) {
        let process = self.server(server).process.borrow().clone();
        if let Some(process) = process
            && process.resume(self.now())
        {
            // What arrived meanwhile first, then, a settled instant later, timers.
            self.push(self.now() + SPREAD, Event::CatchUp(process.clone()));
            self.push(self.now() + SPREAD + SETTLE, Event::CatchUp(process));
        }
        self.observer().changed(self.now(), server, ServerChange::Resumed);
    }

    /// Whether a process of this server is alive (it may be paused).
    pub fn is_alive(&self, server: ServerId) -> bool {
        self.server(server).process.borrow().as_ref().is_some_and(|process| !process.is_dead())
    }

    pub fn is_paused(&self, server: ServerId) -> bool {
        self.server(server)
            .process
            .borrow()
            .as_ref()
            .is_some_and(|process| !process.is_dead() && process.is_paused())
    }

    /// How many processes this server has had.
    pub fn incarnations(&self, server: ServerId) -> u64 {
        self.server(server).machine.incarnations.get()
    }

    fn new_process(&self, host: &Rc<Host>, at: Stamp) -> Rc<Process> {
        host.machine.up.set(true);
        host.machine.incarnations.set(host.machine.incarnations.get() + 1);
        let number = host.machine.incarnations.get();
        let process = Rc::new(Process::new(self.time().clone(), host.machine.clone(), number, at));
        let name = format!("{}#{number}", host.machine.name);
        let node = Handle::current().create_node().name(name).build();
        process.node.set(Some(node.id()));
        *host.process.borrow_mut() = Some(process.clone());
        process
    }

    pub(crate) fn halt(&self, process: &Rc<Process>, halt: Halt) {
        let at = process.moment();
        if !process.set_halted() {
            return;
        }
        if let Some(server) = process.machine.server {
            self.observer().halted(at, server, process.machine.next_call(), &halt);
        }
        self.end_by_own_hand(process, at);
    }

    pub(crate) fn panicked(&self, process: &Rc<Process>, broken: &Broken) {
        let at = process.moment();
        if !process.set_halted() {
            return;
        }
        if let Some(server) = process.machine.server {
            self.observer().panicked(at, server, process.machine.next_call(), broken);
        }
        self.end_by_own_hand(process, at);
    }

    fn end_by_own_hand(&self, process: &Rc<Process>, at: Stamp) {
        if process.die(at, CrashMode::Kill) {
            self.push(process.reap_at(), Event::Reap(process.clone()));
        }
    }

    /// Everything inputs up to its death caused is done: the process is taken away.
    pub(crate) fn reap(&self, process: &Rc<Process>) {
        if process.is_reaped() {
            return;
        }
        process.set_reaped();
        self.0.net.borrow_mut().end_process(self, process);
        let host = self.host(process.machine.id);
        host.disk.borrow_mut().end_process(process);
        host.process.borrow_mut().take_if(|current| Rc::ptr_eq(current, process));
        if let Some(node) = process.node.get() {
            Handle::current().kill(node);
        }
    }

    /// Spawns on the node of this process, from wherever it is called.
    pub(crate) fn spawn_in(
        &self,
        process: &Rc<Process>,
        name: &'static str,
        task: impl Future<Output = ()> + 'static,
    ) {
        let Some(id) = process.node.get() else { return };
        self.prune_task_lists();
        if madsim::plugin::node() == id {
            madsim::task::Builder::new().name(name).spawn_local(task);
        } else if let Some(node) = Handle::current().get_node(id) {
            self.spawn_on(&node, name, task);
        }
    }

    /// `NodeHandle::spawn` wants `Send`; `spawn_local` does not, but works only from a task of
    /// the node. So a messenger, which is `Send`, fetches the future there.
    pub(crate) fn spawn_on(
        &self,
        node: &NodeHandle,
        name: &'static str,
        task: impl Future<Output = ()> + 'static,
    ) {
        let slot = PARKED.with_borrow_mut(|parked| {
            let slot = parked.last_key_value().map_or(0, |(slot, _)| slot + 1);
            parked.insert(slot, Box::pin(task));
            slot
        });
        node.spawn(async move {
            if let Some(task) = PARKED.with_borrow_mut(|parked| parked.remove(&slot)) {
                madsim::task::Builder::new().name(name).spawn_local(task);
            }
        });
    }

    /// madsim drops finished tasks from its lists only when it is asked for their number.
    fn prune_task_lists(&self) {
        let spawned = self.0.spawned.get() + 1;
        self.0.spawned.set(spawned);
        if spawned.is_multiple_of(1_000) {
            Handle::current().metrics().num_tasks();
        }
    }
}

type Parked = BTreeMap<u64, Pin<Box<dyn Future<Output = ()>>>>;

thread_local! {
    static PARKED: RefCell<Parked> = const { RefCell::new(BTreeMap::new()) };
}
