//! One run: sessions, nodes, the load that is measured, and the nodes' removal.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::client::Client;
use super::error::BenchError;
use super::frames::Template;
use super::op::Load;
use super::op::Op;
use super::pace::{Phase, Schedule};
use super::plan::Plan;
use super::tally::{Second, Tally, code_name, micros};
use super::work::{Each, Measured, Once, Source, created_path};
use crate::base::splitmix;
use crate::jute::client::code;

/// Requests in flight in all while nodes are made or removed, and bytes of them.
const BULK_REQUESTS: usize = 2_000;
const BULK_BYTES: usize = 16 << 20;

/// What is measured of one operation.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) op: &'static str,
    pub(super) count: u64,
    pub(super) ops_per_s: f64,
    pub(super) mean_us: f64,
    pub(super) p50_us: f64,
    pub(super) p90_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
    pub(super) max_us: f64,
    /// Percentile and latency, for the plot.
    pub(super) percentiles: Vec<(f64, f64)>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) servers: Vec<String>,
    pub(super) load: String,
    pub(super) connections: usize,
    pub(super) outstanding: usize,
    pub(super) value_bytes: usize,
    pub(super) nodes: u64,
    pub(super) rate: Option<f64>,
    pub(super) seconds: f64,
    pub(super) ops_per_s: f64,
    pub(super) rows: Vec<Row>,
    pub(super) errors: BTreeMap<String, u64>,
    /// By server and reason.
    pub(super) lost_connections: BTreeMap<String, usize>,
    pub(super) unanswered: u64,
    /// Operations of an open loop that were due and never asked.
    pub(super) late: u64,
    pub(super) timeline: Vec<Second>,
}

impl Outcome {
    pub(super) fn is_good(&self) -> bool {
        self.errors.is_empty() && self.lost_connections.is_empty() && self.unanswered == 0
    }
}

pub(super) fn run(plan: &Plan, servers: &[SocketAddr], quiet: bool) -> Result<Outcome, BenchError> {
    let mut client = Client::connect(servers, plan.connections, plan.session_timeout_ms)?;
    let root = plan.root.clone().unwrap_or_else(unique_root);
    let mut run = Run { plan, root, client: &mut client };
    run.set_up()?;
    let (outcome, created) = run.measure(servers, quiet)?;
    if plan.keep {
        eprintln!("kept: {}", run.root);
    } else if let Err(error) = run.clean_up(created) {
        // What was measured is worth showing all the same.
        eprintln!("left behind: {}: {error}", run.root);
    }
    client.close();
    Ok(outcome)
}

/// A name that no other run has.
fn unique_root() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let number = splitmix::mix(now as u64 ^ (u64::from(std::process::id()) << 40));
    format!("/quorate-bench-{:08x}", number as u32)
}

struct Run<'a> {
    plan: &'a Plan,
    root: String,
    client: &'a mut Client,
}

