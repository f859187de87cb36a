//! The connections between the servers of an ensemble on this machine pass through here, so that any
//! of them can be cut off from the others, as by a switch that drops its packets.
//!
//! Each server finds every other one at two ports of this process, its own alone. Where the other one
//! does not run, nobody listens there: who dials is refused, as without this. On a link that is cut
//! what was sent waits, as it does until TCP sends it again, and a new connection is met by silence.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Socket, Type};

/// With more servers there are no links: they would need too many descriptors.
pub(super) const LINKED_SERVERS_MAX: usize = 9;

const BACKLOG: i32 = 128;
const DIAL_TIMEOUT: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const CHUNK: usize = 64 << 10;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Port {
    Quorum,
    Election,
}

/// From the server that dials to a port of another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Way {
    from: u16,
    to: u16,
    port: Port,
}

/// A port of this process, and where what comes there goes.
struct Link {
    way: Way,
    address: SocketAddr,
    target: SocketAddr,
    /// Bound; it listens while the target runs.
    socket: Socket,
}

/// The links to one server.
enum Ways {
    Closed(Vec<Link>),
    Open { end: Arc<AtomicBool>, carrier: JoinHandle<io::Result<Vec<Link>>> },
}

pub(super) struct Links {
    ports: BTreeMap<Way, u16>,
    to: Mutex<BTreeMap<u16, Ways>>,
    cuts: Arc<Cuts>,
}

impl Links {
    /// `members` are number, quorum port and election port of each server.
    pub(super) fn new(members: &[(u16, u16, u16)]) -> io::Result<Links> {
        let mut ports = BTreeMap::new();
        let mut to: BTreeMap<u16, Ways> = BTreeMap::new();
        let are_linked = members.len() <= LINKED_SERVERS_MAX;
        for (number, quorum, election) in members.iter().filter(|_| are_linked) {
            let mut links = Vec::new();
            for (from, ..) in members.iter().filter(|(from, ..)| from != number) {
                for (port, target) in [(Port::Quorum, *quorum), (Port::Election, *election)] {
                    let way = Way { from: *from, to: *number, port };
                    let socket = bind(loopback(0))?;
                    let address = socket.local_addr()?.as_socket().unwrap_or(loopback(0));
                    ports.insert(way, address.port());
                    links.push(Link { way, address, target: loopback(target), socket });
                }
            }
            to.insert(*number, Ways::Closed(links));
        }
        Ok(Links { ports, to: Mutex::new(to), cuts: Arc::default() })
    }

    /// Where `from` finds this port of `to`; `None` where it is found directly.
    pub(super) fn port(&self, from: u16, to: u16, port: Port) -> Option<u16> {
        self.ports.get(&Way { from, to, port }).copied()
    }

    /// Whether any server can be cut off.
    pub(super) fn are_there(&self) -> bool {
        !self.ports.is_empty()
    }

    /// This server runs: it can be dialled.
    pub(super) fn open(&self, number: u16) -> io::Result<()> {
        let mut to = lock(&self.to);
        let Some(Ways::Closed(links)) = to.remove(&number) else { return Ok(()) };
        for link in &links {
            link.socket.listen(BACKLOG)?;
        }
        let end = Arc::new(AtomicBool::new(false));
        let (ends, cuts) = (Arc::clone(&end), Arc::clone(&self.cuts));
        let carrier = thread::Builder::new()
            .name(format!("links to {number}"))
            .spawn(move || accept_all(links, &ends, &cuts))?;
        to.insert(number, Ways::Open { end, carrier });
        Ok(())
    }

    /// This server does not run: who dials it is refused.
    pub(super) fn close(&self, number: u16) -> io::Result<()> {
        let mut to = lock(&self.to);
        match to.remove(&number) {
            Some(Ways::Open { end, carrier }) => {
                end.store(true, Ordering::Relaxed);
                let links = carrier.join().map_err(|_| io::Error::other("a link panicked"))??;
                to.insert(number, Ways::Closed(links));
            }
            Some(closed) => drop(to.insert(number, closed)),
            None => {}
        }
        Ok(())
    }

