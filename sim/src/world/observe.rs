//! What the world tells the laboratory.
//!
//! Calls come in the order in which tasks happen to run, which is not the order of stamps: sort
//! by (`at`, server, `n`). `n` counts the calls about one server, over all its incarnations.

use std::fmt::Display;

use quorate::base::{Broken, Note, ServerId, Stamp};
use quorate::runtime::{Halt, Label};

/// What a fault has done to a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerChange {
    Started,
    /// By a kill or a power loss.
    Died,
    /// Its disk was emptied.
    Wiped,
    Paused,
    Resumed,
    /// A copy of its disk was put aside.
    DiskSaved,
    /// Its disk became that copy, or a copy of this server's.
    DiskPut {
        from: Option<ServerId>,
    },
}

/// Watches a world. Every method has an empty default. It may call back into the world.
pub trait Observer {
    fn note(&self, at: Stamp, server: ServerId, n: u64, note: &Note) {
        let _ = (at, server, n, note);
    }

    /// A fault has done this to a server.
    fn changed(&self, at: Stamp, server: ServerId, change: ServerChange) {
        let _ = (at, server, change);
    }

    /// One line of a server's trace. Called only when `WorldOptions::trace` is set.
    fn trace(&self, at: Stamp, server: ServerId, n: u64, line: &dyn Display) {
        let _ = (at, server, n, line);
    }

    /// A process ended itself: `Runtime::halt`, or its main future returned (exit code 0).
    fn halted(&self, at: Stamp, server: ServerId, n: u64, halt: &Halt) {
        let _ = (at, server, n, halt);
    }

    /// A task of this server panicked: an assertion. The process dies of it.
    fn panicked(&self, at: Stamp, server: ServerId, n: u64, broken: &Broken) {
        let _ = (at, server, n, broken);
    }

    /// A frame was handed to the network. `at` is when it left.
    fn sent(&self, at: Stamp, from: &str, to: &str, label: Label) {
        let _ = (at, from, to, label);
    }

    /// The last byte of a frame reached the other host. `sent` is the `at` of the call above.
    fn delivered(&self, sent: Stamp, at: Stamp, from: &str, to: &str, label: Label) {
        let _ = (sent, at, from, to, label);
    }

    /// A sync of a file or a directory begins; `n` tells it from all others of this server's disk.
    fn sync_began(&self, at: Stamp, server: ServerId, n: u64) {
        let _ = (at, server, n);
    }

    /// It ended; the process has not heard of it yet. `saved`: names of the files whose content, or
    /// whose names, it made durable. A sync whose process dies before never ends.
    fn sync_ended(&self, at: Stamp, server: ServerId, n: u64, failed: bool, saved: &[String]) {
        let _ = (at, server, n, failed, saved);
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {}
