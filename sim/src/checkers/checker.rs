//! The trait of a checker, and the list in which checkers put the violations that they find.

use std::fmt;

use quorate::base::{Note, ServerId, Stamp};

use super::fact::{Event, Fact};
use super::ghost::Ghost;

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub id: String,
    pub words: String,
    pub at: Stamp,
    pub servers: Vec<ServerId>,
    /// The line of the scenario that is not met; `None` if no line says that this must hold.
    pub line: Option<usize>,
}

impl Violation {
    /// The words behind the line that they are about.
    pub fn sentence(&self) -> String {
        sentence(self.line, &self.words)
    }
}

/// What a violation says, behind the line of the scenario that it is about.
pub fn sentence(line: Option<usize>, words: &str) -> String {
    line.map_or_else(|| words.to_owned(), |line| format!("line {line} {words}"))
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (at {}", self.id, self.sentence(), self.at)?;
        for (n, server) in self.servers.iter().enumerate() {
            write!(f, "{}{server}", if n == 0 { ", server " } else { " and " })?;
        }
        f.write_str(")")
    }
}

/// Where checkers put what they find.
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<Violation>,
}

/// Violations kept of one run; later ones follow from the first.
const FINDINGS_MAX: usize = 50;

impl Findings {
    pub fn add(&mut self, id: &str, fact: &Fact, others: &[ServerId], words: String) {
        let mut servers = vec![fact.server];
        servers.extend(others.iter().filter(|other| **other != fact.server));
        self.push(Violation { id: id.to_owned(), words, at: fact.at, servers, line: None });
    }

    pub(super) fn found(&self) -> &[Violation] {
        &self.found
    }

    pub fn push(&mut self, violation: Violation) {
        if self.found.len() < FINDINGS_MAX {
            self.found.push(violation);
        }
    }
}

/// One property.
pub trait Checker {
    /// The ghost state does not yet know the fact.
    fn before(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let _ = (ghost, fact, out);
    }

    /// The ghost state knows the fact.
    fn after(&mut self, ghost: &Ghost, fact: &Fact, out: &mut Findings) {
        let _ = (ghost, fact, out);
    }
}

/// The note of a fact, if it is one.
pub(super) fn note(fact: &Fact) -> Option<&Note> {
    match &fact.event {
        Event::Note(note) => Some(note),
        _ => None,
    }
}
