//! The laboratory: Quorate's election and Zab, unchanged, in a seeded world of simulated
//! networks, disks and clocks.

pub mod world;
