//! C-4 (first half)  A client gets exactly the watch events that it should get, in the right
//! places.
//!
//! Checked for each connection, along its stream of answers and events: a one-shot watch brings one
//! event, a persistent one an event for each change; events come in the order of the changes, and
//! before any answer whose state contains the change.
//!
//! A watch is set at the zxid of the answer to the request that sets it. From there the reference
//! tables (`watch_tables.rs`) say which events each transaction must bring. The events with which a
//! server makes up for changes that a client missed while it was away (setWatches) have no zxid,
//! and come before the answer.

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

#[cfg(test)]
mod tests {
    use quorate::base::Zxid;
    use quorate::jute::client::{code, event};

    use crate::workload::contract::testing::{ClientScript, S};
    use crate::workload::op::{Answer, Op, Rewatch};

    /// A watch on `/a`, which is then set.
    fn changed() -> ClientScript {
        let mut clients = ClientScript::new();
        clients.get("/a", true);
        clients.happen(&ClientScript::set("/a", -1));
        clients
    }

    #[test]
    fn an_event_comes_before_what_shows_its_change() {
        let mut clients = changed();
        clients.event(clients.last(), event::DATA_CHANGED, "/a");
        clients.get("/a", false);
        clients.assert_holds();
        let mut clients = changed();
        clients.get("/a", false);
        clients.event(clients.last(), event::DATA_CHANGED, "/a");
        clients.assert_violates("C-4");
    }

    #[test]
    fn an_event_that_never_comes_is_caught() {
        let mut clients = changed();
        clients.get("/a/b", false);
        clients.assert_violates("C-4");
    }

    #[test]
    fn an_event_that_comes_twice_or_unasked_is_caught() {
        let mut clients = changed();
        clients.event(clients.last(), event::DATA_CHANGED, "/a");
        clients.assert_holds();
        clients.event(clients.last(), event::DATA_CHANGED, "/a");
        clients.assert_violates("C-4");
        let mut clients = ClientScript::new();
        clients.happen(&ClientScript::set("/a", -1));
        clients.event(clients.last(), event::DATA_CHANGED, "/a");
        clients.assert_violates("C-4");
    }

    #[test]
    fn an_event_of_another_kind_path_or_zxid_is_caught() {
        for (kind, path, back) in [
            (event::DELETED, "/a", 0),
            (event::DATA_CHANGED, "/a/b", 0),
            (event::DATA_CHANGED, "/a", 1),
        ] {
            let mut clients = changed();
            let zxid = Zxid(clients.last().0 - back);
            clients.event(zxid, kind, path);
            clients.assert_violates("C-4");
        }
    }

    #[test]
    fn a_persistent_watch_tells_every_change_in_order() {
        let watched = |events: &[u32]| {
            let mut clients = ClientScript::new();
            let op = Op::AddWatch { path: "/a".into(), recursive: true };
            clients.read(op, code::OK, Some(Answer::Nothing));
            clients.happen(&ClientScript::set("/a/b", -1));
            clients.happen(&ClientScript::set("/a/b", -1));
            for n in events {
                clients.event(super::super::testing::z(*n), event::DATA_CHANGED, "/a/b");
            }
            clients.get("/a", false);
            clients
        };
        watched(&[3, 4]).assert_holds();
        watched(&[4, 3]).assert_violates("C-4");
        watched(&[3]).assert_violates("C-4");
    }

    /// The client reconnects and sets its watch of `/a` again, and is told this.
    fn reconnected(told: &[(i32, &str)]) -> ClientScript {
        let mut clients = changed();
        let relative_zxid = Zxid(clients.last().0 - 1);
        clients.connect(S, 2);
        for (kind, path) in told {
            clients.event(Zxid(-1), *kind, path);
        }
        let again =
            Rewatch { relative_zxid, data: vec!["/a".into(), "/a/b".into()], ..Rewatch::default() };
        let again = Op::SetWatches(Box::new(again));
        clients.read(again, code::OK, Some(Answer::Nothing));
        clients
    }

    #[test]
    fn what_was_missed_between_two_servers_is_told_by_the_second() {
        let mut clients = reconnected(&[(event::DATA_CHANGED, "/a")]);
        clients.assert_holds();
        // What had not changed is watched again.
        clients.happen(&ClientScript::set("/a/b", -1));
        clients.get("/a", false);
        clients.assert_violates("C-4");
        reconnected(&[]).assert_violates("C-4");
        reconnected(&[(event::DATA_CHANGED, "/a"), (event::DATA_CHANGED, "/a/b")])
            .assert_violates("C-4");
    }

    #[test]
    fn a_multi_of_which_a_part_is_told_is_caught() {
        use quorate::jute::txn::{Txn, kind};
        let mut clients = ClientScript::new();
        clients.get("/a", true);
        clients.get("/a/b", true);
        let parts = [ClientScript::set("/a", -1), ClientScript::set("/a/b", -1)];
        let logged = parts.iter().map(|part| clients.txn(part)).collect();
        clients.commit(quorate::base::SessionId(77), 9, kind::MULTI, Txn::Multi(logged));
        clients.event(clients.last(), event::DATA_CHANGED, "/a");
        clients.assert_holds();
        clients.get("/a", false);
        let found = clients.judge().found;
        assert!(found.iter().any(|violation| violation.id == "C-7"), "{found:?}");
    }

    #[test]
    fn the_nodes_of_a_closed_session_go_in_any_order() {
        for swapped in [false, true] {
            let mut clients = ClientScript::new();
            for path in ["/e", "/f"] {
                clients.happen(&ClientScript::create(path, true));
                clients.get(path, true);
            }
            clients.close(quorate::base::SessionId(77), &["/e", "/f"]);
            let paths = if swapped { ["/f", "/e"] } else { ["/e", "/f"] };
            for path in paths {
                clients.event(clients.last(), event::DELETED, path);
            }
            clients.get("/a", false);
            clients.assert_holds();
        }
    }
}
