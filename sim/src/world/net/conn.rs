//! One connection: two ends, two directions.
//!
//! A direction is a queue of segments in flight, in order, each with its departure and its
//! arrival. It stalls at a segment that a cut swallowed (until a retransmission gets through) or
//! that a hold stops (until the release); what is behind waits with it. An end is a receive
//! queue. `closed`: no process reads it any more, the kernel still knows it. `gone`: the kernel
//! does not know it; whatever arrives there is answered with RST.
//!
//!       write --> flight [segment, segment, ...] --> take_arrived --> chunks --> read
//!         ^                                                                       |
//!         `------------------------- on_window <----------------------------------'
//!
//! Not here: cuts, holds and retransmission (`faults`), the handshake (`connect`).

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use quorate::base::Stamp;
use quorate::runtime::Label;
use tokio::io::ReadBuf;

use super::{Net, NetEvent, Plane};
use crate::world::hub::Event;
use crate::world::process::Process;
use crate::world::{Key, World};

/// How much may be under way and unread in one direction before writes wait.
pub(super) const WINDOW: usize = 256 * 1024;
/// How far apart the pieces of one frame may arrive.
const PIECES_APART: Duration = Duration::from_micros(200);
/// A reader that takes bytes later than they came took them at a multiple of this: executor
/// time is no event time, and rounding hides its jitter.
const READ_LATE_GRID: u64 = 1_000_000;

const DRAW_SPLIT: u64 = 1;
const DRAW_PIECE: u64 = 2;
const DRAW_WINDOW: u64 = u64::MAX - 1;
const DRAW_RST: u64 = u64::MAX - 2;

pub(super) struct Conn {
    pub(super) plane: Plane,
    pub(super) ports: [u16; 2],
    /// The end that connected, the end that accepted.
    pub(super) ends: [End; 2],
    /// From the first end to the second, and back.
    pub(super) dirs: [Dir; 2],
}

pub(super) struct End {
    pub(super) host: usize,
    pub(super) process: Option<Rc<Process>>,
    chunks: VecDeque<Chunk>,
    fin: Option<Stamp>,
    error: Option<(Stamp, io::ErrorKind)>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    pub(super) closed: bool,
    pub(super) gone: bool,
}

struct Chunk {
    at: Stamp,
    bytes: Bytes,
    awaited: bool,
}

pub(super) struct Dir {
    pub(super) link: usize,
    pub(super) key: Key,
    frames: u64,
    /// No frame leaves before this.
    left: Stamp,
    pub(super) last_arrival: Stamp,
    pub(super) flight: VecDeque<Segment>,
    pub(super) stall: Stall,
    /// Since when the acknowledgement of something that arrived is missing.
    pub(super) unacked: Option<Stamp>,
    /// Bytes under way or unread, as the sender knows it.
    outstanding: usize,
    /// Bytes read that the sender was not told of.
    consumed: usize,
    window_updates: u64,
    resets: u64,
    fin_queued: bool,
    /// The sender is no more: nothing is retransmitted.
    pub(super) mute: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stall {
    Flowing,
    Lost { since: Stamp },
    Held { hold: u64 },
}

pub(super) struct Segment {
    payload: Payload,
    pub(super) sent: Stamp,
    /// When it left last: first sent, retransmitted, or released.
    pub(super) left: Stamp,
    pub(super) arrives: Stamp,
    /// Set on the last segment of a frame.
    label: Option<Label>,
    pub(super) held_as: Option<Label>,
}

enum Payload {
    Open,
    Data(Bytes),
    Fin,
}

/// A frame that arrived, for the observer.
pub(super) type Arrived = Option<Frame>;

pub(crate) struct Frame {
    pub(crate) left: Stamp,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) label: Label,
}

/// What a write call did.
pub(super) struct Written {
    pub(super) len: usize,
    pub(super) frame: Frame,
}

