//! What is `pub` has a user outside its file.
//!
//! The compiler finds what is dead behind a private door; a `pub` item of a library it takes for
//! somebody else's. Here an item is its name: a name that two items share hides neither's end.

use std::collections::{BTreeMap, BTreeSet};

use super::{assert_none, code_of, house, is_test_file, lines_before_tests};

/// What only tests use, and why it is there for them.
const FOR_TESTS: [(&str, &str); 4] = [
    ("command_line", "tests/dist/pages.rs writes manual pages from it"),
    ("NoObserver", "the world's own tests watch nothing"),
    ("run_with_evidence", "sim/tests judge the evidence of a run anew"),
    ("set_latency", "the net's own tests want latencies that are no chance"),
];

/// The kinds of items that a signature may name.
const TYPES: [&str; 4] = ["struct", "enum", "type", "trait"];

struct Item {
    /// Path and line.
    at: (String, usize),
    kind: String,
    name: String,
    /// A signature may name it, or a module inside its file holds it: the file itself is a user.
    may_be_local: bool,
}

/// The item that is made `pub` in this line.
fn published(line: &str) -> Option<(&str, &str)> {
    let mut rest = line.trim_start();
    let at = ["pub ", "pub(crate) ", "pub(super) "].iter().find(|at| rest.starts_with(**at))?;
    rest = &rest[at.len()..];
    let is_function = rest.contains("fn ");
    for word in ["const ", "async ", "unsafe "] {
        if is_function {
            rest = rest.strip_prefix(word).unwrap_or(rest);
        }
    }
    let (kind, rest) = rest.split_once(' ')?;
    let known = ["fn", "const", "static"].iter().chain(&TYPES).any(|known| *known == kind);
    let name = words(rest).next()?;
    known.then_some((kind, name))
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The files that are modules for tests alone: `#[cfg(test)]` stands above their `mod`.
fn test_modules(files: &[(String, String)]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, text) in files {
        let Some(folder) = path.strip_suffix("mod.rs") else { continue };
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]") {
            let name = pair[1].trim_end_matches(';').rsplit(' ').next().unwrap_or_default();
            found.insert(format!("{folder}{name}.rs"));
        }
    }
    found
}

/// The lines of code that count: no tests, no comments, no `pub use`.
fn code(text: &str) -> Vec<(usize, &str)> {
    let mut is_reexport = false;
    let mut lines = Vec::new();
    for (n, line) in lines_before_tests(text) {
        let code = code_of(line);
        let start = code.trim_start();
        is_reexport |= start.starts_with("pub") && start.contains(" use ");
        if !is_reexport {
            lines.push((n, code));
        }
        is_reexport &= !code.contains(';');
    }
    lines
}

/// Whether the line makes something of this name, or says what it can do.
fn makes(line: &str, name: &str) -> bool {
    let words: Vec<&str> = words(line).collect();
    let makes = |pair: &[&str]| {
        pair[1] == name
            && (["fn", "const", "static"].contains(&pair[0]) || TYPES.contains(&pair[0]))
    };
    words.first() == Some(&"impl") || words.windows(2).any(makes)
}

#[test]
fn what_is_pub_has_a_user_outside_its_file() {
    let files = house::rust_files(&["src", "sim/src", "sim/tests", "fuzz", "tests"]);
    let for_tests = test_modules(&files);
    let is_test =
        |path: &str| is_test_file(path) || path.contains("/tests/") || for_tests.contains(path);
    let mut items = Vec::new();
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (path, text) in &files {
        let mut above = "";
        for (n, line) in code(text) {
            if let Some((kind, name)) = published(line)
                && !is_test(path)
                && above.trim() != "#[cfg(test)]"
            {
                let at = (path.clone(), n);
                let is_inside = kind == "const" && line.starts_with(' ');
                let may_be_local = is_inside || TYPES.contains(&kind);
                items.push(Item { at, kind: kind.into(), name: name.into(), may_be_local });
            }
            for word in words(line).filter(|word| !makes(line, word)) {
                users.entry(word).or_default().insert(path);
            }
            above = line;
        }
    }
    let mut wrong = Vec::new();
    let mut excused = BTreeSet::new();
    for Item { at, kind, name, may_be_local } in &items {
        let users = users.get(name.as_str()).cloned().unwrap_or_default();
        let own = users.contains(at.0.as_str());
        let by_tests = users.iter().any(|path| is_test(path));
        let by_others = users.iter().any(|path| *path != at.0 && !is_test(path));
        if by_others || (own && (by_tests || *may_be_local)) {
            continue;
        }
        match FOR_TESTS.iter().find(|(known, _)| known == name) {
            Some((known, _)) if by_tests => drop(excused.insert(*known)),
            _ => wrong.push(format!("{}:{}: nobody outside uses {kind} {name}", at.0, at.1)),
        }
    }
    let needless = FOR_TESTS.iter().filter(|(name, _)| !excused.contains(name));
    wrong.extend(needless.map(|(name, _)| format!("{name} needs no excuse: remove it")));
    assert_none(wrong);
}
