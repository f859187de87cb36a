//! What the command line does with recordings: `run --record`, `replay`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::lab::recording::{Build, Recording, Target};
use crate::lab::replay::{Difference, first_difference};
use crate::lab::{RunOptions, Verdict, run, run_recorded};
use crate::scenario::Scenario;

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    recording: PathBuf,
    /// Run the scenario it carries with this build, and compare no events.
    #[arg(long)]
    rerun: bool,
}

/// Says in one sentence what is wrong, for exit code 2.
pub(super) fn wrong(what: impl std::fmt::Display) -> ExitCode {
    eprintln!("{what}");
    ExitCode::from(2)
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
    std::panic::set_hook(Box::new(|_| {}));
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
