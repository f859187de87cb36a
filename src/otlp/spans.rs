//! Spans, made of what a server notes about its transactions.
//!
//! Not here: how they are sent (export.rs).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::base::{Mono, Note, Now, ServerId, Zxid, splitmix};
use crate::config::ServerConfig;
use crate::peer::{Input, Output, StepObserver};
use crate::server::Seeds;

/// Writes that are followed at a time. More are not shown.
const OPEN_MAX: usize = 256;
/// Spans that wait to be sent. More are dropped, and counted.
const WAITING_MAX: usize = 4096;

/// The name of a span.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Write,
    Quorum,
    Apply,
    Log,
    Commit,
}

impl Stage {
    pub(super) fn name(self) -> &'static str {
        match self {
            Stage::Write => "write",
            Stage::Quorum => "quorum",
            Stage::Apply => "apply",
            Stage::Log => "log",
            Stage::Commit => "commit",
        }
    }
}

/// A stage of one write on this server, with times in nanoseconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub(super) stage: Stage,
    pub(super) zxid: Zxid,
    /// Of the transaction's bytes.
    pub(super) hash: u64,
    pub(super) began: u64,
    pub(super) ended: u64,
    /// Who acked it, for `Quorum`.
    pub(super) voters: Vec<ServerId>,
}

impl Span {
    /// 16 bytes: the same on each server.
    pub(super) fn trace_id(&self) -> String {
        format!("{:016x}{:016x}", self.zxid.0, self.hash)
    }

    /// 8 bytes: of the leader's `write` the same for each who asks, of the others different from
    /// server to server.
    pub(super) fn id(&self, server: ServerId) -> String {
        let own = splitmix::mix(server.0 as u64) ^ self.stage as u64;
        let id = match self.stage {
            Stage::Write => self.write_id(),
            _ => splitmix::mix(self.write_id() ^ own),
        };
        format!("{:016x}", id.max(1))
    }

    /// The span that this one is in.
    pub(super) fn parent_id(&self) -> Option<String> {
        (self.stage != Stage::Write).then(|| format!("{:016x}", self.write_id().max(1)))
    }

    fn write_id(&self) -> u64 {
        splitmix::mix(self.hash ^ self.zxid.0 as u64)
    }
}

/// What waits to be sent.
#[derive(Default, Debug)]
pub(super) struct Finished {
    pub(super) spans: Vec<Span>,
    pub(super) dropped: u64,
}

/// A write of which not everything has happened yet.
#[derive(Debug)]
struct Open {
    hash: u64,
    proposed: Option<Mono>,
    committed: Option<(Mono, Vec<ServerId>)>,
    appended: Option<Mono>,
    durable: Option<Mono>,
    applied: Option<Mono>,
}

pub(super) struct Tracer {
    writes_per_trace: u64,
    open: BTreeMap<Zxid, Open>,
    finished: Rc<RefCell<Finished>>,
    /// The moment of the present step.
    now: Now,
}

impl Tracer {
    pub(super) fn new(writes_per_trace: u64, finished: Rc<RefCell<Finished>>) -> Tracer {
        Tracer { writes_per_trace, open: BTreeMap::new(), finished, now: Now::default() }
    }

    fn on_note(&mut self, note: &Note) {
        let now = self.now.mono;
        match note {
            Note::Proposed { zxid, hash } => {
                if let Some(open) = self.open(*zxid, *hash) {
                    open.proposed = Some(now);
                }
            }
            Note::Appended { zxid, hash } => {
                if let Some(open) = self.open(*zxid, *hash) {
                    open.appended = Some(now);
                }
            }
            Note::Durable { zxid } => {
                for open in self.open.range_mut(..=*zxid).map(|(_, open)| open) {
                    open.durable.get_or_insert(now);
                }
                self.finish_up_to(*zxid);
            }
            Note::Committed { zxid, voters } => {
                if let Some(open) = self.open.get_mut(zxid) {
                    open.committed = Some((now, voters.clone()));
                }
            }
            Note::Applied { zxid, .. } => {
                if let Some(open) = self.open.get_mut(zxid) {
                    open.applied = Some(now);
                }
                self.finish_up_to(*zxid);
            }
            // What is not committed yet may never be.
            Note::GaveUp { .. } | Note::Truncated { .. } => self.open.clear(),
            _ => {}
        }
    }

