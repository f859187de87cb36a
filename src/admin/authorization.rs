//! Who asks, where that matters.

use std::fmt;

use bytes::Bytes;

/// The header `Authorization: SCHEME PROOF`, with the schemes of a client's auth.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization {
    pub scheme: String,
    pub proof: Bytes,
}

/// Without the proof, which may be a password.
impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

impl Authorization {
    pub(super) fn parse(header: &str) -> Authorization {
        let (scheme, proof) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        Authorization { scheme: scheme.into(), proof: Bytes::copy_from_slice(proof.as_bytes()) }
    }
}
