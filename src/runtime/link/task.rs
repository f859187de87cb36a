//! The task of one connection. It is what keeps LK-1, LK-2 and LK-3 (mod.rs).
//!
//! One task moves both directions, so that a stream needs no halves and no lock.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::{self, Future};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::{Ended, Frame, Inbound, LinkWriter, Reading, Shared, Wish, closed_here};
use crate::base::Stamp;
use crate::runtime::{Label, Runtime, Stream};

/// How long a closed link may take to write what it still has.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// Free space before each read, and what is read before others have a turn: in frames of the shortest
/// kind these are 700 inputs of the pump. Long content reads in larger pieces.
const READ_BYTES_MIN: usize = 16 * 1024;
const READ_BYTES_MAX: usize = 1024 * 1024;
/// What is written at once, and before others have a turn: at most so many bytes, and frames at once.
const WRITE_BYTES_MAX: usize = 64 * 1024;
const WRITE_FRAMES_MAX: usize = 256;

/// A connected link. Its task owns it and lends it to [`LinkTable::serve`](super::LinkTable::serve): a
/// future that is handed a link and waits for a second one that is handed it has room for both, and
/// there are thousands of idle connections.
pub struct Link<S, I> {
    stream: S,
    inbound: I,
    shared: Rc<RefCell<Shared>>,
    buf: BytesMut,
    reading: Reading,
    labels: bool,
    /// `begin_write` was called for the first frame of the queue.
    announced: bool,
    /// Stamp of the last frame that began to be written; the opening of the stream before that.
    last_at: Stamp,
    /// Stamp of the last thing handed to `inbound`: neither the end nor an empty queue is told
    /// with an earlier one.
    told: Stamp,
    /// The stream made us wait since the queue was last empty: stamps of frames are in the past.
    waited: bool,
    flushed: bool,
    /// Runs while a closed link still writes.
    deadline: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// One direction, as far as it goes now.
type Progress = Result<(), Ended>;

impl<S, I> fmt::Debug for Link<S, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("reading", &self.reading).finish_non_exhaustive()
    }
}

impl<S: Stream, I: Inbound> Link<S, I> {
    /// Of a stream that was opened at `opened`.
    pub fn new(opened: Stamp, stream: S, writer: LinkWriter, inbound: I) -> Link<S, I> {
        let labels = stream.wants_labels();
        writer.shared.borrow_mut().merges = !labels;
        Link {
            stream,
            inbound,
            shared: writer.shared,
            buf: BytesMut::new(),
            reading: Reading::On,
            labels,
            announced: false,
            last_at: opened,
            told: opened,
            waited: false,
            flushed: true,
            deadline: None,
        }
    }

    /// Moves bytes between the stream and the link until one of them ends.
    pub(super) async fn run<R: Runtime<Stream = S>>(&mut self, rt: &R) -> Ended {
        let ended = future::poll_fn(|cx| self.poll(rt, cx)).await;
        let mut shared = self.shared.borrow_mut();
        shared.ended = true;
        shared.clear();
        // An end that the pump asked for may be older than what was read meanwhile.
        Ended { at: ended.at.max(self.told), ..ended }
    }

    fn poll(&mut self, rt: &impl Runtime, cx: &mut Context<'_>) -> Poll<Ended> {
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
        match self.read_all(cx).and_then(|()| self.write_all(rt, cx)) {
            Ok(()) => Poll::Pending,
            Err(ended) => Poll::Ready(ended),
        }
    }

