//! What several commands need.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use quorate::base::Museum;

use crate::grammar::lexer;
use crate::scenario::Scenario;

/// Says in one sentence what is wrong, for exit code 2.
pub(super) fn wrong(what: impl std::fmt::Display) -> ExitCode {
    eprintln!("{what}");
    ExitCode::from(2)
}

pub(super) fn load_with(file: &Path, museum: &[String]) -> Result<Scenario, ExitCode> {
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

pub(super) fn load(file: &Path) -> Result<Scenario, ExitCode> {
    Scenario::load(file).map_err(|error| {
        eprintln!("{error}");
        ExitCode::from(2)
    })
}

pub(super) fn parse_time(text: &str) -> Result<Duration, String> {
    lexer::duration(text).ok_or_else(|| format!("expected a time such as 10m, found {text}"))
}

pub(super) fn parse_limit(text: &str) -> Result<Duration, String> {
    let time = parse_time(text)?;
    if time.is_zero() { Err("a run takes longer than no time".into()) } else { Ok(time) }
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
