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
pub use task::Link;

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

/// Smaller frames are copied, many at once: out of the read buffer, so that what keeps a frame alive
/// does not keep the whole buffer alive with it; and behind each other to be written.
const COPIED_FRAME_BYTES_MAX: usize = 4096;
/// Bytes of frames that are taken at once.
const ROW_BYTES_MAX: usize = 16 * 1024;
/// Room for the first frames behind each other.
const TAIL_BYTES_MIN: usize = 4096;
/// Buffers for frames behind each other that are kept for the next link that writes, and how large.
const SPARES_MAX: usize = 8;
const SPARE_BYTES_MAX: usize = 256 * 1024;

/// Buffers that the links of one port have written out: an idle link has none.
type Spares = Rc<RefCell<Vec<BytesMut>>>;

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
    let mut row = FrameRow::default();
    row.add(len);
    row.take(buf)
}

/// Whole frames at the front of a buffer, which are taken out of it at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameRow {
    bytes: usize,
    is_long: bool,
}

impl FrameRow {
    /// One more frame, if the row may have it: a long one stands alone.
    pub fn add(&mut self, len: usize) -> bool {
        let is_long = len > COPIED_FRAME_BYTES_MAX;
        let is_full = is_long || self.is_long || self.bytes + len > ROW_BYTES_MAX;
        if self.bytes > 0 && is_full {
            return false;
        }
        self.bytes += len;
        self.is_long = is_long;
        true
    }

    /// Bytes of its frames.
    pub fn bytes(self) -> usize {
        self.bytes
    }

    /// All of them, one behind the other.
    pub fn take(self, buf: &mut BytesMut) -> Bytes {
        if self.is_long {
            return buf.split_to(self.bytes).freeze();
        }
        let frames = Bytes::copy_from_slice(&buf[..self.bytes]);
        buf.advance(self.bytes);
        frames
    }
}

struct Frame {
    at: Stamp,
    label: Label,
    bytes: Bytes,
    /// It was a tail: many frames.
    is_tail: bool,
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
    /// Frames behind those of `queue`, one behind the other, since the stamp.
    tail: BytesMut,
    tail_at: Stamp,
    spares: Spares,
    /// The stream does not want each frame announced: small ones may be one.
    merges: bool,
    /// Bytes in `queue` and `tail`, less what of the first frame is written.
    queued_bytes: usize,
    queued_bytes_max: usize,
    wish: Wish,
    paused: bool,
    drain_asked: Option<Stamp>,
    ended: bool,
    waker: Option<Waker>,
}

impl Shared {
    fn push(&mut self, frame: Frame) {
        let is_first = self.queue.is_empty() && self.tail.is_empty();
        if !self.merges || is_first || frame.bytes.len() > COPIED_FRAME_BYTES_MAX {
            self.end_tail();
            if self.queue.capacity() == 0 {
                self.queue.reserve_exact(1); // an idle connection has one frame now and then
            }
            self.queue.push_back(frame);
            return;
        }
        if self.tail.is_empty() {
            self.tail_at = frame.at;
            self.tail = self.spares.borrow_mut().pop().unwrap_or_default();
            self.tail.reserve(TAIL_BYTES_MIN);
        }
        self.tail.extend_from_slice(&frame.bytes);
    }

    /// What is in the tail is one frame.
    fn end_tail(&mut self) {
        if !self.tail.is_empty() {
            let bytes = std::mem::take(&mut self.tail).freeze();
            let (at, label, is_tail) = (self.tail_at, Label::CLIENT, true);
            self.queue.push_back(Frame { at, label, bytes, is_tail });
        }
    }

    /// Takes `written` bytes off the queue; true if a frame ended.
    fn take_written(&mut self, mut written: usize) -> bool {
        self.queued_bytes -= written;
        let mut ended = false;
        while written > 0 {
            let front = self.queue.front_mut().expect("a stream writes no more than it is given");
            if front.bytes.len() > written {
                front.bytes.advance(written);
                break;
            }
            written -= front.bytes.len();
            let frame = self.queue.pop_front();
            self.spare(frame);
            ended = true;
        }
        ended
    }

    /// Keeps the buffer of a frame that was written, if nobody else has it.
    fn spare(&mut self, frame: Option<Frame>) {
        let mut spares = self.spares.borrow_mut();
        if spares.len() < SPARES_MAX
            && let Some(frame) = frame.filter(|frame| frame.is_tail)
            && let Ok(mut buffer) = frame.bytes.try_into_mut()
        {
            buffer.clear();
            // What was written of it piece by piece stands before its beginning.
            if buffer.try_reclaim(TAIL_BYTES_MIN) && buffer.capacity() <= SPARE_BYTES_MAX {
                spares.push(buffer);
            }
        }
    }

    /// Whether somebody waits until everything has left.
    fn awaits_empty(&self) -> bool {
        self.drain_asked.is_some() || self.wish != Wish::Open
    }

    fn clear(&mut self) {
        self.queue.clear();
        self.tail.clear();
        self.queued_bytes = 0;
    }

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
    fn new(queued_bytes_max: usize, spares: Spares) -> LinkWriter {
        LinkWriter {
            shared: Rc::new(RefCell::new(Shared {
                queue: VecDeque::new(),
                tail: BytesMut::new(),
                tail_at: Stamp(0),
                spares,
                merges: false,
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
            shared.push(Frame { at, label, bytes, is_tail: false });
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
            shared.clear();
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
