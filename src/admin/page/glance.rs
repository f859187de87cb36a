//! A server and its ensemble at one moment, as the page shows them first.
//!
//! What this server knows, and no more: a leader knows its learners, a learner knows whom it follows.

use std::time::Duration;

use serde_json::{Value, json};

use super::changes::{Changes, role_word};
use super::history::{Counts, History};
use crate::admin::stats::VERSION;
use crate::base::{Epoch, RoleName, ServerId, Zxid};
use crate::metrics::Digest;

/// All that the page is told again and again.
#[derive(Debug)]
pub struct Glance<'a> {
    pub me: ServerId,
    /// In milliseconds since 1970.
    pub at_ms: i64,
    pub role: RoleName,
    /// Clients may read and write here.
    pub serves: bool,
    pub reads_only: bool,
    /// Who leads this server, itself included.
    pub leader: Option<ServerId>,
    /// `currentEpoch`
    pub epoch: Epoch,
    /// The last transaction applied, and the last that is durable in the log.
    pub applied: Zxid,
    pub durable: Zxid,
    /// How long it has had its role.
    pub since_ms: u64,
    /// How long it has not served.
    pub unserved_ms: Option<u64>,
    /// On a learner: how long ago it heard of its leader.
    pub leader_heard_ms: Option<u64>,
    /// `syncLimit` as a time.
    pub sync_timeout: Duration,
    pub tick: Duration,
    pub fsync_warning: Duration,
    /// Every member of the ensemble; none beside a server that stands alone.
    pub servers: Vec<Member>,
    /// On a leader: whether a quorum stays when one more voter goes.
    pub can_lose_one: bool,
    pub counts: Counts,
    pub figures: Figures,
    /// Of the last five to ten minutes: requests in milliseconds, the others in microseconds.
    pub latency_ms: Digest,
    pub fsync_us: Digest,
    pub commit_us: Digest,
    pub quorum_wait_us: Digest,
    pub clients: Clients,
    pub history: &'a History,
    pub changes: &'a Changes,
    pub shows_tree: bool,
}

/// One server of the configuration.
#[derive(Clone, Debug)]
pub struct Member {
    pub sid: ServerId,
    pub votes: bool,
    /// `host:port` for other servers, and for clients.
    pub quorum: String,
    pub client: Option<String>,
    /// `host:port` of its page, if the configuration says it.
    pub page: Option<String>,
    pub state: State,
}

/// What this server knows of another.
#[derive(Clone, Debug)]
pub enum State {
    Itself,
    /// It leads us.
    Leads,
    /// We lead it.
    Learns(Learner),
    /// We lead, and it has no connection to us.
    Absent,
    /// Its leader knows.
    Unknown,
}

/// What a leader knows of one learner.
#[derive(Clone, Debug)]
pub struct Learner {
    pub is_observer: bool,
    /// It is up to date and gets all that is committed.
    pub serves: bool,
    /// The phase of its synchronisation.
    pub phase: &'static str,
    pub heard_ms: u64,
    /// Up to where it has acked everything.
    pub acked: Option<Zxid>,
    /// Proposals that it was sent and has not acked, and how long the oldest waits.
    pub unacked: u64,
    pub unacked_ms: Option<u64>,
    /// How far its synchronisation is, and bytes sent for it.
    pub sync: Option<(u64, u64)>,
    /// From a proposal to its ack, in milliseconds, of the last five to ten minutes.
    pub acks_ms: Option<Digest>,
}

/// Gauges.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    pub connections: u64,
    pub sessions: u64,
    pub local_sessions: u64,
    pub watches: u64,
    pub nodes: u64,
    pub ephemerals: u64,
    pub data_bytes: u64,
    pub outstanding: u64,
    /// `globalOutstandingLimit`
    pub outstanding_max: u64,
    pub log_waiting_txns: u64,
    pub log_waiting_bytes: u64,
    pub unsent_bytes: u64,
    pub descriptors: Option<(u64, u64)>,
    /// From 0 to 1.
    pub drop_chance: f64,
    /// Since the start, or `srst`.
    pub slow_fsyncs: u64,
    pub received: u64,
    pub sent: u64,
    /// Zxid and second of the last snapshot.
    pub snapshot: Option<(Zxid, Option<i64>)>,
}

/// Connections that wait for something.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    /// They are not read from, since too much of them waits to be carried out.
    pub paused: u64,
    /// They do not read their answers: the next ones wait.
    pub unread: u64,
    /// Of all these the worst, few.
    pub worst: Vec<BusyClient>,
}

