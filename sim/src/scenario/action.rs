//! What a timeline can say, as values. Each prints as a text that reads back as the same.

use std::fmt;
use std::time::Duration;

use quorate::base::{Epoch, RoleName, ServerId, SyncMode, Zxid};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::fault::Step;
use crate::grammar::words::{mode_word, role_word};
use crate::grammar::{List, When};

/// One line: when, and what then happens, in the order written.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub when: When,
    pub actions: Vec<Action>,
    /// Line and column in the scenario file; zero for lines the laboratory made itself.
    pub place: (usize, usize),
    /// The number of the drawn fault this line belongs to.
    pub fault: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Something is done to the world.
    Fault(Fault),
    Client {
        name: String,
        act: ClientAct,
    },
    Expect(Vec<Expectation>),
}

impl Line {
    /// A line of the laboratory's own, at a time.
    pub fn at(at: Duration, action: Action) -> Line {
        Line { when: When::At(at), actions: vec![action], place: (0, 0), fault: None }
    }

    /// A step of the drawn fault of this number.
    pub(super) fn drawn(fault: usize, step: Step) -> Line {
        let actions = vec![Action::Fault(step.fault.into())];
        Line { when: step.when, actions, place: (0, 0), fault: Some(fault) }
    }
}

impl Action {
    /// Starts these servers.
    pub fn start(servers: Vec<ServerId>) -> Action {
        Action::Fault(Fault::start(servers))
    }
}

/// What a scripted client does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientAct {
    /// Opens a session; tries these servers in turn.
    Connects(Vec<ServerId>),
    Create {
        path: String,
        data: String,
        ephemeral: bool,
        sequential: bool,
    },
    Set {
        path: String,
        data: String,
    },
    Get {
        path: String,
    },
    Exists {
        path: String,
    },
    List {
        path: String,
    },
    Delete {
        path: String,
    },
    Sync {
        path: String,
    },
    Closes,
}

/// One clause of an `expect`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expectation {
    /// One of these is the established leader of the highest epoch (and that epoch is this one).
    Leader {
        servers: Vec<ServerId>,
        epoch: Option<Epoch>,
    },
    /// No running server is an established leader.
    NoLeader,
    NotLeader(ServerId),
    /// Following and observing mean: synchronised and serving.
    InRole {
        servers: Vec<ServerId>,
        role: RoleName,
    },
    Down(Vec<ServerId>),
    /// The last zxid in the server's log.
    Last {
        server: ServerId,
        zxid: Zxid,
    },
    /// The server's log was cut at this zxid at some time before.
    Truncated {
        server: ServerId,
        to: Zxid,
    },
    /// The newest synchronisation of this learner went this way.
    Synced {
        server: ServerId,
        mode: SyncMode,
    },
    /// The named client's newest operation: answered without error, with one, or not at all.
    Client {
        name: String,
        state: ClientState,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientState {
    Ok,
    Fails,
    Waits,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.when)?;
        for (i, action) in self.actions.iter().enumerate() {
            write!(f, "{}{action}", if i == 0 { "  " } else { "; " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Fault(fault) => write!(f, "{fault}"),
            Action::Client { name, act } => write!(f, "client {name} {act}"),
            Action::Expect(clauses) => {
                f.write_str("expect ")?;
                for (i, clause) in clauses.iter().enumerate() {
                    write!(f, "{}{clause}", if i == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for ClientAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientAct::Connects(servers) => write!(f, "connects {}", List(servers)),
            ClientAct::Create { path, data, ephemeral, sequential } => {
                write!(f, "create ")?;
                if *ephemeral {
                    write!(f, "-e ")?;
                }
                if *sequential {
                    write!(f, "-s ")?;
                }
                with_data(f, path, data)
            }
            ClientAct::Set { path, data } => {
                f.write_str("set ")?;
                with_data(f, path, data)
            }
            ClientAct::Get { path } => write!(f, "get {path}"),
            ClientAct::Exists { path } => write!(f, "exists {path}"),
            ClientAct::List { path } => write!(f, "ls {path}"),
            ClientAct::Delete { path } => write!(f, "delete {path}"),
            ClientAct::Sync { path } => write!(f, "sync {path}"),
            ClientAct::Closes => write!(f, "closes"),
        }
    }
}

fn with_data(f: &mut fmt::Formatter<'_>, path: &str, data: &str) -> fmt::Result {
    f.write_str(path)?;
    if data.is_empty() { Ok(()) } else { write!(f, " {data}") }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expectation::Leader { servers, epoch: None } => write!(f, "leader {}", List(servers)),
            Expectation::Leader { servers, epoch: Some(e) } => {
                write!(f, "leader {} epoch {e}", List(servers))
            }
            Expectation::NoLeader => f.write_str("no leader"),
            Expectation::NotLeader(server) => write!(f, "not leader {server}"),
            Expectation::InRole { servers, role } => {
                write!(f, "{} {}", List(servers), role_word(*role))
            }
            Expectation::Down(servers) => write!(f, "{} down", List(servers)),
            Expectation::Last { server, zxid } => write!(f, "last {server} {zxid}"),
            Expectation::Truncated { server, to } => write!(f, "truncated {server} {to}"),
            Expectation::Synced { server, mode } => {
                write!(f, "synced {server} {}", mode_word(*mode))
            }
            Expectation::Client { name, state } => {
                let state = match state {
                    ClientState::Ok => "ok",
                    ClientState::Fails => "fails",
                    ClientState::Waits => "waits",
                };
                write!(f, "client {name} {state}")
            }
        }
    }
}
