//! Old transactions for a learner that lacks them, read beside the appends of the log.
//! (FileTxnLog.FileTxnIterator, ZKDatabase.getProposalsFromTxnLog.)
//!
//! A portion is read at a time: a learner takes them at the pace of its link, and what is read
//! ahead of it stands in memory. The answer says where the next portion begins.
//!
//! - ST-6 what is read has no hole. Apache keeps what it logged before a leader's snapshot: between two
//!   records of such a log stands that snapshot's zxid, of which there is no record.
//! - ST-5 no record behind `up_to` is looked at: the log lane may be writing it at this moment.
//!
//! Not here: whether what was read continues what a learner has (`zab/leader/sync.rs`).

use std::io;
use std::rc::Rc;

use super::StorageOptions;
use super::error::{StorageError, While};
use super::layout::{Layout, LogName, logs_from};
use super::log_reader::{Head, LogScan, Step, is_repeated};
use super::request::{HistoryRequest, LogPosition, Outcome};
use crate::base::Zxid;
use crate::jute::txn::Proposal;
use crate::runtime::{Lane, OpenMode};

/// What was read so far.
struct Portion {
    records: Vec<Rc<Proposal>>,
    bytes: u64,
    /// What follows begins here, or in a later file.
    next: Option<LogPosition>,
    /// The last record, or the zxid before the first one that was asked for.
    last: Zxid,
    snapshots: Vec<Zxid>,
}

impl Portion {
    /// Whether the history goes on with this record, and not behind a hole.
    fn is_followed_by(&self, zxid: Zxid) -> bool {
        let lies_between = |snapshot: &Zxid| self.last < *snapshot && *snapshot < zxid;
        let follows = self.records.is_empty() || self.last.is_followed_by(zxid);
        follows && !self.snapshots.iter().any(lies_between)
    }
}

/// How the reading of one file ended.
enum End {
    /// `up_to` was reached.
    Reached,
    /// The portion is full.
    Full,
    FileEnds,
    /// There is a hole, or the file was purged since it was listed.
    Gone,
}

/// Reads one portion of the log of a data directory.
pub async fn read_portion<L: Lane>(
    options: &StorageOptions,
    lane: &L,
    request: &HistoryRequest,
) -> Result<Outcome, StorageError> {
    read_history(lane, &Layout::new(options), request).await
}

/// Reads one portion.
pub(super) async fn read_history<L: Lane>(
    lane: &L,
    layout: &Layout,
    request: &HistoryRequest,
) -> Result<Outcome, StorageError> {
    let logs = layout.logs(lane).await?;
    let logs = match request.begin {
        Some(begin) => &logs[logs.partition_point(|log| log.first < begin.log)..],
        None => logs_from(&logs, request.from),
    };
    if let Some(begin) = request.begin
        && logs.first().is_none_or(|log| log.first != begin.log)
    {
        return Ok(Outcome::HistoryGone);
    }
    // A snapshot of the beginning of an epoch, as Apache writes it, is named by no transaction.
    let snapshots = layout.snapshots(lane).await?;
    let snapshots = snapshots.iter().map(|s| s.zxid).filter(|zxid| zxid.counter() != 0).collect();
    let (next, last) = (request.begin, Zxid(request.from.0 - 1));
    let mut portion = Portion { records: Vec::new(), bytes: 0, next, last, snapshots };
    for (n, log) in logs.iter().enumerate() {
        if log.first > request.up_to {
            break;
        }
        let offset = request.begin.filter(|begin| begin.log == log.first).map(|b| b.offset);
        match read_file(lane, layout, log, offset, request, &mut portion).await? {
            End::FileEnds => {}
            End::Reached => break,
            End::Gone => return Ok(Outcome::HistoryGone),
            End::Full => {
                let read_here = portion.next.map_or(0, |next| next.offset);
                let left = logs[n..].iter().map(|log| log.len).sum::<u64>() - read_here;
                portion.bytes = portion.bytes.saturating_add(left);
                break;
            }
        }
    }
    if portion.bytes > request.bytes_max {
        return Ok(Outcome::HistoryTooLong);
    }
    Ok(Outcome::History { records: portion.records, next: portion.next })
}

