//! What a scenario wants on a disk, written as Apache would have: `snapshot.0`, one log, epoch files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use quorate::base::{ServerId, SessionId, Zxid};
use quorate::jute::data::{Acl, Id, StatPersisted, perms};
use quorate::jute::persist::{SnapshotDigest, SnapshotNode};
use quorate::jute::txn::{CreateSessionTxn, CreateTxn, Proposal, Txn, TxnHeader, kind};
use quorate::storage::SnapshotEncoder;
use quorate::storage::log_format::{encode_log_header, encode_record};

use crate::scenario::{DiskContent, DiskSessions, Ensemble};
use crate::world::World;

/// Every server's data directory.
pub(super) const DATA_DIR: &str = "/data";

/// The transactions of a disk's log: small creates, or sessions and their ephemerals.
fn proposals(disk: &DiskContent) -> impl Iterator<Item = Proposal> + '_ {
    let mut creates = 0;
    let mut session = SessionId(1);
    disk.log.iter().enumerate().map(move |(n, zxid)| {
        let opens = disk.sessions.filter(|sessions| n % (1 + sessions.ephemerals) == 0);
        let (kind, txn) = if let Some(DiskSessions { timeout, .. }) = opens {
            session = SessionId(zxid.0);
            let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
            (kind::CREATE_SESSION, Txn::CreateSession(CreateSessionTxn { timeout }))
        } else {
            creates += 1;
            let txn = CreateTxn {
                path: format!("/d{:x}", zxid.0),
                data: Some(Bytes::from_static(b"disk")),
                acl: Some(Acl::open()),
                ephemeral: disk.sessions.is_some(),
                parent_cversion: creates,
            };
            (kind::CREATE, Txn::Create(txn))
        };
        let (zxid, cxid) = (*zxid, n as i32 + 1);
        let header = TxnHeader { client_id: session, cxid, zxid, time: 0, kind };
        Proposal::new(header, txn, None)
    })
}

/// Zxids and hashes of every disk's log, for the ghost state.
pub(super) fn logs(ensemble: &Ensemble) -> BTreeMap<ServerId, Vec<(Zxid, u64)>> {
    let log = |disk| proposals(disk).map(|p| (p.zxid(), p.hash())).collect();
    ensemble.disks.iter().map(|(server, disk)| (*server, log(disk))).collect()
}

/// Puts the files on the disks.
pub(super) fn write(world: &World, ensemble: &Ensemble) {
    for server in ensemble.servers() {
        let disk = ensemble.disks.get(&server).cloned().unwrap_or_default();
        for (path, content) in files(&disk, ensemble.autocreate) {
            world.put_file(server, &path, &content);
        }
    }
}

fn files(disk: &DiskContent, autocreate: bool) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = Path::new(DATA_DIR);
    let version = dir.join("version-2");
    if disk.is_empty() {
        // Consent to vote from nothing, where that is asked for.
        let consents = !disk.uninitialised && !autocreate;
        return if consents { vec![(dir.join("initialize"), Vec::new())] } else { Vec::new() };
    }
    let mut files = vec![
        (version.join("snapshot.0"), empty_snapshot()),
        (version.join("acceptedEpoch"), disk.accepted_epoch.to_string().into_bytes()),
        (version.join("currentEpoch"), disk.current_epoch.to_string().into_bytes()),
    ];
    if let Some(first) = disk.log.first() {
        let mut log = Vec::new();
        encode_log_header(&mut log);
        for proposal in proposals(disk) {
            encode_record(proposal.bytes(), &mut log);
        }
        files.push((version.join(format!("log.{:x}", first.0)), log));
    }
    files
}

/// The snapshot of a server that has never seen a transaction.
fn empty_snapshot() -> Vec<u8> {
    let node = |path: &str, acl: i64| SnapshotNode {
        path: path.into(),
        data: Some(Bytes::new()),
        acl,
        stat: StatPersisted::default(),
    };
    let anyone = Id { scheme: "world".into(), id: "anyone".into() };
    let readable = vec![Acl { perms: perms::READ, id: anyone }];
    let mut encoder = SnapshotEncoder::for_file();
    encoder.sessions(&[]);
    encoder.acls(&[(1, readable)]);
    let nodes = [
        node("", -1),
        node("/zookeeper", -1),
        node("/zookeeper/config", 1),
        node("/zookeeper/quota", -1),
    ];
    encoder.nodes(&nodes);
    let mut bytes = encoder.take().to_vec();
    let nothing = SnapshotDigest { zxid: Zxid::ZERO, version: 2, digest: 0 };
    bytes.extend_from_slice(&encoder.finish(Some(&nothing), Some(Zxid::ZERO)));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate::storage::log_format::read_records;
    use quorate::storage::snapshot_decoder::decode_snapshot;

    #[test]
    fn the_files_read_back() {
        let disk = DiskContent {
            log: vec![Zxid(0x1_0000_0001), Zxid(0x1_0000_0002), Zxid(0x2_0000_0001)],
            ..DiskContent::default()
        };
        let files = files(&disk, true);
        let named = |name: &str| {
            let found = files.iter().find(|(path, _)| path.ends_with(name));
            Bytes::from(found.expect("the file was written").1.clone())
        };
        let content = decode_snapshot(named("snapshot.0")).expect("a whole snapshot");
        assert_eq!(content.body.nodes.len(), 4);
        let mut zxids = Vec::new();
        let (_, fault) = read_records(&named("log.100000001"), |_, payload| {
            zxids.push(Proposal::decode(payload).expect("a proposal").zxid());
        });
        assert_eq!((zxids, fault), (disk.log.clone(), None));
    }

    #[test]
    fn a_server_without_consent_finds_nothing() {
        let disk = DiskContent { uninitialised: true, ..DiskContent::default() };
        assert_eq!(files(&disk, false), Vec::new());
        assert_eq!(files(&DiskContent::default(), true), Vec::new());
        assert_eq!(files(&DiskContent::default(), false).len(), 1);
    }
}
