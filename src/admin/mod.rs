//! What an operator may ask a running server.
//!
//! The four-letter words of the client port are pure text made from a [`ServerStats`], a copy of
//! the server's numbers at one moment (ServerStats, Z/server/command). Not here: recognising a word
//! on a connection and closing it afterwards (`server`), counting (`peer`).

mod stats;
mod words;
#[cfg(test)]
mod words_test;

pub use stats::{ClientLine, LeaderStats, Mode, ServerStats, VERSION};
pub use words::answer;
