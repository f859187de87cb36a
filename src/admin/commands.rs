//! The commands of the admin port, and what a server answers to them. (Z/server/admin/Commands)
//!
//! An answer is JSON with the fields of Apache's, and always `command`, the first name of the command,
//! and `error`, null if there is none. The status is 200 even then, as in Apache.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::conf::{Conf, environment_rows};
use super::dumps::{Dump, SessionsDump, WatchSummary};
use super::metrics;
use super::shown::Shown;
use super::stats::{ClientLine, ObserverLine, ServerStats, VERSION};
use super::words::NOT_SERVING;
use crate::base::{ServerId, Zxid};
use crate::config::{LearnerType, ServerConfig, ServerSpec};
use crate::runtime::Environment;

/// Of the sum that a tree's digest is. (DigestCalculator)
const DIGEST_VERSION: i32 = 2;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Command {
    Configuration,
    ConnectionStatReset,
    Connections,
    Dirs,
    Dump,
    Environment,
    GetTraceMask,
    HandOver,
    Hash,
    InitialConfiguration,
    IsReadOnly,
    LastSnapshot,
    Leader,
    Monitor,
    ObserverConnectionStatReset,
    Observers,
    Ruok,
    ServerStats,
    SetTraceMask,
    Snapshot,
    StatReset,
    Stats,
    SystemProperties,
    TxnLog,
    VotingView,
    WatchSummary,
    Watches,
    WatchesByPath,
    ZabState,
}

/// Each with its names: the first is what the answer calls it, and what the index lists.
const COMMANDS: [(Command, &[&str]); 29] = [
    (Command::Configuration, &["configuration", "conf", "config"]),
    (Command::ConnectionStatReset, &["connection_stat_reset", "crst"]),
    (Command::Connections, &["connections", "cons"]),
    (Command::Dirs, &["dirs"]),
    (Command::Dump, &["dump"]),
    (Command::Environment, &["environment", "env", "envi"]),
    (Command::GetTraceMask, &["get_trace_mask", "gtmk"]),
    (Command::HandOver, &["hand_over"]),
    (Command::Hash, &["hash"]),
    (Command::InitialConfiguration, &["initial_configuration", "icfg"]),
    (Command::IsReadOnly, &["is_read_only", "isro"]),
    (Command::LastSnapshot, &["last_snapshot", "lsnp"]),
    (Command::Leader, &["leader", "lead"]),
    (Command::Monitor, &["monitor", "mntr"]),
    (Command::ObserverConnectionStatReset, &["observer_connection_stat_reset", "orst"]),
    (Command::Observers, &["observers", "obsr"]),
    (Command::Ruok, &["ruok"]),
    (Command::ServerStats, &["server_stats", "srvr"]),
    (Command::SetTraceMask, &["set_trace_mask", "stmk"]),
    (Command::Snapshot, &["snapshot", "snap"]),
    (Command::StatReset, &["stat_reset", "srst"]),
    (Command::Stats, &["stats", "stat"]),
    (Command::SystemProperties, &["system_properties", "sysp"]),
    (Command::TxnLog, &["txnlog"]),
    (Command::VotingView, &["voting_view"]),
    (Command::WatchSummary, &["watch_summary", "wchs"]),
    (Command::Watches, &["watches", "wchc"]),
    (Command::WatchesByPath, &["watches_by_path", "wchp"]),
    (Command::ZabState, &["zabstate"]),
];

impl Command {
    pub(super) fn named(name: &str) -> Option<Command> {
        COMMANDS.iter().find(|(_, names)| names.contains(&name)).map(|(command, _)| *command)
    }

    pub(super) fn name(self) -> &'static str {
        let row = COMMANDS.iter().find(|(command, _)| *command == self);
        row.expect("every command has a row").1[0]
    }

    /// Whether only a server that serves can say.
    fn needs_service(self) -> bool {
        !matches!(
            self,
            Command::Environment
                | Command::GetTraceMask
                | Command::SetTraceMask
                | Command::SystemProperties
                | Command::ZabState
        )
    }

    /// It tells the sizes of directories, which the disk has to be asked for.
    pub fn tells_sizes(self) -> bool {
        matches!(self, Command::Dirs | Command::ServerStats | Command::Stats)
    }
}

