//! Every message that Apache ZooKeeper 3.8.0 and 3.9.3 sent to an election port while it was
//! recorded: decoded, compared with what the recording says it means, and encoded again.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use quorate::base::{Epoch, ServerId, Zxid};
use quorate::election::{Handshake, Notification, PeerState};
use serde_json::Value;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn text<'a>(of: &'a Value, field: &str) -> &'a str {
    of[field].as_str().unwrap_or_else(|| panic!("{field} of {of}"))
}

fn number(of: &Value, field: &str) -> i64 {
    of[field].as_i64().unwrap_or_else(|| panic!("{field} of {of}"))
}

/// zxids are written as Java does, two's complement in hex.
fn zxid(of: &Value) -> Zxid {
    let digits = text(of, "zxid").strip_prefix("0x").expect("hex text");
    Zxid(u64::from_str_radix(digits, 16).expect("hex text") as i64)
}

fn state(of: &Value) -> PeerState {
    match text(of, "stateName") {
        "LOOKING" => PeerState::Looking,
        "FOLLOWING" => PeerState::Following,
        "LEADING" => PeerState::Leading,
        "OBSERVING" => PeerState::Observing,
        other => panic!("state {other}"),
    }
}

fn check_handshake(bytes: &[u8], means: &Value, place: &str) {
    let (handshake, length) =
        Handshake::decode(bytes).expect(place).unwrap_or_else(|| panic!("{place}: incomplete"));
    assert_eq!(length, bytes.len(), "{place}");
    let expected = Handshake {
        protocol: number(means, "protocolVersion"),
        sid: ServerId(number(means, "sid")),
        address: text(means, "address").to_owned(),
    };
    assert_eq!(handshake, expected, "{place}");
    assert_eq!(&handshake.encode()[..], bytes, "{place}");
}

fn check_notification(frame: &[u8], means: &Value, configs: &Value, place: &str) {
    let (length, body) = frame.split_first_chunk::<4>().expect("a length");
    assert_eq!(u32::from_be_bytes(*length) as usize, body.len(), "{place}");
    let n = Notification::decode(Bytes::copy_from_slice(body)).expect(place);
    assert_eq!(n.state, state(means), "{place}");
    assert_eq!(n.leader, ServerId(number(means, "leader")), "{place}");
    assert_eq!(n.zxid, zxid(means), "{place}");
    assert_eq!(n.election_epoch, number(means, "electionEpoch"), "{place}");
    assert_eq!(n.peer_epoch, Epoch(number(means, "peerEpoch")), "{place}");
    assert_eq!(i64::from(n.version), number(means, "version"), "{place}");
    let config = text(configs, text(means, "config"));
    assert_eq!(n.config.as_deref(), Some(config.as_bytes()), "{place}");
    assert!(n.trailing.is_empty(), "{place}");
    assert_eq!(&n.encode()[..], body, "{place}");
}

#[test]
fn every_recorded_election_message_is_understood_and_keeps_its_bytes() {
    let index = json(&golden().join("golden.json"));
    let (mut handshakes, mut notifications, mut ends) = (0, 0, 0);
    for file in index["files"].as_array().expect("files") {
        if text(file, "kind") != "election" {
            continue;
        }
        let scenario = format!("quorum/{}.json", text(file, "scenario"));
        let configs = &json(&golden().join(scenario))["configs"];
        let name = text(file, "file");
        let bytes = fs::read(golden().join(name)).expect(name);
        let mut covered = 0;
        for packet in file["packets"].as_array().expect("packets") {
            let (offset, length) = (number(packet, "o") as usize, number(packet, "l") as usize);
            assert_eq!(offset, covered, "{name}: a gap");
            covered += length;
            let message = &bytes[offset..covered];
            let place = format!("{name} at {offset}");
            match text(packet, "kind") {
                "HANDSHAKE" => {
                    check_handshake(message, packet, &place);
                    handshakes += 1;
                }
                "NOTIFICATION" => {
                    check_notification(message, packet, configs, &place);
                    notifications += 1;
                }
                "INCOMPLETE" => ends += 1,
                other => panic!("{place}: {other}"),
            }
        }
        assert_eq!(covered, bytes.len(), "{name}");
    }
    assert_eq!((handshakes, notifications, ends), (96, 208, 3));
}
