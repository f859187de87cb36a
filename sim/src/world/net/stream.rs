//! What drivers hold: a stream, a listener. All they know is a connection and an end of it.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use quorate::base::Stamp;
use quorate::runtime::{Label, Listener, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::world::handle::World;
use crate::world::process::Process;

/// One end of a simulated connection. Dropping it closes it.
pub struct SimStream {
    world: World,
    process: Rc<Process>,
    conn: usize,
    end: usize,
    /// The cause of what is written.
    at: Stamp,
    label: Label,
    read_at: Stamp,
    /// When it was shut down: whoever does that announces the stamp by `begin_write`.
    shut_at: Option<Stamp>,
    peer: String,
}

impl SimStream {
    pub(super) fn new(
        world: World,
        process: Rc<Process>,
        conn: usize,
        end: usize,
        at: Stamp,
    ) -> SimStream {
        let peer = world.0.net.borrow().peer_text(&world, conn, end);
        SimStream {
            world,
            process,
            conn,
            end,
            at,
            label: Label::CLIENT,
            read_at: at,
            shut_at: None,
            peer,
        }
    }

    /// The moment of a close: the newest thing that can have caused it.
    fn closing_at(&self) -> Stamp {
        self.shut_at.unwrap_or_else(|| self.at.max(self.read_at).max(self.process.moment()))
    }

    fn write(&mut self, cx: &Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.process.refuses(self.at) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let world = &self.world;
        let written = world.0.net.borrow_mut().poll_write(
            world,
            &self.process,
            (self.conn, self.end),
            (self.at, self.label),
            bufs,
            cx,
        );
        written.map_ok(|written| {
            if written.len > 0 {
                world.frame_sent(&written.frame);
            }
            written.len
        })
    }
}

impl Stream for SimStream {
    fn begin_write(&mut self, at: Stamp, label: Label) {
        self.at = self.process.effective(at);
        self.label = label;
    }

    fn read_at(&self) -> Stamp {
        self.read_at
    }

    fn peer(&self) -> String {
        self.peer.clone()
    }
}

impl AsyncRead for SimStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.process.is_reaped() {
            return Poll::Pending;
        }
        let ends = (self.conn, self.end);
        let world = &self.world;
        let read = world.0.net.borrow_mut().poll_read(world, &self.process, ends, buf, cx);
        read.map(|(at, result)| {
            self.read_at = at;
            result
        })
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, &[io::IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let announced = self.at.max(self.read_at);
        let at = *self.shut_at.get_or_insert(announced);
        if !self.process.refuses(at) {
            let world = &self.world;
            world.0.net.borrow_mut().send_fin(world, self.conn, self.end, at);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        let at = self.closing_at();
        let world = &self.world;
        // After death the kernel has closed it already, or nobody has.
        if !self.process.refuses(at)
            && let Ok(mut net) = world.0.net.try_borrow_mut()
        {
            net.close(world, self.conn, self.end, at);
        }
    }
}

impl fmt::Debug for SimStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimStream({:?} to {})", self.process, self.peer)
    }
}

/// A port of one process. Dropping it refuses later connections and resets unaccepted ones.
pub struct SimListener {
    world: World,
    process: Rc<Process>,
    port: u16,
}

impl SimListener {
    pub(super) fn new(world: World, process: Rc<Process>, port: u16) -> SimListener {
        SimListener { world, process, port }
    }
}

impl Listener for SimListener {
    type Stream = SimStream;

    fn accept(&mut self) -> impl Future<Output = io::Result<(Stamp, SimStream)>> {
        std::future::poll_fn(|cx| {
            let (world, process) = (&self.world, &self.process);
            let polled = world.0.net.borrow_mut().poll_accept(process, self.port, cx);
            polled.map(|(at, conn)| {
                Ok((at, SimStream::new(world.clone(), process.clone(), conn, 1, at)))
            })
        })
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let process = &self.process;
        let at = process.moment();
        if !process.refuses(at)
            && let Ok(mut net) = self.world.0.net.try_borrow_mut()
        {
            net.unbind(&self.world, process.machine.id, self.port, at);
        }
    }
}

impl fmt::Debug for SimListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimListener({:?} on {})", self.process, self.port)
    }
}
