//! When something is done: at a time, or when something happens.

use std::fmt;
use std::time::Duration;

use quorate::base::{RoleName, ServerId, Zxid};
use quorate::runtime::LabelKind;

use super::lexer::{Mistake, Words, show_duration, zxid};
use super::names::Names;
use super::nearest::unknown_word;
use super::words::{KINDS, ROLES, a_file, a_zxid, kind_word, named, role_word};

#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// At this time after the start of the world.
    At(Duration),
    /// The first time this happens, from this time on.
    On(Duration, Trigger),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// A frame of this kind is about to leave `from`.
    Sends { from: ServerId, kind: LabelKind, to: Option<ServerId>, zxid: Option<Zxid> },
    /// Everything up to this zxid is durable in the server's log.
    Durable { server: ServerId, zxid: Zxid },
    /// The server takes this role.
    Role { server: ServerId, role: RoleName },
    /// The server is an established leader: a quorum acked its NEWLEADER.
    Established { server: ServerId },
    /// The server's own election ended.
    Elected { server: ServerId },
    /// The `count`-th sync of this server that made something durable: of a file whose name begins
    /// so, or of a directory in which such a name changed. Not after `before`.
    Effect { server: ServerId, file: Option<String>, count: u32, before: Option<Duration> },
}

impl When {
    /// The time it is at, or waits from.
    pub fn since(&self) -> Duration {
        match self {
            When::At(at) | When::On(at, _) => *at,
        }
    }

    pub fn set_since(&mut self, time: Duration) {
        match self {
            When::At(at) | When::On(at, _) => *at = time,
        }
    }
}

impl Trigger {
    pub fn names(&self, server: ServerId) -> bool {
        match self {
            Trigger::Sends { from, to, .. } => *from == server || *to == Some(server),
            Trigger::Durable { server: by, .. }
            | Trigger::Role { server: by, .. }
            | Trigger::Established { server: by }
            | Trigger::Elected { server: by }
            | Trigger::Effect { server: by, .. } => *by == server,
        }
    }
}

impl Names {
    pub fn when(&self, words: &mut Words<'_>) -> Result<When, Mistake> {
        let from = match words.peek() {
            Some("on") => Duration::ZERO,
            _ => self.time(words, "a time such as `10s`, or `on` and an event")?,
        };
        if !words.take("on") {
            return Ok(When::At(from));
        }
        let trigger = self.trigger(words)?;
        Ok(When::On(from, trigger))
    }

    fn trigger(&self, words: &mut Words<'_>) -> Result<Trigger, Mistake> {
        let server = self.server(words)?;
        const EVENTS: [&str; 6] = ["sends", "durable", "role", "established", "elected", "effect"];
        match words.peek() {
            Some("sends") => {
                words.take_next();
                let kind = named(words, "kind of message", &KINDS)?;
                let zxid = words.peek().and_then(zxid);
                if zxid.is_some() {
                    words.take_next();
                }
                let to = if words.take("to") { Some(self.server(words)?) } else { None };
                Ok(Trigger::Sends { from: server, kind, to, zxid })
            }
            Some("durable") => {
                words.take_next();
                Ok(Trigger::Durable { server, zxid: a_zxid(words)? })
            }
            Some("role") => {
                words.take_next();
                Ok(Trigger::Role { server, role: named(words, "role", &ROLES)? })
            }
            Some("established") => {
                words.take_next();
                Ok(Trigger::Established { server })
            }
            Some("elected") => {
                words.take_next();
                Ok(Trigger::Elected { server })
            }
            Some("effect") => {
                words.take_next();
                self.effect(server, words)
            }
            Some(word) => Err(Mistake::new(words.at(), unknown_word("event", word, &EVENTS))),
            None => Err(words.expected("what the server does: sends, durable, role, ...")),
        }
    }

    /// `[FILE] [COUNT] [before TIME]`
    fn effect(&self, server: ServerId, words: &mut Words<'_>) -> Result<Trigger, Mistake> {
        let file = a_file(words);
        let count = words.peek().and_then(|word| word.parse::<u32>().ok());
        if count.is_some() {
            words.take_next();
        }
        let before = match words.take("before") {
            true => Some(self.time(words, "a time such as `10s`")?),
            false => None,
        };
        Ok(Trigger::Effect { server, file, count: count.unwrap_or(1).max(1), before })
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::At(at) => f.write_str(&show_duration(*at)),
            When::On(from, trigger) if from.is_zero() => write!(f, "on {trigger}"),
            When::On(from, trigger) => write!(f, "{} on {trigger}", show_duration(*from)),
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trigger::Sends { from, kind, to, zxid } => {
                write!(f, "{from} sends {}", kind_word(*kind))?;
                if let Some(zxid) = zxid {
                    write!(f, " {zxid}")?;
                }
                if let Some(to) = to {
                    write!(f, " to {to}")?;
                }
                Ok(())
            }
            Trigger::Durable { server, zxid } => write!(f, "{server} durable {zxid}"),
            Trigger::Role { server, role } => write!(f, "{server} role {}", role_word(*role)),
            Trigger::Established { server } => write!(f, "{server} established"),
            Trigger::Elected { server } => write!(f, "{server} elected"),
            Trigger::Effect { server, file, count, before } => {
                write!(f, "{server} effect")?;
                if let Some(file) = file {
                    write!(f, " {file}")?;
                }
                if *count > 1 {
                    write!(f, " {count}")?;
                }
                match before {
                    Some(before) => write!(f, " before {}", show_duration(*before)),
                    None => Ok(()),
                }
            }
        }
    }
}
