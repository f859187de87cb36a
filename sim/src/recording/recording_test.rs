//! What is written reads back; what is no whole recording says so in one sentence.

use quorate::base::ServerId;

use super::*;

fn sample() -> Recording {
    let state = State {
        running: true,
        paused: false,
        role: Role::Leading,
        established: Some(1),
        serving: None,
        accepted_epoch: 1,
        current_epoch: 1,
        last_logged: 0x1_0000_0001,
        durable: 0x1_0000_0001,
        applied: 0,
        committed: -1,
    };
    let note = What::Note {
        name: "Committed".into(),
        fields: vec![
            ("zxid".into(), Value::Zxid(0x1_0000_0001)),
            ("voters".into(), Value::Servers(vec![1, 2])),
        ],
    };
    let frame = What::Frame {
        to: Party::Client(0),
        kind: "CLIENT".into(),
        zxid: None,
        arrives: Some(1_200_000),
    };
    let start = What::Action { fault: Some(3), action: Action::start(vec![ServerId(1)]) };
    let act = ClientAct::Set { path: "/a".into(), data: "b".into() };
    let asked = What::Asked { n: 0, server: 1, request: Request::Act(act) };
    Recording {
        build: Build::this(),
        scenario_file: "scenarios/a.toml".into(),
        scenario_text: "about = \"a\"\n".into(),
        seed: 7,
        case: 1,
        case_name: String::new(),
        without: vec![3],
        museum: vec!["ack_before_flush".into()],
        servers: vec![Member { id: 1, votes: true, weight: 1 }],
        clients: vec!["c1".into()],
        violations: vec![Violated {
            id: "S-18".into(),
            words: "acked too early".into(),
            line: Some(4),
            at: 1_000_000,
            servers: vec![1],
            events: vec![0],
        }],
        wanted: Vec::new(),
        simulator: None,
        trace_hash: 42,
        scenario_end: 10_000_000_000,
        ended: 1_000_000,
        facts: 1,
        operations: (1, 0, 0),
        events: vec![
            Event { at: 1_000_000, by: Party::Server(1), what: note, state: Some(state) },
            Event { at: 1_000_000, by: Party::Server(1), what: frame, state: None },
            Event { at: 2_000_000, by: Party::Lab, what: start, state: None },
            Event { at: 3_000_000, by: Party::Client(0), what: asked, state: None },
            Event { at: 4_000_000, by: Party::Lab, what: What::Over, state: None },
        ],
    }
}

fn refusal(bytes: &[u8]) -> String {
    match Recording::decode(Path::new("x.qrec"), bytes) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_recording_reads_back_as_it_was_written() {
    let recording = sample();
    let bytes = recording.encode().expect("memory is never full");
    let read = Recording::decode(Path::new("x.qrec"), &bytes).expect("a whole recording");
    assert_eq!(read, recording);
    assert!(read.is_of_this_build());
}

#[test]
fn cut_off_anywhere_it_says_how_much_is_missing() {
    let bytes = sample().encode().expect("memory is never full");
    for len in 1..bytes.len() {
        let words = refusal(&bytes[..len]);
        assert!(words.contains("is cut off"), "{len} bytes: {words}");
    }
    assert!(refusal(&bytes[..bytes.len() - 1]).contains(&format!("of {} bytes", bytes.len())));
    assert!(refusal(b"").contains("is no recording"));
}

#[test]
fn another_file_and_another_format_are_told_apart() {
    let mut bytes = sample().encode().expect("memory is never full");
    assert!(refusal(b"about = \"a scenario\"").contains("is no recording"));
    bytes[8] = 1;
    assert_eq!(
        refusal(&bytes),
        "x.qrec: was written in format 1 of recordings, this program knows format 3; use the \
         program that wrote it, or record the run again"
    );
}

#[test]
fn a_flipped_bit_is_noticed() {
    let bytes = sample().encode().expect("memory is never full");
    for at in HEADER_LEN..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert!(refusal(&damaged).contains("is damaged"), "byte {at}");
    }
}

#[test]
fn what_stood_in_the_file_stays_until_the_recording_is_there() {
    let file = std::env::temp_dir().join(format!("quorate-target-{}.qrec", std::process::id()));
    std::fs::write(&file, vec![b'x'; 100_000]).expect("a directory for temporary files");
    let target = Target::open(&file).expect("the file can be opened");
    assert_eq!(std::fs::metadata(&file).map(|meta| meta.len()).ok(), Some(100_000));
    target.write(&sample()).expect("the file can be written");
    let read = Recording::read(&file).expect("nothing of the old file is left behind it");
    std::fs::remove_file(&file).expect("it is there");
    assert_eq!(read, sample());
}
