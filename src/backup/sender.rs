//! Sends parts to a store that does not have them, and counts.

use std::collections::BTreeMap;

use super::error::BackupError;
use super::manifest::{PARTS, Part};
use super::progress::Progress;
use super::store::Store;

pub(super) struct Sender<'a> {
    store: &'a dyn Store,
    /// SHA-256 and length of what is there.
    present: BTreeMap<String, u64>,
    progress: Progress,
    pub(super) sent: Count,
    pub(super) found: Count,
}

/// Parts, and their bytes.
#[derive(Clone, Copy, Default, Debug, serde::Serialize)]
pub(super) struct Count {
    pub(super) parts: u64,
    pub(super) bytes: u64,
}

impl Count {
    fn add(&mut self, part: &Part) {
        self.parts += 1;
        self.bytes += part.bytes;
    }
}

impl<'a> Sender<'a> {
    pub(super) fn new(store: &'a dyn Store, progress: Progress) -> Result<Sender<'a>, BackupError> {
        let parts = store.list(PARTS)?;
        let present = parts.into_iter().map(|stored| (stored.name, stored.bytes)).collect();
        let (sent, found) = (Count::default(), Count::default());
        Ok(Sender { store, present, progress, sent, found })
    }

    pub(super) fn send(&mut self, part: &Part, content: Vec<u8>) -> Result<(), BackupError> {
        if self.present.get(&part.sha256) == Some(&part.bytes) {
            self.found.add(part);
        } else {
            self.store.put(&part.name(), content)?;
            self.present.insert(part.sha256.clone(), part.bytes);
            self.sent.add(part);
        }
        self.progress.show(|| {
            let megabytes = |bytes| bytes >> 20;
            format!(
                "{} MiB sent, {} MiB there already",
                megabytes(self.sent.bytes),
                megabytes(self.found.bytes)
            )
        });
        Ok(())
    }
}
