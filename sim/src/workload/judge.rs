//! What clients saw, against the committed sequence.
//!
//! - C-1  writes are linearizable: a write's zxid is above that of every write that had completed
//!   when it was asked for, and its result is what the reference tree gives at that place
//! - C-2  a session sees a monotone view in its own order: reply zxids never fall, and every read
//!   is the reference tree at the reply's zxid
//! - C-5  (second half) a closed session owns nothing, then and later; and a client is told that
//!   its session is over only if it was closed
//!
//! The zxid is the witness, so nothing has to be searched: one pass over the sequence.

use std::collections::BTreeMap;

use quorate::base::{ServerId, SessionId, Stamp, Zxid};
use quorate::jute::client::code;
use quorate::jute::txn::{Proposal, Txn};

use super::history::{History, Outcome, Record};
use super::model::Model;
use super::op::{Answer, Op, is_tree_error};
use crate::checkers::Violation;

/// Judges a whole history against the committed sequence, oldest first. `complete` is false if
/// the sequence is known only in part.
pub fn judge(history: &History, sequence: &[Proposal], complete: bool) -> Vec<Violation> {
    let mut judge = Judge { found: Vec::new() };
    for complaint in &history.complaints {
        judge.add(complaint.id, complaint.at, complaint.server, complaint.words.clone());
    }
    judge.write_order(history);
    judge.monotone_views(history);
    judge.replay(history, sequence, complete);
    judge.found
}

struct Judge {
    found: Vec<Violation>,
}

const FOUND_MAX: usize = 20;

impl Judge {
    fn add(&mut self, id: &str, at: Stamp, server: ServerId, words: String) {
        if self.found.len() < FOUND_MAX {
            self.found.push(Violation { id: id.into(), words, at, servers: vec![server] });
        }
    }

    /// C-1: real time order of writes is their zxid order.
    fn write_order(&mut self, history: &History) {
        let mut events: Vec<(Stamp, bool, usize)> = Vec::new();
        for (n, record) in history.records.iter().enumerate() {
            let Some((at, zxid, err, _)) = reply(record) else { continue };
            if record.op.is_write() && zxid > Zxid::ZERO && (err == 0 || is_tree_error(err)) {
                // At one stamp, what is asked does not yet know what is answered.
                events.push((record.invoked, false, n));
                events.push((at, true, n));
            }
        }
        events.sort_unstable();
        let mut done = Zxid::ZERO;
        let mut done_when_asked: BTreeMap<usize, Zxid> = BTreeMap::new();
        for (at, is_reply, n) in events {
            let record = &history.records[n];
            let Some((_, zxid, _, _)) = reply(record) else { continue };
            if !is_reply {
                done_when_asked.insert(n, done);
                continue;
            }
            let before = done_when_asked.get(&n).copied().unwrap_or_default();
            if zxid <= before {
                let words = format!(
                    "write {} of client {} got {zxid}, though {before} was done when it was asked",
                    record.xid, record.client
                );
                self.add("C-1", at, record.server, words);
            }
            done = done.max(zxid);
        }
    }

    /// C-2: reply zxids of a session never fall.
    fn monotone_views(&mut self, history: &History) {
        let mut seen: BTreeMap<SessionId, Zxid> = BTreeMap::new();
        let mut replies: Vec<(Stamp, i32, usize)> = Vec::new();
        for (n, record) in history.records.iter().enumerate() {
            if let Some((at, ..)) = reply(record) {
                replies.push((at, record.xid, n));
            }
        }
        replies.sort_unstable();
        for (at, _, n) in replies {
            let record = &history.records[n];
            let Some((_, zxid, _, _)) = reply(record) else { continue };
            let last = seen.entry(record.session).or_default();
            if zxid < *last {
                let words = format!(
                    "client {} saw {last} and then {zxid} from server {}",
                    record.client, record.server
                );
                self.add("C-2", at, record.server, words);
            }
            *last = (*last).max(zxid);
        }
    }

    fn replay(&mut self, history: &History, sequence: &[Proposal], complete: bool) {
        let mut by_zxid: Vec<(Zxid, usize)> = Vec::new();
        for (n, record) in history.records.iter().enumerate() {
            if let Some((_, zxid, _, _)) = reply(record) {
                by_zxid.push((zxid, n));
            }
        }
        by_zxid.sort_unstable();
        let mut rest = by_zxid.iter().map(|(zxid, n)| (*zxid, &history.records[*n])).peekable();
        let mut model = Model::default();
        for proposal in sequence {
            // Replies that saw the state before this transaction.
            while let Some((_, record)) = rest.next_if(|(zxid, _)| *zxid < proposal.zxid()) {
                self.check(record, None, &model);
            }
            if let Some(words) = model.apply(proposal) {
                let at = history.records.last().map_or(Stamp(0), |record| record.invoked);
                self.add("C-5", at, ServerId(0), format!("at {}: {words}", proposal.zxid()));
            }
            while let Some((_, record)) = rest.next_if(|(zxid, _)| *zxid == proposal.zxid()) {
                self.check(record, Some(proposal), &model);
            }
        }
        if !complete {
            return;
        }
        let end = sequence.last().map_or(Zxid::ZERO, Proposal::zxid);
        for (zxid, record) in rest {
            if zxid > end && zxid.counter() != 0 {
                let at = reply(record).map_or(record.invoked, |(at, ..)| at);
                let words =
                    format!("client {} was answered at {zxid}, never committed", record.client);
                self.add("C-2", at, record.server, words);
            } else {
                self.check(record, None, &model);
            }
        }
        self.told_expired(history, &model);
    }

