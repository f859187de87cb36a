//! C-4 (second half)  No watch is lost, not even when a client changes servers.
//!
//! Checked for each session over all its connections: once the node of a one-shot watch has
//! changed, no answer shows the change until its event has come. This uses no watch
//! tables, only what the client saw and what each transaction changed. So it would also find a
//! mistake that the tables of `watch_events.rs` and those of the servers have in common.
//!
//! Not promised by ZooKeeper, and not asked for: that an exists watch tells of a node which was
//! created and deleted while the client was between two servers; and that a client hears of a
//! change of a node that it may not read, which removes the watch without an event.

use std::collections::BTreeMap;

use quorate::base::{SessionId, Zxid};
use quorate::jute::client::{code, event};

use super::replay::{CatchUp, Changes, Replayed};
use super::session_view::shown;
use super::watch_tables::{Mode, Table};
use super::{Evidence, Judgement, reply};
use crate::workload::history::{Frame, Record};
use crate::workload::op::{Op, Rewatch};

/// By table and path: what a watch there hears of, and whether everybody could read it then.
type Changed<'a> = BTreeMap<(Table, &'a str), Vec<(Zxid, bool)>>;

/// By table and path: the change that ends the watch. `None` if none does, or nobody is told.
type Armed = BTreeMap<(Table, String), Option<Zxid>>;

pub(super) fn check(evidence: &Evidence<'_>, replayed: &Replayed, out: &mut Judgement) {
    let changed = changed(&replayed.changes);
    let mut sessions: BTreeMap<SessionId, Armed> = BTreeMap::new();
    for connection in &evidence.history.connections {
        let armed = sessions.entry(connection.session).or_default();
        for frame in &connection.frames {
            if let Frame::Event(event) = frame {
                fired(armed, event.kind, &event.path);
                continue;
            }
            let Some((at, zxid)) = shown(evidence, frame) else { continue };
            let record = match frame {
                Frame::Reply(n) => Some((&evidence.history.records[*n], replayed.catch_ups.get(n))),
                _ => None,
            };
            if let Some((Record { op: Op::SetWatches(again), .. }, Some(catch_up))) = record {
                rearm_missing(armed, again, catch_up, &changed, zxid);
            }
            let lost = armed.iter().find(|(_, due)| due.is_some_and(|due| due <= zxid));
            if let Some(((table, path), due)) = lost.map(|(key, due)| (key.clone(), *due)) {
                let words = format!(
                    "client {} is shown {zxid}; its {table:?} watch of {path} never told of {}",
                    connection.client,
                    due.unwrap_or_default()
                );
                out.add("C-4", at, connection.server, words);
                armed.remove(&(table, path));
            }
            if let Some((record, _)) = record {
                set(armed, record, &changed);
            }
        }
    }
}

fn changed(all: &[Changes]) -> Changed<'_> {
    let mut changed = Changed::new();
    for Changes { zxid, changes, .. } in all {
        for change in changes {
            let path = change.path.as_str();
            let mut note = |table, path, readable| {
                changed.entry((table, path)).or_default().push((*zxid, readable));
            };
            note(Table::Data, path, change.readable);
            if change.kind == event::DELETED {
                note(Table::Child, path, change.readable);
            }
            if let Some((parent, readable)) = &change.parent {
                note(Table::Child, parent, *readable);
            }
        }
    }
    changed
}

/// The first change behind this state that a watch here must tell of.
fn due(changed: &Changed<'_>, table: Table, path: &str, since: Zxid) -> Option<Zxid> {
    let changes = changed.get(&(table, path))?;
    let next = changes.get(changes.partition_point(|(zxid, _)| *zxid <= since))?;
    next.1.then_some(next.0)
}

fn fired(armed: &mut Armed, kind: i32, path: &str) {
    if kind != event::CHILDREN_CHANGED {
        armed.remove(&(Table::Data, path.to_owned()));
    }
    if matches!(kind, event::CHILDREN_CHANGED | event::DELETED) {
        armed.remove(&(Table::Child, path.to_owned()));
    }
}

