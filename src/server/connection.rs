//! One client connection.

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::auth::{self, DigestMd5};
use super::connection_stats::{ConnectionStats, LastOp, SessionLine};
use super::gate::{Admission, Flow, Standing};
use crate::base::{Mono, Now, SessionId, Zxid};
use crate::jute::client::{RequestHeader, op};
use crate::jute::data::{Id, Ids};
use crate::runtime::ip_of;

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum State {
    /// Waiting for the ConnectRequest.
    Greeting,
    /// createSession is on its way through the ensemble.
    Creating {
        session: SessionId,
        timeout_ms: i32,
        read_only: Option<bool>,
        /// When the client asked for it.
        asked: Mono,
    },
    /// The leader is asked whether the session lives.
    Revalidating {
        session: SessionId,
        timeout_ms: i32,
        read_only: Option<bool>,
    },
    Open {
        session: SessionId,
        timeout_ms: i32,
    },
}

/// What the oldest unanswered request waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Wait {
    /// Its transaction to be applied here.
    Commit,
    /// The leader's answer to a sync.
    SyncAnswer,
    /// The tree to reach the zxid of the leader's answer.
    Reach(Zxid),
    /// Nothing but its turn.
    Turn,
    /// Its turn, to end the connection: the session speaks through another server now.
    Moved,
    /// Its turn, to be told this error, with zxid 0.
    Refused(i32),
    /// Its turn, to be told that it waited too long in the gate's queue.
    Throttled,
    /// Its turn: it is done, and `Pending::reply` is what it is told.
    Done,
    /// The same, and it is the last.
    Closing,
}

impl Wait {
    /// Whether other servers have to do with it.
    pub(super) fn is_in_process(self) -> bool {
        matches!(self, Wait::Commit | Wait::SyncAnswer | Wait::Reach(_))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) header: RequestHeader,
    pub(super) body: Bytes,
    pub(super) wait: Wait,
    pub(super) received: Mono,
    pub(super) admission: Admission,
    /// Of a request that was done before it was its turn.
    pub(super) reply: Option<Bytes>,
}

impl Pending {
    /// What Apache calls the operation when it is answered: a write that failed has no name there,
    /// but for a multi.
    pub(super) fn last_op(&self) -> LastOp {
        /// Where a reply's error stands: behind length, xid and zxid.
        const ERROR: std::ops::Range<usize> = 16..20;
        let op = self.header.op;
        let is_named = matches!(op, op::MULTI | op::CREATE_SESSION);
        let error = self.reply.as_ref().and_then(|reply| reply.get(ERROR));
        match self.wait {
            Wait::Refused(_) | Wait::Throttled => LastOp::NotAvailable,
            _ if !is_named && error.is_some_and(|error| *error != [0; 4]) => LastOp::NotAvailable,
            _ => LastOp::Op(op),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Connection {
    /// `ip:port` of the other end.
    pub(super) peer: String,
    pub(super) state: State,
    pub(super) pending: VecDeque<Pending>,
    pub(super) flow: Flow,
    /// Who this is: its address, and what it authenticated as.
    pub(super) auth: Ids,
    /// Its session went on at another server. Only where that is known, which is at the leader.
    pub(super) moved: bool,
    pub(super) sasl: DigestMd5,
    /// Requests among `pending` that count as in process although only sending is left of them.
    pub(super) counts_idle: bool,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) stats: ConnectionStats,
}

impl Connection {
    pub(super) fn new(now: Now, peer: String) -> Connection {
        let ip = ip_of(&peer).to_string();
        Connection {
            peer,
            state: State::Greeting,
            pending: VecDeque::new(),
            flow: Flow::default(),
            auth: Rc::new(vec![Id { scheme: "ip".into(), id: ip }]),
            moved: false,
            sasl: DigestMd5::default(),
            counts_idle: false,
            received: 0,
            sent: 0,
            stats: ConnectionStats::new(now),
        }
    }

    /// It proved to be these too. The ids are a set.
    pub(super) fn grant(&mut self, ids: Vec<Id>) {
        auth::add_ids(Rc::make_mut(&mut self.auth), ids);
    }

    /// What the gate is told of it.
    pub(super) fn standing(&self) -> Standing {
        Standing {
            awaits_session: matches!(
                self.state,
                State::Creating { .. } | State::Revalidating { .. }
            ),
            awaits_answer: !self.pending.is_empty(),
        }
    }

    /// The oldest of its requests that waits to be applied, and its place.
    pub(super) fn oldest_write(&self) -> Option<(usize, &Pending)> {
        self.pending.iter().enumerate().find(|(_, pending)| pending.wait == Wait::Commit)
    }

    /// Its session is closed, and only the replies before that are left.
    pub(super) fn is_closing(&self) -> bool {
        self.pending.back().is_some_and(|pending| pending.wait == Wait::Closing)
    }

    /// Of the session this connection has or is about to have.
    pub(super) fn timeout_ms(&self) -> Option<i32> {
        match self.state {
            State::Greeting => None,
            State::Creating { timeout_ms, .. }
            | State::Revalidating { timeout_ms, .. }
            | State::Open { timeout_ms, .. } => Some(timeout_ms),
        }
    }

    /// Its session and what it was answered; `None` while it has none.
    pub(super) fn session_line(&self) -> Option<SessionLine> {
        Some(self.stats.line(self.session()?, self.timeout_ms()?))
    }

    /// The session this connection has or is about to have.
    pub(super) fn session(&self) -> Option<SessionId> {
        match self.state {
            State::Greeting => None,
            State::Creating { session, .. }
            | State::Revalidating { session, .. }
            | State::Open { session, .. } => Some(session),
        }
    }
}
