//! What every tool is given, and what it answers.

use super::error::ToolError;
use crate::runtime::os::MachineLane;

/// The disk of this machine.
pub(super) type Disk = MachineLane;

/// Whether all was sound.
pub(super) type Verdict = Result<bool, ToolError>;
