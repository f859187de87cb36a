//! The keys of zoo.cfg that are about clients: access, limits, sessions, containers.
//!
//! Not here: TLS (`tls_keys.rs`), addresses (`parse.rs`).

use std::collections::BTreeMap;
use std::time::Duration;

use super::draft::{Draft, INT_MAX};
use super::error::ConfigError;
use super::jaas::read_server_section;
use super::properties::Entry;
use super::{DigestAlg, ServerConfig};
use crate::runtime::LogFormat;

/// More than one thread that decides can keep busy. Each has some descriptors of its own.
const NET_THREADS_MAX: i64 = 16;

const LOG_FILES_MAX: i64 = 1000;
const SECONDS_OF_DAY: u64 = 24 * 60 * 60;

/// Names the file of SASL's users.
pub(super) const JAAS_KEY: &str = "java.security.auth.login.config";

impl Draft {
    /// Who may prove himself by SASL, from the text of the file that zoo.cfg names.
    pub(super) fn sasl_users(
        &self,
        jaas: Option<(&str, &str)>,
    ) -> Result<Option<BTreeMap<String, String>>, ConfigError> {
        let Some(entry) = self.setting(JAAS_KEY) else { return Ok(None) };
        let Some((file, text)) = jaas else {
            let why = format!("named by {JAAS_KEY} in {}", entry.value_at);
            return Err(ConfigError::Unreadable { file: entry.value.clone(), why });
        };
        read_server_section(text, file, self.text("sasl.serverconfig").unwrap_or("Server"))
    }

    pub(super) fn read_clients(&mut self, config: &mut ServerConfig) -> Result<(), ConfigError> {
        self.read_access(config)?;
        self.read_enforced_schemes(config)?;
        self.read_limits(config)?;
        self.read_throttles(config)?;
        self.read_sessions(config)?;
        self.read_containers(config)?;
        self.read_audit(config)
    }

    /// The log is Apache's default, under the names that it has had; which one is read where there is one.
    fn read_audit(&self, config: &mut ServerConfig) -> Result<(), ConfigError> {
        const LOG: [&str; 2] = [
            "org.apache.zookeeper.audit.Slf4jAuditLogger",
            "org.apache.zookeeper.audit.Log4jAuditLogger",
        ];
        config.audit = self.boolean("audit.enable")?.unwrap_or(false);
        match self.setting("audit.impl.class") {
            Some(entry) if config.audit && !LOG.contains(&entry.value.as_str()) => {
                let what = "org.apache.zookeeper.audit.Slf4jAuditLogger, which is the default: \
                            the audit goes to the log of the server, and no Java class is loaded";
                Err(entry.mistyped(0, what))
            }
            _ => Ok(()),
        }
    }

    fn read_access(&self, config: &mut ServerConfig) -> Result<(), ConfigError> {
        let access = &mut config.access;
        if let Some(entry) = self.setting("skipACL") {
            access.skip_acl = yes_or_no(entry)?;
        }
        access.eager_check = self.boolean("enableEagerACLCheck")?.unwrap_or(false);
        access.digest_enabled =
            self.boolean("DigestAuthenticationProvider.enabled")?.unwrap_or(true);
        if let Some(entry) = self.setting("DigestAuthenticationProvider.digestAlg") {
            access.digest_alg = match entry.value.to_ascii_uppercase().replace('-', "").as_str() {
                "SHA1" => DigestAlg::Sha1,
                "SHA256" => DigestAlg::Sha256,
                "SHA512" => DigestAlg::Sha512,
                _ => return Err(entry.mistyped(0, "SHA1, SHA-256 or SHA-512")),
            };
        }
        if let Some(entry) = self.setting("DigestAuthenticationProvider.superDigest") {
            if !entry.value.contains(':') {
                let what = "super: and the base64 digest of super:PASSWORD, as Apache's \
                            DigestAuthenticationProvider prints it";
                return Err(entry.mistyped(0, what));
            }
            access.super_digest = Some(entry.value.clone());
        }
        access.x509_super_user = self.text("X509AuthenticationProvider.superUser").map(Into::into);
        access.sasl_super_users = self.super_users.iter().map(|e| e.value.clone()).collect();
        access.allow_sasl_failed_clients = self.boolean("allowSaslFailedClients")?.unwrap_or(false);
        access.ensemble_names = self.text("ensembleAuthName").map(list);
        Ok(())
    }

