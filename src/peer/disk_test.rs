//! Completions, and the requests they answer.

use super::*;
use crate::base::ServerId;
use crate::base::invariant::testing::fires;
use crate::jute::txn::{ErrorTxn, Proposal, Txn, TxnHeader};
use crate::storage::LogPosition;
use std::rc::Rc;

const STRANGE: Ticket = Ticket(999);

struct Bench {
    disk: Disk,
    db: Database,
    queue: Queue,
}

impl Bench {
    fn new() -> Bench {
        let disk = Disk::new(&ServerConfig::defaults(ServerId(1)));
        Bench { disk, db: Database::empty(10), queue: Queue::new() }
    }

    fn ask(&mut self, whom: ForWhom, request: LogRequest) -> Ticket {
        self.disk.ask_log(whom, request, &mut self.queue);
        match self.queue.take()[..] {
            [Output::Log(ticket, _)] => ticket,
            ref other => panic!("{other:?}"),
        }
    }

    /// A record is durable that begins at `offset` of this log; what is asked for then.
    fn logged(&mut self, log: i64, offset: u64) -> Vec<Output> {
        let zxid = self.db.durable().next();
        let ticket = self.ask(ForWhom::Role, LogRequest::Append(txn(zxid)));
        let at = LogPosition { log: Zxid(log), offset };
        self.stored(ticket, Outcome::Durable { zxid, at, time_ms: 0, batch: None });
        self.requests()
    }

    /// What is asked for, without the notes. A new log is begun at once.
    fn requests(&mut self) -> Vec<Output> {
        let mut asked = self.queue.take();
        asked.retain(|output| matches!(output, Output::Log(..) | Output::Snapshot(..)));
        if let [Output::Log(ticket, LogRequest::Roll), ..] = asked[..] {
            self.stored(ticket, Outcome::Rolled);
        }
        asked
    }

    fn ask_history(&mut self) -> Vec<Output> {
        let (from, up_to) = (Zxid(1), Zxid(2));
        let (portion_bytes, bytes_max) = (10, 10);
        let request = HistoryRequest { from, up_to, begin: None, portion_bytes, bytes_max };
        self.disk.ask_history(LinkId(1), request, &mut self.queue);
        self.queue.take()
    }

    fn stored(&mut self, ticket: Ticket, outcome: Outcome) -> Stored {
        self.disk.on_stored(ticket, Ok(outcome), &mut self.db, &mut self.queue)
    }
}

fn txn(zxid: Zxid) -> Rc<Proposal> {
    let header = TxnHeader { zxid, ..TxnHeader::default() };
    Rc::new(Proposal::new(header, Txn::Error(ErrorTxn { err: -1 }), None))
}

#[test]
fn a_disk_is_quiet_when_every_request_is_answered() {
    let mut bench = Bench::new();
    let roll = bench.ask(ForWhom::Role, LogRequest::Roll);
    assert!(!bench.disk.is_quiet());
    assert!(matches!(bench.stored(roll, Outcome::Rolled), Stored::Nothing));
    assert!(bench.disk.is_quiet());
}

fn purging() -> Bench {
    let mut bench = Bench::new();
    bench.disk.purge_interval = Some(Duration::from_secs(3600));
    bench.disk.begin_purging(Now::default());
    bench
}

fn at(seconds: u64) -> Now {
    Now { mono: Mono(seconds * 1_000_000_000), wall_ms: 0 }
}

#[test]
fn what_cuts_the_log_waits_for_the_end_of_a_purge() {
    let mut bench = purging();
    bench.disk.on_timer(at(0), &mut bench.queue);
    let [Output::Snapshot(purge, SnapshotRequest::Purge)] = bench.queue.take()[..] else {
        panic!("a purge is due")
    };
    let to = Zxid(7);
    bench.disk.ask_log(ForWhom::Replace, LogRequest::Truncate { to }, &mut bench.queue);
    assert!(bench.queue.take().is_empty());
    assert!(!bench.disk.is_quiet(), "it is yet to be done");
    bench.ask(ForWhom::Role, LogRequest::Roll);
    bench.stored(purge, Outcome::Purged { removed: 1 });
    let asked = bench.queue.take();
    assert!(matches!(asked[..], [Output::Log(_, LogRequest::Truncate { .. })]), "{asked:?}");
}

#[test]
fn what_reads_old_files_waits_for_the_end_of_a_purge() {
    let mut bench = purging();
    bench.disk.on_timer(at(0), &mut bench.queue);
    let [Output::Snapshot(purge, _)] = bench.queue.take()[..] else { panic!("a purge is due") };
    assert!(bench.ask_history().is_empty());
    assert!(!bench.disk.is_quiet(), "it is yet to be read");
    bench.stored(purge, Outcome::Purged { removed: 1 });
    let asked = bench.queue.take();
    assert!(matches!(asked[..], [Output::History(..)]), "{asked:?}");
}

#[test]
fn a_purge_waits_for_what_reads_old_files() {
    let mut bench = purging();
    let [Output::History(read, _)] = bench.ask_history()[..] else { panic!("it is read at once") };
    bench.disk.on_timer(at(0), &mut bench.queue);
    assert!(bench.queue.take().is_empty());
    assert_eq!(bench.disk.next_purge(), at(1).mono);
    assert!(!bench.disk.is_quiet(), "it is read");
    bench.stored(read, Outcome::HistoryTooLong);
    assert!(bench.disk.is_quiet());
    bench.disk.on_timer(at(1), &mut bench.queue);
    let asked = bench.queue.take();
    assert!(matches!(asked[..], [Output::Snapshot(_, SnapshotRequest::Purge)]), "{asked:?}");
}

