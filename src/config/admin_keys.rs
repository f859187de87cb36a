//! What is asked of a server from outside: the admin port and the metrics port.
//!
//! `admin.*` is the AdminServer of Apache (JettyAdminServer), on by default as there; `metricsProvider.*`
//! its PrometheusMetricsProvider, off by default. Both speak HTTP in plain text.
//!
//! Not here: what is answered (admin).

use super::admin::AdminConfig;
use super::draft::Draft;
use super::error::ConfigError;
use super::server_line::ANY_ADDRESS;
use crate::runtime::HostPort;

/// Read from zoo.cfg and as properties.
pub(super) const ADMIN_PROPERTIES: [&str; 7] = [
    "admin.commandURL",
    "admin.enableServer",
    "admin.idleTimeout",
    "admin.rateLimiterIntervalInMS",
    "admin.serverAddress",
    "admin.serverPort",
    "admin.snapshot.enabled",
];

/// The same, and unknown to Apache.
pub(super) const OUR_ADMIN_PROPERTIES: [&str; 4] =
    ["admin.handOver.enabled", "admin.page.enabled", "admin.page.hosts", "admin.page.tree.enabled"];

/// Read from zoo.cfg alone, as in Apache.
pub(super) const METRICS_KEYS: [&str; 3] =
    ["metricsProvider.className", "metricsProvider.httpHost", "metricsProvider.httpPort"];

/// Class names of `metricsProvider.className`, without their packages.
const PROMETHEUS: &str = "PrometheusMetricsProvider";
const SILENT: [&str; 2] = ["DefaultMetricsProvider", "NullMetricsProvider"];

const PORT_MAX: i64 = 65_535;

impl Draft {
    pub(super) fn admin(&self) -> Result<AdminConfig, ConfigError> {
        let mut admin = AdminConfig { metrics: self.metrics()?, ..AdminConfig::default() };
        let port = self.number("admin.serverPort", 0, PORT_MAX, "a port")?.unwrap_or(8080);
        if self.boolean("admin.enableServer")?.unwrap_or(true) {
            let host = self.text("admin.serverAddress").unwrap_or(ANY_ADDRESS);
            admin.listen = Some(HostPort::new(host, port as u16));
        }
        if let Some(url) = self.setting("admin.commandURL") {
            let is_path = url.value.starts_with('/') && !url.value.ends_with('/');
            if !is_path {
                return Err(url.mistyped(0, "a path that begins with / and does not end with it"));
            }
            admin.command_url = url.value.clone();
        }
        admin.may_hand_over = self.boolean("admin.handOver.enabled")?.unwrap_or(false);
        if let Some(timeout) = self.millis("admin.idleTimeout", 1)? {
            admin.idle_timeout = timeout;
        }
        if let Some(interval) = self.millis("admin.rateLimiterIntervalInMS", 0)? {
            admin.snapshot_interval = interval;
        }
        admin.snapshot_enabled = self.boolean("admin.snapshot.enabled")?.unwrap_or(true);
        admin.page_enabled = self.boolean("admin.page.enabled")?.unwrap_or(true);
        admin.page_tree_enabled = self.boolean("admin.page.tree.enabled")?.unwrap_or(false);
        let hosts = self.text("admin.page.hosts").unwrap_or_default().split(',').map(str::trim);
        admin.page_hosts = hosts.filter(|host| !host.is_empty()).map(str::to_lowercase).collect();
        Ok(admin)
    }

    fn metrics(&self) -> Result<Option<HostPort>, ConfigError> {
        let host = self.text("metricsProvider.httpHost").unwrap_or(ANY_ADDRESS);
        let port = self.number("metricsProvider.httpPort", 0, PORT_MAX, "a port")?.unwrap_or(7000);
        let Some(class) = self.setting("metricsProvider.className") else { return Ok(None) };
        match class.value.rsplit('.').next() {
            Some(PROMETHEUS) => Ok(Some(HostPort::new(host, port as u16))),
            Some(name) if SILENT.contains(&name) => Ok(None),
            _ => Err(class.mistyped(
                0,
                "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider, or \
                 org.apache.zookeeper.metrics.impl.DefaultMetricsProvider for none",
            )),
        }
    }
}
