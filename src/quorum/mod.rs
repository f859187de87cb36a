//! Who votes, what a quorum is, and the one place where votes and acks are counted.
//!
//! Every vote, epoch ack, NEWLEADER ack and proposal ack goes through [`AckSet::add`] and
//! [`AckSet::has_quorum`] (QuorumMaj, QuorumHierarchical, SyncedLearnerTracker).
//!
//! - S-20  only distinct voters of the configuration count; observers and strangers never do.
//! - E-4   a server of weight 0 is counted nowhere and never wins.
//!
//! The members are fixed as long as the process lives. The version of their configuration is not:
//! it is learnt from servers that know a newer one of the same members ([`ConfigNews`]).

mod ack_set;
mod config_news;
mod museum;
mod verifier;

pub use ack_set::AckSet;
pub use config_news::ConfigNews;
pub use verifier::QuorumVerifier;
