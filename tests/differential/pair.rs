//! Both servers, one stream at a time, and the first step at which they part.

use std::thread;
use std::time::Duration;

use crate::side::{Answers, Side};
use crate::step::Step;

/// How long an answer is waited for when streams are played for the first time, and when a
/// difference is made smaller.
const PATIENCE: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(1)];

pub(crate) struct Pair {
    pub(crate) one: Side,
    pub(crate) other: Side,
    /// Streams so far: each has a root of its own.
    played: usize,
}

/// What both servers said to a stream in which they part.
pub(crate) struct Parting {
    pub(crate) one: Answers,
    pub(crate) other: Answers,
    /// The first step with different answers; behind the last one stand the events left over.
    pub(crate) step: usize,
}

impl Pair {
    pub(crate) fn new(one: Side, other: Side) -> Pair {
        Pair { one, other, played: 0 }
    }

    pub(crate) fn hurry(&mut self, hurry: bool) {
        let patience = PATIENCE[usize::from(hurry)];
        self.one.set_patience(patience);
        self.other.set_patience(patience);
    }

    /// The servers need not wait for each other: what they are asked does not depend on what they
    /// answer.
    pub(crate) fn play(&mut self, steps: &[Step]) -> Option<Parting> {
        self.played += 1;
        let root = format!("/d{:07}", self.played);
        let (one, other) = thread::scope(|scope| {
            let other = scope.spawn(|| self.other.play(steps, &root));
            let one = self.one.play(steps, &root);
            (one, other.join().expect("it plays to the end"))
        });
        let step = one.iter().zip(&other).position(|(one, other)| one != other)?;
        Some(Parting { one, other, step })
    }
}

impl Parting {
    /// What the difference is, roughly: the same for the same cause more often than not.
    pub(crate) fn signature(&self, steps: &[Step]) -> String {
        let step = steps.get(self.step).map(Step::to_string).unwrap_or_default();
        let what = step.trim_start_matches(|c: char| !c.is_alphabetic());
        let what = what.split(' ').next().unwrap_or_default();
        let (one, other) = (self.one[self.step].join(" "), self.other[self.step].join(" "));
        let mut parts: Vec<String> = vec![what.into()];
        for (a, b) in one.split(' ').zip(other.split(' ')).filter(|(a, b)| a != b).take(1) {
            parts.push(format!("{}|{}", without_digits(a), without_digits(b)));
        }
        parts.join(" ")
    }

    /// The stream as a list of operations with both answers.
    pub(crate) fn report(&self, steps: &[Step], names: [&str; 2]) -> String {
        let mut lines = Vec::new();
        let nothing = Vec::new();
        for n in 0..=self.step {
            match steps.get(n) {
                Some(step) => lines.push(format!("  {:>3}. {step}", n + 1)),
                None => lines.push("       events at the end".into()),
            }
            let one = self.one.get(n).unwrap_or(&nothing);
            let other = self.other.get(n).unwrap_or(&nothing);
            if one == other {
                lines.extend(one.iter().map(|words| format!("         {words}")));
                continue;
            }
            for (name, answers) in names.iter().zip([one, other]) {
                lines.push(format!("         {name}:"));
                lines.extend(answers.iter().map(|words| format!("           {words}")));
            }
        }
        lines.join("\n")
    }
}

fn without_digits(word: &str) -> String {
    let word = word.split(['/', '"', '~']).next().unwrap_or(word);
    // Error codes are what differs; other numbers are accidents.
    if word.starts_with("err=") {
        word.into()
    } else {
        word.replace(|c: char| c.is_ascii_digit(), "")
    }
}
