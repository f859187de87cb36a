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

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::DataTree;
use super::arena::NodeId;
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
const SEPARATORS: [char; 2] = [',', ';'];
const LIMITS_SUFFIX: &str = "/zookeeper_limits";
const STATS_SUFFIX: &str = "/zookeeper_stats";

impl StatsTrack {
    /// `key=number` pairs with commas or semicolons between them; what follows a second "=" is
    /// ignored, and an empty number is -1. `None` if it is anything else.
    pub fn parse(text: &[u8]) -> Option<StatsTrack> {
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

    fn set_usage(&mut self, count: i64, bytes: i64) {
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
pub(super) struct QuotaPaths(BTreeSet<Box<str>>);

impl QuotaPaths {
    /// The longest of them that this path is, or lies below.
    fn longest_prefix<'a>(&self, path: &'a str) -> Option<&'a str> {
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
fn limited_by(path: &str) -> Option<&str> {
    path.strip_prefix(paths::QUOTA)?.strip_suffix(LIMITS_SUFFIX).filter(|path| !path.is_empty())
}

/// Whose usage this node holds.
fn counted_by(path: &str) -> Option<&str> {
    path.strip_prefix(paths::QUOTA)?.strip_suffix(STATS_SUFFIX)
}

/// Whether this node's data is each server's own affair (QT-1).
pub(super) fn is_usage(path: &str) -> bool {
    counted_by(path).is_some()
}

impl DataTree {
    /// The path of the quota that a node of this path is charged to.
    pub fn quota_of<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.quotas.longest_prefix(path)
    }

    /// The data of the node with the limits of this path; `None` if there is no such node.
    pub fn quota_limits(&self, path: &str) -> Option<Bytes> {
        self.quota_data(path, LIMITS_SUFFIX)
    }

    /// The data of the node with the usage of this path; `None` if there is no such node.
    pub fn quota_usage(&self, path: &str) -> Option<Bytes> {
        self.quota_data(path, STATS_SUFFIX)
    }

    fn quota_data(&self, path: &str, suffix: &str) -> Option<Bytes> {
        let id = self.find(&format!("{}{path}{suffix}", paths::QUOTA))?;
        Some(self.arena[id].data.clone().unwrap_or_default())
    }

    /// A node was made, by a transaction.
    pub(super) fn charge_created(&mut self, path: &str, bytes: i64) {
        if let Some(limited) = limited_by(path) {
            self.quotas.0.insert(limited.into());
        }
        if let Some(counted) = counted_by(path) {
            self.count_usage(counted);
        }
        self.charge(path, bytes, 1);
    }

    pub(super) fn charge_deleted(&mut self, path: &str, bytes: i64) {
        if let Some(limited) = limited_by(path) {
            self.quotas.0.remove(limited);
        }
        self.charge(path, -bytes, -1);
    }

    pub(super) fn charge_changed(&mut self, path: &str, bytes_diff: i64) {
        self.charge(path, bytes_diff, 0);
    }

    /// A text that is no usage is left alone: Apache's servers end over it.
    fn charge(&mut self, path: &str, bytes_diff: i64, count_diff: i64) {
        let Some(quota) = self.quotas.longest_prefix(path) else { return };
        let Some(text) = self.quota_usage(quota) else {
            tracing::debug!(path, quota, "a quota has limits and no stats node");
            return;
        };
        let Some(mut usage) = StatsTrack::parse(&text) else { return };
        let count = usage.count().wrapping_add(count_diff);
        usage.set_usage(count, usage.bytes().wrapping_add(bytes_diff));
        self.write_usage(quota, &usage);
    }

    /// Counts a subtree, which need not be there, and writes the result.
    fn count_usage(&mut self, path: &str) {
        let (mut count, mut bytes) = (0, 0);
        let mut open: Vec<NodeId> = self.find(path).into_iter().collect();
        while let Some(id) = open.pop() {
            count += 1;
            bytes += self.data_len(id);
            open.extend(self.arena[id].children().map(|(_, id)| id));
        }
        let mut usage = StatsTrack::default();
        usage.set_usage(count, bytes);
        self.write_usage(path, &usage);
    }

    fn write_usage(&mut self, quota: &str, usage: &StatsTrack) {
        let path = format!("{}{quota}{STATS_SUFFIX}", paths::QUOTA);
        let Some(id) = self.find(&path) else { return };
        let data = Bytes::from(usage.to_string());
        self.change(id, &path, |node| node.data = Some(data));
    }

    /// Finds all quotas of a tree just loaded, and counts what is in them. (DataTree.setupQuota)
    pub(super) fn set_up_quotas(&mut self) {
        let mut limited = Vec::new();
        let mut open: Vec<(NodeId, String)> = Vec::new();
        open.extend(self.find(paths::QUOTA).map(|id| (id, String::new())));
        while let Some((id, path)) = open.pop() {
            let node = &self.arena[id];
            if node.child(LIMITS_SUFFIX.trim_start_matches('/')).is_some() && !path.is_empty() {
                limited.push(path.clone());
            }
            open.extend(node.children().map(|(name, id)| (id, paths::join(&path, name))));
        }
        for path in limited {
            self.count_usage(&path);
            self.quotas.0.insert(path.into());
        }
    }
}

#[cfg(test)]
#[path = "quota_test.rs"]
mod tests;
