//! Leader election.

pub mod driver;
