//! ZooKeeper's serialisation and every record that crosses a wire or a disk.

pub mod client;
mod codec;
pub mod data;
mod nodes;
pub mod persist;
pub mod quorum;
#[cfg(test)]
mod records_test;
mod text;
pub mod txn;

pub use codec::{DecodeError, Jute, Reader, encode_buffer, encode_text, encode_utf8, text_bytes};
