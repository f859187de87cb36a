//! `src/` points one way: a module imports only from those above it in the list of src/lib.rs.

mod house;

use std::fs;

/// Lowest first. The same list stands as a table in src/lib.rs.
const LAYERS: [&str; 16] = [
    "base", "jute", "runtime", "config", "quorum", "storage", "tree", "session", "database",
    "election", "zab", "prepare", "server", "admin", "peer", "cli",
];

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|known| *known == layer)
}

/// The layer of a file: the folder, or the file, directly below src/.
fn layer_of(path: &str) -> &str {
    let below = path.strip_prefix("src/").unwrap_or(path);
    below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
}

/// What stands behind each `crate::` of a line, comments left aside.
fn imports(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or(line);
    let names = code.match_indices("crate::").filter(|(at, _)| {
        // `$crate::` and `mycrate::` are something else.
        !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$')
    });
    names
        .map(|(at, found)| {
            let rest = &code[at + found.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
        .collect()
}

#[test]
fn a_module_imports_only_from_the_layers_above_it_in_the_list() {
    let mut wrong = Vec::new();
    for (path, text) in house::rust_files(&["src"]) {
        let layer = layer_of(&path);
        if layer == "main" || layer == "lib" {
            continue;
        }
        let Some(own) = rank(layer) else {
            wrong.push(format!("{path}: {layer} is not a layer: the list is in src/lib.rs"));
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            for import in imports(line) {
                if rank(import).is_none_or(|other| other > own) {
                    wrong.push(format!("{path}:{}: {layer} imports {import}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_in_lib_rs_is_the_list_of_layers() {
    let lib = fs::read_to_string(house::root().join("src/lib.rs")).expect("src/lib.rs");
    let rows: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next()).collect();
    assert_eq!(rows, LAYERS);
}

#[test]
fn imports_are_found_where_they_stand() {
    assert_eq!(imports("use crate::base::{Now, Zxid};"), ["base"]);
    assert_eq!(imports("    f(crate::zab::x(), crate::tree::y); // crate::cli"), ["zab", "tree"]);
    assert_eq!(imports("$crate::tree::x"), Vec::<&str>::new());
}
