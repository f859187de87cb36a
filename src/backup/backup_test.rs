//! Backups of data directories and what is restored of them; stores that fail, and bytes that flip.

use std::fs;
use std::path::Path;

use super::catalog::whole;
use super::choice::{Wish, choose};
use super::directory::Directory;
use super::error::BackupError;
use super::manifest::{KnownBy, PARTS};
use super::restore::{Place, Restored, restore};
use super::retention::{Removed, keep_newest};
use super::store::Store;
use super::test_dir::{Faulty, TestDir, back_up, files, proposal};
use super::time::At;
use super::verify::verify;
use crate::base::Zxid;
use crate::storage::log_format::{encode_log_header, encode_record, read_records};

/// The first transaction of epoch 2.
const EPOCH_2: i64 = (2 << 32) + 1;
const ALL: Wish = Wish { at: None, uncommitted: true };

fn at(zxid: i64) -> Wish {
    Wish { at: Some(At::Zxid(Zxid(zxid))), uncommitted: true }
}

fn range(from: i64, to: i64) -> Vec<i64> {
    (from..=to).collect()
}

/// A snapshot of 2 with effects up to 4, one of 40, logs up to 60.
fn usual() -> TestDir {
    let dir = TestDir::new();
    dir.snapshot(2, 4, &range(1, 4));
    dir.snapshot(40, 41, &range(1, 41));
    dir.log(&range(1, 30));
    dir.log(&range(31, 60));
    dir
}

fn try_restore(dir: &TestDir, wish: Wish) -> Result<Restored, BackupError> {
    let store = Directory::to_read(&dir.target())?;
    let to = dir.path("restored");
    let _ = fs::remove_dir_all(&to);
    let choice = choose(&store, whole(&store, None)?, wish)?;
    restore(&store, &choice, &Place::new(&to, None)?)
}

/// The transactions in the logs of a directory.
fn logged(dir: &Path) -> Vec<i64> {
    let mut found = Vec::new();
    let logs = files(dir);
    for log in logs.iter().filter(|path| path.to_string_lossy().contains("/log.")) {
        let content = fs::read(log).expect("a readable file");
        let (end, fault) = read_records(&content.clone().into(), |_, payload| {
            found.push(i64::from_be_bytes(payload[12..20].try_into().expect("eight bytes")));
        });
        assert_eq!((end, fault), (content.len() as u64, None));
    }
    found
}

fn file_names(dir: &Path) -> Vec<String> {
    let name = |path: &std::path::PathBuf| {
        path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    };
    files(dir).iter().map(name).collect()
}

#[test]
fn a_state_is_cut_at_just_the_transaction_that_is_asked_for() {
    let dir = usual();
    let taken = dir.back_up();
    assert_eq!((taken.manifest.oldest(), taken.manifest.last()), (Zxid(4), Zxid(60)));
    for zxid in [4, 5, 30, 31, 40, 41, 42, 60] {
        let restored = try_restore(&dir, at(zxid)).expect("it is in the backup");
        // A snapshot holds what it must not below the end of its effects.
        let base = if zxid < 41 { 2 } else { 40 };
        assert_eq!(restored.target, Zxid(zxid));
        assert_eq!(restored.snapshot, format!("snapshot.{base:x}"));
        assert_eq!(logged(&dir.path("restored")), range(base + 1, zxid), "{zxid}");
        // The root, and a node of each transaction.
        assert_eq!(restored.nodes as i64, zxid + 1 + 4, "{zxid}");
    }
    for zxid in [1, 3, 61] {
        assert!(try_restore(&dir, at(zxid)).is_err(), "{zxid}");
        assert_eq!(files(&dir.path("restored")), Vec::<std::path::PathBuf>::new());
    }
}

#[test]
fn a_time_means_the_last_transaction_at_or_before_it() {
    let dir = usual();
    dir.back_up();
    let target = |ms| {
        let wish = Wish { at: Some(At::Time(ms)), uncommitted: true };
        try_restore(&dir, wish).map(|restored| restored.target.0)
    };
    assert_eq!(target(50_000).expect("it is there"), 50);
    assert_eq!(target(50_999).expect("it is there"), 50);
    assert_eq!(target(99_999_999).expect("it is there"), 60);
    assert!(target(3_999).is_err());
}

