//! How a server writes its log: the keys `log.*` of zoo.cfg.
//!
//! Not here: what is logged (cli/logging.rs), the writing (os/log).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `log.format`: what a line of the log is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub enum LogFormat {
    /// `TIME LEVEL target: sentence field=value`
    #[default]
    Text,
    /// An object of JSON: `timestamp`, `level`, `target`, `fields` and `message`.
    Json,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogSettings {
    pub format: LogFormat,
    /// `log.maxSize`: a file of the log is not made longer than this many bytes; `None` is no bound.
    pub bytes_max: Option<u64>,
    /// `log.maxFiles`: so many full files are kept beside the one that is written.
    pub files_max: u32,
    /// `log.maxAge`: a file that is older is not written any more.
    pub age_max: Option<Duration>,
}

impl Default for LogSettings {
    /// The size is that of Apache's logback.xml (`zookeeper.log.maxfilesize`).
    fn default() -> LogSettings {
        LogSettings {
            format: LogFormat::Text,
            bytes_max: Some(256 << 20),
            files_max: 10,
            age_max: None,
        }
    }
}
