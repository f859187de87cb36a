//! What a stream consists of. Every step is over before the next begins.

use std::fmt;

use crate::request::Request;

/// Connections (and sessions) of a stream.
pub(crate) const CONNECTIONS: usize = 4;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Ask(usize, Request),
    /// Requests in one go on one connection.
    Burst(usize, Vec<Request>),
    /// Ends the session; the next step of this connection opens another.
    CloseSession(usize),
    /// The connection ends without a word, and another takes the session up again.
    Drop(usize),
    /// Another connection takes the session up while the first one lives.
    Move(usize),
    /// Another connection asks for the session with a wrong password.
    WrongPassword(usize),
    /// A connection of its own that only greets.
    Greet(Greeting),
    /// A connection of its own with these frames on it.
    Stray(Vec<Frame>),
}

/// A ConnectRequest that may be odd.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Greeting {
    pub(crate) timeout_ms: i32,
    /// Counted from the last zxid before the stream; `None` is 0.
    pub(crate) seen: Option<i64>,
    pub(crate) session: i64,
    pub(crate) password: Option<Vec<u8>>,
    pub(crate) read_only: Option<bool>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Frame {
    Request(Request),
    /// Bytes as they are, the length in front of them included.
    Bytes(Vec<u8>),
}

impl Greeting {
    /// That of every client.
    pub(crate) fn plain() -> Greeting {
        let password = Some(vec![0; 16]);
        Greeting { timeout_ms: 30_000, seen: None, session: 0, password, read_only: Some(false) }
    }
}

/// How many requests there are in steps.
pub(crate) fn count_requests(steps: &[Step]) -> usize {
    let count = |step: &Step| match step {
        Step::Burst(_, requests) => requests.len(),
        Step::Stray(frames) => frames.len() + 2,
        _ => 1,
    };
    steps.iter().map(count).sum()
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Ask(conn, request) => write!(f, "{conn}: {request}"),
            Step::Burst(conn, requests) => {
                write!(f, "{conn}: {} requests in one go", requests.len())?;
                requests.iter().try_for_each(|request| write!(f, "\n       {request}"))
            }
            Step::CloseSession(conn) => write!(f, "{conn}: closeSession"),
            Step::Drop(conn) => write!(f, "{conn}: loses its connection and comes back"),
            Step::Move(conn) => write!(f, "{conn}: takes its session to another connection"),
            Step::WrongPassword(conn) => {
                write!(f, "{conn}: another connection asks for its session with a wrong password")
            }
            Step::Greet(greeting) => write!(f, "a connection greets: {greeting:?}"),
            Step::Stray(frames) => {
                f.write_str("a connection of its own")?;
                frames.iter().try_for_each(|frame| match frame {
                    Frame::Request(request) => write!(f, "\n       {request}"),
                    Frame::Bytes(bytes) => write!(f, "\n       bytes {}", bytes.escape_ascii()),
                })
            }
        }
    }
}