#[test]
fn of_a_log_that_grows_only_what_is_new_is_sent() {
    let dir = usual();
    let first = dir.back_up();
    assert!(first.sent.parts > 10 && first.found.parts == 0, "{:?}", first.sent);
    let again = dir.back_up();
    assert_eq!((again.sent.parts, again.found.bytes), (0, first.sent.bytes));
    dir.log(&range(31, 64));
    let more = dir.back_up();
    assert!((1..=3).contains(&more.sent.parts), "{:?}", more.sent);
    // Another server has begun its logs elsewhere, and its oldest snapshot is another.
    let other = TestDir::new();
    other.snapshot(9, 9, &range(1, 9));
    other.log(&range(5, 17));
    other.log(&range(18, 64));
    let sent = back_up(&other.source(3), &dir.store(), 0).expect("it can be taken").sent;
    assert!(sent.parts <= 5, "{sent:?}");
}

#[test]
fn zeros_ahead_and_a_record_that_is_not_whole_are_left_out() {
    let dir = TestDir::new();
    dir.snapshot(0, 0, &[]);
    let mut content = Vec::new();
    encode_log_header(&mut content);
    for zxid in [1, 2, 3] {
        encode_record(proposal(zxid).bytes(), &mut content);
    }
    let whole = content.len();
    for cut in [whole - 1, whole - 60, whole - 100] {
        dir.put("log.1", &content[..cut]);
        let taken = dir.back_up();
        assert_eq!(taken.manifest.last(), Zxid(2), "cut at {cut}");
        assert!(taken.manifest.notes[0].contains("log.1"), "{:?}", taken.manifest.notes);
    }
    content.extend_from_slice(&[0; 70_000]);
    dir.put("log.1", &content);
    let taken = dir.back_up();
    let bytes: u64 = taken.manifest.log.iter().map(|chunk| chunk.bytes).sum();
    assert_eq!((taken.manifest.last(), bytes), (Zxid(3), whole as u64 - 16));
}

#[test]
fn a_bad_record_before_the_end_of_the_logs_is_named() {
    let dir = usual();
    let path = dir.data().join("version-2/log.1");
    let mut content = fs::read(&path).expect("it was put");
    content[500] ^= 1;
    fs::write(&path, content).expect("a writable file");
    let error = back_up(&dir.source(3), &dir.store(), 0).err().expect("it is damaged").to_string();
    assert!(error.contains("log.1 is damaged: at offset"), "{error}");
    // With the newest snapshot alone nobody needs that log.
    back_up(&dir.source(1), &dir.store(), 0).expect("it can be taken");
}

#[test]
fn a_history_begins_anew_behind_a_hole() {
    // 31 to 39 were never logged here: a leader's snapshot of 39 came.
    let dir = TestDir::new();
    dir.snapshot(2, 2, &range(1, 2));
    dir.snapshot(39, 39, &range(1, 39));
    dir.log(&range(1, 30));
    dir.log(&range(40, 60));
    assert_eq!(dir.back_up().manifest.oldest(), Zxid(39));
    // The zxids alone do not show it.
    let dir = TestDir::new();
    dir.snapshot(2, 2, &range(1, 2));
    dir.snapshot(39, 39, &range(1, 39));
    dir.log(&range(1, 30));
    dir.log(&range(EPOCH_2, EPOCH_2 + 3));
    assert_eq!(dir.back_up().manifest.oldest(), Zxid(39));
    // No snapshot leads on.
    let dir = TestDir::new();
    dir.snapshot(2, 2, &range(1, 2));
    dir.log(&range(1, 30));
    dir.log(&range(40, 60));
    let error = back_up(&dir.source(3), &dir.store(), 0).err().expect("there is a hole");
    assert!(matches!(error, BackupError::Gap { found: Zxid(40), .. }), "{error}");
}

#[test]
fn runs_that_are_repeated_are_taken_once() {
    let dir = TestDir::new();
    dir.snapshot(0, 0, &[]);
    dir.log(&[1, 2, 3, 4, 3, 4, 5]);
    dir.back_up();
    try_restore(&dir, ALL).expect("it is whole");
    assert_eq!(logged(&dir.path("restored")), range(1, 5));
}

