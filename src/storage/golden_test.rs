//! Data directories of Apache ZooKeeper 3.8.0 and 3.9.3, read and written byte for byte.

use bytes::Bytes;
use serde_json::Value;

use super::error::StorageError;
use super::fake::{FakeDisk, run};
use super::layout::parse_snapshot_name;
use super::log_format::{encode_log_header, encode_record, read_records};
use super::snapshot_decoder::decode_snapshot;
use super::snapshot_format::{SnapshotContent, SnapshotEncoder, unpack};
use super::{Loaded, StorageOptions, load};
use crate::base::{Epoch, Zxid};
use crate::jute::txn::Proposal;

struct GoldenFile {
    dir: &'static str,
    name: &'static str,
    content: &'static [u8],
}

macro_rules! golden {
    ($($dir:literal: $($name:literal)*;)*) => {
        &[$($(GoldenFile {
            dir: $dir,
            name: $name,
            content: include_bytes!(concat!(
                "../../tests/golden/dirs/", $dir, "/version-2/", $name
            )),
        },)*)*]
    };
}

#[rustfmt::skip]
const FILES: &[GoldenFile] = golden! {
    "3.8.0/check-alone": "log.1";
    "3.8.0/ensemble-1": "acceptedEpoch" "currentEpoch" "log.100000001" "log.300000001" "snapshot.0";
    "3.8.0/ensemble-2": "acceptedEpoch" "currentEpoch" "log.100000001" "log.200000001" "log.300000001" "snapshot.0" "snapshot.200000002";
    "3.8.0/ensemble-3": "acceptedEpoch" "currentEpoch" "log.100000052" "log.300000001" "snapshot.0" "snapshot.100000051" "snapshot.100000080" "snapshot.200000002";
    "3.8.0/flipped": "log.3a";
    "3.8.0/gz": "log.1" "log.7" "log.d" "snapshot.0.gz" "snapshot.5.gz" "snapshot.b.gz";
    "3.8.0/plain": "log.1" "log.3a" "snapshot.0" "snapshot.39";
    "3.8.0/snappy": "log.1" "log.b" "snapshot.0.snappy" "snapshot.9.snappy";
    "3.8.0/snapshots": "log.1" "log.11" "log.19" "log.7" "snapshot.0" "snapshot.17" "snapshot.5" "snapshot.f";
    "3.8.0/torn": "log.3a";
    "3.9.3/ensemble-1": "acceptedEpoch" "currentEpoch" "log.100000001" "log.300000001" "snapshot.0";
    "3.9.3/ensemble-2": "acceptedEpoch" "currentEpoch" "log.100000001" "log.200000001" "log.300000001" "snapshot.0" "snapshot.200000002";
    "3.9.3/ensemble-3": "acceptedEpoch" "currentEpoch" "log.100000052" "log.300000001" "snapshot.0" "snapshot.100000051" "snapshot.100000080" "snapshot.200000002";
    "3.9.3/flipped": "log.3a";
    "3.9.3/gz": "log.1" "log.b" "snapshot.0.gz" "snapshot.9.gz";
    "3.9.3/plain": "log.1" "log.3a" "snapshot.0" "snapshot.39";
    "3.9.3/snappy": "log.1" "log.b" "snapshot.0.snappy" "snapshot.9.snappy";
    "3.9.3/snapshots": "log.1" "log.15" "log.1d" "log.8" "log.f" "snapshot.0" "snapshot.13" "snapshot.1b" "snapshot.6" "snapshot.d";
    "3.9.3/torn": "log.3a";
    "3.9.3/torn-no-B": "log.3a";
    "3.9.3/torn-zero-tail": "log.3a";
};

/// `golden.json`: what a decoder of its own made of every file.
fn described() -> Vec<Value> {
    let text = include_str!("../../tests/golden/golden.json");
    let mut whole: Value = serde_json::from_str(text).expect("golden.json is JSON");
    match whole["files"].take() {
        Value::Array(files) => files,
        other => panic!("files is a list, not {other}"),
    }
}

fn described_file<'a>(all: &'a [Value], file: &GoldenFile) -> &'a Value {
    let path = format!("dirs/{}/version-2/{}", file.dir, file.name);
    all.iter().find(|entry| entry["file"] == path.as_str()).expect("every file is described")
}

fn logs() -> impl Iterator<Item = &'static GoldenFile> {
    FILES.iter().filter(|file| file.name.starts_with("log."))
}

fn plain_snapshot(file: &GoldenFile) -> Option<Bytes> {
    let name = parse_snapshot_name(file.name)?;
    Some(unpack(Bytes::from_static(file.content), name.compression).expect("it unpacks"))
}

fn hex(value: &Value) -> i64 {
    let text = value.as_str().expect("zxids are text");
    i64::from_str_radix(text.trim_start_matches("0x"), 16).expect("zxids are hex")
}