/// A server among the others.
#[derive(Debug)]
pub struct Membership<'a> {
    pub config: &'a ServerConfig,
    /// Who leads this server, itself included.
    pub leader: Option<ServerId>,
    pub last_zxid: Zxid,
    /// `zabstate`: election, discovery, synchronization or broadcast.
    pub zab_state: &'static str,
}

/// The list of commands, as a page.
pub(super) fn index(command_url: &str, may_hand_over: bool) -> Answer {
    let links: Vec<String> = COMMANDS
        .iter()
        .filter(|(command, _)| may_hand_over || *command != Command::HandOver)
        .map(|(_, names)| format!("<a href=\"{command_url}/{0}\">{0}</a>", names[0]))
        .collect();
    Answer::new(200, Answer::HTML, links.join("\n<br/>\n"))
}

/// The answer to a command that does not exist.
pub(super) fn unknown(name: &str) -> Answer {
    let error = format!("Unknown command: {name}");
    finish_named(Map::new(), name, Some(&error))
}

/// What the server answers. What the command changes was changed before.
pub fn answer(command: Command, server: &impl Shown, membership: &Membership<'_>) -> Answer {
    if command.needs_service() && !server.is_serving() {
        return finish(json!({}), command, Some(NOT_SERVING));
    }
    let config = membership.config;
    let fields = match command {
        Command::Configuration => configuration(&server.conf()),
        Command::Connections => connections(&server.stats()),
        Command::Dirs => {
            let conf = server.conf();
            json!({ "datadir_size": conf.data_dir_bytes, "logdir_size": conf.data_log_bytes })
        }
        Command::Dump => dump(&server.dump()),
        Command::Environment => environment(server.environment()),
        Command::GetTraceMask | Command::SetTraceMask => {
            json!({ "tracemask": server.trace_mask() })
        }
        Command::Hash => hash(&server.digests()),
        Command::InitialConfiguration => json!({ "initial_configuration": null }),
        Command::IsReadOnly => json!({ "read_only": server.is_read_only() }),
        Command::LastSnapshot => last_snapshot(server.last_snapshot()),
        Command::Leader => match leader(membership) {
            Some(fields) => fields,
            None => return finish(json!({}), command, Some("server is not initialized")),
        },
        Command::Monitor => monitor(server),
        Command::Observers => observers(&server.observers()),
        Command::ConnectionStatReset
        | Command::ObserverConnectionStatReset
        | Command::Ruok
        | Command::Snapshot
        | Command::StatReset
        | Command::SystemProperties
        | Command::TxnLog => json!({}),
        Command::ServerStats => server_stats(&server.stats(), &server.conf()),
        Command::Stats => stats(&server.stats(), &server.conf()),
        Command::VotingView => voting_view(config),
        Command::WatchSummary => {
            let WatchSummary { connections, paths, watches } = server.watch_summary();
            json!({ "num_connections": connections, "num_paths": paths, "num_total_watches": watches })
        }
        Command::Watches => {
            let watches = server.watches_by_session().into_iter();
            let by_session = watches.map(|(session, paths)| (session.0.to_string(), json!(paths)));
            json!({ "session_id_to_watched_paths": by_session.collect::<Map<String, Value>>() })
        }
        Command::WatchesByPath => {
            let watches = server.watches_by_path().into_iter();
            let by_path = watches.map(|(path, sessions)| {
                (path.to_owned(), sessions.iter().map(|session| session.0).collect::<Value>())
            });
            json!({ "path_to_session_ids": by_path.collect::<Map<String, Value>>() })
        }
        Command::ZabState => zab_state(membership, server.is_serving()),
        Command::HandOver => unreachable!("answered when it is known how it ends"),
    };
    finish(fields, command, None)
}

pub(super) fn finish(fields: Value, command: Command, error: Option<&str>) -> Answer {
    let Value::Object(fields) = fields else { unreachable!("every answer is an object") };
    finish_named(fields, command.name(), error)
}

pub(super) fn finish_named(
    mut fields: Map<String, Value>,
    command: &str,
    error: Option<&str>,
) -> Answer {
    fields.insert("command".into(), command.into());
    fields.insert("error".into(), error.into());
    let text = serde_json::to_string_pretty(&fields).expect("names, numbers and texts");
    Answer::new(200, Answer::JSON, text)
}

