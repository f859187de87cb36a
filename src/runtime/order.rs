//! What whoever runs a server tells it while it runs, beside what is asked at its ports, and is told.

/// Told by a signal on the machine, by a line of a timeline in the simulator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// SIGTERM or SIGINT: it finishes what it has begun, and ends.
    Stop,
    /// SIGHUP, or a file of the configuration that has changed: it is read again.
    Reread,
    /// A leader gives its leadership to a follower. No signal says that on the machine: a word and a
    /// command of the admin port do.
    HandOver,
}

/// What the service manager that started a server hears of it (systemd's sd_notify).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Clients are served.
    Ready,
    /// The configuration is read anew; `Ready` follows.
    Reloading,
    /// The server is about to end.
    Stopping,
    /// The pump takes its inputs.
    Alive,
}