/// The directory, with its one changed log laid over the one it derives from.
fn disk(dir: &str, over: Option<&str>) -> FakeDisk {
    let disk = FakeDisk::default();
    for part in over.into_iter().chain([dir]) {
        for file in FILES.iter().filter(|file| file.dir == part) {
            disk.put(format!("/data/version-2/{}", file.name), file.content);
        }
    }
    disk
}

fn load_from(disk: &FakeDisk, ensemble: bool) -> Result<Loaded, StorageError> {
    run(load(&options(ensemble), disk.lane()))
}

fn options(ensemble: bool) -> StorageOptions {
    StorageOptions {
        data_dir: "/data".into(),
        data_log_dir: "/data".into(),
        pre_alloc_bytes: 4096,
        snap_retain_count: 3,
        datadir_autocreate: true,
        db_autocreate: true,
        trust_empty: false,
        ensemble,
        field_bytes_max: crate::base::limits::JUTE_FIELD_BYTES_MAX,
        museum: crate::base::Museum::default(),
    }
}

#[test]
fn every_log_record_is_read_and_written_byte_for_byte() {
    let described = described();
    let mut records_seen = 0;
    for file in logs() {
        let entry = described_file(&described, file);
        let expected = entry["records"].as_array().expect("records is a list");
        let mut again = Vec::new();
        encode_log_header(&mut again);
        let mut zxids = Vec::new();
        let content = Bytes::from_static(file.content);
        let (end, _) = read_records(&content, |offset, payload| {
            let proposal = Proposal::decode(payload.clone()).expect("it is a transaction");
            let rebuilt = Proposal::new(
                proposal.header.clone(),
                proposal.txn.clone(),
                proposal.digest.clone(),
            );
            assert_eq!(rebuilt.bytes(), &payload, "{}/{} at {offset}", file.dir, file.name);
            encode_record(rebuilt.bytes(), &mut again);
            zxids.push((offset as i64, proposal.zxid().0));
        });
        assert_eq!(again, file.content[..end as usize], "{}/{}", file.dir, file.name);
        let whole: Vec<(i64, i64)> = expected
            .iter()
            .map(|r| (r["o"].as_i64().expect("an offset"), hex(&r["zxid"])))
            .take_while(|(offset, _)| *offset < end as i64)
            .collect();
        assert_eq!(zxids, whole, "{}/{}", file.dir, file.name);
        records_seen += zxids.len();
    }
    assert!(records_seen > 900, "only {records_seen} records seen");
}

#[test]
fn every_snapshot_is_read_and_written_byte_for_byte() {
    let described = described();
    for file in FILES {
        let Some(plain) = plain_snapshot(file) else { continue };
        let entry = described_file(&described, file);
        let content = decode_snapshot(plain.clone()).expect(file.name);
        assert_eq!(encode(&content), plain, "{}/{}", file.dir, file.name);
        assert_eq!(content.body.nodes.len() as u64, entry["nodes"].as_u64().expect("a number"));
        let digest = content.digest.expect("both versions write it");
        assert_eq!(digest.zxid.0, hex(&entry["digestBlock"]["zxid"]));
        let last = entry["lastZxidBlock"].as_str().map(|_| Zxid(hex(&entry["lastZxidBlock"])));
        assert_eq!(content.last_zxid, last);
    }
}

/// In three pieces, as the server writes it.
fn encode(content: &SnapshotContent) -> Bytes {
    let mut encoder = SnapshotEncoder::for_file();
    encoder.sessions(&content.body.sessions);
    encoder.acls(&content.body.acls);
    let mut out = encoder.take().to_vec();
    let nodes = content.body.nodes.to_nodes();
    let (first, rest) = nodes.split_at(nodes.len() / 2);
    encoder.nodes(first);
    out.extend_from_slice(&encoder.take());
    encoder.nodes(rest);
    out.extend_from_slice(&encoder.finish(content.digest.as_ref(), content.last_zxid));
    out.into()
}

/// Directory, snapshot chosen, transactions behind it, last zxid, epoch.
const LOADS: &[(&str, i64, usize, i64, Option<i64>)] = &[
    ("3.8.0/ensemble-1", 0x0, 133, 0x300000003, Some(3)),
    ("3.8.0/ensemble-2", 0x200000002, 3, 0x300000003, Some(3)),
    ("3.8.0/ensemble-3", 0x200000002, 3, 0x300000003, Some(3)),
    ("3.8.0/gz", 0xb, 4, 0xf, None),
    ("3.8.0/plain", 0x39, 5, 0x3e, None),
    ("3.8.0/snappy", 0x9, 6, 0xf, None),
    ("3.8.0/snapshots", 0x17, 6, 0x1d, None),
    ("3.9.3/ensemble-1", 0x0, 133, 0x300000003, Some(3)),
    ("3.9.3/ensemble-2", 0x200000002, 3, 0x300000003, Some(3)),
    ("3.9.3/ensemble-3", 0x200000002, 3, 0x300000003, Some(3)),
    ("3.9.3/gz", 0x9, 6, 0xf, None),
    ("3.9.3/plain", 0x39, 5, 0x3e, None),
    ("3.9.3/snappy", 0x9, 6, 0xf, None),
    ("3.9.3/snapshots", 0x1b, 2, 0x1d, None),
];

