//! What is asked of a server from outside: the admin port and the metrics port.
//!
//! `admin.*` is the AdminServer of Apache (JettyAdminServer), on by default as there; `metricsProvider.*`
//! its PrometheusMetricsProvider, off by default. Both speak HTTP in plain text.
//!
//! Not here: what is answered (admin).

use super::admin::AdminConfig;
use super::draft::Draft;
use super::error::ConfigError;
use super::server_line::{ANY_ADDRESS, split_host};
use crate::base::ServerId;
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
pub(super) const OUR_ADMIN_PROPERTIES: [&str; 5] = [
    "admin.handOver.enabled",
    "admin.page.enabled",
    "admin.page.hosts",
    "admin.page.servers",
    "admin.page.tree.enabled",
];

/// Read from zoo.cfg alone, as in Apache.
pub(super) const METRICS_KEYS: [&str; 3] =
    ["metricsProvider.className", "metricsProvider.httpHost", "metricsProvider.httpPort"];

/// Class names of `metricsProvider.className`, without their packages.
const PROMETHEUS: &str = "PrometheusMetricsProvider";
const SILENT: [&str; 2] = ["DefaultMetricsProvider", "NullMetricsProvider"];

const PORT_MAX: i64 = 65_535;

/// `1=zk1:8080`
fn page_of(text: &str) -> Option<(ServerId, HostPort)> {
    let (sid, address) = text.split_once('=')?;
    let (host, port) = split_host(address)?;
    Some((ServerId(sid.parse().ok()?), HostPort::new(host, port.parse().ok()?)))
}

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
        if let Some(servers) = self.setting("admin.page.servers") {
            let pages = servers.value.split(',').map(|page| page_of(page.trim()));
            admin.page_servers = pages.collect::<Option<_>>().ok_or_else(|| {
                servers.mistyped(0, "where the pages of servers are, as 1=zk1:8080,2=zk2:8080")
            })?;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn admin(lines: &str) -> Result<AdminConfig, String> {
        let text = format!("dataDir=/data\nclientPort=2181\n{lines}");
        let loaded = parse(&text, "zoo.cfg", None, None);
        loaded.map(|loaded| loaded.config.admin).map_err(|error| error.to_string())
    }

    #[test]
    fn the_page_is_there_and_the_tree_is_not_unless_somebody_says_so() {
        let plain = admin("").expect("a good file");
        assert_eq!((plain.page_enabled, plain.page_tree_enabled), (true, false));
        let lines = "admin.page.enabled=false\nadmin.page.tree.enabled=true\n\
                     admin.page.hosts=Status.corp, ops.corp,\nadmin.page.servers=1=zk1:8080, 2=[::1]:81\n";
        let set = admin(lines).expect("a good file");
        assert_eq!((set.page_enabled, set.page_tree_enabled), (false, true));
        assert_eq!(set.page_hosts, ["status.corp", "ops.corp"]);
        let pages =
            [(ServerId(1), HostPort::new("zk1", 8080)), (ServerId(2), HostPort::new("::1", 81))];
        assert_eq!(set.page_servers, pages.into());
        for bad in ["zk1:8080", "1=zk1", "x=zk1:80", "1=zk1:80,"] {
            let error = admin(&format!("admin.page.servers={bad}\n")).expect_err(bad);
            assert!(error.contains("zoo.cfg:3:20: ") && error.contains("1=zk1:8080"), "{error}");
        }
    }
}
