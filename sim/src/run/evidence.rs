//! What the contract is checked with at the end of a run, kept for a test (tests/linearizable). The
//! test runs a checker of linearizability from outside on the same history, and both on histories
//! that it has falsified.

use std::collections::BTreeSet;

use quorate::base::ServerId;
use quorate::jute::txn::Proposal;

use crate::checkers::LeaderDeeds;
use crate::workload::History;
use crate::workload::contract::Evidence;

/// [`Evidence`] that owns what it is about.
#[derive(Clone, Debug)]
pub struct OwnedEvidence {
    pub history: History,
    /// The committed transactions, oldest first.
    pub sequence: Vec<Proposal>,
    pub complete: bool,
    pub observers: BTreeSet<ServerId>,
    pub deeds: LeaderDeeds,
    pub strict_sync: bool,
}

impl OwnedEvidence {
    pub fn evidence(&self) -> Evidence<'_> {
        Evidence {
            history: &self.history,
            sequence: &self.sequence,
            complete: self.complete,
            observers: &self.observers,
            deeds: &self.deeds,
            strict_sync: self.strict_sync,
        }
    }
}
