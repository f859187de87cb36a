//! One connection: a queue of frames out, whole frames in, one task that moves the bytes.
//!
//! The pump holds a [`LinkWriter`] and never waits: a frame is queued or the link is full. The
//! task ([`run`]) reads as long as bytes are there and hands them to an [`Inbound`], which cuts
//! them into frames; it writes what is queued, many frames in one write where the stream does
//! not want each frame labelled.
//!
//! LK-1  frames leave in the order in which they were queued, each announced once by `begin_write`
//! LK-2  a link ends once: `run` returns once, and nothing is handed to `Inbound` after that
//! LK-3  nothing is handed to `Inbound` after `close` or `abort`, except `on_drained`
//!
//! Not here: what a frame is (the drivers), who is on the other side (the cores).

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::{self, Future};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::{Label, Runtime, Stream};
use crate::base::Stamp;
use crate::base::limits::LINK_QUEUE_BYTES_MAX;

/// Where a driver's events go: event time, source (the number of the link or connection, 0 for
/// the driver itself), event. Events of one source are posted in their order.
pub type Post<E> = Rc<dyn Fn(Stamp, u64, E)>;

/// How long a closed link may take to write what it still has.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// Free space before each read; long content reads in larger pieces.
const READ_BYTES_MIN: usize = 16 * 1024;
const READ_BYTES_MAX: usize = 1024 * 1024;
/// Smaller frames are copied out of the read buffer, so that what keeps a frame alive does not
/// keep the whole buffer alive with it.
const COPIED_FRAME_BYTES_MAX: usize = 4096;
/// One gathering write: at most so many bytes (then one frame more) and frames.
const WRITE_BYTES: usize = 256 * 1024;
const WRITE_FRAMES_MAX: usize = 256;

/// Cuts what was read into frames. One object a connection.
pub trait Inbound {
    /// Takes every whole frame off the front of `buf`; the last byte arrived at `at`. An error is
    /// why the link ends.
    fn on_bytes(&mut self, at: Stamp, buf: &mut BytesMut) -> Result<Reading, String>;
    /// The queue was asked to tell when it is empty, and it is.
    fn on_drained(&mut self, _: Stamp) {}
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

impl Default for LinkWriter {
    fn default() -> LinkWriter {
        LinkWriter::new()
    }
}

impl LinkWriter {
    /// A link without a connection yet: it queues until [`run`] is given one.
    pub fn new() -> LinkWriter {
        LinkWriter {
            shared: Rc::new(RefCell::new(Shared {
                queue: VecDeque::new(),
                queued_bytes: 0,
                wish: Wish::Open,
                paused: false,
                drain_asked: None,
                ended: false,
                waker: None,
            })),
        }
    }

