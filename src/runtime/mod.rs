//! The whole outside world, injected: network, disk, clocks, entropy, tasks, the end of the process.
//!
//! Two worlds implement it: [`os`] (sockets, files, the machine's clocks) and the simulator's
//! `World`. Drivers take `R: Runtime`; cores never see it.
//!
//! **Event time.** Whatever happens carries the [`Stamp`] at which it happened: data read from a
//! stream, an accepted connection, a finished disk operation. Effects carry the stamp of the event
//! that caused them (`Stream::begin_write`, `Lane::begin`). On the machine a stamp is simply the
//! monotonic clock; in the simulator it is computed, so that the order in which tasks happen to
//! run decides nothing.
//!
//! Not here: what any of it means.

pub mod accept;
mod disk;
mod environment;
pub mod link;
mod log;
mod net;
mod order;
pub mod os;
pub mod tls;

pub use disk::{DirEntry, File, FilePermissions, Lane, OpenMode};
pub use environment::Environment;
pub use log::{LogFormat, LogSettings};
pub use net::{ClientSockets, HostPort, Label, LabelKind, Listener, Stream, ip_of};
pub use order::{Notice, Order};

use std::fmt;
use std::future::{self, Future};
use std::io;
use std::mem;
use std::path::PathBuf;
use std::task::Poll;
use std::time::Duration;

use crate::base::{Mono, Note, Now, Stamp};
use tls::{ClientTls, ServerTrust, TlsPort};

/// What a random number is for. Part of its key, so that one more draw for one purpose
/// changes no draw for another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Purpose {
    /// Ensemble and instance ids of the guard file.
    Identity,
    /// How long a committed transaction waits before it is applied (simulator only).
    ApplyDelay,
    /// What the nonces of SASL are made of: nobody may be able to guess it.
    SaslNonce,
    /// Which new sessions a server turns away while it has too many (BlueThrottle).
    ConnectionThrottle,
    /// In which order a client tries its servers.
    ServerOrder,
}

/// Which queue of the disk an operation belongs to. Operations of one lane run one after
/// another; lanes run beside each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LaneId {
    /// Txn log, epoch files, guard file, truncation: what an ack waits for.
    Log,
    /// Snapshots and purging.
    Snapshot,
    /// Old transactions, read for learners.
    History,
    /// The floor file: nobody waits for it.
    Floor,
}

/// Why a process ends. The number is Apache's exit code (ExitCode.java).
#[derive(Clone, PartialEq, Eq)]
pub struct Halt {
    pub exit_code: i32,
    pub why: String,
    /// The file that is to blame, if `why` blames one.
    pub file: Option<BadFile>,
}

/// A file over which a process ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadFile {
    pub path: PathBuf,
    /// How an operation on it failed; `None` if what stands in it is wrong.
    pub failed: Option<io::ErrorKind>,
}

impl Halt {
    pub fn new(exit_code: i32, why: impl Into<String>) -> Halt {
        Halt { exit_code, why: why.into(), file: None }
    }

    /// ExitCode.UNEXPECTED_ERROR: a failed fsync, an assertion.
    pub fn unexpected(why: impl Into<String>) -> Halt {
        Halt::new(1, why)
    }
}

/// Without the file, which stands in `why`: this is a line of the trace.
impl fmt::Debug for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Halt { exit_code, why, .. } = self;
        f.debug_struct("Halt").field("exit_code", exit_code).field("why", why).finish()
    }
}

