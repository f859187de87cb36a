//! Reads one line of a timeline. The grammar stands in `scenarios/README.md`.
//!
//! Not here: what faults look like (`fault`), servers, links, times and events (`grammar`).

use quorate::base::{RoleName, SyncMode};

use super::action::{Action, ClientAct, ClientState, Expectation, Line};
use crate::fault;
use crate::fault::Fault;
use crate::grammar::words::{ROLES, a_path, a_zxid, an_epoch, any_word, data, named};
use crate::grammar::{Mistake, Names, Words, unknown_word};

/// Words of actions that are no faults.
const OTHERS: [&str; 2] = ["client", "expect"];

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

    fn action(&self, words: &mut Words<'_>) -> Result<Action, Mistake> {
        let at = words.at();
        let Some(word) = words.peek() else {
            return Err(words.expected("an action such as `start 1`"));
        };
        words.take_next();
        if word == "client" {
            return self.client(words);
        }
        if word == "expect" {
            return Ok(Action::Expect(self.clauses(words)?));
        }
        match Fault::read(word, self, words) {
            Some(fault) => Ok(Action::Fault(fault?)),
            None => {
                let known = [fault::words(), OTHERS.to_vec()].concat();
                Err(Mistake::new(at, unknown_word("action", word, &known)))
            }
        }
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

    /// Reads what stands behind `expect`, to the end of the text.
    pub fn expectations(&self, text: &str) -> Result<Vec<Expectation>, Mistake> {
        let mut words = Words::of(text);
        let clauses = self.clauses(&mut words)?;
        match words.peek() {
            None => Ok(clauses),
            Some(_) => Err(words.expected("`,` and another expectation, or the end of the text")),
        }
    }

    fn clauses(&self, words: &mut Words<'_>) -> Result<Vec<Expectation>, Mistake> {
        let mut clauses = vec![self.clause(words)?];
        while words.take(",") {
            clauses.push(self.clause(words)?);
        }
        Ok(clauses)
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
}

#[cfg(test)]
#[path = "round_trip_test.rs"]
mod round_trip;
#[cfg(test)]
#[path = "timeline_test.rs"]
mod tests;
