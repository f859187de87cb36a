//! Fast leader election: which server shall lead the next epoch.            (before Zab phase 1)
//!
//! ZooKeeper's FastLeaderElection over QuorumCnxManager, on the election port (3888).
//!
//! A server that is LOOKING votes for itself, tells every voter, and changes its vote whenever it
//! hears a better one; it tells each change, so votes are relayed. When a quorum of voters names
//! the same candidate and nobody better turns up for `finalize_wait`, that candidate LEADs and
//! the others FOLLOW. A server that comes late finds a quorum that FOLLOWs one leader, hears from
//! that leader that it is LEADING, and joins without a vote.
//!
//! | file      | what it decides                                                             |
//! |-----------|-----------------------------------------------------------------------------|
//! | packet.rs | notifications and the handshake of an election connection, as bytes         |
//! | vote.rs   | which of two votes is better, and which two votes say the same              |
//! | core.rs   | rounds, when an election is over, what to answer (pure)                     |
//! | tally.rs  | which voters stand behind a vote (pure)                                     |
//! | agreement.rs | when nobody can have a better vote any more (pure)                       |
//! | links.rs  | one connection per pair of servers, the newest message wins (pure)          |
//!
//! The winner has only been *named* here. Whether it becomes a leader is decided by Zab: it must
//! gather a quorum for a new epoch, and its history must be the longest among that quorum.
//!
//! - E-2  votes are ordered by (peer_epoch, zxid, sid): a strict total order
//! - E-4  observers, strangers, servers of weight 0 and uninitialised servers neither count nor win
//! - E-5  within a round a vote only improves
//!
//! Not here: sockets and timers (the driver), the state of the peer (`peer`), what a configuration
//! heard from another server says (`quorum`).

mod agreement;
pub mod core;
pub mod driver;
pub mod links;
pub mod packet;
mod tally;
mod trace;
pub mod vote;

pub use self::core::Election;
pub use self::links::Links;
pub use self::packet::{Handshake, Notification, PacketError, PeerState};
pub use self::vote::Vote;

#[cfg(test)]
mod start_order_test;
#[cfg(test)]
mod test_ensemble;
