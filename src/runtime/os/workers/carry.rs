//! Moves the bytes of one connection between its socket and its pipe, on a worker.
//!
//! It ends when the pump has dropped its end, after one more try to write what was left to it, or when
//! the socket has failed. The slot is free once the socket is closed.

use std::cell::RefCell;
use std::future::{self, Future};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pipe::{INWARD_BYTES_MAX, Wish, WorkerEnd};
use crate::runtime::os::slots::Slot;
use crate::runtime::os::socket::Socket;

thread_local! {
    /// What is read goes here first: an idle connection has no buffer.
    static READ: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Carries until the connection ends.
pub(super) fn carry(socket: Socket, end: WorkerEnd, slot: Slot) -> impl Future<Output = ()> + Send {
    let (sending, written, reads) = (BytesMut::new(), 0, true);
    let mut carrier = Carrier { socket, end, sending, written, reads, _slot: slot };
    // No async block: there are many of these, and it would hold each part twice.
    future::poll_fn(move |cx| carrier.poll(cx))
}

struct Carrier {
    socket: Socket,
    end: WorkerEnd,
    /// Taken from the pipe, and not written yet.
    sending: BytesMut,
    /// Written, and not known to have left: TLS keeps what the kernel does not take.
    written: usize,
    /// The socket has not ended.
    reads: bool,
    /// Dropped last: the socket is closed by then.
    _slot: Slot,
}

impl Carrier {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let takes = self.sending.is_empty() && self.written == 0;
        let work = self.end.look(cx, takes);
        if takes {
            self.sending = work.outward;
        }
        if work.wish == Wish::Gone {
            self.send_last(cx);
            return Poll::Ready(());
        }
        match self.send(cx) {
            Poll::Ready(Err(error)) => {
                self.end.fail(error);
                return Poll::Ready(());
            }
            // More may have come since; the pump has rung for it if so.
            Poll::Ready(Ok(())) if work.wish == Wish::Shut && takes => {
                // Whether the other side hears of it or is gone: it was told.
                if Pin::new(&mut self.socket).poll_shutdown(cx).is_ready() {
                    self.end.shut();
                }
            }
            Poll::Ready(Ok(())) if !takes => cx.waker().wake_by_ref(),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        self.read(cx, work.room)
    }

    /// Ready once the kernel has all that was taken.
    fn send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut all = true;
        while !self.sending.is_empty() {
            match Pin::new(&mut self.socket).poll_write(cx, &self.sending) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.sending.advance(written);
                    self.written += written;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    all = false;
                    break;
                }
            }
        }
        if self.written > 0 {
            ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
            self.end.left(self.written);
            self.written = 0;
        }
        if !all {
            return Poll::Pending;
        }
        self.sending = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// What the kernel takes of the rest goes out, as it does when a socket is closed. Its event loop may
    /// not have heard yet that a new one can be written to: it is tried without asking.
    fn send_last(&mut self, cx: &mut Context<'_>) {
        self.sending.unsplit(self.end.look(cx, true).outward);
        let _ = self.send(cx);
        if let Socket::Plain(tcp) = &self.socket {
            let _ = SockRef::from(tcp).send(&self.sending);
        }
    }

    /// Reads what there is, and as much as the pump has room for; ready if the socket has failed.
    fn read(&mut self, cx: &mut Context<'_>, mut room: usize) -> Poll<()> {
        while self.reads && room > 0 {
            let read = READ.with_borrow_mut(|buf| {
                buf.resize(INWARD_BYTES_MAX, 0);
                let mut buf = ReadBuf::new(&mut buf[..room]);
                ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buf))?;
                self.end.put(buf.filled());
                Poll::Ready(io::Result::Ok(buf.filled().len()))
            });
            match ready!(read) {
                Ok(0) => {
                    self.reads = false;
                    self.end.end(Ok(()));
                }
                Ok(read) => {
                    room -= read;
                    if room == 0 {
                        // Others have a turn. Whether the pump has room by then is asked again.
                        cx.waker().wake_by_ref();
                    }
                }
                Err(error) => {
                    self.end.end(Err(error));
                    return Poll::Ready(());
                }
            }
        }
        Poll::Pending
    }
}
