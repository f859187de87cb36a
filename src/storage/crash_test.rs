//! A crash after every single disk operation: what was acknowledged is there again.

use super::fake::FakeDisk;
use super::storage_test::{
    DIR, Done, append, disk_in_epoch_3, disk_with, loaded, log_run, snapshot_run, try_load,
    write_snapshot, zxids,
};
use super::{EpochKind, LogRequest, Outcome, SnapshotRequest};
use crate::base::{Epoch, Zxid};

const NEXT_EPOCH: i64 = 1 << 32;

/// A disk, what was promised on it, and what a server does with it.
struct CrashCase {
    disk: FakeDisk,
    promised: Vec<i64>,
    requests: Vec<LogRequest>,
}

/// Appends in three logs, a truncation across them, and a new epoch behind it: once in an empty
/// directory, once with a snapshot that the truncation must remove. And logs that begin anew behind a
/// leader's snapshot.
fn crash_cases() -> [CrashCase; 3] {
    let mut begin = vec![LogRequest::Load];
    begin.extend([1, 2, 3].map(append));
    begin.push(LogRequest::Roll);
    begin.extend([4, 5].map(append));
    let mut end = vec![LogRequest::Roll, append(6), LogRequest::Truncate { to: Zxid(2) }];
    end.extend([
        LogRequest::WriteEpoch { which: EpochKind::Accepted, epoch: Epoch(1) },
        LogRequest::WriteEpoch { which: EpochKind::Current, epoch: Epoch(1) },
        append(NEXT_EPOCH | 1),
        append(NEXT_EPOCH | 2),
    ]);
    let prepared = disk_in_epoch_3(&[0]);
    log_run(&prepared, begin.clone());
    snapshot_run(&prepared, write_snapshot(4, true));
    let replaced = prepared.copy();
    snapshot_run(&replaced, write_snapshot(9, true));
    prepared.take_ops();
    replaced.take_ops();
    [
        CrashCase {
            disk: disk_in_epoch_3(&[0]),
            promised: Vec::new(),
            requests: [begin, end.clone()].concat(),
        },
        CrashCase {
            disk: prepared,
            promised: (1..=5).collect(),
            requests: [vec![LogRequest::Load], end].concat(),
        },
        CrashCase {
            disk: replaced,
            promised: (1..=5).collect(),
            requests: vec![
                LogRequest::Load,
                LogRequest::Reset { behind: Zxid(9) },
                append(10),
                LogRequest::Roll,
                append(NEXT_EPOCH | 1),
            ],
        },
    ]
}

impl CrashCase {
    /// How many operations it takes as a whole.
    fn ops(&self) -> usize {
        let disk = self.disk.copy();
        log_run(&disk, self.requests.clone());
        disk.take_ops().len()
    }

    /// The disk after so many operations, and what was told until then.
    fn stopped_after(&self, ops: usize) -> (FakeDisk, Done) {
        let disk = self.disk.copy();
        disk.stop_after(ops);
        let done = log_run(&disk, self.requests.clone());
        (disk, done)
    }

    /// What a start on this disk must find, after these completions.
    fn check(&self, disk: &FakeDisk, done: &Done, how: &str) {
        let found = try_load(disk).unwrap_or_else(|error| panic!("{how}: {error}"));
        let base = found.snapshot.as_ref().map_or(0, |snapshot| snapshot.zxid.0);
        let txns = zxids(&found.txns);
        let told = |outcome: &dyn Fn(&Outcome) -> bool| {
            done.iter().any(|(_, _, result)| result.as_ref().is_ok_and(outcome))
        };
        let truncated = told(&|outcome| matches!(outcome, Outcome::Truncated { .. }));
        let truncating = told(&|outcome| matches!(outcome, Outcome::Durable { zxid: Zxid(6), .. }));
        let mut promised = self.promised.clone();
        for (_, _, result) in done {
            match result {
                Ok(Outcome::Durable { zxid, .. }) => promised.push(zxid.0),
                Ok(Outcome::EpochWritten { which, epoch }) => {
                    let loaded = match which {
                        EpochKind::Accepted => found.accepted_epoch,
                        EpochKind::Current => found.current_epoch,
                    };
                    assert_eq!(loaded, Some(*epoch), "{how}");
                }
                _ => {}
            }
        }
        for zxid in promised {
            // A truncation that has begun may have dropped what it was asked to drop.
            let may_go = truncating && (3..=6).contains(&zxid);
            let there = zxid <= base || txns.contains(&zxid);
            assert!(there || may_go, "{how}: {zxid} is lost, {base} and {txns:?} are left");
        }
        if truncated {
            let is_back = txns.iter().any(|zxid| (3..NEXT_EPOCH).contains(zxid));
            assert!(base <= 2 && !is_back, "{how}: {base} and {txns:?} after the truncation");
        }
    }
}

