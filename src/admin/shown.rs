//! What a server shows of itself, to words, commands and scrapes.

use super::conf::Conf;
use super::dumps::{Dump, WatchSummary};
use super::stats::{ObserverLine, ServerStats};
use crate::base::{SessionId, Zxid};
use crate::metrics::Family;
use crate::runtime::Environment;

/// A server at one moment: each word asks for its part.
pub trait Shown {
    /// False while LOOKING without readers, and until a learner is up to date or a leader established.
    fn is_serving(&self) -> bool;
    fn is_read_only(&self) -> bool;
    fn stats(&self) -> ServerStats;
    /// What is counted, and gauges with a key; what else `stats` has is not in it.
    fn families(&self) -> Vec<Family>;
    fn conf(&self) -> Conf;
    fn environment(&self) -> &Environment;
    fn trace_mask(&self) -> i64;
    fn dump(&self) -> Dump<'_>;
    /// Of the data watches, as in Apache: `exists`, `getData` and those of addWatch.
    fn watch_summary(&self) -> WatchSummary;
    /// The same watches by their sessions.
    fn watches_by_session(&self) -> Vec<(SessionId, Vec<&str>)>;
    /// And by their paths.
    fn watches_by_path(&self) -> Vec<(&str, Vec<SessionId>)>;
    /// The tree's digest behind each transaction of which it is kept, the oldest first.
    fn digests(&self) -> Vec<(Zxid, i64)>;
    /// The zxid of the last snapshot, and the second since 1970 in which it was written, if it was
    /// since the start.
    fn last_snapshot(&self) -> Option<(Zxid, Option<i64>)>;
    /// The observers that a leader has brought up to date.
    fn observers(&self) -> Vec<ObserverLine>;
}
