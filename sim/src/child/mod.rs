//! Runs in processes of their own.
//!
//! - `process.rs`  starts a process, and ends it if it takes too long
//! - `report.rs`   what a run reports to the program that started it

mod process;
mod report;

pub use process::{Limit, RUN_LIMIT};
pub(crate) use process::{NoEnd, run, used_by_children};
pub(crate) use report::SIMULATOR;
pub use report::{FirstFailure, RunFailure, RunReport};
