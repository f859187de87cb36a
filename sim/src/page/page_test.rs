//! What stands in a page is all of the recording, and nothing of it can break the page.

use std::collections::BTreeMap;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use quorate::base::ServerId;
use serde_json::Value as Json;

use super::page;
use crate::fault::Paint;
use crate::grammar::Names;
use crate::recording::{
    Answer, Event, Life, Member, Party, Recording, Request, Role, State, Value, Violated, What,
};
use crate::scenario::{Action, ClientAct};

const MS: u64 = 1_000_000;

fn state(role: Role, last_logged: i64) -> State {
    State {
        running: true,
        paused: false,
        role,
        established: None,
        serving: Some(2),
        accepted_epoch: 2,
        current_epoch: 1,
        last_logged,
        durable: -1,
        applied: 0,
        committed: 0x1_0000_0001,
    }
}

fn event(at: u64, by: Party, what: What) -> Event {
    Event { at, by, what, state: None }
}

fn note(at: u64, server: i64, name: &'static str, fields: Vec<(&'static str, Value)>) -> Event {
    let fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
    let what = What::Note { name: name.into(), fields };
    let state = Some(state(Role::Looking, 0x1_0000_0001));
    Event { at, by: Party::Server(server), what, state }
}

fn action(at: u64, text: &str) -> Event {
    let names = Names { servers: (1..=5).map(ServerId).collect(), variable: None };
    let line = names.line(&format!("0s  {text}")).expect("a line");
    let action = line.actions.into_iter().next().expect("a line has an action");
    event(at, Party::Lab, What::Action { fault: None, action })
}

fn recording(events: Vec<Event>) -> Recording {
    let member = |id| Member { id, votes: true, weight: 1 };
    Recording {
        scenario_file: "scenarios/a.toml".into(),
        seed: u64::MAX,
        servers: (1..=5).map(member).collect(),
        clients: vec!["c".into()],
        ended: 1000 * MS,
        events,
        ..Recording::default()
    }
}

/// One of everything an event can be.
fn everything() -> Vec<Event> {
    let server = Party::Server(2);
    let frame = |zxid, arrives| What::Frame {
        to: Party::Server(1),
        kind: "PROPOSAL".into(),
        zxid,
        arrives,
    };
    let role = What::Role { role: Role::Leading, epoch: 7 };
    let asked = |n| What::Asked { n, server: 1, request: Request::Other("get /a".into()) };
    let words = "b\"\u{2603}\"".into();
    let reply = Answer::Reply { zxid: 0x1_0000_0001, err: -101, words };
    vec![
        action(0, "start 1 2 3"),
        event(MS, server, What::Life(Life::Started)),
        Event { state: Some(state(Role::Leading, -1)), ..event(2 * MS, server, role) },
        note(
            3 * MS,
            2,
            "Committed",
            vec![
                ("zxid", Value::Zxid(0x1_0000_0001)),
                ("voters", Value::Servers(vec![1, -3])),
                ("hash", Value::Hash(u64::MAX)),
                ("epoch", Value::Epoch(2)),
                ("from", Value::Server(4)),
                ("why", Value::Text("because".into())),
            ],
        ),
        event(4 * MS, server, frame(Some(0x1_0000_0001), Some(6 * MS))),
        event(4 * MS, server, frame(None, None)),
        event(5 * MS, server, What::SyncBegan { n: 9 }),
        event(5 * MS, server, What::SyncBegan { n: 10 }),
        event(7 * MS, server, What::SyncEnded { n: 9, failed: true }),
        event(8 * MS, Party::Client(0), asked(0)),
        event(8 * MS, Party::Client(0), asked(1)),
        event(8 * MS, Party::Client(0), asked(2)),
        event(9 * MS, Party::Client(0), What::Answered { n: 1, result: reply }),
        event(9 * MS, Party::Client(0), What::Answered { n: 0, result: Answer::Lost }),
        event(10 * MS, server, What::Life(Life::Died)),
    ]
}

/// A page, taken apart again.
struct Read {
    meta: Json,
    columns: BTreeMap<String, Vec<u8>>,
}

