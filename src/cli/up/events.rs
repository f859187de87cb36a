//! What `quorate up` says: lines for people, or one JSON object a line for scripts.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Event {
    /// Its process runs. `pid` is that process.
    Started {
        server: u16,
        pid: u32,
    },
    /// What it is now: `leader`, `follower`, `observer`, `standalone`; `None` while it does not serve.
    Role {
        server: u16,
        client: String,
        mode: Option<String>,
    },
    /// All serve.
    Ready {
        connect: String,
        page: String,
        dir: String,
        temporary: bool,
        servers: Vec<Served>,
    },
    Killed {
        server: u16,
    },
    Paused {
        server: u16,
    },
    Resumed {
        server: u16,
    },
    /// No byte passes between it and the others; clients reach it.
    Isolated {
        server: u16,
    },
    Rejoined {
        server: u16,
    },
    /// It was asked to open this page.
    Page {
        url: String,
    },
    /// It ended without being asked to. `log` is the end of its log.
    Ended {
        server: u16,
        status: String,
        log: String,
    },
    /// What was typed cannot be done.
    Refused {
        why: String,
    },
    /// All of them have ended, as they were asked to.
    Stopped,
}

/// One server, in [`Event::Ready`].
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct Served {
    pub(super) server: u16,
    /// `host:port` for clients.
    pub(super) client: String,
    /// `http://host:port/` of its admin port.
    pub(super) admin: String,
    pub(super) dir: String,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Started { server, pid } => write!(f, "server {server}  started, process {pid}"),
            Event::Role { server, client, mode } => {
                write!(
                    f,
                    "server {server}  {client}  {}",
                    mode.as_deref().unwrap_or("(serves nobody)")
                )
            }
            Event::Ready { connect, page, dir, temporary, .. } => {
                let stay = if *temporary { "and go with it" } else { "and stay there" };
                write!(
                    f,
                    "Connect to {connect}\nA page about it is at {page}\n\
                     Data and logs are in {dir}, {stay}. Ctrl-C ends the ensemble."
                )
            }
            Event::Killed { server } => write!(f, "server {server}  killed; {server}r starts it"),
            Event::Paused { server } => write!(f, "server {server}  paused; {server}p resumes it"),
            Event::Resumed { server } => write!(f, "server {server}  resumed"),
            Event::Isolated { server } => write!(
                f,
                "server {server}  cut off from the others, not from clients; {server}i joins it again"
            ),
            Event::Rejoined { server } => write!(f, "server {server}  joined to the others again"),
            Event::Page { url } => write!(f, "{url}"),
            Event::Ended { server, status, log } => {
                write!(f, "server {server} ended, {status}. The end of its log:\n  {log}")
            }
            Event::Refused { why } => f.write_str(why),
            Event::Stopped => f.write_str("All servers have ended."),
        }
    }
}

/// Where events go.
pub(super) struct Voice {
    pub(super) json: bool,
}

impl Voice {
    /// Fails when nobody reads any longer.
    pub(super) fn say(&self, event: &Event) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, event)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{event}")?;
        }
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_finds_the_kind_and_the_server_of_each_event() {
        let json = |event: &Event| serde_json::to_string(event).expect("it has no odd keys");
        let role = Event::Role { server: 2, client: "127.0.0.1:2182".into(), mode: None };
        assert_eq!(
            json(&role),
            r#"{"event":"role","server":2,"client":"127.0.0.1:2182","mode":null}"#
        );
        assert_eq!(json(&Event::Stopped), r#"{"event":"stopped"}"#);
        assert_eq!(json(&Event::Killed { server: 3 }), r#"{"event":"killed","server":3}"#);
    }
}
