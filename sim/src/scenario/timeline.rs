//! Reads one line of a timeline. The grammar stands in `scenarios/README.md`.

use std::collections::BTreeSet;
use std::time::Duration;

use quorate::base::{Epoch, RoleName, ServerId, SyncMode, Zxid};

use super::action::{
    Action, ClientAct, ClientState, Expectation, KINDS, Line, ROLES, Trigger, When,
};
use super::disk_deeds::{self, DiskDeed};
use super::error::unknown_word;
use super::lexer::{Mistake, Words, duration, zxid};
use super::links::{Links, Plane, directed, show};

/// What names a line may use.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub servers: BTreeSet<ServerId>,
    /// `$name` and what it stands for in this case of the scenario.
    pub variable: Option<(String, Duration)>,
}

const ACTIONS: [&str; 20] = [
    "start",
    "stop",
    "crash",
    "kill",
    "pause",
    "resume",
    "wipe",
    "look",
    "cut",
    "heal",
    "delay",
    "hold",
    "release",
    "hold-fsync",
    "release-fsync",
    "slow-fsync",
    "slow-apply",
    "clock",
    "client",
    "expect",
];

impl Names {
    /// Reads a whole line. `place` and `fault` are left empty.
    pub fn line(&self, text: &str) -> Result<Line, Mistake> {
        let mut words = Words::of(text);
        let when = self.when(&mut words)?;
        let mut actions = Vec::new();
        loop {
            actions.push(self.action(&mut words)?);
            if words.peek().is_none() {
                return Ok(Line { when, actions, place: (0, 0), fault: None });
            }
            if !words.take(";") {
                return Err(words.expected("`;` and another action, or the end of the line"));
            }
        }
    }

