//! A learner: follower or observer of one leader.               (Learner.java, Follower.java, Observer.java)
//!
//!     Connecting --FOLLOWERINFO--> AwaitLeaderInfo --LEADERINFO--> (acceptedEpoch durable)
//!     --ACKEPOCH--> AwaitSync --DIFF | TRUNC | SNAP--> Syncing --NEWLEADER--> Persisting
//!     (history durable, then currentEpoch durable) --ACK--> AwaitUpToDate --UPTODATE--> Broadcast
//!
//! - S-18  an ACK leaves only when all it promises is durable: for NEWLEADER the history first,
//!   then currentEpoch, then the ack (ZOOKEEPER-4643, 4646).
//! - I-14  a COMMIT is for the oldest proposal we hold; anything else ends the link.
//! - SY-5  a snapshot from the leader is durable before anything is appended to the log.
//! - LN-1  GiveUp is the last output of its step, and of the role: what still comes in is passed
//!   over, until `Stop` closes the link.
//!
//! Not here: the socket (`zab::driver`), what a transaction does (`tree`).

mod broadcast;
mod core;
#[cfg(test)]
mod core_test;
mod discovery;
mod invariants;
mod members;
#[cfg(test)]
mod members_test;
mod sync;

pub use core::{Input, Learner, Output};
