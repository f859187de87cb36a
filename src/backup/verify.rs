//! Holds every byte of a store against its checksum, and the records of logs against the manifests.

use std::collections::BTreeMap;

use super::catalog::{Entry, entries};
use super::error::BackupError;
use super::manifest::{Chunk, Id, Manifest, Part, checked, place_of};
use super::progress::Progress;
use super::records::each_in_part;
use super::store::Store;
use crate::base::Zxid;

/// What was found.
#[derive(Default)]
pub(super) struct Findings {
    /// Those that can be restored.
    pub(super) whole: Vec<Id>,
    pub(super) parts: usize,
    pub(super) bytes: u64,
    pub(super) problems: Vec<String>,
}

/// Of all backups, or of this one.
pub(super) fn verify(store: &dyn Store, only: Option<&str>) -> Result<Findings, BackupError> {
    let mut verifying =
        Verifying { store, verdicts: BTreeMap::new(), progress: Progress::new(), bytes: 0 };
    let mut findings = Findings::default();
    let entries: Vec<Entry> =
        entries(store)?.into_iter().filter(|entry| only.is_none_or(|id| id == entry.id)).collect();
    if let Some(id) = only.filter(|_| entries.is_empty()) {
        return Err(BackupError::Missing { place: store.place(&place_of(id)) });
    }
    for Entry { id, manifest } in entries {
        let problems = match manifest {
            Ok(manifest) => verifying.problems_of(&manifest)?,
            Err(why) => vec![format!("{} is damaged: {why}", store.place(&place_of(&id)))],
        };
        if problems.is_empty() {
            findings.whole.push(id);
        }
        for problem in problems {
            if !findings.problems.contains(&problem) {
                findings.problems.push(problem);
            }
        }
    }
    findings.parts = verifying.verdicts.len();
    findings.bytes = verifying.bytes;
    Ok(findings)
}

struct Verifying<'a> {
    store: &'a dyn Store,
    /// Of each part that was read: what is wrong with it.
    verdicts: BTreeMap<Part, Option<String>>,
    progress: Progress,
    bytes: u64,
}

impl Verifying<'_> {
    fn problems_of(&mut self, manifest: &Manifest) -> Result<Vec<String>, BackupError> {
        let mut problems = Vec::new();
        for part in manifest.snapshots.iter().flat_map(|file| &file.parts) {
            problems.extend(self.verdict(part, None)?);
        }
        for chunk in &manifest.log {
            problems.extend(self.verdict(&chunk.part(), Some(chunk))?);
        }
        Ok(problems)
    }

    fn verdict(
        &mut self,
        part: &Part,
        chunk: Option<&Chunk>,
    ) -> Result<Option<String>, BackupError> {
        if let Some(verdict) = self.verdicts.get(part) {
            return Ok(verdict.clone());
        }
        let read = read_part(self.store, part).and_then(|content| match chunk {
            Some(chunk) => check_chunk(chunk, &content, &self.store.place(&part.name())),
            None => Ok(()),
        });
        let verdict = match read {
            Ok(()) => None,
            Err(error @ (BackupError::Damaged { .. } | BackupError::Missing { .. })) => {
                Some(error.to_string())
            }
            Err(error) => return Err(error),
        };
        self.bytes += part.bytes;
        let bytes = self.bytes;
        self.progress.show(|| format!("{} MiB read", bytes >> 20));
        self.verdicts.insert(part.clone(), verdict.clone());
        Ok(verdict)
    }
}

/// A part whose bytes are those that were put.
pub(super) fn read_part(store: &dyn Store, part: &Part) -> Result<Vec<u8>, BackupError> {
    let content = store.get(&part.name())?;
    checked(part, store.place(&part.name()), &content)?;
    Ok(content)
}

/// The records are those that the manifest says.
fn check_chunk(chunk: &Chunk, content: &[u8], place: &str) -> Result<(), BackupError> {
    let (mut first, mut last, mut count) = (None, Zxid::ZERO, 0);
    each_in_part(content, place, |record| {
        if first.is_some() && !last.is_followed_by(record.zxid) {
            let why = format!("{} does not follow {last}", record.zxid);
            return Err(BackupError::Damaged { place: place.into(), why });
        }
        first.get_or_insert(record.zxid);
        last = record.zxid;
        count += 1;
        Ok(())
    })?;
    if (first, last, count) != (Some(chunk.first), chunk.last, chunk.transactions) {
        let why = format!("it holds {count} transactions up to {last}, not what its manifest says");
        return Err(BackupError::Damaged { place: place.into(), why });
    }
    Ok(())
}
