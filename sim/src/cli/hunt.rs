//! What the command line does with many runs: `hunt`, `report merge`, and `run` of all cases.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::common::{cores, load_with, parse_limit, parse_time, wrong};
use crate::child::RUN_LIMIT;
use crate::hunt::merge::merge;
use crate::hunt::plan::{Part, Plan, Planned};
use crate::hunt::report::Report;
use crate::hunt::store::{Store, record_example};
use crate::hunt::summary::summary;
use crate::hunt::{HuntOptions, annotations, hunt};
use crate::scenario::Scenario;

#[derive(Debug, Args)]
pub(super) struct HuntArgs {
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// The first seed and the one after the last: 1..1000
    #[arg(long, default_value = "1..101", value_parser = parse_seeds)]
    seeds: (u64, u64),
    /// Runs at a time; as many as there are cores if not given.
    #[arg(long)]
    jobs: Option<usize>,
    /// Stop after this long: 10m
    #[arg(long, value_parser = parse_time)]
    time: Option<Duration>,
    /// Processor time of one run: one that takes more is ended, and the simulator's failure.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_limit)]
    run_limit: Duration,
    /// Deliberate bugs to switch on, besides those of the file: ack_before_flush
    #[arg(long, value_delimiter = ',')]
    museum: Vec<String>,
    /// Write report.json, junit.xml and a recording of each failure into this directory; go on
    /// where the same hunt was interrupted.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// One part of the runs: 2/4 is the second of four, which together are all.
    #[arg(long, value_name = "I/N", value_parser = parse_shard)]
    shard: Option<Part>,
    /// The share of the runs that are done twice and compared; 0/1 for none.
    #[arg(long, value_name = "K/N", default_value = "1/50")]
    twice: Part,
    /// Print failures as annotations of GitHub Actions too; so it is with GITHUB_ACTIONS=true.
    #[arg(long)]
    annotate: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(subcommand)]
    command: ReportCommands,
}

#[derive(Debug, Subcommand)]
enum ReportCommands {
    /// The shards of a hunt as one report.
    ///
    /// Exit codes: as of the hunt; 2 if the shards are not those of one hunt, or one is missing.
    Merge(MergeArgs),
}

#[derive(Debug, Args)]
struct MergeArgs {
    /// What the shards had as --out.
    #[arg(required = true)]
    dirs: Vec<PathBuf>,
    /// Where to write the one report and the recordings.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print failures as annotations of GitHub Actions too; so it is with GITHUB_ACTIONS=true.
    #[arg(long)]
    annotate: bool,
}

fn parse_seeds(text: &str) -> Result<(u64, u64), String> {
    let wrong = || format!("expected two seeds such as 1..1000, found {text}");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    match (from.parse(), to.parse()) {
        (Ok(from), Ok(to)) if from < to => Ok((from, to)),
        _ => Err(wrong()),
    }
}

fn parse_shard(text: &str) -> Result<Part, String> {
    match text.parse() {
        Ok(Part { n: 0, .. }) => Err(format!("shards are counted from 1, found {text}")),
        part => part,
    }
}

/// All cases of one file under one seed.
pub(super) fn run_cases(
    scenario: &Scenario,
    seed: u64,
    museum: &[String],
    quiet: bool,
) -> ExitCode {
    let planned = Planned { seed: Some(seed), ..Planned::new(scenario) };
    let plan = Plan {
        scenarios: vec![planned],
        seeds: (0, 1),
        museum: museum.to_vec(),
        twice: Part { n: 0, of: 1 },
        shard: None,
    };
    let outcome = options(None, None, None).map(|options| {
        let options = HuntOptions { tells_all: true, ..options };
        hunt(Report::new(&plan), &options)
    });
    let report = match outcome {
        Ok(Ok(report)) => report,
        Ok(Err(error)) | Err(error) => return wrong(error),
    };
    if !report.failures.is_empty() || !quiet {
        let (held, runs) = (report.held, report.runs());
        println!("{} seed {seed}: {held} of {runs} cases hold", scenario.file.display());
    }
    ExitCode::from(report.exit_code())
}

pub(super) fn hunt_command(args: &HuntArgs) -> ExitCode {
    match hunt_with(args) {
        Ok(code) | Err(code) => code,
    }
}

fn hunt_with(args: &HuntArgs) -> Result<ExitCode, ExitCode> {
    let mut scenarios: Vec<Planned> = Vec::new();
    for file in &args.scenarios {
        let planned = Planned::new(&load_with(file, &args.museum)?);
        // A file named twice is one file.
        if scenarios.iter().all(|before| before.file != planned.file) {
            scenarios.push(planned);
        }
    }
    let (seeds, museum) = (args.seeds, args.museum.clone());
    let plan = Plan { scenarios, seeds, museum, twice: args.twice, shard: args.shard };
    let store = args.out.as_deref().map(Store::open).transpose().map_err(wrong)?;
    let dir = store.as_ref().map(|store| store.dir.as_path());
    let report = match &store {
        Some(store) => store.begin(&plan).map_err(wrong)?,
        None => Report::new(&plan),
    };
    let before = report.done.count();
    if before > 0 {
        println!("{before} of {} runs were done before", report.total);
    }
    let options = options(args.jobs, args.time, dir).map_err(wrong)?;
    let options = HuntOptions { run_limit: args.run_limit, ..options };
    let mut report = hunt(report, &options).map_err(wrong)?;
    if let Some(store) = &store {
        let record =
            |failure: &_, file: &Path| record_example(options.player(), &plan, failure, file);
        store.finish(&mut report, record).map_err(wrong)?;
    }
    Ok(told(&report, dir, args.annotate))
}

/// Prints it; the exit code.
fn told(report: &Report, dir: Option<&Path>, annotate: bool) -> ExitCode {
    println!("{}", summary(report, dir));
    if annotate || std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        annotations::lines(report).iter().for_each(|line| println!("{line}"));
    }
    ExitCode::from(report.exit_code())
}

fn options(
    jobs: Option<usize>,
    time: Option<Duration>,
    dir: Option<&Path>,
) -> std::io::Result<HuntOptions<'_>> {
    let program = std::env::current_exe()?;
    let shows = std::io::stderr().is_terminal();
    let at_once = jobs.unwrap_or_else(cores);
    let run_limit = RUN_LIMIT;
    Ok(HuntOptions { program, at_once, run_limit, time, shows, tells_all: false, dir })
}

pub(super) fn report_command(args: &ReportArgs) -> ExitCode {
    let ReportCommands::Merge(args) = &args.command;
    match merge_with(args) {
        Ok(code) | Err(code) => code,
    }
}

fn merge_with(args: &MergeArgs) -> Result<ExitCode, ExitCode> {
    let mut report = merge(&args.dirs).map_err(wrong)?;
    let Some(out) = &args.out else {
        // Recordings are named with the directories they are in.
        return Ok(told(&report, Some(Path::new("")), args.annotate));
    };
    let store = Store::open(out).map_err(wrong)?;
    store.takes(&report).map_err(wrong)?;
    let mut lost = Vec::new();
    let mut copied = |recording: Option<&str>, file: &Path| {
        let Some(recording) = recording else { return false };
        let copied = std::fs::copy(recording, file);
        if let Err(error) = &copied {
            lost.push(format!("{recording}: cannot be copied: {error}"));
        }
        copied.is_ok()
    };
    store
        .finish(&mut report, |failure, file| Ok(copied(failure.recording.as_deref(), file)))
        .map_err(wrong)?;
    lost.iter().for_each(|words| eprintln!("{words}"));
    Ok(told(&report, Some(&store.dir), args.annotate))
}
