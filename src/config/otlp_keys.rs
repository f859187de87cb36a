//! `otlp.endpoint` and `otlp.writesPerTrace`.

use super::draft::{Draft, INT_MAX};
use super::error::ConfigError;
use super::otlp::OtlpConfig;
use crate::runtime::HostPort;

/// Where a collector takes spans, if its URL has no path.
const TRACES: &str = "/v1/traces";

impl Draft {
    pub(super) fn otlp(&self) -> Result<Option<OtlpConfig>, ConfigError> {
        let writes_per_trace = self.number("otlp.writesPerTrace", 1, INT_MAX, "writes")?;
        let writes_per_trace = writes_per_trace.unwrap_or(1000) as u64;
        let Some(endpoint) = self.setting("otlp.endpoint") else { return Ok(None) };
        if !cfg!(feature = "otlp") {
            return Err(endpoint.mistyped(
                0,
                "a quorate that was built with `--features otlp`, which this one was not: remove the \
                 line, or build it so",
            ));
        }
        let (collector, path) = parse(&endpoint.value).ok_or_else(|| {
            endpoint.mistyped(0, "http://HOST:PORT, without TLS, and perhaps a path")
        })?;
        Ok(Some(OtlpConfig { collector, path, writes_per_trace }))
    }
}

fn parse(url: &str) -> Option<(HostPort, String)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = authority.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let path = if path.is_empty() { TRACES.into() } else { format!("/{path}") };
    let is_host = !host.is_empty() && !host.contains('@');
    is_host.then_some((HostPort::new(host, port.parse().ok()?), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_url_without_tls() {
        let of = |host: &str, path: &str| Some((HostPort::new(host, 4318), path.to_string()));
        assert_eq!(parse("http://collector:4318"), of("collector", "/v1/traces"));
        assert_eq!(parse("http://[::1]:4318/"), of("::1", "/v1/traces"));
        assert_eq!(parse("http://10.0.0.1:4318/otlp/v1/traces"), of("10.0.0.1", "/otlp/v1/traces"));
        for wrong in ["https://a:4318", "a:4318", "http://a", "http://:4318", "http://a:x"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
