//! Where spans of writes are sent, and of how many writes.

use serde::{Deserialize, Serialize};

use crate::runtime::HostPort;

/// A collector of OpenTelemetry, and what it gets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OtlpConfig {
    pub collector: HostPort,
    /// Of its URL.
    pub path: String,
    /// One write in so many is shown.
    pub writes_per_trace: u64,
}