#[test]
fn every_directory_loads_to_the_last_transaction_of_its_log() {
    for (dir, snapshot, txns, last, epoch) in LOADS {
        let disk = disk(dir, None);
        let loaded = load_from(&disk, epoch.is_some()).expect(dir);
        assert_eq!(loaded.snapshot.map(|s| s.zxid), Some(Zxid(*snapshot)), "{dir}");
        assert_eq!(loaded.txns.len(), *txns, "{dir}");
        assert_eq!(loaded.last_logged, Zxid(*last), "{dir}");
        assert_eq!(loaded.accepted_epoch, epoch.map(Epoch), "{dir}");
        assert_eq!(loaded.current_epoch, epoch.map(Epoch), "{dir}");
        assert_eq!(loaded.notes, Vec::<String>::new(), "{dir}");
        assert!(loaded.initialised);
        assert!(!disk.take_ops().iter().any(|op| op.starts_with("cut")), "{dir} was changed");
    }
}

#[test]
fn a_torn_last_record_is_dropped_as_apache_drops_it() {
    for (dir, plain) in [
        ("3.8.0/torn", "3.8.0/plain"),
        ("3.9.3/torn", "3.9.3/plain"),
        ("3.9.3/torn-no-B", "3.9.3/plain"),
        ("3.9.3/torn-zero-tail", "3.9.3/plain"),
    ] {
        let loaded = load_from(&disk(dir, Some(plain)), false).expect(dir);
        assert_eq!(loaded.last_logged, Zxid(0x3d), "{dir}");
        assert_eq!(loaded.txns.len(), 4, "{dir}");
        assert_eq!(loaded.notes.len(), 1, "{dir}: {:?}", loaded.notes);
    }
}

#[test]
fn a_flipped_bit_before_the_end_is_refused_with_file_and_offset() {
    for (dir, plain) in [("3.8.0/flipped", "3.8.0/plain"), ("3.9.3/flipped", "3.9.3/plain")] {
        match load_from(&disk(dir, Some(plain)), false) {
            Err(StorageError::DamagedLog { file, offset, .. }) => {
                assert!(file.ends_with("log.3a"), "{dir}: {file:?}");
                assert_eq!(offset, 184, "{dir}");
            }
            other => panic!("{dir}: {other:?}"),
        }
    }
}

#[test]
fn a_check_by_itself_in_the_log_is_refused_as_apache_refuses_it() {
    let disk = disk("3.8.0/check-alone", None);
    disk.put("/data/version-2/snapshot.0", golden("3.8.0/plain", "snapshot.0"));
    let error = load_from(&disk, false).expect_err("no server starts on it");
    assert!(matches!(error, StorageError::UnreadableTxn { .. }), "{error}");
}

fn golden(dir: &str, name: &str) -> &'static [u8] {
    let found = FILES.iter().find(|file| file.dir == dir && file.name == name);
    found.expect("it is in the table").content
}

#[test]
fn a_directory_without_its_snapshots_is_refused() {
    let disk = FakeDisk::default();
    disk.put("/data/version-2/log.1", golden("3.9.3/plain", "log.1"));
    let error = load_from(&disk, false).expect_err("a log alone may begin anywhere");
    assert!(matches!(error, StorageError::NoSnapshot { .. }), "{error}");
}

#[test]
fn logs_alone_are_a_history_where_that_is_trusted_and_they_begin_it() {
    let trusting = StorageOptions { trust_empty: true, ..options(false) };
    let with = |names: &[&str]| {
        let disk = FakeDisk::default();
        for name in names {
            disk.put(format!("/data/version-2/{name}"), golden("3.9.3/plain", name));
        }
        run(load(&trusting, disk.lane()))
    };
    let whole = with(&["log.1", "log.3a"]).expect("they begin with the first transaction");
    assert_eq!((whole.txns.len(), whole.last_logged), (62, Zxid(0x3e)));
    assert!(whole.snapshot.is_none());
    let torso = with(&["log.3a"]).expect_err("what came before is missing");
    assert!(matches!(torso, StorageError::Gap { .. }), "{torso}");
}

#[test]
fn with_the_newest_snapshot_damaged_the_one_before_leads_to_the_same_end() {
    let disk = disk("3.9.3/plain", None);
    let mut damaged = golden("3.9.3/plain", "snapshot.39").to_vec();
    damaged[1000] ^= 1;
    disk.put("/data/version-2/snapshot.39", &damaged);
    let loaded = load_from(&disk, false).expect("snapshot.0 and both logs are whole");
    assert_eq!(loaded.snapshot.map(|s| s.zxid), Some(Zxid::ZERO));
    assert_eq!((loaded.txns.len(), loaded.last_logged), (62, Zxid(0x3e)));
    assert!(loaded.notes[0].starts_with("snapshot.39 is skipped"), "{:?}", loaded.notes);
}
