//! Ensembles of real processes on real sockets, as their clients see them.
//!
//! The simulator searches for what can go wrong in the protocol; here is what it cannot see: the
//! program, the kernel's sockets, files and SIGKILL.

#[path = "../ensemble/mod.rs"]
mod ensemble;

mod addresses;
mod admin;
mod audits;
mod backups;
mod beginnings;
mod descriptors;
mod environment;
mod histories;
mod leader_kills;
mod limits;
mod local_sessions;
mod logs;
mod manager;
mod members;
mod monitoring;
mod observers;
#[cfg(feature = "otlp")]
mod otlp;
mod page;
mod promql;
mod read_only;
mod recovery;
mod replication;
mod rereads;
mod sessions;
mod snapshots;
mod standalone;
mod stops;
mod threads;
mod watches;
mod words;
mod writes;
