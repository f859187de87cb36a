use std::time::Duration;

use super::{DigestAlg, ServerConfig, parse};
use crate::runtime::{ClientSockets, LogFormat, LogSettings};

const BASE: &str = "dataDir=/d\nclientPort=2181\n";

fn with(lines: &str) -> ServerConfig {
    parse(&format!("{BASE}{lines}"), "zoo.cfg", None, None).expect(lines).config
}

fn refused(lines: &str) -> String {
    let text = format!("{BASE}{lines}");
    parse(&text, "zoo.cfg", None, None).expect_err(lines).to_string()
}

#[test]
fn access_settings_are_read() {
    let access = with(
        "skipACL=yes\nenableEagerACLCheck=true\nsuperUser=admin\nsuperUser.2=root\n\
         zookeeper.DigestAuthenticationProvider.superDigest=super:abc=\n\
         DigestAuthenticationProvider.digestAlg=SHA-256\nensembleAuthName=a, b\n\
         X509AuthenticationProvider.superUser=CN=zk,OU=x\nallowSaslFailedClients=true\n",
    )
    .access;
    assert!(access.skip_acl && access.eager_check && access.allow_sasl_failed_clients);
    assert_eq!(access.sasl_super_users, ["admin", "root"]);
    assert_eq!(access.super_digest.as_deref(), Some("super:abc="));
    assert_eq!(access.digest_alg, DigestAlg::Sha256);
    assert_eq!(access.ensemble_names, Some(vec!["a".into(), "b".into()]));
    assert_eq!(access.x509_super_user.as_deref(), Some("CN=zk,OU=x"));
}

#[test]
fn every_way_to_enforce_a_scheme_ends_in_one_list() {
    let schemes = |lines: &str| with(lines).access.enforced_schemes;
    assert_eq!(schemes("sessionRequireClientSASLAuth=true\n"), ["sasl"]);
    assert_eq!(schemes("requireClientAuthScheme=sasl\n"), ["sasl"]);
    let both = "enforce.auth.enabled=true\nenforce.auth.schemes=x509, digest\n";
    assert_eq!(schemes(both), ["digest", "x509"]);
    let off = "enforce.auth.enabled=false\nenforce.auth.schemes=x509\n";
    assert!(schemes(off).is_empty());
    let error = refused("enforce.auth.enabled=true\n");
    assert!(error.contains("enforce.auth.schemes is missing"), "{error}");
    let error = refused("enforce.auth.enabled=true\nenforce.auth.schemes=kerberos\n");
    assert!(error.starts_with("zoo.cfg:4:"), "{error}");
}

#[test]
fn limits_are_read() {
    let limits = with(
        "maxCnxns=7\njute.maxbuffer=0x400000\nglobalOutstandingLimit=5\n\
         nio.sessionlessCnxnTimeout=99\nlargeRequestThreshold=10\nlargeRequestMaxBytes=20\n\
         request_throttle_max_requests=3\nrequest_throttle_stall_time=4\n\
         request_throttle_drop_stale=false\nthrottled_op_wait_time=8\n\
         connection_throttle_tokens=9\nconnection_throttle_drop_increase=0.5\n",
    )
    .limits;
    assert_eq!(limits.connections_max, 7);
    assert_eq!(limits.jute_max_buffer, 4 << 20);
    assert_eq!(limits.outstanding_max, 5);
    assert_eq!(limits.sessionless_timeout, Duration::from_millis(99));
    assert_eq!(limits.large_request_threshold, Some(10));
    assert_eq!(limits.large_requests_bytes_max, 20);
    assert_eq!(limits.throttle_requests_max, 3);
    assert_eq!(limits.throttle_stall, Duration::from_millis(4));
    assert!(!limits.throttle_drop_stale);
    assert_eq!(limits.throttled_op_wait, Duration::from_millis(8));
    assert_eq!(limits.connection_throttle.tokens_max, 9);
    assert_eq!(limits.connection_throttle.drop_increase, 0.5);
    assert_eq!(limits.field_bytes_max(), 8 << 20);
    let extra = with("jute.maxbuffer=0x400000\njute.maxbuffer.extrasize=9999999\n").limits;
    assert_eq!(extra.field_bytes_max(), (4 << 20) + 9_999_999);
    assert!(refused("jute.maxbuffer=1MB\n").contains("a number of bytes"));
    assert!(refused("connection_throttle_drop_increase=2\n").contains("from 0 to 1"));
}

