//! One run of one case: a world, servers, clients, the timeline, the checkers, a verdict.
//!
//! - `one_run.rs`        from the first start to the verdict, liveness included
//! - `options.rs`        how a case is run; its timeline under one seed
//! - `driver.rs`         the scenario driver: does to the world what a timeline says, when it says
//! - `initial_disks.rs`  what a scenario wants on the disks, as the files Apache would have written
//! - `recorder.rs`       everything servers and frames say, in one order; the trace and its hash
//! - `recording_builder.rs`  makes a `Recording` of it
//! - `steps.rs`          every step of every server, for whoever wants to drive one again
//! - `rebuild.rs`        what a server's disk would give back, recovered from a copy (`disk_copy.rs`)
//! - `committed.rs`      the committed transactions, read back from the disks
//! - `evidence.rs`       what the contract is checked with, kept for a test
//! - `verdict.rs`        what came out, in words, with the command that repeats it
//! - `signature.rs`      what makes two failures the same
//!
//! One run a process: many worlds in one process are neither repeatable nor free of leaks.

mod committed;
mod disk_copy;
mod driver;
mod evidence;
mod initial_disks;
mod one_run;
mod options;
mod rebuild;
mod recorder;
mod recording_builder;
pub mod signature;
mod steps;
mod verdict;

pub use evidence::OwnedEvidence;
pub use one_run::{run, run_recorded, run_with_evidence};
pub use options::{RunOptions, timeline};
pub use steps::{ServerSteps, Step, Steps};
pub use verdict::Verdict;
