//! The commands of the admin port, and what a server answers to them. (Z/server/admin/Commands)
//!
//! An answer is JSON with the fields of Apache's, and always `command`, the first name of the command,
//! and `error`, null if there is none. The status is 200 even then, as in Apache.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::metrics;
use super::stats::{Mode, ServerStats, VERSION};
use crate::base::{ServerId, Zxid};
use crate::config::{LearnerType, ServerConfig, ServerSpec};

const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    Configuration,
    InitialConfiguration,
    IsReadOnly,
    Leader,
    Monitor,
    Ruok,
    ServerStats,
    Stats,
    SystemProperties,
    VotingView,
    ZabState,
}

/// Each with its names: the first is what the answer calls it, and what the index lists.
const COMMANDS: [(Command, &[&str]); 11] = [
    (Command::Configuration, &["configuration", "conf", "config"]),
    (Command::InitialConfiguration, &["initial_configuration", "icfg"]),
    (Command::IsReadOnly, &["is_read_only", "isro"]),
    (Command::Leader, &["leader", "lead"]),
    (Command::Monitor, &["monitor", "mntr"]),
    (Command::Ruok, &["ruok"]),
    (Command::ServerStats, &["server_stats", "srvr"]),
    (Command::Stats, &["stats", "stat"]),
    (Command::SystemProperties, &["system_properties", "sysp"]),
    (Command::VotingView, &["voting_view"]),
    (Command::ZabState, &["zabstate"]),
];

impl Command {
    pub(super) fn named(name: &str) -> Option<Command> {
        COMMANDS.iter().find(|(_, names)| names.contains(&name)).map(|(command, _)| *command)
    }

    fn name(self) -> &'static str {
        let row = COMMANDS.iter().find(|(command, _)| *command == self);
        row.expect("every command has a row").1[0]
    }

    /// Whether only a server that serves can say.
    fn needs_service(self) -> bool {
        !matches!(self, Command::SystemProperties | Command::ZabState)
    }
}

/// What a server knows of itself at one moment.
#[derive(Debug)]
pub struct Report<'a> {
    pub stats: &'a ServerStats,
    pub config: &'a ServerConfig,
    /// Who leads this server, itself included.
    pub leader: Option<ServerId>,
    pub last_zxid: Zxid,
    /// `zabstate`: election, discovery, synchronization or broadcast.
    pub zab_state: &'static str,
}

/// The list of commands, as a page.
pub(super) fn index(command_url: &str) -> Answer {
    let links: Vec<String> = COMMANDS
        .iter()
        .map(|(_, names)| format!("<a href=\"{command_url}/{0}\">{0}</a>", names[0]))
        .collect();
    let body = Bytes::from(links.join("\n<br/>\n"));
    Answer { status: 200, content_type: "text/html; charset=utf-8", body }
}

/// The answer to a command that does not exist.
pub(super) fn unknown(name: &str) -> Answer {
    let error = format!("Unknown command: {name}");
    finish(Map::new(), name, Some(&error))
}

/// What the server answers.
pub fn answer(command: Command, report: &Report<'_>) -> Answer {
    if command.needs_service() && !report.stats.serving {
        return finish(Map::new(), command.name(), Some(NOT_SERVING));
    }
    let (fields, error) = match command {
        Command::Configuration => (configuration(report.config), None),
        Command::InitialConfiguration => (json!({ "initial_configuration": null }), None),
        Command::IsReadOnly => (json!({ "read_only": report.stats.read_only }), None),
        Command::Leader => match leader(report) {
            Some(fields) => (fields, None),
            None => (json!({}), Some("server is not initialized")),
        },
        Command::Monitor => (monitor(report.stats), None),
        Command::Ruok | Command::SystemProperties => (json!({}), None),
        Command::ServerStats => (server_stats(report.stats), None),
        Command::Stats => (stats(report.stats), None),
        Command::VotingView => (voting_view(report.config), None),
        Command::ZabState => (zab_state(report), None),
    };
    let Value::Object(fields) = fields else { unreachable!("every answer is an object") };
    finish(fields, command.name(), error)
}

fn finish(mut fields: Map<String, Value>, command: &str, error: Option<&str>) -> Answer {
    fields.insert("command".into(), command.into());
    fields.insert("error".into(), error.into());
    let text = serde_json::to_string_pretty(&fields).expect("names, numbers and texts");
    Answer { status: 200, content_type: Answer::JSON, body: Bytes::from(text) }
}

