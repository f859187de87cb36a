//! From a request to a transaction, and from a committed transaction to a reply.
pub mod prepare;
