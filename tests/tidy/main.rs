//! House rules that a reader would otherwise have to check by eye.

#[path = "../house/mod.rs"]
mod house;
mod unused;

const EVERYWHERE: [&str; 4] = ["src", "sim/src", "sim/tests", "tests"];

/// Lines a file may have.
const FILE_LINES_MAX: usize = 800;

/// Beyond so many lines the head says why: "Over 500 lines: ...".
const FILE_LINES_WITHOUT_REASON: usize = 500;

/// Lines a function may have.
const FUNCTION_LINES_MAX: usize = 70;

/// Functions that are longer, with their present length. The list may only shrink: a function that
/// grows, or that no longer needs its entry, fails the test.
const LONG_FUNCTIONS: [(&str, &str, usize); 0] = [];

/// What reaches for the machine, and who besides src/runtime/os may.
const MACHINE_WORDS: [(&str, &[&str]); 15] = [
    ("std::fs", STD_EXEMPT),
    ("std::net", STD_EXEMPT),
    ("std::thread", STD_EXEMPT),
    ("SystemTime", STD_EXEMPT),
    ("Instant::now", STD_EXEMPT),
    ("mio::", &["src/bench/"]),
    ("rand::", NOBODY),
    ("tokio::net", NOBODY),
    ("tokio::fs", NOBODY),
    ("tokio::time", NOBODY),
    ("tokio::task", NOBODY),
    ("tokio::runtime", &["src/backup/"]),
    ("tokio::process", NOBODY),
    ("tokio::signal", NOBODY),
    ("tokio::spawn", NOBODY),
];

const NOBODY: &[&str] = &[];
/// config/load.rs reads zoo.cfg before there is a runtime to read files with; backup, bench and shell are
/// no server.
const STD_EXEMPT: &[&str] = &[
    "src/cli/",
    "src/admin/",
    "src/backup/",
    "src/bench/",
    "src/shell/",
    "src/main.rs",
    "src/config/load.rs",
];

fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/") || path.ends_with("_test.rs") || path.ends_with("/tests.rs")
}

/// The numbered lines of a file in front of its tests.
fn lines_before_tests(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0] == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].ends_with('{')
    });
    let end = tests.unwrap_or(lines.len());
    lines.into_iter().take(end).enumerate().map(|(n, line)| (n + 1, line))
}

fn code_of(line: &str) -> &str {
    line.split("//").next().unwrap_or(line)
}

/// Addresses as values reach for nothing.
fn without_plain_addresses(code: &str) -> String {
    ["IpAddr", "Ipv4Addr", "Ipv6Addr"]
        .iter()
        .fold(code.to_string(), |code, name| code.replace(&format!("std::net::{name}"), name))
}

/// Whether the word stands in the code, not as the end of a longer one.
fn has_word(code: &str, word: &str) -> bool {
    let code = without_plain_addresses(code);
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !joins(before) && (word.ends_with(':') || !joins(after))
    })
}

/// Fails with one line for each place.
#[track_caller]
fn assert_none(places: Vec<String>) {
    assert!(places.is_empty(), "\n{}", places.join("\n"));
}

/// Every line of these trees for which `wrong` has a complaint.
fn complaints(dirs: &[&str], wrong: impl Fn(&str, &str) -> Option<String>) -> Vec<String> {
    let mut places = Vec::new();
    for (path, text) in house::rust_files(dirs) {
        for (n, line) in text.lines().enumerate() {
            if let Some(what) = wrong(&path, line) {
                places.push(format!("{path}:{}: {what}", n + 1));
            }
        }
    }
    places
}

#[test]
fn only_the_runtime_touches_the_machine() {
    let mut places = Vec::new();
    for (path, text) in house::rust_files(&["src"]) {
        if path.starts_with("src/runtime/os") || is_test_file(&path) {
            continue;
        }
        for (n, line) in lines_before_tests(&text) {
            for (word, exempt) in MACHINE_WORDS {
                let exempt = exempt.iter().any(|prefix| path.starts_with(prefix));
                if !exempt && (has_word(code_of(line), word) || imports_from(line, word)) {
                    places.push(format!("{path}:{n}: {word} belongs into src/runtime/os"));
                }
            }
        }
    }
    assert_none(places);
}

/// `use std::{fs, io};` names std::fs too.
fn imports_from(line: &str, word: &str) -> bool {
    let Some((family, name)) = word.split_once("::") else { return false };
    match code_of(line).trim_start().strip_prefix(&format!("use {family}::{{")) {
        Some(group) => has_word(group, name.trim_end_matches(':')),
        None => false,
    }
}

