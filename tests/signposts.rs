//! The README's Where table points at code that is there.

mod house;

use std::fs;

/// Question, file and function of each row. A file is below src/ where it does not say sim/.
fn where_table(readme: &str) -> Vec<(String, String, String)> {
    let mut rows = Vec::new();
    let section = readme.lines().skip_while(|line| !line.starts_with("## Where")).skip(1);
    for line in section.take_while(|line| !line.starts_with("## ")) {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        // A leading and a trailing bar make five; the head and its rule name no file.
        if let [_, what, file, function, _] = cells[..]
            && file.ends_with(".rs")
        {
            rows.push((what.into(), file.into(), function.into()));
        }
    }
    rows
}

fn defines(text: &str, function: &str) -> usize {
    let open = [format!("fn {function}("), format!("fn {function}<")];
    text.lines().filter(|line| open.iter().any(|open| line.contains(open.as_str()))).count()
}

#[test]
fn every_row_of_the_where_table_leads_to_one_function() {
    let readme = fs::read_to_string(house::root().join("README.md")).expect("README.md");
    let files = house::rust_files(&["src", "sim/src"]);
    let rows = where_table(&readme);
    assert!(rows.len() >= 11, "the Where table has {} rows", rows.len());
    let mut wrong = Vec::new();
    for (what, file, function) in rows {
        let path = if file.starts_with("sim/") { file } else { format!("src/{file}") };
        match files.iter().find(|(name, _)| *name == path) {
            None => wrong.push(format!("{what}: there is no {path}")),
            Some((_, text)) if defines(text, &function) != 1 => {
                wrong.push(format!(
                    "{what}: {path} defines {} fn {function}",
                    defines(text, &function)
                ));
            }
            Some(_) => {}
        }
        let all: usize = files.iter().map(|(_, text)| defines(text, &function)).sum();
        if all != 1 {
            wrong.push(format!("{what}: the tree has {all} functions named {function}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_readme_is_short_and_opens_with_two_commands() {
    let readme = fs::read_to_string(house::root().join("README.md")).expect("README.md");
    assert!(readme.lines().count() <= 200, "{} lines", readme.lines().count());
    let opening: Vec<&str> = readme.lines().take(12).collect();
    for command in ["make run", "make test"] {
        assert!(opening.iter().any(|line| line.trim_start().starts_with(command)), "{command}");
    }
}

#[test]
fn rows_are_read_from_the_table_alone() {
    let readme = "| a | b.rs | c |\n## Where\n| Question | File | Function |\n|---|---|---|\n\
                  | votes counted | `election/core.rs` | `tally_votes` |\n## Next\n| x | y.rs | z |\n";
    let row = ("votes counted".into(), "election/core.rs".into(), "tally_votes".into());
    assert_eq!(where_table(readme), [row]);
    assert_eq!(defines("fn a() {}\n    pub fn a<T>() {}\nfn ab() {}", "a"), 2);
}
