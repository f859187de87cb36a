//! Why a snapshot cannot be taken for the state of a server.

use thiserror::Error;

use crate::jute::DecodeError;
use crate::tree::LoadError;

/// A snapshot that is no tree.
#[derive(Debug, Error)]
pub enum InstallError {
    #[error("the snapshot does not decode: {0}")]
    Decode(#[from] DecodeError),
    #[error("the snapshot is no tree: {0}")]
    Tree(#[from] LoadError),
    #[error("the snapshot stream ends with {0:?} instead of its signature")]
    Signature(String),
}
