//! Whether a write would go beyond a quota. (ZooKeeperServer.checkQuota)
//!
//! Compared are the limits and the usage as the tree holds them, without what is on the way: a burst
//! of writes may pass a limit together. Where a hard limit is given the soft one means nothing.
//!
//!     soft limit exceeded    a warning in the log, and the write goes on
//!     hard limit exceeded    the same, and QUOTAEXCEEDED if quotas are enforced (enforceQuota)
//!
//! Apache 3.9 does not even warn where quotas are not enforced; its documentation says it does.
//!
//! Not here: the text of quota nodes, and how usage is counted (tree/quota.rs).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Mono, paths};
use crate::jute::client::code;
use crate::metrics::{CounterSet, Metrics};
use crate::tree::{DataTree, StatsTrack};

/// A warning is given once, and not again within this time unless it says something else.
const WARN_INTERVAL: Duration = Duration::from_millis(100);

/// Looks at writes before they become transactions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct QuotaCheck {
    enforce: bool,
    warned: Option<(Mono, String)>,
    #[serde(skip)]
    pub(super) metrics: Metrics,
}

/// One of the two quantities: its limits, and what it would come to.
struct Quantity {
    name: &'static str,
    wanted: i64,
    soft: i64,
    hard: i64,
}

impl QuotaCheck {
    pub(super) fn new(enforce: bool) -> QuotaCheck {
        QuotaCheck { enforce, warned: None, metrics: Metrics::default() }
    }

    /// Whether a node of this path may change by so much. `Err`: QUOTAEXCEEDED, or
    /// MARSHALLINGERROR where a quota node holds no quota.
    pub(super) fn check(
        &mut self,
        tree: &DataTree,
        path: &str,
        bytes_diff: i64,
        count_diff: i64,
        now: Mono,
    ) -> Result<(), i32> {
        let Some(quota) = tree.quota_of(path) else { return Ok(()) };
        let (Some(limits), Some(usage)) = (tree.quota_limits(quota), tree.quota_usage(quota))
        else {
            return Ok(());
        };
        match check(&limits, &usage, bytes_diff, count_diff) {
            Some(Ok(())) => Ok(()),
            Some(Err(exceeded)) => {
                let is_hard = exceeded.hard > -1;
                self.warn(quota, &exceeded, now);
                if !is_hard || !self.enforce {
                    return Ok(());
                }
                let set = CounterSet::QuotaExceededErrorPerNamespace;
                self.metrics.count_under(set, paths::namespace(path).unwrap_or_default());
                Err(code::QUOTA_EXCEEDED)
            }
            None if self.enforce => Err(code::MARSHALLING_ERROR),
            None => Ok(()),
        }
    }

    fn warn(&mut self, quota: &str, exceeded: &Quantity, now: Mono) {
        let Quantity { name, wanted, soft, hard } = exceeded;
        let (kind, limit) = if *hard > -1 { ("hard", hard) } else { ("soft", soft) };
        let text = format!("{quota}: {wanted} {name} wanted, {kind} limit {limit}");
        let told = self
            .warned
            .as_ref()
            .is_some_and(|(at, before)| *before == text && now.since(*at) < WARN_INTERVAL);
        if !told {
            tracing::warn!("Quota exceeded: {text}");
            self.warned = Some((now, text));
        }
    }
}

/// The first quantity beyond its limit, one that is refused before one that is only warned of;
/// `None` if a text is no quota.
fn check(
    limits: &[u8],
    usage: &[u8],
    bytes_diff: i64,
    count_diff: i64,
) -> Option<Result<(), Quantity>> {
    let (limits, usage) = (StatsTrack::parse(limits)?, StatsTrack::parse(usage)?);
    let quantities = [
        (
            count_diff,
            Quantity {
                name: "nodes",
                wanted: usage.count().wrapping_add(count_diff),
                soft: limits.count(),
                hard: limits.count_hard_limit(),
            },
        ),
        (
            bytes_diff,
            Quantity {
                name: "bytes",
                wanted: usage.bytes().wrapping_add(bytes_diff),
                soft: limits.bytes(),
                hard: limits.byte_hard_limit(),
            },
        ),
    ];
    let exceeded = quantities.into_iter().filter(|(diff, quantity)| {
        let limit = if quantity.hard > -1 { quantity.hard } else { quantity.soft };
        *diff != 0 && limit > -1 && quantity.wanted > limit
    });
    let first = exceeded.map(|(_, quantity)| quantity).max_by_key(|quantity| quantity.hard > -1);
    Some(first.map_or(Ok(()), Err))
}

#[cfg(test)]
#[path = "quota_test.rs"]
mod tests;
