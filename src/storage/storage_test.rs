//! The drivers on a fake disk: what they do, in which order, and what a load then finds.
//!
//! Over 500 lines: one bench, and a case for each crash and each answer.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::unbounded_channel;

use super::fake::{FakeDisk, FakeWorld, run, run_to_a_wait};
use super::log_format::{encode_log_header, encode_record};
use super::{
    DurableBound, EpochKind, Guard, Loaded, LogPosition, LogRequest, Outcome, SnapshotEncoder,
    SnapshotRequest, StorageError, StorageOptions, Ticket, load, run_floor, run_log, run_snapshots,
};
use crate::base::{Epoch, SessionId, Stamp, Zxid};
use crate::jute::persist::SnapshotDigest;
use crate::jute::txn::{ErrorTxn, Proposal, SetDataTxn, Txn, TxnHeader, kind};
use crate::runtime::Lane;

pub(super) const DIR: &str = "/data/version-2";

pub(super) fn options() -> StorageOptions {
    StorageOptions {
        data_dir: "/data".into(),
        data_log_dir: "/data".into(),
        pre_alloc_bytes: 8192,
        snap_retain_count: 3,
        datadir_autocreate: true,
        db_autocreate: true,
        trust_empty: false,
        ensemble: true,
        field_bytes_max: crate::base::limits::JUTE_FIELD_BYTES_MAX,
        museum: crate::base::Museum::default(),
    }
}

/// A transaction that takes about 60 bytes.
pub(super) fn txn(zxid: i64) -> Rc<Proposal> {
    let header = TxnHeader {
        client_id: SessionId(1),
        cxid: 1,
        zxid: Zxid(zxid),
        time: 1,
        kind: kind::ERROR,
    };
    Rc::new(Proposal::new(header, Txn::Error(ErrorTxn { err: -110 }), None))
}

pub(super) fn append(zxid: i64) -> LogRequest {
    LogRequest::Append(txn(zxid))
}

pub(super) fn zxids(txns: &[Rc<Proposal>]) -> Vec<i64> {
    txns.iter().map(|txn| txn.zxid().0).collect()
}

pub(super) type Done = Vec<(Stamp, Ticket, Result<Outcome, StorageError>)>;

/// Runs the log driver over these requests, all queued at once, until they are done.
pub(super) fn log_run(disk: &FakeDisk, requests: Vec<LogRequest>) -> Done {
    let stamped = requests.into_iter().enumerate();
    let stamped = stamped.map(|(n, request)| (Stamp(1000 + n as u64), request)).collect();
    log_run_at(&FakeWorld { disk: disk.clone(), ..FakeWorld::default() }, stamped)
}

fn log_run_at(world: &FakeWorld, requests: Vec<(Stamp, LogRequest)>) -> Done {
    run_until(world, requests, true)
}

/// The same, and the process dies behind the last completion, a moment later.
pub(super) fn killed_run(disk: &FakeDisk, requests: Vec<LogRequest>) -> Done {
    let world = FakeWorld { disk: disk.clone(), ..FakeWorld::default() };
    let stamped = requests.into_iter().enumerate();
    run_until(&world, stamped.map(|(n, request)| (Stamp(n as u64), request)).collect(), false)
}

fn run_until(world: &FakeWorld, requests: Vec<(Stamp, LogRequest)>, ends: bool) -> Done {
    let (send, receive) = unbounded_channel();
    for (n, (stamp, request)) in requests.into_iter().enumerate() {
        send.send((stamp, Ticket(n as u64), request)).expect("the receiver is here");
    }
    let (floor, floors) = unbounded_channel();
    let done = Rc::new(RefCell::new(Vec::new()));
    let tell = done.clone();
    let driver = run_log(world.clone(), options(), receive, floor, move |at, ticket, result| {
        tell.borrow_mut().push((at, ticket, result));
    });
    if ends {
        drop(send);
        run(driver);
    } else {
        run_to_a_wait(driver);
    }
    run(run_floor(world.clone(), options(), floors, |_, _, _| ()));
    done.take()
}

pub(super) fn snapshot_run(disk: &FakeDisk, requests: Vec<SnapshotRequest>) -> Done {
    let world = FakeWorld { disk: disk.clone(), ..FakeWorld::default() };
    let (send, receive) = unbounded_channel();
    for (n, request) in requests.into_iter().enumerate() {
        send.send((Stamp(1), Ticket(n as u64), request)).expect("the receiver is here");
    }
    drop(send);
    let done = Rc::new(RefCell::new(Vec::new()));
    let tell = done.clone();
    run(run_snapshots(world, options(), receive, move |at, ticket, result| {
        tell.borrow_mut().push((at, ticket, result));
    }));
    done.take()
}

