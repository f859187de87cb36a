//! What a backup consists of: JSON, written last.
//!
//!     backups/<time>-<16 hex digits>.json    a manifest; the digits begin its SHA-256
//!     parts/<64 hex digits>                  bytes, named by their SHA-256
//!
//! A snapshot is a file in parts. A log is a row of parts, each of whole records as they stand in a log
//! file, without the files' headers: where one log file ends and the next begins is left out. All that a
//! backup needs is named by its manifest, so that any one of them can be restored alone.
//!
//! Not here: which transactions are committed (source_dir.rs, source_server.rs); a store (store.rs).

use std::collections::BTreeSet;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::checksum::sha256_hex;
use super::error::BackupError;
use super::time::{file_time, parse_zxid, rfc3339};
use crate::base::Zxid;
use crate::storage::parse_snapshot_name;

pub(super) const BACKUPS: &str = "backups";
pub(super) const PARTS: &str = "parts";
const FORMAT: &str = "quorate-backup";
const VERSION: u32 = 1;
/// Of the manifest's SHA-256, in its name.
const ID_DIGITS: usize = 16;
const SUFFIX: &str = ".json";

/// Some bytes of the target.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

impl Part {
    pub(super) fn of(content: &[u8]) -> Part {
        Part { sha256: sha256_hex(content), bytes: content.len() as u64 }
    }

