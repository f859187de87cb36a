//! How connections come about: SYN, SYN+ACK, ACK, or RST, or nothing for a while.
//!
//! The asking side is connected after one round trip; the listening side sees the connection
//! one way later, in front of its data. Both kernels are alive as long as the machine has
//! power, whatever the process does: a paused server accepts, a killed one refuses.
//!
//! - CO-1  connections of one pair of hosts get their ordinals in the order of their stamps
//! - CO-2  a connect into a partition hangs until its timeout; only a live kernel refuses

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use quorate::base::Stamp;
use quorate::runtime::HostPort;

use super::conn::Conn;
use super::event::NetEvent;
use super::plane::Plane;
use super::state::{Attempt, Net, Port};
use super::stream::{SimListener, SimStream};
use crate::world::handle::World;
use crate::world::process::Process;
use crate::world::sleep::Sleep;
use crate::world::time::{LATE, SETTLE};

/// Connections that a kernel completes before the process accepts them.
const BACKLOG: usize = 128;
/// When an unanswered SYN is sent again; doubles each time.
const SYN_RETRY: Duration = Duration::from_secs(1);
/// How long it takes to learn that a name does not exist.
const UNKNOWN_NAME: Duration = Duration::from_millis(1);
const LOCAL_PORTS: std::ops::Range<u16> = 40_000..60_000;

impl Net {
    pub(super) fn on_connect(&mut self, world: &World, attempt: usize) {
        let Some(asked) = self.attempts.get_mut(attempt) else { return };
        let ordinal = self.ordinals.entry((asked.from, asked.to, asked.port)).or_default();
        asked.key = asked.key.with(*ordinal);
        *ordinal += 1;
        let port = self.local_ports.entry(asked.from).or_insert(LOCAL_PORTS.start);
        asked.local_port = *port;
        *port = if *port + 1 == LOCAL_PORTS.end { LOCAL_PORTS.start } else { *port + 1 };
        let left = asked.at;
        self.send_syn(world, left, attempt);
    }

    pub(super) fn send_syn(&mut self, world: &World, left: Stamp, attempt: usize) {
        let Some(asked) = self.attempts.get_mut(attempt) else { return };
        if asked.outcome.is_some() || asked.process.is_dead() {
            return;
        }
        let (from, to, plane) = (asked.from, asked.to, asked.plane);
        let key = asked.key.name("syn").with(u64::from(asked.tries));
        asked.tries += 1;
        let link = self.link(from, to);
        let at = world.time().not_before_now(left + self.latency(link, plane, left, key));
        world.push_net(at, NetEvent::SynArrives { attempt, left });
    }

    fn retry_syn(&mut self, world: &World, at: Stamp, attempt: usize, left: Stamp) {
        let Some(asked) = self.attempts.get(attempt) else { return };
        let wait = SYN_RETRY * (1 << (asked.tries - 1).min(6));
        world.push_net((left + wait).max(at), NetEvent::SynRetry { attempt });
    }

    pub(super) fn on_syn(&mut self, world: &World, at: Stamp, attempt: usize, left: Stamp) {
        let Some(asked) = self.attempts.get(attempt) else { return };
        let (from, to, plane) = (asked.from, asked.to, asked.plane);
        let key = asked.key.name("syn+ack").with(u64::from(asked.tries));
        let open = self.ports.get(&(to, asked.port)).filter(|port| port.takes(at));
        let is_full = world.machine(to).backlog_full.get();
        let full = open.is_some_and(|port| is_full || port.queue.len() >= BACKLOG);
        let accepted = open.is_some();
        let link = self.link(from, to);
        if full || self.links[link].cut_between(plane, left, at) || !world.machine(to).up.get() {
            return self.retry_syn(world, at, attempt, left);
        }
        let back = self.link(to, from);
        let answered = at + self.latency(back, plane, at, key);
        world.push_net(answered, NetEvent::SynAnswered { attempt, left: at, accepted });
    }

