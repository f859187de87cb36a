//! What came of the requests: latencies, counts a second, errors by name.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::op::Op;
use crate::jute::client::code;

/// Nothing is waited for longer; three digits of a latency are kept.
const LATENCY_NANOS_MAX: u64 = 3_600_000_000_000;
const DIGITS: u8 = 3;
const SECOND: u64 = 1_000_000_000;

/// The latencies of one operation.
#[derive(Clone, Debug)]
pub(super) struct Latencies {
    /// Those of the second that runs.
    now: Histogram<u64>,
    pub(super) all: Histogram<u64>,
}

/// One second of the run.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Second {
    /// Its end, in seconds from the start of the measurement.
    pub(super) at: f64,
    pub(super) ops_per_s: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) max_us: f64,
}

#[derive(Debug)]
pub(super) struct Tally {
    rows: [Option<Box<Latencies>>; Op::ALL.len()],
    /// By operation and code.
    pub(super) errors: BTreeMap<(Op, i32), u64>,
    pub(super) seconds: Vec<Second>,
    /// What began earlier warms up.
    pub(super) from: u64,
    /// When the second that runs began.
    second_from: u64,
    /// Replies that were counted, and the time of the last.
    pub(super) replies: u64,
    pub(super) last: u64,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NANOS_MAX, DIGITS).expect("the bounds are good")
}

pub(super) fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

impl Tally {
    /// Counts what begins from then on.
    pub(super) fn new(from: u64) -> Tally {
        Tally {
            rows: Default::default(),
            errors: BTreeMap::new(),
            seconds: Vec::new(),
            from,
            second_from: from,
            replies: 0,
            last: from,
        }
    }

    /// So many replies of one kind that came in one read and were asked in one write.
    pub(super) fn count(&mut self, op: Op, start: u64, now: u64, count: u64) {
        if start < self.from || count == 0 {
            return;
        }
        let row = self.rows[op as usize]
            .get_or_insert_with(|| Box::new(Latencies { now: histogram(), all: histogram() }));
        row.now.saturating_record_n(now.saturating_sub(start).max(1), count);
        if op != Op::Event {
            self.replies += count;
            self.last = now;
        }
    }

    pub(super) fn error(&mut self, op: Op, err: i32, start: u64) {
        if start >= self.from {
            *self.errors.entry((op, err)).or_default() += 1;
        }
    }

    /// Whether a second of the measurement is over.
    pub(super) fn second_is_over(&self, now: u64) -> bool {
        now >= self.second_from + SECOND
    }

    /// Ends the second that runs; `None` if nothing was measured in it.
    pub(super) fn end_second(&mut self, now: u64) -> Option<&Second> {
        if now <= self.second_from {
            return None;
        }
        let seconds = (now - self.second_from) as f64 / SECOND as f64;
        self.second_from = now;
        let mut together = histogram();
        for (op, row) in Op::ALL.into_iter().zip(&mut self.rows) {
            let Some(row) = row else { continue };
            if op != Op::Event {
                together.add(&row.now).expect("the bounds are the same");
            }
            row.all.add(&row.now).expect("the bounds are the same");
            row.now.reset();
        }
        self.seconds.push(Second {
            at: (now - self.from) as f64 / SECOND as f64,
            ops_per_s: together.len() as f64 / seconds,
            p50_us: micros(together.value_at_quantile(0.5)),
            p99_us: micros(together.value_at_quantile(0.99)),
            max_us: micros(together.max()),
        });
        self.seconds.last()
    }

    /// What was measured of each operation. Complete once the last second is ended.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Op, &Histogram<u64>)> {
        let rows = Op::ALL.into_iter().zip(&self.rows);
        rows.filter_map(|(op, row)| Some((op, &row.as_ref()?.all)))
    }

    /// Errors that are not this one.
    pub(super) fn errors_but(&self, allowed: i32) -> Option<(Op, i32)> {
        self.errors.keys().find(|(_, err)| *err != allowed).copied()
    }
}

/// The name of a reply code, as KeeperException has it.
pub(super) fn code_name(err: i32) -> String {
    let name = match err {
        code::RUNTIME_INCONSISTENCY => "RuntimeInconsistency",
        -4 => "ConnectionLoss",
        code::MARSHALLING_ERROR => "MarshallingError",
        code::UNIMPLEMENTED => "Unimplemented",
        -7 => "OperationTimeout",
        code::BAD_ARGUMENTS => "BadArguments",
        code::NO_NODE => "NoNode",
        code::NO_AUTH => "NoAuth",
        code::BAD_VERSION => "BadVersion",
        code::NODE_EXISTS => "NodeExists",
        code::NOT_EMPTY => "NotEmpty",
        code::SESSION_EXPIRED => "SessionExpired",
        code::INVALID_ACL => "InvalidACL",
        code::AUTH_FAILED => "AuthFailed",
        code::SESSION_MOVED => "SessionMoved",
        code::NOT_READ_ONLY => "NotReadOnly",
        code::QUOTA_EXCEEDED => "QuotaExceeded",
        code::THROTTLED_OP => "ThrottledOp",
        _ => return format!("code {err}"),
    };
    name.into()
}
