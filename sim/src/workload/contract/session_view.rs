//! C-2  A session never sees the past: each answer shows the same state as the one before or a
//! later one.
//!
//! Checked over all connections of a session, at every answer and ping: its zxid is not smaller
//! than that of an earlier one, and it is a zxid of the committed history. And what a read shows is
//! what the reference tree holds at that zxid; so a session sees its own writes.
//!
//! Not here: that answers come in the order of the requests, which the client checks when they
//! come.

use std::collections::BTreeMap;

use quorate::base::{SessionId, Stamp, Zxid};
use quorate::jute::client::code;
use quorate::jute::data::perms;

use super::{Evidence, Judgement, Reply, node_state, reply};
use crate::workload::history::{Frame, Record};
use crate::workload::model::Model;
use crate::workload::op::{Answer, Op};

pub(super) fn check(evidence: &Evidence<'_>, out: &mut Judgement) {
    let mut seen: BTreeMap<SessionId, Zxid> = BTreeMap::new();
    for connection in &evidence.history.connections {
        let server = connection.server;
        let last = seen.entry(connection.session).or_default();
        for frame in &connection.frames {
            let Some((at, zxid)) = shown(evidence, frame) else { continue };
            out.count("C-2");
            if zxid < *last {
                let words = format!(
                    "client {} saw {last} and then {zxid} from server {server}",
                    connection.client
                );
                out.add("C-2", at, server, words);
            }
            *last = (*last).max(zxid);
            // Those who only read have an id of their own (C-10).
            let only_reads = connection.read_only || evidence.observers.contains(&server);
            if !only_reads && !evidence.is_a_state(zxid) {
                out.add("C-2", at, server, never_committed(&connection.client, zxid));
            }
        }
    }
}

/// The state a frame shows: of an answer from the tree, or of a ping.
pub(super) fn shown(evidence: &Evidence<'_>, frame: &Frame) -> Option<(Stamp, Zxid)> {
    let (at, zxid) = match frame {
        Frame::Reply(n) => reply(&evidence.history.records[*n]).map(|r| (r.at, r.zxid))?,
        Frame::Ping { at, zxid } => (*at, *zxid),
        Frame::Event(_) => return None,
    };
    (zxid > Zxid::ZERO).then_some((at, zxid))
}

pub(super) fn never_committed(client: &str, zxid: Zxid) -> String {
    format!("client {client} was answered at {zxid}, never committed")
}

/// What is wrong with a read in this tree: the property, and words.
pub(super) fn wrong_read(
    record: &Record,
    reply: &Reply<'_>,
    tree: &Model,
) -> Option<(&'static str, String)> {
    let (path, wanted) = match &record.op {
        Op::Get { path, .. } | Op::Exists { path, .. } | Op::List { path, .. } => {
            (path, perms::READ)
        }
        Op::GetAcl { path } => (path, perms::READ | perms::ADMIN),
        op => {
            if record.read_only && reply.err == code::NOT_READ_ONLY {
                return None;
            }
            let is_wrong = match op {
                Op::Close => false,
                // A session that is over is told so (C-5).
                op if op.is_write() => reply.err != code::SESSION_EXPIRED,
                _ => reply.err != code::OK,
            };
            let id = if op.is_write() { "C-1" } else { "C-2" };
            return is_wrong.then(|| (id, format!("failed with {}", reply.err)));
        }
    };
    let expected = match (tree.exists(path), tree.allows(path, wanted)) {
        (false, _) => code::NO_NODE,
        (true, false) => code::NO_AUTH,
        (true, true) => code::OK,
    };
    if reply.err != expected {
        let id = if [reply.err, expected].contains(&code::NO_AUTH) { "C-9" } else { "C-2" };
        return Some((id, format!("answered {}, the tree gives {expected}", reply.err)));
    }
    if reply.err != code::OK {
        return None;
    }
    let fits = match reply.answer {
        Some(Answer::Data(shown, _)) => tree.data(path).as_ref() == Some(shown),
        Some(Answer::Children(shown)) => tree.children(path).as_ref() == Some(shown),
        Some(Answer::Stat(_) | Answer::Acl(..)) => true,
        _ => false,
    };
    if !fits {
        let (data, children) = (tree.data(path), tree.children(path));
        let words = format!("answered {:?}, the tree has {data:?} {children:?}", reply.answer);
        return Some(("C-2", words));
    }
    node_state::wrong_stat(path, reply.answer, tree).map(|words| ("C-9", words))
}

#[cfg(test)]
mod tests {
    use quorate::base::{Epoch, Zxid};
    use quorate::jute::client::code;

    use crate::workload::contract::testing::{ClientScript, S, z};
    use crate::workload::op::{Answer, Op};

    #[test]
    fn a_read_must_show_the_tree_at_its_zxid() {
        let mut clients = ClientScript::new();
        let old = clients.model.data("/a").zip(clients.model.stat("/a"));
        let answer = old.map(|(data, stat)| Answer::Data(data, stat));
        clients.happen(&ClientScript::set("/a", -1));
        let n = clients.ask(Op::Get { path: "/a".into(), watch: false });
        clients.answer(n, z(2), code::OK, answer.clone());
        clients.assert_holds();
        // The same answer at the next state is that of another tree.
        clients.read(Op::Get { path: "/a".into(), watch: false }, code::OK, answer);
        clients.assert_violates("C-2");
    }

    #[test]
    fn a_view_that_goes_back_is_caught_over_a_reconnect_too() {
        for reconnects in [false, true] {
            let mut clients = ClientScript::new();
            clients.get("/a", false);
            if reconnects {
                clients.connect(S, 2);
            }
            let n = clients.ask(Op::Sync { path: "/".into() });
            clients.answer(n, z(1), code::OK, Some(Answer::Nothing));
            clients.assert_violates("C-2");
        }
    }

    #[test]
    fn a_state_that_was_never_committed_is_caught() {
        for (zxid, holds) in [(z(9), false), (Zxid::new(Epoch(2), 0), true)] {
            let mut clients = ClientScript::new();
            let n = clients.ask(Op::Sync { path: "/".into() });
            clients.answer(n, zxid, code::OK, Some(Answer::Nothing));
            if holds { clients.assert_holds() } else { clients.assert_violates("C-2") }
        }
    }

    #[test]
    fn a_node_that_is_said_to_be_missing_is_caught() {
        let mut clients = ClientScript::new();
        clients.read(Op::Exists { path: "/a".into(), watch: false }, code::NO_NODE, None);
        clients.assert_violates("C-2");
    }
}
