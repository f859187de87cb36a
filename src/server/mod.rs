//! Client connections.

pub mod driver;
