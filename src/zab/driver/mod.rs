//! Sockets of the quorum port: packets and snapshot streams, no decisions.   (Learner, LearnerHandler)
//!
//! Packets are jute records back to back. Behind a SNAP packet, which only a leader sends, the
//! snapshot follows inline; it is handed over whole.
//!
//! QD-1  one event Connected or DialFailed a dial; one Lost after each Connected and Accepted
//! QD-2  the event after a dialled link's SNAP packet is its Snapshot, or Lost
//! QD-3  one address has so many accepted links at most; who comes with more is turned away unheard
//!
//! Not here: who may send what (cores), what a snapshot holds (storage).

mod scan;

pub use scan::{PacketScanner, SnapshotScanner};

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::mem;
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tracing::{debug, info, warn};

use crate::base::limits::{JUTE_FIELD_BYTES_MAX, SNAPSHOT_PROGRESS_BYTES};
use crate::base::{LinkId, Stamp};
use crate::config::SyncLimits;
use crate::jute::Reader;
use crate::jute::persist::Pieces;
use crate::jute::quorum::{KnownIds, QuorumPacket, kind};
use crate::runtime::accept::Listening;
use crate::runtime::link::{
    DialFailed, FrameRow, Inbound, Link, LinkTable, LinkWriter, Places, Post, Reading, Room,
};
use crate::runtime::{HostPort, Label, Runtime, Stream};

/// A snapshot is taken from its link in pieces of so many bytes, so that its nodes can be let go one
/// piece after another.
const SNAPSHOT_PIECE_BYTES: usize = 1024 * 1024;
/// How long a name rests that did not resolve: that of this machine may appear a little later.
const NAME_REST: Duration = Duration::from_secs(1);

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QuorumEvent {
    /// A learner dialled us; `peer` is `ip:port`.
    Accepted {
        link: LinkId,
        peer: String,
    },
    Connected {
        link: LinkId,
    },
    DialFailed {
        link: LinkId,
        why: String,
    },
    Packet {
        link: LinkId,
        packet: QuorumPacket,
    },
    /// Several that arrived at one moment, in their order.
    Packets {
        link: LinkId,
        packets: Vec<QuorumPacket>,
    },
    /// So much more of a snapshot has arrived (`SyncLimits::progress_bytes`).
    Progress {
        link: LinkId,
    },
    /// The stream behind a SNAP packet: sessions, ACL map, nodes, "/", `BenWasHere`.
    Snapshot {
        link: LinkId,
        body: Pieces,
    },
    Lost {
        link: LinkId,
        why: String,
    },
    /// Everything written to this link is with the kernel: one for all `notify_drained` before it.
    Drained {
        link: LinkId,
    },
    /// `listen` failed; the source number of this event is 0.
    BindFailed {
        why: String,
    },
}

/// The pump's handle on the quorum port.
#[derive(Clone)]
pub struct QuorumDriver<R: Runtime> {
    inner: Rc<Inner<R>>,
}

struct Inner<R> {
    rt: R,
    post: Post<QuorumEvent>,
    links: LinkTable,
    places: Places,
    field_bytes_max: Cell<usize>,
    progress_bytes: Cell<usize>,
    listening: RefCell<Option<Listening>>,
    room: RefCell<Room>,
}

impl<R: Runtime> fmt::Debug for QuorumDriver<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuorumDriver").field("links", &self.inner.links).finish()
    }
}

impl<R: Runtime> QuorumDriver<R> {
    pub fn new(rt: R, post: Post<QuorumEvent>) -> QuorumDriver<R> {
        QuorumDriver {
            inner: Rc::new(Inner {
                rt,
                post,
                links: LinkTable::default(),
                places: Places::default(),
                field_bytes_max: Cell::new(JUTE_FIELD_BYTES_MAX),
                progress_bytes: Cell::new(SNAPSHOT_PROGRESS_BYTES),
                listening: RefCell::new(None),
                room: RefCell::new(Rc::new(|_| true)),
            }),
        }
    }

    /// Links that begin from now on end at a longer string or buffer.
    pub fn set_field_bytes_max(&self, max: usize) {
        self.inner.field_bytes_max.set(max);
    }

    /// Links that begin from now on are read while there is room.
    pub fn set_room(&self, room: Room) {
        self.inner.room.replace(room);
    }

    /// Links that begin from now on have these limits.
    pub fn set_sync_limits(&self, limits: &SyncLimits) {
        self.inner.progress_bytes.set(limits.progress_bytes);
        self.inner.links.set_queued_bytes_max(limits.link_bytes_max);
    }

    /// Accepts learners from now on, instead of where it did before.
    pub fn listen(&self, on: HostPort) {
        let inner = Rc::clone(&self.inner);
        let listening = Listening::default();
        let before = self.inner.listening.replace(Some(listening.clone()));
        self.inner.rt.spawn("quorum listen", async move {
            if let Some(before) = before {
                before.stop();
                before.ended().await; // its socket may hold the same address
            }
            inner.accept(&on, &listening).await;
            listening.end();
        });
    }