    /// Three generations of one setting.
    fn read_enforced_schemes(&self, config: &mut ServerConfig) -> Result<(), ConfigError> {
        let schemes = &mut config.access.enforced_schemes;
        if self.boolean("enforce.auth.enabled")?.unwrap_or(false) {
            *schemes = self.text("enforce.auth.schemes").map(list).unwrap_or_default();
            if schemes.is_empty() {
                return Err(ConfigError::MissingKey {
                    file: self.file.clone(),
                    key: "enforce.auth.schemes",
                    why: ", although enforce.auth.enabled is true",
                });
            }
        }
        if self.boolean("sessionRequireClientSASLAuth")?.unwrap_or(false) {
            schemes.push("sasl".into());
        }
        schemes.extend(self.text("requireClientAuthScheme").map(list).unwrap_or_default());
        schemes.sort_unstable();
        schemes.dedup();
        const KNOWN: [&str; 4] = ["digest", "ip", "sasl", "x509"];
        if let Some(unknown) = schemes.iter().find(|s| !KNOWN.contains(&s.as_str())) {
            let entry = ["enforce.auth.schemes", "requireClientAuthScheme"]
                .into_iter()
                .filter_map(|key| self.setting(key))
                .find(|entry| entry.value.contains(unknown))
                .expect("an unknown scheme was written in one of the two");
            return Err(entry.mistyped(0, "a list of the schemes digest, ip, sasl and x509"));
        }
        Ok(())
    }

    fn read_limits(&self, config: &mut ServerConfig) -> Result<(), ConfigError> {
        // Apache takes negative numbers as "no limit".
        if let Some(n) = self.number("maxClientCnxns", -INT_MAX, INT_MAX, "connections")? {
            config.max_client_cnxns = n.max(0) as u32;
        }
        let limits = &mut config.limits;
        if let Some(n) = self.number("maxCnxns", -INT_MAX, INT_MAX, "connections")? {
            limits.connections_max = n.max(0) as u32;
        }
        if let Some(entry) = self.setting("jute.maxbuffer") {
            let bytes = java_integer(&entry.value).filter(|n| (1024..=INT_MAX / 2).contains(n));
            limits.jute_max_buffer = bytes.ok_or_else(|| {
                entry.mistyped(0, "a number of bytes from 1024 to 1073741823, or 0x and hex digits")
            })? as usize;
        }
        if let Some(n) = self.number("jute.maxbuffer.extrasize", 0, INT_MAX, "bytes")? {
            limits.jute_extra_size = n as usize;
        }
        if let Some(n) = self.number("globalOutstandingLimit", 1, INT_MAX, "requests")? {
            limits.outstanding_max = n as u32;
        }
        if let Some(timeout) = self.millis("nio.sessionlessCnxnTimeout", 1)? {
            limits.sessionless_timeout = timeout;
        }
        if let Some(n) = self.number("largeRequestThreshold", -1, INT_MAX, "bytes")? {
            limits.large_request_threshold = usize::try_from(n).ok().filter(|n| *n > 0);
        }
        if let Some(n) = self.number("largeRequestMaxBytes", 1, INT_MAX, "bytes")? {
            limits.large_requests_bytes_max = n as usize;
        }
        for (key, value) in [
            ("maxResponseBytes", &mut limits.response_bytes_max),
            ("maxClientPendingResponseBytes", &mut limits.pending_response_bytes_max),
            ("maxPendingResponseBytes", &mut limits.pending_responses_bytes_max),
        ] {
            *value = self.number(key, 4096, INT_MAX, "bytes")?.map_or(*value, |n| n as usize);
        }
        let sockets = &mut config.client_sockets;
        if let Some(n) = self.number("clientPortListenBacklog", -1, INT_MAX, "connections")? {
            sockets.backlog = Some(n as u32).filter(|_| n > 0);
        }
        sockets.keep_alive = self.boolean("clientTcpKeepAlive")?.unwrap_or(false);
        let threads = self.number("net.threads", 0, NET_THREADS_MAX, "threads")?;
        if let Some(timeout) = self.millis("stop.timeout", 1)? {
            config.stop_timeout = timeout;
        }
        config.net_threads = threads.map(|n| n as usize);
        self.read_log(config)
    }

    fn read_log(&self, config: &mut ServerConfig) -> Result<(), ConfigError> {
        config.log_level = self.text("log.level").map(String::from);
        let log = &mut config.log;
        if let Some(entry) = self.setting("log.format") {
            log.format = match entry.value.as_str() {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err(entry.mistyped(0, "text or json")),
            };
        }
        if let Some(entry) = self.setting("log.maxSize") {
            let what = "a number of bytes such as 1048576, 1024k, 1M or 1G, or 0 for no bound";
            let bytes = bytes_of(&entry.value).ok_or_else(|| entry.mistyped(0, what))?;
            log.bytes_max = Some(bytes).filter(|bytes| *bytes > 0);
        }
        if let Some(n) = self.number("log.maxFiles", 1, LOG_FILES_MAX, "files")? {
            log.files_max = n as u32;
        }
        if let Some(n) = self.number("log.maxAge", 0, INT_MAX, "days")? {
            let age = Duration::from_secs(n as u64 * SECONDS_OF_DAY);
            log.age_max = Some(age).filter(|age| !age.is_zero());
        }
        Ok(())
    }

