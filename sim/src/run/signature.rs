//! What makes two failures the same: the property, the roles of the servers it is about, and,
//! where the property alone says little, the words without their numbers.
//!
//! These words are sentences for people: of an assertion, of a process that ended itself, or of what
//! clients and servers did instead of what a scenario expects. Numbers stand anywhere in them, as
//! in the debug form of an operation, and no typed value of theirs reaches the end of a run. So the
//! numbers are taken out of the text.

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
            "expect" => without_zxids(&first.words),
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

/// Every zxid becomes `0x#`. Other numbers stay: an expectation of another server is another one.
fn without_zxids(words: &str) -> String {
    let word = |word| if str::starts_with(word, "0x") { "0x#" } else { word };
    words.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_make_no_difference_where_words_count() {
        let (one, other) = ("ended with code 1: 0x12", "ended with code 13: 0x7");
        assert_eq!(without_numbers(one), without_numbers(other));
        assert_eq!(
            without_zxids("expects `leader 3`: 1 down, log to 0x20000001; 3 looking"),
            "expects `leader 3`: 1 down, log to 0x# 3 looking"
        );
    }
}