#[test]
fn the_last_epoch_of_an_ensemble_is_restored_only_if_that_is_said() {
    let dir = usual();
    // A server alone commits what it logs.
    assert_eq!(dir.back_up().manifest.committed.known_by, KnownBy::Standalone);
    let none = Wish { at: None, uncommitted: false };
    assert_eq!(try_restore(&dir, none).expect("all is committed").target, Zxid(60));
    assert!(!file_names(&dir.path("restored")).contains(&"acceptedEpoch".to_string()));

    dir.put("acceptedEpoch", "7");
    dir.log(&range(EPOCH_2, EPOCH_2 + 9));
    let taken = dir.back_up();
    let committed = taken.manifest.committed;
    assert_eq!((committed.zxid, committed.known_by), (Zxid(60), KnownBy::Epochs));
    let _ = fs::remove_dir_all(dir.target());
    dir.back_up();
    let refused = try_restore(&dir, none).err().expect("nobody knows").to_string();
    assert!(refused.contains("--at 0x3c") && refused.contains("--uncommitted"), "{refused}");
    let beyond = Wish { uncommitted: false, ..at(EPOCH_2) };
    let refused = try_restore(&dir, beyond).err().expect("nobody knows").to_string();
    assert!(refused.contains("is behind 0x3c"), "{refused}");
    let before = Wish { uncommitted: false, ..at(60) };
    assert_eq!(try_restore(&dir, before).expect("it is committed").target, Zxid(60));
    let restored = try_restore(&dir, ALL).expect("it was asked for");
    assert_eq!((restored.target, restored.epoch), (Zxid(EPOCH_2 + 9), Some(1007)));
    for name in ["acceptedEpoch", "currentEpoch"] {
        let text = fs::read_to_string(dir.path("restored/version-2").join(name));
        assert_eq!(text.expect("it was written"), "1007", "{name}");
    }
}

#[test]
fn a_snapshot_of_a_synchronisation_cut_short_and_one_that_is_not_whole_are_left_out() {
    let dir = usual();
    let mut text =
        "quorate-guard 2\nensemble -\ninstance -\nnumber 1\nunfinished snapshot.28\n".to_string();
    text += "behind 0\n";
    let guard = format!("{text}crc32 {:08x}\n", crc32fast::hash(text.as_bytes()));
    dir.put("quorate.guard", guard);
    assert_eq!(dir.back_up().manifest.snapshots.len(), 1);
    dir.put("quorate.guard", "");
    let whole = fs::read(dir.data().join("version-2/snapshot.28")).expect("it was put");
    dir.put("snapshot.28", &whole[..whole.len() - 30]);
    let taken = dir.back_up();
    assert_eq!(taken.manifest.snapshots.len(), 1);
    assert!(taken.manifest.notes[0].contains("snapshot.28"), "{:?}", taken.manifest.notes);
    // Its effects are not in the log yet.
    dir.snapshot(40, 61, &range(1, 61));
    let taken = dir.back_up();
    assert_eq!(taken.manifest.snapshots.len(), 1);
    assert!(taken.manifest.notes[0].contains("effects up to 0x3d"), "{:?}", taken.manifest.notes);
}

#[test]
fn a_file_that_goes_meanwhile_is_no_end_of_the_backup() {
    let dir = usual();
    let store = dir.store();
    let log = dir.data().join("version-2/log.1");
    let purging = Faulty::telling(&store, |_| drop(fs::remove_file(&log)));
    let purged = || drop(fs::remove_file(dir.data().join("version-2/snapshot.2")));
    purged();
    let taken = back_up(&dir.source(3), &purging, 0).expect("the newest snapshot is enough");
    assert_eq!(taken.manifest.oldest(), Zxid(41));
}

#[test]
fn a_backup_that_fails_at_any_step_does_not_count_and_is_gone_on_with() {
    for left in 0.. {
        let dir = usual();
        let store = dir.store();
        let faulty = Faulty::failing_after(&store, left);
        if back_up(&dir.source(3), &faulty, 1).is_ok() {
            assert!(left > 10, "{left}");
            return;
        }
        let backups = whole(&store, None).expect("it can be listed");
        // The manifest has its name, and only that it stays is not known.
        let settled = backups.len();
        let sent = store.list(PARTS).expect("it can be listed").len();
        let again = back_up(&dir.source(3), &store, 2).expect("the store works again");
        assert_eq!(again.found.parts, sent as u64, "after {left}");
        let findings = verify(&store, None).expect("it can be read");
        assert_eq!((findings.problems, findings.whole.len()), (vec![], settled + 1), "{left}");
        try_restore(&dir, ALL).expect("it is whole");
    }
}

