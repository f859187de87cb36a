//! What a run tells the hunt that started it: one line of JSON in front of its verdict.

use serde::{Deserialize, Serialize};

use crate::run::Verdict;
use crate::run::fingerprint::Fingerprint;

const PREFIX: &str = "told\t";

/// The id of a failure that is the simulator's own.
pub(crate) const SIMULATOR: &str = "simulator";
/// The id of a failure where nothing fails although the file says that something must.
const UNCAUGHT: &str = "uncaught";

/// A run in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Of the trace.
    pub hash: u64,
    /// When the run was over, in nanoseconds of simulated time.
    pub ended: u64,
    pub failure: Option<Broke>,
}

/// How a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broke {
    pub print: Fingerprint,
    /// The words of this run, numbers included.
    pub words: String,
}

impl Told {
    /// Of a run whose verdict is known. What a file wants to fail is no failure.
    pub fn of(verdict: &Verdict) -> Told {
        let failure = (!verdict.holds()).then(|| {
            let print = Fingerprint::of(verdict).unwrap_or_else(|| Fingerprint {
                id: UNCAUGHT.into(),
                roles: Vec::new(),
                words: format!("nothing violates {}", verdict.wanted.join(" or ")),
            });
            let first = verdict.violations.first().map(|violation| violation.words.clone());
            let words = verdict.simulator.clone().or(first).unwrap_or_else(|| print.words.clone());
            Broke { print, words }
        });
        Told { hash: verdict.hash, ended: verdict.ended.0, failure }
    }

    pub fn line(&self) -> String {
        // Numbers and strings alone: it cannot fail.
        format!("{PREFIX}{}", serde_json::to_string(self).unwrap_or_default())
    }

    /// Reads what [`Told::line`] wrote, and what stands behind it. `None` if the run broke off.
    pub(crate) fn read(output: &str) -> Option<(Told, &str)> {
        let at = match output.starts_with(PREFIX) {
            true => 0,
            false => output.find(&format!("\n{PREFIX}"))? + 1,
        };
        let (line, rest) = output[at + PREFIX.len()..].split_once('\n')?;
        Some((serde_json::from_str(line).ok()?, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_understood_whatever_it_said_before() {
        let print = Fingerprint { id: "I-1".into(), roles: vec!["down".into()], words: "".into() };
        let failure = Some(Broke { print, words: "two\nlines\tand \"quotes\"".into() });
        let told = Told { hash: u64::MAX, ended: 7, failure };
        let output = format!("noise\n{}\nthe verdict\n", told.line());
        assert_eq!(Told::read(&output), Some((told.clone(), "the verdict\n")));
        assert_eq!(Told::read(&format!("{}\n", told.line())), Some((told, "")));
        assert_eq!(Told::read("a panic\n"), None);
        assert_eq!(Told::read("told\t{\"hash\": 1"), None);
    }
}
