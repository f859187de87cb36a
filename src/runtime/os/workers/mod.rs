//! Threads for the sockets of clients: TLS, reading and writing, beside the one that decides.
//!
//! | file       | what it is                                                        |
//! |------------|-------------------------------------------------------------------|
//! | `bell.rs`  | waking tasks of another thread, many at once                      |
//! | `pipe.rs`  | a connection between two threads                                  |
//! | `carry.rs` | its bytes, between the pipe and the socket                        |
//!
//! Each worker is an event loop of its own. A connection stays with the worker that it was given to, in
//! turn, and its stream is an end of a pipe: nothing above a stream knows of workers. One alone carries
//! out handshakes of TLS, and the connection comes back to the pump's thread. They begin with the first
//! port that needs them and end with the server. A panic on one is the end of the process.
//!
//! Not here: who is let in (`net.rs`, `tls/accept.rs`), how many workers there are (config).

mod bell;
mod carry;
mod pipe;
#[cfg(test)]
mod pipe_test;

pub(super) use pipe::PumpEnd;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::thread::{self, JoinHandle};

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use super::halt::guarded;
use super::slots::Slot;
use super::socket::Socket;
use super::tls::Pace;
use bell::{Bell, Ringer};
use carry::carry;

/// A worker's stack: a handshake needs the most of it.
const STACK_BYTES: usize = 512 * 1024;

/// Fewer carry out handshakes and no more: to hand bytes over costs as much as to read and write them,
/// and where there are two cores there is none to spare for it (decision 0016).
pub(super) const CARRIERS_MIN: usize = 2;

/// The workers of one server.
#[derive(Debug)]
pub(super) struct Workers {
    all: Vec<Rc<Worker>>,
    next: Cell<usize>,
}

/// One of them, as the pump's thread sees it.
#[derive(Debug)]
pub(super) struct Worker {
    handle: Handle,
    ringer: Ringer,
    to_pump: Bell,
    /// Of the handshakes that it carries out.
    pace: Pace,
    thread: RefCell<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl Workers {
    /// Begins so many threads. Called by a task of the pump's thread.
    pub(super) fn begin(count: usize) -> io::Result<Workers> {
        let to_pump = Bell::default();
        tokio::task::spawn_local(guarded("bell of the pump", to_pump.clone().listen()));
        let all = (0..count).map(|n| Worker::begin(n, to_pump.clone()).map(Rc::new));
        Ok(Workers { all: all.collect::<io::Result<_>>()?, next: Cell::new(0) })
    }

    /// They have the connections of clients, and not only their handshakes.
    pub(super) fn carry_all(&self) -> bool {
        self.all.len() >= CARRIERS_MIN
    }

    /// Whose turn it is.
    pub(super) fn next(&self) -> Rc<Worker> {
        let next = self.next.get() % self.all.len();
        self.next.set(next + 1);
        self.all[next].clone()
    }

    /// Ends them, and what they carry.
    pub(super) fn end(&self) {
        let threads: Vec<_> = self.all.iter().filter_map(|worker| worker.thread.take()).collect();
        let (stops, threads): (Vec<_>, Vec<_>) = threads.into_iter().unzip();
        drop(stops);
        for thread in threads {
            // One that has panicked has ended too.
            let _ = thread.join();
        }
    }
}

impl Worker {
    fn begin(n: usize, to_pump: Bell) -> io::Result<Worker> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let ringer = Ringer::default();
        let (stop, stopped) = oneshot::channel();
        let bell = ringer.bell();
        let thread = thread::Builder::new()
            .name(format!("clients {n}"))
            .stack_size(STACK_BYTES)
            .spawn(move || work(runtime, bell, stopped))?;
        tokio::task::spawn_local(guarded("bell of a worker", ringer.clone().run()));
        let thread = RefCell::new(Some((stop, thread)));
        Ok(Worker { handle, ringer, to_pump, pace: Pace::default(), thread })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(super) fn pace(&self) -> Pace {
        self.pace.clone()
    }

    /// A socket that this thread's event loop had is one of the worker's.
    pub(super) fn adopt(&self, tcp: TcpStream) -> io::Result<TcpStream> {
        let tcp = tcp.into_std()?;
        let _entered = self.handle.enter();
        TcpStream::from_std(tcp)
    }

    /// Has the worker carry a socket of its own; what comes back is the stream.
    pub(super) fn give(&self, socket: Socket, slot: Slot) -> PumpEnd {
        let (pump_end, worker_end) = pipe::pipe(self.ringer.clone(), self.to_pump.clone());
        self.handle.spawn(guarded("client connection", carry(socket, worker_end, slot)));
        pump_end
    }
}

/// A worker's thread.
fn work(runtime: Runtime, bell: Bell, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        tokio::select! {
            biased;
            _ = stopped => {}
            () = bell.listen() => {}
        }
    });
    // A name that is looked up, say, ends when it does.
    runtime.shutdown_background();
}
