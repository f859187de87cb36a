//! The leader: discovery, synchronisation, broadcast.       (Zab 1.0; Leader.java, LearnerHandler.java)
//!
//!     Discovery --quorum of FOLLOWERINFO--> (acceptedEpoch durable) --LEADERINFO-->
//!     EpochAcks --quorum of ACKEPOCH--> (currentEpoch durable) -->
//!     Synchronisation --quorum of ACK(NEWLEADER)--> Broadcast
//!
//! Every learner has a [`handler::Handler`] with its own phase; the leader's phase is what a
//! quorum of them has reached.
//!
//! - I-1   an epoch is offered only when a quorum reported its accepted epoch, and only after
//!   our own acceptedEpoch file holds it (ZOOKEEPER-1291).
//! - I-12  a learner's first ACK is that of NEWLEADER; a proposal acked before it ends the link.
//! - S-14  a learner is registered for forwarding in the very step in which its history is
//!   queued: nothing fits in between (ZOOKEEPER-962).
//! - E-4   nobody leads without a vote.
//! - S-20  observers and strangers are counted nowhere: all counting is `quorum::AckSet`.
//! - LD-1  GiveUp is the last output of its step, and of the leadership: what still comes in is
//!   passed over, until `Stop` closes the learners' links.
//!
//! Not here: preparing transactions (`prepare`), bytes and sockets (`zab::driver`).

mod broadcast;
mod core;
#[cfg(test)]
mod core_test;
mod denials;
#[cfg(test)]
mod denials_test;
mod discovery;
#[cfg(test)]
mod discovery_test;
mod epochs;
mod figures;
mod handler;
#[cfg(test)]
mod history_test;
mod invariants;
mod keepalive;
mod outstanding;
mod progress;
mod proof;
mod speakers;
#[cfg(test)]
mod speakers_test;
mod succession;
#[cfg(test)]
mod succession_test;
mod sync;
#[cfg(test)]
mod sync_test;

pub use core::{HistoryRead, Input, Leader, Output};
pub use figures::LearnerFigures;
pub use outstanding::SyncOrigin;
pub use progress::SyncProgress;
pub use proof::SessionAt;