impl Run<'_> {
    /// Asks all that this source has, as fast as it goes. An error but `allowed` ends the run.
    fn bulk(
        &mut self,
        doing: &'static str,
        mut source: impl Source,
        allowed: i32,
    ) -> Result<(), BenchError> {
        let bytes = self.plan.value_bytes + 200;
        let in_all = BULK_REQUESTS.min(BULK_BYTES / bytes).max(1);
        let phase = Phase {
            window: (in_all / self.plan.connections).max(1),
            until: None,
            schedule: None,
            idle: false,
        };
        let mut tally = Tally::new(0);
        let unanswered = self.client.unanswered;
        self.client.run_phase(&mut source, phase, &mut tally, |_, _| {})?;
        let unanswered = self.client.unanswered - unanswered;
        if unanswered > 0 || !source.is_dry() {
            let lost = self.client.lost.keys().next();
            let why = lost.map_or("silence".into(), |why| format!("a connection was lost, {why}"));
            return Err(BenchError::Refused { doing, what: why });
        }
        if let Some((op, err)) = tally.errors_but(allowed) {
            let what = format!("{} answers {}", op.name(), code_name(err));
            return Err(BenchError::Refused { doing, what });
        }
        Ok(())
    }

    fn set_up(&mut self) -> Result<(), BenchError> {
        let (doing, plan) = ("creating the nodes", self.plan);
        // A root that the user names may be there already, and what is below it.
        let allowed = if plan.root.is_some() { code::NODE_EXISTS } else { code::OK };
        let root = Template::create(&self.root, &bytes::Bytes::new());
        self.bulk(doing, Each::new(Op::Create, root, 1), allowed)?;
        let target = Template::create(&plan.target_path(&self.root), &plan.value());
        self.bulk(doing, Each::new(Op::Create, target, plan.targets()), allowed)?;
        if plan.load == Load::Children {
            let child = Template::create(&plan.child_path(&self.root), &bytes::Bytes::new());
            let each = Each::of_children(Op::Create, child, plan.targets(), plan.children);
            self.bulk(doing, each, allowed)?;
        }
        // A server that is behind would not know the nodes yet.
        let each = Once::sync(&self.root, 0..self.plan.connections);
        self.bulk(doing, each, code::OK)
    }

    /// The load itself. Also how many nodes it has created.
    fn measure(
        &mut self,
        servers: &[SocketAddr],
        quiet: bool,
    ) -> Result<(Outcome, u64), BenchError> {
        let plan = self.plan;
        let mut source = Measured::new(plan, &self.root);
        for link in &mut self.client.links {
            link.watch(source.watched);
        }
        let began = self.client.clock.now();
        let warmup = plan.warmup.as_nanos() as u64;
        let by_count = plan.operations.is_some();
        let from = if by_count { began } else { began + warmup };
        let length = if plan.load == Load::None { 0 } else { plan.length.as_nanos() as u64 };
        let connections = plan.connections as u64;
        let phase = Phase {
            window: plan.outstanding,
            until: (!by_count).then_some(from + length),
            schedule: plan.rate.map(|rate| (Schedule { rate, connections }, began)),
            idle: matches!(plan.load, Load::Idle),
        };
        let mut tally = Tally::new(from);
        let late = match plan.load {
            Load::None => 0,
            _ => self.client.run_phase(&mut source, phase, &mut tally, |tally, now| {
                let second = tally.end_second(now);
                if let Some(second) = second.filter(|_| !quiet) {
                    eprintln!(
                        "{:6.0} s {:12.0} ops/s   p99 {:10.0} us",
                        second.at, second.ops_per_s, second.p99_us
                    );
                }
            })?,
        };
        let now = self.client.clock.now();
        tally.end_second(now);
        let end = if by_count || tally.last > from + length { tally.last } else { from + length };
        let seconds = ((end - from) as f64 / 1e9).max(f64::MIN_POSITIVE);
        Ok((self.outcome(servers, &tally, seconds, late), source.created()))
    }

    fn outcome(&self, servers: &[SocketAddr], tally: &Tally, seconds: f64, late: u64) -> Outcome {
        let plan = self.plan;
        let errors = tally.errors.iter();
        let mut timeline = tally.seconds.clone();
        // What is left of a second says little, unless it is all there is.
        if timeline.len() > 1 {
            timeline.retain(|second| second.at <= seconds + 0.1);
        }
        Outcome {
            servers: servers.iter().map(SocketAddr::to_string).collect(),
            load: plan.describe(),
            connections: plan.connections,
            outstanding: plan.outstanding,
            value_bytes: plan.value_bytes,
            nodes: plan.targets(),
            rate: plan.rate,
            seconds,
            ops_per_s: tally.replies as f64 / seconds,
            rows: tally.rows().map(|(op, latencies)| row(op, latencies, seconds)).collect(),
            errors: errors
                .map(|((op, err), count)| (format!("{} {}", op.name(), code_name(*err)), *count))
                .collect(),
            lost_connections: self.client.lost.clone(),
            unanswered: self.client.unanswered,
            late,
            timeline,
        }
    }

    fn clean_up(&mut self, created: u64) -> Result<(), BenchError> {
        let (doing, plan) = ("removing the nodes", self.plan);
        let no_node = code::NO_NODE;
        let created_nodes = Template::delete(&created_path(&self.root));
        self.bulk(doing, Each::new(Op::Delete, created_nodes, created), no_node)?;
        if plan.load == Load::Children {
            let child = Template::delete(&plan.child_path(&self.root));
            let each = Each::of_children(Op::Delete, child, plan.targets(), plan.children);
            self.bulk(doing, each, no_node)?;
        }
        let target = Template::delete(&plan.target_path(&self.root));
        self.bulk(doing, Each::new(Op::Delete, target, plan.targets()), no_node)?;
        let root = Template::delete(&self.root);
        self.bulk(doing, Each::new(Op::Delete, root, 1), no_node)
    }
}

fn row(op: Op, latencies: &hdrhistogram::Histogram<u64>, seconds: f64) -> Row {
    let at = |quantile: f64| micros(latencies.value_at_quantile(quantile));
    // Nine points for each nine: 90, 99, 99.9, ...
    let nines = (0..6).flat_map(|nines| (0..9).map(move |ninth| (nines, ninth)));
    let quantiles = nines.map(|(nines, ninth)| {
        let left = 0.1_f64.powi(nines);
        1.0 - left * (1.0 - f64::from(ninth) / 10.0)
    });
    let known = quantiles.take_while(|q| (1.0 - q) * latencies.len() as f64 >= 1.0);
    Row {
        op: op.name(),
        count: latencies.len(),
        ops_per_s: latencies.len() as f64 / seconds,
        mean_us: latencies.mean() / 1e3,
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p999_us: at(0.999),
        max_us: micros(latencies.max()),
        percentiles: known.map(|q| (q * 100.0, at(q))).collect(),
    }
}
