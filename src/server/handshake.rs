//! The first message of a client: what a server makes of it.   (ZooKeeperServer.processConnectRequest)
//!
//! Only the decision stands here; service/connect.rs carries it out.

use serde::{Deserialize, Serialize};

use crate::base::{ServerId, SessionId};
use crate::config::ServerConfig;
use crate::database::Database;
use crate::jute::client::ConnectRequest;
use crate::session::{negotiate, password, was_opened_by};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Decision {
    /// Its connection is closed without a word: it is to look for another server.
    TurnAway,
    /// It gets a session of its own.
    Create { timeout_ms: i32, read_only: Option<bool> },
    /// It wants its session back. `proven`: it knows the password.
    Resume { session: SessionId, timeout_ms: i32, read_only: Option<bool>, proven: bool },
}

/// How this server receives clients.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Handshake {
    sid: ServerId,
    timeout_min_ms: i32,
    timeout_max_ms: i32,
}

/// Whom a server serves now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Serving {
    Nobody,
    Everybody,
    /// No leader is in sight: those who say that they only read.
    Readers,
}

impl Handshake {
    pub(super) fn new(config: &ServerConfig) -> Handshake {
        let millis = |d: std::time::Duration| i32::try_from(d.as_millis()).unwrap_or(i32::MAX);
        Handshake {
            sid: if config.is_standalone() { ServerId(1) } else { config.my_id },
            timeout_min_ms: millis(config.session_timeout_min),
            timeout_max_ms: millis(config.session_timeout_max),
        }
    }

    pub(super) fn sid(&self) -> ServerId {
        self.sid
    }

    pub(super) fn decide(
        &self,
        request: &ConnectRequest,
        serving: Serving,
        db: &Database,
    ) -> Decision {
        let welcome = match serving {
            Serving::Nobody => false,
            Serving::Everybody => true,
            Serving::Readers => request.read_only == Some(true),
        };
        // A client that has seen more than we have would go back in time here (C-2).
        if !welcome || request.last_zxid_seen > db.last_applied() {
            return Decision::TurnAway;
        }
        let timeout_ms = negotiate(request.timeout_ms, self.timeout_min_ms, self.timeout_max_ms);
        let (session, read_only) = (request.session, request.read_only);
        if session == SessionId(0) {
            return Decision::Create { timeout_ms, read_only };
        }
        // Only of a session that it opened itself does a read-only server know whether it is over:
        // one that is unknown here may have been opened since the others were heard of last (C-5).
        let is_foreign = db.sessions().contains(session) || !was_opened_by(self.sid, session);
        if serving == Serving::Readers && is_foreign {
            return Decision::TurnAway;
        }
        let given = request.password.as_deref().unwrap_or_default();
        let proven = given == password(session).as_slice();
        Decision::Resume { session, timeout_ms, read_only, proven }
    }
}
