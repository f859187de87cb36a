//! What an operator may ask a running server.
//!
//! The four-letter words of the client port and the answers of the admin port are pure text made from
//! a [`ServerStats`], a copy of the server's numbers at one moment (ServerStats, Z/server/command,
//! Z/server/admin). Not here: recognising a word on a connection and closing it afterwards (`server`),
//! counting (`peer`).

mod answer;
mod commands;
#[cfg(test)]
mod commands_test;
mod health;
mod http;
mod metrics;
mod stats;
mod words;
#[cfg(test)]
mod words_test;

pub use answer::Answer;
pub use commands::{Command, Report, answer as answer_command};
pub use health::{Health, Stopping, live, ready, safe_to_stop};
pub use http::{AdminDriver, AdminEvent, Question, Site};
pub use metrics::metrics;
pub use stats::{ClientLine, LeaderStats, Mode, ServerStats, VERSION};
pub use words::answer;
