//! Quorate: a ZooKeeper-compatible coordination service.
//!
//! Layers, lowest first. A module imports only from those above it in this list
//! (held by `tests/layers`).
//!
//! | module     | what it is                                                           |
//! |------------|----------------------------------------------------------------------|
//! | `base`     | zxid, epoch, server and session ids, clocks as values, notes, limits  |
//! | `jute`     | codec and records: client protocol, transactions, quorum, persistence |
//! | `metrics`  | what a server counts of itself                                        |
//! | `runtime`  | the whole outside world as a trait; `os` alone touches the machine    |
//! | `config`   | zoo.cfg and myid                                                      |
//! | `quorum`   | membership, verifiers, `AckSet`                                       |
//! | `storage`  | txn log, snapshots, epoch files, guard file, purge                    |
//! | `tree`     | znodes, ACLs, quotas, apply(txn)                                      |
//! | `session`  | expiry buckets, ids, passwords, touches                               |
//! | `database` | tree + sessions + committed log: what a server knows                  |
//! | `election` | fast leader election                                                  |
//! | `zab`      | leader and learner: discovery, synchronisation, broadcast             |
//! | `prepare`  | the leader checks a request and makes the transaction                |
//! | `server`   | client connections, and what they watch                               |
//! | `admin`    | four-letter words                                                     |
//! | `peer`     | LOOKING / FOLLOWING / LEADING / OBSERVING, standalone; the pump       |
//! | `otlp`     | spans of writes for OpenTelemetry: a feature of the build              |
//! | `bench`    | `quorate bench`, a load client: beside the server, no part of it      |
//! | `client`   | a client of any ZooKeeper server                                     |
//! | `shell`    | `quorate shell`: the commands of zkCli.sh                            |
//! | `toolkit`  | tools for a data directory: logs and snapshots, read as storage does  |
//! | `backup`   | `quorate backup` and `restore`: beside the server, no part of it      |
//! | `cli`      | the `quorate` command                                                 |

pub mod admin;
pub mod backup;
pub mod base;
pub mod bench;
pub mod cli;
pub mod client;
pub mod config;
pub mod database;
pub mod election;
pub mod jute;
pub mod metrics;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod peer;
pub mod prepare;
pub mod quorum;
pub mod runtime;
pub mod server;
pub mod session;
pub mod shell;
pub mod storage;
pub mod toolkit;
pub mod tree;
pub mod zab;
