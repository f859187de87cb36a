//! `quorate-sim run | replay | timeline | shrink | export | hunt | report | museum | bench`:
//! the laboratory's command line.
//!
//! Exit codes: 0 everything holds, 1 a property failed, 2 the command or a file is wrong, 3 the
//! simulator itself failed.

mod bench;
mod common;
mod hunt;
mod museum;
mod panics;
mod recordings;
mod run;
mod timeline;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    Run(run::RunArgs),
    /// A recorded run once more: does it happen again, event by event?
    ///
    /// The same scenario text, seed, case, faults and exhibits are run, and every event is compared.
    ///
    /// Exit codes: 0 the run is the same, whatever its verdict was; 3 it differs, so the simulator
    /// failed; 2 the file is no recording, or one of another build. With --rerun: 0 everything
    /// holds, 1 a property failed, 3 the simulator failed.
    Replay(recordings::ReplayArgs),
    /// A recorded run as one HTML page: who did what when, step by step.
    Timeline(timeline::TimelineArgs),
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
    Hunt(hunt::HuntArgs),
    /// What came of hunts.
    Report(hunt::ReportArgs),
    /// How many simulated seconds a second of one core gives, and what three to nine servers cost.
    Bench(bench::BenchArgs),
}

/// Runs the command line.
pub fn main() -> ExitCode {
    panics::told();
    match Cli::parse().command {
        Commands::Run(args) => run::run_command(&args),
        Commands::Replay(args) => recordings::replay_command(&args),
        Commands::Timeline(args) => timeline::timeline_command(&args),
        Commands::Shrink(args) => recordings::shrink_command(&args),
        Commands::Export(args) => recordings::export_command(&args),
        Commands::Hunt(args) => hunt::hunt_command(&args),
        Commands::Report(args) => hunt::report_command(&args),
        Commands::Museum(args) => museum::museum_command(&args),
        Commands::Bench(args) => bench::bench_command(&args),
    }
}
