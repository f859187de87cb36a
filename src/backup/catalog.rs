//! The backups of a store.

use super::error::BackupError;
use super::manifest::{BACKUPS, Id, Manifest, id_of, place_of};
use super::store::Store;

/// A manifest as it lies in the store.
pub(super) struct Entry {
    pub(super) id: Id,
    /// Why it is none, otherwise.
    pub(super) manifest: Result<Manifest, String>,
}

/// The newest first.
pub(super) fn entries(store: &dyn Store) -> Result<Vec<Entry>, BackupError> {
    let mut ids: Vec<Id> =
        store.list(BACKUPS)?.iter().filter_map(|stored| id_of(&stored.name)).collect();
    ids.sort();
    ids.iter().rev().map(|id| read(store, id)).collect()
}

fn read(store: &dyn Store, id: &str) -> Result<Entry, BackupError> {
    let manifest = Manifest::decode(id, &store.get(&place_of(id))?);
    Ok(Entry { id: id.into(), manifest })
}

/// Those that are whole, or this one, which must be.
pub(super) fn whole(
    store: &dyn Store,
    id: Option<&str>,
) -> Result<Vec<(Id, Manifest)>, BackupError> {
    if let Some(id) = id {
        let manifest = read(store, id)?.manifest.map_err(|why| damaged(store, id, why))?;
        return Ok(vec![(id.into(), manifest)]);
    }
    let found = entries(store)?.into_iter();
    Ok(found.filter_map(|Entry { id, manifest }| Some((id, manifest.ok()?))).collect())
}

pub(super) fn damaged(store: &dyn Store, id: &str, why: String) -> BackupError {
    BackupError::Damaged { place: store.place(&place_of(id)), why }
}
