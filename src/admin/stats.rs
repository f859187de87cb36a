//! A server's numbers at one moment, as the words show them. (ServerStats, ServerMetrics)

use std::fmt;

use crate::base::{ServerId, SessionId, Zxid};

/// What stands behind `Zookeeper version: ` and in `zk_version`. Probes read the number in front
/// to decide what a server can do, so it is that of the Apache release whose surfaces these are;
/// then come this product and its version, and a date in the form that probes expect.
pub const VERSION: &str =
    concat!("3.9.3-quorate-", env!("CARGO_PKG_VERSION"), ", built on 2026-11-21 00:00 UTC");

/// The `Mode:` line. A server that is LOOKING has none: it is not serving.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    #[default]
    Standalone,
    Leader,
    Follower,
    Observer,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Standalone => "standalone",
            Mode::Leader => "leader",
            Mode::Follower => "follower",
            Mode::Observer => "observer",
        })
    }
}

impl Mode {
    /// What a member of an ensemble that serves is doing. (QuorumPeer.getServerState, ZabState)
    pub(super) fn peer_state(self) -> Option<&'static str> {
        match self {
            Mode::Standalone => None,
            Mode::Leader => Some("leading - broadcast"),
            Mode::Follower => Some("following - broadcast"),
            Mode::Observer => Some("observing - broadcast"),
        }
    }
}

/// An observer that its leader has brought up to date.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ObserverLine {
    pub sid: ServerId,
    /// When its synchronisation began, in milliseconds since 1970.
    pub established_ms: i64,
    /// What was sent to it ends here.
    pub last_zxid: Zxid,
}

/// One open client connection.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClientLine {
    /// `ip:port` of the client.
    pub address: String,
    /// Requests received and not yet answered.
    pub queued: u64,
    pub received: u64,
    pub sent: u64,
    /// Once it has a session.
    pub session: Option<SessionLine>,
}

impl ClientLine {
    /// As Apache's selection keys have it: 1 (something may be read), and 0 for a connection whose word is being
    /// answered, which nothing more is read from.
    pub fn interest_ops(&self) -> u8 {
        u8::from(self.session.is_some() || self.received == 0)
    }
}

/// A connection that has a session, and what it was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionLine {
    pub id: SessionId,
    pub timeout_ms: i32,
    /// When the connection was accepted, by the wall clock.
    pub established_ms: i64,
    pub last_op: LastOp,
    /// The xid of the last answer that has one of its own: pings have none.
    pub last_cxid: Option<i32>,
    /// What the tree had applied at the last answer.
    pub last_zxid: Zxid,
    /// When that was, by the monotonic clock.
    pub last_response_ms: u64,
    pub last_latency_ms: u64,
    pub latency_min_ms: u64,
    pub latency_avg_ms: u64,
    pub latency_max_ms: u64,
}

/// What was answered last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LastOp {
    /// Nothing yet: the session came from elsewhere.
    Nothing,
    /// A refusal, or nothing since `crst`.
    NotAvailable,
    /// This operation (a number of `jute::client::op`).
    Op(i32),
}

/// What only a leader knows. Sizes in bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LeaderStats {
    /// Of the last, smallest and largest proposal; `None` before the first one.
    pub proposal_sizes: Option<(u64, u64, u64)>,
    /// Connected learners, synced or not.
    pub learners: u64,
    pub synced_followers: u64,
    pub synced_observers: u64,
    /// Learners that are being sent a snapshot or what they lack of the history.
    pub syncing_learners: u64,
    /// Bytes sent to these.
    pub syncing_bytes: u64,
    /// How far the last of them is, 0 to 99; `None` if nobody is being synchronised.
    pub syncing_percent: Option<u64>,
    /// Clients' `sync` requests that wait for a commit.
    pub pending_syncs: u64,
    pub uptime_ms: u64,
}

/// A copy of the server's numbers.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ServerStats {
    pub read_only: bool,
    pub mode: Mode,
    /// From a request's arrival to its answer, in milliseconds.
    pub latency_min_ms: u64,
    pub latency_avg_ms: f64,
    pub latency_max_ms: u64,
    /// Packets from and to clients.
    pub received: u64,
    pub sent: u64,
    /// Requests between arrival and answer.
    pub outstanding: u64,
    /// The last applied transaction.
    pub zxid: Zxid,
    pub node_count: u64,
    /// Paths and ids watched, summed over sessions.
    pub watch_count: u64,
    pub ephemerals_count: u64,
    /// Bytes of all paths and data.
    pub approximate_data_size: u64,
    pub global_sessions: u64,
    pub local_sessions: u64,
    /// Since this server began to serve in its present role.
    pub uptime_ms: u64,
    /// Clients that could not prove who they are.
    pub auth_failed: u64,
    /// Connections without a certificate: from other machines, and from this one.
    pub non_mtls: (u64, u64),
    /// How likely the next new session is turned away, from 0 to 1.
    pub connection_drop_chance: f64,
    /// Bytes of the last, smallest and largest reply to a client; `None` before the first.
    pub response_sizes: Option<(u64, u64, u64)>,
    /// Bytes that clients were sent and have not taken.
    pub unsent_bytes: u64,
    /// Syncs of the log that took longer than `fsync.warningthresholdms`.
    pub fsync_threshold_exceeded: u64,
    /// Transactions that the log was asked to take and has not, and their bytes.
    pub log_waiting_txns: u64,
    pub log_waiting_bytes: u64,
    /// Open and allowed file descriptors, where the machine tells.
    pub file_descriptors: Option<(u64, u64)>,
    /// Voters of the ensemble; 0 for a standalone server.
    pub quorum_size: u64,
    /// Only on a leader.
    pub leader: Option<LeaderStats>,
    /// Only on an observer: whom it follows.
    pub observer_master: Option<ServerId>,
    /// Every open client connection, in the order of their addresses or of their arrival.
    pub clients: Vec<ClientLine>,
}

impl ServerStats {
    /// The mode, or `read-only`: `server_state`, and what stands behind `Mode: `.
    pub(super) fn server_state(&self) -> String {
        if self.read_only { "read-only".into() } else { self.mode.to_string() }
    }

    /// Of the last, smallest and largest reply; -1 each before the first.
    pub(super) fn shown_response_sizes(&self) -> [i64; 3] {
        shown_sizes(self.response_sizes)
    }
}

impl LeaderStats {
    /// Of the last, smallest and largest proposal; -1 each before the first, as Apache shows them.
    pub(super) fn shown_proposal_sizes(&self) -> [i64; 3] {
        shown_sizes(self.proposal_sizes)
    }
}

/// (BufferStats)
fn shown_sizes(sizes: Option<(u64, u64, u64)>) -> [i64; 3] {
    sizes.map_or([-1; 3], |(last, min, max)| [last as i64, min as i64, max as i64])
}
