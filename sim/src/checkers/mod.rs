//! The properties that must hold in every run, whatever the scenario does.
//!
//! A checker gets the facts of a run one by one, in the order (stamp, server, n). For each fact it
//! is called twice: before and after the ghost state takes the fact in. It compares the fact with
//! the ghost state, and adds a violation if its property does not hold. What a fact costs does not
//! grow with the length of the run. Each property has a file, whose first line begins with its id.
//!
//! The properties are stated so that they cannot hold for nothing: a transaction is never compared
//! with itself, and observers have to agree like followers.
//!
//! Not here: what clients are promised (`workload::contract`, C-1 to C-10); and when the deadlines
//! of `liveness.rs` are looked at, which `run` decides, because they can pass without any fact.

mod agreement;
mod checker;
mod commit_consistency;
mod committed_durability;
mod contiguity;
mod election_agreement;
mod epoch_sanity;
mod equal_state;
mod fact;
pub mod ghost;
mod global_primary_order;
mod history_consistency;
mod initial_history;
mod integrity;
mod leader_completeness;
mod leader_deeds;
pub mod liveness;
mod local_primary_order;
pub mod log;
mod memory_behind_log;
mod message_legality;
mod primary_integrity;
mod primary_uniqueness;
mod quorum_evidence;
mod quorum_intersection;
mod recovery_equivalence;
mod session_expiry;
mod short_steps;
mod single_writer;
mod step_down;
#[cfg(test)]
pub(crate) mod testing;
mod total_order;
mod truthful_ack;
mod vote_monotone;
mod vote_order;
mod voters_only;
mod winner_dominance;

pub use checker::{Checker, Findings, Violation, sentence};
pub use fact::{Event, Fact, Rebuilt};
pub use ghost::Ghost;
pub use leader_deeds::LeaderDeeds;

use std::collections::BTreeMap;
use std::fmt;

use quorate::base::{Note, ServerId, Zxid};

use crate::scenario::Ensemble;
use checker::note;

/// All of them, on one ghost state.
pub struct Checkers {
    pub ghost: Ghost,
    pub deeds: LeaderDeeds,
    checkers: Vec<Box<dyn Checker>>,
    findings: Findings,
}

impl fmt::Debug for Checkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkers").field("findings", &self.findings).finish_non_exhaustive()
    }
}

impl Checkers {
    /// `disks` as [`Ghost::new`] takes them.
    pub fn new(ensemble: &Ensemble, disks: &BTreeMap<ServerId, Vec<(Zxid, u64)>>) -> Checkers {
        let checkers: Vec<Box<dyn Checker>> = vec![
            Box::new(primary_uniqueness::PrimaryUniqueness::default()),
            Box::new(integrity::Integrity),
            Box::new(agreement::Agreement),
            Box::new(total_order::TotalOrder),
            Box::new(local_primary_order::LocalPrimaryOrder),
            Box::new(global_primary_order::GlobalPrimaryOrder),
            Box::new(primary_integrity::PrimaryIntegrity::default()),
            Box::new(initial_history::InitialHistory),
            Box::new(commit_consistency::CommitConsistency),
            Box::new(history_consistency::HistoryConsistency),
            Box::new(message_legality::MessageLegality::default()),
            Box::new(leader_completeness::LeaderCompleteness),
            Box::new(committed_durability::CommittedDurability),
            Box::new(epoch_sanity::EpochSanity),
            Box::new(contiguity::Contiguity),
            Box::new(memory_behind_log::MemoryBehindLog::default()),
            Box::new(equal_state::EqualState),
            Box::new(recovery_equivalence::RecoveryEquivalence),
            Box::new(truthful_ack::TruthfulAck),
            Box::new(single_writer::SingleWriter::default()),
            Box::new(quorum_evidence::QuorumEvidence),
            Box::new(quorum_intersection::QuorumIntersection::default()),
            Box::new(election_agreement::ElectionAgreement::default()),
            Box::new(vote_order::VoteOrder::default()),
            Box::new(winner_dominance::WinnerDominance),
            Box::new(voters_only::VotersOnly),
            Box::new(vote_monotone::VoteMonotone::default()),
            Box::new(step_down::StepDown::default()),
            Box::new(session_expiry::SessionExpiry::default()),
            Box::new(short_steps::ShortSteps),
        ];
        Checkers {
            ghost: Ghost::new(ensemble, disks),
            deeds: LeaderDeeds::default(),
            checkers,
            findings: Findings::default(),
        }
    }

    /// Takes in the next fact; stamps never go back.
    pub fn take(&mut self, fact: &Fact) {
        if let Event::Note(Note::Broken { id, what }) = &fact.event {
            self.findings.add(id, fact, &[], format!("the server's own assertion: {what}"));
        }
        for checker in &mut self.checkers {
            checker.before(&self.ghost, fact, &mut self.findings);
        }
        self.ghost.advance(fact);
        self.deeds.take(fact);
        for checker in &mut self.checkers {
            checker.after(&self.ghost, fact, &mut self.findings);
        }
    }

    pub fn violations(&self) -> &[Violation] {
        self.findings.found()
    }
}
