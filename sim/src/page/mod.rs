//! A recording as a page to look at: `quorate-sim timeline F.qrec`.
//!
//! One HTML file that needs nothing else: style, script and data stand in it, and its policy
//! forbids it to fetch anything.
//!
//! - `columns.rs`   the events as columns of numbers, packed; `data.js` reads them
//! - `faults.rs`    what the laboratory did, as spans from a cut to its healing
//! - `clash.rs`     the two events a violation is about
//! - `page.html`, `page.css`, `js/`   the page itself; the scripts become one, in the order of
//!   `SCRIPTS`
//!
//! Not here: what a recording holds (`recording`), how it came about (`run`).

mod clash;
mod columns;
mod faults;

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::Serialize;

use self::columns::Packed;
use self::faults::Span;
use crate::recording::Recording;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// Each stands on those before it.
const SCRIPTS: [&str; 13] = [
    include_str!("js/words.js"),
    include_str!("js/data.js"),
    include_str!("js/model.js"),
    include_str!("js/scale.js"),
    include_str!("js/theme.js"),
    include_str!("js/tracks.js"),
    include_str!("js/density.js"),
    include_str!("js/labels.js"),
    include_str!("js/marks.js"),
    include_str!("js/overlay.js"),
    include_str!("js/panel.js"),
    include_str!("js/input.js"),
    include_str!("js/main.js"),
];

/// What the page knows besides the events.
#[derive(Serialize)]
struct Meta<'a> {
    scenario: &'a str,
    scenario_text: &'a str,
    case_name: &'a str,
    /// Text: JavaScript's numbers end at 2^53.
    seed: String,
    command: String,
    build: String,
    trace_hash: String,
    without: &'a [u32],
    museum: &'a [String],
    wanted: &'a [String],
    simulator: Option<&'a str>,
    servers: Vec<Server>,
    clients: &'a [String],
    violations: Vec<Violation<'a>>,
    faults: Vec<Span>,
    scenario_end: u64,
    ended: u64,
    facts: u64,
    operations: (u64, u64, u64),
    /// How many there are.
    events: usize,
    /// Name and length of each, in the order of the data.
    columns: Vec<(&'static str, usize)>,
    kinds: &'static [&'static str],
    processes: &'static [&'static str],
    roles: &'static [&'static str],
    states: &'static [&'static str],
}

#[derive(Serialize)]
struct Server {
    id: i64,
    votes: bool,
    weight: i64,
}

#[derive(Serialize)]
struct Violation<'a> {
    id: &'a str,
    words: String,
    at: u64,
    servers: &'a [i64],
    /// Places of events: what broke the property, then what it clashes with.
    events: Vec<u32>,
}

/// The whole page. `name` is what its title calls the recording.
pub fn page(recording: &Recording, name: &str) -> String {
    let (packed, bytes) = columns::pack(recording);
    let meta = serde_json::to_string(&meta(recording, &packed));
    let meta = meta.expect("strings and numbers are always JSON").replace('<', "\\u003c");
    let data = compressed(&bytes);
    let script = SCRIPTS.concat();
    let title = escaped(name);
    fill(PAGE, |place| match place {
        "title" => &title,
        "style" => STYLE,
        "meta" => &meta,
        "data" => &data,
        "script" => &script,
        _ => "",
    })
}

/// The template with every `{{place}}` replaced. What is put in is not read again.
fn fill<'a>(template: &'a str, value: impl Fn(&str) -> &'a str) -> String {
    let mut page = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((place, after)) = after.split_once("}}") else { break };
        page.push_str(before);
        page.push_str(value(place));
        rest = after;
    }
    page.push_str(rest);
    page
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn compressed(bytes: &[u8]) -> String {
    let mut stream = ZlibEncoder::new(Vec::new(), Compression::best());
    stream.write_all(bytes).expect("memory is never full");
    STANDARD.encode(stream.finish().expect("memory is never full"))
}

fn meta<'a>(recording: &'a Recording, packed: &Packed) -> Meta<'a> {
    let server = |member: &super::recording::Member| Server {
        id: member.id,
        votes: member.votes,
        weight: member.weight,
    };
    let violations = recording.violations.iter().map(|violated| Violation {
        id: &violated.id,
        words: violated.sentence(),
        at: violated.at,
        servers: &violated.servers,
        events: clash::events(recording, violated),
    });
    Meta {
        scenario: &recording.scenario_file,
        scenario_text: &recording.scenario_text,
        case_name: &recording.case_name,
        seed: recording.seed.to_string(),
        command: command(recording),
        build: recording.build.to_string(),
        trace_hash: format!("{:016x}", recording.trace_hash),
        without: &recording.without,
        museum: &recording.museum,
        wanted: &recording.wanted,
        simulator: recording.simulator.as_deref(),
        servers: recording.servers.iter().map(server).collect(),
        clients: &recording.clients,
        violations: violations.collect(),
        faults: faults::spans(recording),
        scenario_end: recording.scenario_end,
        ended: recording.ended,
        facts: recording.facts,
        operations: recording.operations,
        events: recording.events.len(),
        columns: packed.columns.clone(),
        kinds: &columns::KINDS,
        processes: &columns::PROCESSES,
        roles: &columns::ROLES,
        states: &columns::STATES,
    }
}

/// The command that repeats the run.
fn command(recording: &Recording) -> String {
    let mut command =
        format!("quorate-sim run {} --seed {}", recording.scenario_file, recording.seed);
    if !recording.case_name.is_empty() {
        command.push_str(&format!(" --case {}", recording.case));
    }
    if !recording.without.is_empty() {
        let faults: Vec<String> = recording.without.iter().map(ToString::to_string).collect();
        command.push_str(&format!(" --without {}", faults.join(",")));
    }
    if !recording.museum.is_empty() {
        command.push_str(&format!(" --museum {}", recording.museum.join(",")));
    }
    command
}

#[cfg(test)]
#[path = "page_test.rs"]
mod tests;
