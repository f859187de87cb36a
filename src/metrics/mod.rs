//! What a server counts of itself, under Apache's names. (Z/server/ServerMetrics)
//!
//!     names.rs     which counters, summaries and sets there are, and what they are called
//!     series.rs    one summary: count, sum, least, greatest, and quantiles of the last minutes
//!     recent.rs    what was recorded since somebody looked last
//!     family.rs    what is shown of a metric, whatever the format
//!
//! One registry belongs to one server. Whoever counts holds a handle on it, and only adds: nothing a
//! server decides is read from here. So a copy of a server shares the registry of the one that it was
//! copied from, and a handle that is restored from a file counts for itself.
//!
//! Times are in milliseconds and sizes in bytes, as in Apache, where the name says nothing else.
//! `srst` begins everything anew, as Apache's DefaultMetricsProvider does.
//!
//! Not here: gauges, which are read from the server when somebody asks (`admin`, `peer`), and the
//! formats (`admin`).

mod family;
mod names;
mod recent;
mod series;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::base::limits::NAMESPACES_MAX;
use crate::base::{Mono, Now, ServerId};
use crate::jute::client::{op, op_name};

pub use family::{Digest, Family, Kind, Number, Sample, Value};
pub use names::{Counter, CounterSet, Summary};
pub use recent::{Recent, Spread};
use series::Series;

/// Quantiles are of the last one to two of these.
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// Operations of clients have numbers from -11 to 107; each has its own latencies.
const OPS: usize = 120;
const FIRST_OP: i32 = -11;
/// What all further namespaces are counted under: none is called so.
const OTHERS: &str = "/";
/// Apache calls them gauges, and `srst` leaves them as they are.
const GAUGES: [Counter; 3] =
    [Counter::AuthFailedCount, Counter::NonMtlsRemoteConnCount, Counter::NonMtlsLocalConnCount];

/// A handle on the registry of one server.
#[derive(Clone, Default)]
pub struct Metrics(Rc<Registry>);

struct Registry {
    counters: [Cell<u64>; Counter::ROWS.len()],
    summaries: [Series; Summary::ROWS.len()],
    counter_sets: [RefCell<BTreeMap<Rc<str>, u64>>; CounterSet::ROWS.len()],
    /// From a request's arrival to its answer, by operation.
    requests: [Series; OPS],
    /// From a proposal to each server's ack of it. (ack_latency)
    /// Of each server that acked, in the order of the first acks: they are few.
    acks: RefCell<Vec<(ServerId, Series)>>,
    response_sizes: Cell<Option<Sizes>>,
    /// When a new window of the quantiles begins.
    rotates: Cell<Mono>,
}

/// In bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    pub last: u64,
    pub min: u64,
    pub max: u64,
}

