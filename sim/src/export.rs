//! A recorded run as a scenario file of the repository: a test from then on.
//!
//! The file says everything itself: the timeline with every drawn fault, the seed, and what must
//! fail in it. An exhibit that was caught belongs into `museum/`; everything else goes into `found/`.

use std::fmt::Write as _;
use std::path::Path;

use crate::recording::Recording;
use crate::scenario::draft::Draft;
use crate::scenario::{FileError, Scenario};
use crate::shrink::{draft_of, named, wrapped};

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The directory under `scenarios`.
    pub area: &'static str,
    /// Without `.toml`.
    pub name: String,
    pub text: String,
    /// The property that must fail, if one does.
    pub violates: Option<String>,
}

/// The run of a recording as a file. `name` is made of the scenario's name and the seed if it is
/// not given.
pub fn export(
    recording: &Recording,
    scenario: &Scenario,
    name: Option<&str>,
) -> Result<Export, FileError> {
    let mut draft = draft_of(recording, scenario)?;
    let violates = recording.violations.first().map(|violated| violated.id.clone());
    if scenario.seed.is_none() {
        tell_origin(&mut draft, recording, scenario);
    }
    let caught = violates.is_some() && !scenario.museum.is_empty();
    let area = if caught { "museum" } else { "found" };
    let mut text = String::new();
    if let Some(id) = &violates {
        draft.set_top("violates", vec![id.clone()]);
        if area == "found" {
            let id = named(id);
            let _ = writeln!(
                text,
                "# In this scenario {id} fails. Once that is mended, take `violates` out:"
            );
            let _ = writeln!(text, "# the file then holds, and sees to it that it stays so.");
        }
    }
    text.push_str(&draft.text());
    let name = name.map_or_else(|| default_name(recording), str::to_owned);
    Ok(Export { area, name, text, violates })
}

fn tell_origin(draft: &mut Draft, recording: &Recording, scenario: &Scenario) {
    let file = Path::new(&recording.scenario_file);
    let file = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
    let mut origin = format!("{file}, seed {}", recording.seed);
    if !recording.case_name.is_empty() {
        let _ = write!(origin, ", {}", recording.case_name);
    }
    let outcome = match recording.violations.first() {
        Some(first) => format!("In it {} fails: {}.", named(&first.id), first.words),
        None => "Everything holds in it.".into(),
    };
    let about = format!(
        "{origin}, as it was recorded. {outcome} The scenario it was drawn from: {}",
        scenario.about
    );
    draft.set_top("about", wrapped(&about));
    draft.set_top("source", format!("recorded from {origin}"));
}

/// `chaos_seed_42`, `01_boundary_case_2_seed_7`, `chaos_ack_before_flush_seed_3`.
fn default_name(recording: &Recording) -> String {
    let stem = Path::new(&recording.scenario_file).file_stem();
    let mut name = stem.map_or_else(|| "run".into(), |stem| stem.to_string_lossy().into_owned());
    if !recording.case_name.is_empty() {
        let _ = write!(name, "_case_{}", recording.case);
    }
    for exhibit in &recording.museum {
        let _ = write!(name, "_{exhibit}");
    }
    let _ = write!(name, "_seed_{}", recording.seed);
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    name.chars().map(plain).collect()
}

/// Whether this can be the name of a file in an area.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Violated;

    const FILE: &str = "about = \"a\"\n[ensemble]\nvoters = [1]\ntimeline = [\"0s start 1\"]\n\
                        [chaos]\nfrom = \"0s\"\nuntil = \"90s\"\ncrash = 20.0\n";

    fn recording(museum: &[&str]) -> Recording {
        let violated = Violated {
            id: "S-18".into(),
            words: "acks too early".into(),
            line: None,
            at: 1,
            servers: vec![1],
            events: Vec::new(),
        };
        Recording {
            scenario_file: "scenarios/chaos/chaos.toml".into(),
            scenario_text: format!("duration = \"90s\"\n{FILE}"),
            seed: 3,
            case: 1,
            museum: museum.iter().map(|name| (*name).to_owned()).collect(),
            violations: vec![violated],
            ..Recording::default()
        }
    }

    fn exported(recording: &Recording) -> Export {
        let scenario = recording.scenario().expect("a scenario");
        export(recording, &scenario, None).expect("a scenario is TOML")
    }

    #[test]
    fn an_exported_file_says_everything_itself() {
        let export = exported(&recording(&[]));
        assert_eq!((export.area, export.name.as_str()), ("found", "chaos_seed_3"));
        let read = Scenario::parse(Path::new("a.toml"), &export.text);
        let read = read.unwrap_or_else(|error| panic!("{error}\n{}", export.text));
        assert_eq!((read.seed, read.violates), (Some(3), vec!["S-18".to_owned()]));
        assert!(read.chaos.is_none());
        assert!(read.cases[0].timeline.len() > 1, "{}", export.text);
    }

    #[test]
    fn exhibits_make_it_a_piece_of_the_museum() {
        let export = exported(&recording(&["ack_before_flush"]));
        assert_eq!(
            (export.area, export.name.as_str()),
            ("museum", "chaos_ack_before_flush_seed_3")
        );
        assert!(export.text.contains("museum = [\"ack_before_flush\"]"), "{}", export.text);
    }

    #[test]
    fn a_name_is_no_path() {
        assert!(is_name("chaos_seed_3"));
        for name in ["", "../a", "a/b", "A", "a.toml", "a b"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
