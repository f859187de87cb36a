//! Every key that Apache ZooKeeper 3.9 reads, and what Quorate does about it; and those of its own.
//!
//! Five classes: supported (`parse.rs` reads the value), known but not supported yet (the server
//! starts with one warning), without meaning here (`no_meaning.rs`, the same), known but refused, because
//! a server that ignores the key is less safe or more open than its operator believes, and some that no
//! server reads, but that guides and generators write. A value that says what happens anyway
//! (`sslQuorum=false`) changes nothing and is passed over in silence. All other keys are unknown.
//!
//! Apache takes unknown keys of zoo.cfg as the JVM property `zookeeper.KEY`, and some settings only
//! as a property. Here each of them may stand in zoo.cfg, with or without `zookeeper.`, and those
//! that are properties in Apache may be `-D` flags of the JVM too.

use super::admin_keys::{ADMIN_PROPERTIES, METRICS_KEYS, OUR_ADMIN_PROPERTIES};
use super::no_meaning::NO_MEANING;
use super::tls_keys::TLS_PROPERTIES;

/// What a key is to the parser.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// `server.N`
    Server,
    /// `group.N`
    Group,
    /// `weight.N`
    Weight,
    /// Read from zoo.cfg alone, as in Apache.
    File(&'static str),
    /// Read from zoo.cfg and from the flags of the JVM.
    Property(&'static str),
    /// `authProvider.N`: a Java class.
    AuthProvider,
    /// `superUser` and `superUser.N`
    SuperUser,
    /// Not supported yet; without effect if the value is one of these.
    NotYet(&'static [&'static str]),
    /// Nothing to do here for this reason; without effect if the value is one of these.
    NoMeaning(&'static str, &'static [&'static str]),
    /// No server reads it, and files in the field have it: why it is there, or what was meant.
    Harmless(&'static str),
    /// Refused, since ignoring it would do this; unless the value is one of these.
    Refused(&'static str, &'static [&'static str]),
}

/// Supported; `QuorumPeerConfig.parseProperties` reads them from the file.
const FILE: &[&str] = &[
    "autopurge.purgeInterval",
    "autopurge.snapRetainCount",
    "clientPort",
    "clientPortAddress",
    "clientPortListenBacklog",
    "dataDir",
    "dataLogDir",
    "dynamicConfigFile",
    "electionAlg",
    "initLimit",
    "localSessionsEnabled",
    "localSessionsUpgradingEnabled",
    "maxClientCnxns",
    "maxSessionTimeout",
    "minSessionTimeout",
    "peerType",
    "quorumListenOnAllIPs",
    "secureClientPort",
    "secureClientPortAddress",
    "standaloneEnabled",
    "syncLimit",
    "tickTime",
];

/// Supported; `zookeeper.NAME` properties in Apache.
const PROPERTIES: &[&str] = &[
    "4lw.commands.whitelist",
    "DigestAuthenticationProvider.digestAlg",
    "DigestAuthenticationProvider.enabled",
    "DigestAuthenticationProvider.superDigest",
    "X509AuthenticationProvider.superUser",
    "allowSaslFailedClients",
    "audit.enable",
    "audit.impl.class",
    "clientTcpKeepAlive",
    "cnxTimeout",
    "commitLogCount",
    "connection_throttle_decrease_ratio",
    "connection_throttle_drop_decrease",
    "connection_throttle_drop_increase",
    "connection_throttle_fill_count",
    "connection_throttle_fill_time",
    "connection_throttle_freeze_time",
    "connection_throttle_global_session_weight",
    "connection_throttle_local_session_weight",
    "connection_throttle_renew_session_weight",
    "connection_throttle_tokens",
    "connection_throttle_weight_enabled",
    "datadir.autocreate",
    "db.autocreate",
    "electionPortBindRetry",
    "enableEagerACLCheck",
    "enforce.auth.enabled",
    "enforce.auth.schemes",
    "enforceQuota",
    "ensembleAuthName",
    "extendedTypesEnabled",
    "fastleader.maxNotificationInterval",
    "fastleader.minNotificationInterval",
    "fsync.warningthresholdms",
    "globalOutstandingLimit",
    "jute.maxbuffer.extrasize",
    "largeRequestMaxBytes",
    "largeRequestThreshold",
    "leader.maxTimeToWaitForEpoch",
    "leaderServes",
    "maxCnxns",
    "nio.sessionlessCnxnTimeout",
    "preAllocSize",
    "requireClientAuthScheme",
    "request_stale_connection_check",
    "request_stale_latency_check",
    "request_throttle_drop_stale",
    "request_throttle_max_requests",
    "request_throttle_stall_time",
    "sasl.serverconfig",
    "sessionRequireClientSASLAuth",
    "skipACL",
    "snapCount",
    "snapSizeLimitInKb",
    "snapshot.trust.empty",
    "snapshotSizeFactor",
    "throttled_op_wait_time",
    "txnLogSizeLimitInKb",
];

/// Supported; properties in Apache too, but without `zookeeper.` before the name.
const BARE_PROPERTIES: &[&str] = &[
    "java.security.auth.login.config",
    "jute.maxbuffer",
    "readonlymode.enabled",
    "znode.container.checkIntervalMs",
    "znode.container.maxNeverUsedIntervalMs",
    "znode.container.maxPerMinute",
];

/// Supported, and unknown to Apache; read from zoo.cfg alone.
const OURS: &[&str] =
    &["filePermissions", "log.format", "log.level", "log.maxAge", "log.maxFiles", "log.maxSize"];

/// The same, as properties too.
const OUR_PROPERTIES: &[&str] = &[
    "config.strict",
    "maxClientPendingResponseBytes",
    "maxPendingResponseBytes",
    "maxResponseBytes",
    "net.threads",
    "otlp.endpoint",
    "otlp.writesPerTrace",
    "stop.timeout",
];

/// What counts as soon as the configuration is read again. All else counts from the next start on.
const LIVE: &[&str] = &[
    "4lw.commands.whitelist",
    "globalOutstandingLimit",
    "largeRequestMaxBytes",
    "largeRequestThreshold",
    "log.level",
    "maxClientCnxns",
    "maxCnxns",
];

/// Whether a change of this key counts while the server runs.
pub fn is_live(key: &str) -> bool {
    LIVE.contains(&key) || key.starts_with("connection_throttle_")
}

const OFF: &[&str] = &["false"];
const NONE: &[&str] = &[];

/// Known, not supported yet, with the values that say what happens anyway.
const NOT_YET: &[(&str, &[&str])] = &[
    ("admin.httpVersion", NONE),
    ("admin.portUnification", OFF),
    ("admin.restore.enabled", OFF),
    ("connectToLearnerMasterLimit", &["0"]),
    ("leader.maxConcurrentDiffSyncs", NONE),
    ("leader.maxConcurrentSnapSyncs", NONE),
    ("messageTracker.BufferSize", NONE),
    ("messageTracker.Enabled", OFF),
    ("multiAddress.enabled", OFF),
    ("multiAddress.reachabilityCheckEnabled", NONE),
    ("multiAddress.reachabilityCheckTimeoutMs", NONE),
    ("observer.election.DelayMs", NONE),
    ("observer.reconnectDelayMs", &["0"]),
    ("observerMasterPort", &["0"]),
    ("oraclePath", NONE),
    ("quorumCnxnTimeoutMs", &["-1"]),
    ("reconfigEnabled", OFF),
    ("snapshot.compression.method", &[""]),
];

/// Known, not supported yet, by the beginning of the name.
const NOT_YET_FAMILIES: &[&str] = &["metricsProvider.", "pathStats."];

const ADMIN_CLEAR: &str = "open the admin port without the TLS it was meant to have";
/// Without effect in Apache ZooKeeper too.
const HARMLESS: &[(&str, &str)] = &[
    ("autopurge.purgeInteval", "autopurge.purgeInterval is the key that switches purging on"),
    ("connectionMaxTokens", "connection_throttle_tokens is the key that servers read"),
    ("jaasLoginRenew", "no server reads it"),
    ("myid", "a server's number stands in the file myid in dataDir"),
    ("requestThrottleLimit", "request_throttle_max_requests is the key that servers read"),
    ("requestThrottleStallTime", "request_throttle_stall_time is the key that servers read"),
    ("throttledOpWaitTime", "throttled_op_wait_time is the key that servers read"),
    ("traceFile", "no server has read it for long"),
];

const CLEAR: &str = "leave connections without the TLS they were meant to have";
const PEERS: &str = "let any machine that reaches its ports take part in the ensemble";
const SUBJECT: &str = "know clients by the subjects of their certificates, and not by the names \
                       that access lists were written with";
const TTL_OF_353: &str = "take TTL nodes of 3.5.3 for ephemerals of sessions that are gone, and \
                          delete them";
const IDENTITY: &str = "take from clients a way to prove who they are";

/// Known and refused: by name or, where it ends in a dot, by the beginning of the name.
const REFUSED: &[(&str, &str, &[&str])] = &[
    ("admin.forceHttps", ADMIN_CLEAR, OFF),
    ("admin.needClientAuth", ADMIN_CLEAR, OFF),
    ("X509ZNodeGroupAclProvider.", SUBJECT, NONE),
    ("emulate353TTLNodes", TTL_OF_353, OFF),
    ("kerberos.", IDENTITY, OFF),
    ("portUnification", CLEAR, OFF),
    ("quorum.auth.", PEERS, OFF),
    ("sasl.", IDENTITY, NONE),
    ("ssl.x509.", SUBJECT, NONE),
    ("ssl.", CLEAR, NONE),
    ("sslQuorum", CLEAR, OFF),
    ("sslQuorumReloadCertFiles", CLEAR, OFF),
];

/// JVM properties of zkServer.sh and of the logging library: of no interest here.
const IGNORED_PROPERTIES: [&str; 5] =
    ["console.threshold", "jmx.", "log.", "root.logger", "tracelog."];

/// What Apache knows under this name, with or without `zookeeper.` before it.
pub(super) fn classify_key(key: &str) -> Option<Class> {
    let name = key.strip_prefix("zookeeper.").unwrap_or(key);
    for (family, class) in
        [("server.", Class::Server), ("group.", Class::Group), ("weight.", Class::Weight)]
    {
        if name.starts_with(family) {
            return Some(class);
        }
    }
    if let Some(file) = FILE.iter().chain(&METRICS_KEYS).chain(OURS).find(|k| **k == name) {
        return Some(Class::File(file));
    }
    if name.starts_with("authProvider.") {
        return Some(Class::AuthProvider);
    }
    if name == "superUser" || name.starts_with("superUser.") {
        return Some(Class::SuperUser);
    }
    if let Some(property) = PROPERTIES
        .iter()
        .chain(BARE_PROPERTIES)
        .chain(&ADMIN_PROPERTIES)
        .chain(&TLS_PROPERTIES)
        .chain(OUR_PROPERTIES)
        .chain(&OUR_ADMIN_PROPERTIES)
        .find(|k| **k == name)
    {
        return Some(Class::Property(property));
    }
    let named =
        |pattern: &str| name == pattern || (pattern.ends_with('.') && name.starts_with(pattern));
    if let Some((_, danger, harmless)) = REFUSED.iter().find(|(pattern, ..)| named(pattern)) {
        return Some(Class::Refused(danger, harmless));
    }
    if let Some((_, why, harmless)) = NO_MEANING.iter().find(|(pattern, ..)| named(pattern)) {
        return Some(Class::NoMeaning(why, harmless));
    }
    if let Some((_, why)) = HARMLESS.iter().find(|(k, _)| *k == name) {
        return Some(Class::Harmless(why));
    }
    if let Some((_, harmless)) = NOT_YET.iter().find(|(k, _)| *k == name) {
        return Some(Class::NotYet(harmless));
    }
    NOT_YET_FAMILIES.iter().any(|family| name.starts_with(family)).then_some(Class::NotYet(NONE))
}

/// Whether Java knows this property without `zookeeper.` before its name.
pub(super) fn is_bare_property(key: &str) -> bool {
    BARE_PROPERTIES.contains(&key)
}

/// Whether a property of the JVM concerns neither server.
pub(super) fn is_foreign_property(key: &str) -> bool {
    match key.strip_prefix("zookeeper.") {
        Some(name) => IGNORED_PROPERTIES.iter().any(|family| name.starts_with(family)),
        None => classify_key(key).is_none(),
    }
}

/// The known key that a mistyped one most likely stands for.
pub(super) fn nearest_key(key: &str) -> Option<&'static str> {
    let name = key.strip_prefix("zookeeper.").unwrap_or(key);
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let families = [("server.", "server.N"), ("group.", "group.N"), ("weight.", "weight.N")];
    let numbered = families
        .into_iter()
        .filter(|_| stem.len() < name.len())
        .map(|(family, shown)| (edit_distance(stem, family), shown));
    let named = FILE
        .iter()
        .chain(OURS)
        .chain(PROPERTIES)
        .chain(BARE_PROPERTIES)
        .chain(&ADMIN_PROPERTIES)
        .chain(&METRICS_KEYS)
        .chain(&TLS_PROPERTIES)
        .chain(OUR_PROPERTIES)
        .chain(&OUR_ADMIN_PROPERTIES)
        .chain(NOT_YET.iter().map(|(k, _)| k))
        .chain(NO_MEANING.iter().map(|(k, ..)| k).filter(|k| !k.ends_with('.')))
        .chain(REFUSED.iter().map(|(k, ..)| k).filter(|k| !k.ends_with('.')))
        .map(|known| (edit_distance(name, known), *known));
    // Supported keys come first: of two that are equally near, the one that works wins.
    let (distance, known) = numbered.chain(named).min_by_key(|(distance, _)| *distance)?;
    (distance <= (name.len() / 3).max(2)).then_some(known)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one into the other;
/// upper and lower case are alike, since that is what people get wrong first.
fn edit_distance(a: &str, b: &str) -> usize {
    let lower = |s: &str| s.chars().map(|c| c.to_ascii_lowercase()).collect::<Vec<_>>();
    let (a, b) = (lower(a), lower(b));
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_is_recognised_with_and_without_prefix() {
        assert_eq!(classify_key("dataDir"), Some(Class::File("dataDir")));
        assert_eq!(classify_key("zookeeper.snapCount"), Some(Class::Property("snapCount")));
        assert_eq!(classify_key("server.12"), Some(Class::Server));
        assert_eq!(classify_key("admin.httpVersion"), Some(Class::NotYet(NONE)));
        assert_eq!(classify_key("metricsProvider.exportJvmInfo"), Some(Class::NotYet(NONE)));
        for key in ["ssl.context.supplier.class", "ssl.quorum.trustStore.type", "sslQuorum"] {
            assert!(matches!(classify_key(key), Some(Class::Refused(CLEAR, _))), "{key}");
        }
        for key in ["ssl.x509.clientCertIdType", "zookeeper.X509ZNodeGroupAclProvider.superUserId"]
        {
            assert!(matches!(classify_key(key), Some(Class::Refused(SUBJECT, _))), "{key}");
        }
        for key in ["commitProcessor.numWorkerThreads", "zookeeper.nio.directBufferBytes"] {
            assert!(matches!(classify_key(key), Some(Class::NoMeaning(..))), "{key}");
        }
        assert_eq!(classify_key("zookeeper.authProvider.1"), Some(Class::AuthProvider));
        assert_eq!(classify_key("superUser.2"), Some(Class::SuperUser));
        assert_eq!(classify_key("dataDirectory"), None);
        assert_eq!(classify_key("datadir"), None, "keys are case-sensitive");
    }

    #[test]
    fn the_nearest_key_survives_case_swaps_and_letters() {
        assert_eq!(nearest_key("clientport"), Some("clientPort"));
        assert_eq!(nearest_key("tikcTime"), Some("tickTime"));
        assert_eq!(nearest_key("dataDirr"), Some("dataDir"));
        assert_eq!(nearest_key("filePermission"), Some("filePermissions"));
        assert_eq!(nearest_key("server1"), Some("server.N"));
        assert_eq!(nearest_key("sever.1"), Some("server.N"));
        assert_eq!(nearest_key("autopurge.snapRetain"), Some("autopurge.snapRetainCount"));
        assert_eq!(nearest_key("replication.factor"), None);
    }

    #[test]
    fn no_key_stands_in_two_classes() {
        let mut all: Vec<&str> = FILE
            .iter()
            .chain(OURS)
            .chain(PROPERTIES)
            .chain(BARE_PROPERTIES)
            .chain(&ADMIN_PROPERTIES)
            .chain(&METRICS_KEYS)
            .chain(&TLS_PROPERTIES)
            .chain(OUR_PROPERTIES)
            .chain(&OUR_ADMIN_PROPERTIES)
            .copied()
            .collect();
        all.extend(NOT_YET.iter().map(|(k, _)| k));
        all.extend(NO_MEANING.iter().map(|(k, ..)| k));
        all.extend(REFUSED.iter().map(|(k, ..)| k));
        all.extend(HARMLESS.iter().map(|(k, _)| k));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        for (key, _) in NOT_YET {
            assert!(matches!(classify_key(key), Some(Class::NotYet(_))), "{key} is shadowed");
        }
        for (key, why, _) in NO_MEANING {
            let found = matches!(classify_key(key), Some(Class::NoMeaning(w, _)) if w == *why);
            assert!(found, "{key} is shadowed");
        }
    }

    #[test]
    fn the_compatibility_table_names_every_key_as_what_it_is() {
        const TABLE: &str = include_str!("../../docs/compatibility.md");
        let stands = |key: &str, states: &[&str]| {
            let shown = if key.ends_with('.') { format!("{key}*") } else { key.to_owned() };
            let found =
                states.iter().any(|state| TABLE.contains(&format!("| `{shown}` | {state} |")));
            assert!(found, "docs/compatibility.md: no row says that {shown} is {states:?}");
        };
        let files = FILE.iter().chain(&METRICS_KEYS).chain(PROPERTIES).chain(BARE_PROPERTIES);
        let supported = files.chain(&ADMIN_PROPERTIES).chain(&TLS_PROPERTIES);
        supported.for_each(|key| stands(key, &["same", "better"]));
        let ours = OURS.iter().chain(OUR_PROPERTIES).chain(&OUR_ADMIN_PROPERTIES);
        ours.for_each(|key| stands(key, &["ours"]));
        NOT_YET.iter().for_each(|(key, _)| stands(key, &["not yet"]));
        NOT_YET_FAMILIES.iter().for_each(|key| stands(key, &["not yet"]));
        NO_MEANING.iter().for_each(|(key, ..)| stands(key, &["no meaning"]));
        REFUSED.iter().for_each(|(key, ..)| stands(key, &["refused"]));
        HARMLESS.iter().for_each(|(key, _)| stands(key, &["no effect"]));
    }
}
