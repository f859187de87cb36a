//! The laboratory: Quorate's election and Zab, unchanged, in a seeded world of simulated
//! networks, disks and clocks.
//!
//! | module      | what it is                                                                |
//! |-------------|---------------------------------------------------------------------------|
//! | `world`     | SimNet, SimDisk, SimClock and the lives of processes, on madsim's executor |
//! | `draw`      | random numbers for faults and clients, keyed by purpose                   |
//! | `scenario`  | scenario files: grammar, cases, drawn faults                              |
//! | `checkers`  | the properties, each on ghost state fed by what servers say of themselves |
//! | `workload`  | simulated ZooKeeper clients and the history they see                      |
//! | `lab`       | one run, its verdict and recording; hunts over many seeds; shrinking       |
//! | `cli`       | `quorate-sim run`, `hunt`, `replay`, `shrink`, `export`                   |

pub mod checkers;
pub mod cli;
pub mod draw;
pub mod lab;
pub mod scenario;
pub mod workload;
pub mod world;
