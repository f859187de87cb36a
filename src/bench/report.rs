//! What a run says of itself: a table for eyes, JSON for programs.

use std::fmt::Write as _;
use std::path::Path;

use super::args::BenchArgs;
use super::error::BenchError;
use super::one_run::Outcome;

/// Writes the result to where the command line says.
pub(super) fn write(args: &BenchArgs, outcome: &Outcome) -> Result<(), BenchError> {
    if !is_stdout(args.json.as_deref()) {
        print!("{}", table(outcome));
    }
    write_json(args.json.as_deref(), outcome)
}

pub(super) fn is_stdout(path: Option<&Path>) -> bool {
    path == Some(Path::new("-"))
}

pub(super) fn write_json(
    path: Option<&Path>,
    value: &impl serde::Serialize,
) -> Result<(), BenchError> {
    let Some(path) = path else { return Ok(()) };
    let json = serde_json::to_string_pretty(value).expect("numbers and texts");
    if is_stdout(Some(path)) {
        println!("{json}");
        return Ok(());
    }
    write_file(path, &json)
}

pub(super) fn write_file(path: &Path, text: &str) -> Result<(), BenchError> {
    std::fs::write(path, text).map_err(|error| BenchError::File { path: path.into(), error })
}

/// 1234567 as 1,234,567.
pub(super) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Three digits, in the unit that fits.
pub(super) fn latency(micros: f64) -> String {
    match micros {
        us if us < 1_000.0 => format!("{us:.0} us"),
        us if us < 10_000.0 => format!("{:.2} ms", us / 1e3),
        us if us < 1_000_000.0 => format!("{:.1} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

pub(super) fn table(outcome: &Outcome) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} on {}", outcome.load, outcome.servers.join(","));
    let _ = writeln!(
        out,
        "{:<9}{:>12}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "", "count", "ops/s", "p50", "p90", "p99", "p99.9", "max"
    );
    for row in &outcome.rows {
        let _ = writeln!(
            out,
            "{:<9}{:>12}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}",
            row.op,
            grouped(row.count as f64),
            grouped(row.ops_per_s),
            latency(row.p50_us),
            latency(row.p90_us),
            latency(row.p99_us),
            latency(row.p999_us),
            latency(row.max_us),
        );
    }
    let _ = writeln!(out, "{} ops/s in {:.2} s", grouped(outcome.ops_per_s), outcome.seconds);
    for (error, count) in &outcome.errors {
        let _ = writeln!(out, "errors: {error}: {}", grouped(*count as f64));
    }
    for (why, count) in &outcome.lost_connections {
        let _ = writeln!(out, "lost connections: {count} with {why}");
    }
    if outcome.unanswered > 0 {
        let _ = writeln!(out, "without an answer: {} requests", grouped(outcome.unanswered as f64));
    }
    if outcome.late > 0 {
        let late = grouped(outcome.late as f64);
        let _ = writeln!(out, "too slow for the rate: {late} operations were due and not asked");
    }
    out
}
