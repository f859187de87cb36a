//! `quorate-sim bench`: how fast is a run, and how does that change with the ensemble?
//!
//! Each run is a process of its own, as in a hunt; its start counts. Times are of the wall, so
//! that nothing else should run beside it; what is printed are medians.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Args;

use super::common::{cores, load};

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[arg(default_value = "scenarios/chaos/chaos.toml")]
    scenario: PathBuf,
    /// How many seeds, one after another on one core.
    #[arg(long, default_value_t = 11)]
    runs: u64,
    /// Sizes of ensembles for the table: runs of ten seconds in the plain hunt's shape.
    #[arg(long, value_delimiter = ',', default_values_t = [3, 5, 7, 9])]
    servers: Vec<u64>,
}

const SHAPE: &str = include_str!("bench.toml");
/// How often a hunt on all cores is timed, and how many runs it has for each of them.
const HUNTS: u64 = 5;
const RUNS_A_CORE: u64 = 12;

pub(super) fn bench_command(args: &BenchArgs) -> ExitCode {
    if let Err(code) = load(&args.scenario) {
        return code;
    }
    let runs = args.runs.max(1);
    let rates = timed(&args.scenario, runs).into_iter().map(|run| run.rate());
    let Some(rates) = Spread::of(rates) else { return silent() };
    println!(
        "{}: {:.0} simulated seconds a second of one core (median of {}; {:.0} to {:.0})",
        args.scenario.display(),
        rates.median,
        runs,
        rates.least,
        rates.most,
    );
    if args.servers.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\nservers  ms a run  simulated s/s of one core  runs/s of {} cores", cores());
    for servers in &args.servers {
        let Some(row) = row(*servers, runs) else { return silent() };
        println!("{row}");
    }
    ExitCode::SUCCESS
}

fn silent() -> ExitCode {
    eprintln!("a run did not tell how long it was");
    ExitCode::from(3)
}

/// One line of the table. The scenario lies in a file only while it is timed.
fn row(servers: u64, runs: u64) -> Option<String> {
    let file = std::env::temp_dir().join(format!("bench-{}-{servers}.toml", std::process::id()));
    std::fs::write(&file, shape(servers)).ok()?;
    let timed = timed(&file, runs);
    let hunts: Vec<f64> = (0..HUNTS).filter_map(|n| on_all_cores(&file, n)).collect();
    // It is in nobody's way if it stays.
    let _ = std::fs::remove_file(&file);
    let walls = Spread::of(timed.iter().map(|run| run.wall * 1_000.0))?;
    let rates = Spread::of(timed.iter().map(Timed::rate))?;
    let hunts = Spread::of(hunts)?;
    Some(format!(
        "{servers:7}  {:8.1}  {:>25}  {:>18}",
        walls.median,
        format!("{:.0} ({:.0} to {:.0})", rates.median, rates.least, rates.most),
        format!("{:.0} ({:.0} to {:.0})", hunts.median, hunts.least, hunts.most),
    ))
}

fn shape(servers: u64) -> String {
    let ids: Vec<String> = (1..=servers.max(1)).map(|id| id.to_string()).collect();
    SHAPE.replace("[VOTERS]", &format!("[{}]", ids.join(", "))).replace("START", &ids.join(" "))
}

/// One run: how long it took, and how long it lasted in its own world; in seconds.
struct Timed {
    wall: f64,
    simulated: f64,
}

impl Timed {
    fn rate(&self) -> f64 {
        self.simulated / self.wall
    }

    fn run(file: &Path, seed: u64) -> Option<Timed> {
        let begun = Instant::now();
        let done = Command::new(std::env::current_exe().ok()?)
            .arg("run")
            .arg(file)
            .args(["--seed", &seed.to_string(), "--case", "1"])
            .output()
            .ok()?;
        let wall = begun.elapsed().as_secs_f64();
        let output = String::from_utf8_lossy(&done.stdout);
        let simulated = output.split_once("simulated ")?.1.split(' ').next()?;
        Some(Timed { wall, simulated: simulated.parse().ok()? })
    }
}

/// Single runs, one after another.
fn timed(file: &Path, runs: u64) -> Vec<Timed> {
    (1..=runs).filter_map(|seed| Timed::run(file, seed)).collect()
}

/// Runs a second, with a process on each core.
fn on_all_cores(file: &Path, hunt: u64) -> Option<f64> {
    let runs = RUNS_A_CORE * cores() as u64;
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= runs {
                        return;
                    }
                    if Timed::run(file, 1 + hunt * runs + n).is_some() {
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let wall = begun.elapsed().as_secs_f64();
    (done.into_inner() == runs).then_some(runs as f64 / wall)
}

struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let median = *values.get(values.len() / 2)?;
        Some(Spread { least: values[0], median, most: values[values.len() - 1] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn the_shape_is_a_scenario_with_as_many_servers_as_were_asked_for() {
        for servers in [1, 3, 9] {
            let scenario = Scenario::parse(Path::new("bench.toml"), &shape(servers));
            let scenario = scenario.unwrap_or_else(|mistake| panic!("{mistake}"));
            assert_eq!(scenario.ensemble.voters.len() as u64, servers);
            assert!(scenario.chaos.is_some());
        }
    }
}