impl Conn {
    pub(super) fn new(
        plane: Plane,
        hosts: [usize; 2],
        ports: [u16; 2],
        links: [usize; 2],
        key: Key,
        at: Stamp,
        process: Rc<Process>,
    ) -> Conn {
        let dir = |n: usize| Dir::new(links[n], key.with(n as u64), at);
        let ends = [End::new(hosts[0], Some(process)), End::new(hosts[1], None)];
        Conn { plane, ports, ends, dirs: [dir(0), dir(1)] }
    }

    fn is_over(&self) -> bool {
        self.ends.iter().all(|end| end.closed) && self.dirs.iter().all(|dir| dir.flight.is_empty())
    }
}

impl End {
    fn new(host: usize, process: Option<Rc<Process>>) -> End {
        End {
            host,
            process,
            chunks: VecDeque::new(),
            fin: None,
            error: None,
            reader: None,
            writer: None,
            closed: false,
            gone: false,
        }
    }

    fn wake_reader(&mut self, at: Stamp) -> bool {
        match (self.reader.take(), &self.process) {
            (Some(waker), Some(process)) => {
                process.wake(at, waker);
                true
            }
            _ => false,
        }
    }

    fn wake_writer(&mut self, at: Stamp) {
        if let (Some(waker), Some(process)) = (self.writer.take(), &self.process) {
            process.wake(at, waker);
        }
    }

    fn has_unread(&self) -> bool {
        !self.chunks.is_empty()
    }
}

impl Dir {
    fn new(link: usize, key: Key, opened: Stamp) -> Dir {
        Dir {
            link,
            key,
            frames: 0,
            left: opened,
            last_arrival: opened,
            flight: VecDeque::new(),
            stall: Stall::Flowing,
            unacked: None,
            outstanding: 0,
            consumed: 0,
            window_updates: 0,
            resets: 0,
            fin_queued: false,
            mute: false,
        }
    }
}

