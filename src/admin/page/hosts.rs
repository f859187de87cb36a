//! Under which names a browser may ask for the page.
//!
//! A page of a stranger's may give its own name the address of a server (DNS rebinding): the browser then
//! takes both for one site, and lets the stranger's script read what the server answers. Its requests
//! carry the stranger's name, which no configuration has.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::config::ServerConfig;

/// Names in small letters.
#[derive(Clone, Debug, Default)]
pub struct Hosts(BTreeSet<String>);

impl Hosts {
    /// All hosts that the configuration names.
    pub fn of(config: &ServerConfig) -> Hosts {
        let servers = config.servers.values().flat_map(|server| {
            let client = server.client.as_ref().map(|client| &client.host);
            [&server.quorum.host, &server.election.host].into_iter().chain(client)
        });
        let own = [&config.client, &config.admin.listen].into_iter().flatten().map(|on| &on.host);
        let named = servers.chain(own).chain(&config.admin.page_hosts);
        Hosts(named.map(|host| host.to_lowercase()).collect())
    }

    /// Whether the header `Host` is an address, `localhost`, or one of the names. Browsers always send it.
    pub(super) fn admit(&self, header: Option<&str>) -> bool {
        let Some(header) = header else { return true };
        let host = header.trim();
        // Behind the last colon is the port, but in [::1].
        let host = match host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => host,
        };
        let host = host.trim_end_matches('.').to_lowercase();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        address.parse::<IpAddr>().is_ok() || host == "localhost" || self.0.contains(&host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ServerId;
    use crate::config::ServerSpec;
    use crate::runtime::HostPort;

    #[test]
    fn addresses_and_names_of_the_configuration_are_admitted_and_no_others() {
        let mut config = ServerConfig::defaults(ServerId(1));
        let spec =
            ServerSpec::participant(HostPort::new("ZK1.corp", 2888), HostPort::new("e", 3888));
        config.servers.insert(ServerId(1), spec);
        config.admin.page_hosts = vec!["status.corp".into()];
        let hosts = Hosts::of(&config);
        for good in [
            "10.0.0.1:8080",
            "10.0.0.1",
            "[::1]:8080",
            "[::1]",
            "localhost:8080",
            "zk1.corp:8080",
            "ZK1.CORP",
            "zk1.corp.:1",
            "e",
            "status.corp",
        ] {
            assert!(hosts.admit(Some(good)), "{good}");
        }
        for bad in
            ["evil.example:8080", "zk1.corp.evil.example", "10.0.0.1.evil.example", "", "x:y"]
        {
            assert!(!hosts.admit(Some(bad)), "{bad}");
        }
        assert!(hosts.admit(None), "no browser leaves it out");
    }
}
