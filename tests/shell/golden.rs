//! The commands that were given to Apache's shell of 3.9.3, given to ours in the same order: what it
//! said, line by line, on stdout and stderr, and the exit code.
//!
//! Not compared: times, zxids, addresses, versions; the line about JLine; that a session has begun, which
//! Apache's shell prints if it comes before the answer; our hints; `help`, which Apache has not.

use serde_json::Value;

use crate::ensemble::{Ensemble, Plan};
use crate::golden_files::{json_file, text};
use crate::program::{Answer, ask, feed};

const CONNECTED: &str =
    "\nWATCHER::\n\nWatchedEvent state:SyncConnected type:None path:null zxid: -1\n";
/// Of our list of commands.
const OURS: [&str; 2] = ["\texit", "\thelp [command]"];

fn server() -> Ensemble {
    let ensemble = Plan::standalone().setting("extendedTypesEnabled=true").start();
    assert_eq!(ask(ensemble.servers[0].address, &["create", "/n", ""]).code, 0);
    ensemble
}

/// With what no two runs have in common replaced.
fn masked(text: &str) -> Vec<String> {
    let text = text.replacen(CONNECTED, "", 1);
    let lines = text.lines().filter(|line| {
        !line.starts_with("hint: ")
            && !line.starts_with("JLine support")
            && !OURS.contains(&line.trim_end())
    });
    lines.map(masked_line).collect()
}

fn masked_line(line: &str) -> String {
    for key in ["cZxid", "mZxid", "pZxid", "ctime", "mtime"] {
        if let Some(value) = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(" = ")) {
            let is_zero = value == "0x0" || value == "Thu Jan 01 00:00:00 UTC 1970";
            return format!("{key} = {}", if is_zero { value } else { "..." });
        }
    }
    if let Some((event, zxid)) = line.split_once(" zxid: ") {
        return format!("{event} zxid: {}", if zxid == "-1" { zxid } else { "..." });
    }
    if let Some((_, rest)) = line.strip_prefix("[zk: ").and_then(|rest| rest.split_once('(')) {
        return format!("[zk: ...({}", rest.trim_end());
    }
    for beginning in ["Connecting to ", "ZooKeeper CLI version: "] {
        if line.starts_with(beginning) {
            return format!("{beginning}...");
        }
    }
    line.to_owned()
}

fn compare(what: &str, expected: &Value, answer: &Answer, wrong: &mut Vec<String>) {
    let code = expected["exit"].as_i64().expect("an exit code");
    if i64::from(answer.code) != code {
        wrong.push(format!("{what}: exit code {}, and Apache's is {code}", answer.code));
    }
    for (stream, ours) in [("stdout", &answer.out), ("stderr", &answer.err)] {
        let (ours, theirs) = (masked(ours), masked(text(expected, stream)));
        if ours != theirs {
            wrong.push(format!("{what}: {stream}\n   ours {ours:#?}\n   Apache's {theirs:#?}"));
        }
    }
}

#[test]
fn one_command_at_a_time_it_says_what_apache_says() {
    let ensemble = server();
    let address = ensemble.servers[0].address;
    let golden = json_file("texts/3.9.3/zkcli.json");
    let mut wrong = Vec::new();
    let mut compared = 0;
    for expected in golden["oneShot"].as_array().expect("a list") {
        let words: Vec<&str> = expected["args"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|word| word.as_str().expect("text"))
            .collect();
        if words == ["help"] {
            continue;
        }
        // Apache's runs took so long that the sessions of these had expired here.
        if words[..] == ["setquota", "-n", "10", "/t"] {
            for ephemeral in ["/t/e", "/t/es-0000000002"] {
                assert_eq!(ask(address, &["delete", ephemeral]).code, 0);
            }
        }
        compare(&words.join(" "), expected, &ask(address, &words), &mut wrong);
        compared += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 80, "only {compared} commands");
}

#[test]
fn fed_with_lines_it_says_what_apache_says() {
    let ensemble = server();
    let expected = &json_file("texts/3.9.3/zkcli.json")["interactive"];
    let answer = feed(ensemble.servers[0].address, &[], text(expected, "stdin"));
    let mut wrong = Vec::new();
    compare("a script", expected, &answer, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn masks_hide_what_changes_and_nothing_else() {
    assert_eq!(masked_line("cZxid = 0x9"), "cZxid = ...");
    assert_eq!(masked_line("cZxid = 0x0"), "cZxid = 0x0");
    assert_eq!(masked_line("cversion = 9"), "cversion = 9");
    assert_eq!(masked_line("WatchedEvent x path:/a zxid: 7"), "WatchedEvent x path:/a zxid: ...");
    assert_eq!(masked_line("[zk: h:1(CONNECTED) 20] "), "[zk: ...(CONNECTED) 20]");
}