    pub(super) fn name(&self) -> String {
        format!("{PARTS}/{}", self.sha256)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SnapshotFile {
    /// As in `version-2`.
    pub(super) name: String,
    /// By which it is named: it holds all up to here.
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub(super) zxid: Zxid,
    /// Nothing behind this is in it.
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub(super) effects_end: Zxid,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    pub(super) parts: Vec<Part>,
}

/// Records of the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chunk {
    pub(super) sha256: String,
    pub(super) bytes: u64,
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub(super) first: Zxid,
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub(super) last: Zxid,
    pub(super) transactions: u64,
    /// The least and the greatest time of them, by their leaders' clocks, in milliseconds since 1970.
    pub(super) times_ms: [i64; 2],
}

impl Chunk {
    pub(super) fn part(&self) -> Part {
        Part { sha256: self.sha256.clone(), bytes: self.bytes }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub(super) enum Source {
    DataDir { data_dir: String, data_log_dir: String },
    AdminPort { address: String, version: String },
}

/// Who said how far the log is committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KnownBy {
    /// The server itself.
    Server,
    /// A server alone commits what it logs.
    Standalone,
    /// A later epoch began behind it. What was logged in the last epoch may be committed or not.
    Epochs,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Committed {
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub(super) zxid: Zxid,
    pub(super) known_by: KnownBy,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    format: String,
    version: u32,
    /// RFC 3339, in UTC.
    pub(super) created: String,
    pub(super) source: Source,
    /// All up to here is.
    pub(super) committed: Committed,
    /// The newest epoch that the server has promised; absent for a server alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) accepted_epoch: Option<i64>,
    /// The newest first.
    pub(super) snapshots: Vec<SnapshotFile>,
    /// The oldest first, without a gap, from behind the oldest snapshot.
    pub(super) log: Vec<Chunk>,
    /// What the operator should know of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
}

/// What a manifest is made of.
pub(super) struct Content {
    pub(super) source: Source,
    pub(super) committed: Committed,
    pub(super) accepted_epoch: Option<i64>,
    pub(super) snapshots: Vec<SnapshotFile>,
    pub(super) log: Vec<Chunk>,
    pub(super) notes: Vec<String>,
}

/// The name of a backup: `20260504T103000123Z-0123456789abcdef`.
pub(super) type Id = String;

impl Manifest {
    pub(super) fn new(now_ms: i64, content: Content) -> Manifest {
        let Content { source, committed, accepted_epoch, snapshots, log, notes } = content;
        Manifest {
            format: FORMAT.into(),
            version: VERSION,
            created: rfc3339(now_ms),
            source,
            committed,
            accepted_epoch,
            snapshots,
            log,
            notes,
        }
    }

    /// Its id, and its bytes.
    pub(super) fn encode(&self, now_ms: i64) -> (Id, Vec<u8>) {
        let mut text = serde_json::to_vec_pretty(self).expect("texts and numbers");
        text.push(b'\n');
        (format!("{}-{}", file_time(now_ms), &sha256_hex(&text)[..ID_DIGITS]), text)
    }

    /// What lies in the target under this id; why not, if it is not what was written.
    pub(super) fn decode(id: &str, text: &[u8]) -> Result<Manifest, String> {
        let digits = id.rsplit('-').next().unwrap_or_default();
        if sha256_hex(text)[..ID_DIGITS] != *digits {
            return Err("its SHA-256 does not begin as its name ends".into());
        }
        let Versioned { format, version } = serde_json::from_slice(text)
            .map_err(|error| format!("it is no manifest of a backup: {error}"))?;
        if format != FORMAT || version != VERSION {
            return Err(format!(
                "it is of format {format} {version}, and this program reads {FORMAT} {VERSION}: take a \
                 newer one"
            ));
        }
        let manifest: Manifest = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        manifest.check().map(|()| manifest)
    }

    fn check(&self) -> Result<(), String> {
        if self.snapshots.is_empty() {
            return Err("it has no snapshot".into());
        }
        for file in &self.snapshots {
            if parse_snapshot_name(&file.name).is_none_or(|name| name.zxid != file.zxid) {
                return Err(format!("{:?} is no name of a snapshot of {}", file.name, file.zxid));
            }
        }
        let follows = |pair: &[Chunk]| pair[0].last.is_followed_by(pair[1].first);
        match self.log.windows(2).find(|pair| !follows(pair)) {
            Some(pair) => Err(format!("{} does not follow {}", pair[1].first, pair[0].last)),
            None => Ok(()),
        }
    }

    /// The last transaction that is in it.
    pub(super) fn last(&self) -> Zxid {
        let logged = self.log.last().map(|chunk| chunk.last);
        let ends = self.snapshots.iter().map(|file| file.effects_end);
        ends.chain(logged).max().unwrap_or(Zxid::ZERO)
    }

    /// The oldest state that can be made of it.
    pub(super) fn oldest(&self) -> Zxid {
        self.snapshots.iter().map(|file| file.effects_end).min().unwrap_or(Zxid::ZERO)
    }

    pub(super) fn parts(&self) -> BTreeSet<Part> {
        let of_snapshots = self.snapshots.iter().flat_map(|file| file.parts.iter().cloned());
        of_snapshots.chain(self.log.iter().map(Chunk::part)).collect()
    }

    pub(super) fn transactions(&self) -> u64 {
        self.log.iter().map(|chunk| chunk.transactions).sum()
    }
}

#[derive(Deserialize)]
struct Versioned {
    format: String,
    version: u32,
}

/// Where a manifest lies.
pub(super) fn place_of(id: &str) -> String {
    format!("{BACKUPS}/{id}{SUFFIX}")
}

/// The id in the name of a file of `backups`.
pub(super) fn id_of(name: &str) -> Option<Id> {
    name.strip_suffix(SUFFIX).map(Id::from)
}

/// The bytes of a part, if they are those.
pub(super) fn checked(part: &Part, place: String, content: &[u8]) -> Result<(), BackupError> {
    let found = Part::of(content);
    let why = match found {
        _ if found == *part => return Ok(()),
        Part { bytes, .. } if bytes != part.bytes => {
            format!("it has {bytes} bytes in place of {}", part.bytes)
        }
        Part { sha256, .. } => format!("its SHA-256 is {sha256}"),
    };
    Err(BackupError::Damaged { place, why })
}

/// A zxid as text, `0x500001f3a`.
fn to_hex<S: Serializer>(zxid: &Zxid, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(zxid)
}

fn from_hex<'de, D: Deserializer<'de>>(from: D) -> Result<Zxid, D::Error> {
    let text = String::deserialize(from)?;
    parse_zxid(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is no zxid")))
}
