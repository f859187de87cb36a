//! A recorded run once more, and where it differs from what was recorded.

use std::fmt::Write as _;
use std::path::Path;

use quorate::base::Museum;

use crate::recording::{Event, Recording};
use crate::run::RunOptions;
use crate::scenario::{FileError, Scenario};

impl Recording {
    /// The scenario it carries, with the exhibits that were switched on.
    pub fn scenario(&self) -> Result<Scenario, FileError> {
        let file = Path::new(&self.scenario_file);
        let wrong =
            |message: String| FileError { file: file.to_owned(), line: 0, column: 0, message };
        let mut scenario = Scenario::parse(file, &self.scenario_text)?;
        for name in &self.museum {
            let exhibit = Museum::named(name);
            let exhibit = exhibit.ok_or_else(|| wrong(format!("there is no exhibit {name}")))?;
            scenario.museum.push(exhibit);
        }
        if self.case == 0 || self.case as usize > scenario.cases.len() {
            return Err(wrong(format!("there is no case {}", self.case)));
        }
        scenario.drawn(self.seed)
    }

    /// How it was run.
    pub fn options(&self) -> RunOptions {
        RunOptions {
            seed: self.seed,
            case: (self.case as usize).saturating_sub(1),
            without: self.without.iter().map(|fault| *fault as usize).collect(),
            museum: self.museum.clone(),
            ..RunOptions::default()
        }
    }
}

/// The first place where two recordings of one run are not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// In `events`; their number if what differs is not an event.
    pub place: usize,
    /// The event before it, and what stands there on both sides.
    pub words: String,
}

/// Where a run differs from its recording, if it does.
pub fn first_difference(recorded: &Recording, again: &Recording) -> Option<Difference> {
    let pairs = recorded.events.iter().zip(&again.events);
    let common = pairs.take_while(|(one, other)| one == other).count();
    let (one, other) = (recorded.events.get(common), again.events.get(common));
    if one.is_none() && other.is_none() {
        return differs_otherwise(recorded, again).map(|words| Difference { place: common, words });
    }
    let side = |of: &Recording, event: Option<&Event>| match event {
        Some(event) => of.show(event),
        None => "nothing: the run is over".into(),
    };
    let mut words = String::new();
    if let Some(before) = common.checked_sub(1).and_then(|n| recorded.events.get(n)) {
        let _ = writeln!(words, "  before it  {}", recorded.show(before));
    }
    let _ = writeln!(words, "  recorded   {}", side(recorded, one));
    let _ = write!(words, "  now        {}", side(again, other));
    Some(Difference { place: common, words })
}

/// Runs with the same events can still have come to different ends.
fn differs_otherwise(recorded: &Recording, again: &Recording) -> Option<String> {
    let end = |of: &Recording| {
        let ids: Vec<&str> = of.violations.iter().map(|violated| violated.id.as_str()).collect();
        let (answered, lost, open) = of.operations;
        format!(
            "trace hash {:016x}, {} facts, violates [{}], operations: {answered} answered, {lost} \
             lost, {open} open",
            of.trace_hash,
            of.facts,
            ids.join(", ")
        )
    };
    let same = recorded.violations == again.violations
        && recorded.simulator == again.simulator
        && end(recorded) == end(again);
    (!same).then(|| format!("  recorded   {}\n  now        {}", end(recorded), end(again)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{Life, Party, What};

    fn recording(events: Vec<Event>) -> Recording {
        Recording { events, ..Recording::default() }
    }

    fn event(at: u64, life: Life) -> Event {
        Event { at, by: Party::Server(2), what: What::Life(life), state: None }
    }

    #[test]
    fn the_first_difference_is_told_with_both_sides_and_what_was_before() {
        let (a, b, c) = (event(1, Life::Started), event(2, Life::Paused), event(2, Life::Died));
        let one = recording(vec![a.clone(), b.clone(), a.clone()]);
        let other = recording(vec![a.clone(), c, a]);
        let found = first_difference(&one, &other).expect("they differ");
        assert_eq!(found.place, 1);
        for words in ["before it  0.000000001 s2 started", "recorded   0.000000002 s2 paused"] {
            assert!(found.words.contains(words), "{}", found.words);
        }
        assert!(found.words.contains("now        0.000000002 s2 died"), "{}", found.words);
        assert_eq!(first_difference(&one, &one), None);
    }

    #[test]
    fn a_recording_draws_what_its_seed_drew() {
        let text = "about = \"a\"\nduration = \"9s\"\n[swarm]\nvoters = \"3..5\"\nsnap_count = \"5..500\"\n";
        let scenario = Scenario::parse(Path::new("a.toml"), text).expect("a scenario");
        let ensembles = |seed| {
            let carried =
                Recording { scenario_text: text.into(), seed, case: 1, ..Recording::default() };
            let carried = carried.scenario().expect("a scenario");
            let drawn = scenario.drawn(seed).expect("a scenario");
            (format!("{:?}", carried.ensemble), format!("{:?}", drawn.ensemble))
        };
        let (carried, drawn) = ensembles(7);
        assert_eq!(carried, drawn);
        assert_ne!(carried, ensembles(8).0);
    }

    #[test]
    fn a_run_that_ends_early_and_one_with_another_hash_differ() {
        let whole = recording(vec![event(1, Life::Started), event(2, Life::Died)]);
        let short = recording(vec![event(1, Life::Started)]);
        let found = first_difference(&whole, &short).expect("they differ");
        assert!(found.words.contains("nothing: the run is over"), "{}", found.words);
        let other = Recording { trace_hash: 1, ..whole.clone() };
        assert!(first_difference(&whole, &other).is_some());
    }
}
