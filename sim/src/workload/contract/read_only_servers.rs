//! C-10  Observers and read-only servers show only states that existed, and a read-only server does
//! no write.
//!
//! Checked for every answer of an observer or a read-only server: its zxid is one of the committed
//! history. A read-only server has no leader that could tell it what of its log is committed. It
//! may show what it has logged itself, as ZooKeeper's does (fastForwardDataBase), even if that is
//! never committed; what such an answer says is not compared with anything.

use quorate::jute::client::code;

use super::{Evidence, Judgement, reply, session_view};
use crate::workload::history::Frame;

pub(super) fn check(evidence: &Evidence<'_>, out: &mut Judgement) {
    let history = evidence.history;
    for connection in &history.connections {
        if !connection.read_only && !evidence.observers.contains(&connection.server) {
            continue;
        }
        for frame in &connection.frames {
            let Some((at, zxid)) = session_view::shown(evidence, frame) else { continue };
            out.count("C-10");
            let is_own = connection.read_only && evidence.deeds.has_logged(connection.server, zxid);
            if !evidence.is_a_state(zxid) && !is_own {
                let words = session_view::never_committed(&connection.client, zxid);
                out.add("C-10", at, connection.server, words);
            }
            let Frame::Reply(n) = frame else { continue };
            let record = &history.records[*n];
            let done = reply(record).is_some_and(|reply| reply.err == code::OK);
            if connection.read_only && record.op.is_write() && done {
                out.add_about("C-10", record, "done by a server that only reads");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate::base::{ServerId, SessionId};
    use quorate::jute::client::code;

    use crate::checkers::testing::FactScript;
    use crate::workload::contract::testing::{ClientScript, z};
    use crate::workload::op::{Answer, Op};

    #[test]
    fn an_observer_that_shows_what_was_never_committed_is_caught() {
        let mut clients = ClientScript::new();
        clients.observers.insert(ServerId(1));
        clients.get("/a", false);
        clients.assert_holds();
        let n = clients.ask(Op::Sync { path: "/".into() });
        clients.answer(n, z(9), code::OK, Some(Answer::Nothing));
        clients.assert_violates("C-10");
    }

    #[test]
    fn a_server_that_only_reads_may_show_its_own_log_and_nothing_else() {
        for (server, holds) in [(1, true), (2, false)] {
            let mut script = FactScript::healthy();
            script.log(1, z(9));
            let mut clients = ClientScript::new();
            clients.deeds = script.checkers.deeds.clone();
            clients.connect(SessionId(8), server);
            clients.read_only();
            let n = clients.ask(Op::Exists { path: "/none".into(), watch: false });
            clients.answer(n, z(9), code::NO_NODE, None);
            if holds { clients.assert_holds() } else { clients.assert_violates("C-10") }
        }
    }

    #[test]
    fn a_write_acknowledged_by_a_server_that_only_reads_is_caught() {
        let mut clients = ClientScript::new();
        clients.connect(super::super::testing::S, 2);
        clients.read_only();
        clients.get("/a", false);
        clients.assert_holds();
        clients.write(ClientScript::set("/a", -1));
        clients.assert_violates("C-10");
    }
}
