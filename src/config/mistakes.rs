//! Every mistake of a configuration, not the first one alone.
//!
//! The reading (`parse.rs`) ends at the first. It is done again without the line that is to blame, until
//! there is nothing left to blame. What only follows from such a line (a server that is not in the
//! list because its line was wrong) is not told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use twox_hash::XxHash3_64;

use super::error::{At, ConfigError};
use super::keys::{classify_key, is_foreign_property, nearest_key};
use super::loaded::{Beside, Loaded};
use super::properties::{Entry, read_properties};

/// What is wrong with a configuration. Prints as one line each.
#[derive(Clone, Debug)]
pub struct Mistakes {
    /// At least one.
    pub errors: Vec<ConfigError>,
    /// What the rest would mean, if it makes sense without the lines to blame. No server may start
    /// on it.
    pub rest: Option<Box<Loaded>>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.errors.iter().enumerate() {
            write!(f, "{}{error}", if n > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

impl From<ConfigError> for Mistakes {
    fn from(error: ConfigError) -> Mistakes {
        Mistakes { errors: vec![error], rest: None }
    }
}

/// The entries of all files, as far as they are not to blame.
#[derive(Default, Debug)]
pub(super) struct Sources {
    /// The name of zoo.cfg.
    pub(super) file: String,
    pub(super) entries: Vec<Entry>,
    pub(super) flags: Vec<Entry>,
    /// Name and entries of the file that `dynamicConfigFile` names.
    pub(super) dynamic: Option<(String, Vec<Entry>)>,
    errors: Vec<ConfigError>,
    /// Keys of entries that were taken away.
    blamed: BTreeSet<String>,
    /// Keys that were missing and got a value that may not fit. Once each: it has an end.
    supplied: BTreeSet<&'static str>,
}

impl Sources {
    pub(super) fn new(text: &str, file: &str, beside: Beside<'_>) -> Sources {
        let mut errors = Vec::new();
        let entries = read_good_lines(text, file, &mut errors);
        let dynamic = beside
            .dynamic
            .map(|(name, text)| (name.to_owned(), read_good_lines(text, name, &mut errors)));
        let flags = beside.flags.to_vec();
        Sources { file: file.into(), entries, flags, dynamic, errors, ..Sources::default() }
    }

    /// A number for the value that counts of each key.
    pub(super) fn settings(&self) -> BTreeMap<String, u64> {
        let dynamic = self.dynamic.iter().flat_map(|(_, entries)| entries);
        let all = self.flags.iter().chain(dynamic).chain(&self.entries);
        let numbered =
            |entry: &Entry| (entry.name().to_owned(), XxHash3_64::oneshot(entry.value.as_bytes()));
        all.map(numbered).collect()
    }

    /// The configuration that `read` makes of these sources, or what is wrong.
    pub(super) fn read_to_the_end(
        mut self,
        read: impl Fn(&Sources) -> Result<Loaded, ConfigError>,
    ) -> Result<Loaded, Mistakes> {
        let rest = loop {
            match read(&self) {
                Ok(loaded) => break Some(Box::new(loaded)),
                Err(error) => {
                    let is_told = !self.follows(&error);
                    let goes_on = self.go_on_without(&error);
                    if is_told {
                        self.errors.push(error);
                    }
                    if !goes_on {
                        break None;
                    }
                }
            }
        };
        let unknown_keys = self.unknown_keys();
        match rest {
            Some(mut loaded) if self.errors.is_empty() && !self.is_strict() => {
                loaded.unknown_keys = unknown_keys;
                return Ok(*loaded);
            }
            Some(loaded) if self.errors.is_empty() && unknown_keys.is_empty() => {
                return Ok(*loaded);
            }
            _ => self.errors.extend(unknown_keys),
        }
        let place = |error: &ConfigError| {
            let at = error.at().cloned();
            at.map_or((2, 0, 0), |at| (u8::from(at.file != self.file), at.line, at.column))
        };
        self.errors.sort_by_key(place);
        Err(Mistakes { errors: self.errors, rest })
    }

    /// Whether what nobody knows is a mistake.
    fn is_strict(&self) -> bool {
        let mut settings = self.flags.iter().chain(&self.entries);
        let last = settings.rfind(|entry| entry.name() == "config.strict");
        last.is_some_and(|entry| entry.value.eq_ignore_ascii_case("true"))
    }

    fn unknown_keys(&self) -> Vec<ConfigError> {
        let flags = self.flags.iter().filter(|flag| !is_foreign_property(&flag.key));
        let unknown = self.entries.iter().chain(flags).filter(|e| classify_key(&e.key).is_none());
        let error = |entry: &Entry| ConfigError::UnknownKey {
            at: entry.key_at.clone(),
            key: entry.key.clone(),
            nearest: nearest_key(&entry.key),
        };
        unknown.map(error).collect()
    }

    /// Whether an error is there only because of a line that was blamed before.
    fn follows(&self, error: &ConfigError) -> bool {
        match error {
            ConfigError::MissingKey { key, .. } => self.blamed.contains(*key),
            _ if error.at().is_some_and(|at| at.line == 0) => true,
            _ if error.is_of_membership() => {
                let families = ["server.", "group.", "weight.", "dynamicConfigFile"];
                self.blamed.iter().any(|key| families.iter().any(|f| key.starts_with(f)))
            }
            _ => false,
        }
    }

    /// Takes away what is to blame, or adds what is missing. Answers whether it could.
    fn go_on_without(&mut self, error: &ConfigError) -> bool {
        match error {
            ConfigError::MissingKey { key, .. } => {
                let nowhere = At { file: self.file.clone(), line: 0, column: 0 };
                if !self.supplied.insert(*key) {
                    return false;
                }
                self.entries.push(Entry {
                    key: (*key).into(),
                    value: "1".into(),
                    key_at: nowhere.clone(),
                    value_at: nowhere,
                });
                true
            }
            ConfigError::CommentBehindValue { at, .. } => match self.entry_at(at) {
                Some((entries, n)) => {
                    let kept = at.column.saturating_sub(entries[n].value_at.column);
                    let value: String = entries[n].value.chars().take(kept).collect();
                    entries[n].value = value.trim_end().into();
                    true
                }
                None => false,
            },
            ConfigError::Unreadable { file, .. } => self.blame_value(file),
            _ => match error.at() {
                Some(at) if !error.is_of_all_servers() => {
                    let Some((entries, n)) = self.entry_at(at) else {
                        return self.blame_value(&at.file);
                    };
                    let entry = entries.remove(n);
                    self.blamed.insert(entry.key);
                    true
                }
                _ => false,
            },
        }
    }

    /// The entry in which this place lies: the last one that begins at or before it.
    fn entry_at(&mut self, at: &At) -> Option<(&mut Vec<Entry>, usize)> {
        let dynamic = self.dynamic.as_mut().map(|(_, entries)| entries);
        let lists = [Some(&mut self.entries), Some(&mut self.flags), dynamic];
        lists.into_iter().flatten().find_map(|entries| {
            let begins_before = |entry: &Entry| {
                let begin = &entry.key_at;
                begin.file == at.file && (begin.line, begin.column) <= (at.line, at.column)
            };
            let place = |n: &usize| (entries[*n].key_at.line, entries[*n].key_at.column);
            let n = (0..entries.len()).filter(|n| begins_before(&entries[*n])).max_by_key(place)?;
            Some((entries, n))
        })
    }

    /// Takes away the entry that names this file.
    fn blame_value(&mut self, file: &str) -> bool {
        for entries in [&mut self.entries, &mut self.flags] {
            if let Some(n) = entries.iter().rposition(|entry| entry.value == file) {
                let entry = entries.remove(n);
                self.blamed.insert(entry.key);
                return true;
            }
        }
        false
    }
}

/// The entries of a text without the lines that are none.
fn read_good_lines(text: &str, file: &str, errors: &mut Vec<ConfigError>) -> Vec<Entry> {
    let mut lines: Vec<String> =
        text.replace("\r\n", "\n").split(['\n', '\r']).map(String::from).collect();
    loop {
        let error = match read_properties(&lines.join("\n"), file) {
            Ok(entries) => return entries,
            Err(error) => error,
        };
        let bad = error.at().and_then(|at| lines.get_mut(at.line - 1));
        let Some(bad) = bad.filter(|line| !line.is_empty()) else {
            errors.push(error);
            return Vec::new();
        };
        bad.clear();
        errors.push(error);
    }
}
