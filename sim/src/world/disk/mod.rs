//! The simulated disk of one machine: files, names, and what of both is durable.
//!
//! An operation takes a keyed time on its lane and has its effect when it ends, as a hub event:
//! `on_disk` is the only place where a file changes. Until then it can be cut off by a death.
//! Operations are numbered a lane and an incarnation, so that one lane's work changes no other
//! lane's draws.
//!
//! A write goes to the page cache. A device with a throughput is busy with the bytes that a sync
//! makes durable, or that are read; it serves one operation at a time, of whatever lane, in the
//! order in which they began.
//!
//! - DI-1  what a successful sync covered survives every crash
//! - DI-2  a name survives a power loss only if its directory was synced after the change
//! - DI-3  nothing that a dead process asked for later than its death happens
//!
//! Directories themselves are durable at once, and a rename between two directories is durable
//! in both: neither occurs in a data directory at work.
//!
//! `file` is the content of one file, `file_system` all that is on the disk, `device` the disk with
//! its operations; `crash` is what a power loss leaves, `failures` what fails, `faults` how the
//! laboratory makes it so; drivers hold a `lane`.

mod crash;
mod cursor;
mod device;
mod dispatch;
mod failures;
mod faults;
mod file;
mod file_system;
mod lane;

pub use crash::Unsynced;
pub(crate) use cursor::LaneCursor;
pub(crate) use device::Disk;
pub use faults::DiskImage;
pub(crate) use file::Content;
pub use lane::{SimFile, SimLane};
