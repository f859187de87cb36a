//! Where a server is asked from outside: the admin port and the metrics port.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::ServerId;
use crate::runtime::HostPort;

/// Where the server answers in HTTP.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AdminConfig {
    /// `admin.serverAddress` and `admin.serverPort`; `None` where `admin.enableServer` is false.
    pub listen: Option<HostPort>,
    /// `admin.commandURL`: what stands before the name of a command.
    pub command_url: String,
    /// `admin.handOver.enabled`: the command `hand_over` is obeyed.
    pub may_hand_over: bool,
    /// `admin.idleTimeout`: a connection that is silent for so long ends.
    pub idle_timeout: Duration,
    /// `admin.snapshot.enabled`: a snapshot may be asked for.
    pub snapshot_enabled: bool,
    /// `admin.rateLimiterIntervalInMS`: the next one may be asked for so much later.
    pub snapshot_interval: Duration,
    /// `admin.page.enabled`: the page for an operator is there.
    pub page_enabled: bool,
    /// `admin.page.tree.enabled`: it shows nodes to those who may read them.
    pub page_tree_enabled: bool,
    /// `admin.page.hosts`: names under which browsers may ask for it, beside those of the configuration.
    pub page_hosts: Vec<String>,
    /// `admin.page.servers`: where the pages of the other servers are.
    pub page_servers: BTreeMap<ServerId, HostPort>,
    /// `metricsProvider.httpHost` and `.httpPort`; `None` where no provider answers.
    pub metrics: Option<HostPort>,
}

impl Default for AdminConfig {
    /// No port at all.
    fn default() -> AdminConfig {
        AdminConfig {
            listen: None,
            command_url: "/commands".into(),
            may_hand_over: false,
            idle_timeout: Duration::from_secs(30),
            snapshot_enabled: true,
            snapshot_interval: Duration::from_secs(300),
            page_enabled: true,
            page_tree_enabled: false,
            page_hosts: Vec::new(),
            page_servers: BTreeMap::new(),
            metrics: None,
        }
    }
}