    /// Queues one frame. False if the link is closed, or if the queue would exceed
    /// `LINK_QUEUE_BYTES_MAX`; the frame is dropped then.
    pub fn enqueue(&self, at: Stamp, label: Label, bytes: Bytes) -> bool {
        let mut shared = self.shared.borrow_mut();
        let queued_bytes = shared.queued_bytes + bytes.len();
        if shared.ended || shared.wish != Wish::Open || queued_bytes > LINK_QUEUE_BYTES_MAX {
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

/// Moves bytes between a stream, opened at `opened`, and its link until one of them ends.
pub async fn run<R: Runtime>(
    rt: &R,
    opened: Stamp,
    stream: R::Stream,
    writer: LinkWriter,
    inbound: impl Inbound,
) -> Ended {
    let labels = stream.wants_labels();
    let mut link = Link {
        rt: rt.clone(),
        stream,
        inbound,
        shared: writer.shared,
        buf: BytesMut::new(),
        reading: Reading::On,
        labels,
        announced: false,
        last_at: opened,
        waited: false,
        flushed: true,
        deadline: None,
    };
    let ended = future::poll_fn(|cx| link.poll(cx)).await;
    let mut shared = link.shared.borrow_mut();
    shared.ended = true;
    shared.queue.clear();
    shared.queued_bytes = 0;
    ended
}

struct Link<R: Runtime, I> {
    rt: R,
    stream: R::Stream,
    inbound: I,
    shared: Rc<RefCell<Shared>>,
    buf: BytesMut,
    reading: Reading,
    labels: bool,
    /// `begin_write` was called for the first frame of the queue.
    announced: bool,
    /// Stamp of the last frame that began to be written; the opening of the stream before that.
    last_at: Stamp,
    /// The stream made us wait since the queue was last empty: stamps of frames are in the past.
    waited: bool,
    flushed: bool,
    /// Runs while a closed link still writes.
    deadline: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// One direction, as far as it goes now.
type Progress = Result<(), Ended>;

impl<R: Runtime, I: Inbound> Link<R, I> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        {
            let mut shared = self.shared.borrow_mut();
            match &shared.wish {
                Wish::Open => {}
                Wish::Close(_) => self.reading = Reading::Discard,
                Wish::Abort(ended) => return Poll::Ready(ended.clone()),
            }
            shared.waker = Some(cx.waker().clone());
        }
        // Reading first: an end of the stream then has the stamp of its arrival, not of the
        // write that stumbled over it.
        match self.read_all(cx).and_then(|()| self.write_all(cx)) {
            Ok(()) => Poll::Pending,
            Err(ended) => Poll::Ready(ended),
        }
    }

    fn read_all(&mut self, cx: &mut Context<'_>) -> Progress {
        while self.reading != Reading::Off && !self.shared.borrow().paused {
            self.buf.reserve(self.buf.len().clamp(READ_BYTES_MIN, READ_BYTES_MAX));
            let read = pin!(self.stream.read_buf(&mut self.buf)).poll(cx);
            let why = match read {
                Poll::Pending => {
                    if self.buf.is_empty() {
                        self.buf = BytesMut::new(); // an idle connection costs no buffer
                    }
                    break;
                }
                Poll::Ready(Ok(0)) => "closed by the other side".into(),
                Poll::Ready(Ok(_)) if self.reading == Reading::Discard => {
                    self.buf.clear();
                    continue;
                }
                Poll::Ready(Ok(_)) => {
                    let at = self.stream.read_at();
                    match self.inbound.on_bytes(at, &mut self.buf) {
                        Ok(reading) => {
                            self.reading = reading;
                            continue;
                        }
                        Err(why) => why,
                    }
                }
                Poll::Ready(Err(error)) => format!("read: {error}"),
            };
            if self.reading == Reading::On {
                return Err(Ended { at: self.stream.read_at(), why });
            }
            self.reading = Reading::Off;
        }
        Ok(())
    }

    fn write_all(&mut self, cx: &mut Context<'_>) -> Progress {
        if !self.write_queue(cx)? {
            return self.give_up_late(cx);
        }
        let stamp = self.write_stamp();
        self.waited = false;
        let (drain_asked, closing) = {
            let mut shared = self.shared.borrow_mut();
            let closing = matches!(shared.wish, Wish::Close(_));
            (shared.drain_asked.take(), closing)
        };
        if let Some(asked) = drain_asked {
            self.inbound.on_drained(stamp.max(asked));
        }
        if closing {
            // Whether the other side hears of it or is gone: the link ends here.
            if Pin::new(&mut self.stream).poll_shutdown(cx).is_pending() {
                return self.give_up_late(cx);
            }
            return Err(self.closed());
        }
        Ok(())
    }

    /// True if everything is written and flushed.
    fn write_queue(&mut self, cx: &mut Context<'_>) -> Result<bool, Ended> {
        loop {
            let wrote = match self.write_some(cx) {
                Some(wrote) => wrote,
                None if self.flushed => return Ok(true),
                None => Pin::new(&mut self.stream).poll_flush(cx).map_ok(|()| {
                    self.flushed = true;
                }),
            };
            match wrote {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    let at = self.write_stamp().max(self.stream.read_at());
                    return Err(Ended { at, why: format!("write: {error}") });
                }
                Poll::Pending => {
                    self.waited = true;
                    return Ok(false);
                }
            }
        }
    }

    /// One write of the first frames; `None` if there are none.
    fn write_some(&mut self, cx: &mut Context<'_>) -> Option<Poll<io::Result<()>>> {
        let mut shared = self.shared.borrow_mut();
        let shared = &mut *shared;
        let first = shared.queue.front()?;
        // A frame may have been queued before the connection was open.
        self.last_at = self.last_at.max(first.at);
        if self.labels && !self.announced {
            self.announced = true;
            self.stream.begin_write(self.last_at, first.label);
        }
        let wrote = if self.labels || shared.queue.len() == 1 {
            Pin::new(&mut self.stream).poll_write(cx, &first.bytes)
        } else {
            write_frames(&mut self.stream, cx, &shared.queue)
        };
        self.flushed = false;
        Some(match wrote {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(written)) => {
                shared.queued_bytes -= written;
                if take_written(&mut shared.queue, written) {
                    self.announced = false;
                }
                Poll::Ready(Ok(()))
            }
        })
    }

