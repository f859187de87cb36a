//! Simulated ZooKeeper clients, what they see, and whether it was right.
//!
//! - `op.rs`       operations a client can ask for, their bytes, and what is drawn for a workload
//! - `client.rs`   one client: connects, keeps its session over reconnects, pings, asks, reads
//! - `history.rs`  every operation with its invocation and its reply
//! - `model.rs`    the reference tree: what a committed transaction does
//! - `judge.rs`    C-1, C-2, C-5: the history against the committed sequence
//!
//! Not here: watches (C-4), strong sync (C-3) and multi.

pub mod client;
pub mod history;
pub mod judge;
mod link;
pub mod model;
pub mod op;

pub use client::{Client, Script, Source};
pub use history::{History, Outcome, Record};
pub use op::Op;
