//! What whoever runs a server tells it while it runs, beside what is asked at its ports.

/// Told by a signal on the machine, by a line of a timeline in the simulator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// SIGTERM or SIGINT: it finishes what it has begun, and ends.
    Stop,
    /// A leader gives its leadership to a follower. No signal says that on the machine: a word and a
    /// command of the admin port do.
    HandOver,
}