impl Read {
    fn of(recording: &Recording) -> Read {
        let page = page(recording, "x.qrec");
        let meta = between(&page, "<script type=\"application/json\" id=\"meta\">");
        let meta: Json = serde_json::from_str(meta).expect("JSON");
        let packed = STANDARD.decode(between(&page, "<script type=\"text/plain\" id=\"data\">"));
        let mut rest = Vec::new();
        ZlibDecoder::new(&packed.expect("base64")[..]).read_to_end(&mut rest).expect("zlib");
        let mut columns = BTreeMap::new();
        for column in meta["columns"].as_array().expect("a list") {
            let length = column[1].as_u64().expect("a length") as usize;
            let after = rest.split_off(length);
            columns.insert(column[0].as_str().expect("a name").to_owned(), rest);
            rest = after;
        }
        assert!(rest.is_empty(), "bytes that belong to no column");
        Read { meta, columns }
    }

    fn numbers(&self, column: &str) -> Vec<u64> {
        let (mut numbers, mut value, mut shift) = (Vec::new(), 0, 0);
        for byte in &self.columns[column] {
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if *byte < 0x80 {
                numbers.push(value);
                (value, shift) = (0, 0);
            }
        }
        numbers
    }

    fn signed(&self, column: &str) -> Vec<i64> {
        let back = |value: u64| (value >> 1) as i64 ^ -((value & 1) as i64);
        self.numbers(column).into_iter().map(back).collect()
    }

    fn text(&self, column: &str) -> &str {
        std::str::from_utf8(&self.columns[column]).expect("UTF-8")
    }

    fn texts(&self) -> Vec<String> {
        let all: Vec<u16> = self.text("texts").encode_utf16().collect();
        let mut from = 0;
        let mut take = |length: u64| {
            from += length as usize;
            String::from_utf16(&all[from - length as usize..from]).expect("whole letters")
        };
        self.numbers("lengths").into_iter().map(&mut take).collect()
    }
}

fn between<'a>(page: &'a str, tag: &str) -> &'a str {
    let (_, after) = page.split_once(tag).expect("the tag stands in the page");
    after.split_once("</script>").expect("it ends").0
}

#[test]
fn every_event_stands_in_the_page_at_its_time_and_place() {
    let events = everything();
    let read = Read::of(&recording(events.clone()));
    assert_eq!(read.meta["events"], events.len());
    let mut now = 0;
    let mut stamp = |apart: u64| {
        now += apart;
        now
    };
    let at: Vec<u64> = read.numbers("at").into_iter().map(&mut stamp).collect();
    assert_eq!(at, events.iter().map(|event| event.at).collect::<Vec<_>>());
    assert_eq!(read.numbers("by"), [0, 2, 2, 2, 2, 2, 2, 2, 2, 6, 6, 6, 6, 6, 2]);
    let kinds = read.meta["kinds"].as_array().expect("a list");
    let kind = |code: u64| kinds[code as usize / 2].as_str().expect("a name").to_owned();
    let kinds: Vec<String> = read.numbers("kind").into_iter().map(kind).collect();
    let expected = "action life role note frame frame sync sync synced asked asked asked answered \
                    lost life";
    assert_eq!(kinds.join(" "), expected);
    let texts = read.texts();
    let text = |place: u64| texts[place as usize].as_str();
    let said: Vec<&str> = read.numbers("text").into_iter().map(text).collect();
    assert_eq!(said[..4], ["start 1 2 3", "started", "LEADING", "Committed"]);
    assert_eq!(said[8..], ["failed", "get /a", "get /a", "get /a", "b\"\u{2603}\"", "", "died"]);
}

#[test]
fn what_began_knows_its_end() {
    let read = Read::of(&recording(everything()));
    let lasts = read.numbers("lasts");
    assert_eq!(lasts[4..6], [2 * MS + 1, 0], "a frame that arrives, one that never does");
    assert_eq!(lasts[6..8], [2 * MS + 1, 5 * MS + 1], "a sync that ends, one cut off by a death");
    assert_eq!(lasts[9..12], [MS + 1, MS + 1, 992 * MS + 1], "the last question has no answer");
    let mates = read.signed("mate");
    assert_eq!(mates[6..9], [2, 0, -2]);
    assert_eq!(mates[9..14], [4, 2, 0, -2, -4]);
}

