//! The answers of command `snapshot`. (Z/server/admin/Commands.SnapshotCommand)
//!
//! The snapshot is the body, in the format of the files in `version-2`; with `streaming=false` it is
//! JSON. The headers `last_zxid` and `snapshot_size` (bytes) are there both times.

use std::path::PathBuf;

use serde_json::{Map, json};

use super::answer::{Answer, Body};
use super::commands::{Command, finish, finish_named};
use super::words::NOT_SERVING;
use crate::base::Zxid;

/// The names of a command of Apache's that is not offered: it changes the tree of one server alone,
/// behind the back of its log and of the other servers.
pub(super) const RESTORE: [&str; 2] = ["restore", "rest"];

/// One that is in the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotFile {
    pub path: PathBuf,
    /// By which it is named: it holds all up to here.
    pub zxid: Zxid,
    pub bytes: u64,
}

/// Why none is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotRefusal {
    NotServing,
    /// There is no header `Authorization`.
    NoProof,
    /// It proves nothing.
    BadProof,
    /// A permission on the root is missing.
    Forbidden,
    /// `admin.snapshot.enabled=false`
    Disabled,
    /// `admin.rateLimiterIntervalInMS`
    TooOften,
}

pub fn snapshot_taken(file: SnapshotFile, streaming: bool) -> Answer {
    let zxid = format!("0x{:x}", file.zxid.0);
    let mut answer = match streaming {
        true => Answer::new(200, Answer::OCTETS, ""),
        false => {
            let fields = json!({ "last_zxid": zxid, "snapshot_size": file.bytes.to_string() });
            finish(fields, Command::Snapshot, None)
        }
    };
    answer.headers.push(("last_zxid", zxid));
    answer.headers.push(("snapshot_size", file.bytes.to_string()));
    if streaming {
        answer.body = Body::File(file.path);
    }
    answer
}

pub(super) fn no_restore() -> Answer {
    let why = "restore is not offered to a running server: stop all servers, put the snapshot, as \
               snapshot.LAST_ZXID, alone into an empty version-2 of each dataDir, and start them";
    let mut answer = finish_named(Map::new(), RESTORE[0], Some(why));
    answer.status = 501;
    answer
}

/// The same holds for `txnlog`.
pub fn refuse_snapshot(command: Command, refusal: SnapshotRefusal) -> Answer {
    let (status, error) = match refusal {
        SnapshotRefusal::NotServing => (200, NOT_SERVING),
        SnapshotRefusal::NoProof => (
            401,
            "say who asks: a header Authorization, as in `Authorization: digest user:password`",
        ),
        SnapshotRefusal::BadProof => (401, "the header Authorization proves nothing"),
        SnapshotRefusal::Forbidden => (403, "a permission on / is missing: it takes all of cdrwa"),
        SnapshotRefusal::Disabled => (503, "admin.snapshot.enabled is false"),
        SnapshotRefusal::TooOften => {
            (429, "too soon behind the last snapshot (admin.rateLimiterIntervalInMS)")
        }
    };
    let mut answer = finish(json!({}), command, Some(error));
    answer.status = status;
    answer
}
