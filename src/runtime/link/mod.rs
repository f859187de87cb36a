//! One connection: a queue of frames out, whole frames in, one task that moves the bytes.
//!
//! The pump holds a [`LinkWriter`] and never waits: a frame is queued or the link is full. The
//! task (`run`) reads as long as bytes are there and hands them to an [`Inbound`], which cuts
//! them into frames; it writes what is queued, many frames in one write where the stream does
//! not want each frame labelled.
//!
//! LK-1  frames leave in the order in which they were queued, each announced once by `begin_write`
//! LK-2  a link ends once: `run` returns once, and nothing is handed to `Inbound` after that
//! LK-3  nothing is handed to `Inbound` after `close` or `abort`, except `on_drained`
//!
//! Not here: what a frame is (the drivers), who is on the other side (the cores).

mod places;
mod table;
mod task;

pub use places::{Place, Places};
pub use table::LinkTable;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::{self, Future};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};

use super::Label;
use crate::base::Stamp;

/// Where a driver's events go: event time, source (the number of the link or connection, 0 for
/// the driver itself), event. Events of one source are posted in their order.
pub type Post<E> = Rc<dyn Fn(Stamp, u64, E)>;

/// Whether whoever takes a driver's events has room for more. If not, it wakes who asked once it has.
pub type Room = Rc<dyn Fn(&mut Context<'_>) -> bool>;

/// Smaller frames are copied out of the read buffer, so that what keeps a frame alive does not
/// keep the whole buffer alive with it.
const COPIED_FRAME_BYTES_MAX: usize = 4096;

/// Cuts what was read into frames. One object a connection.
pub trait Inbound {
    /// Takes every whole frame off the front of `buf`; the last byte arrived at `at`. An error is
    /// why the link ends.
    fn on_bytes(&mut self, at: Stamp, buf: &mut BytesMut) -> Result<Reading, String>;
    /// The queue was asked to tell when it is empty, and it is.
    fn on_drained(&mut self, _: Stamp) {}
    /// Whether more frames may come. If not, whoever reads is woken when they may. The simulator does
    /// not ask: what has come is told at its time there.
    fn has_room(&mut self, _: &mut Context<'_>) -> bool {
        true
    }
}

/// What becomes of the bytes that still arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    On,
    /// Read and forgotten; the end of the stream is no reason to end the link.
    Discard,
    Off,
}

/// When and why a link ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    pub at: Stamp,
    pub why: String,
}

/// When and why a dial came to nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DialFailed {
    pub at: Stamp,
    pub why: String,
    /// The machine answered that nobody listens there.
    pub refused: bool,
}

/// The first `len` bytes of `buf` as one frame.
pub fn take_frame(buf: &mut BytesMut, len: usize) -> Bytes {
    if len <= COPIED_FRAME_BYTES_MAX {
        let frame = Bytes::copy_from_slice(&buf[..len]);
        buf.advance(len);
        frame
    } else {
        buf.split_to(len).freeze()
    }
}

struct Frame {
    at: Stamp,
    label: Label,
    bytes: Bytes,
}

/// What the pump wants of the connection.
#[derive(PartialEq, Eq)]
enum Wish {
    Open,
    /// Write what is queued, then shut down.
    Close(Stamp),
    Abort(Ended),
}

struct Shared {
    queue: VecDeque<Frame>,
    /// Bytes in `queue`, less what of its first frame is written.
    queued_bytes: usize,
    queued_bytes_max: usize,
    wish: Wish,
    paused: bool,
    drain_asked: Option<Stamp>,
    ended: bool,
    waker: Option<Waker>,
}

impl Shared {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The pump's handle on one connection. Clones are the same connection.
#[derive(Clone)]
pub struct LinkWriter {
    shared: Rc<RefCell<Shared>>,
}

impl fmt::Debug for LinkWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkWriter").field("queued_bytes", &self.queued_bytes()).finish()
    }
}

impl LinkWriter {
    /// A link without a connection yet: it queues until `run` is given one.
    fn new(queued_bytes_max: usize) -> LinkWriter {
        LinkWriter {
            shared: Rc::new(RefCell::new(Shared {
                queue: VecDeque::new(),
                queued_bytes: 0,
                queued_bytes_max,
                wish: Wish::Open,
                paused: false,
                drain_asked: None,
                ended: false,
                waker: None,
            })),
        }
    }

    /// Queues one frame. False if the link is closed, or if the queue would exceed its limit; the
    /// frame is dropped then.
    pub fn enqueue(&self, at: Stamp, label: Label, bytes: Bytes) -> bool {
        let mut shared = self.shared.borrow_mut();
        let queued_bytes = shared.queued_bytes + bytes.len();
        let is_full = queued_bytes > shared.queued_bytes_max;
        if shared.ended || shared.wish != Wish::Open || is_full {
            return false;
        }
        if !bytes.is_empty() {
            shared.queue.push_back(Frame { at, label, bytes });
            shared.queued_bytes = queued_bytes;
            shared.wake();
        }
        true
    }

    /// Asks for one `on_drained` when everything queued has been written, be it at once.
    pub fn notify_drained(&self, at: Stamp) {
        let mut shared = self.shared.borrow_mut();
        shared.drain_asked = Some(at);
        shared.wake();
    }

    /// Writes what is queued (for 5 seconds at most), then ends the link.
    pub fn close(&self, at: Stamp) {
        let mut shared = self.shared.borrow_mut();
        if shared.wish == Wish::Open {
            shared.wish = Wish::Close(at);
            shared.paused = false;
            shared.wake();
        }
    }

    /// Ends the link at once; what is queued is lost.
    pub fn abort(&self, at: Stamp, why: impl Into<String>) {
        let mut shared = self.shared.borrow_mut();
        if !matches!(shared.wish, Wish::Abort(_)) {
            shared.wish = Wish::Abort(Ended { at, why: why.into() });
            shared.queue.clear();
            shared.queued_bytes = 0;
            shared.wake();
        }
    }

    /// Stops or resumes reading. Frames already read still come.
    pub fn pause(&self, paused: bool) {
        let mut shared = self.shared.borrow_mut();
        shared.paused = paused;
        shared.wake();
    }

    /// Whether so many bytes more would be too much.
    fn is_full_with(&self, more: usize) -> bool {
        let shared = self.shared.borrow();
        shared.queued_bytes + more > shared.queued_bytes_max
    }

    /// Bytes that wait to be written.
    pub fn queued_bytes(&self) -> usize {
        self.shared.borrow().queued_bytes
    }

    /// Waits for what a connection needs first; `Err` if the link was closed meanwhile.
    pub async fn unless_closed<T>(&self, wanted: impl Future<Output = T>) -> Result<T, Ended> {
        let mut wanted = pin!(wanted);
        future::poll_fn(|cx| {
            {
                let mut shared = self.shared.borrow_mut();
                match &shared.wish {
                    Wish::Open => shared.waker = Some(cx.waker().clone()),
                    Wish::Close(at) => return Poll::Ready(Err(closed_here(*at))),
                    Wish::Abort(ended) => return Poll::Ready(Err(ended.clone())),
                }
            }
            wanted.as_mut().poll(cx).map(Ok)
        })
        .await
    }
}

fn closed_here(at: Stamp) -> Ended {
    Ended { at, why: "closed by this server".into() }
}
