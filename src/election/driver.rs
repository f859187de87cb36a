//! Sockets of the election port: bytes and frames, no decisions.      (QuorumCnxManager)
//!
//! A connection begins with one handshake by its initiator; the acceptor never answers it. Then
//! frames go both ways:
//!
//! ```text
//! handshake  version long (-65536 | -65535) | sid long | length int | address text
//! legacy     sid long (>= 0)
//! frame      length int | body
//! ```
//!
//! ED-1  one event Connected or DialFailed a dial; one Lost after each Connected and Accepted
//! ED-2  nothing of a connection is told before its handshake is whole
//! ED-3  an accepted connection without a handshake ends in time, and so does one of a server that the
//!   configuration lacks: anybody may shake hands
//! ED-4  one address has so many of them at most; who comes with more is turned away unheard
//!
//! Not here: which connection of a pair stays, what is sent again, the body of a frame (core).

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tracing::{debug, info, warn};

use crate::base::limits::{ELECTION_ADDRESS_BYTES_MAX, ELECTION_FRAME_BYTES_MAX};
use crate::base::{LinkId, ServerId, Stamp};
use crate::runtime::accept::Listening;
use crate::runtime::link::{
    self, DialFailed, Inbound, Link, LinkTable, LinkWriter, Places, Post, Reading,
};
use crate::runtime::{Halt, HostPort, Label, LabelKind, Runtime, Stream};

/// Between two tries to open the port.
const BIND_REST: Duration = Duration::from_secs(1);
/// ExitCode.UNABLE_TO_BIND_QUORUM_PORT.
const EXIT_UNABLE_TO_BIND: i32 = 14;

/// First long of a handshake: one address, or several joined by '|'.
const PROTOCOL_VERSION_V1: i64 = -65536;
const PROTOCOL_VERSION_V2: i64 = -65535;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ElectionEvent {
    /// Somebody dialled us and said who it is. `address` is its election address (empty in the
    /// legacy form, several joined by '|' in V2).
    Accepted {
        link: LinkId,
        sid: i64,
        address: String,
    },
    /// Our dial succeeded; the handshake goes out first.
    Connected {
        link: LinkId,
    },
    DialFailed {
        link: LinkId,
        why: String,
        /// The machine answered that nobody listens there.
        refused: bool,
    },
    /// 1 to 524288 bytes.
    Frame {
        link: LinkId,
        body: Bytes,
    },
    Lost {
        link: LinkId,
        why: String,
    },
}

/// Who may stay on the election port, and for how long.
#[derive(Clone, Debug)]
pub struct ElectionLimits {
    /// An accepted connection may stay silent so long (Apache: syncLimit ticks).
    pub handshake_timeout: Duration,
    /// One of a server outside the configuration stays so much longer.
    pub stranger_timeout: Duration,
    /// The servers of the configuration.
    pub members: BTreeSet<ServerId>,
    /// How often opening the port is tried (`electionPortBindRetry`); `None`: until it is open.
    pub bind_tries: Option<u32>,
}

/// The pump's handle on the election port.
#[derive(Clone)]
pub struct ElectionDriver<R: Runtime> {
    inner: Rc<Inner<R>>,
}

struct Inner<R> {
    rt: R,
    post: Post<ElectionEvent>,
    links: LinkTable,
    places: Places,
    limits: ElectionLimits,
}

impl<R: Runtime> fmt::Debug for ElectionDriver<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElectionDriver").field("links", &self.inner.links).finish()
    }
}

impl<R: Runtime> ElectionDriver<R> {
    pub fn new(rt: R, limits: ElectionLimits, post: Post<ElectionEvent>) -> ElectionDriver<R> {
        let (links, places) = (LinkTable::default(), Places::default());
        let inner = Inner { rt, post, links, places, limits };
        ElectionDriver { inner: Rc::new(inner) }
    }

    /// Listens for ever. Halts the process (exit code 14) if the address cannot be bound in
    /// three tries.
    pub fn listen(&self, on: HostPort) {
        let inner = Rc::clone(&self.inner);
        let listening = Listening::default();
        let rt = self.inner.rt.clone();
        rt.spawn("election listen", async move {
            if let Some(listener) = inner.bind(&on).await {
                let rt = inner.rt.clone();
                listening.accept(&rt, listener, |at, stream| inner.on_accept(at, stream)).await;
            }
        });
    }

