//! Client connections: handshake, order of replies, reads, watches.   (NIOServerCnxn, FinalRequestProcessor)
//!
//! `service.rs` decides, `connection.rs` is one connection's state, `reads.rs` answers from the
//! tree, `replies.rs` puts frames together; `driver.rs` moves bytes; `auth/` knows who a client is.
//!
//! - C-2   replies leave in the order of the requests; a read waits for earlier writes of its own
//!   session and for nobody else's.
//! - C-4   a watch event leaves before any reply that shows the change.
//!
//! Not here: writes (`pipeline` prepares, `zab` proposes), session expiry (`session`).

mod auth;
mod connection;
pub mod driver;
mod handshake;
mod reads;
mod replies;
mod service;
mod writes;

pub use service::{ConnectionLine, Input, Output, Service, ServiceStats};
