//! What happens on the network besides data, as events of the world.

use quorate::base::Stamp;

#[derive(Clone, Copy, Debug)]
pub(crate) enum NetEvent {
    /// A connection was asked for: SYN leaves.
    Connect {
        attempt: usize,
    },
    SynArrives {
        attempt: usize,
        left: Stamp,
    },
    SynAnswered {
        attempt: usize,
        left: Stamp,
        accepted: bool,
    },
    SynRetry {
        attempt: usize,
    },
    ConnectTimeout {
        attempt: usize,
    },
    /// RST for this end of a connection.
    RstArrives {
        conn: usize,
        end: usize,
        left: Stamp,
    },
    /// The reader of this direction has room for so many bytes more.
    WindowOpens {
        conn: usize,
        dir: usize,
        left: Stamp,
        bytes: usize,
    },
    Retransmit {
        conn: usize,
        dir: usize,
        tries: u32,
    },
    AckOverdue {
        conn: usize,
        dir: usize,
        tries: u32,
    },
    /// The next of those who wait for this link may send a piece.
    LinkTurn {
        link: usize,
    },
}

impl NetEvent {
    pub(crate) fn id(&self) -> u64 {
        match self {
            NetEvent::Connect { attempt }
            | NetEvent::SynArrives { attempt, .. }
            | NetEvent::SynAnswered { attempt, .. }
            | NetEvent::SynRetry { attempt }
            | NetEvent::ConnectTimeout { attempt } => *attempt as u64,
            NetEvent::RstArrives { conn, .. }
            | NetEvent::WindowOpens { conn, .. }
            | NetEvent::Retransmit { conn, .. }
            | NetEvent::AckOverdue { conn, .. } => *conn as u64,
            NetEvent::LinkTurn { link } => *link as u64,
        }
    }
}