/// The ids that a file asserts, each with the number of its line.
fn asserted_ids(text: &str) -> Vec<(usize, &str)> {
    let asserts = text.match_indices("invariant!(");
    asserts
        .filter_map(|(at, _)| {
            let id = text[at..].split('"').nth(1)?;
            Some((text[..at].matches('\n').count() + 1, id))
        })
        .collect()
}

#[test]
fn what_a_file_asserts_stands_in_its_head_or_its_rooms() {
    let mut places = Vec::new();
    let files = house::rust_files(&["src"]);
    for (path, text) in &files {
        if is_test_file(path) || path.starts_with("src/base/") {
            continue;
        }
        let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
        let room = path.rsplit_once('/').map_or("", |(room, _)| room);
        let of_room = files.iter().find(|(path, _)| *path == format!("{room}/mod.rs"));
        let heads = [Some(text), of_room.map(|(_, text)| text)].into_iter().flatten();
        let head: Vec<&str> = heads
            .flat_map(|text| text.lines().take_while(|line| line.starts_with("//!")))
            .collect();
        for (line, id) in asserted_ids(product) {
            if !head.iter().any(|line| has_word(line.trim_start_matches("//!"), id)) {
                places.push(format!(
                    "{path}:{line}: {id} stands neither in the head nor in that of its room"
                ));
            }
        }
    }
    assert_none(places);
    let text = "a\ninvariant!(x > y, \"S-1\", \"{x}\");\n    invariant!(\n  y,\n  \"S-2\",\n);";
    assert_eq!(asserted_ids(text), [(2, "S-1"), (3, "S-2")]);
}

#[test]
fn files_are_short() {
    let files = house::rust_files(&EVERYWHERE);
    let long = files.iter().filter(|(_, text)| text.lines().count() > FILE_LINES_MAX);
    assert_none(
        long.map(|(path, text)| format!("{path}: {} lines", text.lines().count())).collect(),
    );
}

#[test]
fn a_long_file_says_why() {
    let why = format!("//! Over {FILE_LINES_WITHOUT_REASON} lines: ");
    let files = house::rust_files(&EVERYWHERE);
    let long = files.iter().filter(|(_, text)| {
        let says = text.lines().any(|line| line.starts_with(&why));
        let is_long = text.lines().count() > FILE_LINES_WITHOUT_REASON;
        is_long && !says
    });
    assert_none(
        long.map(|(path, text)| format!("{path}: {} lines", text.lines().count())).collect(),
    );
}

#[test]
fn a_module_with_a_folder_is_the_mod_rs_in_it() {
    let files = house::rust_files(&["src", "sim/src"]);
    let beside = files.iter().filter(|(path, _)| {
        let folder = format!("{}/", path.trim_end_matches(".rs"));
        files.iter().any(|(other, _)| other.starts_with(&folder))
    });
    assert_none(beside.map(|(path, _)| format!("{path}: stands beside its folder")).collect());
}

#[test]
fn pages_and_their_scripts_are_short_and_ascii() {
    let mut places = Vec::new();
    for (path, text) in house::files(&["sim/src", "tests"], &["js", "mjs", "css", "html"]) {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            places.push(format!("{path}: {lines} lines"));
        }
        let strange = text.lines().position(|line| !line.is_ascii());
        places.extend(strange.map(|n| format!("{path}:{}: is not ASCII", n + 1)));
    }
    assert_none(places);
}

/// Name, first line and length of each function. Stands on rustfmt: a body ends with a brace at
/// the indentation of its `fn`.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let opens = line.matches('{').count();
        if line.trim_end().ends_with(';') || (opens > 0 && opens == line.matches('}').count()) {
            found.push((name.to_string(), n + 1, 1));
            continue;
        }
        let end = lines[n + 1..].iter().position(|later| {
            indent(later) == indent(line)
                && (later.trim_start().starts_with('}') || later.trim_end().ends_with(';'))
        });
        found.push((name.to_string(), n + 1, end.map_or(1, |end| end + 2)));
    }
    found
}

/// The name, if a function begins in this line.
fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for word in ["pub(crate) ", "pub(super) ", "pub ", "const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
}

