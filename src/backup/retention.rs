//! Old backups go, and what only they need.
//!
//! Manifests go first: what a crash leaves behind then is parts that nobody needs, which go the next time.
//!
//! - BK-3 no part goes that a manifest in the store names.

use std::collections::BTreeSet;

use super::catalog::{Entry, damaged, entries};
use super::error::BackupError;
use super::manifest::{PARTS, place_of};
use super::store::Store;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, serde::Serialize)]
pub(super) struct Removed {
    pub(super) backups: usize,
    pub(super) parts: usize,
}

/// Keeps the newest `keep` backups. Removes nothing if a manifest cannot be read: what it needs is not
/// known.
pub(super) fn keep_newest(store: &dyn Store, keep: usize) -> Result<Removed, BackupError> {
    let mut needed = BTreeSet::new();
    let mut old = Vec::new();
    for (n, Entry { id, manifest }) in entries(store)?.into_iter().enumerate() {
        let manifest = manifest.map_err(|why| {
            let why = format!(
                "{why}. Nothing is removed, since it is not known what it needs: remove \
                               this file, and the next backup removes the rest"
            );
            damaged(store, &id, why)
        })?;
        match n < keep {
            true => needed.extend(manifest.parts().into_iter().map(|part| part.sha256)),
            false => old.push(id),
        }
    }
    for id in &old {
        store.delete(&place_of(id))?;
    }
    store.settle()?;
    let mut removed = Removed { backups: old.len(), parts: 0 };
    for stored in store.list(PARTS)? {
        if !needed.contains(&stored.name) {
            store.delete(&format!("{PARTS}/{}", stored.name))?;
            removed.parts += 1;
        }
    }
    Ok(removed)
}
