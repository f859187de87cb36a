//! Disks that have lost something, and disks that have not.

use super::fake::{FakeDisk, run};
use super::floor::Floor;
use super::storage_test::{
    DIR, append, bound, disk_in_epoch_3, disk_with, failure, killed_run, loaded, log_run, put_log,
    snapshot_bytes, snapshot_run, write_snapshot, zxids,
};
use super::{EpochKind, Guard, LogRequest, SnapshotRequest, StorageError};
use crate::base::{Epoch, Zxid};
use crate::runtime::Lane;

/// A zxid.
fn at(epoch: i64, counter: i64) -> i64 {
    (epoch << 32) + counter
}

fn path(name: &str) -> String {
    format!("{DIR}/{name}")
}

fn lose(disk: &FakeDisk, name: &str) {
    run(disk.lane().remove(path(name).as_ref())).expect("it was there");
    run(disk.lane().sync_dir(DIR.as_ref())).expect("the directory is there");
}

fn flip(disk: &FakeDisk, name: &str, offset: usize) {
    let mut content = disk.get(path(name)).expect("it was there");
    content[offset] ^= 1;
    disk.put(path(name), &content);
}

/// Three epochs, a log each, behind an empty snapshot.
fn three_epochs() -> FakeDisk {
    let disk = disk_in_epoch_3(&[0]);
    let mut requests = vec![LogRequest::Load];
    for first in [1, at(1, 1), at(2, 1)] {
        requests.extend([append(first), append(first + 1), LogRequest::Roll]);
    }
    log_run(&disk, requests);
    disk
}

/// A learner whose logs begin anew behind its leader's snapshot, which is durable.
fn learner_behind(zxid: i64) -> FakeDisk {
    let disk = disk_in_epoch_3(&[0]);
    log_run(&disk, vec![LogRequest::Load, append(1), append(2)]);
    snapshot_run(&disk, write_snapshot(zxid, true));
    log_run(&disk, vec![LogRequest::Load, LogRequest::Reset { behind: Zxid(zxid) }]);
    disk
}

