//! What the command line does with recordings: `run --record`, `replay`, `shrink`, `export`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::common::{cores, parse_time, wrong};
use super::panics;
use crate::export::{export, is_name};
use crate::grammar::show_duration;
use crate::recording::{Build, Recording, Target};
use crate::replay::{Difference, first_difference};
use crate::run::{RunOptions, Verdict, run, run_recorded};
use crate::scenario::Scenario;
use crate::shrink::{ShrinkError, ShrinkOptions, Shrunk, Size, shrink};

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    recording: PathBuf,
    /// Run the scenario it carries with this build, and compare no events.
    #[arg(long)]
    rerun: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShrinkArgs {
    recording: PathBuf,
    /// Where to write the scenario; beside the recording, as F.small.toml, if not given.
    #[arg(long, value_name = "S.toml")]
    out: Option<PathBuf>,
    /// Take the best so far after this long.
    #[arg(long, default_value = "2m", value_parser = parse_time)]
    time: Duration,
    /// Runs at a time; as many as there are cores if not given.
    #[arg(long)]
    jobs: Option<usize>,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    recording: PathBuf,
    /// The file's name, without `.toml`; of the scenario and the seed if not given.
    #[arg(long)]
    name: Option<String>,
    /// Where the areas are; the file goes into `museum` where exhibits are on, else into `found`.
    #[arg(long, default_value = "scenarios")]
    dir: PathBuf,
}

/// Runs and records. The verdict comes with the exit code that the recording asks for, if it could
/// not be written.
pub(super) fn run_into(
    file: &Path,
    scenario: &Scenario,
    options: &RunOptions,
) -> (Verdict, Option<ExitCode>) {
    let target = match Target::open(file) {
        Ok(target) => target,
        Err(error) => {
            let code = wrong(format!("{}: cannot be written: {error}", file.display()));
            return (run(scenario, options), Some(code));
        }
    };
    let (verdict, recording) = run_recorded(scenario, options);
    let Err(error) = target.write(&recording) else { return (verdict, None) };
    eprintln!("{}: the recording could not be written: {error}", file.display());
    (verdict, Some(ExitCode::from(3)))
}

/// A recording and the scenario it carries.
pub(super) fn load(file: &Path) -> Result<(Recording, Scenario), ExitCode> {
    let recording = Recording::read(file).map_err(wrong)?;
    let scenario = recording.scenario().map_err(wrong)?;
    Ok((recording, scenario))
}

pub(super) fn replay_command(args: &ReplayArgs) -> ExitCode {
    let (recording, scenario) = match load(&args.recording) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let file = args.recording.display();
    panics::left_to_the_verdict();
    let options = recording.options();
    if args.rerun {
        let verdict = run(&scenario, &options);
        println!("{verdict}");
        let same = if verdict.hash == recording.trace_hash { "the same" } else { "another" };
        println!("{file}: run again, with {same} trace hash");
        return ExitCode::from(verdict.exit_code());
    }
    if !recording.is_of_this_build() {
        let (its, this) = (recording.build, Build::this());
        return wrong(format!(
            "{file}: was recorded by build {its}, this is build {this}: the runs would differ; \
             `replay --rerun` runs its scenario with this build"
        ));
    }
    let (verdict, again) = run_recorded(&scenario, &options);
    println!("{verdict}");
    match first_difference(&recording, &again) {
        None => {
            println!("{file}: replayed, {} events are the same", recording.events.len());
            ExitCode::SUCCESS
        }
        Some(Difference { place, words }) => {
            println!("{file}: DIFFERS at event {place}\n{words}");
            ExitCode::from(3)
        }
    }
}

pub(super) fn shrink_command(args: &ShrinkArgs) -> ExitCode {
    let (recording, scenario) = match load(&args.recording) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let out = args.out.clone().unwrap_or_else(|| args.recording.with_extension("small.toml"));
    let jobs = args.jobs.unwrap_or_else(cores);
    let options = ShrinkOptions { time: args.time, jobs, shows: true };
    let shrunk = match shrink(&recording, &scenario, &options) {
        Ok(shrunk) => shrunk,
        Err(error) => {
            eprintln!("{}: {error}", args.recording.display());
            let repeats = !matches!(error, ShrinkError::DoesNotRepeat(_));
            return ExitCode::from(if repeats { 2 } else { 3 });
        }
    };
    if let Err(error) = std::fs::write(&out, &shrunk.text) {
        return wrong(format!("{}: cannot be written: {error}", out.display()));
    }
    print!("{}", shrunk.text);
    println!("\n{}", told(&shrunk));
    println!("  written: {0}\n  repeat: quorate-sim run {0}", out.display());
    ExitCode::SUCCESS
}

fn told(shrunk: &Shrunk) -> String {
    let size = |size: &Size| {
        let Size { lines, servers, clients, duration } = *size;
        let duration = show_duration(duration);
        format!("{lines} lines, {servers} servers, {clients} free clients, {duration}")
    };
    let Shrunk { id, before, after, runs, seconds, .. } = shrunk;
    let mut text = format!(
        "shrunk: {id} still fails; {} became {} ({runs} runs in {seconds:.1} s)",
        size(before),
        size(after)
    );
    match shrunk.holds_without_exhibits {
        Some(true) => text.push_str("\n  without its exhibits everything holds"),
        Some(false) => text.push_str("\n  NOT THE EXHIBITS' BUG: it fails without them too"),
        None => {}
    }
    if shrunk.unfinished {
        text.push_str("\n  the time was up before nothing more could go: --time gives it more");
    }
    text
}

pub(super) fn export_command(args: &ExportArgs) -> ExitCode {
    let (recording, scenario) = match load(&args.recording) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if let Some(name) = args.name.as_ref().filter(|name| !is_name(name)) {
        return wrong(format!("{name}: a name has small letters, digits and `_`"));
    }
    if recording.simulator.is_some() {
        let file = args.recording.display();
        return wrong(format!("{file}: the simulator itself failed, which no scenario can say"));
    }
    let export = match export(&recording, &scenario, args.name.as_deref()) {
        Ok(export) => export,
        Err(error) => return wrong(error),
    };
    if !args.dir.is_dir() {
        let dir = args.dir.display();
        return wrong(format!("{dir}: no such directory; --dir says where the scenarios are"));
    }
    let file = args.dir.join(export.area).join(format!("{}.toml", export.name));
    if file.exists() {
        return wrong(format!("{}: exists already; --name gives another name", file.display()));
    }
    let scenario = match Scenario::parse(&file, &export.text) {
        Ok(scenario) => scenario,
        Err(error) => return wrong(error),
    };
    panics::left_to_the_verdict();
    let verdict = run(&scenario, &RunOptions { seed: recording.seed, ..RunOptions::default() });
    if verdict.exit_code() != 0 {
        println!("{verdict}");
        eprintln!("{}: not written: the run is not what was recorded", file.display());
        return ExitCode::from(3);
    }
    let area = args.dir.join(export.area);
    let written = std::fs::create_dir_all(area).and_then(|()| std::fs::write(&file, &export.text));
    if let Err(error) = written {
        return wrong(format!("{}: cannot be written: {error}", file.display()));
    }
    println!("{verdict}\n{}: written", file.display());
    ExitCode::SUCCESS
}
