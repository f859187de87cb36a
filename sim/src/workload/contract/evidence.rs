//! What the checks of the contract are given, and the list in which they put the violations they
//! find.

use std::collections::{BTreeMap, BTreeSet};

use quorate::base::{ServerId, Stamp, Zxid};
use quorate::jute::txn::{Proposal, Txn, kind};

use crate::checkers::{LeaderDeeds, Violation};
use crate::workload::history::{History, Outcome, Record};
use crate::workload::op::Answer;

/// All there is to judge by.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    pub history: &'a History,
    /// The committed transactions, oldest first.
    pub sequence: &'a [Proposal],
    /// Whether the sequence is known to its end.
    pub complete: bool,
    pub observers: &'a BTreeSet<ServerId>,
    pub deeds: &'a LeaderDeeds,
    /// A sync must find everything that was done when it was asked for, whoever leads.
    pub strict_sync: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    pub found: Vec<Violation>,
    /// By id: how many things were compared.
    pub compared: BTreeMap<&'static str, u64>,
}

const FOUND_MAX: usize = 20;

impl Judgement {
    pub(super) fn add(&mut self, id: &str, at: Stamp, server: ServerId, words: String) {
        if self.found.len() < FOUND_MAX {
            let servers = vec![server];
            self.found.push(Violation { id: id.into(), words, at, servers, line: None });
        }
    }

    /// About one operation.
    pub(super) fn add_about(&mut self, id: &str, record: &Record, words: &str) {
        let (at, zxid) = reply(record).map_or((record.invoked, Zxid::ZERO), |r| (r.at, r.zxid));
        let what = format!("{:?} of client {} at {zxid}: {words}", record.op, record.client);
        self.add(id, at, record.server, what);
    }

    pub(super) fn count(&mut self, id: &'static str) {
        *self.compared.entry(id).or_default() += 1;
    }
}

/// The answer to an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply<'a> {
    pub(super) at: Stamp,
    pub(super) zxid: Zxid,
    pub(super) err: i32,
    pub(super) answer: Option<&'a Answer>,
}

pub(super) fn reply(record: &Record) -> Option<Reply<'_>> {
    match &record.outcome {
        Some(Outcome::Reply { at, zxid, err, answer }) => {
            Some(Reply { at: *at, zxid: *zxid, err: *err, answer: answer.as_ref() })
        }
        _ => None,
    }
}

/// Whether a transaction changed nothing because it, or a part of it, failed.
pub(super) fn has_failed(txn: &Txn) -> bool {
    match txn {
        Txn::Multi(parts) => parts.iter().any(|(kind, _)| *kind == kind::ERROR),
        txn => txn.is_error(),
    }
}

impl Evidence<'_> {
    /// Whether a server can have stood at this zxid: it is committed, or the beginning of an epoch.
    pub(super) fn is_a_state(&self, zxid: Zxid) -> bool {
        let known = || self.sequence.binary_search_by_key(&zxid, Proposal::zxid).is_ok();
        !self.complete || zxid <= Zxid::ZERO || zxid.counter() == 0 || known()
    }
}

/// The server of a record, for findings that have nothing better.
pub(super) fn about_nobody(evidence: &Evidence<'_>) -> (Stamp, ServerId) {
    let last = evidence.history.records.iter().map(|record| record.invoked).max();
    (last.unwrap_or(Stamp(0)), ServerId(0))
}
