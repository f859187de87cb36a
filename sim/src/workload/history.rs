//! What clients asked and what they were told, with stamps.

use std::collections::{BTreeMap, BTreeSet};

use quorate::base::{ServerId, SessionId, Stamp, Zxid};

use super::op::{Answer, Op};

/// One operation of one client.
#[derive(Clone, Debug)]
pub struct Record {
    pub client: String,
    pub session: SessionId,
    pub xid: i32,
    pub server: ServerId,
    /// Asked of a server that only reads.
    pub read_only: bool,
    pub op: Op,
    pub invoked: Stamp,
    pub outcome: Option<Outcome>,
}

/// A watch event as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchEvent {
    pub at: Stamp,
    /// Of the transaction; -1 if the event makes up for a change that was missed.
    pub zxid: Zxid,
    /// A value of `jute::client::event`.
    pub kind: i32,
    pub path: String,
}

/// What came over a connection, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The reply to the operation of this number.
    Reply(usize),
    Ping {
        at: Stamp,
        zxid: Zxid,
    },
    Event(WatchEvent),
}

/// One connection with an open session.
#[derive(Clone, Debug)]
pub struct Connection {
    pub client: String,
    pub session: SessionId,
    pub server: ServerId,
    pub opened: Stamp,
    /// The server said that it only reads.
    pub read_only: bool,
    pub frames: Vec<Frame>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Reply {
        at: Stamp,
        zxid: Zxid,
        err: i32,
        answer: Option<Answer>,
    },
    /// The connection broke: it may have happened or not.
    Lost {
        at: Stamp,
    },
}

impl Record {
    /// What was known of it before a moment.
    pub fn outcome_at(&self, at: Stamp) -> Option<&Outcome> {
        self.outcome.as_ref().filter(|outcome| match outcome {
            Outcome::Reply { at: when, .. } | Outcome::Lost { at: when } => *when < at,
        })
    }
}

/// What is wrong already at the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub id: &'static str,
    pub at: Stamp,
    pub server: ServerId,
    pub words: String,
}

/// A client that gave its connection up because nothing came any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    pub client: String,
    pub server: ServerId,
    /// When the last answer came.
    pub heard: Stamp,
    pub at: Stamp,
}

/// Sessions and operations of all clients.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub records: Vec<Record>,
    pub complaints: Vec<Complaint>,
    /// In the order of their opening.
    pub connections: Vec<Connection>,
    pub silences: Vec<Silence>,
    /// When a client was told that its session is over, and by whom.
    pub expired: Vec<(SessionId, Stamp, ServerId)>,
    /// Sessions that were opened, and by whom.
    pub sessions: BTreeMap<SessionId, String>,
    /// Those of them that a server opened while it only read: nobody else knows them.
    pub local: BTreeSet<SessionId>,
}

impl History {
    /// Takes note of a request; its number is for [`History::complete`].
    pub fn invoke(&mut self, record: Record) -> usize {
        self.records.push(record);
        self.records.len() - 1
    }

    /// Takes note of a connection; its number is for [`History::arrived`].
    pub fn connect(&mut self, connection: Connection) -> usize {
        self.connections.push(connection);
        self.connections.len() - 1
    }

    pub fn arrived(&mut self, connection: usize, frame: Frame) {
        self.connections[connection].frames.push(frame);
    }

    pub fn complete(&mut self, number: usize, outcome: Outcome) {
        self.records[number].outcome = Some(outcome);
    }

    /// The newest operation this client asked for before a moment.
    pub fn newest_before(&self, client: &str, at: Stamp) -> Option<&Record> {
        self.records.iter().rev().find(|record| record.client == client && record.invoked < at)
    }

    /// How many operations this client asked for before a moment.
    pub fn count_before(&self, client: &str, at: Stamp) -> usize {
        // Watches are set again by the client itself, unasked.
        let is_own = |op: &Op| !matches!(op, Op::SetWatches(_));
        let asked = |r: &&Record| r.client == client && r.invoked < at && is_own(&r.op);
        self.records.iter().filter(asked).count()
    }

    /// Operations that wait for an answer of one of these servers.
    pub fn open(&self, is_up: impl Fn(ServerId) -> bool) -> Option<&Record> {
        self.records.iter().find(|record| record.outcome.is_none() && is_up(record.server))
    }

    /// How many operations were answered, lost, and are still open.
    pub fn counts(&self) -> (usize, usize, usize) {
        let mut counts = (0, 0, 0);
        for record in &self.records {
            match record.outcome {
                Some(Outcome::Reply { .. }) => counts.0 += 1,
                Some(Outcome::Lost { .. }) => counts.1 += 1,
                None => counts.2 += 1,
            }
        }
        counts
    }
}
