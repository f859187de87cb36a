//! Charges what transactions make and delete to the quotas it lies below. (DataTree.updateQuotaStat)
//!
//! Not here: what the nodes of a quota say (`quota`).

use bytes::Bytes;

use super::DataTree;
use super::children::{Below, NodeId};
use super::quota::{LIMITS_SUFFIX, STATS_SUFFIX, StatsTrack, counted_by, limited_by};
use crate::base::paths;

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

    /// Each path that has a quota, its limits and its usage, as far as they can be read.
    pub fn quotas(&self) -> impl Iterator<Item = (&str, Option<StatsTrack>, Option<StatsTrack>)> {
        let parsed = |text: Option<Bytes>| text.and_then(|text| StatsTrack::parse(&text));
        self.quotas.0.iter().map(move |path| {
            (&**path, parsed(self.quota_limits(path)), parsed(self.quota_usage(path)))
        })
    }

    fn quota_data(&self, path: &str, suffix: &str) -> Option<Bytes> {
        let id = self.find(&format!("{}{path}{suffix}", paths::QUOTA))?;
        Some(self.arena[id].data_to_keep().unwrap_or_default())
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

    /// Writes what is in a subtree, which need not be there.
    fn count_usage(&mut self, path: &str) {
        let held = self.find(path).map_or(Below::default(), |id| self.arena[id].with_below());
        let mut usage = StatsTrack::default();
        usage.set_usage(held.nodes, held.bytes);
        self.write_usage(path, &usage);
    }

    fn write_usage(&mut self, quota: &str, usage: &StatsTrack) {
        let path = format!("{}{quota}{STATS_SUFFIX}", paths::QUOTA);
        let Some(id) = self.find(&path) else { return };
        let data = usage.to_string();
        self.change(id, &path, |node| node.set_data(Some(data.as_bytes())));
    }

    /// Finds all quotas of a tree just loaded, and counts what is in them. (DataTree.setupQuota)
    pub(super) fn set_up_quotas(&mut self) {
        let mut limited = Vec::new();
        let mut open: Vec<(NodeId, String)> = Vec::new();
        open.extend(self.find(paths::QUOTA).map(|id| (id, String::new())));
        while let Some((id, path)) = open.pop() {
            for (name, id) in self.arena.children(id) {
                if name == LIMITS_SUFFIX.trim_start_matches('/') && !path.is_empty() {
                    limited.push(path.clone());
                }
                open.push((id, paths::join(&path, name)));
            }
        }
        for path in limited {
            self.count_usage(&path);
            self.quotas.0.insert(path.into());
        }
    }
}
