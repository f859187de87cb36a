//! What a run reports to the program that started it: one line of JSON in front of its verdict.

use serde::{Deserialize, Serialize};

use crate::checkers::Violation;
use crate::run::Verdict;
use crate::run::signature::Signature;

/// How the line begins. A scenario's own output may stand before it.
const BEGINNING: &str = "{\"run_report\":";

/// The id of a failure that is the simulator's own.
pub(crate) const SIMULATOR: &str = "simulator";
/// The id of a failure where nothing fails although the file says that something must.
const UNCAUGHT: &str = "uncaught";

/// The whole line.
#[derive(Serialize, Deserialize)]
struct Line {
    run_report: RunReport,
}

/// A run in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// Of the trace.
    pub hash: u64,
    /// When the run was over, in nanoseconds of simulated time.
    pub ended: u64,
    /// What failed first, whether the file wants it to or not.
    pub first: Option<FirstFailure>,
    /// How the run failed; `None` also where what failed is what the file wants to fail.
    pub failure: Option<RunFailure>,
}

/// The first property that failed in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstFailure {
    pub signature: Signature,
    /// When it broke, in nanoseconds of simulated time.
    pub at: u64,
}

/// How a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFailure {
    pub signature: Signature,
    /// The words of this run, numbers included.
    pub words: String,
}

impl RunReport {
    /// Of a run whose verdict is known.
    pub fn of(verdict: &Verdict) -> RunReport {
        let signature = Signature::of(verdict);
        let violation = verdict.violations.first();
        let at = violation.map_or(0, |violation| violation.at.0);
        let first = signature.clone().map(|signature| FirstFailure { signature, at });
        let failure = (!verdict.holds()).then(|| {
            let signature = signature.unwrap_or_else(|| Signature {
                id: UNCAUGHT.into(),
                roles: Vec::new(),
                words: format!("nothing violates {}", verdict.wanted.join(" or ")),
            });
            let words = violation.map(Violation::sentence);
            let words =
                verdict.simulator.clone().or(words).unwrap_or_else(|| signature.words.clone());
            RunFailure { signature, words }
        });
        RunReport { hash: verdict.hash, ended: verdict.ended.0, first, failure }
    }

    /// The line, without its end.
    pub fn to_line(&self) -> String {
        // Numbers and strings alone: it cannot fail.
        serde_json::to_string(&Line { run_report: self.clone() }).unwrap_or_default()
    }

    /// Reads a child's output: the report, and what stands behind it. `None` if the run broke off.
    pub(crate) fn read_report(output: &str) -> Option<(RunReport, &str)> {
        let at = match output.starts_with(BEGINNING) {
            true => 0,
            false => output.find(&format!("\n{BEGINNING}"))? + 1,
        };
        let (line, rest) = output[at..].split_once('\n')?;
        let Line { run_report } = serde_json::from_str(line).ok()?;
        Some((run_report, rest))
    }

    /// What failed first in a child that said this.
    pub(crate) fn first_in(output: &str) -> Option<FirstFailure> {
        RunReport::read_report(output)?.0.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_understood_whatever_it_said_before() {
        let signature =
            Signature { id: "I-1".into(), roles: vec!["down".into()], words: "".into() };
        let first = FirstFailure { signature: signature.clone(), at: 1_200_000 };
        let failure = RunFailure { signature, words: "two\nlines\tand \"quotes\"".into() };
        let (first, failure) = (Some(first), Some(failure));
        let report = RunReport { hash: u64::MAX, ended: 7, first: first.clone(), failure };
        let line = report.to_line();
        assert!(line.starts_with(BEGINNING) && !line.contains('\n'), "{line}");
        let output = format!("noise\n{line}\nthe verdict\n");
        assert_eq!(RunReport::read_report(&output), Some((report.clone(), "the verdict\n")));
        assert_eq!(RunReport::read_report(&format!("{line}\n")), Some((report, "")));
        assert_eq!(RunReport::first_in(&output), first);
        assert_eq!(RunReport::read_report("a panic\n"), None);
        assert_eq!(RunReport::read_report(&line[..line.len() - 4]), None);
    }
}