#[test]
fn limits_on_replies_are_read() {
    let limits = with(
        "maxResponseBytes=5000\nmaxClientPendingResponseBytes=6000\nmaxPendingResponseBytes=70000\n",
    )
    .limits;
    let read = (
        limits.response_bytes_max,
        limits.pending_response_bytes_max,
        limits.pending_responses_bytes_max,
    );
    assert_eq!(read, (5000, 6000, 70_000));
    let limits = with("zookeeper.maxResponseBytes=9999\n").limits;
    assert_eq!((limits.response_bytes_max, limits.pending_response_bytes_max), (9999, 1 << 20));
    for key in ["maxResponseBytes", "maxClientPendingResponseBytes", "maxPendingResponseBytes"] {
        assert!(refused(&format!("{key}=4095\n")).contains(key));
        assert!(refused(&format!("{key}=1MB\n")).contains("bytes"));
    }
}

#[test]
fn threads_for_sockets_are_read() {
    assert_eq!(with("").net_threads, None);
    assert_eq!(with("net.threads=0\n").net_threads, Some(0));
    assert_eq!(with("zookeeper.net.threads=16\n").net_threads, Some(16));
    for wrong in ["-1", "17", "two", ""] {
        let said = refused(&format!("net.threads={wrong}\n"));
        assert!(said.contains("a whole number of threads from 0 to 16"), "{said}");
    }
    let flags = Some("-Dzookeeper.net.threads=3");
    let loaded = parse(BASE, "zoo.cfg", None, flags).expect("a property too");
    assert_eq!((loaded.config.net_threads, loaded.warnings.len()), (Some(3), 0));
}

#[test]
fn how_clients_are_heard_is_read() {
    let config = with("clientTcpKeepAlive=true\nclientPortListenBacklog=64\nleaderServes=no\n");
    let sockets = ClientSockets { keep_alive: true, backlog: Some(64) };
    assert_eq!((config.client_sockets, config.leader_serves), (sockets, false));
    let config = with("clientPortListenBacklog=-1\nleaderServes=yes\n");
    assert_eq!((config.client_sockets, config.leader_serves), (ClientSockets::default(), true));
    assert!(refused("leaderServes=false\n").contains("yes or no"));
}

#[test]
fn an_audit_goes_to_the_log_and_nowhere_else() {
    assert!(!with("").audit);
    assert!(with("audit.enable=true\n").audit);
    let class = "audit.impl.class=org.apache.zookeeper.audit.Slf4jAuditLogger\n";
    assert!(with(&format!("zookeeper.audit.enable=true\n{class}")).audit);
    let other = "audit.impl.class=com.example.Auditor\n";
    let said = refused(&format!("audit.enable=true\n{other}"));
    assert!(said.contains("the audit goes to the log of the server"), "{said}");
    assert!(!with(other).audit, "Apache reads the class of an audit that is on");
    assert!(refused("audit.enable=yes\n").contains("true or false"));
}

#[test]
fn sessions_and_containers_are_read() {
    let config = with(
        "localSessionsEnabled=true\nlocalSessionsUpgradingEnabled=true\n\
         readonlymode.enabled=true\nextendedTypesEnabled=true\nenforceQuota=true\n\
         znode.container.checkIntervalMs=500\nznode.container.maxPerMinute=6\n",
    );
    assert!(config.local_sessions && config.local_sessions_upgrading && config.read_only_mode);
    assert!(config.extended_types && config.enforce_quota);
    assert_eq!(config.containers.check_interval, Duration::from_millis(500));
    assert_eq!(config.containers.per_minute_max, 6);
    assert_eq!(config.four_letter_words, ["srvr", "isro"], "clients ask for it");
}

