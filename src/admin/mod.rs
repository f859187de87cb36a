//! What an operator may ask a running server.
//!
//! The four-letter words of the client port are pure text made of what a server shows of itself
//! ([`Shown`]) at one moment (Z/server/command). Each word asks for its own part, and no more of a
//! server is gathered.
//!
//!     word.rs         which words there are, and which are answered
//!     words.rs        what a server shows, and which answer belongs to which word
//!     srvr.rs         `srvr`, and what `stat` has in common with it
//!     mntr.rs         the numbers of `mntr`
//!     connections.rs  the connections of `stat` and `cons`
//!     dumps.rs        what grows with the server: `dump`, `wchc`, `wchp`, `wchs`, `hash`
//!     conf.rs         `conf`, `dirs`, `envi`
//!     java_date.rs    dates as Java prints them
//!
//! Not here: recognising a word on a connection and closing it afterwards (`server`), counting, and
//! what `srst`, `crst` and `stmk` change (`peer`).

mod conf;
mod connections;
mod dumps;
mod java_date;
mod mntr;
mod srvr;
mod stats;
mod word;
mod words;
#[cfg(test)]
mod words_test;

pub use conf::{Conf, QuorumConf};
pub use dumps::{Dump, ExpiryBucket, SessionsDump, WatchSummary};
pub use stats::{ClientLine, LastOp, LeaderStats, Mode, ServerStats, SessionLine, VERSION};
pub use word::{Word, admit, is_too_much};
pub use words::{Shown, TRACE_MASK, answer};
