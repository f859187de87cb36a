//! Client connections: handshake, order of replies, reads, watches.   (NIOServerCnxn, FinalRequestProcessor)
//!
//! `service.rs` decides, `connection.rs` is one connection's state, `reads/` answers from the
//! tree, `watches/` is who watches what, `replies.rs` puts frames together; `auth/` knows who a client is; `local_sessions.rs` is
//! about sessions that this server alone knows, and read-only service; `limits.rs`, `throttle.rs`
//! and `blue_throttle.rs` bound what clients may take; `driver.rs` moves bytes.
//!
//! - C-2   replies leave in the order of the requests; a read waits for earlier writes of its own
//!   session and for nobody else's.
//! - C-4   a watch event leaves before any reply that shows the change.
//!
//! Not here: writes (`prepare`, `zab` proposes), session expiry (`session`).

mod auth;
#[cfg(test)]
mod bench;
mod blue_throttle;
mod connection;
pub mod driver;
mod handshake;
mod limits;
mod local_sessions;
mod reads;
mod replies;
mod service;
mod throttle;
mod watches;
mod writes;

pub use service::{ConnectionLine, Input, Output, Seeds, Service, ServiceStats};
