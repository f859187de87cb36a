//! Ensembles for the tests of this folder.

use std::time::Duration;

use crate::base::ServerId;
use crate::config::{ServerConfig, ServerSpec};

/// A membership; every server gets its own configuration of it.
pub(super) struct Ensemble {
    config: ServerConfig,
}

impl Ensemble {
    /// Voters 1 to `count`, server n listening on `hn:3888`.
    pub(super) fn of_voters(count: i64) -> Ensemble {
        let mut ensemble = Ensemble { config: ServerConfig::defaults(ServerId(0)) };
        for sid in 1..=count {
            ensemble.config.servers.insert(ServerId(sid), ServerSpec::test(sid));
        }
        ensemble
    }

    pub(super) fn observer(mut self, sid: i64) -> Ensemble {
        self.config.servers.insert(ServerId(sid), ServerSpec::test(sid).observing());
        self
    }

    /// Makes the quorums weighted.
    pub(super) fn weight(mut self, sid: i64, weight: i64) -> Ensemble {
        self.config.hierarchical = true;
        self.config.servers.get_mut(&ServerId(sid)).expect("a server").weight = weight;
        self
    }

    pub(super) fn set_finalize_wait_ms(&mut self, wait_ms: u64) {
        self.config.finalize_wait = Duration::from_millis(wait_ms);
    }

    pub(super) fn config(&self, me: i64) -> ServerConfig {
        ServerConfig { my_id: ServerId(me), ..self.config.clone() }
    }
}
