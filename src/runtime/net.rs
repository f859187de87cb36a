//! Streams: bytes in order, with a label on what is written and a stamp on what is read.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::base::{Stamp, Zxid};

/// How the sockets of clients are set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ClientSockets {
    /// `clientTcpKeepAlive`: the kernel asks now and then whether a silent client is still there.
    pub keep_alive: bool,
    /// `clientPortListenBacklog`: connections the kernel holds before they are accepted.
    pub backlog: Option<u32>,
}

/// A host, by name or number, and a port. Resolved when it is used, never before.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

impl HostPort {
    pub fn new(host: impl Into<String>, port: u16) -> HostPort {
        HostPort { host: host.into(), port }
    }

    /// Whether it stands for all addresses of a machine, as Java takes them: `0.0.0.0` is no less
    /// than `::` where there is IPv6.
    pub fn is_any(&self) -> bool {
        matches!(self.host.as_str(), "" | "0.0.0.0" | "::")
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What the bytes that follow are: scenario files hold, delay and trigger on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum LabelKind {
    /// Election port: the first message of a connection.
    Handshake,
    Notification,
    Request,
    Proposal,
    Ack,
    Commit,
    Ping,
    Revalidate,
    Sync,
    Inform,
    NewLeader,
    FollowerInfo,
    UpToDate,
    Diff,
    Trunc,
    Snap,
    /// The inline snapshot behind a SNAP packet.
    SnapshotStream,
    ObserverInfo,
    LeaderInfo,
    AckEpoch,
    /// Client port, either direction.
    Client,
}

/// Kind and zxid of a frame. The machine drops it; SimNet uses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label {
    pub kind: LabelKind,
    pub zxid: Option<Zxid>,
}

impl Label {
    pub const CLIENT: Label = Label { kind: LabelKind::Client, zxid: None };
}

/// One end of a connection, plain or TLS.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + 'static {
    /// The bytes written from now on were caused by an event of this stamp and mean this.
    fn begin_write(&mut self, at: Stamp, label: Label);
    /// Whether `begin_write` must announce each frame by itself. If not, many frames share one
    /// write and `begin_write` is not called.
    fn wants_labels(&self) -> bool {
        true
    }
    /// When the bytes of the last successful read (or the end of the stream, or the error it
    /// returned) arrived.
    fn read_at(&self) -> Stamp;
    /// Whether everything written has left. `awaited`: ready once it has, as `poll_flush`. Otherwise
    /// a stream whose bytes leave by themselves may say at once that they have not.
    fn poll_left(&mut self, cx: &mut Context<'_>, _awaited: bool) -> Poll<io::Result<bool>> {
        Pin::new(self).poll_flush(cx).map_ok(|()| true)
    }
    /// The other end, as text for logs (`ip:port`).
    fn peer(&self) -> String;
    /// The distinguished name (RFC 2253) of the certificate that the other end has proven, with TLS.
    fn subject(&self) -> Option<String> {
        None
    }
    /// A link between servers, that ends when the other machine has not been heard of for half a
    /// minute: the kernel goes on for a quarter of an hour, at growing intervals, so that a link
    /// would still be dumb long after a cut has healed. Clients have their sessions for that.
    fn end_when_silent(&self) {}
}

pub trait Listener: 'static {
    type Stream: Stream;
    /// The next connection and when it was accepted.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Stamp, Self::Stream)>>;
}

/// The address in [`Stream::peer`]: `10.0.0.1` of `10.0.0.1:2181`, `::1` of `[::1]:2181`.
pub fn ip_of(peer: &str) -> &str {
    let host = peer.rsplit_once(':').map_or(peer, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}
