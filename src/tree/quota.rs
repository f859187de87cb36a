//! Quotas: which subtrees have one, and how much is in them. (StatsTrack, Quotas, PathTrie)
//!
//!     /zookeeper/quota PATH /zookeeper_limits     what the subtree of PATH may hold; clients write it
//!     /zookeeper/quota PATH /zookeeper_stats      what it holds; the server keeps it up to date
//!
//!     count=N,bytes=M=;byteHardLimit=X;countHardLimit=Y      -1 is no limit
//!
//! Usage counts the node of PATH itself. It changes with every transaction below PATH, but is
//! no part of any: each server rewrites the data of its own stats node (stat untouched), and counts
//! anew when it loads a snapshot. Servers may therefore disagree, as after a client has written
//! into the stats itself, or where one quota lies within another: of these the longest path alone is
//! charged, while counting anew takes in the inner subtree too.
//!
//! QT-1  rewriting a stats node changes neither digest
//!
//! Not here: what happens to a write beyond a limit (prepare/quota.rs).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::paths;

/// What a quota node says, limits or usage. Values that are not there are -1.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StatsTrack {
    values: BTreeMap<String, i64>,
}

const COUNT: &str = "count";
const BYTES: &str = "bytes";
const COUNT_HARD_LIMIT: &str = "countHardLimit";
const BYTE_HARD_LIMIT: &str = "byteHardLimit";
/// Several times what the text of a quota can have.
const TEXT_BYTES_MAX: usize = 512;
const SEPARATORS: [char; 2] = [',', ';'];
pub(super) const LIMITS_SUFFIX: &str = "/zookeeper_limits";
pub(super) const STATS_SUFFIX: &str = "/zookeeper_stats";

impl StatsTrack {
    /// `key=number` pairs with commas or semicolons between them; what follows a second "=" is
    /// ignored, and an empty number is -1. `None` if it is anything else, or longer than a quota is:
    /// every write below the path reads it.
    pub fn parse(text: &[u8]) -> Option<StatsTrack> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let text = String::from_utf8_lossy(text);
        if text.trim_end_matches(SEPARATORS).starts_with(SEPARATORS) {
            return None;
        }
        let mut values = BTreeMap::new();
        for pair in text.split(SEPARATORS).filter(|pair| !pair.is_empty()) {
            let mut fields = pair.trim_end_matches('=').split('=');
            let (key, number) = (fields.next()?, fields.next()?);
            let number = if number.is_empty() { -1 } else { number.parse().ok()? };
            values.insert(key.to_owned(), number);
        }
        Some(StatsTrack { values })
    }

    pub fn count(&self) -> i64 {
        self.value(COUNT)
    }

    pub fn bytes(&self) -> i64 {
        self.value(BYTES)
    }

    pub fn count_hard_limit(&self) -> i64 {
        self.value(COUNT_HARD_LIMIT)
    }

    pub fn byte_hard_limit(&self) -> i64 {
        self.value(BYTE_HARD_LIMIT)
    }

    fn value(&self, key: &str) -> i64 {
        self.values.get(key).copied().unwrap_or(-1)
    }

    /// `name`: as the text has it; -1 is no limit.
    pub fn set(&mut self, name: &str, value: i64) {
        self.values.insert(name.to_owned(), value);
    }

    pub(super) fn set_usage(&mut self, count: i64, bytes: i64) {
        self.values.insert(COUNT.to_owned(), count);
        self.values.insert(BYTES.to_owned(), bytes);
    }
}

impl fmt::Display for StatsTrack {
    /// Count and bytes first and a second "=" behind them, so that readers of before 3.7 stop there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{COUNT}={},{BYTES}={}", self.count(), self.bytes())?;
        let mut others = self.values.iter().filter(|(key, _)| *key != COUNT && *key != BYTES);
        if let Some((key, value)) = others.next() {
            write!(f, "=;{key}={value}")?;
        }
        others.try_for_each(|(key, value)| write!(f, ";{key}={value}"))
    }
}

/// The paths that have a quota.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct QuotaPaths(pub(super) BTreeSet<Box<str>>);

impl QuotaPaths {
    /// The longest of them that this path is, or lies below.
    pub(super) fn longest_prefix<'a>(&self, path: &'a str) -> Option<&'a str> {
        let mut prefix = path;
        while !self.0.is_empty() && !prefix.is_empty() {
            if self.0.contains(prefix) {
                return Some(prefix);
            }
            prefix = paths::parent(prefix)?;
        }
        None
    }
}

/// Whose limits this node holds. The root can have none.
pub(super) fn limited_by(path: &str) -> Option<&str> {
    path.strip_prefix(paths::QUOTA)?.strip_suffix(LIMITS_SUFFIX).filter(|path| !path.is_empty())
}

/// Whose usage this node holds.
pub(super) fn counted_by(path: &str) -> Option<&str> {
    path.strip_prefix(paths::QUOTA)?.strip_suffix(STATS_SUFFIX)
}

/// Whether this node's data is each server's own affair (QT-1).
pub(super) fn is_usage(path: &str) -> bool {
    counted_by(path).is_some()
}

#[cfg(test)]
#[path = "quota_test.rs"]
mod tests;