#[test]
fn a_property_has_its_java_name_as_a_flag() {
    let config = |flags| parse(BASE, "zoo.cfg", None, Some(flags)).expect(flags);
    let loaded =
        config("-Djute.maxbuffer=2048 -Dreadonlymode.enabled=true -Dzookeeper.skipACL=yes");
    assert_eq!(loaded.config.limits.jute_max_buffer, 2048);
    assert!(loaded.config.read_only_mode && loaded.config.access.skip_acl);
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let loaded = config("-Dzookeeper.jute.maxbuffer=2048 -DskipACL=yes");
    assert!(!loaded.config.access.skip_acl);
    assert_eq!(loaded.warnings.len(), 2, "{:?}", loaded.warnings);
}

#[test]
fn only_the_providers_that_are_built_in_may_be_named() {
    with("authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\n");
    let error = refused("authProvider.2=com.example.MyProvider\n");
    assert!(error.contains("cannot be loaded"), "{error}");
}

#[test]
fn ttl_nodes_need_a_server_number_below_255() {
    let servers = "initLimit=5\nsyncLimit=2\nserver.255=a:1:2\nserver.1=b:1:2\nserver.2=c:1:2\n";
    let text = format!("{BASE}{servers}extendedTypesEnabled=true\n");
    let error = parse(&text, "zoo.cfg", Some("255"), None).expect_err("refused").to_string();
    assert!(error.contains("at most 254"), "{error}");
    parse(&text, "zoo.cfg", Some("2"), None).expect("another server may");
}

#[test]
fn sasl_users_come_from_the_file_of_the_login_configuration() {
    use super::loaded::Beside;
    use super::parse::parse_beside;

    let jaas = "Server { org.apache.zookeeper.server.auth.DigestLoginModule required \
                user_bob=\"pw\"; };\nOther { some.Module required; };";
    let users = |lines: &str, jaas| {
        let beside = Beside { jaas, ..Beside::default() };
        let loaded = parse_beside(&format!("{BASE}{lines}"), "zoo.cfg", beside)?;
        Ok::<_, super::Mistakes>(loaded.config.access.sasl_users)
    };
    let key = "java.security.auth.login.config=/jaas\n";
    let found = users(key, Some(("/jaas", jaas))).expect("read").expect("there is a section");
    assert_eq!(found.get("bob").map(String::as_str), Some("pw"));
    let section = format!("{key}sasl.serverconfig=Else\n");
    assert_eq!(users(&section, Some(("/jaas", jaas))).expect("read"), None, "no such section");
    assert_eq!(users("", Some(("/jaas", jaas))).expect("not asked for"), None);
    let error = users(key, None).expect_err("no such file").to_string();
    assert!(error.contains("/jaas") && error.contains("zoo.cfg:3:"), "{error}");
}

#[test]
fn what_the_log_is_like_is_read() {
    let log = with("log.format=json\nlog.maxSize=3M\nlog.maxFiles=4\nlog.maxAge=7\n").log;
    let age_max = Some(Duration::from_secs(7 * 86_400));
    let format = LogFormat::Json;
    assert_eq!(log, LogSettings { format, bytes_max: Some(3 << 20), files_max: 4, age_max });
    let log = with("log.maxAge=0\n").log;
    assert_eq!(log, LogSettings::default());
    assert_eq!(log.bytes_max, Some(256 << 20), "zookeeper.log.maxfilesize");
    for (size, bytes) in [("0", None), ("77", Some(77)), ("2k", Some(2048)), ("1G", Some(1 << 30))]
    {
        assert_eq!(with(&format!("log.maxSize={size}\n")).log.bytes_max, bytes, "{size}");
    }
    for wrong in [
        "maxSize=1T",
        "maxSize=M",
        "maxSize=-1",
        "maxSize=+1",
        "maxFiles=0",
        "maxAge=1d",
        "format=xml",
    ] {
        assert!(refused(&format!("log.{wrong}\n")).starts_with("zoo.cfg:3:"), "{wrong}");
    }
}
