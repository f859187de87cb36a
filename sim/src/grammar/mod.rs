//! The parts of a timeline's line that faults and everything else in it are made of.
//!
//! - `lexer.rs`    a line as words, each with its place; times and zxids
//! - `words.rs`    the words for messages, roles and files
//! - `names.rs`    servers, links and times, as far as a scenario knows them
//! - `links.rs`    which connections a fault of the network is about
//! - `when.rs`     a time, or an event to wait for
//! - `sizes.rs`    numbers of bytes, and rates
//! - `nearest.rs`  what to say of a word that is not known
//!
//! Not here: faults (`fault`), clients' operations and expectations (`scenario`).

pub mod lexer;
mod links;
mod names;
mod nearest;
pub mod sizes;
mod when;
pub mod words;

pub use lexer::{Mistake, Words, show_duration};
pub use links::{Links, List, Ports};
pub use names::Names;
pub use nearest::unknown_word;
pub use sizes::show_bytes;
pub use when::{Trigger, When};
