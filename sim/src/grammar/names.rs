//! What a line names: servers, links between them, times.

use std::collections::BTreeSet;
use std::time::Duration;

use quorate::base::ServerId;

use super::lexer::{Mistake, Words, duration};
use super::links::{Links, Ports};

/// What names a line may use.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub servers: BTreeSet<ServerId>,
    /// `$name` and what it stands for in this case of the scenario.
    pub variable: Option<(String, Duration)>,
}

impl Names {
    /// `10s`, `$gap`, `10s + $gap`.
    pub fn time(&self, words: &mut Words<'_>, what: &str) -> Result<Duration, Mistake> {
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

    pub fn server(&self, words: &mut Words<'_>) -> Result<ServerId, Mistake> {
        let number = words.peek().and_then(|word| word.parse::<i64>().ok()).map(ServerId);
        match number {
            Some(server) if self.servers.contains(&server) => {
                words.take_next();
                Ok(server)
            }
            _ => Err(words.expected(&format!("a server of the ensemble ({})", self.all()))),
        }
    }

    pub fn servers(&self, words: &mut Words<'_>) -> Result<Vec<ServerId>, Mistake> {
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

    /// `[election|quorum] 1 2 | 3 4 5`, `[election|quorum] 1 -> 2 3`, `client 1 2`; `rest` is every
    /// server not named before.
    pub fn links(&self, words: &mut Words<'_>) -> Result<Links, Mistake> {
        if words.take("client") {
            return Ok(Links::Clients(self.servers(words)?));
        }
        let ports = match words.peek() {
            Some("election") => Ports::Election,
            Some("quorum") => Ports::Quorum,
            _ => Ports::Both,
        };
        if ports != Ports::Both {
            words.take_next();
        }
        let first = self.servers(words)?;
        if words.take("->") {
            let to = self.group(words, std::slice::from_ref(&first))?;
            return Ok(Links::OneWay { ports, from: first, to });
        }
        if words.peek() != Some("|") {
            return Err(words.expected("`|` or `->` and other servers"));
        }
        let mut groups = vec![first];
        while words.take("|") {
            let group = self.group(words, &groups)?;
            groups.push(group);
        }
        Ok(Links::Groups { ports, groups })
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
