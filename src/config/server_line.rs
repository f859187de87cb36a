//! The value of a `server.N` line. (QuorumPeer.QuorumServer)
//!
//!     host:quorumPort:electionPort[:participant|:observer][;[clientHost:]clientPort]
//!
//! A host may be an IPv6 address in brackets. Not here: what the lines mean together (`parse.rs`).

use super::LearnerType;
use super::error::ConfigError;
use super::properties::Entry;
use crate::runtime::HostPort;

const SHAPE: &str =
    "host:quorumPort:electionPort[:participant|:observer][;[clientHost:]clientPort]";

/// Where clients connect if a server line names only a port.
pub(super) const ANY_ADDRESS: &str = "0.0.0.0";

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ServerLine {
    pub(super) quorum: HostPort,
    pub(super) election: HostPort,
    pub(super) client: Option<HostPort>,
    pub(super) learner_type: LearnerType,
}

pub(super) fn parse_server_line(entry: &Entry) -> Result<ServerLine, ConfigError> {
    let (peers, client) = match entry.value.split_once(';') {
        Some((peers, client)) => (peers, Some((client, peers.chars().count() + 1))),
        None => (entry.value.as_str(), None),
    };
    if let Some(at) = peers.find('|') {
        return Err(
            entry.mistyped(at, "one address a server: several, split by |, are not supported")
        );
    }
    let (host, ports) = split_host(peers).ok_or_else(|| entry.mistyped(0, SHAPE))?;
    let mut offset = peers.chars().count() - ports.chars().count();
    let mut fields = ports.split(':').map(|field| {
        let here = offset;
        offset += field.chars().count() + 1;
        (field.trim(), here)
    });
    let mut next_port = |expected: &str| match fields.next() {
        Some((field, here)) => port(field).ok_or_else(|| entry.mistyped(here, expected)),
        None => Err(entry.mistyped(0, SHAPE)),
    };
    let quorum_port = next_port("a quorum port from 1 to 65535 behind the host")?;
    let election_port = next_port("an election port from 1 to 65535 behind the quorum port")?;
    let learner_type = match fields.next() {
        None => LearnerType::Participant,
        Some((role, here)) => {
            parse_role(role).ok_or_else(|| entry.mistyped(here, "participant or observer"))?
        }
    };
    if let Some((_, here)) = fields.next() {
        return Err(entry.mistyped(here, SHAPE));
    }
    let client = match client {
        Some((text, here)) => Some(
            client_part(text)
                .ok_or_else(|| entry.mistyped(here, "[clientHost:]clientPort behind the ;"))?,
        ),
        None => None,
    };
    Ok(ServerLine {
        quorum: HostPort::new(host, quorum_port),
        election: HostPort::new(host, election_port),
        client,
        learner_type,
    })
}

/// `participant` or `observer`, in either case, as in `peerType` too.
pub(super) fn parse_role(text: &str) -> Option<LearnerType> {
    match text.trim().to_ascii_lowercase().as_str() {
        "participant" => Some(LearnerType::Participant),
        "observer" => Some(LearnerType::Observer),
        _ => None,
    }
}

/// A host in a key of its own: an IPv6 address may stand in brackets, as in a server line.
/// (InetAddress.getByName)
pub(super) fn bare_host(text: &str) -> &str {
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text)
}

/// The host without brackets, and what stands behind its colon.
pub(super) fn split_host(text: &str) -> Option<(&str, &str)> {
    let (host, rest) = match text.trim_start().strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']')?;
            (host, rest.strip_prefix(':')?)
        }
        None => text.split_once(':')?,
    };
    let host = host.trim();
    (!host.is_empty()).then_some((host, rest))
}

fn client_part(text: &str) -> Option<HostPort> {
    match split_host(text) {
        Some((host, rest)) => Some(HostPort::new(host, port(rest.trim())?)),
        None => Some(HostPort::new(ANY_ADDRESS, port(text.trim())?)),
    }
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::properties::read_properties;

    fn parse(value: &str) -> Result<ServerLine, ConfigError> {
        let entries = read_properties(&format!("server.1={value}"), "zoo.cfg")?;
        parse_server_line(&entries[0])
    }

    fn good(value: &str) -> ServerLine {
        parse(value).expect("a well-formed line")
    }

    #[test]
    fn the_short_form_is_a_participant_without_a_client_part() {
        let line = good("zoo1:2888:3888");
        assert_eq!(line.quorum, HostPort::new("zoo1", 2888));
        assert_eq!(line.election, HostPort::new("zoo1", 3888));
        assert_eq!((line.client, line.learner_type), (None, LearnerType::Participant));
    }

    #[test]
    fn role_and_client_part_are_read() {
        let line = good("10.0.0.1:1:2:OBSERVER;127.0.0.1:2181");
        assert_eq!(line.learner_type, LearnerType::Observer);
        assert_eq!(line.client, Some(HostPort::new("127.0.0.1", 2181)));
        assert_eq!(good("a:1:2;2181").client, Some(HostPort::new("0.0.0.0", 2181)));
        assert_eq!(good("a:1:2:participant;[::1]:9").client, Some(HostPort::new("::1", 9)));
    }

    #[test]
    fn an_ipv6_host_stands_in_brackets() {
        let line = good("[2001:db8::1]:2888:3888");
        assert_eq!(line.quorum.to_string(), "[2001:db8::1]:2888");
        assert_eq!(line.election, HostPort::new("2001:db8::1", 3888));
    }

    #[test]
    fn errors_point_at_the_piece_that_is_wrong() {
        for (value, column, phrase) in [
            ("zoo1", 10, "host:quorumPort:electionPort"),
            ("zoo1:2888", 10, "host:quorumPort:electionPort"),
            ("zoo1:x:3888", 15, "a quorum port"),
            ("zoo1:2888:70000", 20, "an election port"),
            ("zoo1:2888:3888:voter", 25, "participant or observer"),
            ("zoo1:2888:3888:observer:9", 34, "host:quorumPort:electionPort"),
            ("zoo1:2888:3888;", 25, "[clientHost:]clientPort"),
            ("zoo1:2888:3888;a:b", 25, "[clientHost:]clientPort"),
            ("a:1:2|b:1:2", 15, "are not supported"),
        ] {
            let error = parse(value).expect_err(value).to_string();
            assert!(error.starts_with(&format!("zoo.cfg:1:{column}: ")), "{error}");
            assert!(error.contains(phrase), "{error}");
        }
    }
}