    /// The write, if it is one of those that are shown.
    fn open(&mut self, zxid: Zxid, hash: u64) -> Option<&mut Open> {
        let is_shown = hash.is_multiple_of(self.writes_per_trace);
        if !is_shown || (self.open.len() >= OPEN_MAX && !self.open.contains_key(&zxid)) {
            return None;
        }
        let (proposed, committed, appended) = (None, None, None);
        let new = Open { hash, proposed, committed, appended, durable: None, applied: None };
        Some(self.open.entry(zxid).or_insert(new))
    }

    /// Of the writes up to there, those that are durable and in the tree are over.
    fn finish_up_to(&mut self, zxid: Zxid) {
        let is_over = |zxid: &Zxid, open: &mut Open| {
            open.durable.is_some() && open.applied.is_some() && *zxid > Zxid::ZERO
        };
        let over: Vec<_> = self.open.extract_if(..=zxid, is_over).collect();
        for (zxid, open) in over {
            self.finish(zxid, &open);
        }
    }

    fn finish(&self, zxid: Zxid, open: &Open) {
        let quorum = open.committed.as_ref();
        let (committed, voters) = (quorum.map(|(at, _)| *at), quorum.map(|(_, voters)| voters));
        let stages = match open.proposed {
            Some(_) => [
                (Stage::Write, open.proposed, open.applied),
                (Stage::Quorum, open.proposed, committed),
                (Stage::Apply, committed, open.applied),
                (Stage::Log, open.appended, open.durable),
            ]
            .to_vec(),
            None => [
                (Stage::Log, open.appended, open.durable),
                // COMMIT may come before the own log is as far.
                (Stage::Commit, open.durable.min(open.applied), open.applied),
            ]
            .to_vec(),
        };
        let mut finished = self.finished.borrow_mut();
        for (stage, began, ended) in stages {
            let (Some(began), Some(ended)) = (began, ended) else { continue };
            if finished.spans.len() >= WAITING_MAX {
                finished.dropped += 1;
                continue;
            }
            let (began, ended) = (self.wall_nanos(began), self.wall_nanos(ended));
            let voters = voters.filter(|_| stage == Stage::Quorum).cloned().unwrap_or_default();
            finished.spans.push(Span { stage, zxid, hash: open.hash, began, ended, voters });
        }
    }

    /// What the wall clock showed then, if it has not jumped since.
    fn wall_nanos(&self, at: Mono) -> u64 {
        let ago = self.now.mono.since(at).as_nanos() as u64;
        (self.now.wall_ms.max(0) as u64).saturating_mul(1_000_000).saturating_sub(ago)
    }
}

impl StepObserver for Tracer {
    fn started(&mut self, now: Now, _: &ServerConfig, _: Seeds) {
        self.now = now;
    }

    fn input(&mut self, now: Now, _: &Input) {
        self.now = now;
    }

