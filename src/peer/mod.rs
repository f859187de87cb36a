//! One server: its role, and the pump that drives every core of it.     (QuorumPeer)
//!
//!     Loading  --disk is read-->    Looking, or Standalone without an ensemble
//!     Looking  --Decided-->         Leading | Following | Observing
//!     Leading, Following, Observing --gave up, lost--> Draining
//!     Draining --disk is quiet-->   Looking, or Loading if something was left half done
//!
//! | file           | what                                                                |
//! |----------------|---------------------------------------------------------------------|
//! | io.rs          | what goes into a server and what comes out                           |
//! | core.rs        | the state, and one `step` for every input (pure)                     |
//! | queue.rs       | what waits to be performed: the outputs of all cores, in order       |
//! | dispatch.rs    | the one loop that performs them                                      |
//! | requests.rs    | a client's request on its way: to the leader, applied, answered      |
//! | stored.rs      | what completions of the disk mean to the roles                       |
//! | role.rs        | the roles, and which follows which                                   |
//! | roles.rs       | `become_*`: what a change of role begins and ends                    |
//! | leading.rs     | what only a leader needs: prepare, sessions, reaper                  |
//! | leader_dials.rs| how a learner dials its leader                                       |
//! | early_learners.rs | the quorum port while this server looks, and who connects then     |
//! | leaving.rs     | how far a server is with the two that follow                         |
//! | handing_over.rs | a leader gives its leadership to a follower that has everything     |
//! | stopping.rs    | the end of a server in good order                                    |
//! | orders.rs      | what whoever runs a server tells it                                  |
//! | reread.rs      | another configuration for a server that runs                        |
//! | members.rs     | the version of the configuration, and the end over other members     |
//! | elections.rs   | the election and its connections                                     |
//! | reach.rs       | tells which servers our dials reach                                  |
//! | disk.rs        | what was asked of the disk, and which request an answer is for       |
//! | snapshots.rs   | snapshots that are asked for at the admin port; snapshot_state.rs            |
//! | snapshotter.rs | snapshots in slices, between two steps                               |
//! | reaper.rs      | chooses containers and TTL nodes that nobody uses                    |
//! | read_only.rs   | reads for clients while no leader is in sight; local sessions' ends  |
//! | words.rs       | the four-letter words: what they change, which of them wait          |
//! | word_state.rs  | what they need from one step to another                              |
//! | counting.rs    | what is counted of roles, log and transactions; slow syncs           |
//! | shown.rs       | what this server shows to them                                       |
//! | fingerprint.rs | which servers are in the same state, whatever happened before        |
//! | inbox.rs       | one order of inputs                                                  |
//! | pump.rs        | waits for the next input, hands outputs out                          |
//!
//! - S-19  at `look` nothing is on its way to the log any more: Draining waits for it
//!   (ZOOKEEPER-4712), then the tree takes in the whole log (ZOOKEEPER-2845).
//! - PE-1  a failed write or fsync ends the process; nothing is tried again.
//! - PE-2  a learner that failed twice in a row rests before it looks again, a tick at most.

mod core;
mod counting;
mod disk;
mod dispatch;
mod early_learners;
mod elections;
mod fingerprint;
mod handing_over;
mod inbox;
mod io;
mod leader_dials;
mod leading;
mod leaving;
mod members;
mod orders;
mod page;
mod page_state;
mod page_tree;
mod pump;
mod questions;
mod queue;
mod reach;
mod read_only;
mod reaper;
mod requests;
mod reread;
mod role;
mod roles;
mod shown;
mod snapshot_state;
mod snapshots;
mod snapshotter;
mod stopping;
mod stored;
mod word_state;
mod words;

pub use core::Peer;
pub use io::{Input, Output};
pub use pump::{StepObserver, run, run_observed, storage_options};