/// One server's view of the world. Cheap to clone.
pub trait Runtime: Clone + 'static {
    type Stream: Stream;
    type Listener: Listener<Stream = Self::Stream>;
    type Lane: Lane;

    /// The present, as a stamp. For drivers that start something by themselves; an input's own
    /// stamp is always better.
    fn stamp(&self) -> Stamp;
    /// This server's clocks at that moment.
    fn now_at(&self, at: Stamp) -> Now;
    /// The moment at which this server's monotonic clock shows `mono`.
    fn stamp_of(&self, mono: Mono) -> Stamp;
    /// When this process notices an instant that it set itself: later than `at` if it slept
    /// through it, and in one order with the inputs that it slept through.
    fn noticed_at(&self, at: Stamp) -> Stamp {
        at
    }
    /// When something is over that began at `at` and was not waited for. Where steps take time it is
    /// the present: otherwise what a step causes would stand before all that came during the step.
    fn done_at(&self, at: Stamp) -> Stamp {
        at
    }
    /// How long the pump lets an instant settle before it takes its inputs (zero on the machine).
    fn settle(&self) -> Duration;
    /// How long a committed transaction waits before it is applied (zero on the machine).
    fn apply_delay(&self, n: u64) -> Duration;
    /// How long a step of the pump with so many outputs takes; `None` where it takes the time that it
    /// takes (on the machine). The next step comes no earlier.
    fn step_time(&self, _outputs: usize) -> Option<Duration> {
        None
    }
    /// The `n`-th random number for this purpose on this server; on the machine, of the kernel's
    /// generator.
    fn random_u64(&self, what: Purpose, n: u64) -> u64;

    /// Runs a task on this server's thread until it ends or the server dies.
    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + 'static);
    /// Sleeps until the world's clock has reached `at`.
    fn sleep_until(&self, at: Stamp) -> impl Future<Output = ()>;
    /// The other tasks of this server run before it goes on.
    fn give_way(&self) -> impl Future<Output = ()> {
        let mut has_waited = false;
        future::poll_fn(move |cx| {
            if mem::replace(&mut has_waited, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }
    /// The end of this process. On the machine it does not return; in the simulator it crashes
    /// the node, and the caller's future is dropped at its next await.
    fn halt(&self, why: Halt);

    /// From now on `take` is called with what this process is told, and when it was told.
    fn take_orders(&self, _take: impl Fn(Stamp, Order) + 'static) {}

    /// Tells the service manager, if there is one that wants to hear it.
    fn notify(&self, _notice: Notice) {}
    /// How often the manager wants to hear that the pump lives; `None`: not at all.
    fn sign_of_life_every(&self) -> Option<Duration> {
        None
    }

    /// Opens a connection; the address is resolved anew at every call. `at` is the stamp of the
    /// event that asked for it. Fails with `TimedOut` after `timeout`. Returns when it was open.
    /// An error says why in words, without the address, which the caller knows.
    fn connect(
        &self,
        at: Stamp,
        to: &HostPort,
        timeout: Duration,
    ) -> impl Future<Output = (Stamp, io::Result<Self::Stream>)>;
    /// The same with TLS inside: a connection is open once its handshake is done. Files that cannot be
    /// used are an `InvalidInput`.
    fn connect_tls(
        &self,
        at: Stamp,
        _to: &HostPort,
        _timeout: Duration,
        _tls: &ServerTrust,
    ) -> impl Future<Output = (Stamp, io::Result<Self::Stream>)> {
        let error = io::Error::new(io::ErrorKind::Unsupported, "no TLS in this world");
        future::ready((at, Err(error)))
    }
    /// Listens. `AddrInUse` is an error, and so is a name that does not resolve: `NotFound`.
    fn listen(&self, on: &HostPort) -> impl Future<Output = io::Result<Self::Listener>>;
    /// The same for clients, who share what connections a process may have with nobody else.
    fn listen_clients(&self, on: &HostPort) -> impl Future<Output = io::Result<Self::Listener>> {
        self.listen(on)
    }
    /// Listens for TLS. A connection is accepted once its handshake is done; one that fails is
    /// logged and never seen here. While it is under way it counts for `per_address_max`, the
    /// connections of one address (0 is no limit), together with those that are open. Files that
    /// cannot be used are an `InvalidInput`.
    fn listen_tls(
        &self,
        _on: &HostPort,
        _tls: &ClientTls,
        _port: TlsPort,
        _per_address_max: u32,
    ) -> impl Future<Output = io::Result<Self::Listener>> {
        future::ready(Err(io::Error::new(io::ErrorKind::Unsupported, "no TLS in this world")))
    }
    /// A handle on one queue of this server's disk.
    fn disk(&self, lane: LaneId) -> Self::Lane;

    /// Where this server runs. Nothing is known of the simulator's world.
    fn environment(&self) -> Environment {
        Environment::default()
    }
    /// File descriptors of this process: open ones, and how many it may have. `None` is not known.
    fn file_descriptors(&self) -> Option<(u64, u64)> {
        None
    }

    /// Tells whoever watches. `at` is the stamp of the step that emitted the note.
    fn observe(&self, at: Stamp, note: Note);
    /// One line of the trace: an input or output of the pump. Never called when `traces` is false.
    fn trace(&self, at: Stamp, line: &dyn fmt::Display);
    fn traces(&self) -> bool;
}
