//! What is taken of a running server through its admin port: a snapshot, and from ours the committed
//! transactions behind it.
//!
//! Where the backup before came so, its log is gone on with: the server is asked for the last part of it
//! again, and if that begins with the very same transaction it is the same history. Then every state between
//! the two backups can be restored.
//!
//! Not here: HTTP (admin_port.rs).

use std::io::Read;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::admin_port::{AdminPort, Answer};
use super::cuts::Sizes;
use super::error::BackupError;
use super::history::{History, Taken};
use super::manifest::{Chunk, Committed, Content, KnownBy, Manifest, Part, SnapshotFile, Source};
use super::records::{Record, each_in_part, each_in_stream};
use super::sender::Sender;
use super::source_dir::TakenSnapshot;
use super::store::Store;
use super::time::parse_zxid;
use super::verify::read_part;
use crate::base::Zxid;
use crate::storage::{parse_snapshot_name, snapshot_name};

const PIECE_BYTES: usize = 64 << 10;
/// How often the rest of the log is asked for, and how long after the time before: a server may show what
/// its own disk gets a moment later.
const ASKED: usize = 50;
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The same for a snapshot, of which a server writes one at a time.
const SNAPSHOTS_ASKED: usize = 10;
const SNAPSHOT_ASK_AGAIN: Duration = Duration::from_secs(1);
const TOO_MANY_REQUESTS: u16 = 429;

/// What a backup before this one has of the log.
struct Earlier {
    snapshots: Vec<SnapshotFile>,
    /// All parts but the last, which may have been short.
    chunks: Vec<Chunk>,
    /// The record with which the last part begins.
    first: Vec<u8>,
    from: Zxid,
}

/// How far the log could be read.
enum LogRead {
    /// All that the server had.
    UpTo(Zxid),
    /// The logs of the server do not reach back so far, or tell another history.
    Gone,
    /// The server has no such command.
    Unknown,
}

/// Sends a snapshot that the server writes for it, and the log. `before`: the last backup of the store.
pub(super) fn take(
    port: &AdminPort,
    snapshots_max: usize,
    store: &dyn Store,
    before: Option<&Manifest>,
    sender: &mut Sender<'_>,
) -> Result<Content, BackupError> {
    let monitor = port.json("/commands/monitor")?;
    let text = |name: &str| monitor[name].as_str().unwrap_or_default().to_string();
    let snapshot = take_snapshot(port, sender)?;
    let earlier = match before {
        Some(before) if snapshots_max > 1 => earlier_of(before, store)?,
        _ => None,
    };
    let mut taken = None;
    if let Some(earlier) = earlier {
        taken = take_log(port, &snapshot, snapshots_max, Some(earlier), sender)?;
    }
    if taken.is_none() {
        taken = take_log(port, &snapshot, snapshots_max, None, sender)?;
    }
    let mut notes = Vec::new();
    let taken = taken.unwrap_or_else(|| {
        if snapshot.effects_end != snapshot.zxid {
            notes.push(format!(
                "there are no logs: what was written while the snapshot was, behind {}, is in it in part",
                snapshot.zxid
            ));
        }
        let last = snapshot.effects_end;
        Taken { snapshots: vec![snapshot], chunks: Vec::new(), last, before_last_epoch: None }
    });
    let Taken { snapshots, chunks: log, last: zxid, .. } = taken;
    Ok(Content {
        source: Source::AdminPort { address: port.address().into(), version: text("version") },
        committed: Committed { zxid, known_by: KnownBy::Server },
        accepted_epoch: (text("server_state") != "standalone").then_some(zxid.epoch().0),
        snapshots,
        log,
        notes,
    })
}

fn earlier_of(before: &Manifest, store: &dyn Store) -> Result<Option<Earlier>, BackupError> {
    let (Source::AdminPort { .. }, Some((last, chunks))) =
        (&before.source, before.log.split_last())
    else {
        return Ok(None);
    };
    let part = last.part();
    let content = match read_part(store, &part) {
        // `verify` tells of it.
        Err(BackupError::Damaged { .. } | BackupError::Missing { .. }) => return Ok(None),
        content => content?,
    };
    let mut first = Vec::new();
    each_in_part(&content, &store.place(&part.name()), |record| {
        if first.is_empty() {
            first.extend_from_slice(record.bytes);
        }
        Ok(())
    })?;
    let (snapshots, chunks) = (before.snapshots.clone(), chunks.to_vec());
    Ok(Some(Earlier { snapshots, chunks, first, from: last.first }))
}

