//! docs/glossary.md and the code use the same words.

mod house;

use std::collections::BTreeSet;
use std::fs;

/// Words that meant too much or too little. No type and no module has one of them for a name.
const GIVEN_UP: [&str; 11] = [
    "Curtain", "Kept", "Play", "Said", "Sheet", "Shelf", "Story", "Tape", "Taped", "Tour", "Visit",
];

/// The first cell of each row of the table.
fn glossary() -> Vec<String> {
    let page = fs::read_to_string(house::root().join("docs/glossary.md")).expect("the glossary");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    rows.filter(|word| *word != "word").map(String::from).collect()
}

/// The words of which names and sentences are made, in small letters: `LinkTable` is two.
fn words(text: &str, found: &mut BTreeSet<String>) {
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        if !c.is_alphabetic() || (c.is_uppercase() && word.ends_with(char::is_lowercase)) {
            found.insert(std::mem::take(&mut word).to_lowercase());
        }
        if c.is_alphabetic() {
            word.push(c);
        }
    }
}

#[test]
fn the_glossary_is_in_order() {
    let listed = glossary();
    assert!(listed.len() >= 40, "{} words", listed.len());
    let mut sorted = listed.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(listed, sorted);
}

#[test]
fn every_word_of_the_glossary_is_used_in_the_code() {
    let mut used = BTreeSet::new();
    for (_, text) in house::rust_files(&["src", "sim/src"]) {
        words(&text, &mut used);
    }
    let is_used = |word: &str| {
        used.contains(word) || word.strip_suffix('s').is_some_and(|one| used.contains(one))
    };
    let unused = glossary().into_iter().filter(|entry| !entry.split(' ').all(is_used));
    assert_eq!(unused.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn no_type_has_a_name_that_was_given_up() {
    let mut wrong = Vec::new();
    for (path, text) in house::rust_files(&["src", "sim/src"]) {
        for (n, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            let mut rest = code
                .split_whitespace()
                .skip_while(|word| !["struct", "enum", "type", "trait", "mod"].contains(word));
            let name = rest.nth(1).unwrap_or_default();
            let name =
                name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            if GIVEN_UP.iter().any(|word| word.eq_ignore_ascii_case(name)) {
                wrong.push(format!("{path}:{}: {name}", n + 1));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn names_are_taken_apart() {
    let mut found = BTreeSet::new();
    words("LinkTable::open_accepted(fsync)", &mut found);
    for word in ["link", "table", "open", "accepted", "fsync"] {
        assert!(found.contains(word), "{word} of {found:?}");
    }
}
