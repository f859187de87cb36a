//! Why a tool cannot do what it was asked for.

use std::io;

use thiserror::Error;

use super::output::complain;
use crate::storage::StorageError;

const FAILED: i32 = 1;
const INVALID: i32 = 2;

#[derive(Debug, Error)]
pub(super) enum ToolError {
    /// The command is wrong, or a file that it names.
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Failed(String),
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Whoever reads standard output has seen enough.
    #[error("standard output is closed")]
    Closed,
}

impl ToolError {
    pub(super) fn exit_code(&self) -> i32 {
        match self {
            ToolError::Closed => 0,
            ToolError::Invalid(_) => INVALID,
            ToolError::Failed(_) | ToolError::Storage(_) => FAILED,
        }
    }

    pub(super) fn tell(&self) {
        if !matches!(self, ToolError::Closed) {
            complain(&format!("error: {self}"));
        }
    }
}

/// Of standard output: files have their own errors.
impl From<io::Error> for ToolError {
    fn from(error: io::Error) -> ToolError {
        match error.kind() {
            io::ErrorKind::BrokenPipe => ToolError::Closed,
            _ => ToolError::Failed(format!("standard output: {error}")),
        }
    }
}
