//! What a server shows of itself, and the answers to the words. (Z/server/command)
//!
//! Probes, `zkServer.sh status` and dashboards parse these texts line by line, so their shapes are
//! Apache's to the byte. The connection is closed behind each answer.

use super::conf::{Conf, conf, dirs, envi};
use super::connections::{cons, stat};
use super::dumps::{Dump, WatchSummary, dump, hash, wchc, wchp, wchs};
use super::mntr::mntr;
use super::srvr::srvr;
use super::stats::ServerStats;
use super::word::Word;
use crate::base::{SessionId, Zxid};
use crate::runtime::Environment;

/// The trace mask of a server that was told none: requests, packets of servers, sessions, warnings.
/// (ZooTrace)
pub const TRACE_MASK: i64 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8;

pub(super) const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// A server at one moment: each word asks for its part.
pub trait Shown {
    /// False while LOOKING without readers, and until a learner is up to date or a leader established.
    fn is_serving(&self) -> bool;
    fn is_read_only(&self) -> bool;
    fn stats(&self) -> ServerStats;
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
}

/// The answer to a word that was admitted. What it changes was changed before.
pub fn answer(word: Word, server: &impl Shown) -> String {
    match word {
        Word::Ruok => return "imok".into(),
        Word::Envi => return envi(server.environment()),
        Word::Gtmk | Word::Stmk => return server.trace_mask().to_string(),
        Word::Isro if !server.is_serving() => return "null".into(),
        // Apache ends this line nowhere.
        Word::Hash if !server.is_serving() => return NOT_SERVING.into(),
        _ if !server.is_serving() => return format!("{NOT_SERVING}\n"),
        _ => {}
    }
    match word {
        Word::Isro if server.is_read_only() => "ro".into(),
        Word::Isro => "rw".into(),
        Word::Srvr => srvr(&server.stats()),
        Word::Stat => stat(&server.stats()),
        Word::Cons => cons(&server.stats()),
        Word::Mntr => mntr(&server.stats()),
        Word::Crst => "Connection stats reset.\n".into(),
        Word::Srst => "Server stats reset.\n".into(),
        Word::Conf => conf(&server.conf()),
        Word::Dirs => dirs(&server.conf()),
        Word::Dump => dump(&server.dump()),
        Word::Wchs => wchs(server.watch_summary()),
        Word::Wchc => wchc(&server.watches_by_session()),
        Word::Wchp => wchp(&server.watches_by_path()),
        Word::Hash => hash(&server.digests()),
        Word::Ruok | Word::Envi | Word::Gtmk | Word::Stmk => unreachable!("answered above"),
        Word::Hand => unreachable!("answered when it is known how it ends"),
    }
}
