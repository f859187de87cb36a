//! What goes wrong on the network, and how a kernel gets over it.
//!
//! A cut swallows what meets it; the sender's kernel retransmits at growing intervals and, when
//! RETRANSMIT_LIMIT has passed without an acknowledgement, fails the connection on its own side
//! only. A hold stops a direction at the first frame it names, in order, until its release.
//!
//! Not here: which faults when (`scenario`).

use std::io;
use std::rc::Rc;
use std::time::Duration;

use quorate::base::Stamp;
use quorate::runtime::{Label, LabelKind};

use super::conn::{Dir, Frame, Stall};
use super::event::NetEvent;
use super::link::{Cut, Latency};
use super::plane::Plane;
use super::state::{Hold, Net};
use crate::world::handle::{Event, SendHook, World};
use crate::world::machine::server_name;
use crate::world::process::{CrashMode, Process};
use crate::world::time::LATENCY_MIN;

/// The first retransmission comes this long after the loss; each later one waits twice as long.
pub(super) const RETRANSMIT_FIRST: Duration = Duration::from_millis(200);
/// The longest wait between two: so much later than a heal a connection may flow again.
pub const RETRANSMIT_WAIT_MAX: Duration = Duration::from_secs(5);
/// After this long without an acknowledgement the sender's kernel gives up.
const RETRANSMIT_LIMIT: Duration = Duration::from_secs(15);

impl World {
    /// From now on nothing passes from one host to the other on this plane.
    pub fn cut(&self, from: &str, to: &str, plane: Plane) {
        let at = self.now();
        let (from, to) = self.pair(from, to);
        self.0.net.borrow_mut().cut(self, at, from, to, plane);
    }

    pub fn heal(&self, from: &str, to: &str, plane: Plane) {
        let (from, to) = self.pair(from, to);
        let mut net = self.0.net.borrow_mut();
        let link = net.link(from, to);
        net.heal_link(link, plane, self.now());
    }

    /// Ends every cut; extra delays and holds stay.
    pub fn heal_all(&self) {
        let at = self.now();
        let mut net = self.0.net.borrow_mut();
        for link in 0..net.links.len() {
            net.heal_link(link, Plane::All, at);
        }
    }

    /// Ends every cut, hold and extra delay between servers.
    pub fn heal_network(&self) {
        self.heal_all();
        self.release(None, None);
        let servers = self.servers();
        for from in &servers {
            for to in servers.iter().filter(|to| *to != from) {
                let (from, to) = (server_name(*from), server_name(*to));
                self.delay(&from, &to, Plane::All, Duration::ZERO);
            }
        }
    }

    /// Frames that leave from now on take so much longer.
    pub fn delay(&self, from: &str, to: &str, plane: Plane, extra: Duration) {
        self.change_latency(from, to, plane, |latency| latency.extra = extra);
    }

    /// Frames that leave from now on take between `low` and `high` (and any extra delay).
    pub fn set_latency(&self, from: &str, to: &str, plane: Plane, low: Duration, high: Duration) {
        self.change_latency(from, to, plane, |latency| (latency.low, latency.high) = (low, high));
    }

    /// Stops each connection at its first frame of this kind (of any kind) that has not yet
    /// arrived, with all that follows it, until [`World::release`].
    pub fn hold(&self, from: &str, to: &str, plane: Plane, kind: Option<LabelKind>) {
        let (from, to) = self.pair(from, to);
        let mut net = self.0.net.borrow_mut();
        net.holds_made += 1;
        let id = net.holds_made;
        net.holds.push(Hold { id, from, to, plane, kind });
    }

    /// Ends the holds of frames of this kind from one host to the other; without a kind, of
    /// every kind, and without hosts, of all.
    pub fn release(&self, between: Option<(&str, &str)>, kind: Option<LabelKind>) {
        let between = between.map(|(from, to)| self.pair(from, to));
        let mut net = self.0.net.borrow_mut();
        let meant = |hold: &&Hold| {
            between.is_none_or(|between| between == (hold.from, hold.to))
                && (kind.is_none() || kind == hold.kind)
        };
        let holds: Vec<u64> = net.holds.iter().filter(meant).map(|hold| hold.id).collect();
        for hold in holds {
            net.release(self, self.now(), hold);
        }
    }

    /// Resets every connection of this host on a plane: both ends learn of it, this one at once.
    pub fn reset_connections(&self, host: &str, plane: Plane) {
        let at = self.now();
        let Some(host) = self.host_named(host) else { return };
        self.0.net.borrow_mut().reset_connections(self, at, host.machine.id, plane);
    }

    /// Calls back for every frame of these kinds that is sent, in the order of stamps, before
    /// it can arrive. The call's own moment ([`World::now`]) is SETTLE + LATE after the frame left.
    pub fn on_send(
        &self,
        kinds: &[LabelKind],
        call: impl Fn(&World, Stamp, &str, &str, Label) + 'static,
    ) {
        let hook = SendHook { kinds: kinds.to_vec(), call: Rc::new(call) };
        self.0.send_hooks.borrow_mut().push(hook);
    }

