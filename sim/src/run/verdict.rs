//! What came out of a run, in words.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use quorate::base::Stamp;

use crate::checkers::Violation;

/// The outcome of one run.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub file: PathBuf,
    pub seed: u64,
    /// Number and name of the case, if the file has several.
    pub case: Option<(usize, String)>,
    pub without: Vec<usize>,
    /// Exhibits switched on from the command line.
    pub museum: Vec<String>,
    /// The first ones, by time. Empty: everything holds.
    pub violations: Vec<Violation>,
    /// The roles of the servers that the first of them is about, sorted.
    pub roles: Vec<String>,
    pub ended: Stamp,
    pub notes: u64,
    pub hash: u64,
    /// Client operations that were answered, lost, and never answered.
    pub operations: (usize, usize, usize),
    /// By the id of a client's property: how much there was to compare.
    pub compared: BTreeMap<&'static str, u64>,
    /// Properties of which one must fail; empty if none may.
    pub wanted: Vec<String>,
    /// What the seed has drawn, in words, if the file lets it.
    pub ensemble: Option<String>,
    /// What the simulator did wrong itself.
    pub simulator: Option<String>,
}

impl Verdict {
    pub fn holds(&self) -> bool {
        self.is_as_wanted() && self.simulator.is_none()
    }

    fn is_as_wanted(&self) -> bool {
        match self.violations.first() {
            None => self.wanted.is_empty(),
            Some(first) => self.wanted.contains(&first.id),
        }
    }

    /// 0 holds, 1 a property failed, 3 the simulator failed.
    pub fn exit_code(&self) -> u8 {
        match (&self.simulator, self.is_as_wanted()) {
            (Some(_), _) => 3,
            (None, false) => 1,
            (None, true) => 0,
        }
    }

    /// The command that repeats this run.
    pub fn command(&self) -> String {
        let mut command = format!("quorate-sim run {} --seed {}", self.file.display(), self.seed);
        if let Some((case, _)) = &self.case {
            command.push_str(&format!(" --case {case}"));
        }
        if !self.without.is_empty() {
            let faults: Vec<String> = self.without.iter().map(ToString::to_string).collect();
            command.push_str(&format!(" --without {}", faults.join(",")));
        }
        if !self.museum.is_empty() {
            command.push_str(&format!(" --museum {}", self.museum.join(",")));
        }
        command
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = match &self.case {
            Some((number, name)) => format!(" case {number} ({name})"),
            None => String::new(),
        };
        let outcome = match (&self.simulator, self.violations.first()) {
            (Some(_), _) => "the simulator failed".to_owned(),
            (None, None) if self.wanted.is_empty() => "holds".to_owned(),
            (None, None) => format!("NOT CAUGHT: nothing violates {}", self.wanted.join(" or ")),
            (None, Some(first)) if self.holds() => format!("violates {}, as it must", first.id),
            (None, Some(first)) => format!("VIOLATES {}", first.id),
        };
        writeln!(f, "{} seed {}{case}: {outcome}", self.file.display(), self.seed)?;
        if let Some(ensemble) = &self.ensemble {
            writeln!(f, "  ensemble: {ensemble}")?;
        }
        if let Some(what) = &self.simulator {
            writeln!(f, "  simulator: {what}")?;
        }
        for violation in &self.violations {
            writeln!(f, "  {violation}")?;
        }
        let (answered, lost, open) = self.operations;
        write!(f, "  simulated {} s, {} facts", self.ended, self.notes)?;
        if answered + lost + open > 0 {
            write!(f, ", operations: {answered} answered, {lost} lost, {open} open")?;
        }
        write!(f, ", trace hash {:016x}", self.hash)?;
        if !self.compared.is_empty() {
            f.write_str("\n  compared:")?;
            for (id, count) in &self.compared {
                write!(f, " {id} {count}")?;
            }
        }
        if !self.holds() {
            write!(f, "\n  repeat: {}", self.command())?;
        }
        Ok(())
    }
}