/// Exists watches of nodes that are missing, still or again, begin anew.
fn rearm_missing(
    armed: &mut Armed,
    again: &Rewatch,
    catch_up: &CatchUp,
    changed: &Changed<'_>,
    zxid: Zxid,
) {
    for path in &again.exist {
        let key = (Table::Data, path.clone());
        let is_set = catch_up.armed.contains(&(Table::Data, path.clone(), Mode::Standard));
        if is_set && !again.data.contains(path) && armed.contains_key(&key) {
            armed.insert(key, due(changed, Table::Data, path, zxid));
        }
    }
}

fn set(armed: &mut Armed, record: &Record, changed: &Changed<'_>) {
    let Some(reply) = reply(record) else { return };
    let (table, path) = match (&record.op, reply.err) {
        (Op::Get { path, watch: true }, code::OK)
        | (Op::Exists { path, watch: true }, code::OK | code::NO_NODE) => (Table::Data, path),
        (Op::List { path, watch: true }, code::OK) => (Table::Child, path),
        _ => return,
    };
    armed.insert((table, path.clone()), due(changed, table, path, reply.zxid));
}

#[cfg(test)]
mod tests {
    use quorate::base::Zxid;
    use quorate::jute::client::{code, event};

    use super::super::replay::replay;
    use super::super::{Evidence, Judgement};
    use crate::workload::contract::testing::{ClientScript, S};
    use crate::workload::op::{Answer, Op, Rewatch};

    /// What this half alone finds.
    fn losses(clients: &ClientScript) -> usize {
        let evidence = Evidence {
            history: &clients.history,
            sequence: &clients.sequence,
            complete: true,
            observers: &clients.observers,
            deeds: &clients.deeds,
            strict_sync: false,
        };
        let replayed = replay(&evidence, &mut Judgement::default());
        let mut out = Judgement::default();
        super::check(&evidence, &replayed, &mut out);
        assert!(out.found.iter().all(|violation| violation.id == "C-4"));
        out.found.len()
    }

    #[test]
    fn a_watch_that_never_tells_is_caught_over_a_reconnect_too() {
        for (told, reconnects, expected) in
            [(true, false, 0), (false, false, 1), (true, true, 0), (false, true, 1)]
        {
            let mut clients = ClientScript::new();
            clients.get("/a", true);
            clients.happen(&ClientScript::set("/a", -1));
            let mut zxid = clients.last();
            if reconnects {
                zxid = Zxid(-1);
                clients.connect(S, 2);
            }
            if told {
                clients.event(zxid, event::DATA_CHANGED, "/a");
            }
            clients.get("/a/b", false);
            assert_eq!(losses(&clients), expected, "told {told}, reconnects {reconnects}");
        }
    }

    #[test]
    fn an_exists_watch_may_miss_what_came_and_went_but_not_what_stays() {
        for (goes, expected) in [(true, 0), (false, 1)] {
            let mut clients = ClientScript::new();
            clients.get("/new", true);
            clients.happen(&ClientScript::create("/new", false));
            if goes {
                clients.happen(&Op::Delete { path: "/new".into(), version: -1 });
            }
            clients.connect(S, 2);
            let again = Rewatch { exist: vec!["/new".into()], ..Rewatch::default() };
            let again = Op::SetWatches(Box::new(again));
            clients.read(again, code::OK, Some(Answer::Nothing));
            assert_eq!(losses(&clients), expected);
        }
    }

    #[test]
    fn a_child_watch_hears_of_children_and_of_its_own_end() {
        for op in
            [ClientScript::create("/a/c", false), Op::Delete { path: "/a/b".into(), version: -1 }]
        {
            let mut clients = ClientScript::new();
            let children = clients.model.children("/a").map(Answer::Children);
            clients.read(Op::List { path: "/a".into(), watch: true }, code::OK, children);
            clients.happen(&op);
            clients.get("/a", false);
            assert_eq!(losses(&clients), 1);
        }
    }
}
