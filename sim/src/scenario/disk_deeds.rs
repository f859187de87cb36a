//! What a timeline does to disks: the words, and what they mean.
//!
//! Not here: doing it (`run::disk_deeds`), how a disk takes it (`world::disk`).

use std::fmt;

use quorate::base::ServerId;

use super::lexer::{Mistake, Words};
use crate::world::Unsynced;

/// Done to the disks of some servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskDeed {
    /// The next write, creation or change of length fails with EIO.
    FailWrite,
    /// The next sync fails with EIO; no later one saves what it covered.
    FailFsync,
    /// The next read of a file's content fails with EIO.
    FailRead,
    /// Writes and creations fail until `Free`.
    Fill,
    Free,
    /// No operation fails any more: not full, honest, no failure pending.
    Mend,
    /// Syncs succeed and save nothing.
    LieFsync,
    /// Keeps a copy of the disk as it is now.
    Save,
    /// Stops the server, and puts the copy back.
    Restore,
    /// Stops the second server, and gives it a copy of the first one's disk.
    Clone,
    /// One bit of the newest file whose name begins so.
    Rot(String),
    /// What power losses from now on do to what was not synced.
    Unsynced(Unsynced),
}

/// Those that are one word and servers.
const PLAIN: [(&str, DiskDeed); 9] = [
    ("fail-write", DiskDeed::FailWrite),
    ("fail-fsync", DiskDeed::FailFsync),
    ("fail-read", DiskDeed::FailRead),
    ("fill-disk", DiskDeed::Fill),
    ("free-disk", DiskDeed::Free),
    ("mend-disk", DiskDeed::Mend),
    ("lie-fsync", DiskDeed::LieFsync),
    ("save-disk", DiskDeed::Save),
    ("restore-disk", DiskDeed::Restore),
];

/// Every word that begins such an action.
pub(super) const WORDS: [&str; 12] = [
    "fail-write",
    "fail-fsync",
    "fail-read",
    "fill-disk",
    "free-disk",
    "mend-disk",
    "lie-fsync",
    "save-disk",
    "restore-disk",
    "clone-disk",
    "rot",
    "unsynced",
];

const POLICIES: [(&str, Unsynced); 4] = [
    ("lost", Unsynced::Lost),
    ("kept", Unsynced::Kept),
    ("torn", Unsynced::Torn),
    ("drawn", Unsynced::Drawn),
];

/// How names of files in a data directory begin.
pub const FILES: [&str; 5] = ["log", "snapshot", "currentEpoch", "acceptedEpoch", "quorate.guard"];

/// The beginning of a file's name, if the next word is one.
pub(super) fn a_file(words: &mut Words<'_>) -> Option<String> {
    let file = words.peek().filter(|word| FILES.iter().any(|known| word.starts_with(known)))?;
    words.take_next();
    Some(file.to_owned())
}

impl DiskDeed {
    /// Whether a plain word and servers are all of it.
    pub(super) fn plain(word: &str) -> Option<DiskDeed> {
        PLAIN.into_iter().find(|(known, _)| *known == word).map(|(_, deed)| deed)
    }

    /// What stands behind `word` and these servers.
    pub(super) fn read(
        word: &str,
        servers: &[ServerId],
        words: &mut Words<'_>,
    ) -> Result<DiskDeed, Mistake> {
        if let Some(deed) = DiskDeed::plain(word) {
            return Ok(deed);
        }
        match word {
            "clone-disk" if servers.len() == 2 => Ok(DiskDeed::Clone),
            "clone-disk" => Err(words.expected("two servers: whose disk, and who gets it")),
            "rot" => {
                let what = format!("a file: {}", FILES.join(", "));
                a_file(words).map(DiskDeed::Rot).ok_or_else(|| words.expected(&what))
            }
            _ => {
                let policy = POLICIES.iter().find(|(name, _)| words.peek() == Some(name));
                let Some((_, policy)) = policy else {
                    return Err(words.expected("`lost`, `kept`, `torn` or `drawn`"));
                };
                words.take_next();
                Ok(DiskDeed::Unsynced(*policy))
            }
        }
    }

    /// As a timeline writes it, with the servers it is done to.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, servers: &str) -> fmt::Result {
        match self {
            DiskDeed::Clone => write!(f, "clone-disk {servers}"),
            DiskDeed::Rot(file) => write!(f, "rot {servers} {file}"),
            DiskDeed::Unsynced(policy) => {
                let word = POLICIES.iter().find(|(_, known)| known == policy);
                write!(f, "unsynced {servers} {}", word.map_or("drawn", |(word, _)| word))
            }
            plain => {
                let word = PLAIN.iter().find(|(_, known)| known == plain);
                write!(f, "{} {servers}", word.map_or("?", |(word, _)| word))
            }
        }
    }
}
