//! `quorate-sim run`: one scenario, one seed.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::common::{load_with, wrong};
use super::{hunt, panics, recordings};
use crate::child::RunReport;
use crate::run::{RunOptions, run, timeline};
use crate::scenario::Scenario;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
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
    /// First a line of JSON for the program that started this run.
    #[arg(long, hide = true)]
    report: bool,
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

impl RunArgs {
    fn seed(&self, scenario: &Scenario) -> u64 {
        self.seed.or(scenario.seed).unwrap_or(1)
    }
}

pub(super) fn run_command(args: &RunArgs) -> ExitCode {
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
        None if cases > 1 && !args.list => {
            return hunt::run_cases(&scenario, args.seed(&scenario), &args.museum, args.quiet);
        }
        None => 1,
    };
    let seed = args.seed(&scenario);
    let scenario = match scenario.drawn(seed) {
        Ok(scenario) => scenario,
        Err(error) => return wrong(error),
    };
    let options = RunOptions {
        seed,
        case: case - 1,
        without: args.without.clone(),
        trace: args.trace,
        museum: args.museum.clone(),
        idle_task: args.idle_task,
        goes_on: false,
        steps: None,
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
    if args.report {
        println!("{}", RunReport::of(&verdict).to_line());
    }
    if !args.quiet || !verdict.holds() {
        println!("{verdict}");
    }
    failed.unwrap_or_else(|| ExitCode::from(verdict.exit_code()))
}