fn configuration(config: &ServerConfig) -> Value {
    let version_2 = |dir: &std::path::Path| dir.join("version-2").display().to_string();
    json!({
        "client_port": config.client.as_ref().map_or(-1, |client| i64::from(client.port)),
        "data_dir": version_2(&config.data_dir),
        "data_log_dir": version_2(&config.data_log_dir),
        "tick_time": config.tick_time.as_millis() as u64,
        "max_client_cnxns": config.max_client_cnxns,
        "min_session_timeout": config.session_timeout_min.as_millis() as u64,
        "max_session_timeout": config.session_timeout_max.as_millis() as u64,
        "server_id": config.my_id.0,
        "client_port_listen_backlog": -1,
    })
}

fn leader(report: &Report<'_>) -> Option<Value> {
    let leader = report.leader.filter(|_| !report.config.is_standalone())?;
    Some(json!({
        "is_leader": leader == report.config.my_id,
        "leader_id": leader.0,
        "leader_ip": report.config.servers.get(&leader).map(|spec| &spec.quorum.host),
    }))
}

/// `server_state` as the words and this port name it.
fn state(stats: &ServerStats) -> String {
    if stats.read_only { "read-only".into() } else { stats.mode.to_string() }
}

fn monitor(stats: &ServerStats) -> Value {
    let mut fields = metrics::fields(stats);
    fields.insert("version".into(), VERSION.into());
    fields.insert("server_state".into(), state(stats).into());
    let peer_state = match stats.mode {
        Mode::Standalone => None,
        Mode::Leader => Some("leading - broadcast"),
        Mode::Follower => Some("following - broadcast"),
        Mode::Observer => Some("observing - broadcast"),
    };
    if let Some(peer_state) = peer_state {
        fields.insert("peer_state".into(), peer_state.into());
    }
    Value::Object(fields)
}

/// Last, smallest and largest size in bytes; -1 before the first.
fn buffer_sizes(sizes: Option<(u64, u64, u64)>) -> Value {
    let [last, min, max] = sizes.map_or([-1; 3], |(a, b, c)| [a as i64, b as i64, c as i64]);
    json!({ "last_buffer_size": last, "min_buffer_size": min, "max_buffer_size": max })
}

fn server_stats(stats: &ServerStats) -> Value {
    let mut fields = json!({
        "version": VERSION,
        "read_only": stats.read_only,
        "server_stats": {
            "packets_sent": stats.sent,
            "packets_received": stats.received,
            "provider_null": false,
            "server_state": state(stats),
            "outstanding_requests": stats.outstanding,
            "min_latency": stats.latency_min_ms,
            "avg_latency": stats.latency_avg_ms,
            "max_latency": stats.latency_max_ms,
            "last_processed_zxid": stats.zxid.0,
            "num_alive_client_connections": stats.clients.len(),
            "uptime": stats.uptime_ms,
        },
        "node_count": stats.node_count,
    });
    if let Some(leader) = &stats.leader {
        fields["proposal_stats"] = buffer_sizes(leader.proposal_sizes);
    }
    fields
}

fn stats(stats: &ServerStats) -> Value {
    let mut fields = server_stats(stats);
    let connections = stats.clients.iter().map(|client| {
        json!({
            "remote_socket_address": client.address,
            "interest_ops": u8::from(client.has_session),
            "outstanding_requests": client.queued,
            "packets_received": client.received,
            "packets_sent": client.sent,
        })
    });
    fields["connections"] = connections.collect();
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

fn zab_state(report: &Report<'_>) -> Value {
    let config = report.config;
    let own = config.servers.get(&config.my_id).filter(|_| report.stats.serving);
    let Some(spec) = own else { return json!({ "voting": false, "zabstate": "" }) };
    json!({
        "myid": config.my_id.0,
        "is_leader": report.leader == Some(config.my_id),
        "quorum_address": multiple_addresses(&spec.quorum),
        "election_address": multiple_addresses(&spec.election),
        "client_address": spec.client.as_ref().map(ToString::to_string),
        "voting": spec.learner_type == LearnerType::Participant,
        "last_zxid": report.last_zxid.to_string(),
        "zab_epoch": report.last_zxid.epoch().0,
        "zab_counter": report.last_zxid.counter(),
        "zabstate": report.zab_state,
    })
}