#[test]
fn fields_zxids_and_states_are_those_of_the_recording() {
    let read = Read::of(&recording(everything()));
    assert_eq!(read.text("zxids"), "-1 0x0 0x100000001");
    assert_eq!(read.numbers("zxid")[2..6], [0, 3, 3, 0]);
    assert_eq!(read.signed("number")[2], 7);
    assert_eq!(read.signed("number")[12], -101);
    let texts = read.texts();
    let place = |text: &str| texts.iter().position(|t| t == text).expect("a text") as u64;
    let fields = read.numbers("fields");
    let expected = [
        vec![6, place("zxid"), 1, 2],
        vec![place("voters"), 3, 2, 2, 5],
        vec![place("hash"), 0, place("ffffffffffffffff")],
        vec![place("epoch"), 4, 4],
        vec![place("from"), 2, 8],
        vec![place("why"), 0, place("because")],
    ];
    assert_eq!(fields, expected.concat());
    // Running, LEADING, leads none, serves in epoch 2, ...; then only what changed.
    let states = read.signed("states");
    assert_eq!(states, [1, 2, 0, 3, 2, 1, 0, 0, 1, 2, 0, -2, 0, 0, 0, 0, 2, 0, 0, 0]);
}

#[test]
fn text_of_a_recording_cannot_end_the_script_it_stands_in() {
    let evil = "</script><script>alert(1)</script><!-- {{data}} {{script}}";
    let violated = Violated { id: "S-1".into(), words: evil.into(), ..violated(&[], &[]) };
    let client = Action::Client { name: evil.into(), act: ClientAct::Closes };
    let asks = event(0, Party::Lab, What::Action { fault: None, action: client });
    let events = vec![asks, note(MS, 1, "Other", vec![("x", Value::Text(evil.into()))])];
    let recording = Recording {
        scenario_file: evil.into(),
        scenario_text: evil.into(),
        clients: vec![evil.into()],
        violations: vec![violated],
        ..recording(events)
    };
    let page = page(&recording, evil);
    assert!(!page.contains("alert(1)</script>"));
    assert_eq!(page.matches("<script").count(), 3, "meta, data and the page's own");
    assert_eq!(page.matches("</script>").count(), 3);
    // In the title, the file, its text, the command, a client, the violation and a fault.
    assert_eq!(page.matches("{{data}}").count(), 7, "as text it stays");
    let read = Read::of(&recording);
    assert_eq!(read.meta["scenario_text"], evil);
    assert!(read.texts().iter().any(|text| text == evil));
}

#[test]
fn a_page_fetches_nothing() {
    let page = page(&recording(everything()), "x.qrec");
    assert!(page.contains("default-src 'none'"));
    for word in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(word), "{word} stands in the page");
    }
}

#[test]
fn the_seed_and_the_command_that_repeats_the_run_stand_in_the_page() {
    let recording = Recording {
        case: 3,
        case_name: "3 1 2".into(),
        without: vec![2, 5],
        museum: vec!["ack_before_flush".into()],
        ..recording(Vec::new())
    };
    let read = Read::of(&recording);
    assert_eq!(read.meta["seed"], "18446744073709551615");
    let command = "quorate-sim run scenarios/a.toml --seed 18446744073709551615 --case 3 \
                   --without 2,5 --museum ack_before_flush";
    assert_eq!(read.meta["command"], command);
}

/// Paint, beginning, end and number of pairs of each fault, in milliseconds.
fn faults(actions: &[(u64, &str)]) -> Vec<(Paint, u64, u64, usize)> {
    painted(actions.iter().map(|(at, text)| action(at * MS, text)).collect())
}

fn painted(events: Vec<Event>) -> Vec<(Paint, u64, u64, usize)> {
    let spans = super::faults::spans(&recording(events));
    spans.iter().map(|span| (span.paint, span.from / MS, span.to / MS, span.pairs.len())).collect()
}

