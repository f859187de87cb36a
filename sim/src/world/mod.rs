//! The simulated world: networks, disks and clocks that a seed decides, on madsim's executor.
//!
//! [`World`] is the laboratory's handle: hosts, processes, faults. [`SimRuntime`] is what one
//! process sees: `quorate::runtime::Runtime`. madsim runs the tasks and moves virtual time;
//! everything that can matter is computed here, in stamps, from keyed draws (`draw`).
//!
//! - WO-1  an event reaches its reader no later than LATE after its stamp ([`World::late_events`])
//! - WO-2  what a step causes arrives at least LATENCY_MIN later, so SETTLE is enough to wait
//! - WO-3  a fault takes effect at its stamp, in the queue's order, before deliveries of that stamp
//! - WO-4  a dead process has done what inputs up to its death caused, and nothing later
//!
//! Faults: `lifecycle` (crash, pause), `net::faults`, `disk::faults`, clocks in `handle`. A fault
//! called inside [`World::at`] happens at exactly that stamp; called elsewhere, it happens now.
//!
//! Files, lowest first: `time`, `clock`, `observe`, `machine`, `process`, `queue`; the parts of `net`
//! and `disk` that know no world; `handle`; what works with it: the rest of `net` and `disk`, `sleep`,
//! `task`, `runtime`, `lifecycle`; `executor`.
//!
//! Not here: what faults to apply when, what to check (`scenario`, `checkers`).

mod clock;
mod disk;
mod executor;
mod handle;
mod lifecycle;
mod machine;
mod net;
mod observe;
mod process;
mod queue;
mod runtime;
mod sleep;
mod task;
#[cfg(test)]
mod tests;
mod time;

pub use clock::RATE_ONE;
pub(crate) use disk::Content;
pub use disk::{DiskImage, SimFile, SimLane, Unsynced};
pub use handle::{SOCKET_BUFFER, World, WorldOptions};
pub use lifecycle::Program;
pub use machine::{ServerPorts, server_name};
pub use net::{Plane, RETRANSMIT_WAIT_MAX, SimListener, SimStream};
pub use observe::{NoObserver, Observer, ServerChange};
pub use process::CrashMode;
pub use runtime::SimRuntime;
pub use sleep::Sleep;
pub use time::{LATE, LATENCY_MIN, SETTLE};
