//! How bytes move along a connection.
//!
//!       write --> flight [segment, segment, ...] --> take_arrived --> chunks --> read
//!         ^                                                                       |
//!         `------------------------- on_window <----------------------------------'
//!
//! A write is one frame: one segment, or two or three; where the link has a bandwidth, as many as
//! leave one by one (`bandwidth`). A read gives what arrived at one stamp and no more: two frames
//! whose arrivals fell together come joined.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use quorate::base::Stamp;
use quorate::runtime::Label;
use tokio::io::ReadBuf;

use super::conn::{Arrived, Chunk, Frame, Payload, Segment, Stall, Unsent, Written};
use super::event::NetEvent;
use super::faults::RETRANSMIT_FIRST;
use super::state::Net;
use crate::world::handle::{Event, World};
use crate::world::process::Process;

/// How far apart the pieces of one frame may arrive.
const PIECES_APART: Duration = Duration::from_micros(200);

const DRAW_SPLIT: u64 = 1;
const DRAW_PIECE: u64 = 2;
const DRAW_WINDOW: u64 = u64::MAX - 1;

impl Net {
    pub(super) fn poll_write(
        &mut self,
        world: &World,
        process: &Process,
        (id, end): (usize, usize),
        (at, label): (Stamp, Label),
        bufs: &[io::IoSlice<'_>],
        cx: &Context<'_>,
    ) -> Poll<io::Result<Written>> {
        let Some(conn) = self.conns.get_mut(id) else { return broken_pipe() };
        let (from, to) = (conn.ends[end].host, conn.ends[1 - end].host);
        let (this, dir) = (&mut conn.ends[end], &mut conn.dirs[end]);
        if let Some((_, kind)) = this.error {
            return Poll::Ready(Err(kind.into()));
        }
        if this.gone || this.closed || dir.fin_queued {
            return broken_pipe();
        }
        if let Some(opened) = this.room_at {
            // A write that waited goes on when its process learns that there is room.
            let Poll::Ready(seen) = process.poll_input(opened, true, cx) else {
                return Poll::Pending;
            };
            this.room_at = None;
            dir.left = dir.left.max(seen);
        }
        let room = self.socket_buffer.saturating_sub(dir.outstanding);
        let bytes = gather(bufs, room);
        let len = bytes.len();
        if len == 0 && bufs.iter().any(|buf| !buf.is_empty()) {
            this.writer = Some(cx.waker().clone());
            // It may be asked long after the step that wrote, behind other frames.
            let asked = world.time().fresh_or_rounded(dir.left.max(at));
            self.probe_if_waiting(world, asked, id, end);
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
        if let Some(conn) = self.conns.get_mut(id) {
            conn.dirs[0].left = conn.dirs[0].left.max(at);
            self.launch(world, (id, 0), Payload::Open, None);
        }
    }

    /// Half-closes: what was written still arrives, then the end of the stream.
    pub(super) fn send_fin(&mut self, world: &World, id: usize, end: usize, at: Stamp) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.ends[end].gone || conn.dirs[end].fin_queued {
            return;
        }
        conn.dirs[end].fin_queued = true;
        conn.dirs[end].left = conn.dirs[end].left.max(at);
        self.launch(world, (id, end), Payload::Fin, None);
    }

    /// Puts a frame into flight, or in line where its link has a bandwidth.
    fn launch(
        &mut self,
        world: &World,
        (id, d): (usize, usize),
        payload: Payload,
        label: Option<Label>,
    ) {
        let Some(conn) = self.conns.get(id) else { return };
        let dir = &conn.dirs[d];
        let (sent, held_as) = (dir.left, label);
        let is_free = self.links[dir.link].bandwidth.is_none() && dir.unsent.is_empty();
        let unsent = Unsent { payload, sent, ready: sent, label, held_as };
        if is_free {
            self.fly(world, (id, d), sent, unsent);
        } else {
            self.put_in_line(world, (id, d), unsent);
        }
    }

    /// Puts what leaves now into flight, whole or in pieces, behind what flies already.
    pub(super) fn fly(
        &mut self,
        world: &World,
        (id, d): (usize, usize),
        left: Stamp,
        leaving: Unsent,
    ) {
        let Unsent { payload, sent, label, held_as, .. } = leaving;
        let Some(conn) = self.conns.get(id) else { return };
        let (plane, dir) = (conn.plane, &conn.dirs[d]);
        let key = dir.key.with(dir.frames);
        let latency = self.latency(dir.link, plane, left, key);
        let first = world.time().not_before_now((left + latency).max(dir.last_arrival));
        let Some(conn) = self.conns.get_mut(id) else { return };
        let dir = &mut conn.dirs[d];
        dir.frames += 1;
        let mut fly = |payload, arrives, label| {
            // An arrival at the same stamp joins the one before it.
            if dir.flight.is_empty() || arrives > dir.last_arrival {
                world.push(arrives, Event::Segment { conn: id, dir: d });
            }
            dir.last_arrival = arrives;
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
        let conn = self.conns.get_mut(id)?;
        let dir = &mut conn.dirs[d];
        let front = dir.flight.front()?;
        if dir.stall != Stall::Flowing || front.arrives > at {
            return None;
        }
        let (from, to) = (conn.ends[d].host, conn.ends[1 - d].host);
        let cut = self.links[dir.link].cut_between(conn.plane, front.left, front.arrives);
        if cut || !world.machine(to).up.get() {
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
            let Some(conn) = self.conns.get_mut(id) else { return };
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
        let Some(conn) = self.conns.get_mut(id) else { return };
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
        let Some(conn) = self.conns.get_mut(id) else {
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
        let Some(conn) = self.conns.get_mut(id) else { return };
        let dir = &mut conn.dirs[1 - end];
        dir.consumed += taken;
        if dir.consumed < self.socket_buffer / 2 {
            return;
        }
        let bytes = std::mem::take(&mut dir.consumed);
        let key = dir.key.with(DRAW_WINDOW).with(dir.window_updates);
        dir.window_updates += 1;
        let left = world.time().fresh_or_rounded(at);
        let (plane, link) = (conn.plane, conn.dirs[end].link);
        let arrives = world.time().not_before_now(left + self.latency(link, plane, left, key));
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
        let Some(conn) = self.conns.get_mut(id) else { return };
        if self.links[conn.dirs[1 - d].link].cut_between(conn.plane, left, at) {
            // The sender's window probe finds out, once it gets through.
            let again = at + RETRANSMIT_FIRST;
            return world
                .push_net(again, NetEvent::WindowOpens { conn: id, dir: d, left: at, bytes });
        }
        let dir = &mut conn.dirs[d];
        dir.outstanding = dir.outstanding.saturating_sub(bytes);
        if conn.ends[d].writer.is_some() {
            dir.left = dir.left.max(at);
            conn.ends[d].room_at.get_or_insert(at);
            conn.ends[d].wake_writer(at);
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