    fn outputs(&mut self, outputs: &[Output]) {
        for output in outputs {
            if let Output::Note(note) = output {
                self.on_note(note);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::GaveUp;

    struct Bench {
        tracer: Tracer,
        finished: Rc<RefCell<Finished>>,
    }

    impl Bench {
        fn new(writes_per_trace: u64) -> Bench {
            let finished = Rc::new(RefCell::new(Finished::default()));
            Bench { tracer: Tracer::new(writes_per_trace, Rc::clone(&finished)), finished }
        }

        /// The wall clock is at second 1 when the other one is at 0.
        fn note(&mut self, millis: u64, note: Note) {
            self.tracer.now =
                Now { mono: Mono::from_millis(millis), wall_ms: 1000 + millis as i64 };
            self.tracer.outputs(&[Output::Note(note)]);
        }

        /// Names, and beginning and end in milliseconds of the wall clock.
        fn spans(&mut self) -> Vec<(&'static str, u64, u64)> {
            let spans = std::mem::take(&mut self.finished.borrow_mut().spans);
            let millis = |nanos: u64| nanos / 1_000_000;
            spans.iter().map(|s| (s.stage.name(), millis(s.began), millis(s.ended))).collect()
        }
    }

    const ZXID: Zxid = Zxid(0x1_0000_0001);

    fn applied() -> Note {
        Note::Applied { zxid: ZXID, hash: 6, state_digest: 0 }
    }

    #[test]
    fn a_leaders_write_is_over_when_it_is_durable_and_in_the_tree() {
        let mut bench = Bench::new(1);
        bench.note(1, Note::Proposed { zxid: ZXID, hash: 6 });
        bench.note(1, Note::Appended { zxid: ZXID, hash: 6 });
        bench.note(3, Note::Committed { zxid: ZXID, voters: vec![ServerId(2), ServerId(3)] });
        bench.note(4, applied());
        assert_eq!(bench.spans(), []);
        bench.note(7, Note::Durable { zxid: ZXID });
        let spans = bench.spans();
        let quorum = [("write", 1001, 1004), ("quorum", 1001, 1003), ("apply", 1003, 1004)];
        assert_eq!(spans, [&quorum[..], &[("log", 1001, 1007)]].concat());
    }

    #[test]
    fn a_followers_part_is_its_log_and_the_wait_for_commit() {
        let mut bench = Bench::new(1);
        bench.note(2, Note::Appended { zxid: ZXID, hash: 6 });
        bench.note(5, Note::Durable { zxid: Zxid(ZXID.0 + 3) });
        bench.note(9, applied());
        assert_eq!(bench.spans(), [("log", 1002, 1005), ("commit", 1005, 1009)]);
    }

    #[test]
    fn all_servers_show_the_same_writes_in_the_same_trace() {
        let span =
            |stage, hash| Span { stage, zxid: ZXID, hash, began: 1, ended: 2, voters: Vec::new() };
        let (write, log) = (span(Stage::Write, 6), span(Stage::Log, 6));
        assert_eq!(write.trace_id(), "00000001000000010000000000000006");
        assert_eq!(log.trace_id(), write.trace_id());
        assert_eq!(log.parent_id(), Some(write.id(ServerId(1))));
        assert_eq!((write.parent_id(), write.id(ServerId(1))), (None, write.id(ServerId(2))));
        assert_ne!(log.id(ServerId(1)), log.id(ServerId(2)));

        let mut bench = Bench::new(4);
        bench.note(1, Note::Appended { zxid: ZXID, hash: 6 });
        assert!(bench.tracer.open.is_empty(), "6 is no multiple of 4");
        bench.note(1, Note::Appended { zxid: ZXID, hash: 8 });
        assert_eq!(bench.tracer.open.len(), 1);
        bench.note(1, Note::GaveUp { why: GaveUp::CounterUsedUp });
        assert!(bench.tracer.open.is_empty(), "it may never be committed");
    }

    #[test]
    fn what_is_open_and_what_waits_is_bounded() {
        let mut bench = Bench::new(1);
        for n in 0..2 * OPEN_MAX as i64 {
            bench.note(1, Note::Appended { zxid: Zxid(1 + n), hash: 1 });
        }
        assert_eq!(bench.tracer.open.len(), OPEN_MAX);
        bench.tracer.open.clear();
        for n in 0..WAITING_MAX as i64 {
            let zxid = Zxid(1 + n);
            bench.note(1, Note::Appended { zxid, hash: 1 });
            bench.note(1, Note::Durable { zxid });
            bench.note(1, Note::Applied { zxid, hash: 1, state_digest: 0 });
        }
        let finished = bench.finished.borrow();
        let counts = (finished.spans.len(), finished.dropped);
        assert_eq!(counts, (WAITING_MAX, WAITING_MAX as u64));
    }
}