#[test]
fn an_answer_to_something_else_is_found() {
    let mut bench = Bench::new();
    let roll = bench.ask(ForWhom::Role, LogRequest::Roll);
    fires("PE-6", || bench.stored(roll, Outcome::LogReset));
    fires("PE-10", || Bench::new().stored(STRANGE, Outcome::Rolled));
}

#[test]
fn a_slice_of_no_snapshot_is_found() {
    fires("SN-3", || Bench::new().stored(STRANGE, Outcome::ChunkWritten));
    let done = Outcome::SnapshotDone { zxid: Zxid(1), sync: true, took: Duration::ZERO };
    fires("SN-3", || Bench::new().stored(STRANGE, done));
}

#[test]
fn what_an_aborted_snapshot_still_completes_is_passed_over() {
    let mut bench = Bench::new();
    bench.disk.begin_snapshot(Purpose::Routine, &bench.db, &mut bench.queue);
    bench.disk.abort_snapshot(&mut bench.queue);
    let asked = bench.queue.take();
    let abort = |output: &Output| matches!(output, Output::Snapshot(_, SnapshotRequest::Abort));
    assert!(asked.len() == 3 && abort(&asked[2]), "{asked:?}");
    let done = Outcome::SnapshotDone { zxid: Zxid::ZERO, sync: false, took: Duration::ZERO };
    for outcome in [Outcome::SnapshotBegun, Outcome::ChunkWritten, done] {
        assert!(matches!(bench.stored(STRANGE, outcome), Stored::Nothing));
        assert!(!bench.disk.is_quiet());
    }
    bench.stored(STRANGE, Outcome::Aborted);
    assert!(bench.disk.is_quiet() && bench.queue.take().is_empty());
}

#[test]
fn a_leaders_snapshot_gets_its_name_when_the_guard_file_names_it() {
    for chunk_first in [true, false] {
        let mut bench = Bench::new();
        bench.disk.begin_snapshot(Purpose::Install, &bench.db, &mut bench.queue);
        let asked = bench.queue.take();
        let Output::Log(mark, LogRequest::MarkUnfinished { snapshot }) = asked[0] else {
            panic!("{asked:?}")
        };
        let chunk = (STRANGE, Outcome::ChunkWritten);
        let marked = (mark, Outcome::MarkedUnfinished { snapshot });
        let order = if chunk_first { [chunk, marked] } else { [marked, chunk] };
        for (n, (ticket, outcome)) in order.into_iter().enumerate() {
            assert!(bench.queue.take().is_empty(), "before {n}");
            bench.stored(ticket, outcome);
        }
        let asked = bench.queue.take();
        let is_finish =
            |output: &Output| matches!(output, Output::Snapshot(_, SnapshotRequest::Finish));
        assert!(asked.len() == 2 && is_finish(&asked[1]), "{asked:?}");
    }
}

#[test]
fn old_transactions_are_read_from_the_last_mark_before_them() {
    let mut bench = Bench::new();
    for (zxid, offset) in [(1, 16), (2, 3_000_000)] {
        let append = bench.ask(ForWhom::Role, LogRequest::Append(txn(Zxid(zxid))));
        let at = LogPosition { log: Zxid(1), offset };
        bench.stored(append, Outcome::Durable { zxid: Zxid(zxid), at, time_ms: 0, batch: None });
        bench.queue.take();
    }
    let begin = |bench: &mut Bench| match bench.ask_history()[..] {
        [Output::History(_, HistoryRequest { begin, .. })] => begin,
        ref other => panic!("{other:?}"),
    };
    assert_eq!(begin(&mut bench), Some(LogPosition { log: Zxid(1), offset: 16 }));
    let reset = bench.ask(ForWhom::Reset, LogRequest::Reset { behind: Zxid(9) });
    bench.stored(reset, Outcome::LogReset);
    assert_eq!(begin(&mut bench), None);
}

fn rolls(asked: &[Output]) -> bool {
    matches!(asked, [Output::Log(_, LogRequest::Roll), ..])
}

#[test]
fn a_log_of_the_greatest_size_is_followed_by_a_new_one_once() {
    let mut bench = Bench::new();
    bench.disk.log_bytes_max = Some(1000);
    assert!(bench.logged(1, 1000).is_empty());
    assert!(rolls(&bench.logged(1, 1001)));
    assert!(bench.logged(1, 2000).is_empty(), "it was on its way to the log that is done with");
    assert!(bench.logged(2, 900).is_empty());
    assert!(rolls(&bench.logged(2, 1900)));
    // A log that was cut away may come again under its name.
    let cut = bench.ask(ForWhom::Replace, LogRequest::Truncate { to: Zxid(1) });
    bench.stored(cut, Outcome::Truncated { to: Zxid(1) });
    bench.queue.take();
    let load = Outcome::Loaded(Box::default());
    let ticket = bench.disk.on_log.back().expect("it is read anew").0;
    bench.stored(ticket, load);
    assert!(rolls(&bench.logged(2, 1900)));
}

#[test]
fn a_snapshot_is_due_behind_many_transactions_or_a_long_log() {
    let mut config = ServerConfig::defaults(ServerId(1));
    config.snap_log_bytes = Some(1000);
    let mut bench = Bench { disk: Disk::new(&config), ..Bench::new() };
    let applied = |bench: &mut Bench| {
        bench.disk.on_applied(true, &bench.db, &mut bench.queue);
        bench.requests()
    };
    bench.logged(1, 500);
    assert!(applied(&mut bench).is_empty(), "half of it at least");
    bench.logged(1, 1001);
    let asked = applied(&mut bench);
    assert!(rolls(&asked) && asked.len() == 3, "{asked:?}");
    bench.logged(2, 1001);
    assert!(applied(&mut bench).is_empty(), "the first is not done yet");
}