fn configuration(conf: &Conf) -> Value {
    let port = |port: Option<u16>| port.map_or(-1, i32::from);
    let mut fields = json!({
        "client_port": port(conf.client_port),
        "data_dir": conf.data_dir,
        "data_log_dir": conf.data_log_dir,
        "tick_time": conf.tick_time_ms,
        "max_client_cnxns": conf.max_client_cnxns,
        "min_session_timeout": conf.session_timeout_min_ms,
        "max_session_timeout": conf.session_timeout_max_ms,
        "server_id": conf.server_id,
        "client_port_listen_backlog": conf.listen_backlog.map_or(-1, i64::from),
    });
    if let Some(secure) = conf.secure_client_port {
        fields["secure_client_port"] = secure.into();
    }
    fields
}

/// -1 is not known.
fn last_snapshot(last: Option<(Zxid, Option<i64>)>) -> Value {
    let (zxid, written) = last.unwrap_or((Zxid(-1), None));
    json!({ "zxid": format!("{:x}", zxid.0), "timestamp": written.unwrap_or(-1) })
}

fn observers(observers: &[ObserverLine]) -> Value {
    let line = |line: &ObserverLine| {
        json!({
            "sid": line.sid.0,
            "established": line.established_ms,
            "last_zxid": line.last_zxid.0,
        })
    };
    json!({
        "synced_observers": observers.len(),
        "observers": observers.iter().map(line).collect::<Value>(),
    })
}

fn leader(membership: &Membership<'_>) -> Option<Value> {
    let config = membership.config;
    let leader = membership.leader.filter(|_| !config.is_standalone())?;
    Some(json!({
        "is_leader": leader == config.my_id,
        "leader_id": leader.0,
        "leader_ip": config.servers.get(&leader).map(|spec| &spec.quorum.host),
    }))
}

/// Sessions by the time when they expire, and the paths of their ephemerals. A follower knows no such
/// times, and shows none, as in Apache.
fn dump(dump: &Dump<'_>) -> Value {
    let buckets = match &dump.sessions {
        SessionsDump::Tracked { global: (_, buckets), .. } => buckets.as_slice(),
        SessionsDump::Known { .. } => &[],
    };
    let sessions = buckets.iter().map(|bucket| {
        let members: Value = bucket.members.iter().map(|session| session.0).collect();
        (bucket.at_ms.to_string(), members)
    });
    let ephemerals = dump.ephemerals.iter().map(|(id, paths)| (id.0.to_string(), json!(paths)));
    json!({
        "expiry_time_to_session_ids": sessions.collect::<Map<String, Value>>(),
        "session_id_to_ephemeral_paths": ephemerals.collect::<Map<String, Value>>(),
    })
}

fn environment(environment: &Environment) -> Value {
    let rows = environment_rows(environment).into_iter();
    let mut fields: Map<String, Value> =
        rows.map(|(name, value)| (name.into(), value.into())).collect();
    fields.insert("zookeeper.version".into(), VERSION.into());
    fields.into()
}

fn hash(digests: &[(Zxid, i64)]) -> Value {
    let digests = digests.iter().map(|(zxid, digest)| json!({ "zxid": zxid.0, "digest_version": DIGEST_VERSION, "digest": digest }));
    json!({ "digests": digests.collect::<Value>() })
}

fn connections(stats: &ServerStats) -> Value {
    json!({
        "connections": stats.clients.iter().map(connection).collect::<Value>(),
        "secure_connections": [],
    })
}

fn connection(client: &ClientLine) -> Value {
    let mut fields = brief(client);
    let Some(session) = &client.session else { return fields };
    let more = json!({
        "session_id": session.id.0,
        "last_operation": session.last_op.to_string(),
        "established": session.established_ms,
        "session_timeout": session.timeout_ms,
        "last_cxid": session.last_cxid.unwrap_or(-1),
        "last_zxid": session.last_zxid.0,
        "last_response_time": session.last_response_ms,
        "last_latency": session.last_latency_ms,
        "min_latency": session.latency_min_ms,
        "avg_latency": session.latency_avg_ms,
        "max_latency": session.latency_max_ms,
    });
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    fields
}

/// A connection without its session.
fn brief(client: &ClientLine) -> Value {
    json!({
        "remote_socket_address": client.address,
        "interest_ops": client.interest_ops(),
        "outstanding_requests": client.queued,
        "packets_received": client.received,
        "packets_sent": client.sent,
    })
}