    pub(super) fn on_syn_answer(
        &mut self,
        world: &World,
        at: Stamp,
        attempt: usize,
        left: Stamp,
        accepted: bool,
    ) {
        let Some(asked) = self.attempts.get(attempt) else { return };
        if asked.outcome.is_some() || asked.process.is_dead() {
            return;
        }
        let (from, to, plane) = (asked.from, asked.to, asked.plane);
        let back = self.link(to, from);
        if self.links[back].cut_between(plane, left, at) {
            return self.retry_syn(world, at, attempt, left);
        }
        let outcome = match accepted {
            true => Ok(self.open_conn(world, at, attempt)),
            false => Err(io::ErrorKind::ConnectionRefused),
        };
        self.finish_attempt(at, attempt, outcome);
    }

    fn open_conn(&mut self, world: &World, at: Stamp, attempt: usize) -> usize {
        let asked = self.attempts.get(attempt).expect("the caller has just seen it");
        let (from, to, plane, key) = (asked.from, asked.to, asked.plane, asked.key);
        let ports = [asked.local_port, asked.port];
        let process = asked.process.clone();
        let links = [self.link(from, to), self.link(to, from)];
        let conn = Conn::new(plane, [from, to], ports, links, key, at, process);
        let id = self.conns.add(conn);
        self.send_open(world, id, at);
        id
    }

    pub(super) fn on_connect_timeout(&mut self, at: Stamp, attempt: usize) {
        if let Some(asked) = self.attempts.get(attempt)
            && asked.outcome.is_none()
        {
            self.finish_attempt(at, attempt, Err(io::ErrorKind::TimedOut));
        }
    }

    fn finish_attempt(&mut self, at: Stamp, attempt: usize, outcome: Result<usize, io::ErrorKind>) {
        let Some(asked) = self.attempts.get_mut(attempt) else { return };
        asked.outcome = Some((at, outcome));
        if let Some(waker) = asked.waker.take() {
            asked.process.wake(at, waker);
        }
    }

    /// The listening side learns of a connection. False if nobody listens any more.
    pub(super) fn offer(&mut self, at: Stamp, id: usize) -> Option<Rc<Process>> {
        let conn = self.conns.get(id)?;
        let port = self.ports.get_mut(&(conn.ends[1].host, conn.ports[1]))?;
        if !port.takes(at) {
            return None;
        }
        port.queue.push_back((at, id));
        if let Some(waker) = port.waker.take() {
            port.process.wake(at, waker);
        }
        Some(port.process.clone())
    }