/// `None`: there is no log that leads on from there.
fn take_log(
    port: &AdminPort,
    snapshot: &SnapshotFile,
    snapshots_max: usize,
    earlier: Option<Earlier>,
    sender: &mut Sender<'_>,
) -> Result<Option<Taken>, BackupError> {
    let mut snapshots = vec![snapshot.clone()];
    // The snapshot's own transaction, by which the next backup knows the history again.
    let mut from = match snapshot.zxid.counter() {
        0 => snapshot.zxid.next(),
        _ => snapshot.zxid,
    };
    let (mut expected, mut chunks, is_first) = (None, Vec::new(), earlier.is_none());
    if let Some(earlier) = earlier {
        let older = earlier.snapshots.into_iter().filter(|file| file.zxid < snapshot.zxid);
        snapshots.extend(older.take(snapshots_max - 1));
        (from, expected, chunks) = (earlier.from, Some(earlier.first), earlier.chunks);
    }
    let oldest = snapshots.last().map_or(Zxid::ZERO, |file| file.zxid);
    chunks.retain(|chunk: &Chunk| chunk.last > oldest);
    let history = History::new(port.to_string(), snapshots, &[], Sizes::USUAL);
    let mut history = history.going_on(chunks, from);
    let mut put = |part: &Part, content: Vec<u8>| sender.send(part, content);
    for _ in 0..ASKED {
        let read = read_log(port, from, |record| {
            if expected.take().is_some_and(|expected| expected != record.bytes) {
                return Err(BackupError::Moved { place: port.to_string() });
            }
            history.take(record, &mut put)
        });
        match read {
            Ok(LogRead::UpTo(last)) if history.last() >= last.max(snapshot.effects_end) => {
                return history.finish(&mut put).map(Some);
            }
            // It was cut short, or the server's own log is behind.
            Ok(LogRead::UpTo(_)) => {}
            // The snapshot's own transaction was purged.
            Ok(LogRead::Gone) if is_first && from == snapshot.zxid => {
                history = history.going_on(Vec::new(), from.next());
            }
            Ok(LogRead::Gone | LogRead::Unknown) | Err(BackupError::Moved { .. }) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        from = history.last().next();
        thread::sleep(ASK_AGAIN);
    }
    Err(port.wrong(format!(
        "it sent transactions up to {}, and its snapshot has effects up to {}",
        history.last(),
        snapshot.effects_end
    )))
}

fn read_log(
    port: &AdminPort,
    from: Zxid,
    each: impl FnMut(Record<'_>) -> Result<(), BackupError>,
) -> Result<LogRead, BackupError> {
    let path = format!("/commands/txnlog?from={from}");
    let mut answer = port.ask(&path)?;
    let last = answer.header("last_zxid").and_then(parse_zxid);
    match (answer.status, last) {
        (200, Some(last)) => {
            each_in_stream(&mut answer.body, &port.to_string(), each)?;
            Ok(LogRead::UpTo(last))
        }
        (410, _) => Ok(LogRead::Gone),
        // Apache's servers do not know the command, and say so with status 200.
        (200, None) => Ok(LogRead::Unknown),
        _ => match port.read_json(&path, answer) {
            Ok(_) => Ok(LogRead::Unknown),
            Err(error) => Err(error),
        },
    }
}

fn take_snapshot(port: &AdminPort, sender: &mut Sender<'_>) -> Result<SnapshotFile, BackupError> {
    const PATH: &str = "/commands/snapshot?streaming=true";
    let mut answer = port.ask(PATH)?;
    // The snapshot of somebody who has gone may be on its way.
    for _ in 0..SNAPSHOTS_ASKED {
        if answer.status == TOO_MANY_REQUESTS {
            thread::sleep(SNAPSHOT_ASK_AGAIN);
            answer = port.ask(PATH)?;
        }
    }
    let zxid = answer.header("last_zxid").and_then(parse_zxid).filter(|_| answer.status == 200);
    let Some(zxid) = zxid else { return Err(refused(port, PATH, answer)) };
    let size: Option<u64> = answer.header("snapshot_size").and_then(|size| size.parse().ok());
    let name = parse_snapshot_name(&snapshot_name(zxid)).expect("it is one");
    let mut taking = TakenSnapshot::new(&name, Sizes::USUAL);
    let mut piece = vec![0; PIECE_BYTES];
    let mut read = 0;
    loop {
        let len = answer.body.read(&mut piece);
        let len = len.map_err(|error| port.wrong(format!("{PATH}: {error}")))?;
        if len == 0 {
            break;
        }
        read += len as u64;
        taking.check.feed(&piece[..len]);
        taking.add(&piece[..len], sender)?;
    }
    let cut = || port.wrong(format!("{PATH}: the snapshot ended after {read} bytes of {size:?}"));
    if size.is_some_and(|size| size != read) {
        return Err(cut());
    }
    let mut file = taking.finish(sender)?.ok_or_else(cut)?;
    if file.effects_end == Zxid::MAX {
        file.effects_end = zxid;
    }
    Ok(file)
}

/// Why the server sends none, and what to do about it.
fn refused(port: &AdminPort, path: &str, answer: Answer) -> BackupError {
    let status = answer.status;
    let why = match port.read_json(path, answer) {
        Ok(Value::Object(_)) => port.wrong(format!("{path} is answered without a snapshot")),
        Ok(_) => port.wrong("that is no admin port of a ZooKeeper server"),
        Err(error) => error,
    };
    let advice = match status {
        401 => "give --authorization 'SCHEME PROOF', such as 'digest admin:secret'",
        403 => "who asks must have all of cdrwa on /",
        TOO_MANY_REQUESTS => "wait, or lower admin.rateLimiterIntervalInMS",
        503 => "set admin.snapshot.enabled=true, or take the backup from the dataDir",
        _ => "Apache ZooKeeper has this command since 3.9: of an older one take the dataDir",
    };
    match why {
        BackupError::Server { server, why } => {
            BackupError::Server { server, why: format!("{why}: {advice}") }
        }
        other => other,
    }
}
