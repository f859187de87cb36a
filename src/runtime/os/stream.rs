//! One connection of the machine, plain or TLS, on this thread or a worker's. Nagle is off on every one.
//!
//! Not here: where connections come from (`net.rs`), the handshake of TLS (`tls/accept.rs`).

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::clock::Clock;
use super::slots::Slot;
use super::socket::Socket;
use super::workers::{PumpEnd, Worker};
use crate::base::Stamp;
use crate::runtime::{Label, Stream};

/// A link between servers ends when what was sent was not acknowledged for so long, be it by a
/// machine that has no room for it (TCP_USER_TIMEOUT), ...
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(30);
/// ... or when an idle one was asked four times in vain.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 4;

/// One TCP connection, perhaps with TLS inside.
#[derive(Debug)]
pub struct MachineStream {
    wire: Wire,
    peer: SocketAddr,
    clock: Clock,
    subject: Option<String>,
}

#[derive(Debug)]
enum Wire {
    /// The slot counts it until its descriptor is free; those that were dialled are not counted.
    Here { socket: Socket, _slot: Option<Slot> },
    /// A worker has the socket and the slot.
    Piped(PumpEnd),
}

impl MachineStream {
    pub(super) fn dialled(socket: Socket, peer: SocketAddr, clock: Clock) -> MachineStream {
        let wire = Wire::Here { socket, _slot: None };
        MachineStream { wire, peer, clock, subject: None }
    }

    /// One that was accepted. If there is a worker, the socket is one of its event loop.
    pub(super) fn accepted(
        socket: Socket,
        (peer, subject): (SocketAddr, Option<String>),
        clock: Clock,
        slot: Slot,
        worker: Option<Rc<Worker>>,
    ) -> MachineStream {
        let wire = match worker {
            None => Wire::Here { socket, _slot: Some(slot) },
            Some(worker) => Wire::Piped(worker.give(socket, slot)),
        };
        MachineStream { wire, peer, clock, subject }
    }

    /// `None` if a worker has it.
    pub(super) fn socket(&self) -> Option<SockRef<'_>> {
        match &self.wire {
            Wire::Here { socket, .. } => Some(socket.tcp().into()),
            Wire::Piped(_) => None,
        }
    }
}

impl Stream for MachineStream {
    fn begin_write(&mut self, _: Stamp, _: Label) {}

    fn wants_labels(&self) -> bool {
        false
    }

    fn read_at(&self) -> Stamp {
        self.clock.stamp()
    }

    fn peer(&self) -> String {
        plain(self.peer).to_string()
    }

    fn subject(&self) -> Option<String> {
        self.subject.clone()
    }

    fn poll_left(&mut self, cx: &mut Context<'_>, awaited: bool) -> Poll<io::Result<bool>> {
        match &mut self.wire {
            Wire::Here { socket, .. } => Pin::new(socket).poll_flush(cx).map_ok(|()| true),
            Wire::Piped(pipe) => pipe.poll_left(cx, awaited),
        }
    }

    fn end_when_silent(&self) {
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_IDLE)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_RETRIES);
        // Workers carry clients alone.
        let Some(socket) = self.socket() else { return };
        let set = socket
            .set_tcp_keepalive(&keepalive)
            .and_then(|()| socket.set_tcp_user_timeout(Some(SILENCE_MAX)));
        if let Err(error) = set {
            let peer = self.peer();
            tracing::warn!(peer, %error, "the kernel will not end this link when it is silent");
        }
    }
}

/// Calls a method of whichever wire there is.
macro_rules! on_wire {
    ($stream:ident . $method:ident ( $($argument:expr),* )) => {
        match &mut $stream.wire {
            Wire::Here { socket, .. } => Pin::new(socket).$method($($argument),*),
            Wire::Piped(pipe) => Pin::new(pipe).$method($($argument),*),
        }
    };
}

impl AsyncRead for MachineStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_wire!(self.poll_read(cx, buf))
    }
}

impl AsyncWrite for MachineStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        on_wire!(self.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_wire!(self.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.wire {
            Wire::Here { socket, .. } => socket.is_write_vectored(),
            Wire::Piped(pipe) => pipe.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_wire!(self.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_wire!(self.poll_shutdown(cx))
    }
}

/// `1.2.3.4:5` instead of `[::ffff:1.2.3.4]:5`, which a dual-stack listener reports.
pub(super) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
