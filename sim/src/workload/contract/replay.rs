//! Replays the committed history into the reference tree, transaction by transaction, and checks
//! each answer at the state that its zxid names. It also notes what the checks of watches need
//! later: what each transaction changed.

use std::collections::BTreeMap;
use std::iter::Peekable;

use quorate::base::Zxid;
use quorate::jute::client::event;
use quorate::jute::txn::{Proposal, Txn};

use super::linear_writes::{self, Expected, is_transaction};
use super::sequential_names::Names;
use super::watch_tables::{Mode, Table};
use super::{Evidence, Judgement, multi_atomic, node_state, reply, session_end, session_view};
use crate::workload::history::Record;
use crate::workload::model::{Change, Model};
use crate::workload::op::{Op, Rewatch};

/// What a transaction changed, for those who watch.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    pub(super) zxid: Zxid,
    pub(super) changes: Vec<Change>,
    /// A closeSession deletes its nodes in any order.
    pub(super) in_any_order: bool,
    pub(super) is_multi: bool,
}

/// What setting watches again must come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CatchUp {
    /// Kinds and paths of events for what has changed meanwhile.
    pub(super) events: Vec<(i32, String)>,
    pub(super) armed: Vec<(Table, String, Mode)>,
}

pub(super) struct Replayed {
    /// One for each transaction of the sequence.
    pub(super) changes: Vec<Changes>,
    /// By the number of the operation.
    pub(super) catch_ups: BTreeMap<usize, CatchUp>,
    /// The tree at the end.
    pub(super) model: Model,
}