#[test]
fn a_fault_lasts_until_what_ends_it() {
    let cut = faults(&[(1, "cut 1 2 | 3 4 5"), (2, "pause 3"), (3, "heal"), (4, "resume 3")]);
    assert_eq!(cut[0], (Paint::Parts, 1, 3, 12));
    assert_eq!(cut[1], (Paint::Span, 2, 4, 0));
    let disk = faults(&[(1, "slow-fsync 3 5ms"), (2, "hold-fsync 3"), (3, "slow-fsync 3 0s")]);
    assert_eq!(disk[0], (Paint::Slow, 1, 3, 0));
    assert_eq!(disk[1], (Paint::Slow, 2, 1000, 0), "nothing ended it: to the end of the run");
    let over = painted(vec![action(MS, "clock 4 rate 2"), event(5 * MS, Party::Lab, What::Over)]);
    assert_eq!(over, [(Paint::Span, 1, 5, 0), (Paint::Moment, 5, 5, 0)]);
}

#[test]
fn a_cut_that_heals_in_part_goes_on_between_the_rest() {
    let parts = faults(&[(1, "cut 1 | 2 3"), (2, "heal 1 | 2"), (3, "heal 1 | 3")]);
    assert_eq!(parts[0], (Paint::Parts, 1, 2, 4));
    assert_eq!(parts[1], (Paint::Parts, 2, 3, 2));
    let other = faults(&[(1, "cut quorum 1 | 2"), (2, "heal election 1 | 2"), (3, "heal 1 | 2")]);
    assert_eq!(other[0], (Paint::Parts, 1, 3, 2));
    let clients = faults(&[(1, "cut client 4 5"), (2, "heal client 4"), (3, "heal client 5")]);
    assert_eq!(clients[0], (Paint::Parts, 1, 2, 0), "it parts no servers");
    assert_eq!(clients[1], (Paint::Parts, 2, 3, 0));
}

fn violated(servers: &[i64], events: &[u32]) -> Violated {
    let (servers, events) = (servers.to_vec(), events.to_vec());
    Violated { id: String::new(), words: String::new(), line: None, at: 0, servers, events }
}

fn established(at: u64, server: i64, epoch: i64) -> Event {
    note(at, server, "Established", vec![("epoch", Value::Epoch(epoch))])
}

#[test]
fn two_leaders_of_an_epoch_clash_where_each_was_established() {
    let events = vec![
        established(1, 3, 1),
        established(2, 3, 2),
        note(3, 3, "Proposed", vec![("zxid", Value::Zxid(0x2_0000_0001))]),
        established(4, 1, 2),
    ];
    let found = super::clash::events(&recording(events), &violated(&[1, 3], &[3, 2]));
    assert_eq!(found, [3, 1]);
}

#[test]
fn an_election_without_a_quorum_clashes_with_the_vote_counted_again() {
    let counted = |at, from, leader| {
        let fields = vec![
            ("round", Value::Number(1)),
            ("from", Value::Server(from)),
            ("leader", Value::Server(leader)),
        ];
        note(at, 1, "VoteCounted", fields)
    };
    let elected = note(9, 1, "Elected", vec![("voters", Value::Servers(vec![1, 2]))]);
    let events =
        vec![counted(1, 2, 2), counted(2, 3, 3), counted(3, 2, 3), counted(4, 4, 3), elected];
    let found = super::clash::events(&recording(events), &violated(&[1], &[4]));
    assert_eq!(found, [4, 2]);
}

#[test]
fn a_zxid_in_the_words_leads_to_where_it_came_from() {
    let about = |at, server, name, zxid| note(at, server, name, vec![("zxid", Value::Zxid(zxid))]);
    let events = vec![
        about(1, 2, "Appended", 0x1_0000_0009),
        about(2, 1, "Appended", 0x2_0000_0001),
        about(3, 1, "Proposed", 0x2_0000_0001),
    ];
    let words = "proposes without the history up to 0x100000009".to_owned();
    let violation = Violated { words, ..violated(&[1], &[2]) };
    assert_eq!(super::clash::events(&recording(events.clone()), &violation), [2, 0]);
    let found = super::clash::events(&recording(events), &violated(&[1], &[2]));
    assert_eq!(found, [2, 1], "else what the server said of it before");
}

#[test]
fn a_violation_that_no_event_is_known_of_has_none() {
    let found = super::clash::events(&recording(everything()), &violated(&[], &[]));
    assert!(found.is_empty(), "{found:?}");
}