/// Notes on other things than the epoch files, which these directories lack.
fn notes(loaded: &Loaded) -> Vec<&String> {
    loaded.notes.iter().filter(|note| !note.contains("Epoch")).collect()
}

/// An empty tree. `effects`: how far its nodes may reach.
pub(super) fn snapshot_bytes(effects: i64) -> Bytes {
    let mut encoder = SnapshotEncoder::for_file();
    encoder.sessions(&[]);
    encoder.acls(&[]);
    let digest = SnapshotDigest { zxid: Zxid(effects), version: 2, digest: 1 };
    encoder.finish(Some(&digest), Some(Zxid(effects)))
}

pub(super) fn write_snapshot(zxid: i64, sync: bool) -> Vec<SnapshotRequest> {
    let bytes = snapshot_bytes(zxid);
    vec![
        SnapshotRequest::Begin { zxid: Zxid(zxid), sync },
        SnapshotRequest::Chunk(bytes.slice(..20)),
        SnapshotRequest::Chunk(bytes.slice(20..)),
        SnapshotRequest::Finish,
    ]
}

/// A disk with snapshots of these zxids.
pub(super) fn disk_with(snapshots: &[i64]) -> FakeDisk {
    let disk = FakeDisk::default();
    for zxid in snapshots {
        disk.put(format!("{DIR}/snapshot.{zxid:x}"), &snapshot_bytes(*zxid));
    }
    disk
}

/// The same, of a server that has accepted epoch 3.
pub(super) fn disk_in_epoch_3(snapshots: &[i64]) -> FakeDisk {
    let disk = disk_with(snapshots);
    disk.put(format!("{DIR}/acceptedEpoch"), b"3");
    disk
}

pub(super) fn put_log(disk: &FakeDisk, zxids: &[i64]) {
    let mut content = Vec::new();
    encode_log_header(&mut content);
    zxids.iter().for_each(|zxid| encode_record(txn(*zxid).bytes(), &mut content));
    disk.put(format!("{DIR}/log.{:x}", zxids[0]), &content);
}

pub(super) fn bound(log: i64, offset: u64, last: i64) -> DurableBound {
    DurableBound { log: Zxid(log), offset, last: Zxid(last) }
}

pub(super) fn try_load(disk: &FakeDisk) -> Result<Loaded, StorageError> {
    run(load(&options(), disk.lane()))
}

pub(super) fn loaded(disk: &FakeDisk) -> Loaded {
    try_load(disk).expect("this directory is in order")
}

pub(super) fn failure(disk: &FakeDisk) -> StorageError {
    try_load(disk).expect_err("this directory is not in order")
}

fn outcomes(done: Done) -> Vec<Outcome> {
    done.into_iter().map(|(_, _, result)| result.expect("nothing fails here")).collect()
}

fn ops_with(ops: &[String], words: &[&str]) -> Vec<String> {
    ops.iter().filter(|op| words.iter().any(|word| op.starts_with(word))).cloned().collect()
}

