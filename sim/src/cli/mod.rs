//! `quorate-sim run | replay | timeline | shrink | export | hunt | report | museum | bench`:
//! the laboratory's command line.
//!
//! Exit codes: 0 everything holds, 1 a property failed, 2 the command or a file is wrong, 3 the
//! simulator itself failed.

mod bench;
mod many;
mod museum;
mod page;
mod panics;
mod recordings;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use quorate::base::Museum;

use crate::child::Told;
use crate::run::fingerprint::brief;
use crate::run::{RunOptions, run, timeline};
use crate::scenario::{Scenario, lexer};

/// Plays scenarios of a simulated ZooKeeper ensemble and checks what must hold.
#[derive(Debug, Parser)]
#[command(name = "quorate-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Debug, Subcommand)]
enum Commands {
    /// One scenario, one seed: verdict, trace hash, and on request a line for each event.
    Run(RunArgs),
    /// A recorded run once more: does it happen again, event by event?
    ///
    /// The same scenario text, seed, case, faults and exhibits are run, and every event is compared.
    ///
    /// Exit codes: 0 the run is the same, whatever its verdict was; 3 it differs, so the simulator
    /// failed; 2 the file is no recording, or one of another build. With --rerun: 0 everything
    /// holds, 1 a property failed, 3 the simulator failed.
    Replay(recordings::ReplayArgs),
    /// A recorded run as one HTML page: who did what when, step by step.
    Timeline(page::TimelineArgs),
    /// The smallest scenario file that still fails as a recording does.
    ///
    /// Exit codes: 0 the file was written; 2 nothing fails in the recording, or a file is wrong; 3
    /// the recorded failure does not happen again.
    Shrink(recordings::ShrinkArgs),
    /// A recorded run as a scenario file, which the tests then play.
    ///
    /// Exit codes: 0 the file was written; 2 there is one already, or a file is wrong; 3 the file
    /// would not do what was recorded.
    Export(recordings::ExportArgs),
    /// Plays each historic bug of scenarios/museum: which property catches it, and how fast?
    ///
    /// With --plain: does a hunt that knows of no bug find it too, under which seed, and how small
    /// does its failure become?
    ///
    /// Exit codes: 0 all are caught; 1 one is not, or stays large, or the plain hunt finds something
    /// else; 2 there is no such exhibit, or a file is wrong; 3 the simulator failed.
    Museum(museum::MuseumArgs),
    /// Many seeds, a process each, on all cores.
    Hunt(many::HuntArgs),
    /// What came of hunts.
    Report(many::ReportArgs),
    /// How many simulated seconds a second of one core gives, and what three to nine servers cost.
    Bench(bench::BenchArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    scenario: PathBuf,
    /// 1, if neither this nor the file says which.
    #[arg(long)]
    seed: Option<u64>,
    /// One case of a file that has several (start orders, sides of a boundary), from 1.
    #[arg(long)]
    case: Option<usize>,
    /// Drawn faults to leave out, by number: 3,5
    #[arg(long, value_delimiter = ',')]
    without: Vec<usize>,
    /// Deliberate bugs to switch on, besides those of the file: ack_before_flush
    #[arg(long, value_delimiter = ',')]
    museum: Vec<String>,
    /// Write everything that happens into this file (.qrec).
    #[arg(long, value_name = "F.qrec")]
    record: Option<PathBuf>,
    /// One line for the program that started this run.
    #[arg(long, hide = true)]
    brief: bool,
    /// One line for the hunt that started this run.
    #[arg(long, hide = true)]
    tell: bool,
    /// Give every server a task that only sleeps: nothing may change by it.
    #[arg(long)]
    idle_task: bool,
    /// Print every event.
    #[arg(long)]
    trace: bool,
    /// List the timeline, drawn faults included, and do not run it.
    #[arg(long)]
    list: bool,
    /// Print nothing if everything holds.
    #[arg(long)]
    quiet: bool,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    lexer::duration(text).ok_or_else(|| format!("expected a time such as 10m, found {text}"))
}

/// Runs the command line.
pub fn main() -> ExitCode {
    panics::told();
    match Cli::parse().command {
        Commands::Run(args) => run_command(&args),
        Commands::Replay(args) => recordings::replay_command(&args),
        Commands::Timeline(args) => page::timeline_command(&args),
        Commands::Shrink(args) => recordings::shrink_command(&args),
        Commands::Export(args) => recordings::export_command(&args),
        Commands::Hunt(args) => many::hunt_command(&args),
        Commands::Report(args) => many::report_command(&args),
        Commands::Museum(args) => museum::museum_command(&args),
        Commands::Bench(args) => bench::bench_command(&args),
    }
}

impl RunArgs {
    fn seed(&self, scenario: &Scenario) -> u64 {
        self.seed.or(scenario.seed).unwrap_or(1)
    }
}

fn load_with(file: &Path, museum: &[String]) -> Result<Scenario, ExitCode> {
    let mut scenario = load(file)?;
    for name in museum {
        let Some(exhibit) = Museum::named(name) else {
            eprintln!("there is no exhibit {name}: `quorate-sim museum` lists them");
            return Err(ExitCode::from(2));
        };
        scenario.museum.push(exhibit);
    }
    Ok(scenario)
}

fn load(file: &Path) -> Result<Scenario, ExitCode> {
    Scenario::load(file).map_err(|error| {
        eprintln!("{error}");
        ExitCode::from(2)
    })
}

fn run_command(args: &RunArgs) -> ExitCode {
    let scenario = match load_with(&args.scenario, &args.museum) {
        Ok(scenario) => scenario,
        Err(code) => return code,
    };
    let cases = scenario.cases.len();
    let case = match args.case {
        Some(case) if case == 0 || case > cases => {
            eprintln!("{}: has {cases} cases, no case {case}", args.scenario.display());
            return ExitCode::from(2);
        }
        Some(case) => case,
        None if cases > 1 && args.record.is_some() => {
            eprintln!("{}: which of the {cases} cases? --case N", args.scenario.display());
            return ExitCode::from(2);
        }
        None if cases > 1 && !args.list => return many::run_cases(args, &scenario),
        None => 1,
    };
    let seed = args.seed(&scenario);
    let scenario = match scenario.drawn(seed) {
        Ok(scenario) => scenario,
        Err(error) => return recordings::wrong(error),
    };
    let options = RunOptions {
        seed,
        case: case - 1,
        without: args.without.clone(),
        trace: args.trace,
        museum: args.museum.clone(),
        idle_task: args.idle_task,
        goes_on: false,
    };
    if args.list {
        if let Some(drawn) = &scenario.drawn {
            println!("ensemble   {}", drawn.words());
        }
        for line in timeline(&scenario, &options) {
            match line.fault {
                Some(number) => println!("fault {number:3}  {line}"),
                None => println!("           {line}"),
            }
        }
        return ExitCode::SUCCESS;
    }
    panics::left_to_the_verdict();
    let (verdict, failed) = match &args.record {
        Some(file) => recordings::run_into(file, &scenario, &options),
        None => (run(&scenario, &options), None),
    };
    if args.tell {
        println!("{}", Told::of(&verdict).line());
    }
    if args.brief {
        println!("{}", brief(&verdict));
    } else if !args.quiet || !verdict.holds() {
        println!("{verdict}");
    }
    failed.unwrap_or_else(|| ExitCode::from(verdict.exit_code()))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
