//! Completions, and the requests they answer.

use super::*;
use crate::base::ServerId;
use crate::base::invariant::testing::fires;

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

    fn stored(&mut self, ticket: Ticket, outcome: Outcome) -> Stored {
        self.disk.on_stored(ticket, Ok(outcome), &mut self.db, &mut self.queue)
    }
}

#[test]
fn a_disk_is_quiet_when_every_request_is_answered() {
    let mut bench = Bench::new();
    let roll = bench.ask(ForWhom::Role, LogRequest::Roll);
    assert!(!bench.disk.is_quiet());
    assert!(matches!(bench.stored(roll, Outcome::Rolled), Stored::Nothing));
    assert!(bench.disk.is_quiet());
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
    let done = Outcome::SnapshotDone { zxid: Zxid(1), sync: true };
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
    let done = Outcome::SnapshotDone { zxid: Zxid::ZERO, sync: false };
    for outcome in [Outcome::SnapshotBegun, Outcome::ChunkWritten, done] {
        assert!(matches!(bench.stored(STRANGE, outcome), Stored::Nothing));
        assert!(!bench.disk.is_quiet());
    }
    bench.stored(STRANGE, Outcome::Aborted);
    assert!(bench.disk.is_quiet() && bench.queue.take().is_empty());
}
