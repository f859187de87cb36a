//! C-10  Observers, and servers that only read: what they show is a state of the committed history,
//! and a server that only reads acknowledges no write.

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
            if !evidence.is_a_state(zxid) {
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
