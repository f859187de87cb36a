//! Scenario files: what a run is, written so that somebody who writes no Rust can read it.
//!
//! | file          | what it is                                                              |
//! |---------------|-------------------------------------------------------------------------|
//! | `error.rs`    | what is wrong with a file: line, column, what was expected              |
//! | `frame.rs`    | the file as TOML: names and types, before any meaning                   |
//! | `reader.rs`   | its values, one by one                                                  |
//! | `action.rs`   | what a timeline can say, as values                                      |
//! | `timeline.rs` | reads one line of a timeline                                            |
//! | `order.rs`    | what a line needs above it                                              |
//! | `cases.rs`    | the runs that one file stands for: start orders, sides of a boundary    |
//! | `ensemble.rs` | `[ensemble]`: who there is, what their disks hold                       |
//! | `mix.rs`      | `[workload.mix]`: what clients ask for                                  |
//! | `workload.rs` | `[workload]`: clients that work by themselves                           |
//! | `chaos.rs`    | `[chaos]`: draws faults from a seed, as further lines                   |
//! | `swarm`       | `[swarm]`: draws who there is, limits and clients                       |
//! | `compile.rs`  | all of it, to a [`Scenario`]                                            |
//! | `draft.rs`    | one run of a scenario as a file of its own                              |
//!
//! A file imports only from those above it. Everything that is wrong with a scenario is a
//! [`FileError`] with line and column.
//!
//! Not here: doing it (`run`), judging it (`checkers`). The grammar: `scenarios/README.md`.

pub mod action;
mod cases;
mod chaos;
mod compile;
pub mod draft;
mod ensemble;
mod error;
mod frame;
pub mod mix;
mod order;
mod reader;
pub mod swarm;
mod timeline;
mod workload;

pub use action::{Action, ClientAct, ClientState, Expectation, Line};
pub use cases::Case;
pub use compile::Scenario;
pub use ensemble::{DiskContent, DiskSessions, Ensemble};
pub use error::{FileError, Source};
pub use workload::Workload;
