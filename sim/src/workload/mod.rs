//! Simulated ZooKeeper clients, what they see, and whether it was right.
//!
//! - `op.rs`          operations a client can ask for, and their bytes
//! - `plain.rs`       what is drawn for a workload of reads and writes alone
//! - `mix.rs`         what is drawn for a workload with a mix: everything
//! - `source.rs`      where operations come from: drawn, or told by a timeline
//! - `memory.rs`      what a client remembers when it chooses
//! - `registered.rs`  the watches a client believes to have
//! - `client.rs`      one client: connects, keeps its session over reconnects, pings, asks, reads
//! - `link.rs`        its connection: frames and timers in one order
//! - `values.rs`      how long values are, and the tree that is there first
//! - `history.rs`     every operation with its reply, every event, connection by connection
//! - `model.rs`       the reference tree: what a committed transaction does
//! - `contract`       the contract, C-1 to C-10: whether that history is right

pub mod client;
pub mod contract;
pub mod history;
mod link;
mod memory;
mod mix;
pub mod model;
pub mod op;
mod plain;
mod registered;
mod source;
pub mod values;

pub use client::Client;
pub use history::{History, Outcome, Record};
pub use op::Op;
pub use source::{Script, Source};