    fn read_throttles(&self, config: &mut ServerConfig) -> Result<(), ConfigError> {
        let limits = &mut config.limits;
        if let Some(n) = self.number("request_throttle_max_requests", 0, INT_MAX, "requests")? {
            limits.throttle_requests_max = n as u32;
        }
        if let Some(stall) = self.millis("request_throttle_stall_time", 1)? {
            limits.throttle_stall = stall;
        }
        for (key, value) in [
            ("request_throttle_drop_stale", &mut limits.throttle_drop_stale),
            ("request_stale_latency_check", &mut limits.stale_latency_check),
            ("request_stale_connection_check", &mut limits.stale_connection_check),
            ("connection_throttle_weight_enabled", &mut limits.connection_throttle.weighted),
        ] {
            *value = self.boolean(key)?.unwrap_or(*value);
        }
        limits.throttled_op_wait =
            self.millis("throttled_op_wait_time", 0)?.unwrap_or(limits.throttled_op_wait);

        let throttle = &mut limits.connection_throttle;
        for (key, value) in [
            ("connection_throttle_tokens", &mut throttle.tokens_max),
            ("connection_throttle_fill_count", &mut throttle.fill_count),
            ("connection_throttle_global_session_weight", &mut throttle.global_weight),
            ("connection_throttle_renew_session_weight", &mut throttle.renew_weight),
            ("connection_throttle_local_session_weight", &mut throttle.local_weight),
        ] {
            *value = self.number(key, 0, INT_MAX, "tokens")?.map_or(*value, |n| n as u32);
        }
        throttle.fill_time =
            self.millis("connection_throttle_fill_time", 1)?.unwrap_or(throttle.fill_time);
        throttle.freeze_time = self.millis("connection_throttle_freeze_time", -1)?;
        for (key, value) in [
            ("connection_throttle_drop_increase", &mut throttle.drop_increase),
            ("connection_throttle_drop_decrease", &mut throttle.drop_decrease),
            ("connection_throttle_decrease_ratio", &mut throttle.decrease_ratio),
        ] {
            *value = self.share(key)?.unwrap_or(*value);
        }
        Ok(())
    }

    fn read_sessions(&self, config: &mut ServerConfig) -> Result<(), ConfigError> {
        for (key, value) in [
            ("localSessionsEnabled", &mut config.local_sessions),
            ("localSessionsUpgradingEnabled", &mut config.local_sessions_upgrading),
            ("readonlymode.enabled", &mut config.read_only_mode),
            ("extendedTypesEnabled", &mut config.extended_types),
            ("enforceQuota", &mut config.enforce_quota),
        ] {
            *value = self.boolean(key)?.unwrap_or(*value);
        }
        if let Some(entry) = self.setting("leaderServes") {
            config.leader_serves = yes_or_no(entry)?;
        }
        // Clients that look for a read-only server ask this word. (FourLetterCommands)
        let words = &mut config.four_letter_words;
        if config.read_only_mode && !words.iter().any(|word| word == "isro" || word == "*") {
            words.push("isro".into());
        }
        Ok(())
    }

    fn read_containers(&self, config: &mut ServerConfig) -> Result<(), ConfigError> {
        let containers = &mut config.containers;
        if let Some(interval) = self.millis("znode.container.checkIntervalMs", 1)? {
            containers.check_interval = interval;
        }
        if let Some(n) = self.number("znode.container.maxPerMinute", 1, 60_000, "nodes")? {
            containers.per_minute_max = n as u32;
        }
        containers.never_used_max =
            self.millis("znode.container.maxNeverUsedIntervalMs", 0)?.unwrap_or(Duration::ZERO);
        Ok(())
    }

    /// A number from 0 to 1.
    fn share(&self, key: &str) -> Result<Option<f64>, ConfigError> {
        let Some(entry) = self.setting(key) else { return Ok(None) };
        let share = entry.value.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        share.map(Some).ok_or_else(|| entry.mistyped(0, "a number from 0 to 1"))
    }
}

fn yes_or_no(entry: &Entry) -> Result<bool, ConfigError> {
    match entry.value.as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(entry.mistyped(0, "yes or no")),
    }
}

/// Values between commas.
fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(String::from).collect()
}

/// Decimal, or hexadecimal behind `0x` (Integer.getInteger).
fn java_integer(text: &str) -> Option<i64> {
    match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// `10`, `10k`, `10M`, `10G`: bytes, and 1024, 1024^2 and 1024^3 of them. In either case.
fn bytes_of(text: &str) -> Option<u64> {
    let (number, unit) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (&text[..at], 1 << 10),
        (at, 'm' | 'M') => (&text[..at], 1 << 20),
        (at, 'g' | 'G') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    number.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(unit)
}
