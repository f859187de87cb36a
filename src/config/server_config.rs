//! Everything that a server is told, as values, with Apache's defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::access::Access;
use super::admin::AdminConfig;
use super::limits::ClientLimits;
use super::otlp::OtlpConfig;
use super::sync_limits::SyncLimits;
use crate::base::{Dialect, Museum, ServerId};
use crate::runtime::tls::ClientTls;
use crate::runtime::{ClientSockets, FilePermissions, HostPort, LogSettings};

/// Whether a server votes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LearnerType {
    Participant,
    Observer,
}

/// One `server.N=host:quorumPort:electionPort[:role][;[clientHost:]clientPort]` line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServerSpec {
    pub quorum: HostPort,
    pub election: HostPort,
    pub client: Option<HostPort>,
    pub learner_type: LearnerType,
    /// `weight.N`, 1 where none is given.
    pub weight: i64,
    /// `group.G` that lists this server.
    pub group: Option<i64>,
}

impl ServerSpec {
    /// One that votes with weight 1, in no group and without clients.
    pub fn participant(quorum: HostPort, election: HostPort) -> ServerSpec {
        let learner_type = LearnerType::Participant;
        ServerSpec { quorum, election, client: None, learner_type, weight: 1, group: None }
    }

    /// Server `sid` as tests know it: `h<sid>`, ports 2888 and 3888.
    #[cfg(test)]
    pub(crate) fn test(sid: i64) -> ServerSpec {
        let host = format!("h{sid}");
        ServerSpec::participant(HostPort::new(&host, 2888), HostPort::new(&host, 3888))
    }

    /// The same without a vote.
    #[cfg(test)]
    pub(crate) fn observing(self) -> ServerSpec {
        ServerSpec { learner_type: LearnerType::Observer, ..self }
    }
}

/// Everything a server needs to know before it starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerConfig {
    pub my_id: ServerId,
    /// Empty for a standalone server.
    pub servers: BTreeMap<ServerId, ServerSpec>,
    /// True if `group.*` lines were given: then the verifier is hierarchical.
    pub hierarchical: bool,
    /// The version of the configuration, from the name of its dynamic file; 0 without one.
    pub config_version: i64,
    pub data_dir: PathBuf,
    pub data_log_dir: PathBuf,
    /// `filePermissions`: of the files that the server makes; Apache ZooKeeper leaves it to the umask.
    pub file_permissions: FilePermissions,
    /// Where clients connect; `None` if neither `clientPort` nor a client part is given.
    pub client: Option<HostPort>,
    pub tick_time: Duration,
    /// In ticks.
    pub init_limit: u32,
    /// In ticks.
    pub sync_limit: u32,
    /// `minSessionTimeout`; 2 ticks where none is given.
    pub session_timeout_min: Duration,
    /// `maxSessionTimeout`; 20 ticks where none is given.
    pub session_timeout_max: Duration,
    /// Connections one address may hold; 0 is no limit.
    pub max_client_cnxns: u32,
    /// Transactions between two snapshots (`snapCount`).
    pub snap_count: u32,
    /// `fsync.warningthresholdms`: a sync of the log that takes longer is told of.
    pub fsync_warning: Duration,
    /// `snapSizeLimitInKb`: bytes of a log behind which a snapshot is due; `None` (0 and below) is off.
    pub snap_log_bytes: Option<u64>,
    /// `txnLogSizeLimitInKb`: bytes of a log behind which the next one begins; `None` is off.
    pub txn_log_bytes_max: Option<u64>,
    /// `preAllocSize` in bytes.
    pub pre_alloc_bytes: u64,
    /// `autopurge.snapRetainCount`.
    pub snap_retain_count: usize,
    /// `autopurge.purgeInterval`; `None` if it is 0.
    pub purge_interval: Option<Duration>,
    /// Words that are answered (`4lw.commands.whitelist`); `*` is all.
    pub four_letter_words: Vec<String>,
    pub admin: AdminConfig,
    /// `otlp.endpoint`: where spans of writes are sent.
    pub otlp: Option<OtlpConfig>,
    /// `zookeeper.datadir.autocreate`: directories that are missing are made.
    pub datadir_autocreate: bool,
    /// `zookeeper.db.autocreate`: an empty directory may vote without an `initialize` file.
    pub db_autocreate: bool,
    /// `zookeeper.snapshot.trust.empty`: logs without a snapshot are a whole history, as 3.4 left them.
    pub trust_empty_snapshot: bool,
    /// `fastleader.minNotificationInterval`.
    pub notification_interval_min: Duration,
    /// `fastleader.maxNotificationInterval`.
    pub notification_interval_max: Duration,
    /// How long an election waits for a better vote once it has a quorum (200 ms in Apache).
    pub finalize_wait: Duration,
    /// `cnxTimeout`: connecting to an election port.
    pub election_connect_timeout: Duration,
    /// `electionPortBindRetry`: how often opening the election port is tried; `None` (0) is for ever.
    pub election_bind_tries: Option<u32>,
    /// `leader.maxTimeToWaitForEpoch`; `None` is initLimit alone.
    pub epoch_wait_max: Option<Duration>,
    pub quorum_listen_on_all_ips: bool,
    pub access: Access,
    pub limits: ClientLimits,
    pub sync: SyncLimits,
    /// `net.threads`: threads for the sockets of clients; `None` is what the machine has cores for.
    pub net_threads: Option<usize>,
    /// `log.level`: how much is logged, unless RUST_LOG says it.
    pub log_level: Option<String>,
    /// `audit.enable`: changes are told of in the log, with who asked for them.
    #[serde(skip)]
    pub audit: bool,
    pub log: LogSettings,
    /// `stop.timeout`: an end in good order lasts so long at most.
    pub stop_timeout: Duration,
    pub client_sockets: ClientSockets,
    /// `leaderServes`: a leader takes clients.
    pub leader_serves: bool,
    /// TLS for clients; `None` without `secureClientPort` and `client.portUnification`.
    pub client_tls: Option<ClientTls>,
    /// `extendedTypesEnabled`: TTL nodes may be made.
    pub extended_types: bool,
    /// `enforceQuota`: a write beyond a hard quota is refused.
    pub enforce_quota: bool,
    /// `localSessionsEnabled`: new sessions are known to their server alone.
    pub local_sessions: bool,
    /// `localSessionsUpgradingEnabled`: a local session becomes global with its first ephemeral.
    pub local_sessions_upgrading: bool,
    /// `readonlymode.enabled`: serves reads while it has no quorum.
    pub read_only_mode: bool,
    pub containers: ContainerReaping,
    pub museum: Museum,
    /// How this server differs from ours, in the simulator.
    pub dialect: Dialect,
}

