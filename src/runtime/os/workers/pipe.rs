//! A connection between two threads: the pump's end is its stream, the worker's has the socket.
//!
//! ```text
//! pump   <- inward  (up to INWARD_BYTES_MAX)                  <- worker <- socket
//! pump   -> outward (with what leaves, OUTWARD_BYTES_MAX) ->  worker -> socket
//! ```
//!
//! PP-1  bytes come out in the order in which they went in, and an end or error behind them
//! PP-2  flushed means that the kernel has everything: what the worker took and still has counts
//! PP-3  who does not take what there is stops the other side: a worker does not read, a pump's write waits
//! PP-4  an end that is dropped wakes the other, which sees an error (pump) or that it is alone (worker)
//!
//! Not here: what the worker does with the socket (`carry.rs`).

use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::bell::{Bell, Ringer};

/// Bytes that wait for the pump: the worker reads on once half of them are gone.
pub(super) const INWARD_BYTES_MAX: usize = 64 * 1024;
/// Bytes that wait for the kernel: the pump goes on once half of them are gone.
pub(super) const OUTWARD_BYTES_MAX: usize = 256 * 1024;

/// What the pump wants of the worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    Open,
    /// Write what there is, then tell the other side that no more comes.
    Shut,
    /// The stream is dropped.
    Gone,
}

#[derive(Debug)]
struct Shared {
    inward: BytesMut,
    /// Nothing comes behind `inward`, and why.
    inward_end: Option<io::Result<()>>,
    outward: BytesMut,
    /// Taken by the worker, and not yet with the kernel.
    leaving: usize,
    /// Why nothing leaves any more.
    failed: Option<io::Error>,
    wish: Wish,
    is_shut: bool,
    /// The worker has stopped reading for want of room.
    wants_room: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    worker: Option<Waker>,
}

impl Shared {
    fn unsent(&self) -> usize {
        self.outward.len() + self.leaving
    }

    fn failure(&self) -> Option<io::Error> {
        let error = self.failed.as_ref()?;
        Some(match error.raw_os_error() {
            Some(number) => io::Error::from_raw_os_error(number),
            None => io::Error::new(error.kind(), error.to_string()),
        })
    }
}

type Locked = Arc<Mutex<Shared>>;

fn lock(shared: &Locked) -> MutexGuard<'_, Shared> {
    shared.lock().expect("nobody panics with it")
}

/// Remembers who waits; a clone is spared if it is who waited before.
fn remember(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}

/// Both ends. The pump rings for the worker, and the worker for the pump.
pub(super) fn pipe(to_worker: Ringer, to_pump: Bell) -> (PumpEnd, WorkerEnd) {
    let shared = Arc::new(Mutex::new(Shared {
        inward: BytesMut::new(),
        inward_end: None,
        outward: BytesMut::new(),
        leaving: 0,
        failed: None,
        wish: Wish::Open,
        is_shut: false,
        wants_room: false,
        reader: None,
        writer: None,
        worker: None,
    }));
    let pump_end = PumpEnd { shared: shared.clone(), bell: to_worker };
    (pump_end, WorkerEnd { shared, bell: to_pump })
}

/// A stream of bytes whose socket another thread has.
#[derive(Debug)]
pub(in crate::runtime::os) struct PumpEnd {
    shared: Locked,
    bell: Ringer,
}

impl PumpEnd {
    fn ring(&self, worker: Option<Waker>) {
        if let Some(worker) = worker {
            self.bell.ring(worker);
        }
    }

    /// Whether everything written is with the kernel; who does not wait for it learns only whether
    /// it will never be.
    pub(in crate::runtime::os) fn poll_left(
        &mut self,
        cx: &mut Context<'_>,
        awaited: bool,
    ) -> Poll<io::Result<bool>> {
        let mut shared = lock(&self.shared);
        if let Some(error) = shared.failure() {
            return Poll::Ready(Err(error));
        }
        let has_left = shared.unsent() == 0;
        if awaited && !has_left {
            remember(&mut shared.writer, cx);
            return Poll::Pending;
        }
        Poll::Ready(Ok(has_left))
    }
}

