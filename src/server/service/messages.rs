//! What a service is told, what it answers, and what it can say of itself.

use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::{ConnId, SessionId, Zxid};
use crate::config::ServerConfig;
use crate::jute::txn::Proposal;
use crate::prepare::Request;
use crate::server::connection_stats::SessionLine;
use crate::tree::Applied;

#[derive(Debug)]
pub enum Input {
    /// `peer` is `ip:port`, `subject` the distinguished name of a certificate TLS has verified.
    Accepted {
        conn: ConnId,
        peer: String,
        subject: Option<String>,
    },
    Frame {
        conn: ConnId,
        body: Bytes,
    },
    Lost {
        conn: ConnId,
    },
    /// Everything written before the last `NotifyDrained` has left.
    Drained {
        conn: ConnId,
    },
    /// The connection asked a four-letter word. It is answered elsewhere, and counts as a packet of
    /// its connection, as in Apache.
    Word {
        conn: ConnId,
    },
    /// The role begins to serve: clients are welcome.
    Serve,
    /// The same of a leader that takes no clients (`leaderServes=no`).
    ServeLearners,
    /// No leader is in sight, and the tree stands still: whoever asks for it may read.
    ServeReadOnly,
    /// Other limits count from now on: those of this configuration.
    Limits(Rc<ServerConfig>),
    /// The server is about to end: what clients ask from now on waits.
    Finish,
    /// The role ended: every client goes, and looks for another server.
    Stop,
    /// The oldest committed transaction was applied to the tree.
    Applied {
        proposal: Rc<Proposal>,
        applied: Applied,
    },
    /// The leader answered this connection's oldest open sync.
    SyncDone {
        conn: ConnId,
        zxid: Zxid,
    },
    /// The leader's word on a session that wants to go on here.
    Revalidated {
        session: SessionId,
        valid: bool,
    },
    /// The session goes on at another server, whatever its connection here believes.
    SessionMoved {
        session: SessionId,
    },
    /// The time of [`super::Service::next_deadline`] has come.
    Timer,
}

/// Random bits of the machine, drawn once, which make what is random here reproducible.
#[derive(Clone, Copy, Default)]
pub struct Seeds {
    /// For whom to turn away (`connection_throttle_freeze_time`).
    pub connection_throttle: u64,
    /// Every nonce of a challenge follows from them: they are secret.
    pub nonces: [u64; 2],
}

impl fmt::Debug for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seeds").finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub enum Output {
    Write(ConnId, Bytes),
    /// Close after what is written has left.
    Close(ConnId),
    /// Read no more from this connection.
    Pause(ConnId),
    Resume(ConnId),
    /// Tell when everything written so far has left.
    NotifyDrained(ConnId),
    /// A write, to be prepared by the leader. `origin` is filled in by whoever routes it.
    Submit(Request),
    Sync {
        conn: ConnId,
        session: SessionId,
        cxid: i32,
        body: Bytes,
    },
    Revalidate {
        session: SessionId,
        timeout_ms: i32,
    },
    /// The session was heard of.
    Touch {
        session: SessionId,
        timeout_ms: i32,
    },
}

/// Packets from and to clients, four-letter words included.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ServiceStats {
    pub received: u64,
    pub sent: u64,
}

/// One connection, for `stat` and `cons`.
#[derive(Clone, Debug)]
pub struct ConnectionLine {
    /// `ip:port` of the other end.
    pub peer: String,
    pub session: Option<SessionLine>,
    /// Requests that are not answered yet.
    pub queued: usize,
    pub received: u64,
    pub sent: u64,
}

/// Whether a connection is served as fast as it asks, and reads as fast as it is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionFlow {
    /// It is not read from, since too much of it waits.
    pub is_paused: bool,
    /// What it was sent and has not taken, while its answers wait for that.
    pub unread_bytes: usize,
}

/// How many connections wait, and the worst of them with the bytes that they have not read.
#[derive(Clone, Debug, Default)]
pub struct WaitingConnections {
    pub paused: usize,
    pub unread: usize,
    pub worst: Vec<(usize, ConnId)>,
}
