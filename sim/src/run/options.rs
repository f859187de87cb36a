//! How one case is run, and the lines of its timeline under one seed.

use super::steps::Steps;
use crate::scenario::{Line, Scenario};

/// How to run a case.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    pub seed: u64,
    /// Which case of the file, from 0.
    pub case: usize,
    /// Numbers of drawn faults to leave out.
    pub without: Vec<usize>,
    /// Print every fact, frame and action.
    pub trace: bool,
    /// Names of exhibits switched on besides those of the file.
    pub museum: Vec<String>,
    /// Give every server a task that only sleeps: nothing may change by it.
    pub idle_task: bool,
    /// Play on whatever the checkers find: for those who ask what clients saw of it.
    pub goes_on: bool,
    /// Keep every step of every server here.
    pub steps: Option<Steps>,
}

/// The timeline of a case with this seed's faults.
pub fn timeline(scenario: &Scenario, options: &RunOptions) -> Vec<Line> {
    let mut lines = scenario.cases[options.case].timeline.clone();
    if let Some(chaos) = &scenario.chaos {
        lines.extend(chaos.lines(options.seed, &scenario.ensemble));
    }
    lines.retain(|line| line.fault.is_none_or(|fault| !options.without.contains(&fault)));
    lines
}