impl Net {
    pub(super) fn poll_write(
        &mut self,
        world: &World,
        (id, end): (usize, usize),
        (at, label): (Stamp, Label),
        bufs: &[io::IoSlice<'_>],
        cx: &Context<'_>,
    ) -> Poll<io::Result<Written>> {
        let Some(Some(conn)) = self.conns.get_mut(id) else { return broken_pipe() };
        let (from, to) = (conn.ends[end].host, conn.ends[1 - end].host);
        let (this, dir) = (&mut conn.ends[end], &mut conn.dirs[end]);
        if let Some((_, kind)) = this.error {
            return Poll::Ready(Err(kind.into()));
        }
        if this.gone || this.closed || dir.fin_queued {
            return broken_pipe();
        }
        let room = WINDOW - dir.outstanding;
        let bytes = gather(bufs, room);
        let len = bytes.len();
        if len == 0 && bufs.iter().any(|buf| !buf.is_empty()) {
            this.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        dir.left = dir.left.max(at);
        let left = dir.left;
        if len > 0 {
            dir.outstanding += len;
            self.launch(world, (id, end), Payload::Data(bytes), Some(label));
        }
        Poll::Ready(Ok(Written { len, frame: Frame { left, from, to, label } }))
    }

    /// The last step of the handshake, in front of all data.
    pub(super) fn send_open(&mut self, world: &World, id: usize, at: Stamp) {
        if let Some(Some(conn)) = self.conns.get_mut(id) {
            conn.dirs[0].left = conn.dirs[0].left.max(at);
            self.launch(world, (id, 0), Payload::Open, None);
        }
    }

    /// Half-closes: what was written still arrives, then the end of the stream.
    pub(super) fn send_fin(&mut self, world: &World, id: usize, end: usize, at: Stamp) {
        let Some(Some(conn)) = self.conns.get_mut(id) else { return };
        if conn.ends[end].gone || conn.dirs[end].fin_queued {
            return;
        }
        conn.dirs[end].fin_queued = true;
        conn.dirs[end].left = conn.dirs[end].left.max(at);
        self.launch(world, (id, end), Payload::Fin, None);
    }

    /// Puts a frame into flight, whole or in pieces, behind what flies already.
    fn launch(
        &mut self,
        world: &World,
        (id, d): (usize, usize),
        payload: Payload,
        label: Option<Label>,
    ) {
        let Some(Some(conn)) = self.conns.get(id) else { return };
        let (plane, dir) = (conn.plane, &conn.dirs[d]);
        let left = dir.left;
        let key = dir.key.with(dir.frames);
        let latency = self.latency(dir.link, plane, left, key);
        let first = world.not_before_now((left + latency).max(dir.last_arrival));
        let Some(Some(conn)) = self.conns.get_mut(id) else { return };
        let dir = &mut conn.dirs[d];
        dir.frames += 1;
        let mut fly = |payload, arrives, label| {
            // An arrival at the same stamp joins the one before it.
            if dir.flight.is_empty() || arrives > dir.last_arrival {
                world.push(arrives, Event::Segment { conn: id, dir: d });
            }
            dir.last_arrival = arrives;
            let (sent, held_as) = (left, label);
            dir.flight.push_back(Segment { payload, sent, left, arrives, label, held_as });
        };
        match payload {
            Payload::Data(mut bytes)
                if bytes.len() > 1 && key.with(DRAW_SPLIT).chance(world.options().split_ppm) =>
            {
                let pieces = key.with(DRAW_PIECE).range(2, 3).min(bytes.len() as u64);
                let mut arrives = first;
                for n in 1..pieces {
                    let most = bytes.len() as u64 - (pieces - n);
                    let piece =
                        bytes.split_to(key.with(DRAW_PIECE).with(n).range(1, most) as usize);
                    fly(Payload::Data(piece), arrives, None);
                    let apart = key.with(DRAW_PIECE).with(n + 10);
                    arrives = arrives + apart.duration(Duration::from_micros(1), PIECES_APART);
                }
                fly(Payload::Data(bytes), arrives, label);
                // A hold stops a frame at its first piece.
                let count = dir.flight.len();
                for segment in dir.flight.iter_mut().skip(count - pieces as usize) {
                    segment.held_as = label;
                }
            }
            payload => fly(payload, first, label),
        }
    }

    /// Takes one arrived segment in. None when there is no more; a frame when it is complete.
    pub(super) fn take_arrived(
        &mut self,
        world: &World,
        at: Stamp,
        id: usize,
        d: usize,
    ) -> Option<Arrived> {
        let conn = self.conns.get_mut(id)?.as_mut()?;
        let dir = &mut conn.dirs[d];
        let front = dir.flight.front()?;
        if dir.stall != Stall::Flowing || front.arrives > at {
            return None;
        }
        let (from, to) = (conn.ends[d].host, conn.ends[1 - d].host);
        let cut = self.links[dir.link].cut_between(conn.plane, front.left, front.arrives);
        if cut || !world.host(to).up.get() {
            self.lose(world, at, id, d);
            return None;
        }
        if let Some(hold) = self.holds.iter().find(|hold| hold.stops(from, to, conn.plane, front)) {
            dir.stall = Stall::Held { hold: hold.id };
            return None;
        }
        let segment = dir.flight.pop_front()?;
        let frame = segment.label.map(|label| Frame { left: segment.sent, from, to, label });
        self.deliver(world, at, (id, d), segment.payload);
        self.expect_ack(world, at, id, d, segment.left);
        self.free_if_over(id);
        Some(frame)
    }

    fn deliver(&mut self, world: &World, at: Stamp, (id, d): (usize, usize), payload: Payload) {
        if matches!(payload, Payload::Open) {
            let listener = self.offer(at, id);
            let Some(Some(conn)) = self.conns.get_mut(id) else { return };
            let end = &mut conn.ends[1];
            match listener {
                Some(process) => end.process = Some(process),
                None => {
                    (end.closed, end.gone) = (true, true);
                    self.send_rst(world, id, 0, at);
                }
            }
            return;
        }
        let Some(Some(conn)) = self.conns.get_mut(id) else { return };
        let end = &mut conn.ends[1 - d];
        match payload {
            Payload::Data(_) if end.gone || end.closed => {
                end.gone = true;
                conn.dirs[1 - d].mute = true;
                self.send_rst(world, id, d, at);
            }
            Payload::Data(bytes) => {
                let awaited = end.wake_reader(at);
                end.chunks.push_back(Chunk { at, bytes, awaited });
            }
            Payload::Fin if end.gone => self.send_rst(world, id, d, at),
            Payload::Fin | Payload::Open => {
                end.fin = Some(at);
                end.wake_reader(at);
            }
        }
    }

    pub(super) fn poll_read(
        &mut self,
        world: &World,
        process: &Process,
        (id, end): (usize, usize),
        buf: &mut ReadBuf<'_>,
        cx: &Context<'_>,
    ) -> Poll<(Stamp, io::Result<()>)> {
        let Some(Some(conn)) = self.conns.get_mut(id) else {
            return Poll::Ready((process.seen(), Err(io::ErrorKind::NotConnected.into())));
        };
        let this = &mut conn.ends[end];
        let Some(chunk) = this.chunks.front() else {
            let (at, result) = match (this.fin, this.error) {
                (Some(at), _) => (at, Ok(())),
                (None, Some((at, kind))) => (at, Err(kind.into())),
                (None, None) => {
                    match &mut this.reader {
                        Some(waker) => waker.clone_from(cx.waker()),
                        none => *none = Some(cx.waker().clone()),
                    }
                    return Poll::Pending;
                }
            };
            return process.poll_input(at, false, cx).map(|at| (at, result));
        };
        let arrived = chunk.at;
        let Poll::Ready(at) = process.poll_input(arrived, chunk.awaited, cx) else {
            return Poll::Pending;
        };
        let mut taken = 0;
        // What arrived at one stamp is joined; what arrived later is another read.
        while let Some(chunk) = this.chunks.front_mut()
            && chunk.at == arrived
            && buf.remaining() > 0
        {
            let n = chunk.bytes.len().min(buf.remaining());
            buf.put_slice(&chunk.bytes.split_to(n));
            chunk.awaited = false;
            taken += n;
            if chunk.bytes.is_empty() {
                this.chunks.pop_front();
            }
        }
        self.consume(world, (id, end), taken, at);
        Poll::Ready((at, Ok(())))
    }

    /// Tells the sender of room, when half the window was read.
    fn consume(&mut self, world: &World, (id, end): (usize, usize), taken: usize, at: Stamp) {
        let Some(Some(conn)) = self.conns.get_mut(id) else { return };
        let dir = &mut conn.dirs[1 - end];
        dir.consumed += taken;
        if dir.consumed < WINDOW / 2 {
            return;
        }
        let bytes = std::mem::take(&mut dir.consumed);
        let key = dir.key.with(DRAW_WINDOW).with(dir.window_updates);
        dir.window_updates += 1;
        let left = match world.is_fresh(at) {
            true => at,
            false => Stamp(world.physical_now().0.next_multiple_of(READ_LATE_GRID)),
        };
        let (plane, link) = (conn.plane, conn.dirs[end].link);
        let arrives = world.not_before_now(left + self.latency(link, plane, left, key));
        world.push_net(arrives, NetEvent::WindowOpens { conn: id, dir: 1 - end, left, bytes });
    }

    pub(super) fn on_window(
        &mut self,
        world: &World,
        at: Stamp,
        id: usize,
        d: usize,
        left: Stamp,
        bytes: usize,
    ) {
        let Some(Some(conn)) = self.conns.get_mut(id) else { return };
        if self.links[conn.dirs[1 - d].link].cut_between(conn.plane, left, at) {
            // The sender's window probe finds out, once it gets through.
            let again = at + super::faults::RETRANSMIT_FIRST;
            return world
                .push_net(again, NetEvent::WindowOpens { conn: id, dir: d, left: at, bytes });
        }
        let dir = &mut conn.dirs[d];
        dir.outstanding = dir.outstanding.saturating_sub(bytes);
        if conn.ends[d].writer.is_some() {
            dir.left = dir.left.max(at);
            conn.ends[d].wake_writer(at);
        }
    }

    /// The process lets go of its end: FIN, or RST where bytes were unread.
    pub(super) fn close(&mut self, world: &World, id: usize, end: usize, at: Stamp) {
        let Some(Some(conn)) = self.conns.get_mut(id) else { return };
        let this = &mut conn.ends[end];
        if this.closed {
            return;
        }
        this.closed = true;
        this.process = None;
        (this.reader, this.writer) = (None, None);
        match this.has_unread() {
            true => self.abort(world, id, end, at),
            false => self.send_fin(world, id, end, at),
        }
        self.free_if_over(id);
    }

    /// The kernel forgets this end and says so.
    pub(super) fn abort(&mut self, world: &World, id: usize, end: usize, at: Stamp) {
        let Some(Some(conn)) = self.conns.get_mut(id) else { return };
        let this = &mut conn.ends[end];
        let was_gone = std::mem::replace(&mut this.gone, true);
        this.closed = true;
        this.chunks.clear();
        conn.dirs[end].mute = true;
        if !was_gone {
            let at = conn.dirs[end].left.max(at);
            self.send_rst(world, id, 1 - end, at);
        }
    }

    /// RST to this end. If it meets a cut, nobody learns of it.
    fn send_rst(&mut self, world: &World, id: usize, end: usize, left: Stamp) {
        let Some(Some(conn)) = self.conns.get_mut(id) else { return };
        let (plane, dir) = (conn.plane, &mut conn.dirs[1 - end]);
        let key = dir.key.with(DRAW_RST).with(dir.resets);
        dir.resets += 1;
        let (link, behind) = (dir.link, dir.last_arrival);
        let arrives = (left + self.latency(link, plane, left, key)).max(behind);
        let arrives = world.not_before_now(arrives);
        world.push_net(arrives, NetEvent::RstArrives { conn: id, end, left });
    }

    pub(super) fn on_rst(&mut self, at: Stamp, id: usize, end: usize, left: Stamp) {
        let Some(Some(conn)) = self.conns.get(id) else { return };
        if !self.links[conn.dirs[1 - end].link].cut_between(conn.plane, left, at) {
            self.fail_end(id, end, at, io::ErrorKind::ConnectionReset);
        }
    }

    /// The kernel gives this end up: reads and writes fail, nothing is retransmitted.
    pub(super) fn fail_end(&mut self, id: usize, end: usize, at: Stamp, kind: io::ErrorKind) {
        let Some(Some(conn)) = self.conns.get_mut(id) else { return };
        conn.silence(end);
        let this = &mut conn.ends[end];
        this.error.get_or_insert((at, kind));
        this.wake_reader(at);
        this.wake_writer(at);
        self.free_if_over(id);
    }

    pub(super) fn free_if_over(&mut self, id: usize) {
        if self.conns[id].as_ref().is_some_and(|conn| conn.is_over()) {
            self.conns[id] = None;
        }
    }

    pub(super) fn peer_text(&self, world: &World, id: usize, end: usize) -> String {
        match &self.conns[id] {
            Some(conn) => {
                format!("{}:{}", world.host(conn.ends[1 - end].host).ip, conn.ports[1 - end])
            }
            None => String::from("closed"),
        }
    }
}

impl Conn {
    /// This end retransmits nothing any more, and what is lost stays lost.
    pub(super) fn silence(&mut self, end: usize) {
        self.ends[end].gone = true;
        let dir = &mut self.dirs[end];
        dir.mute = true;
        dir.unacked = None;
        if matches!(dir.stall, Stall::Lost { .. }) {
            dir.stall = Stall::Flowing;
            dir.flight.clear();
        }
    }
}

fn gather(bufs: &[io::IoSlice<'_>], room: usize) -> Bytes {
    if let [one] = bufs {
        return Bytes::copy_from_slice(&one[..one.len().min(room)]);
    }
    let total = bufs.iter().map(|buf| buf.len()).sum::<usize>().min(room);
    let mut bytes = Vec::with_capacity(total);
    for buf in bufs {
        let n = buf.len().min(total - bytes.len());
        bytes.extend_from_slice(&buf[..n]);
    }
    bytes.into()
}

fn broken_pipe<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
}