    fn when(&self, words: &mut Words<'_>) -> Result<When, Mistake> {
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

    /// `10s`, `$gap`, `10s + $gap`.
    fn time(&self, words: &mut Words<'_>, what: &str) -> Result<Duration, Mistake> {
        let mut total = self.one_time(words, what)?;
        while words.take("+") {
            total += self.one_time(words, "a time such as `10s`")?;
        }
        Ok(total)
    }

    fn one_time(&self, words: &mut Words<'_>, what: &str) -> Result<Duration, Mistake> {
        let Some(text) = words.peek() else { return Err(words.expected(what)) };
        if let Some(name) = text.strip_prefix('$') {
            let known = self.variable.as_ref().filter(|(known, _)| known == name);
            let Some((_, value)) = known else {
                return Err(words.expected("a name that [boundary] varies"));
            };
            words.take_next();
            return Ok(*value);
        }
        let value = duration(text).ok_or_else(|| words.expected(what))?;
        words.take_next();
        Ok(value)
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
        let file = disk_deeds::a_file(words);
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

    fn action(&self, words: &mut Words<'_>) -> Result<Action, Mistake> {
        let Some(word) = words.peek() else {
            return Err(words.expected("an action such as `start 1`"));
        };
        let at = words.at();
        words.take_next();
        match word {
            "start" => Ok(Action::Start(self.servers(words)?)),
            "stop" => Ok(Action::Stop(self.servers(words)?)),
            "crash" | "kill" => Ok(Action::Crash(self.servers(words)?)),
            "pause" => Ok(Action::Pause(self.servers(words)?)),
            "resume" => Ok(Action::Resume(self.servers(words)?)),
            "wipe" => Ok(Action::Wipe(self.servers(words)?)),
            "look" => Ok(Action::Look(self.servers(words)?)),
            "cut" => Ok(Action::Cut(self.links(words)?)),
            "heal" if ends(words) => Ok(Action::Heal(None)),
            "heal" => Ok(Action::Heal(Some(self.links(words)?))),
            "delay" => {
                let links = self.links(words)?;
                Ok(Action::Delay { links, by: self.time(words, "how long: `300ms`")? })
            }
            "hold" => {
                let kind = named(words, "kind of message", &KINDS)?;
                Ok(Action::Hold { kind, links: self.links(words)? })
            }
            "release" => self.release(words),
            "hold-fsync" => Ok(Action::HoldFsync(self.servers(words)?)),
            "release-fsync" => Ok(Action::ReleaseFsync(self.servers(words)?)),
            "slow-fsync" => {
                let servers = self.servers(words)?;
                Ok(Action::SlowFsync { servers, by: self.time(words, "how long: `50ms`")? })
            }
            "slow-apply" => {
                let servers = self.servers(words)?;
                Ok(Action::SlowApply { servers, by: self.time(words, "how long: `50ms`")? })
            }
            "clock" => self.clock(words),
            "client" => self.client(words),
            "expect" => self.expect(words),
            _ if disk_deeds::WORDS.contains(&word) => {
                let servers = self.servers(words)?;
                Ok(Action::Disk { deed: DiskDeed::read(word, &servers, words)?, servers })
            }
            _ => {
                let known = [&ACTIONS[..], &disk_deeds::WORDS[..]].concat();
                Err(Mistake::new(at, unknown_word("action", word, &known)))
            }
        }
    }

    fn release(&self, words: &mut Words<'_>) -> Result<Action, Mistake> {
        if ends(words) {
            return Ok(Action::Release { kind: None, links: None });
        }
        let kind = Some(named(words, "kind of message", &KINDS)?);
        let links = if ends(words) { None } else { Some(self.links(words)?) };
        Ok(Action::Release { kind, links })
    }

    fn clock(&self, words: &mut Words<'_>) -> Result<Action, Mistake> {
        let servers = self.servers(words)?;
        if words.take("rate") {
            let rate = words.peek().and_then(|word| word.parse::<f64>().ok());
            let Some(rate) = rate.filter(|rate| (0.05..=20.0).contains(rate)) else {
                return Err(words.expected("a rate from 0.05 to 20"));
            };
            words.take_next();
            return Ok(Action::ClockRate { servers, rate });
        }
        if !words.take("jump") {
            return Err(words.expected("`rate` or `jump`"));
        }
        let text = words.peek().unwrap_or("");
        let size = text.strip_prefix(['+', '-']).and_then(duration);
        let Some(size) = size else { return Err(words.expected("a jump such as `+1h`")) };
        words.take_next();
        let by_ms = i64::try_from(size.as_millis()).unwrap_or(i64::MAX);
        let by_ms = if text.starts_with('-') { -by_ms } else { by_ms };
        Ok(Action::ClockJump { servers, by_ms })
    }

    fn client(&self, words: &mut Words<'_>) -> Result<Action, Mistake> {
        let name = any_word(words, "a client's name")?;
        let at = words.at();
        const ACTS: [&str; 9] =
            ["connects", "create", "set", "get", "exists", "ls", "delete", "sync", "closes"];
        let verb = any_word(words, "what the client does")?;
        let act = match verb.as_str() {
            "connects" => ClientAct::Connects(self.servers(words)?),
            "create" => {
                let (mut ephemeral, mut sequential) = (false, false);
                loop {
                    if words.take("-e") {
                        ephemeral = true;
                    } else if words.take("-s") {
                        sequential = true;
                    } else {
                        break;
                    }
                }
                let path = a_path(words)?;
                ClientAct::Create { path, data: data(words), ephemeral, sequential }
            }
            "set" => ClientAct::Set { path: a_path(words)?, data: data(words) },
            "get" => ClientAct::Get { path: a_path(words)? },
            "exists" => ClientAct::Exists { path: a_path(words)? },
            "ls" => ClientAct::List { path: a_path(words)? },
            "delete" => ClientAct::Delete { path: a_path(words)? },
            "sync" => ClientAct::Sync { path: a_path(words)? },
            "closes" => ClientAct::Closes,
            _ => return Err(Mistake::new(at, unknown_word("client operation", &verb, &ACTS))),
        };
        Ok(Action::Client { name, act })
    }

    fn expect(&self, words: &mut Words<'_>) -> Result<Action, Mistake> {
        let mut clauses = vec![self.clause(words)?];
        while words.take(",") {
            clauses.push(self.clause(words)?);
        }
        Ok(Action::Expect(clauses))
    }

    fn clause(&self, words: &mut Words<'_>) -> Result<Expectation, Mistake> {
        match words.peek() {
            Some("no") => {
                words.take_next();
                if words.take("leader") {
                    return Ok(Expectation::NoLeader);
                }
                Err(words.expected("`leader`"))
            }
            Some("not") => {
                words.take_next();
                if !words.take("leader") {
                    return Err(words.expected("`leader`"));
                }
                Ok(Expectation::NotLeader(self.server(words)?))
            }
            Some("leader") => {
                words.take_next();
                let servers = self.servers(words)?;
                let epoch = if words.take("epoch") { Some(an_epoch(words)?) } else { None };
                Ok(Expectation::Leader { servers, epoch })
            }
            Some("last") => {
                words.take_next();
                Ok(Expectation::Last { server: self.server(words)?, zxid: a_zxid(words)? })
            }
            Some("truncated") => {
                words.take_next();
                Ok(Expectation::Truncated { server: self.server(words)?, to: a_zxid(words)? })
            }
            Some("synced") => {
                words.take_next();
                let server = self.server(words)?;
                let modes = [
                    ("DIFF", SyncMode::Diff),
                    ("TRUNC", SyncMode::Trunc),
                    ("SNAP", SyncMode::Snap),
                ];
                Ok(Expectation::Synced {
                    server,
                    mode: named(words, "way to synchronise", &modes)?,
                })
            }
            Some("client") => {
                words.take_next();
                let name = any_word(words, "a client's name")?;
                let states = [
                    ("ok", ClientState::Ok),
                    ("fails", ClientState::Fails),
                    ("waits", ClientState::Waits),
                ];
                Ok(Expectation::Client { name, state: named(words, "state", &states)? })
            }
            _ => self.role_clause(words),
        }
    }

    fn role_clause(&self, words: &mut Words<'_>) -> Result<Expectation, Mistake> {
        let starts_with_number = words.peek().is_some_and(|word| word.parse::<i64>().is_ok());
        if !starts_with_number {
            return Err(words.expected(
                "what must hold: `leader 3 epoch 1`, `no leader`, `not leader 3`, `4 5 following`, \
                 `last 1 0x100000005`, `truncated 1 0x100000005`, `synced 1 SNAP` or `client a ok`",
            ));
        }
        let servers = self.servers(words)?;
        if words.take("down") {
            return Ok(Expectation::Down(servers));
        }
        let role: RoleName = named(words, "role", &ROLES)?;
        Ok(Expectation::InRole { servers, role })
    }

    fn server(&self, words: &mut Words<'_>) -> Result<ServerId, Mistake> {
        let number = words.peek().and_then(|word| word.parse::<i64>().ok()).map(ServerId);
        match number {
            Some(server) if self.servers.contains(&server) => {
                words.take_next();
                Ok(server)
            }
            _ => Err(words.expected(&format!("a server of the ensemble ({})", self.all()))),
        }
    }

    fn servers(&self, words: &mut Words<'_>) -> Result<Vec<ServerId>, Mistake> {
        if words.take("all") {
            return Ok(self.servers.iter().copied().collect());
        }
        let mut servers = vec![self.server(words)?];
        while words.peek().is_some_and(|word| word.parse::<i64>().is_ok()) {
            servers.push(self.server(words)?);
        }
        Ok(servers)
    }

    fn all(&self) -> String {
        let names: Vec<String> = self.servers.iter().map(ToString::to_string).collect();
        names.join(" ")
    }

    /// `[plane] 1 2 | 3 4 5`, `[plane] 1 -> 2 3`, `client 1 2`; `rest` is every other server.
    fn links(&self, words: &mut Words<'_>) -> Result<Links, Mistake> {
        let plane = match words.peek() {
            Some("election") => Plane::Election,
            Some("quorum") => Plane::Quorum,
            Some("client") => Plane::Client,
            _ => Plane::Servers,
        };
        if plane != Plane::Servers {
            words.take_next();
        }
        if plane == Plane::Client {
            let servers = self.servers(words)?;
            let text = show(&servers);
            let pairs = servers.iter().map(|server| (*server, *server)).collect();
            return Ok(Links { plane, pairs, text });
        }
        let first = self.servers(words)?;
        if words.take("->") {
            let to = self.group(words, std::slice::from_ref(&first))?;
            let text = format!("{} -> {}", show(&first), show(&to));
            return Ok(Links { plane, pairs: directed(&first, &to), text });
        }
        if words.peek() != Some("|") {
            return Err(words.expected("`|` or `->` and other servers"));
        }
        let mut groups = vec![first];
        while words.take("|") {
            let group = self.group(words, &groups)?;
            groups.push(group);
        }
        Ok(Links::between(plane, &groups))
    }

    fn group(
        &self,
        words: &mut Words<'_>,
        before: &[Vec<ServerId>],
    ) -> Result<Vec<ServerId>, Mistake> {
        if words.peek() != Some("rest") {
            return self.servers(words);
        }
        let named: BTreeSet<ServerId> = before.iter().flatten().copied().collect();
        let rest: Vec<ServerId> = self.servers.difference(&named).copied().collect();
        if rest.is_empty() {
            return Err(words.expected("servers: none is left for `rest`"));
        }
        words.take_next();
        Ok(rest)
    }
}

fn ends(words: &Words<'_>) -> bool {
    matches!(words.peek(), None | Some(";"))
}

fn named<T: Copy>(words: &mut Words<'_>, what: &str, known: &[(&str, T)]) -> Result<T, Mistake> {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let Some(word) = words.peek() else {
        return Err(words.expected(&format!("a {what}: {}", names.join(", "))));
    };
    let Some((_, value)) = known.iter().find(|(name, _)| *name == word) else {
        return Err(Mistake::new(words.at(), unknown_word(what, word, &names)));
    };
    words.take_next();
    Ok(*value)
}

fn any_word(words: &mut Words<'_>, what: &str) -> Result<String, Mistake> {
    match words.peek() {
        Some(word) if word != ";" && word != "," => {
            words.take_next();
            Ok(word.to_owned())
        }
        _ => Err(words.expected(what)),
    }
}

fn a_path(words: &mut Words<'_>) -> Result<String, Mistake> {
    match words.peek() {
        Some(word) if word.starts_with('/') => any_word(words, "a path"),
        _ => Err(words.expected("a path that begins with `/`")),
    }
}

fn data(words: &mut Words<'_>) -> String {
    if ends(words) { String::new() } else { any_word(words, "data").unwrap_or_default() }
}

fn a_zxid(words: &mut Words<'_>) -> Result<Zxid, Mistake> {
    let value = words.peek().and_then(zxid);
    let value = value.ok_or_else(|| words.expected("a zxid such as `0x100000004`"))?;
    words.take_next();
    Ok(value)
}

fn an_epoch(words: &mut Words<'_>) -> Result<Epoch, Mistake> {
    let value = words.peek().and_then(|word| word.parse::<i64>().ok());
    let value = value.ok_or_else(|| words.expected("an epoch such as `1`"))?;
    words.take_next();
    Ok(Epoch(value))
}

#[cfg(test)]
#[path = "round_trip_test.rs"]
mod round_trip;
#[cfg(test)]
#[path = "timeline_test.rs"]
mod tests;
