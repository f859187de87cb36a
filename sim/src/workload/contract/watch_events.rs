//! C-4 (first half)  On a connection arrives every event that is due and no other: once for each
//! one-shot registration and each time for a persistent one, in the order of the changes, each
//! before any answer whose state contains its change.
//!
//! A connection is one stream. A watch is set by the answer that says so, at its zxid; from there
//! the reference tables (`watch_tables.rs`) say what each later transaction must bring, and where
//! among the answers. What setWatches makes up for comes without a zxid, before its answer.

use std::collections::VecDeque;

use quorate::base::{Stamp, Zxid};
use quorate::jute::client::code;

use super::replay::{Changes, Replayed};
use super::session_view::shown;
use super::watch_tables::{Mode, Table, WatchTables};
use super::{Evidence, Judgement, reply};
use crate::workload::history::{Connection, Frame, Record, WatchEvent};
use crate::workload::op::Op;

pub(super) fn check(evidence: &Evidence<'_>, replayed: &Replayed, out: &mut Judgement) {
    for connection in &evidence.history.connections {
        let stream = Stream {
            replayed,
            tables: WatchTables::default(),
            place: 0,
            due: VecDeque::new(),
            catch_up: Vec::new(),
            told: None,
        };
        stream.follow(evidence, connection, out);
    }
}

/// An event that must come now.
struct Due {
    zxid: Zxid,
    kind: i32,
    path: String,
    in_any_order: bool,
    is_multi: bool,
}

/// What a connection has brought so far.
struct Stream<'a> {
    replayed: &'a Replayed,
    tables: WatchTables,
    /// Transactions whose events are known.
    place: usize,
    due: VecDeque<Due>,
    /// Events without a zxid.
    catch_up: Vec<(i32, String)>,
    /// The zxid of the last event that came.
    told: Option<Zxid>,
}

/// A property that does not hold, and when.
type Wrong = (&'static str, Stamp, String);

impl Stream<'_> {
    /// To the end of the connection, or to the first mistake: what follows one explains nothing.
    fn follow(mut self, evidence: &Evidence<'_>, connection: &Connection, out: &mut Judgement) {
        for frame in &connection.frames {
            let step = match frame {
                Frame::Event(event) => {
                    out.count("C-4");
                    self.take(event)
                }
                Frame::Ping { .. } => self.answered(evidence, frame),
                Frame::Reply(n) => self
                    .answered(evidence, frame)
                    .and_then(|()| self.set(*n, &evidence.history.records[*n])),
            };
            if let Err((id, at, words)) = step {
                let words = format!("client {}: {words}", connection.client);
                return out.add(id, at, connection.server, words);
            }
        }
    }

    /// Notes what the transactions up to this one bring.
    fn advance(&mut self, to: Zxid) {
        let changes = &self.replayed.changes;
        if self.tables.is_empty() {
            self.place = changes.partition_point(|change| change.zxid <= to);
            return;
        }
        while let Some(next) = changes.get(self.place).filter(|next| next.zxid <= to) {
            self.place += 1;
            let Changes { zxid, in_any_order, is_multi, .. } = *next;
            for change in &next.changes {
                for (kind, path) in self.tables.fire(change) {
                    self.due.push_back(Due { zxid, kind, path, in_any_order, is_multi });
                }
            }
        }
    }

    fn take(&mut self, event: &WatchEvent) -> Result<(), Wrong> {
        let WatchEvent { at, zxid, kind, path } = event;
        if *zxid == Zxid(-1) {
            self.catch_up.push((*kind, path.clone()));
            return Ok(());
        }
        self.advance(*zxid);
        let is_it = |due: &Due| due.zxid == *zxid && due.kind == *kind && due.path == *path;
        let found = match self.due.front() {
            Some(first) if first.in_any_order && first.zxid == *zxid => {
                self.due.iter().position(is_it)
            }
            first => first.is_some_and(is_it).then_some(0),
        };
        if let Some(found) = found {
            self.due.remove(found);
            self.told = Some(*zxid);
            return Ok(());
        }
        let instead = self.due.front().map_or("nothing".to_owned(), Due::words);
        Err(("C-4", *at, format!("is told {kind} {path} at {zxid}, where {instead} was due")))
    }

    /// Nothing that happened up to this answer's state may be left untold.
    fn answered(&mut self, evidence: &Evidence<'_>, frame: &Frame) -> Result<(), Wrong> {
        let Some((at, zxid)) = shown(evidence, frame) else { return Ok(()) };
        self.advance(zxid);
        let Some(due) = self.due.front() else { return Ok(()) };
        // Some of a multi's events came, and some did not.
        let is_torn = due.is_multi && self.told == Some(due.zxid);
        let words = format!("is shown {zxid} before it is told {}", due.words());
        Err((if is_torn { "C-7" } else { "C-4" }, at, words))
    }

    /// An answer that sets watches, or makes up for missed changes.
    fn set(&mut self, n: usize, record: &Record) -> Result<(), Wrong> {
        let Some(reply) = reply(record) else { return Ok(()) };
        let mut told = std::mem::take(&mut self.catch_up);
        let mut owed = Vec::new();
        let (ok, missing) = (reply.err == code::OK, reply.err == code::NO_NODE);
        match &record.op {
            Op::Get { path, watch: true } if ok => {
                self.tables.add(Table::Data, path, Mode::Standard);
            }
            Op::Exists { path, watch: true } if ok || missing => {
                self.tables.add(Table::Data, path, Mode::Standard);
            }
            Op::List { path, watch: true } if ok => {
                self.tables.add(Table::Child, path, Mode::Standard);
            }
            Op::AddWatch { path, recursive: true } if ok => {
                self.tables.add(Table::Data, path, Mode::Recursive);
            }
            Op::AddWatch { path, recursive: false } if ok => {
                self.tables.add(Table::Data, path, Mode::Persistent);
                self.tables.add(Table::Child, path, Mode::Persistent);
            }
            Op::SetWatches(_) if ok => {
                let catch_up = self.replayed.catch_ups.get(&n).cloned().unwrap_or_default();
                for (table, path, mode) in &catch_up.armed {
                    self.tables.add(*table, path, *mode);
                }
                owed = catch_up.events;
            }
            _ => {}
        }
        told.sort();
        owed.sort();
        if told == owed {
            return Ok(());
        }
        Err(("C-4", reply.at, format!("is told of {told:?} to catch up, owed was {owed:?}")))
    }
}

impl Due {
    fn words(&self) -> String {
        format!("{} {} at {}", self.kind, self.path, self.zxid)
    }
}
