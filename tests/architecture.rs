//! docs/architecture.md walks through code that is there.
//!
//! A hop is a numbered line: the file and the function, both in backticks, then what happens.

mod house;

use std::fs;

/// The most hops that a client's setData may take from its socket to its answer.
const SET_DATA_HOPS_MAX: usize = 25;

/// One numbered line of a walk.
#[derive(PartialEq, Eq, Debug)]
struct Hop {
    walk: String,
    file: String,
    function: String,
}

fn hops(page: &str) -> Vec<Hop> {
    let mut walk = String::new();
    let mut hops = Vec::new();
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            walk = title.to_owned();
        }
        let Some((number, rest)) = line.split_once(". ") else { continue };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let mut ticked = rest.split('`').skip(1).step_by(2);
        let file = ticked.next().unwrap_or_default().to_owned();
        let function = ticked.next().unwrap_or_default().to_owned();
        hops.push(Hop { walk: walk.clone(), file, function });
    }
    hops
}

/// The single words in backticks on the page; what has spaces is a command or a line of a file.
fn names(page: &str) -> Vec<&str> {
    let ticked = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    ticked.filter(|name| !name.contains(' ')).collect()
}

fn defines(text: &str, function: &str) -> bool {
    let open = [format!("fn {function}("), format!("fn {function}<")];
    text.lines().any(|line| open.iter().any(|open| line.contains(open.as_str())))
}

fn page() -> String {
    fs::read_to_string(house::root().join("docs/architecture.md")).expect("docs/architecture.md")
}

#[test]
fn every_hop_leads_to_a_function_of_that_file() {
    let page = page();
    let files = house::rust_files(&["src", "sim/src"]);
    let mut wrong = Vec::new();
    for Hop { walk, file, function } in hops(&page) {
        match files.iter().find(|(path, _)| *path == file) {
            None => wrong.push(format!("{walk}: there is no {file}")),
            Some((_, text)) if !defines(text, &function) => {
                wrong.push(format!("{walk}: {file} has no fn {function}"));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_name_on_the_page_occurs_in_the_code() {
    let page = page();
    let files = house::rust_files(&["src", "sim/src", "tests"]);
    let unknown = |name: &&str| {
        let is_place = files.iter().any(|(path, _)| path == name || path.starts_with(*name));
        let last = name.rsplit("::").next().unwrap_or(name);
        !is_place && !files.iter().any(|(_, text)| text.contains(last))
    };
    let unknown: Vec<&str> = names(&page).into_iter().filter(unknown).collect();
    assert!(unknown.is_empty(), "neither a file nor a word of the code: {unknown:?}");
}

#[test]
fn the_three_walks_are_there_and_a_set_data_is_short() {
    let hops = hops(&page());
    let count = |walk: &str| hops.iter().filter(|hop| hop.walk.contains(walk)).count();
    assert!(count("vote") >= 5 && count("cut 1 | 2") >= 5, "{hops:?}");
    let set_data = count("setData");
    assert!((10..=SET_DATA_HOPS_MAX).contains(&set_data), "a setData takes {set_data} hops");
}

#[test]
fn hops_are_read_with_their_walk() {
    let page = "## A walk\n1. `src/a.rs` `go`: goes to `b`\nnot. a hop\n`cut 1 | 2`\n";
    let hop = Hop { walk: "A walk".into(), file: "src/a.rs".into(), function: "go".into() };
    assert_eq!(hops(page), [hop]);
    assert_eq!(names(page), ["src/a.rs", "go", "b"]);
}
