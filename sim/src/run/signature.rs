//! What makes two failures the same: the property, the roles of the servers it is about, and,
//! where the property alone says little, the words without their numbers.

use serde::{Deserialize, Serialize};

use super::verdict::Verdict;

/// A failure, recognisable in another run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signature {
    /// The property's id; `simulator` if the simulator itself failed.
    pub id: String,
    /// Of the servers it is about, sorted: `leading`, `down`, ...
    pub roles: Vec<String>,
    /// Empty where the id says it all.
    pub words: String,
}

impl Signature {
    /// Of the first violation of a run.
    pub fn of(verdict: &Verdict) -> Option<Signature> {
        if let Some(what) = &verdict.simulator {
            let words = without_numbers(what);
            return Some(Signature { id: "simulator".into(), roles: Vec::new(), words });
        }
        let first = verdict.violations.first()?;
        let words = match first.id.as_str() {
            "expect" => expectation(&first.words),
            "halt" | "assert" => without_numbers(&first.words),
            _ => String::new(),
        };
        Some(Signature { id: first.id.clone(), roles: verdict.roles.clone(), words })
    }

    /// Whether another failure is the same. Roles are compared where both runs know them.
    pub fn is(&self, other: &Signature, with_roles: bool) -> bool {
        self.id == other.id
            && self.words == other.words
            && (!with_roles || self.roles == other.roles)
    }
}

/// Every number becomes `#`.
pub(crate) fn without_numbers(words: &str) -> String {
    let mut out = String::new();
    for c in words.chars() {
        match c.is_ascii_digit() {
            true if out.ends_with('#') => {}
            true => out.push('#'),
            false => out.push(c),
        }
    }
    out
}

/// What an expectation wanted and what was instead, without its line and without zxids.
fn expectation(words: &str) -> String {
    let mut out = Vec::new();
    let mut words = words.split(' ').peekable();
    while let Some(word) = words.next() {
        match word {
            "line" => {
                words.next();
            }
            zxid if zxid.starts_with("0x") => out.push("0x#"),
            other => out.push(other),
        }
    }
    out.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_make_no_difference_where_words_count() {
        let (one, other) = ("ended with code 1: 0x12", "ended with code 13: 0x7");
        assert_eq!(without_numbers(one), without_numbers(other));
        assert_eq!(
            expectation("line 20 expects `leader 3`: 1 down, log to 0x20000001; 3 looking"),
            "expects `leader 3`: 1 down, log to 0x# 3 looking"
        );
    }
}
