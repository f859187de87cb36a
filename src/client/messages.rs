//! What the core is told, and what it says is to be done.

use std::time::Duration;

use bytes::Bytes;

use super::event::WatchedEvent;
use super::failure::Failure;
use super::request::{Request, Ticket};
use super::settings::Credentials;
use crate::runtime::HostPort;

/// What a session is made of, once its servers are in an order.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) servers: Vec<HostPort>,
    pub(super) timeout: Duration,
    pub(super) read_only: bool,
    /// And a number that nobody can guess.
    pub(super) sasl: Option<(Credentials, String)>,
}

/// What happened.
#[derive(Debug)]
pub(super) enum Input {
    Ask(Request),
    AddAuth {
        scheme: String,
        auth: Bytes,
    },
    /// The dial that was asked for has ended; why, if it failed.
    Dialled(Result<(), String>),
    /// One frame, without its length.
    Frame(Bytes),
    Lost(String),
    Timer,
}

/// What is to be done.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Output {
    Dial(HostPort, Duration),
    Send(Bytes),
    HangUp,
    /// Answers a request: with the record behind the reply's header.
    Answer(Ticket, Result<Bytes, Failure>),
    /// With the path as the server knows it.
    Event(WatchedEvent),
}

/// Where the session stands, as Apache's shell shows it. (ZooKeeper.States)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Connecting,
    Connected,
    ConnectedReadOnly,
    Closed,
    AuthFailed,
}
