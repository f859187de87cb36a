//! One server: its role, and the pump that drives every core of it.     (QuorumPeer)
//!
//!     Loading -> Settling -> Looking --Decided--> Leading | Following | Observing
//!                   ^                                        |
//!                   '-------------- gave up, lost -----------'
//!     Loading -> Standalone
//!
//! | file           | what                                                                |
//! |----------------|---------------------------------------------------------------------|
//! | core.rs        | the state, and one `step` for every input (pure)                     |
//! | roles.rs       | `become_*`: what a change of role begins and ends                    |
//! | route.rs       | carries the outputs of one core to the next                          |
//! | reach.rs       | tells which servers our dials reach                                  |
//! | requests.rs    | a client's write on its way: prepare, propose, apply                 |
//! | reaper.rs      | deletes containers and TTL nodes that nobody uses                    |
//! | stored.rs      | completions of the disk                                              |
//! | read_only.rs   | reads for clients while no leader is in sight; local sessions' ends  |
//! | snapshotter.rs | snapshots in slices, between two steps                               |
//! | words.rs       | the numbers behind the four-letter words                             |
//! | inbox.rs       | one order of inputs                                                  |
//! | pump.rs        | waits for the next input, hands outputs out                          |
//!
//! - S-19  at `look` nothing is on its way to the log any more: Settling waits for it
//!   (ZOOKEEPER-4712), then the tree takes in the whole log (ZOOKEEPER-2845).
//! - PE-1  a failed write or fsync ends the process; nothing is tried again.
//! - PE-2  a learner that failed twice in a row rests before it looks again, a tick at most.

mod core;
mod inbox;
mod pump;
mod reach;
mod read_only;
mod reaper;
mod requests;
mod roles;
mod route;
mod snapshotter;
mod stored;
mod words;

pub use core::{Input, Output, Peer};
pub use pump::{run, storage_options};