    /// Opens a connection and sends the handshake. `link` is even and new.
    pub fn dial(&self, at: Stamp, link: LinkId, to: HostPort, handshake: Bytes, timeout: Duration) {
        let inner = Rc::clone(&self.inner);
        let writer = inner.links.open_dialled(link);
        writer.enqueue(at, Label { kind: LabelKind::Handshake, zxid: None }, handshake);
        self.inner.rt.spawn("election dial", async move {
            let dialled = (link, &writer);
            match inner.links.connect(&inner.rt, dialled, at, &to, timeout).await {
                Ok((at, stream)) => {
                    inner.post(at, link, ElectionEvent::Connected { link });
                    inner.serve(at, link, stream, writer, Phase::Frames).await;
                }
                Err(DialFailed { at, why, refused }) => {
                    inner.post(at, link, ElectionEvent::DialFailed { link, why, refused });
                }
            }
        });
    }

    /// Sends one frame; the length is put before it here.
    pub fn write(&self, at: Stamp, link: LinkId, body: Bytes, label: Label) {
        assert!(
            (1..=ELECTION_FRAME_BYTES_MAX).contains(&body.len()),
            "an election message has 1 to {ELECTION_FRAME_BYTES_MAX} bytes, this one {}",
            body.len()
        );
        let mut frame = BytesMut::with_capacity(4 + body.len());
        frame.put_u32(body.len() as u32);
        frame.put(body);
        self.inner.links.write(at, link.0, label, frame.freeze());
    }

    /// Ends the link after what was written before; its `Lost` (or `DialFailed`) still comes.
    pub fn close(&self, at: Stamp, link: LinkId) {
        self.inner.links.close(at, link.0);
    }
}

impl<R: Runtime> Inner<R> {
    fn post(&self, at: Stamp, link: LinkId, event: ElectionEvent) {
        (self.post)(at, link.0, event);
    }

    async fn bind(&self, on: &HostPort) -> Option<R::Listener> {
        for tried in 1.. {
            match self.rt.listen(on).await {
                Ok(listener) => {
                    info!(%on, "election port open");
                    return Some(listener);
                }
                Err(error) if self.limits.bind_tries.is_none_or(|tries| tried < tries) => {
                    warn!(%error, tried, "cannot open the election port, trying again");
                    self.rt.sleep_until(self.rt.stamp() + BIND_REST).await;
                }
                Err(error) => {
                    let why = format!("cannot open the election port: {error}");
                    self.rt.halt(Halt::new(EXIT_UNABLE_TO_BIND, why));
                    return None;
                }
            }
        }
        None
    }

    fn on_accept(self: &Rc<Self>, at: Stamp, stream: R::Stream) {
        let Some(place) = self.places.take(&stream.peer()) else {
            return debug!(peer = stream.peer(), "too many election links of this address");
        };
        let (link, writer) = self.links.open_accepted();
        let known = Rc::new(Cell::new(None));

        let (inner, serving) = (Rc::clone(self), writer.clone());
        let phase = Phase::Handshake(Rc::clone(&known));
        self.rt.spawn("election link", async move {
            inner.serve(at, link, stream, serving, phase).await;
            drop(place);
        });

        let rt = self.rt.clone();
        let deadline = at + self.limits.handshake_timeout;
        let inner = Rc::clone(self);
        self.rt.spawn("election handshake", async move {
            rt.sleep_until(deadline).await;
            let Some(sid) = known.get() else {
                return writer.abort(deadline, "no handshake in time");
            };
            if !inner.limits.members.contains(&sid) {
                let deadline = deadline + inner.limits.stranger_timeout;
                rt.sleep_until(deadline).await;
                writer.abort(deadline, "a server outside the configuration stays too long");
            }
        });
    }

    /// Moves frames until the link ends, and tells that if anyone knows of the link.
    async fn serve(
        &self,
        at: Stamp,
        link: LinkId,
        stream: R::Stream,
        writer: LinkWriter,
        phase: Phase,
    ) {
        let peer = stream.peer();
        let known = match &phase {
            Phase::Handshake(known) => Rc::clone(known),
            Phase::Frames => Rc::new(Cell::new(Some(ServerId::NOBODY))),
        };
        let inbound = ElectionInbound { link, peer: peer.clone(), phase, post: self.post.clone() };
        stream.end_when_silent();
        let mut moving = Link::new(at, stream, writer, inbound);
        let ended = self.links.serve(&self.rt, link.0, &mut moving).await;
        drop(moving);
        if known.replace(Some(ServerId::NOBODY)).is_some() {
            self.post(ended.at, link, ElectionEvent::Lost { link, why: ended.why });
        } else {
            debug!(%peer, why = ended.why, "election connection without a handshake");
        }
    }
}

