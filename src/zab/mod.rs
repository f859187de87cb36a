//! Zab: a leader and its learners agree on one history.        (Junqueira, Reed, Serafini: DSN 2011)
//!
//! `packet.rs` is the vocabulary: every message of the quorum port as a value. `leader/` and
//! `learner/` are the two ends of it, both pure: inputs in, outputs out. `driver/` moves bytes.
//!
//! | phase           | leader                          | learner                                   |
//! |-----------------|---------------------------------|-------------------------------------------|
//! | discovery       | leader/discovery.rs             | FOLLOWERINFO, LEADERINFO, ACKEPOCH        |
//! | synchronisation | leader/sync.rs `choose_sync`    | learner/sync.rs: DIFF, TRUNC, SNAP        |
//! | broadcast       | leader/broadcast.rs `tally_acks`| learner/broadcast.rs: PROPOSAL, COMMIT    |
//!
//! The log, the epoch files and the tree are the [`Database`](crate::database::Database)'s and the
//! storage's; what must be durable before which packet leaves is decided here.

pub mod driver;
pub mod leader;
pub mod learner;
pub mod packet;
#[cfg(test)]
mod packet_test;

pub use packet::Packet;
