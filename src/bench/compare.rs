//! Two targets in turn: medians, and how the second stands to the first.
//!
//! A machine that others use too swings; what was measured side by side in one round swings together.
//! So the ratio is taken round by round, and its median and spread are shown. Every other round begins
//! with B, so that neither always finds what the other left.

use std::time::Duration;

use serde::Serialize;

use super::args::BenchArgs;
use super::disk::sync_rate;
use super::error::BenchError;
use super::one_run::{self, Outcome};
use super::plan::{self, Plan};
use super::report::{grouped, is_stdout, latency, write_json};

const DISK: Duration = Duration::from_millis(500);

/// One run of one target.
#[derive(Clone, Debug, Serialize)]
struct Side {
    fdatasync_per_s: f64,
    ops_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    errors: u64,
    lost_connections: usize,
}

#[derive(Clone, Debug, Serialize)]
struct Round {
    a: Side,
    b: Side,
}

/// The middle of some numbers, and how far they reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

/// One figure of both targets.
#[derive(Clone, Debug, Serialize)]
struct Figure {
    what: &'static str,
    a: Spread,
    b: Spread,
    /// B to A, round by round.
    ratio: Spread,
}

#[derive(Debug, Serialize)]
struct Comparison {
    a: String,
    b: String,
    load: String,
    rounds: Vec<Round>,
    figures: Vec<Figure>,
}

fn spread(numbers: &[f64]) -> Spread {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = match sorted.as_slice() {
        [] => f64::NAN,
        _ if sorted.len().is_multiple_of(2) => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    };
    let end = |at: Option<&f64>| at.copied().unwrap_or(f64::NAN);
    Spread { median, min: end(sorted.first()), max: end(sorted.last()) }
}

fn figure(what: &'static str, rounds: &[Round], of: impl Fn(&Side) -> f64) -> Figure {
    let each = |side: &dyn Fn(&Round) -> f64| spread(&rounds.iter().map(side).collect::<Vec<_>>());
    Figure {
        what,
        a: each(&|round| of(&round.a)),
        b: each(&|round| of(&round.b)),
        ratio: each(&|round| of(&round.b) / of(&round.a)),
    }
}

fn figures(rounds: &[Round]) -> Vec<Figure> {
    vec![
        figure("ops/s", rounds, |side| side.ops_per_s),
        figure("p50", rounds, |side| side.p50_us),
        figure("p99", rounds, |side| side.p99_us),
        figure("fdatasync/s", rounds, |side| side.fdatasync_per_s),
    ]
}

/// Runs both in turn and says how they stand. Whether all was answered well.
pub(super) fn run(args: &BenchArgs, plan: &Plan, [a, b]: [&str; 2]) -> Result<bool, BenchError> {
    let targets = [plan::servers(a)?, plan::servers(b)?];
    let mut rounds = Vec::new();
    let mut good = true;
    let as_text = !is_stdout(args.json.as_deref());
    for number in 0..args.rounds {
        let mut sides = [None, None];
        for at in if number % 2 == 0 { [0, 1] } else { [1, 0] } {
            let fdatasync_per_s = sync_rate(&args.disk, DISK)?;
            let outcome = one_run::run(plan, &targets[at], args.quiet)?;
            good &= outcome.is_good();
            sides[at] = Some(side(&outcome, fdatasync_per_s));
        }
        let [Some(a), Some(b)] = sides else { continue };
        let round = Round { a, b };
        eprintln!("{}", line_of(number + 1, &round));
        rounds.push(round);
    }
    let figures = figures(&rounds);
    let comparison =
        Comparison { a: a.into(), b: b.into(), load: plan.describe(), rounds, figures };
    if as_text {
        print!("{}", table(&comparison));
    }
    write_json(args.json.as_deref(), &comparison)?;
    Ok(good)
}

/// Of several operations, the latency of the slowest stands for all.
fn side(outcome: &Outcome, fdatasync_per_s: f64) -> Side {
    let requests = || outcome.rows.iter().filter(|row| row.op != "event");
    Side {
        fdatasync_per_s,
        ops_per_s: outcome.ops_per_s,
        p50_us: requests().map(|row| row.p50_us).fold(0.0, f64::max),
        p99_us: requests().map(|row| row.p99_us).fold(0.0, f64::max),
        errors: outcome.errors.values().sum(),
        lost_connections: outcome.lost_connections.values().sum(),
    }
}

fn line_of(number: u32, round: &Round) -> String {
    let side = |name: &str, side: &Side| {
        let mut text = format!(
            "{name} {:>10}/s p99 {:>8} disk {:>6}/s",
            grouped(side.ops_per_s),
            latency(side.p99_us),
            grouped(side.fdatasync_per_s)
        );
        if side.errors > 0 || side.lost_connections > 0 {
            let (errors, lost) = (side.errors, side.lost_connections);
            text.push_str(&format!(" ({errors} errors, {lost} connections lost)"));
        }
        text
    };
    let ratio = round.b.ops_per_s / round.a.ops_per_s;
    format!("round {number}: {} | {} | {ratio:.2}", side("A", &round.a), side("B", &round.b))
}

fn table(comparison: &Comparison) -> String {
    let mut out = format!("{}\nA {}\nB {}\n", comparison.load, comparison.a, comparison.b);
    out.push_str(&format!("{:<14}{:>12}{:>12}{:>8}   of rounds\n", "median", "A", "B", "B:A"));
    for figure in &comparison.figures {
        let show = |number: f64| match figure.what {
            "p50" | "p99" => latency(number),
            _ => grouped(number),
        };
        out.push_str(&format!(
            "{:<14}{:>12}{:>12}{:>8.3}   {:.3} to {:.3}\n",
            figure.what,
            show(figure.a.median),
            show(figure.b.median),
            figure.ratio.median,
            figure.ratio.min,
            figure.ratio.max,
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_the_spread_reaches_to_both_ends() {
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Spread { median: 2.5, min: 1.0, max: 4.0 });
    }

    fn round(a: f64, b: f64) -> Round {
        let side = |ops_per_s: f64| Side {
            fdatasync_per_s: 1.0,
            ops_per_s,
            p50_us: 1.0,
            p99_us: 1e6 / ops_per_s,
            errors: 0,
            lost_connections: 0,
        };
        Round { a: side(a), b: side(b) }
    }

    #[test]
    fn the_ratio_is_that_of_each_round_not_of_the_medians() {
        // The machine is slow in the second round, and both feel it.
        let figures = figures(&[round(100.0, 200.0), round(10.0, 80.0), round(110.0, 440.0)]);
        let (rate, p99) = (&figures[0], &figures[2]);
        assert_eq!((rate.a.median, rate.b.median), (100.0, 200.0));
        assert_eq!(rate.ratio, Spread { median: 4.0, min: 2.0, max: 8.0 });
        assert_eq!(p99.ratio, Spread { median: 0.25, min: 0.125, max: 0.5 });
    }
}