    /// Cuts this server off from the others, or joins it to them again. Whether it is cut off now.
    pub(super) fn switch(&self, number: u16) -> bool {
        let mut cut_off = lock(&self.cuts.cut_off);
        let is_cut = cut_off.insert(number);
        if !is_cut {
            cut_off.remove(&number);
        }
        self.cuts.changed.notify_all();
        is_cut
    }
}

/// The servers that are cut off.
#[derive(Default)]
struct Cuts {
    cut_off: Mutex<BTreeSet<u16>>,
    changed: Condvar,
}

impl Cuts {
    /// Waits until bytes may pass here, or `is_over`. Whether they may.
    fn wait(&self, way: Way, is_over: impl Fn() -> bool) -> bool {
        let mut cut_off = lock(&self.cut_off);
        while cut_off.contains(&way.from) || cut_off.contains(&way.to) {
            let woken = self.changed.wait_timeout(cut_off, LOOK_EVERY);
            cut_off = woken.unwrap_or_else(PoisonError::into_inner).0;
            if is_over() {
                return false;
            }
        }
        true
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Takes what is dialled until the server ends; the links are then bound again, and silent.
fn accept_all(links: Vec<Link>, end: &AtomicBool, cuts: &Arc<Cuts>) -> io::Result<Vec<Link>> {
    let pause = Timespec::try_from(LOOK_EVERY).ok();
    while !end.load(Ordering::Relaxed) {
        let mut ready: Vec<PollFd<'_>> =
            links.iter().map(|link| PollFd::new(&link.socket, PollFlags::IN)).collect();
        match poll(&mut ready, pause.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            polled => drop(polled?),
        }
        let is_ready: Vec<bool> = ready.iter().map(|fd| !fd.revents().is_empty()).collect();
        for (link, _) in links.iter().zip(is_ready).filter(|(_, is_ready)| *is_ready) {
            let Ok((socket, _)) = link.socket.accept() else { continue };
            let (way, target, cuts) = (link.way, link.target, Arc::clone(cuts));
            let carry = move || carry(socket.into(), way, target, &cuts);
            thread::Builder::new().name("link".into()).spawn(carry)?;
        }
    }
    let silent = links.into_iter().map(|link| {
        let Link { way, address, target, socket } = link;
        drop(socket);
        Ok(Link { way, address, target, socket: bind(address)? })
    });
    silent.collect()
}

/// One connection, until both of its ends have had enough.
fn carry(dialled: TcpStream, way: Way, target: SocketAddr, cuts: &Arc<Cuts>) {
    if !cuts.wait(way, || has_hung_up(&dialled)) {
        return;
    }
    let Ok(reached) = TcpStream::connect_timeout(&target, DIAL_TIMEOUT) else { return };
    for stream in [&dialled, &reached] {
        let _ = stream.set_nodelay(true);
    }
    let (Ok(dialled_too), Ok(reached_too)) = (dialled.try_clone(), reached.try_clone()) else {
        return;
    };
    let back = Arc::clone(cuts);
    let back = move || copy(&reached_too, &dialled_too, way, &back);
    if thread::Builder::new().name("link back".into()).spawn(back).is_ok() {
        copy(&dialled, &reached, way, cuts);
    }
}

/// The bytes of one direction, and its end.
fn copy(mut from: &TcpStream, mut to: &TcpStream, way: Way, cuts: &Cuts) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk);
        cuts.wait(way, || false);
        let what = match read {
            Ok(0) => Shutdown::Write,
            Ok(len) if to.write_all(&chunk[..len]).is_ok() => continue,
            _ => Shutdown::Both,
        };
        let _ = to.shutdown(what);
        if what == Shutdown::Both {
            let _ = from.shutdown(what);
        }
        return;
    }
}

