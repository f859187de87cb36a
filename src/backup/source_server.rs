//! What is taken of a running server through its admin port: a snapshot.
//!
//! Not here: HTTP (admin_port.rs).

use std::io::Read;

use serde_json::Value;

use super::admin_port::AdminPort;
use super::cuts::Sizes;
use super::error::BackupError;
use super::manifest::{Committed, Content, KnownBy, SnapshotFile, Source};
use super::sender::Sender;
use super::source_dir::TakenSnapshot;
use super::time::parse_zxid;
use crate::base::Zxid;
use crate::storage::{parse_snapshot_name, snapshot_name};

const PIECE_BYTES: usize = 64 << 10;

/// Sends a snapshot that the server writes for it.
pub(super) fn take(port: &AdminPort, sender: &mut Sender<'_>) -> Result<Content, BackupError> {
    let monitor = port.json("/commands/monitor")?;
    let text = |name: &str| monitor[name].as_str().unwrap_or_default().to_string();
    let snapshot = take_snapshot(port, sender)?;
    let zxid = snapshot.effects_end;
    let accepted_epoch = (text("server_state") != "standalone").then_some(zxid.epoch().0);
    let notes = match zxid == snapshot.zxid {
        true => Vec::new(),
        false => vec![format!(
            "there are no logs: what was written while the snapshot was, behind {}, is in it in part",
            snapshot.zxid
        )],
    };
    Ok(Content {
        source: Source::AdminPort { address: port.address().into(), version: text("version") },
        committed: Committed { zxid, known_by: KnownBy::Server },
        accepted_epoch,
        snapshots: vec![snapshot],
        log: Vec::new(),
        notes,
    })
}

fn take_snapshot(port: &AdminPort, sender: &mut Sender<'_>) -> Result<SnapshotFile, BackupError> {
    const PATH: &str = "/commands/snapshot?streaming=true";
    let mut answer = port.ask(PATH)?;
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
fn refused(port: &AdminPort, path: &str, answer: super::admin_port::Answer) -> BackupError {
    let status = answer.status;
    let why = match port.read_json(path, answer) {
        Ok(Value::Object(_)) => port.wrong(format!("{path} is answered without a snapshot")),
        Ok(_) => port.wrong("that is no admin port of a ZooKeeper server"),
        Err(error) => error,
    };
    let advice = match status {
        401 => "give --authorization 'SCHEME PROOF', such as 'digest admin:secret'",
        403 => "who asks must have all of cdrwa on /",
        429 => "wait, or lower admin.rateLimiterIntervalInMS",
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