    /// Refuses learners from now on. Accepted links stay until they are closed.
    pub fn unlisten(&self) {
        if let Some(listening) = &*self.inner.listening.borrow() {
            listening.stop();
        }
    }

    /// Opens a connection to a leader. `link` is even and new.
    pub fn dial(&self, at: Stamp, link: LinkId, to: HostPort, timeout: Duration) {
        let inner = Rc::clone(&self.inner);
        let writer = inner.links.open_dialled(link);
        self.inner.rt.spawn("quorum dial", async move {
            let dialled = (link, &writer);
            match inner.links.connect(&inner.rt, dialled, at, &to, timeout).await {
                Ok((at, stream)) => {
                    inner.post(at, link, QuorumEvent::Connected { link });
                    inner.serve(at, link, stream, writer, true).await;
                }
                Err(DialFailed { at, why, .. }) => {
                    inner.post(at, link, QuorumEvent::DialFailed { link, why });
                }
            }
        });
    }

    /// Sends bytes as they are: one encoded packet, or a piece of a snapshot stream.
    pub fn write(&self, at: Stamp, link: LinkId, bytes: Bytes, label: Label) {
        self.inner.links.write(at, link.0, label, bytes);
    }

    /// Asks for a `Drained` when everything written is out, be it at once. Nothing comes if the
    /// link has ended.
    pub fn notify_drained(&self, at: Stamp, link: LinkId) {
        if let Some(writer) = self.inner.links.get(link.0) {
            writer.notify_drained(at);
        }
    }

    /// Ends the link after what was written before; its `Lost` (or `DialFailed`) still comes.
    pub fn close(&self, at: Stamp, link: LinkId) {
        self.inner.links.close(at, link.0);
    }
}

impl<R: Runtime> Inner<R> {
    fn post(&self, at: Stamp, link: LinkId, event: QuorumEvent) {
        (self.post)(at, link.0, event);
    }

    async fn accept(self: &Rc<Self>, on: &HostPort, listening: &Listening) {
        loop {
            match listening.unless_stopped(self.rt.listen(on)).await {
                None => return,
                Some(Ok(listener)) => {
                    info!(%on, "quorum port open");
                    let accepted = |at, stream| self.on_accept(at, stream);
                    return listening.accept(&self.rt, listener, accepted).await;
                }
                Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                    warn!(%error, "cannot open the quorum port, trying again");
                    let rested = self.rt.sleep_until(self.rt.stamp() + NAME_REST);
                    if listening.unless_stopped(rested).await.is_none() {
                        return;
                    }
                }
                Some(Err(error)) => {
                    let why = error.to_string();
                    return (self.post)(self.rt.stamp(), 0, QuorumEvent::BindFailed { why });
                }
            }
        }
    }

    fn on_accept(self: &Rc<Self>, at: Stamp, stream: R::Stream) {
        let Some(place) = self.places.take(&stream.peer()) else {
            return debug!(peer = stream.peer(), "too many quorum links of this address");
        };
        let (link, writer) = self.links.open_accepted();
        self.post(at, link, QuorumEvent::Accepted { link, peer: stream.peer() });
        let inner = Rc::clone(self);
        self.rt.spawn("quorum link", async move {
            inner.serve(at, link, stream, writer, false).await;
            drop(place);
        });
    }

    /// Moves packets until the link ends, and tells that.
    async fn serve(
        &self,
        at: Stamp,
        link: LinkId,
        stream: R::Stream,
        writer: LinkWriter,
        dialled: bool,
    ) {
        let field_bytes_max = self.field_bytes_max.get();
        let inbound = QuorumInbound {
            link,
            dialled,
            field_bytes_max,
            packet: PacketScanner::new(field_bytes_max),
            known_ids: KnownIds::default(),
            snapshot: None,
            cut_bytes: 0,
            told_bytes: 0,
            progress_bytes: self.progress_bytes.get(),
            post: Rc::clone(&self.post),
            room: self.room.borrow().clone(),
        };
        stream.end_when_silent();
        let mut moving = Link::new(at, stream, writer, inbound);
        let ended = self.links.serve(&self.rt, link.0, &mut moving).await;
        drop(moving);
        self.post(ended.at, link, QuorumEvent::Lost { link, why: ended.why });
    }
}

struct QuorumInbound {
    link: LinkId,
    /// Then the other side is a leader, and may send a snapshot.
    dialled: bool,
    field_bytes_max: usize,
    packet: PacketScanner,
    known_ids: KnownIds,
    /// Set while a snapshot stream arrives.
    snapshot: Option<(SnapshotScanner, Pieces)>,
    /// So many bytes of it are in pieces.
    cut_bytes: usize,
    /// So many bytes of it were told of.
    told_bytes: usize,
    /// After so many more it is told again.
    progress_bytes: usize,
    post: Post<QuorumEvent>,
    room: Room,
}

impl Inbound for QuorumInbound {
    fn on_bytes(&mut self, at: Stamp, buf: &mut BytesMut) -> Result<Reading, String> {
        loop {
            let goes_on = match self.snapshot.is_some() {
                true => self.take_snapshot(at, buf)?,
                false => self.take_packets(at, buf)?,
            };
            if !goes_on {
                self.tell_progress(at, self.cut_bytes + buf.len());
                return Ok(Reading::On);
            }
        }
    }

