//! Which state is restored, and from what: a backup, a snapshot in it, and the last transaction.
//!
//! A snapshot is fuzzy: it may hold effects up to its `effects_end`, so that it is the base of no state
//! before that.
//!
//! - BK-4 nothing behind what is known to be committed is restored, unless that is asked for.
//!
//! Not here: writing it (restore.rs).

use super::error::BackupError;
use super::manifest::{Chunk, Committed, Id, KnownBy, Manifest};
use super::records::each_in_part;
use super::store::Store;
use super::time::{At, rfc3339};
use super::verify::read_part;
use crate::base::Zxid;

/// What the command line asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) at: Option<At>,
    pub(super) uncommitted: bool,
}

#[derive(Debug)]
pub(super) struct Choice {
    pub(super) id: Id,
    pub(super) manifest: Manifest,
    /// The last transaction.
    pub(super) target: Zxid,
}

/// The newest of these backups that holds the state. They come the newest first.
pub(super) fn choose(
    store: &dyn Store,
    backups: Vec<(Id, Manifest)>,
    wish: Wish,
) -> Result<Choice, BackupError> {
    let mut first = None;
    for (id, manifest) in backups {
        match target_in(store, &manifest, wish)? {
            Ok(target) => return Ok(Choice { id, manifest, target }),
            Err(why) => {
                first.get_or_insert(format!("backup {id}: {why}"));
            }
        }
    }
    let why =
        first.unwrap_or("there is no whole backup in it: `quorate backup list` says more".into());
    Err(BackupError::Refused(why))
}

/// The snapshots from which a state can be made, the newest first, by their places. One that is the state
/// comes last: behind the others there is a transaction with the digest to hold it against.
pub(super) fn bases(manifest: &Manifest, target: Zxid) -> Vec<usize> {
    let files = manifest.snapshots.iter().enumerate();
    let mut found: Vec<_> = files.filter(|(_, file)| file.effects_end <= target).collect();
    found.sort_by_key(|(_, file)| file.zxid == target);
    found.into_iter().map(|(n, _)| n).collect()
}

fn target_in(
    store: &dyn Store,
    manifest: &Manifest,
    wish: Wish,
) -> Result<Result<Zxid, String>, BackupError> {
    let (last, oldest) = (manifest.last(), manifest.oldest());
    let Committed { zxid: committed, known_by } = manifest.committed;
    let limit = if wish.uncommitted { last } else { committed };
    let target = match wish.at {
        None if limit < last && known_by == KnownBy::Epochs => return Ok(Err(ask(manifest))),
        None => floor(store, manifest, limit)?,
        Some(At::Zxid(zxid)) if zxid > last => {
            return Ok(Err(format!("it ends with {last}, before {zxid}")));
        }
        Some(At::Zxid(zxid)) => {
            let found = floor(store, manifest, zxid)?;
            if found.is_some_and(|found| found != zxid) {
                let found = found.unwrap_or_default();
                return Ok(Err(format!(
                    "it has no transaction {zxid}; the last before is {found}"
                )));
            }
            found
        }
        Some(At::Time(time_ms)) => {
            let found = floor_in_time(store, manifest, time_ms)?;
            match known_by {
                KnownBy::Epochs => found,
                // What lies behind it may have been made before that time, or never.
                _ => found.min(floor(store, manifest, limit)?),
            }
        }
    };
    let Some(target) = target else {
        let since = manifest.log.first().map_or(String::new(), |chunk| {
            format!(", and its log begins at {}", rfc3339(chunk.times_ms[0]))
        });
        return Ok(Err(format!("the oldest state that can be made of it is {oldest}{since}")));
    };
    if target > limit {
        return Ok(Err(format!(
            "{target} is behind {committed}, up to where the log is known to be committed; the server had \
             logged it, and it may never have happened to its clients. --uncommitted takes it all the same"
        )));
    }
    Ok(Ok(target))
}

/// What to do where nobody has said what is committed.
fn ask(manifest: &Manifest) -> String {
    let (committed, last) = (manifest.committed.zxid, manifest.last());
    let before = if committed >= manifest.oldest() {
        format!("--at {committed} stops at the end of the epoch before, ")
    } else {
        String::new()
    };
    format!(
        "it does not say which of the last epoch's transactions, up to {last}, are committed: no server was \
         asked. {before}--at ZXID --uncommitted where you know better, and --uncommitted alone takes all \
         that this server had logged"
    )
}

/// The last state at or before this zxid.
fn floor(store: &dyn Store, manifest: &Manifest, limit: Zxid) -> Result<Option<Zxid>, BackupError> {
    let ends = manifest.snapshots.iter().map(|file| file.effects_end);
    let Some(base) = ends.filter(|end| *end <= limit).max() else { return Ok(None) };
    let begun = manifest.log.partition_point(|chunk| chunk.first <= limit);
    let Some(chunk) = begun.checked_sub(1).map(|n| &manifest.log[n]) else { return Ok(Some(base)) };
    let logged = match chunk.last <= limit {
        true => Some(chunk.last),
        false => last_where(store, chunk, |zxid, _| zxid <= limit)?,
    };
    Ok(logged.max(Some(base)))
}

/// The last state whose transaction was made at or before this time.
fn floor_in_time(
    store: &dyn Store,
    manifest: &Manifest,
    time_ms: i64,
) -> Result<Option<Zxid>, BackupError> {
    let has_one = |chunk: &&Chunk| chunk.times_ms[0] <= time_ms;
    let Some(chunk) = manifest.log.iter().rev().find(has_one) else { return Ok(None) };
    let found = last_where(store, chunk, |_, time| time <= time_ms)?;
    Ok(found.filter(|zxid| *zxid >= manifest.oldest()))
}

fn last_where(
    store: &dyn Store,
    chunk: &Chunk,
    is_good: impl Fn(Zxid, i64) -> bool,
) -> Result<Option<Zxid>, BackupError> {
    let part = chunk.part();
    let content = read_part(store, &part)?;
    let mut found = None;
    each_in_part(&content, &store.place(&part.name()), |record| {
        if is_good(record.zxid, record.time_ms) {
            found = Some(record.zxid);
        }
        Ok(())
    })?;
    Ok(found)
}
