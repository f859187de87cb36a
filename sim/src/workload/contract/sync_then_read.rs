//! C-3  A read after a sync shows everything that the leader had committed when the client asked
//! for the sync.
//!
//! The leader is that of the epoch in which the client's server served. It takes the sync up some
//! time after the client has asked; what it commits in between is not asked for, since that time is
//! not known. A deposed leader that does not know of its successor answers too, as ZooKeeper's
//! does: a sync asks no quorum. With `strict = ["C-3"]` in a scenario the read must show every
//! write that was answered before the sync, whichever leader did it; this fails exactly with a
//! deposed leader.

use quorate::base::{Stamp, Zxid};
use quorate::jute::client::code;

use super::linear_writes::is_transaction;
use super::{Evidence, Judgement, reply, session_view};
use crate::workload::history::Frame;
use crate::workload::op::Op;

pub(super) fn check(evidence: &Evidence<'_>, out: &mut Judgement) {
    let done = if evidence.strict_sync { done_writes(evidence) } else { Vec::new() };
    for connection in &evidence.history.connections {
        // The bound that the newest sync set; it holds for all that follows on this connection.
        let mut bound = Zxid::ZERO;
        for frame in &connection.frames {
            if let Frame::Reply(n) = frame {
                let record = &evidence.history.records[*n];
                let answered = reply(record).is_some_and(|reply| reply.err == code::OK);
                if matches!(record.op, Op::Sync { .. }) && answered {
                    let asked = record.invoked;
                    let weak = evidence.deeds.committed(connection.server, asked);
                    bound = bound.max(weak).max(newest_before(&done, asked));
                    out.count("C-3");
                }
            }
            let Some((at, zxid)) = session_view::shown(evidence, frame) else { continue };
            if zxid < bound {
                let words = format!(
                    "client {} synced, and is shown {zxid}; {bound} was committed before",
                    connection.client
                );
                out.add("C-3", at, connection.server, words);
                bound = Zxid::ZERO;
            }
        }
    }
}

/// When writes were answered, and the highest zxid of all that were by then.
fn done_writes(evidence: &Evidence<'_>) -> Vec<(Stamp, Zxid)> {
    let records = evidence.history.records.iter();
    let replies = records.filter_map(|record| Some((record, reply(record)?)));
    let mut done: Vec<(Stamp, Zxid)> = replies
        .filter(|(record, reply)| is_transaction(record, reply))
        .map(|(_, reply)| (reply.at, reply.zxid))
        .collect();
    done.sort_unstable();
    let mut highest = Zxid::ZERO;
    for (_, zxid) in &mut done {
        highest = highest.max(*zxid);
        *zxid = highest;
    }
    done
}

fn newest_before(done: &[(Stamp, Zxid)], at: Stamp) -> Zxid {
    let count = done.partition_point(|(when, _)| *when < at);
    if count == 0 { Zxid::ZERO } else { done[count - 1].1 }
}

#[cfg(test)]
mod tests {
    use quorate::jute::client::code;

    use crate::checkers::testing::{FactScript, z};
    use crate::workload::contract::testing::ClientScript;
    use crate::workload::op::{Answer, Op};

    /// 3 leads 1 and 2 in epoch 1, and has committed so much when the client asks.
    fn asked_after(commits: u32) -> ClientScript {
        let mut script = FactScript::healthy();
        for counter in 3..=commits {
            script.write(3, &[2], z(1, counter));
        }
        let mut clients = ClientScript::new();
        clients.deeds = script.checkers.deeds.clone();
        clients.now = script.now().0;
        clients.happen(&ClientScript::set("/a", -1));
        clients
    }

    #[test]
    fn an_answer_below_what_the_leader_had_committed_is_caught() {
        for (commits, holds) in [(2, true), (3, false)] {
            let mut clients = asked_after(commits);
            let n = clients.ask(Op::Sync { path: "/".into() });
            clients.answer(n, z(1, 2), code::OK, Some(Answer::Nothing));
            if holds { clients.assert_holds() } else { clients.assert_violates("C-3") }
        }
    }

    #[test]
    fn the_strict_form_wants_what_anybody_had_done() {
        for strict in [false, true] {
            let mut clients = asked_after(2);
            clients.strict_sync = strict;
            let other = quorate::base::SessionId(6);
            clients.connect(other, 2);
            clients.write(ClientScript::set("/a", -1));
            clients.connect(super::super::testing::S, 1);
            let n = clients.ask(Op::Sync { path: "/".into() });
            clients.answer(n, z(1, 3), code::OK, Some(Answer::Nothing));
            if strict { clients.assert_violates("C-3") } else { clients.assert_holds() }
        }
    }
}