    pub(super) fn frame_sent(&self, frame: &Frame) {
        let (from, to) = (self.machine(frame.from), self.machine(frame.to));
        let (left, label) = (frame.left, frame.label);
        self.observer().sent(left, &from.name, &to.name, label);
        for hook in &*self.0.send_hooks.borrow() {
            if hook.kinds.contains(&label.kind) {
                let (call, from, to) = (hook.call.clone(), from.clone(), to.clone());
                self.at(self.settled(left), move |world| {
                    call(world, left, &from.name, &to.name, label);
                });
            }
        }
    }

    fn change_latency(&self, from: &str, to: &str, plane: Plane, change: impl Fn(&mut Latency)) {
        let at = self.now();
        let (from, to) = self.pair(from, to);
        let net = &mut *self.0.net.borrow_mut();
        let link = net.link(from, to);
        for plane in plane.each() {
            let history = &mut net.links[link].latencies[plane];
            let mut latency = history.last().map_or(net.default_latency, |(_, latency)| *latency);
            change(&mut latency);
            history.push((at, latency));
        }
    }

    /// Hosts that the laboratory names; naming one that does not exist is its bug.
    pub(super) fn pair(&self, from: &str, to: &str) -> (usize, usize) {
        let id = |name: &str| match self.host_named(name) {
            Some(host) => host.machine.id,
            None => panic!("host {name:?} was never added to this world"),
        };
        (id(from), id(to))
    }
}

impl Net {
    fn cut(&mut self, world: &World, at: Stamp, from: usize, to: usize, plane: Plane) {
        let link = self.link(from, to);
        for plane in plane.each() {
            let cuts = &mut self.links[link].cuts[plane];
            if cuts.last().is_none_or(|cut| cut.until <= at) {
                cuts.push(Cut { from: at, until: Stamp::FAR });
            }
        }
        // Acknowledgements of what has just arrived the other way are swallowed too.
        let grace = self.default_latency.high;
        for (id, conn) in self.conns.iter_mut() {
            for d in 0..2 {
                let dir = &conn.dirs[1 - d];
                let recent = dir.last_arrival <= at && dir.last_arrival + grace >= at;
                if conn.dirs[d].link == link && plane.covers(conn.plane) && recent {
                    conn.dirs[1 - d].miss_ack(world, at, id, 1 - d, at);
                }
            }
        }
    }

    fn heal_link(&mut self, link: usize, plane: Plane, at: Stamp) {
        for plane in plane.each() {
            if let Some(cut) = self.links[link].cuts[plane].last_mut()
                && cut.until == Stamp::FAR
            {
                cut.until = at;
            }
        }
    }

    fn release(&mut self, world: &World, at: Stamp, hold: u64) {
        self.holds.retain(|placed| placed.id != hold);
        for (id, conn) in self.conns.iter_mut() {
            for (d, dir) in conn.dirs.iter_mut().enumerate() {
                if dir.stall == (Stall::Held { hold }) {
                    dir.relaunch(world, at, at + LATENCY_MIN, id, d);
                }
            }
        }
    }

    fn reset_connections(&mut self, world: &World, at: Stamp, host: usize, plane: Plane) {
        for id in 0..self.conns.end() {
            for end in 0..2 {
                let Some(conn) = self.conns.get(id) else { continue };
                let this = &conn.ends[end];
                if this.host == host && plane.covers(conn.plane) && !this.gone && !this.closed {
                    self.send_rst(world, id, 1 - end, at);
                    self.fail_end(id, end, at, io::ErrorKind::ConnectionReset);
                }
            }
        }
    }

