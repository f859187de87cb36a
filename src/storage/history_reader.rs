//! Old transactions for a learner that lacks them, read beside the appends of the log.
//! (FileTxnLog.FileTxnIterator, ZKDatabase.getProposalsFromTxnLog.)
//!
//! A portion is read at a time: a learner takes them at the pace of its link, and what is read
//! ahead of it stands in memory. The answer says where the next portion begins.
//!
//! - ST-5 no record behind `up_to` is looked at: the log lane may be writing it at this moment.
//!
//! Not here: whether what was read continues what a learner has (`zab/leader/sync.rs`).

use std::io;
use std::rc::Rc;

use super::error::{StorageError, While};
use super::layout::{Layout, LogName, logs_from};
use super::log_reader::{Head, LogScan, Step};
use super::request::{HistoryRequest, LogPosition, Outcome};
use crate::jute::txn::Proposal;
use crate::runtime::{Lane, OpenMode};

/// What was read so far.
struct Portion {
    records: Vec<Rc<Proposal>>,
    bytes: u64,
    /// What follows begins here, or in a later file.
    next: Option<LogPosition>,
}

/// How the reading of one file ended.
enum End {
    /// `up_to` was reached.
    Reached,
    /// The portion is full.
    Full,
    FileEnds,
    /// Purged since it was listed.
    Gone,
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
    if let (Some(begin), first) = (request.begin, logs.first())
        && first.is_none_or(|log| log.first != begin.log)
    {
        return Ok(Outcome::HistoryGone);
    }
    let mut portion = Portion { records: Vec::new(), bytes: 0, next: request.begin };
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
        Ok(scan) => scan,
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
                if zxid >= request.from {
                    portion.bytes += end - offset;
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
    use crate::base::Zxid;
    use crate::storage::LogRequest;
    use crate::storage::fake::{FakeDisk, run};
    use crate::storage::storage_test::{append, disk_with, log_run, options, zxids};

    const NO_LIMIT: u64 = u64::MAX;

    /// 2, 4 and 6 in one log, 8 and 10 in the next.
    fn disk() -> FakeDisk {
        let disk = disk_with(&[0]);
        let mut requests = vec![LogRequest::Load];
        requests.extend([2, 4, 6].map(append));
        requests.push(LogRequest::Roll);
        requests.extend([8, 10].map(append));
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
        assert_eq!(zxids(4, 8), [4, 6, 8]);
        assert_eq!(zxids(5, 99), [6, 8, 10]);
        assert_eq!(zxids(9, 9), Vec::<i64>::new());
    }

    #[test]
    fn portion_by_portion_it_is_the_same() {
        let disk = disk();
        let (mut next, mut found) = (None, Vec::new());
        let mut from = 0;
        while found.last() != Some(&10) {
            let portion = HistoryRequest { begin: next, portion_bytes: 1, ..request(from, 10) };
            let (zxids, position) = records(read(&disk, portion));
            assert_eq!(zxids.len(), 1, "behind {found:?}");
            (next, from) = (position, zxids[0] + 1);
            found.extend(zxids);
        }
        assert_eq!(found, [2, 4, 6, 8, 10]);
    }

    #[test]
    fn what_would_be_too_much_is_known_with_the_first_portion() {
        let disk = disk();
        let bytes_max = 1000;
        let whole = HistoryRequest { bytes_max, ..request(0, 10) };
        assert_eq!(records(read(&disk, whole)).0, [2, 4, 6, 8, 10]);
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
        assert_eq!(read(&disk, HistoryRequest { begin, ..request(2, 10) }), Outcome::HistoryGone);
    }

    /// The log lane may be writing it at this moment.
    #[test]
    fn what_lies_behind_the_last_record_asked_for_is_not_looked_at() {
        let disk = disk();
        let (_, next) = records(read(&disk, request(8, 8)));
        let offset = next.expect("8 was read").offset;
        let path = "/data/version-2/log.8";
        let mut bytes = disk.get(path).expect("it is there");
        bytes[offset as usize..].fill(0x55);
        disk.put(path, &bytes);
        assert_eq!(records(read(&disk, request(2, 8))).0, [2, 4, 6, 8]);
        assert_eq!(records(read(&disk, request(2, 6))).0, [2, 4, 6]);
    }
}