async fn read_file<L: Lane>(
    lane: &L,
    layout: &Layout,
    log: &LogName,
    offset: Option<u64>,
    request: &HistoryRequest,
    portion: &mut Portion,
) -> Result<End, StorageError> {
    let path = layout.log(log.first);
    let mut scan = match LogScan::open(lane, layout, path.clone(), OpenMode::Read).await {
        Ok(scan) => scan.stopping_after(request.portion_bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(End::Gone),
        Err(error) => return Err(error).when("opening", &path),
    };
    match offset {
        Some(offset) => scan.go_to(offset),
        None if scan.head().await? != Head::Good => return Ok(End::FileEnds),
        None => {}
    }
    loop {
        match scan.next().await? {
            Step::Record { proposal, .. } if proposal.zxid() > request.up_to => {
                return Ok(End::Reached);
            }
            Step::Record { offset, proposal } => {
                let (zxid, end) = (proposal.zxid(), scan.at());
                portion.next = Some(LogPosition { log: log.first, offset: end });
                if zxid >= request.from && !is_repeated(&portion.records, &proposal) {
                    if !portion.is_followed_by(zxid) {
                        return Ok(End::Gone);
                    }
                    portion.bytes += end - offset;
                    portion.last = zxid;
                    portion.records.push(proposal);
                }
                if zxid == request.up_to {
                    return Ok(End::Reached);
                }
                if portion.bytes >= request.portion_bytes {
                    return Ok(End::Full);
                }
            }
            Step::End { offset, fault: Some(fault) } if !fault.is_torn_tail() => {
                return Err(StorageError::DamagedLog { file: path, offset, fault });
            }
            Step::End { .. } => return Ok(End::FileEnds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::LogRequest;
    use crate::storage::fake::{FakeDisk, run};
    use crate::storage::storage_test::{append, disk_with, log_run, options, put_log, zxids};

    const NO_LIMIT: u64 = u64::MAX;

    /// 2, 3 and 4 in one log, 5 and 6 in the next.
    fn disk() -> FakeDisk {
        let disk = disk_with(&[0]);
        let mut requests = vec![LogRequest::Load];
        requests.extend([2, 3, 4].map(append));
        requests.push(LogRequest::Roll);
        requests.extend([5, 6].map(append));
        log_run(&disk, requests);
        disk
    }

    fn request(from: i64, up_to: i64) -> HistoryRequest {
        let (from, up_to) = (Zxid(from), Zxid(up_to));
        HistoryRequest { from, up_to, begin: None, portion_bytes: NO_LIMIT, bytes_max: NO_LIMIT }
    }

    fn read(disk: &FakeDisk, request: HistoryRequest) -> Outcome {
        run(read_history(&disk.lane(), &Layout::new(&options()), &request)).expect("a good disk")
    }

    fn records(outcome: Outcome) -> (Vec<i64>, Option<LogPosition>) {
        match outcome {
            Outcome::History { records, next } => (zxids(&records), next),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_goes_from_the_first_record_at_or_behind_the_zxid_asked_for() {
        let disk = disk();
        let zxids = |from, up_to| records(read(&disk, request(from, up_to))).0;
        assert_eq!(zxids(3, 5), [3, 4, 5]);
        assert_eq!(zxids(0, 99), [2, 3, 4, 5, 6]);
        assert_eq!(zxids(7, 7), Vec::<i64>::new());
    }

    #[test]
    fn portion_by_portion_it_is_the_same() {
        let disk = disk();
        let (mut next, mut found) = (None, Vec::new());
        let mut from = 0;
        while found.last() != Some(&6) {
            let portion = HistoryRequest { begin: next, portion_bytes: 1, ..request(from, 6) };
            let (zxids, position) = records(read(&disk, portion));
            assert_eq!(zxids.len(), 1, "behind {found:?}");
            (next, from) = (position, zxids[0] + 1);
            found.extend(zxids);
        }
        assert_eq!(found, [2, 3, 4, 5, 6]);
    }

    /// A learner gets its history in small portions, and the log lane needs the disk too.
    #[test]
    fn a_portion_costs_the_disk_about_as_much_as_it_holds() {
        let disk = disk_with(&[0]);
        let all: Vec<i64> = (1..=500).collect();
        put_log(&disk, &all);
        let len = disk.get("/data/version-2/log.1").expect("it was put").len();
        let (mut next, mut from) = (None, 1);
        while from <= 500 {
            let portion = HistoryRequest { begin: next, portion_bytes: 1000, ..request(from, 500) };
            let (zxids, position) = records(read(&disk, portion));
            (next, from) = (position, zxids.last().expect("there is more") + 1);
        }
        let read = disk.bytes_read();
        assert!((len..3 * len).contains(&read), "{read} bytes of {len}");
    }

    /// Apache leaves what it logged before a leader's snapshot where it is.
    #[test]
    fn a_log_with_a_hole_is_no_history() {
        const NEXT_EPOCH: i64 = 1 << 32;
        let disk = disk_with(&[0, 6]);
        put_log(&disk, &[1, 2]);
        put_log(&disk, &[5, 6, 7]);
        assert_eq!(read(&disk, request(2, 7)), Outcome::HistoryGone);
        assert_eq!(records(read(&disk, request(5, 7))).0, [5, 6, 7]);
        // 3 to 6 were never logged here: the zxids alone do not show it.
        let disk = disk_with(&[0, 6]);
        put_log(&disk, &[1, 2]);
        put_log(&disk, &[NEXT_EPOCH + 1, NEXT_EPOCH + 2]);
        assert_eq!(read(&disk, request(1, NEXT_EPOCH + 2)), Outcome::HistoryGone);
        assert_eq!(read(&disk, request(3, NEXT_EPOCH + 2)), Outcome::HistoryGone);
        let behind = records(read(&disk, request(7, NEXT_EPOCH + 2))).0;
        assert_eq!(behind, [NEXT_EPOCH + 1, NEXT_EPOCH + 2]);
    }

    #[test]
    fn a_run_of_records_that_is_repeated_is_the_same_history() {
        let disk = disk_with(&[0]);
        put_log(&disk, &[1, 2, 3, 2, 3, 4]);
        disk.put("/data/version-2/log.5", &disk.get("/data/version-2/log.1").expect("it was put"));
        assert_eq!(records(read(&disk, request(2, 4))).0, [2, 3, 4]);
        let portion = HistoryRequest { portion_bytes: 60, ..request(2, 4) };
        let (zxids, begin) = records(read(&disk, portion));
        assert_eq!(zxids, [2, 3]);
        assert_eq!(records(read(&disk, HistoryRequest { begin, ..request(4, 4) })).0, [4]);
    }

    #[test]
    fn what_would_be_too_much_is_known_with_the_first_portion() {
        let disk = disk();
        let bytes_max = 1000;
        let whole = HistoryRequest { bytes_max, ..request(0, 6) };
        assert_eq!(records(read(&disk, whole)).0, [2, 3, 4, 5, 6]);
        assert_eq!(
            read(&disk, HistoryRequest { bytes_max: 100, ..whole }),
            Outcome::HistoryTooLong
        );
        // The files are longer than that, with their zeros.
        let first = HistoryRequest { portion_bytes: 1, ..whole };
        assert_eq!(read(&disk, first), Outcome::HistoryTooLong);
    }

    #[test]
    fn a_log_that_was_purged_is_told_of() {
        let disk = disk();
        let begin = Some(LogPosition { log: Zxid(1), offset: 16 });
        assert_eq!(read(&disk, HistoryRequest { begin, ..request(2, 6) }), Outcome::HistoryGone);
    }

    /// The log lane may be writing it at this moment.
    #[test]
    fn what_lies_behind_the_last_record_asked_for_is_not_looked_at() {
        let disk = disk();
        let (_, next) = records(read(&disk, request(5, 5)));
        let offset = next.expect("5 was read").offset;
        let path = "/data/version-2/log.5";
        let mut bytes = disk.get(path).expect("it is there");
        bytes[offset as usize..].fill(0x55);
        disk.put(path, &bytes);
        assert_eq!(records(read(&disk, request(2, 5))).0, [2, 3, 4, 5]);
        assert_eq!(records(read(&disk, request(2, 4))).0, [2, 3, 4]);
    }
}