#[test]
fn a_rotten_record_that_was_acked_a_moment_before_the_kill_is_refused() {
    let disk = disk_with(&[0]);
    killed_run(&disk, vec![LogRequest::Load, append(1), append(2), append(3)]);
    let text = disk.get(path("quorate.floor")).expect("it was written");
    let floor = Floor::decode(&text).expect("it is whole");
    assert_eq!((floor.number, floor.bound), (1, bound(1, 16 + 3 * 49, 3)));
    flip(&disk, "log.1", 16 + 20);
    match failure(&disk) {
        StorageError::DurableDataLost { file, offset: 16, bound, .. } => {
            assert!(file.ends_with("log.1") && bound == floor.bound.offset);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_floor_behind_another_guard_file_claims_nothing() {
    let disk = disk_with(&[0]);
    killed_run(&disk, vec![LogRequest::Load, append(1), append(2), append(3)]);
    let text = disk.get(path("quorate.floor")).expect("it was written");
    let floor = Floor::decode(&text).expect("it is whole");
    // What is on its way there while the log is cut arrives late.
    for late in [
        Floor { number: floor.number + 1, ..floor.clone() },
        Floor { instance: Some(7), ..floor.clone() },
    ] {
        let disk = disk.copy();
        disk.put(path("quorate.floor"), late.encode().as_bytes());
        flip(&disk, "log.1", 16 + 20);
        assert_eq!(loaded(&disk).last_logged, Zxid(0));
    }
    let cut = vec![LogRequest::Load, LogRequest::Truncate { to: Zxid(1) }];
    log_run(&disk, cut);
    disk.put(path("quorate.floor"), floor.encode().as_bytes());
    assert_eq!(zxids(&loaded(&disk).txns), [1]);
}

#[test]
fn the_log_of_a_whole_epoch_that_is_missing_is_noticed() {
    let disk = three_epochs();
    lose(&disk, "log.100000001");
    match failure(&disk) {
        StorageError::DurableLogMissing { file, last, .. } => {
            assert!(file.ends_with("log.100000001"));
            assert_eq!(last, Zxid(at(1, 2)));
        }
        other => panic!("{other}"),
    }
    // Without a guard nothing tells it from an epoch in which nothing was written.
    lose(&disk, "quorate.guard");
    assert_eq!(loaded(&disk).last_logged, Zxid(at(2, 2)));
}

#[test]
fn an_older_log_that_ends_too_early_is_noticed() {
    let disk = three_epochs();
    let log = disk.get(path("log.100000001")).expect("it was written");
    disk.put(path("log.100000001"), &log[..16 + 49]);
    match failure(&disk) {
        StorageError::DurableDataLost { file, offset: 65, bound: 114, .. } => {
            assert!(file.ends_with("log.100000001"));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn an_older_snapshot_is_not_taken_for_one_behind_which_the_logs_begin() {
    let disk = learner_behind(9);
    let later = disk.copy();
    // What follows is the first of a later epoch, as it would be behind any snapshot.
    log_run(&later, vec![LogRequest::Load, append(at(1, 1))]);
    for disk in [disk, later] {
        let gone = disk.copy();
        flip(&disk, "snapshot.9", 30);
        match failure(&disk) {
            StorageError::HistoryLost { missed, base, skipped: Some(skipped), .. } => {
                assert_eq!((missed, base), (Zxid(9), Zxid(0)));
                assert_eq!(skipped.name, "snapshot.9");
            }
            other => panic!("{other}"),
        }
        lose(&gone, "snapshot.9");
        assert!(matches!(failure(&gone), StorageError::HistoryLost { skipped: None, .. }));
        lose(&gone, "quorate.guard");
        assert!(loaded(&gone).snapshot.is_some(), "the operator says so");
    }
}

#[test]
fn an_older_snapshot_is_taken_where_the_logs_lead_on_from_it() {
    let disk = three_epochs();
    snapshot_run(&disk, write_snapshot(at(1, 1), false));
    disk.put(path("snapshot.200000001"), b"torn");
    let found = loaded(&disk);
    assert_eq!(found.snapshot.map(|snapshot| snapshot.zxid), Some(Zxid(at(1, 1))));
    assert_eq!(zxids(&found.txns), [at(1, 2), at(2, 1), at(2, 2)]);
}

#[test]
fn what_a_purge_removed_is_not_missed() {
    let disk = disk_with(&[0]);
    let mut requests = vec![LogRequest::Load];
    (1..=8).for_each(|zxid| requests.extend([append(zxid), LogRequest::Roll]));
    log_run(&disk, requests);
    for zxid in [4, 5, 6, 7] {
        snapshot_run(&disk, write_snapshot(zxid, true));
    }
    snapshot_run(&disk, vec![SnapshotRequest::Purge]);
    assert!(!disk.names(DIR).contains(&"log.4".to_owned()));
    for damaged in ["snapshot.7", "snapshot.6"] {
        disk.put(path(damaged), b"gone");
        assert_eq!(loaded(&disk).last_logged, Zxid(8), "without {damaged}");
    }
    lose(&disk, "log.7");
    assert!(matches!(failure(&disk), StorageError::DurableLogMissing { .. }));
}

#[test]
fn what_a_truncation_dropped_is_not_missed_and_what_it_kept_is() {
    let disk = three_epochs();
    snapshot_run(&disk, write_snapshot(at(2, 1), true));
    log_run(&disk, vec![LogRequest::Load, LogRequest::Truncate { to: Zxid(at(1, 1)) }]);
    assert_eq!(zxids(&loaded(&disk).txns), [1, 2, at(1, 1)]);
    log_run(&disk, vec![LogRequest::Load, append(at(3, 1))]);
    assert_eq!(loaded(&disk).last_logged, Zxid(at(3, 1)));
    lose(&disk, "log.100000001");
    assert!(matches!(failure(&disk), StorageError::DurableLogMissing { .. }));
}

#[test]
fn what_a_start_votes_with_is_claimed_from_then_on() {
    let disk = disk_with(&[0]);
    let requests = vec![LogRequest::Load, append(1), append(2)];
    killed_run(&disk, requests);
    // The floor file was not yet there, or is of format 1's time.
    lose(&disk, "quorate.floor");
    let of_1 = |guard: &Guard| guard.encode().contains("bound log.1 0 0");
    let guard = |disk: &FakeDisk| {
        Guard::decode(&disk.get(path("quorate.guard")).expect("it is there")).expect("it is whole")
    };
    assert!(of_1(&guard(&disk)));
    assert_eq!(loaded(&disk).last_logged, Zxid(2));
    assert_eq!(guard(&disk).bounds, [bound(1, 114, 2)]);
    flip(&disk, "log.1", 16 + 20);
    assert!(matches!(failure(&disk), StorageError::DurableDataLost { .. }));
}

#[test]
fn a_log_that_apache_has_cut_makes_the_guard_void_and_one_that_lost_its_end_does_not() {
    let disk = disk_with(&[0]);
    disk.put(path("acceptedEpoch"), b"1");
    killed_run(&disk, vec![LogRequest::Load, append(1), append(2), append(3)]);
    let log = disk.get(path("log.1")).expect("it was written");
    disk.put(path("log.1"), &log[..114]);
    let end = |disk: &FakeDisk| match failure(disk) {
        StorageError::DurableDataLost { offset, .. } => offset,
        other => panic!("{other}"),
    };
    assert_eq!(end(&disk.copy()), 114, "without a snapshot nobody says that it was cut");
    // Behind TRUNC comes a snapshot (Learner.syncWithLeader).
    disk.put(path("snapshot.2"), &snapshot_bytes(2));
    let longer = disk.copy();
    longer.put(path("log.1"), &[&log[..114], &[0; 10]].concat());
    assert_eq!(end(&longer), 114, "a log of ours goes on with zeros");
    let found = loaded(&disk);
    assert_eq!((found.last_logged, zxids(&found.txns)), (Zxid(2), vec![]));
    assert!(found.notes[0].contains("has cut it"), "{:?}", found.notes);
    let again = loaded(&disk).notes;
    assert!(again.iter().all(|note| !note.contains("cut")), "it was learnt anew: {again:?}");
    log_run(&disk, vec![LogRequest::Load, append(at(1, 1))]);
    assert_eq!(loaded(&disk).last_logged, Zxid(at(1, 1)));
}

#[test]
fn a_directory_of_another_server_program_is_claimed_with_the_first_log() {
    let disk = disk_with(&[0, 3, 5]);
    put_log(&disk, &[1, 2, 3, 4, 5]);
    log_run(&disk, vec![LogRequest::Load, append(6)]);
    let guard = loaded(&disk).guard;
    assert_eq!(guard.floor(), Zxid(6));
    for damaged in ["snapshot.5", "snapshot.3"] {
        disk.put(path(damaged), b"gone");
        assert_eq!(loaded(&disk).last_logged, Zxid(6), "without {damaged}");
    }
    // Its learner has the leader's snapshot, and no log that leads up to it.
    let learner = disk_with(&[0]);
    learner.put(path("snapshot.100000005"), &snapshot_bytes(at(1, 5)));
    log_run(&learner, vec![LogRequest::Load, append(at(2, 1))]);
    flip(&learner, "snapshot.100000005", 30);
    assert!(matches!(failure(&learner), StorageError::HistoryLost { .. }));
}

#[test]
fn an_older_copy_of_the_files_without_the_guard_file_is_refused_with_the_way_out() {
    let disk = three_epochs();
    let old = disk_with(&[0]);
    put_log(&old, &[1, 2]);
    old.put(path("quorate.guard"), &disk.get(path("quorate.guard")).expect("it was written"));
    let words = failure(&old).to_string();
    assert!(words.contains("log.100000001 is missing"), "{words}");
    assert!(words.contains("remove quorate.guard"), "{words}");
    assert!(words.contains("empty version-2 in dataDir and dataLogDir"), "{words}");
}

#[test]
fn a_leaders_snapshot_is_unfinished_until_an_epoch_is_durable_that_has_it() {
    let disk = disk_with(&[0]);
    let mark = LogRequest::MarkUnfinished { snapshot: Zxid(9) };
    log_run(&disk, vec![LogRequest::Load, append(1), mark]);
    assert!(!loaded(&disk.copy()).unfinished, "it is not there yet");
    snapshot_run(&disk, write_snapshot(9, true));
    disk.crash();
    assert!(loaded(&disk).unfinished);
    log_run(&disk, vec![LogRequest::Load, LogRequest::Reset { behind: Zxid(9) }]);
    log_run(&disk, vec![LogRequest::Load, append(10)]);
    disk.crash();
    assert!(loaded(&disk).unfinished, "what follows it may not be all");
    let newer = disk.copy();
    snapshot_run(&newer, write_snapshot(10, true));
    assert!(!loaded(&newer).unfinished, "of an unfinished tree none is written");
    let epoch = |which| LogRequest::WriteEpoch { which, epoch: Epoch(0) };
    log_run(&disk, vec![LogRequest::Load, epoch(EpochKind::Accepted)]);
    assert!(loaded(&disk).unfinished);
    log_run(&disk, vec![LogRequest::Load, epoch(EpochKind::Current)]);
    disk.crash();
    assert!(!loaded(&disk).unfinished);
}
