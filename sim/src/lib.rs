//! The laboratory: Quorate's election and Zab, unchanged, in a seeded world of simulated
//! networks, disks and clocks.
//!
//! Layers, lowest first. A module imports only from those above it in this list (held by
//! `tests/layers`). From `replay` on, each is a command of `quorate-sim`.
//!
//! | module      | what it is                                                                 |
//! |-------------|----------------------------------------------------------------------------|
//! | `draw`      | random numbers, keyed by what they are for                                  |
//! | `world`     | SimNet, SimDisk, SimClock and the lives of processes, on madsim's executor  |
//! | `grammar`   | the parts of a timeline's line: words, servers, links, times, events       |
//! | `fault`     | what can be done to a world, and undone: a file for each fault             |
//! | `scenario`  | scenario files: timelines, cases, drawn faults                             |
//! | `checkers`  | the properties, each on ghost state fed by what servers say of themselves   |
//! | `workload`  | simulated ZooKeeper clients and the history they see                        |
//! | `recording` | a run as a file (`.qrec`): its format, and its events in words              |
//! | `run`       | one run: drives a scenario, records, judges                                 |
//! | `child`     | a run in a process of its own, and what it reports                          |
//! | `replay`    | a recorded run once more, and where it differs                              |
//! | `hunt`      | many seeds, failures by signature, as a report                              |
//! | `shrink`    | from a recorded failure to the smallest file that still fails so            |
//! | `export`    | a recorded run as a scenario file of the repository                         |
//! | `page`      | a recording as a page to look at (`timeline`)                               |
//! | `museum`    | every deliberate bug and what catches it                                    |
//! | `cli`       | the command line                                                            |

pub mod checkers;
pub mod child;
pub mod cli;
pub mod draw;
pub mod export;
pub mod fault;
pub mod grammar;
pub mod hunt;
pub mod museum;
pub mod page;
pub mod recording;
pub mod replay;
pub mod run;
pub mod scenario;
pub mod shrink;
pub mod workload;
pub mod world;
