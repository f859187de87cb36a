//! What goes into a server and what comes out of it.

use std::time::Duration;

use bytes::Bytes;

use crate::admin::page::PageQuestion;
use crate::admin::{AdminEvent, Answer, Command, Question};
use crate::base::{ConnId, LinkId, Note};
use crate::config::ServerConfig;
use crate::election::driver::ElectionEvent;
use crate::runtime::{Halt, HostPort, Label, Order};
use crate::server::driver::ClientEvent;
use crate::storage::{HistoryRequest, LogRequest, Outcome, SnapshotRequest, StorageError, Ticket};
use crate::zab::driver::QuorumEvent;

/// Everything that can happen to a server.
#[derive(Clone, Debug)]
pub enum Input {
    /// The first input: the disk is asked for its content, and all else follows from the answer.
    Begin,
    Election(ElectionEvent),
    Quorum(QuorumEvent),
    Client(ClientEvent),
    Admin(AdminEvent),
    Stored(Ticket, Result<Outcome, StorageError>),
    Order(Order),
    /// The configuration was read again: what of it counts at once has changed.
    Reread(Box<ServerConfig>),
    /// The time of `Peer::wake_at` has come.
    Timer,
    /// A committed transaction may be applied.
    Apply,
    /// The step before took longer than a quarter of a tick: whoever waits for this server's pings
    /// and acks waited as long.
    SlowStep {
        doing: &'static str,
        took: Duration,
    },
}

impl Input {
    /// Whether somebody wants all numbers of this server, those of its process too.
    pub(super) fn asks_for_all(&self) -> bool {
        let question = match self {
            Input::Client(ClientEvent::Word { word, .. }) => return word == b"mntr",
            Input::Admin(AdminEvent::Asked { question, .. }) => question,
            _ => return false,
        };
        matches!(
            question,
            Question::Metrics
                | Question::Command(Command::Monitor)
                | Question::Page(PageQuestion::Glance)
        )
    }

    /// Whether whoever posted it posts nothing more.
    pub(super) fn is_last_of_its_source(&self) -> bool {
        matches!(
            self,
            Input::Election(ElectionEvent::Lost { .. } | ElectionEvent::DialFailed { .. })
                | Input::Quorum(QuorumEvent::Lost { .. } | QuorumEvent::DialFailed { .. })
                | Input::Client(ClientEvent::Lost { .. })
        )
    }

    /// What a step does with it, in a word.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Input::Begin => "begin",
            Input::Election(_) => "an election packet",
            Input::Quorum(_) => "a quorum packet",
            Input::Client(_) => "a client's request",
            Input::Admin(_) => "a question at the admin port",
            Input::Stored(..) => "what the disk answered",
            Input::Order(_) => "an order",
            Input::Reread(_) => "another configuration",
            Input::Timer => "a timer",
            Input::Apply => "a transaction",
            Input::SlowStep { .. } => "a slow step",
        }
    }
}

/// Everything a server can do.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    ElectionDial {
        link: LinkId,
        to: HostPort,
        handshake: Bytes,
    },
    ElectionWrite {
        link: LinkId,
        body: Bytes,
    },
    ElectionClose {
        link: LinkId,
    },
    QuorumListen(HostPort),
    QuorumUnlisten,
    QuorumDial {
        link: LinkId,
        to: HostPort,
    },
    QuorumWrite {
        link: LinkId,
        bytes: Bytes,
        label: Label,
    },
    QuorumNotifyDrained {
        link: LinkId,
    },
    QuorumClose {
        link: LinkId,
    },
    /// Whether the word `stmk` is answered has changed.
    ClientWords {
        takes_trace_mask: bool,
    },
    /// No more clients: their ports close.
    ClientUnlisten,
    ClientWrite {
        conn: ConnId,
        bytes: Bytes,
    },
    ClientClose {
        conn: ConnId,
    },
    ClientPause {
        conn: ConnId,
    },
    ClientResume {
        conn: ConnId,
    },
    ClientNotifyDrained {
        conn: ConnId,
    },
    AdminAnswer {
        number: u64,
        answer: Answer,
    },
    Log(Ticket, LogRequest),
    Snapshot(Ticket, SnapshotRequest),
    History(Ticket, HistoryRequest),
    Halt(Halt),
    Note(Note),
}