fn monitor(server: &impl Shown) -> Value {
    let stats = server.stats();
    let numbers = metrics::numbers(server).into_iter();
    let mut fields: Map<String, Value> =
        numbers.map(|(name, number)| (name, number.into())).collect();
    fields.insert("version".into(), VERSION.into());
    fields.insert("server_state".into(), stats.server_state().into());
    if let Some(peer_state) = stats.mode.peer_state() {
        fields.insert("peer_state".into(), peer_state.into());
    }
    Value::Object(fields)
}

fn server_stats(stats: &ServerStats, conf: &Conf) -> Value {
    let sizes = stats.shown_response_sizes();
    let mut fields = json!({
        "version": VERSION,
        "read_only": stats.read_only,
        "server_stats": {
            "packets_sent": stats.sent,
            "packets_received": stats.received,
            "data_dir_size": conf.data_dir_bytes,
            "log_dir_size": conf.data_log_bytes,
            "auth_failed_count": stats.auth_failed,
            "non_mtlsremote_conn_count": stats.non_mtls.0,
            "non_mtlslocal_conn_count": stats.non_mtls.1,
            "client_response_stats": buffer_stats(sizes),
            "fsync_threshold_exceed_count": stats.fsync_threshold_exceeded,
            "provider_null": false,
            "server_state": stats.server_state(),
            "outstanding_requests": stats.outstanding,
            "min_latency": stats.latency_min_ms,
            "avg_latency": stats.latency_avg_ms,
            "max_latency": stats.latency_max_ms,
            "last_processed_zxid": stats.zxid.0,
            "num_alive_client_connections": stats.clients.len(),
            "uptime": stats.uptime_ms,
        },
        "client_response": buffer_stats(sizes),
        "node_count": stats.node_count,
    });
    if let Some(leader) = &stats.leader {
        fields["proposal_stats"] = buffer_stats(leader.shown_proposal_sizes());
    }
    fields
}

/// (BufferStats)
fn buffer_stats([last, min, max]: [i64; 3]) -> Value {
    json!({ "last_buffer_size": last, "min_buffer_size": min, "max_buffer_size": max })
}

fn stats(stats: &ServerStats, conf: &Conf) -> Value {
    let mut fields = server_stats(stats, conf);
    fields["connections"] = stats.clients.iter().map(brief).collect();
    fields["secure_connections"] = json!([]);
    fields
}

fn voting_view(config: &ServerConfig) -> Value {
    let is_voter = |spec: &ServerSpec| spec.learner_type == LearnerType::Participant;
    let voters = config.servers.iter().filter(|(_, spec)| is_voter(spec));
    let members = voters.map(|(sid, spec)| {
        let client = spec.client.as_ref().map_or(String::new(), ToString::to_string);
        let member = json!({
            "server_addresses": [spec.quorum.to_string()],
            "election_addresses": [spec.election.to_string()],
            "client_address": client,
            "learner_type": "participant",
        });
        (sid.0.to_string(), member)
    });
    json!({ "current_config": members.collect::<Map<String, Value>>() })
}

/// Where a port of this server is: one address, as long as a server has no more.
fn multiple_addresses(on: &crate::runtime::HostPort) -> Value {
    let (address, wildcard) = (on.to_string(), format!("0.0.0.0:{}", on.port));
    json!({
        "empty": false,
        "all_addresses": [address],
        "wildcard_addresses": [wildcard],
        "all_ports": [on.port],
        "all_host_strings": [on.host],
        "reachable_address": address,
        "all_reachable_addresses": [address],
        "all_reachable_addresses_or_all": [address],
        "reachable_or_one": address,
        "one": address,
    })
}

fn zab_state(membership: &Membership<'_>, is_serving: bool) -> Value {
    let config = membership.config;
    let own = config.servers.get(&config.my_id).filter(|_| is_serving);
    let Some(spec) = own else { return json!({ "voting": false, "zabstate": "" }) };
    json!({
        "myid": config.my_id.0,
        "is_leader": membership.leader == Some(config.my_id),
        "quorum_address": multiple_addresses(&spec.quorum),
        "election_address": multiple_addresses(&spec.election),
        "client_address": spec.client.as_ref().map(ToString::to_string),
        "voting": spec.learner_type == LearnerType::Participant,
        "last_zxid": membership.last_zxid.to_string(),
        "zab_epoch": membership.last_zxid.epoch().0,
        "zab_counter": membership.last_zxid.counter(),
        "zabstate": membership.zab_state,
    })
}
