//! Client connections: handshake, order of replies, reads, watches.   (NIOServerCnxn, FinalRequestProcessor)
//!
//!     service/            the order of everything: what comes in, and what goes back
//!     gate/               how much clients may take: admits, holds or refuses
//!     auth/               who a client is
//!     audit.rs            who changed what, as lines of the log
//!     handshake.rs        what is made of a client's first message
//!     local_sessions.rs   sessions that this server alone knows, and read-only service
//!     reads/              what is answered from the tree
//!     watches/            who watches what
//!     connection.rs       the state of one connection
//!     connection_stats.rs what it was answered, for an operator
//!     replies.rs          frames for clients
//!     driver.rs           moves bytes
//!
//! Only the service writes, closes and submits. The others are asked, and answer with values.
//!
//! - C-2   replies leave in the order of the requests; a read waits for earlier writes of its own
//!   session and for nobody else's.
//! - C-4   a watch event leaves before any reply that shows the change.
//!
//! Not here: writes (`prepare`, `zab` proposes), session expiry (`session`).

mod audit;
mod auth;
mod connection;
mod connection_stats;
pub mod driver;
mod gate;
mod handshake;
mod local_sessions;
mod reads;
mod replies;
mod service;
mod watches;

pub use auth::{Directives, Permit, Proof};
pub use connection_stats::{LastOp, SessionLine};
pub use service::{
    ConnectionFlow, ConnectionLine, Input, Output, Seeds, Service, ServiceStats, WaitingConnections,
};
pub use watches::Watching;
