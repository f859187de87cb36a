//! Zab: a leader and its learners agree on one history.
//!
//! `packet.rs` is the vocabulary: every message of the quorum port as a value.

pub mod packet;
#[cfg(test)]
mod packet_test;

pub use packet::Packet;