struct Replay<'a, 'o> {
    evidence: &'a Evidence<'a>,
    model: Model,
    /// The last transaction, and the tree before it, if it was a multi.
    multi: Option<(&'a Proposal, Model)>,
    catch_ups: BTreeMap<usize, CatchUp>,
    out: &'o mut Judgement,
}

pub(super) fn replay(evidence: &Evidence<'_>, out: &mut Judgement) -> Replayed {
    let records = &evidence.history.records;
    let mut by_zxid: Vec<(Zxid, usize)> = Vec::new();
    for (n, record) in records.iter().enumerate() {
        // Without a zxid it was answered before it reached the tree.
        let Some(reply) = reply(record).filter(|reply| reply.zxid >= Zxid::ZERO) else { continue };
        // A state that a server that only reads has alone (C-10).
        if !record.read_only || evidence.is_a_state(reply.zxid) {
            by_zxid.push((reply.zxid, n));
        }
    }
    by_zxid.sort_unstable();
    let mut replies = by_zxid.into_iter().peekable();
    let mut names = Names::new(records);
    let mut changes = Vec::new();
    let (model, catch_ups) = (Model::default(), BTreeMap::new());
    let mut replay = Replay { evidence, model, multi: None, catch_ups, out };
    for proposal in evidence.sequence {
        replay.judge_below(&mut replies, proposal);
        names.check(evidence, proposal, &replay.model, replay.out);
        let at_it: Vec<usize> =
            std::iter::from_fn(|| replies.next_if(|(zxid, _)| *zxid == proposal.zxid()))
                .map(|(_, n)| n)
                .collect();
        changes.push(replay.transaction(proposal, &at_it));
    }
    if evidence.complete {
        for (_, n) in replies {
            replay.judge(n, None);
        }
    }
    Replayed { changes, catch_ups: replay.catch_ups, model: replay.model }
}

impl<'a> Replay<'a, '_> {
    /// Replies that saw the state before this transaction.
    fn judge_below<I>(&mut self, replies: &mut Peekable<I>, next: &'a Proposal)
    where
        I: Iterator<Item = (Zxid, usize)>,
    {
        while let Some((_, n)) = replies.next_if(|(zxid, _)| *zxid < next.zxid()) {
            self.judge(n, Some(next));
        }
    }

    fn transaction(&mut self, proposal: &'a Proposal, at_it: &[usize]) -> Changes {
        let records = &self.evidence.history.records;
        let expected: Vec<Option<Expected>> = at_it
            .iter()
            .map(|n| {
                let record = &records[*n];
                let writes = reply(record).is_some_and(|reply| is_transaction(record, &reply));
                writes.then(|| linear_writes::expect(&record.op, proposal, &self.model))
            })
            .collect();
        let is_multi = matches!(proposal.txn, Txn::Multi(_));
        self.multi = is_multi.then(|| (proposal, self.model.clone()));
        let was_closed = self.model.is_closed(proposal.header.client_id);
        let effects = self.model.apply(proposal);
        session_end::transaction(self.evidence, proposal, was_closed, &effects, self.out);
        node_state::digest(self.evidence, proposal, &self.model, self.out);
        for (n, expected) in at_it.iter().zip(expected) {
            match expected {
                Some(expected) => linear_writes::compare(
                    &records[*n],
                    proposal,
                    &expected,
                    &effects,
                    &self.model,
                    self.out,
                ),
                None => self.judge_at(*n, Some(proposal), None),
            }
        }
        Changes {
            zxid: proposal.zxid(),
            changes: effects.changes,
            in_any_order: matches!(proposal.txn, Txn::CloseSession(_)),
            is_multi,
        }
    }

    /// A reply that saw this state; `next` is the transaction that follows.
    fn judge(&mut self, n: usize, next: Option<&'a Proposal>) {
        let record = &self.evidence.history.records[n];
        if reply(record).is_some_and(|reply| is_transaction(record, &reply)) {
            return self.out.add_about("C-1", record, "no transaction was committed there");
        }
        self.judge_at(n, None, next);
    }

    /// A reply that is no transaction's.
    fn judge_at(&mut self, n: usize, at: Option<&Proposal>, next: Option<&'a Proposal>) {
        let record = &self.evidence.history.records[n];
        let Some(reply) = reply(record) else { return };
        session_end::answered(self.evidence.history, record, at, &self.model, self.out);
        if let Op::SetWatches(again) = &record.op {
            self.catch_ups.insert(n, catch_up(again, &self.model));
        }
        let wrong = session_view::wrong_read(record, &reply, &self.model);
        if let Some((id, words)) = wrong {
            let id = if self.is_torn(record, next) { "C-7" } else { id };
            self.out.add_about(id, record, &words);
        }
    }

    /// Whether what was read lies between two parts of the multi before or behind this state.
    fn is_torn(&self, record: &Record, next: Option<&Proposal>) -> bool {
        let Some(reply) = reply(record) else { return false };
        let fits = |tree: &Model| session_view::wrong_read(record, &reply, tree).is_none();
        let last = self.multi.as_ref().map(|(proposal, before)| (*proposal, before));
        let next = next.map(|proposal| (proposal, &self.model));
        let mut near = last.into_iter().chain(next);
        near.any(|(proposal, before)| multi_atomic::fits_between(before, proposal, fits))
    }
}

/// What has changed since these watches were set (DataTree.setWatches, facts 1.7).
fn catch_up(again: &Rewatch, tree: &Model) -> CatchUp {
    let mut result = CatchUp::default();
    let since = again.relative_zxid;
    let mut one = |table, path: &String, changed: Option<i32>| match changed {
        Some(kind) => result.events.push((kind, path.clone())),
        None => result.armed.push((table, path.clone(), Mode::Standard)),
    };
    for path in &again.data {
        let changed = match tree.stat(path) {
            None => Some(event::DELETED),
            Some(stat) => (stat.mzxid > since).then_some(event::DATA_CHANGED),
        };
        one(Table::Data, path, changed);
    }
    for path in &again.exist {
        one(Table::Data, path, tree.exists(path).then_some(event::CREATED));
    }
    for path in &again.child {
        let changed = match tree.stat(path) {
            None => Some(event::DELETED),
            Some(stat) => (stat.pzxid > since).then_some(event::CHILDREN_CHANGED),
        };
        one(Table::Child, path, changed);
    }
    for path in &again.persistent {
        result.armed.push((Table::Data, path.clone(), Mode::Persistent));
        result.armed.push((Table::Child, path.clone(), Mode::Persistent));
    }
    for path in &again.recursive {
        result.armed.push((Table::Data, path.clone(), Mode::Recursive));
    }
    result
}