    fn on_drained(&mut self, at: Stamp) {
        (self.post)(at, self.link.0, QuorumEvent::Drained { link: self.link });
    }

    fn has_room(&mut self, cx: &mut Context<'_>) -> bool {
        (self.room)(cx)
    }
}

impl QuorumInbound {
    fn tell_progress(&mut self, at: Stamp, arrived: usize) {
        if self.snapshot.is_none() {
            self.told_bytes = 0;
        } else if arrived >= self.told_bytes + self.progress_bytes {
            self.told_bytes = arrived;
            (self.post)(at, self.link.0, QuorumEvent::Progress { link: self.link });
        }
    }

    /// Takes what there is of a snapshot off the front. False: more must come.
    fn take_snapshot(&mut self, at: Stamp, buf: &mut BytesMut) -> Result<bool, String> {
        let Some((scanner, body)) = &mut self.snapshot else { return Ok(true) };
        match scanner.scan(buf)? {
            Some(len) => {
                let mut body = mem::take(body);
                self.snapshot = None;
                body.0.push(buf.split_to(len).freeze());
                // Or frames behind it would keep a part of the snapshot in memory.
                *buf = BytesMut::from(&buf[..]);
                (self.post)(at, self.link.0, QuorumEvent::Snapshot { link: self.link, body });
                Ok(true)
            }
            None => {
                if let Some(len) = scanner.cut(SNAPSHOT_PIECE_BYTES) {
                    body.0.push(Bytes::copy_from_slice(&buf[..len]));
                    buf.advance(len);
                    self.cut_bytes += len;
                }
                Ok(false)
            }
        }
    }

    /// Takes whole packets off the front, up to a SNAP. False: there is none.
    fn take_packets(&mut self, at: Stamp, buf: &mut BytesMut) -> Result<bool, String> {
        let (mut row, mut count, mut wrong) = (FrameRow::default(), 0, None);
        loop {
            let rest = &buf[row.bytes()..];
            match self.packet.scan(rest) {
                Ok(Some(len)) if row.add(len) => count += 1,
                // It is scanned again when it stands alone.
                Ok(Some(_)) => break self.packet = PacketScanner::new(self.field_bytes_max),
                Ok(None) => break,
                Err(why) => break wrong = Some(why),
            }
            self.packet = PacketScanner::new(self.field_bytes_max);
            if self.dialled && rest.starts_with(&kind::SNAP.to_be_bytes()) {
                let scanner = SnapshotScanner::new(self.field_bytes_max);
                self.snapshot = Some((scanner, Pieces::default()));
                self.cut_bytes = 0;
                break;
            }
        }
        let mut from = Reader::new(row.take(buf));
        let mut packets = Vec::with_capacity(count);
        for _ in 0..count {
            match QuorumPacket::decode_next(&mut from, &mut self.known_ids) {
                Ok(packet) => packets.push(packet),
                Err(error) => {
                    wrong = Some(format!("quorum packet: {error}"));
                    break;
                }
            }
        }
        self.post_packets(at, packets);
        wrong.map_or(Ok(count > 0), Err)
    }

    fn post_packets(&self, at: Stamp, mut packets: Vec<QuorumPacket>) {
        let link = self.link;
        let event = match packets.len() {
            0 => return,
            1 => QuorumEvent::Packet { link, packet: packets.remove(0) },
            _ => QuorumEvent::Packets { link, packets },
        };
        (self.post)(at, link.0, event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_that_arrives_is_told_of_a_mib_at_a_time() {
        let told = Rc::new(Cell::new(0));
        let counts = told.clone();
        let post: Post<QuorumEvent> = Rc::new(move |_, _, event| {
            counts.set(counts.get() + u32::from(matches!(event, QuorumEvent::Progress { .. })));
        });
        let field_bytes_max = 8 * SNAPSHOT_PROGRESS_BYTES;
        let mut inbound = QuorumInbound {
            link: LinkId(2),
            dialled: true,
            field_bytes_max,
            packet: PacketScanner::new(field_bytes_max),
            known_ids: KnownIds::default(),
            snapshot: Some((SnapshotScanner::new(field_bytes_max), Pieces::default())),
            cut_bytes: 0,
            told_bytes: 0,
            progress_bytes: SNAPSHOT_PROGRESS_BYTES,
            post,
            room: Rc::new(|_| true),
        };
        // No session, no list; the root, with more data than is there.
        let mut buf = BytesMut::new();
        buf.extend_from_slice(&[0; 8]);
        buf.extend_from_slice(&0_i32.to_be_bytes());
        buf.extend_from_slice(&(field_bytes_max as i32).to_be_bytes());
        for _ in 0..7 {
            buf.extend_from_slice(&vec![0; SNAPSHOT_PROGRESS_BYTES / 2]);
            inbound.on_bytes(Stamp(0), &mut buf).expect("it goes on");
        }
        assert_eq!(told.get(), 3);
    }
}