enum Phase {
    /// The cell is set when the handshake is whole: to who it is, by its own account.
    Handshake(Rc<Cell<Option<ServerId>>>),
    Frames,
}

struct ElectionInbound {
    link: LinkId,
    peer: String,
    phase: Phase,
    post: Post<ElectionEvent>,
}

impl Inbound for ElectionInbound {
    fn on_bytes(&mut self, at: Stamp, buf: &mut BytesMut) -> Result<Reading, String> {
        let link = self.link;
        if let Phase::Handshake(known) = &self.phase {
            let Some((sid, address)) = take_handshake(buf)? else { return Ok(Reading::On) };
            known.set(Some(ServerId(sid)));
            self.phase = Phase::Frames;
            (self.post)(at, link.0, ElectionEvent::Accepted { link, sid, address });
        }
        while let Some(prefix) = buf.first_chunk::<4>() {
            let length = i32::from_be_bytes(*prefix);
            let body = match usize::try_from(length) {
                Ok(body) if (1..=ELECTION_FRAME_BYTES_MAX).contains(&body) => body,
                _ => {
                    debug!(peer = self.peer, length, "election message of an absurd length");
                    return Err(format!("message length {length}"));
                }
            };
            if buf.len() < 4 + body {
                break;
            }
            buf.advance(4);
            let body = link::take_frame(buf, body);
            (self.post)(at, link.0, ElectionEvent::Frame { link, body });
        }
        Ok(Reading::On)
    }
}

/// The sid and address of a handshake, taken off `buf` once it is whole.
fn take_handshake(buf: &mut BytesMut) -> Result<Option<(i64, String)>, String> {
    let Some(first) = buf.first_chunk::<8>() else { return Ok(None) };
    let first = i64::from_be_bytes(*first);
    if first >= 0 {
        buf.advance(8);
        return Ok(Some((first, String::new())));
    }
    if first != PROTOCOL_VERSION_V1 && first != PROTOCOL_VERSION_V2 {
        return Err(format!("election protocol version {first}"));
    }
    if buf.len() < 20 {
        return Ok(None);
    }
    let mut head = &buf[8..20];
    let (sid, length) = (head.get_i64(), head.get_i32());
    let length = match usize::try_from(length) {
        Ok(length) if (1..=ELECTION_ADDRESS_BYTES_MAX).contains(&length) => length,
        _ => return Err(format!("election address of {length} bytes")),
    };
    if buf.len() < 20 + length {
        return Ok(None);
    }
    buf.advance(20);
    let address = String::from_utf8_lossy(&buf.split_to(length)).into_owned();
    Ok(Some((sid, address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(version: i64, sid: i64, length: i32, address: &str) -> BytesMut {
        let mut bytes = BytesMut::new();
        bytes.put_i64(version);
        bytes.put_i64(sid);
        bytes.put_i32(length);
        bytes.put(address.as_bytes());
        bytes
    }

    #[test]
    fn a_handshake_is_taken_only_when_it_is_whole() {
        let whole = handshake(PROTOCOL_VERSION_V1, 3, 6, "host:1");
        for cut in 0..whole.len() {
            let mut part = BytesMut::from(&whole[..cut]);
            assert_eq!(take_handshake(&mut part), Ok(None), "cut at {cut}");
            assert_eq!(part.len(), cut);
        }
        let mut more = whole;
        more.put_u32(7);
        assert_eq!(take_handshake(&mut more), Ok(Some((3, "host:1".into()))));
        assert_eq!(&more[..], [0, 0, 0, 7]);
    }

    #[test]
    fn a_legacy_handshake_is_the_sid_alone() {
        let mut bytes = BytesMut::from(&9i64.to_be_bytes()[..]);
        assert_eq!(take_handshake(&mut bytes), Ok(Some((9, String::new()))));
    }

    #[test]
    fn versions_and_lengths_out_of_range_are_refused() {
        assert!(take_handshake(&mut handshake(-1, 3, 6, "host:1")).is_err());
        assert!(take_handshake(&mut handshake(PROTOCOL_VERSION_V2, 3, 0, "")).is_err());
        assert!(take_handshake(&mut handshake(PROTOCOL_VERSION_V1, 3, 2049, "")).is_err());
        assert!(take_handshake(&mut handshake(PROTOCOL_VERSION_V1, 3, -1, "")).is_err());
        let longest = "a".repeat(2048);
        let mut bytes = handshake(PROTOCOL_VERSION_V2, -4, 2048, &longest);
        assert_eq!(take_handshake(&mut bytes), Ok(Some((-4, longest))));
    }
}
