//! Correct histories, bent: each in one place, so that it is none of a correct ensemble any more.

use std::collections::BTreeSet;

use quorate::base::Zxid;
use quorate::jute::client::code;
use quorate_sim::run::OwnedEvidence;
use quorate_sim::workload::op::Answer;
use quorate_sim::workload::{History, Op, Outcome, Record};

use crate::spec::path;

type Bend = fn(&OwnedEvidence) -> Vec<History>;

/// Each way to bend a history, in words; each gives one history for each place where it can.
pub(crate) const BENDS: [(&str, Bend); 4] = [
    ("a reply with another version", other_version),
    ("two writes swapped in real time", swapped),
    ("a lost write answered as done", lost_as_done),
    ("a session that sees an older state again", older_read),
];

/// The version a set told of, and the transaction that created its node.
fn told_set(record: &Record) -> Option<(i32, Zxid)> {
    match (&record.op, &record.outcome) {
        (Op::Set { .. }, Some(Outcome::Reply { answer: Some(Answer::Stat(stat)), .. })) => {
            Some((stat.version, stat.czxid))
        }
        _ => None,
    }
}

fn with(kept: &OwnedEvidence, bend: impl FnOnce(&mut [Record])) -> History {
    let mut history = kept.history.clone();
    bend(&mut history.records);
    history
}

fn other_version(kept: &OwnedEvidence) -> Vec<History> {
    let sets = kept.history.records.iter().enumerate().filter(|(_, r)| told_set(r).is_some());
    let bent = |n: usize| {
        with(kept, |records| {
            if let Some(Outcome::Reply { answer: Some(Answer::Stat(stat)), .. }) =
                &mut records[n].outcome
            {
                stat.version += 1;
            }
        })
    };
    sets.map(|(n, _)| bent(n)).collect()
}

fn replied_at(record: &Record) -> Option<u64> {
    match record.outcome {
        Some(Outcome::Reply { at, .. }) => Some(at.0),
        _ => None,
    }
}

/// Two sets of one node by two sessions, one done before the other was asked for.
fn swapped(kept: &OwnedEvidence) -> Vec<History> {
    let records = &kept.history.records;
    let mut bent = Vec::new();
    for (a, first) in records.iter().enumerate() {
        let Some((_, life)) = told_set(first) else { continue };
        let is_later = |second: &Record| {
            path(&second.op) == path(&first.op)
                && second.session != first.session
                && told_set(second).is_some_and(|(_, other)| other == life)
                && replied_at(first).is_some_and(|at| at < second.invoked.0)
        };
        let Some(b) = records.iter().position(is_later) else { continue };
        bent.push(with(kept, |records| {
            let (one, other) = (records[a].clone(), records[b].clone());
            retime(&mut records[a], &other);
            retime(&mut records[b], &one);
        }));
    }
    bent
}

/// As if it had been asked for and answered when the other was.
fn retime(record: &mut Record, as_other: &Record) {
    record.invoked = as_other.invoked;
    if let (Some(Outcome::Reply { at, .. }), Some(Outcome::Reply { at: when, .. })) =
        (&mut record.outcome, &as_other.outcome)
    {
        *at = *when;
    }
}

/// A write that never happened gets the reply that the next one on its node got.
fn lost_as_done(kept: &OwnedEvidence) -> Vec<History> {
    let happened: BTreeSet<_> =
        kept.sequence.iter().map(|p| (p.header.client_id, p.header.cxid)).collect();
    let records = &kept.history.records;
    let mut bent = Vec::new();
    for (n, lost) in records.iter().enumerate() {
        let Some(Outcome::Lost { at }) = lost.outcome else { continue };
        if !matches!(lost.op, Op::Set { version: -1, .. })
            || happened.contains(&(lost.session, lost.xid))
        {
            continue;
        }
        let is_next = |next: &&Record| {
            path(&next.op) == path(&lost.op) && next.invoked > at && told_set(next).is_some()
        };
        let Some(next) = records.iter().find(is_next) else { continue };
        let Some(Outcome::Reply { zxid, err: code::OK, answer, .. }) = next.outcome.clone() else {
            continue;
        };
        bent.push(with(kept, |records| {
            records[n].outcome = Some(Outcome::Reply { at, zxid, err: code::OK, answer });
        }));
    }
    bent
}

/// A read shows what its session saw before it saw something newer.
fn older_read(kept: &OwnedEvidence) -> Vec<History> {
    let data = |record: &Record| match &record.outcome {
        Some(Outcome::Reply { answer: Some(answer @ Answer::Data(..)), .. }) => {
            Some(answer.clone())
        }
        _ => None,
    };
    let records = &kept.history.records;
    let mut bent = Vec::new();
    for (n, read) in records.iter().enumerate() {
        let of_session = |r: &&Record| r.session == read.session && path(&r.op) == path(&read.op);
        let before: Vec<_> = records[..n].iter().filter(of_session).filter_map(data).collect();
        let (Some(_), Some(newest)) = (data(read), before.last()) else { continue };
        let Some(old) = before.iter().rfind(|old| *old != newest) else { continue };
        bent.push(with(kept, |records| {
            if let Some(Outcome::Reply { answer, .. }) = &mut records[n].outcome {
                *answer = Some(old.clone());
            }
        }));
    }
    bent
}
