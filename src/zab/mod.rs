//! Zab: leader and learner.

pub mod driver;
