//! The connections of `stat` and `cons`. (ServerCnxn.dumpConnectionInfo)

use std::fmt::{self, Write as _};

use super::srvr::{heading, summary};
use super::stats::{ClientLine, LastOp, ServerStats, SessionLine};
use crate::jute::client::op;

/// As FinalRequestProcessor calls them.
impl fmt::Display for LastOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = match self {
            LastOp::Nothing => return f.write_str("null"),
            LastOp::NotAvailable => return f.write_str("NA"),
            LastOp::Op(op) => *op,
        };
        f.write_str(match op {
            op::CREATE | op::CREATE2 | op::CREATE_TTL | op::CREATE_CONTAINER => "CREA",
            op::DELETE | op::DELETE_CONTAINER => "DELE",
            op::EXISTS => "EXIS",
            op::GET_DATA => "GETD",
            op::SET_DATA => "SETD",
            op::GET_ACL => "GETA",
            op::SET_ACL => "SETA",
            op::GET_CHILDREN | op::GET_CHILDREN2 => "GETC",
            op::SYNC => "SYNC",
            op::PING => "PING",
            op::CHECK => "CHEC",
            op::MULTI => "MULT",
            op::MULTI_READ => "MLTR",
            op::RECONFIG => "RECO",
            op::CHECK_WATCHES => "CHKW",
            op::REMOVE_WATCHES => "REMW",
            op::SET_WATCHES => "SETW",
            op::SET_WATCHES2 => "STW2",
            op::ADD_WATCH => "ADDW",
            op::GET_EPHEMERALS => "GETE",
            op::GET_ALL_CHILDREN_NUMBER => "GETACN",
            op::WHO_AM_I => "HOMI",
            op::CREATE_SESSION => "SESS",
            op::CLOSE_SESSION => "CLOS",
            _ => "NA",
        })
    }
}

pub(super) fn stat(stats: &ServerStats) -> String {
    let mut text = heading(stats);
    text.push_str("Clients:\n");
    for client in &stats.clients {
        write_brief(&mut text, client);
        text.push_str(")\n");
    }
    text.push('\n');
    text.push_str(&summary(stats));
    text
}

pub(super) fn cons(stats: &ServerStats) -> String {
    let mut text = String::new();
    for client in &stats.clients {
        write_brief(&mut text, client);
        if let Some(session) = &client.session {
            write_session(&mut text, session);
        }
        text.push_str(")\n");
    }
    text.push('\n');
    text
}

fn write_brief(text: &mut String, client: &ClientLine) {
    let ops = client.interest_ops();
    let ClientLine { address, queued, received, sent, .. } = client;
    let _ = write!(text, " /{address}[{ops}](queued={queued},recved={received},sent={sent}");
}

fn write_session(text: &mut String, session: &SessionLine) {
    let SessionLine { id, last_op, established_ms, timeout_ms, .. } = session;
    let _ = write!(text, ",sid={id},lop={last_op},est={established_ms},to={timeout_ms}");
    if let Some(cxid) = session.last_cxid {
        let _ = write!(text, ",lcxid=0x{cxid:x}");
    }
    let _ = write!(
        text,
        ",lzxid={},lresp={},llat={},minlat={},avglat={},maxlat={}",
        session.last_zxid,
        session.last_response_ms,
        session.last_latency_ms,
        session.latency_min_ms,
        session.latency_avg_ms,
        session.latency_max_ms
    );
}
