//! Sessions, a page of them.

use serde_json::{Value, json};

use crate::base::SessionId;

/// Sessions in the order of their ids.
#[derive(Debug)]
pub struct SessionsShown {
    pub sessions: Vec<SessionShown>,
    /// The first one that is not among them.
    pub next: Option<SessionId>,
    /// Of the ensemble, and those that this server alone knows.
    pub total: u64,
    pub local: u64,
}

#[derive(Debug)]
pub struct SessionShown {
    pub id: SessionId,
    pub timeout_ms: i32,
    pub is_local: bool,
    pub ephemerals: u64,
    /// Its connection, if that is to this server.
    pub connection: Option<ConnectionShown>,
}

#[derive(Debug)]
pub struct ConnectionShown {
    /// `ip:port`
    pub address: String,
    pub queued: u64,
    pub received: u64,
    pub sent: u64,
    pub unread_bytes: u64,
    pub is_paused: bool,
    /// In milliseconds since 1970.
    pub established_ms: i64,
    pub latency_avg_ms: u64,
    pub latency_max_ms: u64,
    pub data_watches: u64,
    pub child_watches: u64,
}

impl SessionsShown {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "sessions": self.sessions.iter().map(SessionShown::to_json).collect::<Value>(),
            "next": self.next.map(|next| next.to_string()),
            "total": self.total,
            "local": self.local,
        })
    }
}

impl SessionShown {
    fn to_json(&self) -> Value {
        let connection = self.connection.as_ref().map(|c| {
            json!({
                "address": c.address,
                "queued": c.queued,
                "received": c.received,
                "sent": c.sent,
                "unread_bytes": c.unread_bytes,
                "is_paused": c.is_paused,
                "established_ms": c.established_ms,
                "latency_avg_ms": c.latency_avg_ms,
                "latency_max_ms": c.latency_max_ms,
                "data_watches": c.data_watches,
                "child_watches": c.child_watches,
            })
        });
        json!({
            "id": self.id.to_string(),
            "timeout_ms": self.timeout_ms,
            "is_local": self.is_local,
            "ephemerals": self.ephemerals,
            "connection": connection,
        })
    }
}
