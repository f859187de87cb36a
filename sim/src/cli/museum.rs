//! `quorate-sim museum`: are the deliberate bugs caught?

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::recordings::wrong;
use crate::lab::museum::{choose, pieces, table, tour};

#[derive(Debug, Args)]
pub(super) struct MuseumArgs {
    /// Names of exhibits, or numbers of ZOOKEEPER issues; all if none is given.
    exhibits: Vec<String>,
    /// Where the scenarios are.
    #[arg(long, default_value = "scenarios/museum")]
    dir: PathBuf,
}

pub(super) fn museum_command(args: &MuseumArgs) -> ExitCode {
    let pieces = match pieces(&args.dir).and_then(|pieces| choose(pieces, &args.exhibits)) {
        Ok(pieces) => pieces,
        Err(error) => return wrong(error),
    };
    let tour = tour(pieces);
    print!("{}", table(&tour));
    ExitCode::from(tour.exit_code())
}
