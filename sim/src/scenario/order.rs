//! Which lines of a timeline need an earlier one: a client connects once, and before it does anything
//! else; a disk is saved before it is restored.

use std::collections::BTreeSet;

use quorate::base::ServerId;

use super::action::{Action, ClientAct, Expectation};
use crate::fault::Fault;
use crate::fault::SavedDisk;

/// The client that the laboratory itself connects at the end.
const PROBE: &str = "probe";

/// What the lines so far have declared.
#[derive(Default)]
pub(super) struct Declared {
    clients: BTreeSet<String>,
    saved: BTreeSet<ServerId>,
}

/// A word of the line that is wrong, and why.
type Wrong = (String, String);

impl Declared {
    pub(super) fn check(&mut self, action: &Action) -> Result<(), Wrong> {
        match action {
            Action::Client { name, act: ClientAct::Connects(_) } => {
                let twice = || (String::new(), format!("client `{name}` connects twice"));
                let is_new = name != PROBE && self.clients.insert(name.clone());
                is_new.then_some(()).ok_or_else(twice)
            }
            Action::Client { name, .. } => self.knows(name),
            Action::Fault(Fault::SavedDisk(SavedDisk::Save(servers))) => {
                self.saved.extend(servers);
                Ok(())
            }
            Action::Fault(Fault::SavedDisk(SavedDisk::Restore(servers))) => {
                match servers.iter().find(|server| !self.saved.contains(server)) {
                    None => Ok(()),
                    Some(server) => {
                        let words = format!("no line above says `save-disk {server}`");
                        Err(("restore-disk".into(), words))
                    }
                }
            }
            Action::Fault(_) => Ok(()),
            Action::Expect(clauses) => clauses.iter().try_for_each(|clause| match clause {
                Expectation::Client { name, .. } => self.knows(name),
                _ => Ok(()),
            }),
        }
    }

    fn knows(&self, name: &str) -> Result<(), Wrong> {
        if name == PROBE || self.clients.contains(name) {
            return Ok(());
        }
        let words = format!("client `{name}` has not connected before this line");
        Err((name.to_owned(), words))
    }
}
