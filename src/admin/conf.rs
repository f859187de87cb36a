//! What a server was told, and where it runs. (ConfCommand, DirsCommand, EnvCommand)

use std::fmt::Write as _;

use super::stats::VERSION;
use crate::runtime::Environment;

/// What `conf` shows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Conf {
    pub client_port: Option<u16>,
    pub secure_client_port: Option<u16>,
    /// With `version-2`.
    pub data_dir: String,
    pub data_dir_bytes: u64,
    pub data_log_dir: String,
    pub data_log_bytes: u64,
    pub tick_time_ms: u64,
    pub max_client_cnxns: u32,
    pub listen_backlog: Option<u32>,
    pub session_timeout_min_ms: u64,
    pub session_timeout_max_ms: u64,
    /// 0 for a standalone server, whatever its `myid` says.
    pub server_id: i64,
    /// Of a member of an ensemble.
    pub quorum: Option<QuorumConf>,
}

/// What only a member of an ensemble has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuorumConf {
    pub init_limit: u32,
    pub sync_limit: u32,
    pub election_port: u16,
    pub quorum_port: u16,
    pub is_observer: bool,
    /// The members as in /zookeeper/config. A read-only server does not show them.
    pub membership: Option<String>,
}

pub(super) fn conf(conf: &Conf) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "{name}={value}");
    };
    let port = |port: Option<u16>| port.map_or(-1, i32::from);
    line("clientPort", &port(conf.client_port));
    line("secureClientPort", &port(conf.secure_client_port));
    line("dataDir", &conf.data_dir);
    line("dataDirSize", &conf.data_dir_bytes);
    line("dataLogDir", &conf.data_log_dir);
    line("dataLogSize", &conf.data_log_bytes);
    line("tickTime", &conf.tick_time_ms);
    line("maxClientCnxns", &conf.max_client_cnxns);
    line("minSessionTimeout", &conf.session_timeout_min_ms);
    line("maxSessionTimeout", &conf.session_timeout_max_ms);
    line("clientPortListenBacklog", &conf.listen_backlog.map_or(-1, i64::from));
    line("serverId", &conf.server_id);
    let Some(quorum) = &conf.quorum else { return text };
    line("initLimit", &quorum.init_limit);
    line("syncLimit", &quorum.sync_limit);
    line("electionAlg", &3);
    line("electionPort", &quorum.election_port);
    line("quorumPort", &quorum.quorum_port);
    line("peerType", &u8::from(quorum.is_observer));
    if let Some(membership) = &quorum.membership {
        let _ = write!(text, "membership: \n{membership}");
    }
    text
}

pub(super) fn dirs(conf: &Conf) -> String {
    format!("datadir_size: {}\nlogdir_size: {}\n", conf.data_dir_bytes, conf.data_log_bytes)
}

/// Java's keys in the order of `envi`, without the version. What is of Java's machine alone has no
/// value here.
pub(super) fn environment_rows(environment: &Environment) -> [(&'static str, Option<String>); 17] {
    let memory = environment.memory_bytes.map(|bytes| format!("{}MB", bytes >> 20));
    [
        ("host.name", environment.host_name.clone()),
        ("java.version", None),
        ("java.vendor", None),
        ("java.home", None),
        ("java.class.path", None),
        ("java.library.path", None),
        ("java.io.tmpdir", environment.tmp_dir.clone()),
        ("java.compiler", None),
        ("os.name", environment.os_name.clone()),
        ("os.arch", environment.os_arch.clone()),
        ("os.version", environment.os_version.clone()),
        ("user.name", environment.user_name.clone()),
        ("user.home", environment.user_home.clone()),
        ("user.dir", environment.user_dir.clone()),
        // How much of it is free changes all the time; the environment is what it was at the start.
        ("os.memory.free", None),
        ("os.memory.max", memory.clone()),
        ("os.memory.total", memory),
    ]
}

pub(super) fn envi(environment: &Environment) -> String {
    let mut text = format!("Environment:\nzookeeper.version={VERSION}\n");
    for (name, value) in environment_rows(environment) {
        let _ = writeln!(text, "{name}={}", value.as_deref().unwrap_or("<NA>"));
    }
    text
}
