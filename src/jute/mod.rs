//! ZooKeeper's serialisation and every record that crosses a wire or a disk.

pub mod client;
mod codec;
pub mod data;
pub mod quorum;
pub mod txn;

pub(crate) use codec::records;
pub use codec::{DecodeError, Jute, Reader};
