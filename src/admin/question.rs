//! What is asked at the admin port and the metrics port: a path, and what stands behind it.
//!
//! Not here: HTTP (http.rs), the answers (commands.rs, health.rs, metrics.rs, snapshot.rs).

use super::answer::Answer;
use super::authorization::Authorization;
use super::commands::{Command, index, unknown};
use super::page::{self, Hosts, PageQuestion};
use super::snapshot::{RESTORE, no_restore};
use crate::base::{ServerId, Zxid};

/// What somebody wants to know of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    Command(Command),
    /// `/commands/set_trace_mask?traceMask=N`
    SetTraceMask(i64),
    /// `/commands/snapshot`
    Snapshot(SnapshotQuestion),
    /// `/commands/txnlog?from=ZXID`
    TxnLog {
        from: Zxid,
        proof: Proof,
    },
    /// `/live`: whether it answers at all.
    Live,
    /// `/ready`: whether it serves clients, as a member of a quorum that is up to date.
    Ready,
    /// `/safe-to-stop?server=N`: whether a quorum stays without that server, or without this one.
    SafeToStop {
        server: Option<ServerId>,
    },
    /// `/metrics`: everything that is counted, as Prometheus reads it.
    Metrics,
    /// `/page/...`: what the page for an operator shows.
    Page(PageQuestion),
}

/// A snapshot is to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotQuestion {
    /// `streaming=false`: it stays in the directory, and is not sent.
    pub streaming: bool,
    pub proof: Proof,
}

/// Who asks for all data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// `ip:port`
    pub client: String,
    pub authorization: Option<Authorization>,
}

/// A request, as far as it matters.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) is_post: bool,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    /// `ip:port`
    pub(super) client: &'a str,
    /// The headers of these names.
    pub(super) authorization: Option<&'a str>,
    pub(super) host: Option<&'a str>,
}

/// What is to be found at a port.
#[derive(Clone, Debug)]
pub enum Site {
    /// Commands below this path, and what probes ask for. `may_hand_over`: a POST may end a leadership.
    /// `page`: there is one, under these names.
    Admin { command_url: String, may_hand_over: bool, page: Option<Hosts> },
    /// `/metrics` alone.
    Metrics,
}

impl Site {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Site::Admin { .. } => "admin",
            Site::Metrics => "metrics",
        }
    }

    /// What is asked for; or the answer, where it needs no server.
    pub(super) fn find(&self, asked: Asked<'_>) -> Result<Question, Answer> {
        let Site::Admin { command_url, may_hand_over, page } = self else {
            return match asked.path {
                "/metrics" => Ok(Question::Metrics),
                _ => Err(Answer::text(404, "metrics are at /metrics\n")),
            };
        };
        match asked.path {
            "/live" => return Ok(Question::Live),
            "/ready" => return Ok(Question::Ready),
            "/safe-to-stop" => return asked.safe_to_stop(),
            "/metrics" => return Ok(Question::Metrics),
            _ => {}
        }
        match asked.path.strip_prefix(command_url.as_str()) {
            Some("" | "/") => Err(index(command_url, *may_hand_over)),
            Some(rest) if rest.starts_with('/') => asked.command(&rest[1..], *may_hand_over),
            _ => match page {
                Some(hosts) => asked.of_page(hosts, command_url),
                None => Err(Answer::text(404, format!("commands are at {command_url}\n"))),
            },
        }
    }
}

impl Asked<'_> {
    fn command(&self, name: &str, may_hand_over: bool) -> Result<Question, Answer> {
        if RESTORE.contains(&name) {
            return Err(no_restore());
        }
        match Command::named(name).ok_or_else(|| unknown(name))? {
            Command::SetTraceMask => match self.parameter("traceMask").map(str::parse) {
                Some(Ok(mask)) => Ok(Question::SetTraceMask(mask)),
                _ => Err(Answer::text(400, "traceMask= wants a number\n")),
            },
            Command::Snapshot => Ok(Question::Snapshot(SnapshotQuestion {
                streaming: self
                    .parameter("streaming")
                    .is_none_or(|v| v.eq_ignore_ascii_case("true")),
                proof: self.proof(),
            })),
            Command::TxnLog => match self.parameter("from").and_then(parse_zxid) {
                Some(from) => Ok(Question::TxnLog { from, proof: self.proof() }),
                None => Err(Answer::text(400, "from= wants a zxid such as 0x100000001\n")),
            },
            Command::HandOver if !may_hand_over => {
                Err(Answer::text(403, "admin.handOver.enabled=true in zoo.cfg allows this\n"))
            }
            Command::HandOver if !self.is_post => Err(Answer::not_allowed("POST")),
            command => Ok(Question::Command(command)),
        }
    }

    fn proof(&self) -> Proof {
        let authorization = self.authorization.map(Authorization::parse);
        Proof { client: self.client.into(), authorization }
    }

    /// The page, or what it asks for.
    fn of_page(&self, hosts: &Hosts, command_url: &str) -> Result<Question, Answer> {
        let asked = page::Asked {
            is_post: self.is_post,
            path: self.path,
            query: self.query,
            client: self.client,
            authorization: self.authorization,
            host: self.host,
        };
        page::find(asked, hosts, command_url).map(Question::Page)
    }

    fn safe_to_stop(&self) -> Result<Question, Answer> {
        match self.parameter("server").map(str::parse) {
            None => Ok(Question::SafeToStop { server: None }),
            Some(Ok(sid)) => Ok(Question::SafeToStop { server: Some(ServerId(sid)) }),
            Some(Err(_)) => Err(Answer::text(400, "server= wants the number of a server\n")),
        }
    }

    /// The value of `name=value`.
    fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

fn parse_zxid(text: &str) -> Option<Zxid> {
    let digits = text.strip_prefix("0x").filter(|digits| !digits.starts_with('+'))?;
    i64::from_str_radix(digits, 16).ok().filter(|zxid| *zxid > 0).map(Zxid)
}