    pub(super) fn poll_accept(
        &mut self,
        process: &Rc<Process>,
        port: u16,
        cx: &Context<'_>,
    ) -> Poll<(Stamp, usize)> {
        let Some(open) = self.ports.get_mut(&(process.machine.id, port)) else {
            return Poll::Pending;
        };
        let Some((at, conn)) = open.queue.front().copied() else {
            open.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        process.poll_input(at, false, cx).map(|at| {
            open.queue.pop_front();
            (at, conn)
        })
    }

    pub(super) fn bind(&mut self, process: &Rc<Process>, port: u16) -> io::Result<()> {
        let key = (process.machine.id, port);
        if self.ports.contains_key(&key) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let open_from = process.moment().max(process.seen()) + SETTLE + LATE;
        let process = process.clone();
        self.ports.insert(key, Port { process, open_from, queue: VecDeque::new(), waker: None });
        Ok(())
    }

    /// Nobody accepts on this port any more: what was not accepted is reset.
    pub(super) fn unbind(&mut self, world: &World, host: usize, port: u16, at: Stamp) {
        if let Some(open) = self.ports.remove(&(host, port)) {
            for (_, conn) in open.queue {
                self.abort(world, conn, 1, at);
            }
        }
    }

    pub(super) fn forget_attempts(&mut self, process: &Rc<Process>) {
        self.attempts.take_where(|asked| Rc::ptr_eq(&asked.process, process));
    }

    pub(super) fn ports_of(&self, process: &Rc<Process>) -> Vec<u16> {
        let owned = self.ports.iter().filter(|(_, port)| Rc::ptr_eq(&port.process, process));
        owned.map(|((_, port), _)| *port).collect()
    }
}

impl SimStream {
    pub(crate) async fn connect(
        world: &World,
        process: &Rc<Process>,
        at: Stamp,
        to: &HostPort,
        timeout: Duration,
    ) -> (Stamp, io::Result<SimStream>) {
        let at = world.time().fresh(process.effective(at));
        if process.refuses(at) {
            std::future::pending::<()>().await;
        }
        let Some(host) = resolve(world, process, &to.host) else {
            let at = at + UNKNOWN_NAME;
            Sleep::new(world.clone(), Some(process.clone()), at).await;
            let text = format!("{}: name or service not known", to.host);
            return (at, Err(io::Error::new(io::ErrorKind::NotFound, text)));
        };
        let plane = world.machine(host).planes.get(&to.port).copied().unwrap_or(Plane::Client);
        let key = world.key("net").name(&process.machine.name).name(&world.machine(host).name);
        let attempt = Attempt {
            process: process.clone(),
            from: process.machine.id,
            to: host,
            port: to.port,
            local_port: 0,
            plane,
            at,
            key: key.with(u64::from(to.port)),
            tries: 0,
            outcome: None,
            waker: None,
        };
        let id = world.0.net.borrow_mut().attempts.add(attempt);
        world.push_net(world.settled(at), NetEvent::Connect { attempt: id });
        world.push_net(at + timeout, NetEvent::ConnectTimeout { attempt: id });
        let (at, outcome) =
            Connecting { world: world.clone(), process: process.clone(), attempt: id }.await;
        let opened =
            outcome.map(|conn| SimStream::new(world.clone(), process.clone(), conn, 0, at));
        (at, opened.map_err(io::Error::from))
    }
}

impl SimListener {
    pub(crate) fn bind(
        world: &World,
        process: &Rc<Process>,
        on: &HostPort,
    ) -> io::Result<SimListener> {
        let anywhere = matches!(on.host.as_str(), "" | "0.0.0.0" | "::" | "*");
        if !anywhere {
            match resolve(world, process, &on.host) {
                Some(host) if host == process.machine.id => {}
                Some(_) => return Err(io::ErrorKind::AddrNotAvailable.into()),
                None => return Err(io::ErrorKind::NotFound.into()),
            }
        }
        world.0.net.borrow_mut().bind(process, on.port)?;
        Ok(SimListener::new(world.clone(), process.clone(), on.port))
    }
}

fn resolve(world: &World, process: &Process, name: &str) -> Option<usize> {
    match name {
        "localhost" | "127.0.0.1" | "::1" => Some(process.machine.id),
        name => world.host_named(name).map(|host| host.machine.id),
    }
}

/// Waits for the outcome of an attempt. Dropped, it gives the attempt up.
struct Connecting {
    world: World,
    process: Rc<Process>,
    attempt: usize,
}

impl Future for Connecting {
    type Output = (Stamp, Result<usize, io::ErrorKind>);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut net = self.world.0.net.borrow_mut();
        let Some(asked) = net.attempts.get_mut(self.attempt) else { return Poll::Pending };
        let Some((at, outcome)) = asked.outcome else {
            asked.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        self.process.poll_input(at, true, cx).map(|at| {
            net.attempts.take(self.attempt);
            (at, outcome)
        })
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        let Ok(mut net) = self.world.0.net.try_borrow_mut() else { return };
        let Some(asked) = net.attempts.take(self.attempt) else { return };
        if let Some((at, Ok(conn))) = asked.outcome {
            net.close(&self.world, conn, 0, at);
        }
    }
}