    fn told_expired(&mut self, history: &History, model: &Model) {
        for (session, at, server) in &history.expired {
            if !model.is_closed(*session) {
                let words = format!("told that session {session} is over, which was never closed");
                self.add("C-5", *at, *server, words);
            }
        }
    }

    /// One reply: `txn` is the transaction at its zxid, `tree` what it left. (What fails changes
    /// nothing, so that is also the tree it failed in.)
    fn check(&mut self, record: &Record, txn: Option<&Proposal>, tree: &Model) {
        let Some((at, zxid, err, answer)) = reply(record) else { return };
        let wrong = if record.op.is_write() && (err == 0 || is_tree_error(err)) {
            write_result(record, txn, err, answer, tree).map(|words| ("C-1", words))
        } else {
            read_result(record, err, answer, tree).map(|words| ("C-2", words))
        };
        if let Some((id, words)) = wrong {
            let what = format!("{:?} of client {} at {zxid}: {words}", record.op, record.client);
            self.add(id, at, record.server, what);
        }
    }
}

type Reply<'a> = (Stamp, Zxid, i32, Option<&'a Answer>);

fn reply(record: &Record) -> Option<Reply<'_>> {
    match &record.outcome {
        Some(Outcome::Reply { at, zxid, err, answer }) => Some((*at, *zxid, *err, answer.as_ref())),
        _ => None,
    }
}

/// What is wrong about a write's result; `None` if nothing is.
fn write_result(
    record: &Record,
    txn: Option<&Proposal>,
    err: i32,
    answer: Option<&Answer>,
    tree: &Model,
) -> Option<String> {
    let Some(proposal) = txn else { return Some("no transaction was committed there".into()) };
    let header = &proposal.header;
    if header.client_id != record.session || header.cxid != record.xid {
        let (session, cxid) = (header.client_id, header.cxid);
        return Some(format!("the transaction there is request {cxid} of session {session}"));
    }
    if err != code::OK {
        let Txn::Error(error) = &proposal.txn else {
            return Some(format!("failed with {err}, but was committed"));
        };
        let fails = failure(&record.op, tree);
        let right = error.err == err && fails == Some(err);
        return (!right)
            .then(|| format!("failed with {err}; logged {}, the tree gives {fails:?}", error.err));
    }
    match (&record.op, &proposal.txn, answer) {
        (Op::Create { path, sequential, .. }, Txn::Create(t), Some(Answer::Created(created))) => {
            let fits = if *sequential { created.starts_with(path) } else { created == path };
            (*created != t.path || !fits).then(|| format!("answered {created}, made {}", t.path))
        }
        (Op::Set { path, .. }, Txn::SetData(t), Some(Answer::Stat(stat))) => {
            let expected = tree.stat(path);
            (t.path != *path || expected.as_ref() != Some(stat))
                .then(|| format!("answered {stat:?}, the tree has {expected:?}"))
        }
        (Op::Delete { path, .. }, Txn::Delete(t), _) => {
            (t.path != *path || tree.exists(path)).then(|| format!("deleted {}", t.path))
        }
        (_, txn, _) => Some(format!("succeeded, but {txn:?} was committed")),
    }
}

/// The error this write must get from this tree.
fn failure(op: &Op, tree: &Model) -> Option<i32> {
    match op {
        Op::Create { path, sequential, .. } => {
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            if !tree.exists(parent) {
                Some(code::NO_NODE)
            } else if !sequential && tree.exists(path) {
                Some(code::NODE_EXISTS)
            } else if tree.is_ephemeral(parent) {
                Some(code::NO_CHILDREN_FOR_EPHEMERALS)
            } else {
                None
            }
        }
        Op::Set { path, version, .. } | Op::Delete { path, version } => {
            let Some(current) = tree.version(path) else { return Some(code::NO_NODE) };
            if *version != -1 && *version != current {
                Some(code::BAD_VERSION)
            } else if matches!(op, Op::Delete { .. }) && tree.has_children(path) {
                Some(code::NOT_EMPTY)
            } else {
                None
            }
        }
        _ => None,
    }
}

/// What is wrong about a read's result in this tree; `None` if nothing is.
fn read_result(record: &Record, err: i32, answer: Option<&Answer>, tree: &Model) -> Option<String> {
    let path = match &record.op {
        Op::Get { path } | Op::Exists { path } | Op::List { path } => path,
        _ => return None,
    };
    if err != code::OK {
        let missing = err == code::NO_NODE && !tree.exists(path);
        return (is_tree_error(err) && !missing).then(|| format!("failed with {err}"));
    }
    let fits = match answer {
        Some(Answer::Data(data, stat)) => {
            tree.data(path).as_ref() == Some(data) && tree.stat(path).as_ref() == Some(stat)
        }
        Some(Answer::Stat(stat)) => tree.stat(path).as_ref() == Some(stat),
        Some(Answer::Children(children)) => tree.children(path).as_ref() == Some(children),
        _ => false,
    };
    (!fits).then(|| {
        let (data, stat) = (tree.data(path), tree.stat(path));
        format!("answered {answer:?}, the tree has {data:?} {stat:?} {:?}", tree.children(path))
    })
}

#[cfg(test)]
#[path = "judge_test.rs"]
mod tests;
