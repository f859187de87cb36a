//! One run of one case: a world, servers, clients, the timeline, the checkers, a verdict.
//!
//! - `disk.rs`      what a scenario wants on the disks, as the files Apache would have written
//! - `disk_deeds.rs` what a timeline does to them
//! - `recorder.rs`  everything servers and frames say, in one order; the trace and its hash
//! - `stage.rs`     actions and triggers of a timeline, done to the world
//! - `run.rs`       from the first start to the verdict, liveness included
//! - `kept.rs`      what the client contract is judged by, for another judge
//! - `rebuild.rs`   what a server's disk would give back, recovered beside the run (`shelf.rs`)
//! - `verdict.rs`   what came out, in words, with the command that repeats it
//! - `hunt/`        many seeds, a process each, failures by fingerprint, as a report
//! - `museum.rs`    every exhibit and what catches it, as a table
//! - `child.rs`     another process, and an end to one that comes to none
//! - `recording.rs` a run as a file (`.qrec`): its format; `tape.rs` and `notes.rs` fill
//!   it, `show.rs` puts it into words
//! - `replay.rs`    where a run differs from its recording
//! - `timeline/`    a recording as a page to look at
//! - `export.rs`    a recorded run as a scenario file of the repository
//! - `shrink.rs`    from a recorded failure to the smallest file that still fails so
//!
//! One run a process: many worlds in one process are neither repeatable nor free of leaks.

pub mod child;
mod disk;
mod disk_deeds;
pub mod export;
pub mod fingerprint;
pub mod hunt;
mod kept;
pub mod museum;
mod notes;
mod rebuild;
mod recorder;
pub mod recording;
pub mod replay;
mod run;
mod sequence;
mod shelf;
mod show;
pub mod shrink;
mod stage;
mod tape;
pub mod timeline;
mod verdict;

pub use kept::Kept;
pub use run::{RunOptions, run, run_kept, run_recorded, timeline};
pub use verdict::Verdict;