/// When empty container and TTL nodes are deleted (`znode.container.*`; ContainerManager).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerReaping {
    /// `checkIntervalMs`
    pub check_interval: Duration,
    /// `maxPerMinute`
    pub per_minute_max: u32,
    /// `maxNeverUsedIntervalMs`: containers that never had a child; zero is never.
    pub never_used_max: Duration,
}

impl Default for ContainerReaping {
    fn default() -> ContainerReaping {
        ContainerReaping {
            check_interval: Duration::from_secs(60),
            per_minute_max: 10_000,
            never_used_max: Duration::ZERO,
        }
    }
}

impl ServerConfig {
    /// A configuration with Apache's defaults, and neither servers nor directories.
    pub fn defaults(my_id: ServerId) -> ServerConfig {
        let tick_time = Duration::from_millis(3000);
        ServerConfig {
            my_id,
            servers: BTreeMap::new(),
            hierarchical: false,
            config_version: 0,
            data_dir: PathBuf::new(),
            data_log_dir: PathBuf::new(),
            file_permissions: FilePermissions::default(),
            client: None,
            tick_time,
            init_limit: 10,
            sync_limit: 5,
            session_timeout_min: tick_time * 2,
            session_timeout_max: tick_time * 20,
            max_client_cnxns: 60,
            snap_count: 100_000,
            fsync_warning: Duration::from_secs(1),
            snap_log_bytes: Some(4 * 1024 * 1024 * 1024),
            txn_log_bytes_max: None,
            pre_alloc_bytes: 64 * 1024 * 1024,
            snap_retain_count: 3,
            purge_interval: None,
            four_letter_words: vec!["srvr".into()],
            admin: AdminConfig::default(),
            otlp: None,
            datadir_autocreate: true,
            db_autocreate: true,
            trust_empty_snapshot: false,
            notification_interval_min: Duration::from_millis(200),
            notification_interval_max: Duration::from_secs(60),
            finalize_wait: Duration::from_millis(200),
            election_connect_timeout: Duration::from_secs(5),
            election_bind_tries: Some(3),
            epoch_wait_max: None,
            quorum_listen_on_all_ips: false,
            access: Access::default(),
            limits: ClientLimits::default(),
            sync: SyncLimits::default(),
            net_threads: None,
            log_level: None,
            audit: false,
            log: LogSettings::default(),
            stop_timeout: Duration::from_secs(5),
            client_sockets: ClientSockets::default(),
            leader_serves: true,
            client_tls: None,
            extended_types: false,
            enforce_quota: false,
            local_sessions: false,
            local_sessions_upgrading: false,
            read_only_mode: false,
            containers: ContainerReaping::default(),
            museum: Museum::default(),
            dialect: Dialect::default(),
        }
    }

    /// A server without an ensemble: no peers, no epochs.
    pub fn is_standalone(&self) -> bool {
        self.servers.is_empty()
    }

    /// Whether this word is answered, of those that `*` names.
    pub fn admits_word(&self, word: &str) -> bool {
        self.four_letter_words.iter().any(|listed| listed == word || listed == "*")
    }

    /// `initLimit` as a time.
    pub fn init_timeout(&self) -> Duration {
        self.tick_time * self.init_limit
    }

    /// `syncLimit` as a time.
    pub fn sync_timeout(&self) -> Duration {
        self.tick_time * self.sync_limit
    }
}