#[test]
fn all_that_is_queued_shares_one_write_and_one_sync() {
    let disk = disk_with(&[0]);
    let done = log_run(&disk, vec![LogRequest::Load, append(1), append(2), append(3)]);
    let tickets: Vec<u64> = done.iter().map(|(_, ticket, _)| ticket.0).collect();
    assert_eq!(tickets, [0, 1, 2, 3]);
    assert!(done[1].0 == done[3].0, "one sync, one moment");
    let durable = [1, 2, 3].map(|n| {
        let offset = 16 + 49 * (n as u64 - 1);
        (
            Zxid(n),
            LogPosition { log: Zxid(1), offset },
            if n == 3 { Some((3, 3 * 36)) } else { None },
        )
    });
    let told = outcomes(done).into_iter().skip(1).map(|outcome| match outcome {
        Outcome::Durable { zxid, at, batch, .. } => {
            (zxid, at, batch.map(|batch| (batch.txns, batch.bytes)))
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), durable, "the last tells of the batch");
    let ops = disk.take_ops();
    let log_ops = ops_with(&ops, &["create log", "write log", "zeros log", "sync log"]);
    assert_eq!(
        log_ops,
        ["create log.1", "write log.1 0+163", "zeros log.1 163+8192", "sync log.1"]
    );
}

#[test]
fn what_the_pump_gave_out_with_an_append_goes_before_it() {
    let disk = disk_with(&[0]);
    let world = FakeWorld { disk: disk.clone(), ..FakeWorld::default() };
    let (send, receive) = unbounded_channel();
    let (floor, _floors) = unbounded_channel();
    let mut driver = pin!(run_log(world, options(), receive, floor, |_, _, _| ()));
    let mut ops_of = |request| {
        send.send((Stamp(1), Ticket(1), request)).expect("the receiver is here");
        [(); 2].map(|()| {
            let polled = driver.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            !disk.take_ops().is_empty()
        })
    };
    assert_eq!(ops_of(LogRequest::Load), [true, false]);
    assert_eq!(ops_of(append(1)), [false, true], "others had a turn");
}

#[test]
fn the_guard_names_a_log_before_it_exists_and_the_name_is_durable_before_the_ack() {
    let disk = disk_with(&[0]);
    log_run(&disk, vec![LogRequest::Load]);
    disk.take_ops();
    disk.fail("sync_dir never");
    log_run(&disk, vec![LogRequest::Load, append(1)]);
    let ops = disk.take_ops();
    let at = |line: &str| ops.iter().position(|op| op == line).expect(line);
    assert!(at("rename quorate.guard.tmp quorate.guard") < at("create log.1"), "{ops:?}");
    let after = &ops[at("sync log.1")..];
    assert_eq!(after[1], "sync_dir version-2", "{ops:?}");
}

#[test]
fn records_over_zeros_need_no_more_zeros() {
    let disk = disk_with(&[0]);
    log_run(
        &disk,
        vec![
            LogRequest::Load,
            append(1),
            LogRequest::WriteEpoch { which: EpochKind::Accepted, epoch: Epoch(1) },
            append(2),
        ],
    );
    let ops = ops_with(&disk.take_ops(), &["write log", "zeros log", "sync log"]);
    assert_eq!(
        ops,
        [
            "write log.1 0+65",
            "zeros log.1 65+8192",
            "sync log.1",
            "write log.1 65+49",
            "sync log.1"
        ]
    );
}

#[test]
fn the_guard_is_written_once_a_log_and_at_a_clean_end() {
    let disk = disk_with(&[0]);
    let big = |zxid| {
        let data = Some(Bytes::from(vec![7; 700_000]));
        let set = SetDataTxn { path: "/a".into(), data, version: 1 };
        let header = TxnHeader { kind: kind::SET_DATA, ..txn(zxid).header.clone() };
        LogRequest::Append(Rc::new(Proposal::new(header, Txn::SetData(set), None)))
    };
    let mut requests = vec![LogRequest::Load];
    requests.extend((1..=9).map(big));
    log_run(&disk, requests);
    let ops = ops_with(&disk.take_ops(), &["rename quorate.guard", "sync log"]);
    let guards: Vec<usize> = (0..ops.len()).filter(|at| ops[*at].starts_with("rename")).collect();
    // Two transactions a batch: before the first, and at the end.
    assert_eq!((ops.len(), guards), (7, vec![0, 6]), "{ops:?}");
    let text = disk.get(format!("{DIR}/quorate.guard")).expect("it was written");
    let guard = Guard::decode(&text).expect("it is whole");
    assert_eq!(guard.bounds, [bound(1, 16 + 9 * (700_000 + 13 + 32 + 14), 9)]);
}

#[test]
fn in_a_simulated_world_only_what_was_surely_queued_shares_a_sync() {
    let disk = disk_with(&[0]);
    let settle = Duration::from_nanos(100);
    let world = FakeWorld { disk: disk.clone(), settle, present: None };
    let at = |stamp, request| (Stamp(stamp), request);
    let done = log_run_at(
        &world,
        vec![
            at(1, LogRequest::Load),
            at(10_000, append(1)),
            at(10_000, append(2)),
            at(10_050, append(3)),
            at(10_060, append(4)),
        ],
    );
    assert_eq!(done[1].0, done[2].0);
    assert!(done[2].0 < done[3].0 && done[3].0 < done[4].0, "3 and 4 were asked for later");
}

#[test]
fn a_failed_sync_fails_its_whole_batch_and_everything_after_it() {
    let disk = disk_with(&[0]);
    disk.fail("sync log.1");
    let epoch = LogRequest::WriteEpoch { which: EpochKind::Current, epoch: Epoch(1) };
    let done = log_run(&disk, vec![LogRequest::Load, append(1), append(2), epoch, append(3)]);
    let failed: Vec<bool> = done.iter().map(|(_, _, result)| result.is_err()).collect();
    assert_eq!(failed, [false, true, true, true, true]);
    assert!(matches!(&done[2].2, Err(StorageError::Io { doing: "syncing", .. })));
    assert!(matches!(&done[4].2, Err(StorageError::Stopped { .. })));
    assert!(!disk.names(DIR).contains(&"currentEpoch".to_string()));
}

#[test]
fn what_a_failed_sync_left_readable_is_durable_once_a_start_has_read_it() {
    let disk = disk_with(&[0]);
    disk.fail("sync log.1");
    log_run(&disk, vec![LogRequest::Load, append(1)]);
    disk.mend();
    assert_eq!(zxids(&loaded(&disk).txns), [1], "it is in the page cache");
    disk.crash();
    assert_eq!(zxids(&loaded(&disk).txns), [1], "the start voted with it");
}

#[test]
fn a_request_before_load_is_refused_and_the_driver_goes_on() {
    let done = log_run(&disk_with(&[0]), vec![append(1), LogRequest::Load, append(1)]);
    assert_eq!(done[0].2, Err(StorageError::NotLoaded));
    assert!(done[1].2.is_ok() && done[2].2.is_ok());
}

#[test]
fn each_start_roll_and_load_begins_a_new_log() {
    let disk = disk_with(&[0]);
    log_run(&disk, vec![LogRequest::Load, append(1), LogRequest::Roll, append(2)]);
    log_run(&disk, vec![LogRequest::Load, append(3), LogRequest::Load, append(4)]);
    let logs: Vec<_> =
        disk.names(DIR).into_iter().filter(|name| name.starts_with("log.")).collect();
    assert_eq!(logs, ["log.1", "log.2", "log.3", "log.4"]);
    let loaded = loaded(&disk);
    assert_eq!(zxids(&loaded.txns), [1, 2, 3, 4]);
    assert_eq!(loaded.notes, Vec::<String>::new());
}

#[test]
fn after_a_truncation_appends_follow_what_is_left() {
    let disk = disk_with(&[0]);
    disk.put(format!("{DIR}/acceptedEpoch"), b"1");
    let to = LogRequest::Truncate { to: Zxid(2) };
    let mut requests = vec![LogRequest::Load];
    requests.extend([1, 2, 3].map(append));
    requests.extend([LogRequest::Roll, append(4), to, append(1 << 32 | 1)]);
    log_run(&disk, requests).into_iter().for_each(|(_, _, result)| assert!(result.is_ok()));
    disk.crash();
    let loaded = loaded(&disk);
    assert_eq!(zxids(&loaded.txns), [1, 2, 1 << 32 | 1]);
    assert!(notes(&loaded).is_empty(), "{:?}", loaded.notes);
    assert_eq!(disk.get(format!("{DIR}/log.1")).map(|log| log.len()), Some(16 + 2 * 49));
}

#[test]
fn a_truncation_removes_every_snapshot_that_may_hold_what_is_cut() {
    let disk = disk_with(&[0, 4]);
    // Fuzzy: named 2, with effects of 3.
    disk.put(format!("{DIR}/snapshot.2"), &snapshot_bytes(3));
    disk.put(format!("{DIR}/snapshot.1"), &snapshot_bytes(1));
    put_log(&disk, &[1, 2, 3, 4]);
    let done = log_run(&disk, vec![LogRequest::Load, LogRequest::Truncate { to: Zxid(2) }]);
    assert_eq!(done[1].2, Ok(Outcome::Truncated { to: Zxid(2) }));
    let loaded = loaded(&disk);
    assert_eq!(loaded.snapshot.map(|s| s.zxid), Some(Zxid(1)));
    assert_eq!((zxids(&loaded.txns), loaded.last_logged), (vec![2], Zxid(2)));
}

#[test]
fn a_truncation_that_cannot_be_exact_is_refused_and_changes_nothing() {
    let to = |zxid| vec![LogRequest::Load, LogRequest::Truncate { to: Zxid(zxid) }, append(9)];
    let gone = disk_with(&[4]);
    put_log(&gone, &[5, 6, 7, 8]);
    let no_log = disk_with(&[8]);
    let sparse = disk_with(&[4]);
    put_log(&sparse, &[5, 6, 7, 8]);
    for (disk, zxid) in [(gone, 3), (no_log, 9), (sparse, 12)] {
        let before = disk.names(DIR);
        let done = log_run(&disk, to(zxid));
        assert!(matches!(done[1].2, Err(StorageError::CannotTruncate { .. })), "{:?}", done[1].2);
        assert!(done[2].2.is_ok(), "nothing has changed, so the log goes on");
        assert!(before.iter().all(|name| disk.names(DIR).contains(name)));
    }
}

#[test]
fn a_leaders_snapshot_below_the_own_log_replaces_what_is_behind_it() {
    let disk = disk_with(&[0]);
    put_log(&disk, &[1, 2, 3, 4, 5]);
    log_run(&disk, vec![LogRequest::Load]);
    snapshot_run(&disk, write_snapshot(3, true));
    let done = log_run(&disk, vec![LogRequest::Load, LogRequest::Truncate { to: Zxid(3) }]);
    assert_eq!(done[1].2, Ok(Outcome::Truncated { to: Zxid(3) }));
    assert_eq!(loaded(&disk).last_logged, Zxid(3));
}

#[test]
fn logs_that_end_below_a_leaders_snapshot_are_removed() {
    let disk = disk_with(&[0, 9]);
    put_log(&disk, &[1, 2]);
    put_log(&disk, &[3, 4]);
    let guard = Guard { bounds: vec![bound(3, 16, 0)], ..Guard::default() };
    disk.put(format!("{DIR}/quorate.guard"), guard.encode().as_bytes());
    for _ in 0..2 {
        assert_eq!(loaded(&disk).last_logged, Zxid(9));
    }
    assert!(disk.names(DIR).iter().all(|name| !name.starts_with("log.")), "5 to 9 are in no log");
    for snapshot in [4, 1 << 32] {
        let whole = disk_with(&[0, snapshot]);
        put_log(&whole, &[1, 2]);
        put_log(&whole, &[3, 4]);
        assert_eq!(loaded(&whole).last_logged, Zxid(snapshot));
        assert!(whole.names(DIR).contains(&"log.1".to_owned()), "they lead up to the snapshot");
    }
}

#[test]
fn a_log_begun_anew_leaves_no_newer_snapshot() {
    let disk = disk_with(&[0, 4, 9]);
    let done = log_run(&disk, vec![LogRequest::Load, LogRequest::Reset { behind: Zxid(4) }]);
    assert_eq!(done[1].2, Ok(Outcome::LogReset));
    assert_eq!(loaded(&disk).last_logged, Zxid(4));
}

#[test]
fn a_tear_above_the_guards_bound_is_cut_even_with_good_records_behind_it() {
    let disk = disk_with(&[0]);
    log_run(&disk, vec![LogRequest::Load, append(1), append(2), append(3)]);
    let mut log = disk.get(format!("{DIR}/log.1")).expect("it was written");
    log[16 + 49 + 20] ^= 1;
    disk.put(format!("{DIR}/log.1"), &log);
    let guard = |offset| Guard { bounds: vec![bound(1, offset, 0)], ..Guard::default() };
    let guard_path = format!("{DIR}/quorate.guard");
    let below = disk.copy();
    disk.put(&guard_path, guard(65).encode().as_bytes());
    let loaded = loaded(&disk);
    assert_eq!(zxids(&loaded.txns), [1]);
    assert!(loaded.notes[0].contains("log.1") && loaded.notes[0].contains("offset 65"));
    assert_eq!(disk.get(format!("{DIR}/log.1")).map(|log| log.len()), Some(65));

    below.put(&guard_path, guard(66).encode().as_bytes());
    match failure(&below) {
        StorageError::DurableDataLost { file, offset, bound, .. } => {
            assert!(file.ends_with("log.1"));
            assert_eq!((offset, bound), (65, 66));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_log_that_shrank_below_the_guards_bound_or_vanished_is_refused() {
    let disk = disk_with(&[0]);
    log_run(&disk, vec![LogRequest::Load, append(1), append(2)]);
    let vanished = FakeDisk::default();
    for name in disk.names(DIR).iter().filter(|name| !name.starts_with("log.")) {
        let path = format!("{DIR}/{name}");
        vanished.put(&path, &disk.get(&path).expect("it is listed"));
    }
    let last = Zxid(2);
    match failure(&vanished) {
        StorageError::DurableLogMissing { bound: 114, last: found, .. } => assert_eq!(found, last),
        other => panic!("{other}"),
    }
    // Zeros where records were: without the guard it would be a short log.
    let log = disk.get(format!("{DIR}/log.1")).expect("it was written");
    disk.put(format!("{DIR}/log.1"), &[&log[..65], &[0; 100]].concat());
    assert!(matches!(failure(&disk), StorageError::DurableDataLost { offset: 65, .. }));
}

#[test]
fn a_log_newer_than_the_guard_makes_it_void() {
    let disk = disk_with(&[0]);
    disk.put(format!("{DIR}/acceptedEpoch"), b"1");
    log_run(&disk, vec![LogRequest::Load, append(1), append(2), append(3)]);
    // Another program truncated to 2 and went on in a later epoch.
    let log = disk.get(format!("{DIR}/log.1")).expect("it was written");
    disk.put(format!("{DIR}/log.1"), &log[..114]);
    put_log(&disk, &[1 << 32 | 1]);
    let found = loaded(&disk);
    assert_eq!(zxids(&found.txns), [1, 2, 1 << 32 | 1]);
    assert!(found.notes[0].contains("newer"), "{:?}", found.notes);
    assert!(notes(&loaded(&disk)).is_empty(), "it was learnt anew");
    assert_eq!(loaded(&disk).guard.instance, Some(0xfeed_0000));
}

#[test]
fn a_log_created_but_never_written_is_removed_if_it_is_the_newest() {
    for content in [&b""[..], &[0; 3], &[0; 4096]] {
        let disk = disk_with(&[0]);
        put_log(&disk, &[1]);
        disk.put(format!("{DIR}/log.2"), content);
        let loaded = loaded(&disk);
        assert_eq!((zxids(&loaded.txns), loaded.notes.len()), (vec![1], 1));
        assert!(!disk.names(DIR).contains(&"log.2".to_string()));
    }
    // A header alone is a valid log; the next append may bear its name.
    let disk = disk_with(&[0]);
    let mut header = Vec::new();
    encode_log_header(&mut header);
    disk.put(format!("{DIR}/log.1"), &header);
    assert!(loaded(&disk).notes.is_empty());
    log_run(&disk, vec![LogRequest::Load, append(1)]);
    assert_eq!(zxids(&loaded(&disk).txns), [1]);
}

#[test]
fn zeros_for_a_header_with_records_behind_it_are_refused() {
    let disk = disk_with(&[0]);
    put_log(&disk, &[1]);
    let mut log = disk.get(format!("{DIR}/log.1")).expect("it was put");
    log[..16].fill(0);
    disk.put(format!("{DIR}/log.1"), &log);
    assert!(matches!(failure(&disk), StorageError::NotALog { .. }));
}

#[test]
fn holes_and_falling_zxids_are_refused() {
    for (zxids, gap) in [
        (&[1, 3][..], true),
        (&[2, 3], true),
        (&[1, 2, 1 << 32 | 2], true),
        (&[1, 1 << 32 | 1, 2], false),
    ] {
        let disk = disk_with(&[0]);
        let mut content = Vec::new();
        encode_log_header(&mut content);
        zxids.iter().for_each(|zxid| encode_record(txn(*zxid).bytes(), &mut content));
        disk.put(format!("{DIR}/log.1"), &content);
        match failure(&disk) {
            StorageError::Gap { .. } => assert!(gap, "{zxids:?}"),
            StorageError::NotRising { .. } => assert!(!gap, "{zxids:?}"),
            other => panic!("{other}"),
        }
    }
    let disk = disk_with(&[0]);
    put_log(&disk, &[1, 2, 1 << 32 | 1, 3 << 32 | 1]);
    assert_eq!(loaded(&disk).last_logged, Zxid(3 << 32 | 1));
}

#[test]
fn a_log_that_ends_before_the_snapshot_leaves_no_hole() {
    let disk = disk_with(&[0, 1 << 32 | 5]);
    put_log(&disk, &[1, 2]);
    put_log(&disk, &[1 << 32 | 6]);
    let loaded = loaded(&disk);
    assert_eq!(zxids(&loaded.txns), [1 << 32 | 6]);
}

#[test]
fn a_snapshot_that_a_start_relied_on_outlives_the_next_power_failure() {
    let disk = disk_with(&[0]);
    put_log(&disk, &[1, 2]);
    snapshot_run(&disk, write_snapshot(5, false));
    assert_eq!(loaded(&disk).last_logged, Zxid(5), "it survived a kill in the page cache");
    disk.crash();
    assert_eq!(loaded(&disk).last_logged, Zxid(5), "the start voted with it");
}

#[test]
fn an_empty_directory_votes_with_consent_only_and_the_marker_works_once() {
    let empty = |marker: bool| {
        let disk = FakeDisk::default();
        if marker {
            disk.put("/data/initialize", b"");
        }
        disk
    };
    let start = |disk: &FakeDisk, db_autocreate, ensemble| {
        let options = StorageOptions { db_autocreate, ensemble, ..options() };
        let found = run(load(&options, disk.lane())).expect("empty is in order");
        (found.initialised, found.last_logged)
    };
    let no = (false, Zxid::UNINITIALISED);
    let yes = (true, Zxid::ZERO);
    assert_eq!(start(&empty(false), true, true), yes);
    assert_eq!(start(&empty(false), false, true), no);
    assert_eq!(start(&empty(false), false, false), yes);
    let marked = empty(true);
    assert_eq!(start(&marked, false, true), yes);
    assert_eq!(start(&marked, false, true), no);
}

#[test]
fn epoch_files_are_repaired_where_a_crash_explains_them_and_refused_elsewhere() {
    let with = |accepted: Option<i64>, current: Option<i64>, tmp: Option<&str>| {
        let disk = disk_with(&[0]);
        put_log(&disk, &[1, 2 << 32 | 1]);
        for (name, text) in [
            ("acceptedEpoch", accepted.map(|e| e.to_string())),
            ("currentEpoch", current.map(|e| e.to_string())),
            ("currentEpoch.tmp", tmp.map(str::to_string)),
        ] {
            if let Some(text) = text {
                disk.put(format!("{DIR}/{name}"), text.as_bytes());
            }
        }
        try_load(&disk).map(|found| {
            let on_disk = disk.get(format!("{DIR}/currentEpoch"));
            let on_disk = on_disk.map(|text| String::from_utf8(text).expect("digits"));
            assert_eq!(found.current_epoch.map(|e| e.to_string()), on_disk);
            (found.accepted_epoch.map(|e| e.0), found.current_epoch.map(|e| e.0))
        })
    };
    assert_eq!(with(Some(3), Some(2), None), Ok((Some(3), Some(2))));
    assert_eq!(with(None, None, None), Ok((None, None)));
    assert_eq!(with(Some(3), Some(1), None), Ok((Some(3), Some(2))), "a sync cut short");
    assert_eq!(with(Some(3), Some(1), Some("3")), Ok((Some(3), Some(3))), "its epoch was written");
    assert_eq!(with(Some(3), Some(1), Some("")), Ok((Some(3), Some(2))));
    let (current, last) = (Epoch(1), Zxid(2 << 32 | 1));
    assert_eq!(
        with(Some(1), Some(1), None),
        Err(StorageError::CurrentEpochTooOld { current, last })
    );
    let (accepted, current) = (Epoch(2), Epoch(3));
    assert_eq!(
        with(Some(2), Some(3), None),
        Err(StorageError::AcceptedEpochTooOld { accepted, current })
    );
    assert!(matches!(with(None, Some(3), None), Err(StorageError::AcceptedEpochTooOld { .. })));
}

/// What a follower of Apache 3.8.0 leaves behind when it fails a synchronisation and repeats it.
#[test]
fn a_run_of_records_that_is_repeated_is_the_same_history() {
    let disk = disk_with(&[0]);
    put_log(&disk, &[1, 2, 3, 2, 3]);
    put_log(&disk, &[4]);
    disk.put(format!("{DIR}/log.5"), &disk.get(format!("{DIR}/log.4")).expect("it was put"));
    assert_eq!(zxids(&loaded(&disk).txns), [1, 2, 3, 4]);
    // Not the same record.
    let other = Proposal::new(txn(1).header.clone(), Txn::Error(ErrorTxn { err: -1 }), None);
    let mut content = disk.get(format!("{DIR}/log.4")).expect("it was put");
    encode_record(other.bytes(), &mut content);
    disk.put(format!("{DIR}/log.4"), &content);
    assert!(matches!(failure(&disk), StorageError::NotRising { .. }));
}

#[test]
fn a_lost_accepted_epoch_is_assumed_where_another_program_wrote_and_refused_where_we_did() {
    let disk = disk_with(&[0]);
    put_log(&disk, &[2 << 32 | 1]);
    let theirs = loaded(&disk);
    assert_eq!(theirs.accepted_epoch, None, "that of the last transaction: Apache's rule");
    let promise = LogRequest::WriteEpoch { which: EpochKind::Accepted, epoch: Epoch(3) };
    log_run(&disk, vec![LogRequest::Load, promise, LogRequest::Roll, append(3 << 32 | 1)]);
    assert_eq!(loaded(&disk).accepted_epoch, Some(Epoch(3)));
    let file: std::path::PathBuf = format!("{DIR}/acceptedEpoch").into();
    run(crate::runtime::Lane::remove(&disk.lane(), &file)).expect("it is there");
    assert_eq!(failure(&disk), StorageError::AcceptedEpochMissing { file });
}

#[test]
fn epochs_written_are_epochs_loaded() {
    let disk = disk_with(&[0]);
    let write = |which, epoch| LogRequest::WriteEpoch { which, epoch: Epoch(epoch) };
    let done = log_run(
        &disk,
        vec![LogRequest::Load, write(EpochKind::Accepted, 5), write(EpochKind::Current, 4)],
    );
    assert_eq!(
        outcomes(done)[2],
        Outcome::EpochWritten { which: EpochKind::Current, epoch: Epoch(4) }
    );
    disk.crash();
    let loaded = loaded(&disk);
    assert_eq!(loaded.accepted_epoch, Some(Epoch(5)));
    assert_eq!(loaded.current_epoch, Some(Epoch(4)));
    assert_eq!(disk.get(format!("{DIR}/acceptedEpoch")), Some(b"5".to_vec()));
}

/// The zxid of a snapshot that was written as a whole, and whether it is durable.
fn snapshot_done(done: Done) -> (Zxid, bool) {
    match outcomes(done)[3] {
        Outcome::SnapshotDone { zxid, sync, .. } => (zxid, sync),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_snapshot_has_its_name_only_when_it_is_whole() {
    let disk = disk_with(&[0]);
    snapshot_run(&disk, write_snapshot(5, true)[..3].to_vec());
    assert_eq!(disk.names(DIR), ["snapshot.0", "snapshot.5.tmp"]);
    assert_eq!(loaded(&disk).snapshot.map(|s| s.zxid), Some(Zxid::ZERO));
    assert_eq!(disk.names(DIR), ["snapshot.0"], "a start removes leftovers");

    let done = snapshot_run(&disk, write_snapshot(5, true));
    assert_eq!(snapshot_done(done), (Zxid(5), true));
    disk.crash();
    assert_eq!(loaded(&disk).snapshot.map(|s| s.zxid), Some(Zxid(5)));
    let mut aborted = write_snapshot(6, false)[..2].to_vec();
    aborted.extend([SnapshotRequest::Abort, SnapshotRequest::Finish]);
    let done = snapshot_run(&disk, aborted);
    assert_eq!(done[2].2, Ok(Outcome::Aborted));
    assert_eq!(done[3].2, Err(StorageError::NoSnapshotBegun));
    assert_eq!(disk.names(DIR), ["snapshot.0", "snapshot.5"]);
}

#[test]
fn a_first_snapshot_and_one_that_replaces_another_are_always_synced() {
    let disk = FakeDisk::default();
    loaded(&disk);
    let done = snapshot_run(&disk, write_snapshot(0, false));
    assert_eq!(snapshot_done(done), (Zxid(0), true));
    snapshot_run(&disk, write_snapshot(7, true));
    let done = snapshot_run(&disk, write_snapshot(7, false));
    assert_eq!(snapshot_done(done), (Zxid(7), true));
    snapshot_run(&disk, write_snapshot(9, false));
    disk.crash();
    assert_eq!(loaded(&disk).snapshot.map(|s| s.zxid), Some(Zxid(7)));
}

#[test]
fn purge_keeps_the_newest_valid_snapshots_and_the_log_that_straddles_the_oldest() {
    let disk = disk_with(&[0, 2, 5, 8, 12]);
    let mut damaged = snapshot_bytes(10).to_vec();
    damaged[30] ^= 1;
    disk.put(format!("{DIR}/snapshot.a"), &damaged);
    for zxids in [&[1, 2][..], &[3, 4, 5, 6], &[7, 8, 9], &[10, 11, 12, 13]] {
        put_log(&disk, zxids);
    }
    let done = snapshot_run(&disk, vec![SnapshotRequest::Purge, SnapshotRequest::Purge]);
    assert_eq!(done[0].2, Ok(Outcome::Purged { removed: 3 }));
    assert_eq!(done[1].2, Ok(Outcome::Purged { removed: 0 }));
    disk.crash();
    assert_eq!(
        disk.names(DIR),
        ["log.3", "log.7", "log.a", "snapshot.5", "snapshot.8", "snapshot.a", "snapshot.c"]
    );
    for damaged in ["snapshot.c", "snapshot.8"] {
        disk.put(format!("{DIR}/{damaged}"), b"gone");
        assert_eq!(loaded(&disk).last_logged, Zxid(13), "without {damaged}");
    }
}

#[test]
fn files_in_each_others_directories_are_refused() {
    let disk = disk_with(&[0]);
    disk.put("/logs/version-2/log.1", b"");
    let apart = StorageOptions { data_log_dir: "/logs".into(), ..options() };
    assert!(run(load(&apart, disk.lane())).is_ok());
    put_log(&disk, &[1]);
    let error = run(load(&apart, disk.lane())).expect_err("a log in dataDir");
    assert!(matches!(error, StorageError::Misplaced { .. }), "{error}");
}

#[test]
fn a_snapshot_is_synced_while_it_grows() {
    let disk = disk_with(&[0]);
    let mut requests = vec![SnapshotRequest::Begin { zxid: Zxid(5), sync: false }];
    requests.extend((0..6).map(|_| SnapshotRequest::Chunk(Bytes::from(vec![7; 1 << 19]))));
    snapshot_run(&disk, requests);
    let ops = ops_with(&disk.take_ops(), &["write snapshot", "sync snapshot"]);
    let syncs: Vec<usize> = (0..ops.len()).filter(|at| ops[*at].starts_with("sync")).collect();
    assert_eq!(syncs, [2, 5, 8], "{ops:?}");
}

#[test]
fn a_snapshot_rests_behind_a_portion_unless_somebody_waits_for_it() {
    // How much later than the disk had it the portion is told.
    let told_after = |sync, then: Vec<SnapshotRequest>| {
        let disk = disk_with(&[0]);
        let portion = SnapshotRequest::Chunk(Bytes::from(vec![7; 1 << 20]));
        let begin = SnapshotRequest::Begin { zxid: Zxid(5), sync };
        let requests = [vec![begin.clone(), portion.clone()], then].concat();
        let whole = disk.copy();
        snapshot_run(&whole, vec![begin, portion]);
        let ended = whole.lane().ended();
        snapshot_run(&disk, requests)[1].0 - ended
    };
    // A write and a sync took a nanosecond each; seven times that is the rest.
    assert_eq!(told_after(false, vec![]), Duration::from_nanos(14));
    assert_eq!(told_after(false, vec![SnapshotRequest::Abort]), Duration::ZERO);
    assert_eq!(told_after(true, vec![]), Duration::ZERO);
}