#[derive(Clone, Debug)]
pub struct BusyClient {
    /// `ip:port`
    pub address: String,
    pub session: Option<String>,
    pub unread_bytes: u64,
    pub queued: u64,
}

impl Glance<'_> {
    /// Those we lead.
    pub(super) fn learners(&self) -> impl Iterator<Item = (&Member, &Learner)> {
        self.servers.iter().filter_map(|member| match &member.state {
            State::Learns(learner) => Some((member, learner)),
            _ => None,
        })
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "me": self.me.0,
            "version": VERSION,
            "at_ms": self.at_ms,
            "role": role_word(self.role),
            "serves": self.serves,
            "reads_only": self.reads_only,
            "leader": self.leader.map(|leader| leader.0),
            "epoch": self.epoch.0,
            "applied": zxid_text(self.applied),
            "durable": zxid_text(self.durable),
            "since_ms": self.since_ms,
            "unserved_ms": self.unserved_ms,
            "leader_heard_ms": self.leader_heard_ms,
            "tick_ms": self.tick.as_millis() as u64,
            "sync_timeout_ms": self.sync_timeout.as_millis() as u64,
            "servers": self.servers.iter().map(Member::to_json).collect::<Value>(),
            "counts": {
                "mono_ms": self.counts.mono_ms,
                "reads": self.counts.reads,
                "writes": self.counts.writes,
                "txns": self.counts.txns,
            },
            "figures": self.figures.to_json(),
            "latency_ms": quantiles(&self.latency_ms),
            "fsync_us": quantiles(&self.fsync_us),
            "commit_us": quantiles(&self.commit_us),
            "quorum_wait_us": quantiles(&self.quorum_wait_us),
            "last": self.history.last().map(|last| last.at_ms),
            "changes": self.changes.to_json(),
            "shows_tree": self.shows_tree,
        })
    }
}

impl Member {
    fn to_json(&self) -> Value {
        let Member { sid, votes, quorum, client, page, state } = self;
        let mut fields = json!({
            "id": sid.0,
            "votes": votes,
            "quorum": quorum,
            "client": client,
            "page": page,
            "state": match state {
                State::Itself => "itself",
                State::Leads => "leading",
                State::Learns(learner) if !learner.serves => "synchronising",
                State::Learns(learner) if learner.is_observer => "observing",
                State::Learns(_) => "following",
                State::Absent => "absent",
                State::Unknown => "unknown",
            },
        });
        if let State::Learns(learner) = state {
            fields["phase"] = learner.phase.into();
            fields["heard_ms"] = learner.heard_ms.into();
            fields["acked"] = learner.acked.map(zxid_text).into();
            fields["unacked"] = learner.unacked.into();
            fields["unacked_ms"] = learner.unacked_ms.into();
            fields["sync_percent"] = learner.sync.map(|(percent, _)| percent).into();
            fields["sync_bytes"] = learner.sync.map(|(_, bytes)| bytes).into();
            fields["acks_ms"] = learner.acks_ms.as_ref().map_or(Value::Null, quantiles);
        }
        fields
    }
}

impl Figures {
    fn to_json(self) -> Value {
        let snapshot = self.snapshot.map(|(zxid, second)| {
            json!({ "zxid": zxid_text(zxid), "at_ms": second.map(|second| second * 1000) })
        });
        json!({
            "connections": self.connections,
            "sessions": self.sessions,
            "local_sessions": self.local_sessions,
            "watches": self.watches,
            "nodes": self.nodes,
            "ephemerals": self.ephemerals,
            "data_bytes": self.data_bytes,
            "outstanding": self.outstanding,
            "outstanding_max": self.outstanding_max,
            "log_waiting_txns": self.log_waiting_txns,
            "log_waiting_bytes": self.log_waiting_bytes,
            "unsent_bytes": self.unsent_bytes,
            "descriptors": self.descriptors.map(|(open, allowed)| [open, allowed]),
            "drop_chance": self.drop_chance,
            "slow_fsyncs": self.slow_fsyncs,
            "received": self.received,
            "sent": self.sent,
            "snapshot": snapshot,
        })
    }
}

/// Numbers of 64 bits are texts: JavaScript's end at 2^53.
fn zxid_text(zxid: Zxid) -> String {
    format!("0x{:x}", zxid.0)
}

/// `null` of no values in the last minutes.
fn quantiles(digest: &Digest) -> Value {
    match digest.quantiles {
        Some(_) => json!({ "p50": digest.quantile(0.5), "p99": digest.quantile(0.99) }),
        None => Value::Null,
    }
}