    /// When the last write happened, as far as it can be told without a clock of its own.
    fn write_stamp(&self) -> Stamp {
        if self.waited { self.rt.stamp() } else { self.last_at }
    }

    /// The end of a closed link: not before it was asked for.
    fn closed(&self) -> Ended {
        let stamp = self.write_stamp();
        match self.shared.borrow().wish {
            Wish::Close(at) => closed_here(stamp.max(at)),
            _ => closed_here(stamp),
        }
    }

    /// A closed link that cannot write is given a deadline.
    fn give_up_late(&mut self, cx: &mut Context<'_>) -> Progress {
        let Wish::Close(at) = self.shared.borrow().wish else { return Ok(()) };
        let rt = self.rt.clone();
        let deadline = self.deadline.get_or_insert_with(|| {
            Box::pin(async move { rt.sleep_until(at + FLUSH_TIMEOUT).await })
        });
        match deadline.as_mut().poll(cx) {
            Poll::Ready(()) => Err(closed_here(at + FLUSH_TIMEOUT)),
            Poll::Pending => Ok(()),
        }
    }
}

fn write_frames<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    queue: &VecDeque<Frame>,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); WRITE_FRAMES_MAX];
    let (mut count, mut bytes) = (0, 0);
    for frame in queue {
        if count == WRITE_FRAMES_MAX || bytes >= WRITE_BYTES {
            break;
        }
        slices[count] = IoSlice::new(&frame.bytes);
        count += 1;
        bytes += frame.bytes.len();
    }
    Pin::new(stream).poll_write_vectored(cx, &slices[..count])
}

/// Takes `written` bytes off the queue; true if a frame ended.
fn take_written(queue: &mut VecDeque<Frame>, mut written: usize) -> bool {
    let mut ended = false;
    while written > 0 {
        let front = queue.front_mut().expect("a stream writes no more than it is given");
        if front.bytes.len() > written {
            front.bytes.advance(written);
            break;
        }
        written -= front.bytes.len();
        queue.pop_front();
        ended = true;
    }
    ended
}

/// The open links of one driver, by number.
#[derive(Debug, Default)]
pub struct LinkTable {
    writers: RefCell<BTreeMap<u64, LinkWriter>>,
}

impl LinkTable {
    /// Makes the link of this number known.
    pub fn open(&self, number: u64) -> LinkWriter {
        let writer = LinkWriter::new();
        let before = self.writers.borrow_mut().insert(number, writer.clone());
        assert!(before.is_none(), "a link number is used once");
        writer
    }

    pub fn forget(&self, number: u64) {
        self.writers.borrow_mut().remove(&number);
    }

    pub fn get(&self, number: u64) -> Option<LinkWriter> {
        self.writers.borrow().get(&number).cloned()
    }

    /// Queues a frame; a link whose queue is full ends. Nothing happens if it has ended already.
    pub fn write(&self, at: Stamp, number: u64, label: Label, bytes: Bytes) {
        if let Some(writer) = self.writers.borrow().get(&number) {
            let queued_bytes = writer.queued_bytes() + bytes.len();
            if !writer.enqueue(at, label, bytes) && queued_bytes > LINK_QUEUE_BYTES_MAX {
                writer.abort(at, format!("{queued_bytes} bytes wait to be sent: too slow"));
            }
        }
    }

    pub fn close(&self, at: Stamp, number: u64) {
        if let Some(writer) = self.writers.borrow().get(&number) {
            writer.close(at);
        }
    }
}
