//! TCP sockets of the machine: to connect, and to listen.
//!
//! Names are resolved at every connect (ZOOKEEPER-1506: an ensemble must survive a peer that
//! changed its address) and every address of a name is tried.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::clock::Clock;
use super::slots::Slots;
use super::socket::Socket;
use super::stream::{MachineStream, plain};
use super::tls::{Accepting, dial};
use super::workers::Workers;
use crate::base::Stamp;
use crate::runtime::tls::ServerTrust;
use crate::runtime::{ClientSockets, HostPort, Listener};

/// Connections the kernel holds before they are accepted. Java's 50 are too few for a storm of clients.
const LISTEN_BACKLOG: u32 = 1024;

/// A listening TCP socket.
#[derive(Debug)]
pub struct MachineListener {
    tcp: TcpListener,
    clock: Clock,
    door: Door,
}

/// What a connection passes before it is accepted.
#[derive(Debug)]
pub(super) enum Door {
    /// There must be room. Workers carry it, if there are any.
    Plain(Slots, Option<Rc<Workers>>),
    /// And handshakes come first.
    Tls(Accepting),
}

impl MachineListener {
    /// The bound address; tells the port if 0 was asked for.
    #[cfg(test)]
    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl Listener for MachineListener {
    type Stream = MachineStream;

    async fn accept(&mut self) -> io::Result<(Stamp, MachineStream)> {
        let stream = match &mut self.door {
            Door::Tls(tls) => tls.accept(&self.tcp, self.clock).await?,
            Door::Plain(slots, workers) => loop {
                let (tcp, peer) = self.tcp.accept().await?;
                let Some(slot) = slots.take(peer.ip()) else {
                    warn!(peer = %plain(peer), limit = "open files", "Too many connections");
                    continue;
                };
                let worker = workers.as_ref().map(|workers| workers.next());
                let tcp = tcp.set_nodelay(true).and_then(|()| match &worker {
                    Some(worker) => worker.adopt(tcp),
                    None => Ok(tcp),
                });
                match tcp.map(Socket::Plain) {
                    Ok(socket) => {
                        let who = (peer, None);
                        break MachineStream::accepted(socket, who, self.clock, slot, worker);
                    }
                    // It is gone again: no reason for others to wait.
                    Err(error) => debug!(peer = %plain(peer), %error, "a connection has ended"),
                }
            },
        };
        Ok((self.clock.stamp(), stream))
    }
}

/// With TLS inside, if that is wanted.
pub(super) async fn connect(
    clock: Clock,
    to: &HostPort,
    timeout: Duration,
    tls: Option<&ServerTrust>,
) -> io::Result<MachineStream> {
    let end = Instant::now() + timeout;
    let lookup = tokio::net::lookup_host((to.host.as_str(), to.port));
    let addresses: Vec<SocketAddr> = match tokio::time::timeout_at(end, lookup).await {
        Ok(found) => found.map_err(in_words)?.collect(),
        Err(_) => return Err(no_answer(timeout)),
    };
    let (tcp, peer) = connect_any(&addresses, end).await.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => no_answer(timeout),
        _ => in_words(error),
    })?;
    tcp.set_nodelay(true)?;
    let socket = match tls {
        None => Socket::Plain(tcp),
        Some(tls) => dial(tcp, &to.host, tls, (timeout, end)).await?,
    };
    Ok(MachineStream::dialled(socket, peer, clock))
}

fn no_answer(timeout: Duration) -> io::Error {
    let why = format!("no answer in {} ms", timeout.as_millis());
    io::Error::new(io::ErrorKind::TimedOut, why)
}

/// The first address that answers; the last error if none does. Each may take its share of the time
/// that is left: one that swallows everything must not use up that of the others.
pub(super) async fn connect_any(
    addresses: &[SocketAddr],
    end: Instant,
) -> io::Result<(TcpStream, SocketAddr)> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "name has no address");
    for (n, address) in addresses.iter().enumerate() {
        let others = (addresses.len() - n) as u32;
        let share = end.saturating_duration_since(Instant::now()) / others;
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok((tcp, *address)),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// A host that stands for all addresses of the machine is open to IPv6 and IPv4, as in Java.
pub(super) async fn listen(
    clock: Clock,
    on: &HostPort,
    door: Door,
    sockets: ClientSockets,
) -> io::Result<MachineListener> {
    let tcp =
        listen_any(on, sockets).await.map_err(|error| said(error, format!("listen on {on}")))?;
    Ok(MachineListener { tcp, clock, door })
}

async fn listen_any(on: &HostPort, sockets: ClientSockets) -> io::Result<TcpListener> {
    if on.is_any() {
        let any = |ip: std::net::IpAddr| bind(SocketAddr::new(ip, on.port), sockets);
        // A machine without IPv6 has no dual-stack sockets.
        return any(std::net::Ipv6Addr::UNSPECIFIED.into()).or_else(|error| match error.kind() {
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
            _ => any(std::net::Ipv4Addr::UNSPECIFIED.into()),
        });
    }
    let mut last = None;
    let unknown = |error| io::Error::new(io::ErrorKind::NotFound, in_words(error));
    let found = tokio::net::lookup_host((on.host.as_str(), on.port)).await.map_err(unknown)?;
    for address in found {
        match bind(address, sockets) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "name has no address")))
}

fn bind(address: SocketAddr, sockets: ClientSockets) -> io::Result<TcpListener> {
    let socket =
        socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // A restarted server must not wait for the TIME_WAIT of its predecessor's connections.
    socket.set_reuse_address(true)?;
    // Linux gives it to whatever is accepted.
    socket.set_keepalive(sockets.keep_alive)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    let backlog = sockets.backlog.unwrap_or(LISTEN_BACKLOG);
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    TcpListener::from_std(socket.into())
}

/// The system's own words, without its number: "Connection refused (os error 111)" ends at the
/// bracket.
fn in_words(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => {
            let words = error.to_string();
            let words = words.strip_suffix(&format!(" (os error {number})")).unwrap_or(&words);
            io::Error::new(error.kind(), words)
        }
        None => error,
    }
}

pub(super) fn said(error: io::Error, doing: String) -> io::Error {
    io::Error::new(error.kind(), format!("{doing}: {error}"))
}