    /// Reads until nothing is there, or so much that somebody else should have a turn: whoever
    /// takes the frames must be able to pause us before they are too many.
    fn read_all(&mut self, cx: &mut Context<'_>) -> Progress {
        let mut budget = READ_BYTES_MIN;
        while self.reading != Reading::Off && !self.shared.borrow().paused {
            if budget == 0 {
                cx.waker().wake_by_ref();
                break;
            }
            if !self.labels && !self.inbound.has_room(cx) {
                break;
            }
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
                Poll::Ready(Ok(read)) => {
                    budget = budget.saturating_sub(read);
                    let at = self.stream.read_at();
                    self.told = self.told.max(at);
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

    fn write_all(&mut self, rt: &impl Runtime, cx: &mut Context<'_>) -> Progress {
        if !self.write_queue(rt, cx)? {
            return self.give_up_late(rt, cx);
        }
        let stamp = self.write_stamp(rt);
        self.waited = false;
        let (drain_asked, close_asked) = {
            let mut shared = self.shared.borrow_mut();
            let close_asked = match shared.wish {
                Wish::Close(at) => Some(at),
                _ => None,
            };
            (shared.drain_asked.take(), close_asked)
        };
        if let Some(asked) = drain_asked {
            self.told = self.told.max(rt.done_at(stamp.max(asked)));
            self.inbound.on_drained(self.told);
        }
        if let Some(asked) = close_asked {
            // The end of the stream has the stamp of the step that asked for it.
            self.stream.begin_write(stamp.max(asked), Label::CLIENT);
            // Whether the other side hears of it or is gone: the link ends here.
            if Pin::new(&mut self.stream).poll_shutdown(cx).is_pending() {
                return self.give_up_late(rt, cx);
            }
            return Err(closed_here(stamp.max(asked)));
        }
        Ok(())
    }

    /// True if everything is written, and flushed if somebody waits for that. Others have a turn in
    /// between, as when much is read; in the simulator a write takes no time.
    fn write_queue(&mut self, rt: &impl Runtime, cx: &mut Context<'_>) -> Result<bool, Ended> {
        let begun_with = self.shared.borrow().queued_bytes;
        loop {
            let left = self.shared.borrow().queued_bytes;
            if !self.labels && begun_with.saturating_sub(left) >= WRITE_BYTES_MAX {
                cx.waker().wake_by_ref();
                return Ok(false);
            }
            let wrote = match self.write_some(cx) {
                Some(wrote) => wrote,
                None if self.flushed => return Ok(true),
                None => {
                    let awaited = self.shared.borrow().awaits_empty();
                    match self.stream.poll_left(cx, awaited) {
                        Poll::Ready(Ok(left)) => {
                            self.flushed = left;
                            return Ok(true);
                        }
                        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                        Poll::Pending => Poll::Pending,
                    }
                }
            };
            match wrote {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    let at = self.write_stamp(rt).max(self.stream.read_at());
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
        shared.end_tail();
        let first = shared.queue.front()?;
        // A frame may have been queued before the connection was open.
        self.last_at = self.last_at.max(first.at);
        if self.labels && !self.announced {
            self.announced = true;
            self.stream.begin_write(self.last_at, first.label);
        }
        let wrote = if self.labels || shared.queue.len() == 1 {
            let bytes = if self.labels { &first.bytes } else { first_part(&first.bytes, 0) };
            Pin::new(&mut self.stream).poll_write(cx, bytes)
        } else {
            write_frames(&mut self.stream, cx, &shared.queue)
        };
        self.flushed = false;
        Some(match wrote {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(written)) => {
                if shared.take_written(written) {
                    self.announced = false;
                }
                Poll::Ready(Ok(()))
            }
        })
    }

    /// When the last write happened, as far as it can be told without a clock of its own.
    fn write_stamp(&self, rt: &impl Runtime) -> Stamp {
        if self.waited { rt.stamp() } else { self.last_at }
    }

    /// A closed link that cannot write is given a deadline.
    fn give_up_late(&mut self, rt: &impl Runtime, cx: &mut Context<'_>) -> Progress {
        let Wish::Close(at) = self.shared.borrow().wish else { return Ok(()) };
        let deadline = self.deadline.get_or_insert_with(|| {
            let rt = rt.clone();
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
        if count == WRITE_FRAMES_MAX || bytes >= WRITE_BYTES_MAX {
            break;
        }
        let part = first_part(&frame.bytes, bytes);
        slices[count] = IoSlice::new(part);
        count += 1;
        bytes += part.len();
    }
    Pin::new(stream).poll_write_vectored(cx, &slices[..count])
}

/// As much of a frame as is written at once, behind so many bytes of others.
fn first_part(frame: &[u8], before: usize) -> &[u8] {
    &frame[..frame.len().min(WRITE_BYTES_MAX - before)]
}
