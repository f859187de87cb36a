//! What an operator may ask a running server.
//!
//! The four-letter words of the client port and the answers of the admin port are pure text made of
//! what a server shows of itself ([`Shown`]) at one moment (Z/server/command, Z/server/admin). Each
//! word and command asks for its own part, and no more of a server is gathered.
//!
//!     word.rs         which words there are, and which are answered
//!     shown.rs        what a server shows
//!     words.rs        which answer belongs to which word
//!     srvr.rs         `srvr`, and what `stat` has in common with it
//!     mntr.rs         the numbers of `mntr`
//!     connections.rs  the connections of `stat` and `cons`
//!     dumps.rs        what grows with the server: `dump`, `wchc`, `wchp`, `wchs`, `hash`
//!     conf.rs         `conf`, `dirs`, `envi`
//!     http.rs         the admin port and the metrics port
//!     question.rs     what is asked there
//!     snapshot.rs     the answers of command `snapshot`
//!     txn_log.rs      the answers of command `txnlog`
//!     commands.rs     the commands of the admin port, in JSON
//!     hand_over.rs    how a leadership is handed over
//!     health.rs       what probes ask
//!     page/           the page for an operator, and what it is told
//!     authorization.rs  who asks, where that matters
//!     metrics.rs      what is counted, in the formats of mntr, monitor and Prometheus
//!
//! Not here: recognising a word on a connection and closing it afterwards (`server`), counting, and
//! what `srst`, `crst` and `stmk` change (`peer`).

mod answer;
mod authorization;
mod commands;
#[cfg(test)]
mod commands_test;
mod conf;
mod connections;
mod dumps;
mod hand_over;
mod health;
mod http;
mod metrics;
mod mntr;
pub mod page;
mod question;
mod shown;
mod snapshot;
mod srvr;
mod stats;
mod txn_log;
mod word;
mod words;
#[cfg(test)]
mod words_test;

pub use answer::{Answer, LogStretch};
pub use commands::{Command, Membership, answer as answer_command};
pub use conf::{Conf, QuorumConf};
pub use dumps::{Dump, ExpiryBucket, SessionsDump, WatchSummary};
pub use hand_over::HandOver;
pub use health::{Health, Stopping, live, ready, safe_to_stop};
pub use http::{AdminDriver, AdminEvent};
pub use metrics::metrics;
pub use question::{Proof, Question, Site, SnapshotQuestion};
pub use shown::Shown;
pub use snapshot::{SnapshotFile, SnapshotRefusal, refuse_snapshot, snapshot_taken};
pub use stats::{
    ClientLine, LastOp, LeaderStats, Mode, ObserverLine, ServerStats, SessionLine, VERSION,
};
pub use txn_log::txn_log;
pub use word::{Word, admit, is_too_much};
pub use words::{TRACE_MASK, answer};