#[test]
fn functions_fit_a_screen() {
    let mut places = Vec::new();
    let mut used = Vec::new();
    for (path, text) in house::rust_files(&EVERYWHERE) {
        for (name, line, length) in functions(&text) {
            if length <= FUNCTION_LINES_MAX {
                continue;
            }
            let entry = LONG_FUNCTIONS.iter().find(|(p, n, _)| *p == path && *n == name);
            match entry {
                Some((_, _, allowed)) if length == *allowed => used.push((path.clone(), name)),
                Some((_, _, allowed)) => {
                    places.push(format!("{path}:{line}: {name}: {length} lines, listed {allowed}"));
                }
                None => places.push(format!("{path}:{line}: {name} has {length} lines")),
            }
        }
    }
    for (path, name, _) in LONG_FUNCTIONS {
        if !used.iter().any(|(p, n)| p == path && n == name) {
            places.push(format!("{path}: {name} needs no entry in LONG_FUNCTIONS: remove it"));
        }
    }
    assert_none(places);
}

#[test]
fn sources_are_ascii() {
    assert_none(complaints(&EVERYWHERE, |_, line| {
        let strange = line.chars().find(|c| !c.is_ascii())?;
        Some(format!("{strange:?} is not ASCII"))
    }));
}

#[test]
fn imports_name_one_path_of_the_crate_a_line() {
    // tests/layers reads them line by line.
    let group = concat!("use crate::", "{");
    assert_none(complaints(&["src", "sim/src"], |_, line| {
        line.contains(group).then(|| "one line for each module of the crate".into())
    }));
}

#[test]
fn no_machine_paths_and_no_notes_to_the_author() {
    let words = [
        concat!("/wor", "k/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    assert_none(complaints(&EVERYWHERE, |_, line| {
        words.iter().find(|word| line.contains(**word)).map(|word| format!("{word} stands here"))
    }));
}

#[test]
fn every_select_is_biased() {
    // Without `biased;` the order of branches is random, and a run cannot be repeated.
    let select = concat!("select", "! {");
    let mut places = Vec::new();
    for (path, text) in house::rust_files(&["src"]) {
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            if !code_of(line).contains(select) {
                continue;
            }
            let next = lines[n + 1..].iter().map(|l| code_of(l).trim()).find(|l| !l.is_empty());
            if next != Some("biased;") {
                places.push(format!("{path}:{}: a select without biased;", n + 1));
            }
        }
    }
    assert_none(places);
}

#[test]
fn every_allow_has_a_reason() {
    let mut places = Vec::new();
    for (path, text) in house::rust_files(&EVERYWHERE) {
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let attribute = ["allow(", "expect(", "ignore"]
                .iter()
                .any(|word| ["#[", "#!["].iter().any(|a| code.starts_with(&format!("{a}{word}"))));
            if !attribute {
                continue;
            }
            let end = lines[n..].iter().position(|l| l.trim_end().ends_with(']')).unwrap_or(0);
            let said = lines[n..=n + end]
                .iter()
                .any(|l| l.contains("reason =") || l.contains("ignore = ") || l.contains("// "));
            let above = n > 0 && lines[n - 1].trim_start().starts_with("// ");
            if !said && !above {
                places.push(format!("{path}:{}: {code} without a reason", n + 1));
            }
        }
    }
    assert_none(places);
}

#[test]
fn functions_are_measured_from_fn_to_brace() {
    let text = "fn one() {}\nimpl X {\n    pub fn two(\n        a: u8,\n    ) -> u8 {\n        a\n    \
                }\n    fn three();\n    async fn four() {\n        x(|| {\n        });\n    }\n}\n";
    let expected = [("one", 1, 1), ("two", 3, 5), ("three", 8, 1), ("four", 9, 4)];
    let expected: Vec<_> = expected.map(|(name, at, len)| (name.to_string(), at, len)).into();
    assert_eq!(functions(text), expected);
}

#[test]
fn machine_words_are_found_in_code_alone() {
    assert!(has_word("use std::fs::File;", "std::fs"));
    assert!(has_word("let x = rand::random();", "rand::"));
    assert!(!has_word("operand::x()", "rand::"));
    assert!(!has_word("use std::fsync;", "std::fs"));
    assert!(!has_word("use std::net::IpAddr;", "std::net"));
    assert!(has_word("use std::net::TcpStream;", "std::net"));
    assert!(imports_from("use std::{fs, io};", "std::fs"));
    assert!(!imports_from("use std::{fmt, io};", "std::fs"));
    assert_eq!(code_of("x // std::fs"), "x ");
}