#[test]
fn a_byte_that_flips_in_any_file_is_found_and_named() {
    let dir = usual();
    back_up(&dir.source(1), &dir.store(), 0).expect("it can be taken");
    let store = Directory::to_read(&dir.target()).expect("it is there");
    assert_eq!(verify(&store, None).expect("it can be read").whole.len(), 1);
    let kept = files(&dir.target()).into_iter().filter(|path| !path.ends_with("lock"));
    for path in kept {
        let content = fs::read(&path).expect("a readable file");
        for flip in [0, content.len() / 2, content.len() - 1] {
            let mut changed = content.clone();
            changed[flip] ^= 4;
            fs::write(&path, changed).expect("a writable file");
            let name = path.display().to_string();
            let findings = verify(&store, None).expect("it can be read");
            assert!(findings.problems[0].starts_with(&name), "{:?}", findings.problems);
            assert!(findings.whole.is_empty());
            let error = try_restore(&dir, ALL).err().expect("it is damaged").to_string();
            let named = if name.contains("/backups/") { "no whole backup" } else { &name };
            assert!(error.contains(named), "{error}");
            assert!(!dir.path("restored/version-2").exists());
        }
        fs::remove_file(&path).expect("it is there");
        let is_manifest = path.to_string_lossy().contains("/backups/");
        let findings = verify(&store, None).expect("it can be read");
        assert_eq!(findings.problems.len(), usize::from(!is_manifest));
        fs::write(&path, &content).expect("a writable file");
    }
    assert_eq!(verify(&store, None).expect("it can be read").problems, Vec::<String>::new());
}

#[test]
fn what_a_kept_backup_needs_stays() {
    let dir = usual();
    let store = dir.store();
    let take = |now| back_up(&dir.source(1), &store, now).expect("it can be taken").id;
    let first = take(1);
    dir.snapshot(50, 50, &range(1, 50));
    take(2);
    dir.snapshot(58, 58, &range(1, 58));
    let last = take(3);
    assert_eq!(keep_newest(&store, 9).expect("it can"), Removed::default());
    // Stopped at any step it leaves what is kept.
    for left in 0..6 {
        let _ = keep_newest(&Faulty::failing_after(&store, left), 1);
        let findings = verify(&store, None).expect("it can be read");
        assert!(findings.problems.is_empty() && findings.whole.contains(&last), "{left}");
    }
    keep_newest(&store, 1).expect("it can");
    let left = store.list(PARTS).expect("it can be listed").len();
    let kept = whole(&store, None).expect("it can be listed");
    assert_eq!((kept.len(), kept[0].1.parts().len()), (1, left));
    assert!(whole(&store, Some(&first)).is_err());
    // One that cannot be read may need anything.
    take(4);
    let manifest = dir.target().join(format!("backups/{last}.json"));
    fs::write(&manifest, "{}").expect("a writable file");
    let error = keep_newest(&store, 1).expect_err("it is damaged").to_string();
    assert!(error.contains(&last) && error.contains("Nothing is removed"), "{error}");
    assert_eq!(store.list(PARTS).expect("it can be listed").len(), left);
}

#[test]
fn a_directory_in_use_is_refused_and_one_that_was_interrupted_is_begun_anew() {
    let dir = usual();
    dir.back_up();
    let refused = Place::new(&dir.data(), None).err().expect("it is in use");
    assert!(refused.is_invalid() && refused.to_string().contains("is not empty"), "{refused}");
    let to = dir.path("restored");
    fs::create_dir_all(to.join("version-2")).expect("a writable directory");
    fs::create_dir_all(to.join("restore.unfinished/version-2")).expect("a writable directory");
    fs::write(to.join("restore.unfinished/version-2/log.1"), "left").expect("a writable file");
    fs::write(to.join("myid"), "1").expect("a writable file");
    let store = Directory::to_read(&dir.target()).expect("it is there");
    let choice = choose(&store, whole(&store, None).expect("one"), ALL).expect("it is there");
    restore(&store, &choice, &Place::new(&to, None).expect("it is empty")).expect("it is whole");
    assert_eq!(file_names(&to), ["myid", "log.29", "snapshot.28"]);
    // Logs and snapshots apart.
    let (data, log) = (dir.path("apart/data"), dir.path("apart/log"));
    let place = Place::new(&data, Some(&log)).expect("it is empty");
    restore(&store, &choice, &place).expect("it is whole");
    assert_eq!(file_names(&data), ["snapshot.28"]);
    assert_eq!(logged(&log), range(41, 60));
}

#[test]
fn two_backups_to_one_directory_do_not_run_at_once() {
    let dir = usual();
    let first = dir.store();
    let refused = Directory::to_write(&dir.target()).expect_err("it is held");
    assert!(refused.to_string().contains("another backup"), "{refused}");
    drop(first);
    Directory::to_write(&dir.target()).expect("it is free");
}