    /// The segment in front met a cut, or a machine without power.
    pub(super) fn lose(&mut self, world: &World, at: Stamp, id: usize, d: usize) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let dir = &mut conn.dirs[d];
        if dir.mute {
            dir.flight.clear();
            dir.unsent.clear();
            return self.free_if_over(id);
        }
        let Some(front) = dir.flight.front() else { return };
        dir.stall = Stall::Lost { since: front.left };
        let again = (front.left + RETRANSMIT_FIRST).max(at);
        world.push_net(again, NetEvent::Retransmit { conn: id, dir: d, tries: 1 });
    }

    pub(super) fn on_retransmit(
        &mut self,
        world: &World,
        at: Stamp,
        id: usize,
        d: usize,
        tries: u32,
    ) {
        let Some(conn) = self.conns.get(id) else { return };
        let (plane, dir) = (conn.plane, &conn.dirs[d]);
        let Stall::Lost { since } = dir.stall else { return };
        let link = dir.link;
        let latency = self.latency(link, plane, at, dir.key.name("again").with(u64::from(tries)));
        let reached = !self.links[link].cut_between(plane, at, at)
            && world.machine(conn.ends[1 - d].host).up.get();
        if reached {
            let Some(conn) = self.conns.get_mut(id) else { return };
            if self.links[link].bandwidth.is_some() {
                return self.send_again(world, at, (id, d));
            }
            conn.dirs[d].relaunch(world, at, at + latency, id, d);
        } else if at - since >= RETRANSMIT_LIMIT {
            self.fail_end(id, d, at, io::ErrorKind::TimedOut);
        } else {
            let again = next_try(since, at, tries);
            world.push_net(again, NetEvent::Retransmit { conn: id, dir: d, tries: tries + 1 });
        }
    }

    /// Something arrived: if its acknowledgement meets a cut, the sender will wonder.
    pub(super) fn expect_ack(
        &mut self,
        world: &World,
        at: Stamp,
        id: usize,
        d: usize,
        left: Stamp,
    ) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let back = conn.dirs[1 - d].link;
        if self.links[back].cut_between(conn.plane, at, at) {
            conn.dirs[d].miss_ack(world, at, id, d, left);
        }
    }

    pub(super) fn on_ack_overdue(
        &mut self,
        world: &World,
        at: Stamp,
        id: usize,
        d: usize,
        tries: u32,
    ) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Some(since) = conn.dirs[d].unacked else { return };
        let open = |link: usize| !self.links[link].cut_between(conn.plane, at, at);
        let up = world.machine(conn.ends[1 - d].host).up.get();
        if up && open(conn.dirs[d].link) && open(conn.dirs[1 - d].link) {
            conn.dirs[d].unacked = None;
            if conn.ends[d].writer.is_some() && conn.ends[1 - d].closed {
                self.fail_end(id, d, at, io::ErrorKind::ConnectionReset);
            }
        } else if at - since >= RETRANSMIT_LIMIT {
            self.fail_end(id, d, at, io::ErrorKind::TimedOut);
        } else {
            let again = next_try(since, at, tries);
            world.push_net(again, NetEvent::AckOverdue { conn: id, dir: d, tries: tries + 1 });
        }
    }

    /// A sender that waits for room at an end which no kernel knows any more asks for it, as TCP's
    /// window probes do.
    pub(super) fn probe_if_waiting(&mut self, world: &World, at: Stamp, id: usize, d: usize) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let waits = conn.ends[d].writer.is_some() && conn.ends[1 - d].closed;
        if waits && conn.dirs[d].flight.is_empty() {
            conn.dirs[d].miss_ack(world, at, id, d, at);
        }
    }

    /// The sockets of a process that died: closed by its kernel, or dark with its machine.
    pub(crate) fn end_process(&mut self, world: &World, process: &Rc<Process>) {
        let (host, at) = (process.machine.id, process.dead_at());
        self.forget_attempts(process);
        let power = process.mode() == CrashMode::Power;
        if power {
            self.power_off(world, host, at);
        }
        for port in self.ports_of(process) {
            self.unbind(world, host, port, at);
        }
        for id in 0..self.conns.end() {
            for end in 0..2 {
                let Some(conn) = self.conns.get(id) else { continue };
                let owner = conn.ends[end].process.as_ref();
                if !power && owner.is_some_and(|owner| Rc::ptr_eq(owner, process)) {
                    self.close(world, id, end, at);
                }
            }
        }
    }

    /// A kernel stops: no end on this machine says or knows anything any more.
    pub(crate) fn power_off(&mut self, world: &World, host: usize, at: Stamp) {
        for id in 0..self.conns.end() {
            for end in 0..2 {
                if let Some(conn) = self.conns.get_mut(id)
                    && conn.ends[end].host == host
                {
                    conn.silence(end);
                    conn.ends[end].closed = true;
                    conn.ends[end].process = None;
                    self.probe_if_waiting(world, at, id, 1 - end);
                    self.free_if_over(id);
                }
            }
        }
    }
}

impl Dir {
    /// Sends again what left before `at`, to arrive together; what left later keeps its place.
    fn relaunch(&mut self, world: &World, at: Stamp, arrives: Stamp, id: usize, d: usize) {
        self.stall = Stall::Flowing;
        for segment in &mut self.flight {
            if segment.left <= at {
                segment.left = at;
                segment.arrives = arrives.max(at);
            } else {
                segment.arrives = segment.arrives.max(arrives);
            }
        }
        self.last_arrival = self.flight.back().map_or(self.last_arrival, |last| last.arrives);
        world.push(arrives, Event::Segment { conn: id, dir: d });
    }

    fn miss_ack(&mut self, world: &World, at: Stamp, id: usize, d: usize, since: Stamp) {
        if self.unacked.is_none() && !self.mute {
            self.unacked = Some(since);
            let overdue = at + RETRANSMIT_FIRST;
            world.push_net(overdue, NetEvent::AckOverdue { conn: id, dir: d, tries: 1 });
        }
    }
}

fn next_try(since: Stamp, at: Stamp, tries: u32) -> Stamp {
    let wait = (RETRANSMIT_FIRST * (1 << tries.min(10))).min(RETRANSMIT_WAIT_MAX);
    let last = (since + RETRANSMIT_LIMIT).max(at + RETRANSMIT_FIRST);
    (at + wait).min(last)
}
