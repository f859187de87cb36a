//! `quorate-sim museum`: are the deliberate bugs caught, and does a plain hunt find them?

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::common::{cores, load, parse_limit, parse_time, wrong};
use crate::museum::plain::{self, PlainHunt, Row, planned};
use crate::museum::{Entry, choose, entries, play_all, table};

#[derive(Debug, Args)]
pub(super) struct MuseumArgs {
    /// Names of exhibits, or numbers of ZOOKEEPER issues; all if none is given.
    exhibits: Vec<String>,
    /// Where the scenarios are.
    #[arg(long, default_value = "scenarios/museum")]
    dir: PathBuf,
    /// Processor time of one run: one that takes more is ended, and the simulator's failure.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_limit)]
    run_limit: Duration,
    /// Hunt for each exhibit with one file that knows of none: seeds 1 to N, until one fails.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    plain: Option<u64>,
    /// What the plain hunt plays.
    #[arg(long, requires = "plain", default_value = "scenarios/chaos/plain.toml")]
    file: PathBuf,
    /// Shrink what the plain hunt finds, and play it once more.
    #[arg(long, requires = "plain")]
    shrink: bool,
    /// How long the shrinking of one failure may take.
    #[arg(long, requires = "shrink", default_value = "2m", value_parser = parse_time)]
    time: Duration,
    /// Runs at a time; as many as there are cores if not given.
    #[arg(long, requires = "plain")]
    jobs: Option<usize>,
    /// Where to write the shrunk files, as NAME.toml.
    #[arg(long, requires = "shrink", value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn museum_command(args: &MuseumArgs) -> ExitCode {
    let entries = match entries(&args.dir).and_then(|entries| choose(entries, &args.exhibits)) {
        Ok(entries) => entries,
        Err(error) => return wrong(error),
    };
    if let Some(seeds) = args.plain {
        return plain_command(args, &entries, seeds).unwrap_or_else(|code| code);
    }
    let report = play_all(entries, args.run_limit);
    print!("{}", table(&report));
    ExitCode::from(report.exit_code())
}

fn plain_command(args: &MuseumArgs, entries: &[Entry], seeds: u64) -> Result<ExitCode, ExitCode> {
    let file = planned(&load(&args.file)?).map_err(wrong)?;
    let program = std::env::current_exe().map_err(wrong)?;
    let scratch = std::env::temp_dir().join(format!("quorate-museum-{}", std::process::id()));
    let dir = args.out.as_deref().unwrap_or(&scratch);
    if let Err(error) = writable(dir) {
        return Err(wrong(format!("{}: cannot be written: {error}", dir.display())));
    }
    let shows = std::io::stderr().is_terminal();
    let hunt = PlainHunt {
        program,
        file,
        seeds,
        jobs: args.jobs.unwrap_or_else(cores),
        run_limit: args.run_limit,
        shrink: args.shrink.then_some(args.time),
        shows,
        dir,
    };
    let matrix = hunt.against(entries, |row| {
        if shows {
            eprintln!("{}", progress(row));
        }
    });
    // Whatever is left there is of no use.
    let _ = std::fs::remove_dir_all(&scratch);
    print!("{}", plain::table(&matrix, &hunt));
    Ok(ExitCode::from(matrix.exit_code()))
}

fn progress(row: &Row) -> String {
    let found = match &row.found {
        Some(found) => format!("{}, {} seeds", found.id, found.seeds),
        None => "not found".into(),
    };
    format!("{}: {found}", row.exhibit.name())
}

/// Makes the directory, and tries whether files can be written into it: better now than when the
/// work is done.
fn writable(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let trial = dir.join("trial.new");
    std::fs::write(&trial, "")?;
    std::fs::remove_file(trial)
}