#[test]
fn a_power_failure_after_any_operation_takes_nothing_that_was_acknowledged() {
    for case in crash_cases() {
        for after in 0..=case.ops() {
            let (disk, done) = case.stopped_after(after);
            disk.crash();
            case.check(&disk, &done, &format!("power failure after {after}"));
        }
    }
}

#[test]
fn what_a_start_finds_after_a_process_death_no_power_failure_can_take() {
    for case in crash_cases() {
        for after in 0..=case.ops() {
            let (disk, done) = case.stopped_after(after);
            // The process dies: the page cache lives. The next one reads it and votes with it.
            let alive = disk.copy();
            case.check(&alive, &done, &format!("process death after {after}"));
            let voted_with = loaded(&alive).last_logged;
            alive.crash();
            assert_eq!(loaded(&alive).last_logged, voted_with, "after {after}");
        }
    }
}

#[test]
fn a_crash_anywhere_in_a_purge_leaves_a_directory_that_loads() {
    let prepared = disk_in_epoch_3(&[0]);
    let mut requests = vec![LogRequest::Load];
    for zxid in 1..=8 {
        requests.extend([append(zxid), LogRequest::Roll]);
    }
    log_run(&prepared, requests);
    for zxid in [2, 4, 6, 7] {
        // Not synced: purging must see to it itself.
        snapshot_run(&prepared, write_snapshot(zxid, false));
    }
    prepared.take_ops();
    let whole = prepared.copy();
    snapshot_run(&whole, vec![SnapshotRequest::Purge]);
    let ops = whole.take_ops().len();
    assert!(ops > 8, "it removes snapshots and logs");
    for after in 0..=ops {
        let disk = prepared.copy();
        disk.stop_after(after);
        snapshot_run(&disk, vec![SnapshotRequest::Purge]);
        disk.crash();
        assert_eq!(loaded(&disk).last_logged, Zxid(8), "after {after}");
    }
}

#[test]
fn a_write_torn_at_any_sectors_is_cut_back_to_what_was_acknowledged() {
    // 40 records in one unsynced write behind 20 that are durable: six sectors of 512 bytes,
    // of which a crash keeps any.
    let disk = disk_in_epoch_3(&[0]);
    let mut requests = vec![LogRequest::Load];
    requests.extend((1..=20).map(append));
    log_run(&disk, requests.clone());
    let path = format!("{DIR}/log.1");
    let old = disk.get(&path).expect("it was written");
    let end = 16 + 20 * 49;
    let mut new = old.clone();
    new.truncate(end);
    for zxid in 21..=60 {
        let LogRequest::Append(proposal) = append(zxid) else { continue };
        super::log_format::encode_record(proposal.bytes(), &mut new);
    }
    new.resize(old.len(), 0);
    let first = end / 512;
    for kept in 0..64_u32 {
        let torn = disk.copy();
        let mut content = old.clone();
        for sector in (0..6).filter(|sector| kept & (1 << sector) != 0) {
            let range = (first + sector) * 512..(first + sector + 1) * 512;
            content[range.clone()].copy_from_slice(&new[range]);
        }
        torn.put(&path, &content);
        let found = try_load(&torn).unwrap_or_else(|error| panic!("{kept:b}: {error}"));
        let last = found.last_logged.0;
        assert!((20..=60).contains(&last), "{kept:b}: {last}");
        assert_eq!(zxids(&found.txns), (1..=last).collect::<Vec<_>>(), "{kept:b}");
        log_run(&torn, vec![LogRequest::Load, append(last + 1)]);
        assert_eq!(loaded(&torn).last_logged, Zxid(last + 1), "{kept:b}");
    }
}

#[test]
fn what_a_cut_without_its_sync_took_away_does_not_come_back_behind_a_start() {
    let disk = disk_with(&[0]);
    disk.put(format!("{DIR}/acceptedEpoch"), b"1");
    let mut requests = vec![LogRequest::Load];
    requests.extend([1, 2, 3].map(append));
    log_run(&disk, requests);
    disk.fail_behind("cut log.1 ", "sync log.1");
    log_run(&disk, vec![LogRequest::Load, LogRequest::Truncate { to: Zxid(2) }]);
    disk.mend();
    log_run(&disk, vec![LogRequest::Load, append(1 << 32 | 1)]);
    disk.crash();
    assert_eq!(zxids(&loaded(&disk).txns), [1, 2, 1 << 32 | 1], "the start voted with it");
}
