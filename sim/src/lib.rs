//! The laboratory: Quorate's election and Zab in a seeded simulator.
//!
//! | module      | what it is                                                             |
//! |-------------|------------------------------------------------------------------------|
//! | `draw`      | random numbers keyed by purpose                                        |
//! | `scenario`  | scenario files: grammar, cases, drawn faults                           |
//! | `checkers`  | the properties, each on ghost state fed by what servers say of themselves |
//! | `workload`  | simulated ZooKeeper clients and the history they see                   |
//! | `lab`       | one run, its verdict and trace hash; hunts over many seeds             |

pub mod checkers;
pub mod draw;
pub mod scenario;
pub mod workload;