impl AsyncRead for PumpEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut guard = lock(&self.shared);
        let shared = &mut *guard;
        if shared.inward.is_empty() {
            return match shared.inward_end.take() {
                Some(end) => {
                    shared.inward_end = Some(Ok(()));
                    Poll::Ready(end)
                }
                None => {
                    remember(&mut shared.reader, cx);
                    Poll::Pending
                }
            };
        }
        let taken = shared.inward.len().min(buf.remaining());
        buf.put_slice(&shared.inward[..taken]);
        shared.inward.advance(taken);
        if shared.inward.is_empty() {
            shared.inward = BytesMut::new(); // an idle connection costs no buffer
        }
        if shared.wants_room && shared.inward.len() <= INWARD_BYTES_MAX / 2 {
            shared.wants_room = false;
            let worker = shared.worker.take();
            drop(guard);
            self.ring(worker);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PumpEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut guard = lock(&self.shared);
        let shared = &mut *guard;
        if let Some(error) = shared.failure() {
            return Poll::Ready(Err(error));
        }
        let wanted = bufs.iter().map(|buf| buf.len()).sum::<usize>();
        let mut room = OUTWARD_BYTES_MAX.saturating_sub(shared.unsent());
        if room == 0 && wanted > 0 {
            remember(&mut shared.writer, cx);
            return Poll::Pending;
        }
        let was_empty = shared.outward.is_empty();
        shared.outward.reserve(wanted.min(room));
        let mut written = 0;
        for buf in bufs {
            let part = &buf[..buf.len().min(room)];
            shared.outward.extend_from_slice(part);
            room -= part.len();
            written += part.len();
        }
        let worker = if was_empty && written > 0 { shared.worker.take() } else { None };
        drop(guard);
        self.ring(worker);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_left(cx, true).map_ok(drop)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut guard = lock(&self.shared);
        let shared = &mut *guard;
        if let Some(error) = shared.failure() {
            return Poll::Ready(Err(error));
        }
        if shared.is_shut {
            return Poll::Ready(Ok(()));
        }
        remember(&mut shared.writer, cx);
        let worker = match shared.wish {
            Wish::Open => shared.worker.take(),
            Wish::Shut | Wish::Gone => None,
        };
        shared.wish = Wish::Shut;
        drop(guard);
        self.ring(worker);
        Poll::Pending
    }
}

impl Drop for PumpEnd {
    fn drop(&mut self) {
        let worker = {
            let mut shared = lock(&self.shared);
            shared.wish = Wish::Gone;
            shared.worker.take()
        };
        self.ring(worker);
    }
}

/// What there is for the worker.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) wish: Wish,
    /// Bytes that the pump has room for. If it has little, it wakes the worker when it has more.
    pub(super) room: usize,
    /// What is to be written next, if it was asked for.
    pub(super) outward: BytesMut,
}

#[derive(Debug)]
pub(super) struct WorkerEnd {
    shared: Locked,
    bell: Bell,
}

impl WorkerEnd {
    /// What there is; the worker is woken when there is more. `takes`: what is to be written is
    /// taken, since nothing is left of what was taken before.
    pub(super) fn look(&self, cx: &Context<'_>, takes: bool) -> Work {
        let mut shared = lock(&self.shared);
        remember(&mut shared.worker, cx);
        let free = INWARD_BYTES_MAX.saturating_sub(shared.inward.len());
        shared.wants_room = free < INWARD_BYTES_MAX / 2;
        let room = if shared.wants_room { 0 } else { free };
        let outward = if takes { mem::take(&mut shared.outward) } else { BytesMut::new() };
        shared.leaving += outward.len();
        Work { wish: shared.wish, room, outward }
    }

    /// Hands in what was read.
    pub(super) fn put(&self, bytes: &[u8]) {
        let mut shared = lock(&self.shared);
        shared.inward.extend_from_slice(bytes);
        let reader = shared.reader.take();
        drop(shared);
        self.ring(reader);
    }

    /// Nothing more is read.
    pub(super) fn end(&self, why: io::Result<()>) {
        let mut shared = lock(&self.shared);
        shared.inward_end.get_or_insert(why);
        let reader = shared.reader.take();
        drop(shared);
        self.ring(reader);
    }

    /// The kernel has so many bytes more of what was taken.
    pub(super) fn left(&self, bytes: usize) {
        let mut shared = lock(&self.shared);
        shared.leaving -= bytes;
        let goes_on = shared.unsent() <= OUTWARD_BYTES_MAX / 2;
        let writer = if goes_on { shared.writer.take() } else { None };
        drop(shared);
        self.ring(writer);
    }

    /// The other side was told that no more comes.
    pub(super) fn shut(&self) {
        let mut shared = lock(&self.shared);
        shared.is_shut = true;
        let writer = shared.writer.take();
        drop(shared);
        self.ring(writer);
    }

    /// Nothing can be written any more. Whoever reads is woken too: it may be all that it waits for.
    pub(super) fn fail(&self, why: io::Error) {
        let mut shared = lock(&self.shared);
        shared.failed.get_or_insert(why);
        let waiting = [shared.reader.take(), shared.writer.take()];
        drop(shared);
        waiting.into_iter().for_each(|waker| self.ring(waker));
    }

    fn ring(&self, pump: Option<Waker>) {
        if let Some(pump) = pump {
            self.bell.ring(pump);
        }
    }
}

impl Drop for WorkerEnd {
    fn drop(&mut self) {
        self.end(Err(io::ErrorKind::ConnectionAborted.into()));
        self.fail(io::ErrorKind::ConnectionAborted.into());
    }
}
