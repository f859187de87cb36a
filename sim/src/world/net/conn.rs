//! One connection: two ends, two directions.
//!
//! A direction is a queue of segments in flight, in order, each with its departure and its
//! arrival. It stalls at a segment that a cut swallowed (until a retransmission gets through) or
//! that a hold stops (until the release); what is behind waits with it. An end is a receive
//! queue. `closed`: no process reads it any more, the kernel still knows it. `gone`: the kernel
//! does not know it; whatever arrives there is answered with RST.
//!
//! Not here: how it ends (`close`), how bytes move (`flow`), cuts, holds and retransmission (`faults`), the handshake
//! (`connect`).

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::task::Waker;

use bytes::Bytes;
use quorate::base::Stamp;
use quorate::runtime::Label;

use super::plane::Plane;
use crate::draw::Key;
use crate::world::process::Process;

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
    pub(super) chunks: VecDeque<Chunk>,
    pub(super) fin: Option<Stamp>,
    pub(super) error: Option<(Stamp, io::ErrorKind)>,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
    /// When the window opened for a write that waited, until it goes on.
    pub(super) room_at: Option<Stamp>,
    pub(super) closed: bool,
    pub(super) gone: bool,
}

pub(super) struct Chunk {
    pub(super) at: Stamp,
    pub(super) bytes: Bytes,
    /// A task was woken for it.
    pub(super) awaited: bool,
}

pub(super) struct Dir {
    pub(super) link: usize,
    pub(super) key: Key,
    pub(super) frames: u64,
    /// No frame leaves before this.
    pub(super) left: Stamp,
    pub(super) last_arrival: Stamp,
    pub(super) flight: VecDeque<Segment>,
    /// What its link has not taken yet, where it has a bandwidth.
    pub(super) unsent: VecDeque<Unsent>,
    /// The turn of its link in which it sent last.
    pub(super) turn: u64,
    pub(super) stall: Stall,
    /// Since when the acknowledgement of something that arrived is missing.
    pub(super) unacked: Option<Stamp>,
    /// Bytes under way or unread, as the sender knows it.
    pub(super) outstanding: usize,
    /// Bytes read that the sender was not told of.
    pub(super) consumed: usize,
    pub(super) window_updates: u64,
    pub(super) resets: u64,
    pub(super) fin_queued: bool,
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
    pub(super) payload: Payload,
    /// When it was written.
    pub(super) sent: Stamp,
    /// When it left last: first sent, retransmitted, or released.
    pub(super) left: Stamp,
    pub(super) arrives: Stamp,
    /// Set on the last segment of a frame.
    pub(super) label: Option<Label>,
    pub(super) held_as: Option<Label>,
}

pub(super) enum Payload {
    Open,
    Data(Bytes),
    Fin,
}

/// What was written and has not left.
pub(super) struct Unsent {
    pub(super) payload: Payload,
    /// When it was written.
    pub(super) sent: Stamp,
    /// It does not leave before this.
    pub(super) ready: Stamp,
    /// Of the frame that ends with it.
    pub(super) label: Option<Label>,
    /// Of the frame that it belongs to.
    pub(super) held_as: Option<Label>,
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

impl Unsent {
    pub(super) fn len(&self) -> usize {
        match &self.payload {
            Payload::Data(bytes) => bytes.len(),
            Payload::Open | Payload::Fin => 0,
        }
    }
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

    pub(super) fn is_over(&self) -> bool {
        let is_idle = |dir: &Dir| dir.flight.is_empty() && dir.unsent.is_empty();
        self.ends.iter().all(|end| end.closed) && self.dirs.iter().all(is_idle)
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
            room_at: None,
            closed: false,
            gone: false,
        }
    }

    pub(super) fn wake_reader(&mut self, at: Stamp) -> bool {
        match (self.reader.take(), &self.process) {
            (Some(waker), Some(process)) => {
                process.wake(at, waker);
                true
            }
            _ => false,
        }
    }

    pub(super) fn wake_writer(&mut self, at: Stamp) {
        if let (Some(waker), Some(process)) = (self.writer.take(), &self.process) {
            process.wake(at, waker);
        }
    }

    pub(super) fn has_unread(&self) -> bool {
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
            unsent: VecDeque::new(),
            turn: 0,
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

impl Conn {
    /// This end retransmits nothing any more, and what is lost stays lost.
    pub(super) fn silence(&mut self, end: usize) {
        self.ends[end].gone = true;
        let dir = &mut self.dirs[end];
        dir.mute = true;
        dir.unacked = None;
        dir.unsent.clear();
        if matches!(dir.stall, Stall::Lost { .. }) {
            dir.stall = Stall::Flowing;
            dir.flight.clear();
        }
    }
}