/// Who dialled does not wait any longer.
fn has_hung_up(stream: &TcpStream) -> bool {
    let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
    let mut fds = [PollFd::new(stream, PollFlags::RDHUP)];
    let at_once = Timespec::default();
    poll(&mut fds, Some(&at_once)).is_ok() && fds[0].revents().intersects(gone)
}

/// What a thread that panicked left is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Servers 1 and 2, the quorum port of 2, and where 1 finds it.
    fn two_servers() -> (Links, TcpListener, SocketAddr) {
        let target = TcpListener::bind(loopback(0)).expect("a free port");
        let port = target.local_addr().expect("it is bound").port();
        let links = Links::new(&[(1, 1, 1), (2, port, 1)]).expect("free ports");
        let way = links.port(1, 2, Port::Quorum).expect("two servers are linked");
        (links, target, loopback(way))
    }

    fn read_one(mut stream: &TcpStream) -> io::Result<u8> {
        let mut byte = [0];
        stream.read_exact(&mut byte).map(|()| byte[0])
    }

    #[test]
    fn bytes_pass_both_ways_and_so_does_the_end() {
        let (links, target, way) = two_servers();
        links.open(2).expect("it was bound");
        let dialled = TcpStream::connect(way).expect("it listens");
        let (reached, _) = target.accept().expect("it is dialled on");
        (&dialled).write_all(b"a").expect("a socket");
        assert_eq!(read_one(&reached).expect("it came"), b'a');
        (&reached).write_all(b"b").expect("a socket");
        assert_eq!(read_one(&dialled).expect("it came"), b'b');
        drop(reached);
        let ended = read_one(&dialled).expect_err("the other end is gone");
        assert_eq!(ended.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn who_dials_a_server_that_does_not_run_is_refused_until_it_runs_again() {
        let (links, target, way) = two_servers();
        let refused = || TcpStream::connect(way).expect_err("nobody listens").kind();
        assert_eq!(refused(), io::ErrorKind::ConnectionRefused);
        links.open(2).expect("it was bound");
        let _dialled = TcpStream::connect(way).expect("it listens");
        target.accept().expect("it is dialled on");
        links.close(2).expect("the port is still ours");
        assert_eq!(refused(), io::ErrorKind::ConnectionRefused);
        links.open(2).expect("it was bound");
        let _dialled_too = TcpStream::connect(way).expect("it listens");
        target.accept().expect("it is dialled on");
    }

    #[test]
    fn nothing_passes_a_cut_and_all_of_it_comes_afterwards() {
        let (links, target, way) = two_servers();
        links.open(2).expect("it was bound");
        let before = TcpStream::connect(way).expect("it listens");
        let (reached, _) = target.accept().expect("it is dialled on");
        assert!(links.switch(2), "cut off");
        (&before).write_all(b"a").expect("a socket");
        let meanwhile = TcpStream::connect(way).expect("silence, no refusal");
        let gave_up = TcpStream::connect(way).expect("silence, no refusal");
        drop(gave_up);
        target.set_nonblocking(true).expect("a socket");
        reached.set_read_timeout(Some(LOOK_EVERY * 4)).expect("a socket");
        assert!(read_one(&reached).is_err(), "a byte passed the cut");
        assert!(target.accept().is_err(), "a connection passed the cut");
        assert!(!links.switch(2), "joined again");
        reached.set_read_timeout(Some(PATIENCE)).expect("a socket");
        assert_eq!(read_one(&reached).expect("it came"), b'a');
        target.set_nonblocking(false).expect("a socket");
        let (reached_too, _) = target.accept().expect("the one that waited");
        (&meanwhile).write_all(b"c").expect("a socket");
        assert_eq!(read_one(&reached_too).expect("it came"), b'c', "who gave up does not come");
    }

    #[test]
    fn many_servers_find_each_other_directly() {
        let members: Vec<(u16, u16, u16)> = (1..=10).map(|n| (n, n, n)).collect();
        let links = Links::new(&members).expect("no port is asked for");
        assert!(!links.are_there());
        assert_eq!(links.port(1, 2, Port::Election), None);
    }
}