impl Default for Registry {
    fn default() -> Registry {
        Registry {
            counters: std::array::from_fn(|_| Cell::new(0)),
            summaries: std::array::from_fn(|_| Series::default()),
            counter_sets: Default::default(),
            requests: std::array::from_fn(|_| Series::default()),
            acks: Default::default(),
            response_sizes: Cell::new(None),
            rotates: Cell::new(Mono(0)),
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Called now and then, and before somebody is shown: quantiles forget what is too old.
    pub fn forget_old(&self, now: Mono) {
        if now >= self.0.rotates.get() {
            self.0.rotates.set(now + WINDOW);
            self.0.for_each_series(Series::rotate);
        }
    }

    pub fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    pub fn add(&self, counter: Counter, n: u64) {
        let cell = &self.0.counters[counter as usize];
        cell.set(cell.get() + n);
    }

    pub fn counted(&self, counter: Counter) -> u64 {
        self.0.counters[counter as usize].get()
    }

    pub fn record(&self, summary: Summary, value: u64) {
        self.0.summaries[summary as usize].record(value);
    }

    pub fn record_ms(&self, summary: Summary, time: Duration) {
        self.record(summary, millis(time));
    }

    pub fn record_us(&self, summary: Summary, time: Duration) {
        self.record(summary, u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// How long ago a leader stamped a transaction. Clocks of two servers may differ: what lies in
    /// the future is not counted, as in Apache.
    pub fn record_since(&self, summary: Summary, now: Now, time_ms: i64) {
        if let Some(ago) = ago(now, time_ms) {
            self.record(summary, ago);
        }
    }

    /// A server has acked a transaction that its leader stamped so.
    pub fn record_ack(&self, from: ServerId, now: Now, time_ms: i64) {
        if let Some(ago) = ago(now, time_ms) {
            let mut acks = self.0.acks.borrow_mut();
            let known = acks.iter().position(|(sid, _)| *sid == from);
            let known = known.unwrap_or_else(|| {
                acks.push((from, Series::default()));
                acks.len() - 1
            });
            acks[known].1.record(ago);
        }
    }

    pub fn count_under(&self, set: CounterSet, key: &str) {
        let mut counts = self.0.counter_sets[set as usize].borrow_mut();
        if let Some(count) = counts.get_mut(key) {
            *count += 1;
            return;
        }
        let key = if counts.len() < NAMESPACES_MAX { key } else { OTHERS };
        *counts.entry(key.into()).or_default() += 1;
    }

    /// A request is answered. (ServerStats.updateLatency)
    pub fn record_request(&self, op: i32, millis: u64) {
        let place = usize::try_from(op.wrapping_sub(FIRST_OP)).unwrap_or(usize::MAX);
        self.0.requests[place.min(OPS - 1)].record(millis);
    }

    /// A reply of so many bytes, with its length, goes to a client.
    pub fn count_response(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.add(Counter::ResponseBytes, bytes);
        let sizes = self.0.response_sizes.get();
        let (min, max) =
            sizes.map_or((bytes, bytes), |sizes| (sizes.min.min(bytes), sizes.max.max(bytes)));
        self.0.response_sizes.set(Some(Sizes { last: bytes, min, max }));
    }

    /// Of the replies to clients; `None` before the first.
    pub fn response_sizes(&self) -> Option<Sizes> {
        self.0.response_sizes.get()
    }

    /// The latencies of all requests.
    pub fn latency(&self) -> Digest {
        self.requests(|_| true).0
    }

    /// `srst`.
    pub fn reset(&self) {
        let registry = &self.0;
        for (n, counter) in registry.counters.iter().enumerate() {
            if kind_of(n) == Kind::Counter {
                counter.set(0);
            }
        }
        registry.for_each_series(Series::reset);
        registry.counter_sets.iter().for_each(|set| set.borrow_mut().clear());
        registry.acks.borrow_mut().clear();
        registry.response_sizes.set(None);
    }

    /// One summary as it is shown.
    pub fn digest(&self, summary: Summary) -> Digest {
        self.0.summaries[summary as usize].digest()
    }

    /// From a proposal to this server's ack of it.
    pub fn ack_latency(&self, from: ServerId) -> Option<Digest> {
        let acks = self.0.acks.borrow();
        acks.iter().find(|(sid, _)| *sid == from).map(|(_, series)| series.digest())
    }

    /// Requests answered so far: reads, and writes. Pings are neither.
    pub fn answered(&self) -> (u64, u64) {
        let mut counts = (0, 0);
        for (series, op) in self.0.requests.iter().zip(FIRST_OP..).filter(|(_, op)| *op != op::PING)
        {
            let count = if is_update(op) { &mut counts.1 } else { &mut counts.0 };
            *count += series.count();
        }
        counts
    }

    /// The latencies, in milliseconds, of the requests that were answered since the last look; pings
    /// left out.
    pub fn requests_since(&self, last: &mut Recent) -> Option<Spread> {
        let all = self.0.requests.iter().zip(FIRST_OP..).filter(|(_, op)| *op != op::PING);
        last.look(all.map(|(series, _)| series), self.0.rotates.get())
    }

    /// What was recorded of this since the last look.
    pub fn since(&self, summary: Summary, last: &mut Recent) -> Option<Spread> {
        let series = &self.0.summaries[summary as usize];
        last.look([series].into_iter(), self.0.rotates.get())
    }

    /// Everything that is counted here.
    pub fn families(&self) -> Vec<Family> {
        let registry = &self.0;
        let mut families = Vec::new();
        for (n, counter) in registry.counters.iter().enumerate() {
            families.push(Family::one(
                Counter::ROWS[n],
                kind_of(n),
                Value::Number(counter.get().into()),
            ));
        }
        for (name, set) in CounterSet::ROWS.iter().zip(&registry.counter_sets) {
            let set = set.borrow();
            let samples =
                set.iter().map(|(key, count)| (key.clone(), Value::Number((*count).into())));
            families.push(Family::keyed(name, Kind::Counter, samples));
        }
        for (&(name, kind), series) in Summary::ROWS.iter().zip(&registry.summaries) {
            families.push(Family::one(name, kind, Value::Summary(series.digest())));
        }
        let acks = registry.acks.borrow();
        let mut acks: Vec<_> = acks.iter().collect();
        acks.sort_by_key(|(sid, _)| *sid);
        let acks = acks
            .into_iter()
            .map(|(sid, series)| (sid.0.to_string().into(), Value::Summary(series.digest())));
        families.push(Family::keyed("ack_latency", Kind::ADVANCED, acks));
        let (updates, reads) = (self.requests(is_update).0, self.requests(|op| !is_update(op)).0);
        families.push(Family::one("readlatency", Kind::ADVANCED, Value::Summary(reads)));
        families.push(Family::one("updatelatency", Kind::ADVANCED, Value::Summary(updates)));
        let by_op = self.requests(|_| true).1.into_iter();
        let by_op = by_op.map(|(op, digest)| (op_name(op).into(), Value::Summary(digest)));
        families.push(Family::keyed("quorate_request_latency_ms", Kind::ADVANCED, by_op));
        families
    }

    /// The latencies of some operations, together and each.
    fn requests(&self, wanted: impl Fn(i32) -> bool) -> (Digest, Vec<(i32, Digest)>) {
        let all = self.0.requests.iter().zip(FIRST_OP..);
        let some = || all.clone().filter(|(series, op)| wanted(*op) && !series.is_empty());
        let each = some().map(|(series, op)| (op, series.digest())).collect();
        (Series::digest_of(some().map(|(series, _)| series)), each)
    }
}

impl Registry {
    fn for_each_series(&self, act: impl Fn(&Series)) {
        self.summaries.iter().chain(&self.requests).for_each(&act);
        self.acks.borrow().iter().for_each(|(_, series)| act(series));
    }
}

/// Of the counter in this place.
fn kind_of(n: usize) -> Kind {
    let is_gauge = GAUGES.iter().any(|gauge| *gauge as usize == n);
    if is_gauge { Kind::Gauge } else { Kind::Counter }
}

fn ago(now: Now, time_ms: i64) -> Option<u64> {
    u64::try_from(now.wall_ms.saturating_sub(time_ms)).ok()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whether an operation becomes a transaction.
fn is_update(op: i32) -> bool {
    matches!(
        op,
        op::CREATE
            | op::DELETE
            | op::SET_DATA
            | op::SET_ACL
            | op::MULTI
            | op::CREATE2
            | op::RECONFIG
            | op::CREATE_CONTAINER
            | op::DELETE_CONTAINER
            | op::CREATE_TTL
            | op::CREATE_SESSION
            | op::CLOSE_SESSION
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(metrics: &Metrics, name: &str) -> Digest {
        let families = metrics.families();
        let family = families.iter().find(|family| family.name == name).expect("it is there");
        match &family.samples[0].value {
            Value::Summary(digest) => *digest,
            other => panic!("{name} is {other:?}"),
        }
    }

    #[test]
    fn latencies_of_operations_are_those_of_reads_and_of_updates() {
        let metrics = Metrics::default();
        for (op, millis) in [(op::GET_DATA, 2), (op::PING, 4), (op::SET_DATA, 9), (999, 1)] {
            metrics.record_request(op, millis);
        }
        let (reads, updates) = (digest(&metrics, "readlatency"), digest(&metrics, "updatelatency"));
        assert_eq!([reads.count, reads.sum, reads.min, reads.max], [3, 7, 1, 4]);
        assert_eq!([updates.count, updates.sum, updates.min, updates.max], [1, 9, 9, 9]);
        let all = metrics.latency();
        assert_eq!([all.count, all.sum, all.min, all.max], [4, 16, 1, 9]);
        assert_eq!(updates.quantiles, Some([9; 5]));
    }

    #[test]
    fn quantiles_forget_what_is_older_than_two_windows_and_counts_do_not() {
        let metrics = Metrics::default();
        metrics.forget_old(Mono(1));
        metrics.record(Summary::FsyncTime, 7);
        metrics.forget_old(Mono(1) + WINDOW);
        assert_eq!(digest(&metrics, "fsynctime").quantiles, Some([7; 5]));
        metrics.forget_old(Mono(1) + 2 * WINDOW);
        let old = digest(&metrics, "fsynctime");
        assert_eq!((old.count, old.max, old.quantiles), (1, 7, None));
    }

    #[test]
    fn a_thousand_namespaces_have_a_key_each_and_all_others_one() {
        let metrics = Metrics::default();
        for n in 0..=NAMESPACES_MAX + 1 {
            metrics.count_under(CounterSet::QuotaExceededErrorPerNamespace, &n.to_string());
        }
        let families = metrics.families();
        let name = "quota_exceeded_error_per_namespace";
        let family = families.iter().find(|family| family.name == name).expect("it is there");
        assert_eq!(family.samples.len(), NAMESPACES_MAX + 1);
        let others = Sample { key: Some("/".into()), value: Value::Number(2_u64.into()) };
        assert_eq!(family.samples[0], others, "it sorts first");
    }

    #[test]
    fn a_reset_leaves_nothing_but_the_names() {
        let metrics = Metrics::default();
        let names = |metrics: &Metrics| -> Vec<_> {
            metrics.families().iter().map(|family| family.name).collect()
        };
        let before = metrics.families();
        metrics.count(Counter::LookingCount);
        metrics.record(Summary::ElectionTime, 5);
        metrics.record_request(op::GET_DATA, 5);
        metrics.count_response(30);
        metrics.count_under(CounterSet::Elections, "start");
        assert_ne!(metrics.families(), before);
        metrics.reset();
        assert_eq!(names(&metrics), before.iter().map(|family| family.name).collect::<Vec<_>>());
        assert_eq!((metrics.families(), metrics.response_sizes()), (before, None));
    }
}
