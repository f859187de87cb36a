//! The answers to the words. (Z/server/command)
//!
//! Probes, `zkServer.sh status` and dashboards parse these texts line by line, so their shapes are
//! Apache's to the byte. The connection is closed behind each answer.

use super::conf::{conf, dirs, envi};
use super::connections::{cons, stat};
use super::dumps::{dump, hash, wchc, wchp, wchs};
use super::mntr::mntr;
use super::shown::Shown;
use super::srvr::srvr;
use super::word::Word;

/// The trace mask of a server that was told none: requests, packets of servers, sessions, warnings.
/// (ZooTrace)
pub const TRACE_MASK: i64 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8;

pub(super) const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

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
        Word::Mntr => mntr(server),
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
