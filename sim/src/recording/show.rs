//! A recording's events in words: one line each.

use std::fmt;

use quorate::base::{Stamp, Zxid};

use super::{Answer, Event, Life, Party, Recording, Request, Role, State, Value, What};

/// The end of a scenario in words. Trace hashes contain them: another word would change every hash
/// that is on record.
pub const OVER: &str = "the story is over: everything heals";

impl Recording {
    /// The name of somebody: `s3`, a client's own, `--` for the laboratory.
    pub fn name(&self, party: Party) -> String {
        match party {
            Party::Lab => "--".into(),
            Party::Server(id) => format!("s{id}"),
            Party::Client(n) => match self.clients.get(n as usize) {
                Some(name) => name.clone(),
                None => format!("client number {n}"),
            },
        }
    }

    /// An event in one line.
    pub fn show(&self, event: &Event) -> String {
        let what = match &event.what {
            What::Frame { to, kind, zxid, arrives } => {
                let zxid = zxid.map_or(String::new(), |zxid| format!(" {}", Zxid(zxid)));
                let arrives =
                    arrives.map_or("never arrives".into(), |at| format!("arrives {}", Stamp(at)));
                format!("-> {} {kind}{zxid}, {arrives}", self.name(*to))
            }
            what => what.to_string(),
        };
        let state = event.state.map_or(String::new(), |state| format!(" [{state}]"));
        format!("{} {} {what}{state}", Stamp(event.at), self.name(event.by))
    }
}

/// Of a frame only what it is.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Action { fault: None, action } => write!(f, "{action}"),
            What::Action { fault: Some(n), action } => write!(f, "fault {n}: {action}"),
            What::Over => f.write_str(OVER),
            What::Life(life) => write!(f, "{life}"),
            What::Role { role, epoch } => write!(f, "is {role}, current epoch {epoch}"),
            What::Note { name, fields } => {
                f.write_str(name)?;
                fields.iter().try_for_each(|(name, value)| write!(f, " {name} {value}"))
            }
            What::Frame { kind, .. } => f.write_str(kind),
            What::SyncBegan { n } => write!(f, "sync {n} begins"),
            What::SyncEnded { n, failed: false } => write!(f, "sync {n} ends"),
            What::SyncEnded { n, failed: true } => write!(f, "sync {n} fails"),
            What::Asked { n, server, request } => {
                write!(f, "asks s{server}: {request} (request {n})")
            }
            What::Answered { n, result } => write!(f, "{result} (request {n})"),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Act(act) => write!(f, "{act}"),
            Request::Other(words) => f.write_str(words),
        }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Life::Started => "started",
            Life::Died => "died",
            Life::Wiped => "wiped",
            Life::Paused => "paused",
            Life::Resumed => "resumed",
            Life::DiskSaved => "disk saved",
            Life::DiskPut => "disk replaced",
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Looking => "looking",
            Role::Following => "following",
            Role::Leading => "leading",
            Role::Observing => "observing",
            Role::Standalone => "standalone",
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Zxid(zxid) => write!(f, "{}", Zxid(*zxid)),
            Value::Epoch(number) | Value::Server(number) => write!(f, "{number}"),
            Value::Servers(servers) => write!(f, "{servers:?}"),
            Value::Session(id) => write!(f, "{id:#x}"),
            Value::Hash(hash) => write!(f, "{hash:016x}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.running, self.paused) {
            (false, _) => f.write_str("down")?,
            (true, true) => write!(f, "{}, paused", self.role)?,
            (true, false) => write!(f, "{}", self.role)?,
        }
        if let Some(epoch) = self.established.or(self.serving) {
            write!(f, " and serving in epoch {epoch}")?;
        }
        write!(
            f,
            ", epochs {}/{}, log to {}, durable {}, applied {}, committed {}",
            self.accepted_epoch,
            self.current_epoch,
            Zxid(self.last_logged),
            Zxid(self.durable),
            Zxid(self.applied),
            Zxid(self.committed)
        )
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Reply { zxid, err: 0, words } => {
                write!(f, "hears {words} at {}", Zxid(*zxid))
            }
            Answer::Reply { zxid, err, .. } => write!(f, "hears error {err} at {}", Zxid(*zxid)),
            Answer::Lost => f.write_str("hears nothing: the connection is lost"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::ClientAct;

    #[test]
    fn events_read_as_sentences() {
        let recording = Recording { clients: vec!["a".into()], ..Recording::default() };
        let show = |by, what| recording.show(&Event { at: 1_500_000_000, by, what, state: None });
        let note = What::Note {
            name: "Committed".into(),
            fields: vec![
                ("zxid".into(), Value::Zxid(0x1_0000_0002)),
                ("voters".into(), Value::Servers(vec![1, 2])),
            ],
        };
        let text = "1.500000000 s3 Committed zxid 0x100000002 voters [1, 2]";
        assert_eq!(show(Party::Server(3), note), text);
        let frame = What::Frame {
            to: Party::Server(1),
            kind: "ACK".into(),
            zxid: Some(0x1_0000_0002),
            arrives: None,
        };
        let text = "1.500000000 s2 -> s1 ACK 0x100000002, never arrives";
        assert_eq!(show(Party::Server(2), frame), text);
        let request = Request::Act(ClientAct::Get { path: "/x".into() });
        let asked = What::Asked { n: 4, server: 2, request };
        assert_eq!(show(Party::Client(0), asked), "1.500000000 a asks s2: get /x (request 4)");
    }
}
