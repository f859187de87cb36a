//! Who votes, what a quorum is, and the one place where votes and acks are counted.
//!
//! Every vote, epoch ack, NEWLEADER ack and proposal ack goes through [`AckSet::add`] and
//! [`AckSet::has_quorum`] (QuorumMaj, QuorumHierarchical, SyncedLearnerTracker).
//!
//! - S-20  only distinct voters of the configuration count; observers and strangers never do.
//! - E-4   a server of weight 0 is counted nowhere and never wins.

mod ack_set;
mod museum;
mod verifier;

pub use ack_set::AckSet;
pub use verifier::QuorumVerifier;
