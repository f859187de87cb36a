//! One connection of the machine, plain or TLS. Nagle is off on every one.
//!
//! Not here: where connections come from (`net.rs`), the handshake of TLS (`tls/accept.rs`).

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::clock::Clock;
use super::slots::Slot;
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
    /// Counts it until its descriptor is free; those that were dialled are not counted.
    _slot: Option<Slot>,
}

#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    fn tcp(&self) -> &TcpStream {
        match self {
            Wire::Plain(tcp) => tcp,
            Wire::Tls(tls) => tls.get_ref().0,
        }
    }
}

impl MachineStream {
    pub(super) fn new(
        wire: Wire,
        peer: SocketAddr,
        clock: Clock,
        subject: Option<String>,
    ) -> io::Result<MachineStream> {
        wire.tcp().set_nodelay(true)?;
        Ok(MachineStream { wire, peer, clock, subject, _slot: None })
    }

    pub(super) fn holding(self, slot: Slot) -> MachineStream {
        MachineStream { _slot: Some(slot), ..self }
    }

    pub(super) fn socket(&self) -> SockRef<'_> {
        SockRef::from(self.wire.tcp())
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

    fn end_when_silent(&self) {
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_IDLE)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_RETRIES);
        let socket = self.socket();
        let set = socket
            .set_tcp_keepalive(&keepalive)
            .and_then(|()| socket.set_tcp_user_timeout(Some(SILENCE_MAX)));
        if let Err(error) = set {
            let peer = self.peer();
            tracing::warn!(peer, %error, "the kernel will not end this link when it is silent");
        }
    }
}

/// Calls a method of whichever stream there is.
macro_rules! on_wire {
    ($stream:ident . $method:ident ( $($argument:expr),* )) => {
        match &mut $stream.wire {
            Wire::Plain(tcp) => Pin::new(tcp).$method($($argument),*),
            Wire::Tls(tls) => Pin::new(&mut **tls).$method($($argument),*),
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
            Wire::Plain(tcp) => tcp.is_write_vectored(),
            Wire::Tls(tls) => tls.is_write_vectored(),
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
