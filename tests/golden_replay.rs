//! Every request that was captured with Apache ZooKeeper 3.9.3, sent to this server over the same
//! connections in the same order: each reply and event must be the captured one, byte for byte.
//!
//! What differs from run to run is mapped, not ignored (`wire::Names`): zxids by one offset,
//! sessions one to one with the password each of them must have, times one to one with the
//! transactions that made them. The order of names in getChildren, getEphemerals and whoAmI is nobody's
//! promise and not compared.

mod ensemble;
mod golden_files;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, Bytes};
use ensemble::Plan;
use golden_files::{bytes, json_file, number, slice, text};
use quorate::base::{SessionId, Zxid};
use quorate::jute::client::{ConnectRequest, RequestHeader, SetWatches, SetWatches2, op, op_name};
use quorate::jute::{Jute, Reader};
use quorate::session::password;
use serde_json::Value;
use wire::{Heard, Line, Names, in_words, is_event, reply_zxid};

/// What only a hung server reaches.
const PATIENCE: Duration = Duration::from_secs(20);

/// The server that was captured: super:test is its superuser.
const SETTINGS: [&str; 4] = [
    "tickTime=2000",
    "maxSessionTimeout=40000",
    "extendedTypesEnabled=true",
    "DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
];

#[test]
fn every_captured_request_is_answered_as_apache_zookeeper_answered_it() {
    let plan = SETTINGS.iter().fold(Plan::standalone(), |plan, line| plan.setting(line));
    let ensemble = plan.start();
    let capture = json_file("client/3.9.3.json");
    let exchanges = capture["exchanges"].as_array().expect("exchanges");
    let mut replay = Replay::new(ensemble.server(1).address);
    for exchange in exchanges {
        replay.play(exchange);
    }
    replay.end();
    let differences = replay.differences;
    assert!(
        differences.is_empty(),
        "{} of {} exchanges differ (Apache -, Quorate +):\n\n{}",
        differences.len(),
        exchanges.len(),
        differences.join("\n")
    );
    assert!(exchanges.len() > 200, "only {} exchanges", exchanges.len());
}

/// A connection of the capture and the operation that was asked on it last.
struct Played {
    line: Line,
    asked: Option<i32>,
}

struct Replay {
    address: SocketAddr,
    stream: Bytes,
    lines: BTreeMap<i64, Played>,
    captured: Names,
    ours: Names,
    differences: Vec<String>,
}

impl Replay {
    fn new(address: SocketAddr) -> Replay {
        Replay {
            address,
            stream: bytes("client/3.9.3.bin"),
            lines: BTreeMap::new(),
            captured: Names::count_from(0),
            ours: Names::count_from(0),
            differences: Vec::new(),
        }
    }

    fn play(&mut self, exchange: &Value) {
        let conn = number(exchange, "conn");
        let request = exchange.get("request").filter(|request| !request.is_null());
        let replies = exchange["replies"].as_array().map(Vec::as_slice).unwrap_or_default();
        let replies: Vec<Bytes> =
            replies.iter().map(|reply| slice(&self.stream, reply).slice(4..)).collect();
        let connects = request.is_some_and(|request| request["kind"] == "ConnectRequest");
        if connects {
            let line = Line::open(self.address, PATIENCE).expect("the server listens");
            self.lines.insert(conn, Played { line, asked: None });
        }
        let frame = request.map(|request| self.request(request));
        let asked = frame.as_ref().map(|frame| asked_in(frame)).filter(|_| !connects);
        let played = self.lines.get_mut(&conn).expect("connected before");
        if request.is_some() {
            played.asked = asked;
        }
        let asked = played.asked;
        let ends = exchange["closedByServer"] == true || (connects && replies.is_empty());
        let heard = match &frame {
            Some(frame) => {
                played.line.send(frame);
                hear_answer(&mut played.line, ends)
            }
            None => hear_events(&mut played.line),
        };

        let mut wanted: Vec<String> =
            replies.iter().map(|reply| in_words(reply, asked, &mut self.captured)).collect();
        if ends {
            wanted.push("closed".into());
        }
        let got: Vec<String> =
            heard.iter().map(|heard| said(heard, asked, &mut self.ours)).collect();
        if wanted != got {
            let name = format!("{}: {}", text(exchange, "name"), described(exchange));
            self.differences.push(compared(&name, &wanted, &got));
            self.recount(replies.last(), heard.last());
        }
    }

    /// After a difference zxids count from a new base: each difference is told once.
    fn recount(&mut self, wanted: Option<&Bytes>, got: Option<&Heard>) {
        let (Some(wanted), Some(Heard::Frame(got))) = (wanted, got) else { return };
        let (Some(wanted), Some(got)) = (reply_zxid(wanted), reply_zxid(got)) else { return };
        let count = self.captured.count(wanted);
        if wanted > 0 && got > 0 && self.ours.count(got) != count {
            self.ours.recount(got, count);
        }
    }

    /// A captured request as it has to be here, length included.
    fn request(&self, request: &Value) -> Vec<u8> {
        let frame = slice(&self.stream, request);
        let body = frame.clone().split_off(4.min(frame.len()));
        if request["kind"] == "ConnectRequest" {
            return wire::framed(&self.connect_request(body).to_jute());
        }
        match request["header"]["type"].as_i64().map(|op| op as i32) {
            Some(op::SET_WATCHES) => self.with_zxid::<SetWatches>(body, |r| &mut r.relative_zxid),
            Some(op::SET_WATCHES2) => self.with_zxid::<SetWatches2>(body, |r| &mut r.relative_zxid),
            _ => frame.to_vec(),
        }
    }

    fn connect_request(&self, body: Bytes) -> ConnectRequest {
        let mut request =
            ConnectRequest::decode(&mut Reader::new(body)).expect("a captured ConnectRequest");
        request.last_zxid_seen = self.here(request.last_zxid_seen);
        let captured = request.session;
        let ours = self.captured.session_number(captured.0).and_then(|n| self.ours.session_at(n));
        if let Some(ours) = ours.map(SessionId) {
            if request.password.as_deref() == Some(&password(captured)) {
                request.password = Some(Bytes::copy_from_slice(&password(ours)));
            }
            request.session = ours;
        }
        request
    }

    fn with_zxid<T: Jute>(&self, body: Bytes, zxid: impl Fn(&mut T) -> &mut Zxid) -> Vec<u8> {
        let mut from = Reader::new(body);
        let header = RequestHeader::decode(&mut from).expect("a captured header");
        let mut record = T::decode(&mut from).expect("a captured record");
        let captured = *zxid(&mut record);
        *zxid(&mut record) = self.here(captured);
        let mut body = header.to_jute();
        record.encode(&mut body);
        wire::framed(&body)
    }

    fn here(&self, captured: Zxid) -> Zxid {
        match captured {
            Zxid(..=0) => captured,
            _ => Zxid(self.ours.zxid_at(self.captured.count(captured.0))),
        }
    }

    /// Nothing may be left that nobody asked for.
    fn end(&mut self) {
        for (conn, played) in &mut self.lines {
            if played.line.is_closed() {
                continue;
            }
            let left = hear_events(&mut played.line);
            let got: Vec<String> =
                left.iter().map(|heard| said(heard, Some(op::PING), &mut self.ours)).collect();
            // The refused ones and the kicked one have been closed since.
            if got.iter().any(|line| line != "closed") {
                self.differences.push(compared(
                    &format!("the end of connection {conn}"),
                    &[],
                    &got,
                ));
            }
        }
    }
}

/// The operation of a request, length included.
fn asked_in(frame: &[u8]) -> i32 {
    let mut op = frame.get(8..12).unwrap_or(&[0; 4]);
    op.get_i32()
}

/// Events and then a reply. Where the connection has to end after it, that it does so.
fn hear_answer(line: &mut Line, ends: bool) -> Vec<Heard> {
    let mut heard = Vec::new();
    loop {
        let next = line.hear();
        let is_last = !matches!(&next, Heard::Frame(frame) if is_event(frame));
        let is_reply = matches!(next, Heard::Frame(_));
        heard.push(next);
        if !is_last {
            continue;
        }
        if ends && is_reply {
            line.send_fence();
            heard.push(line.hear());
        }
        return heard;
    }
}

/// The events that have come until now.
fn hear_events(line: &mut Line) -> Vec<Heard> {
    let mut heard = Vec::new();
    line.send_fence();
    loop {
        match line.hear() {
            Heard::Frame(frame) if wire::reply_xid(&frame) == Some(-2) => return heard,
            Heard::Frame(frame) => heard.push(Heard::Frame(frame)),
            end => {
                heard.push(end);
                return heard;
            }
        }
    }
}

fn said(heard: &Heard, asked: Option<i32>, names: &mut Names) -> String {
    match heard {
        Heard::Frame(frame) => in_words(frame, asked, names),
        Heard::Closed => "closed".into(),
        Heard::Silence => "silence".into(),
    }
}

/// The request of an exchange, for people.
fn described(exchange: &Value) -> String {
    let request = &exchange["request"];
    let op = request["header"]["type"].as_i64().map(|op| op_name(op as i32)).unwrap_or("");
    format!("{op} {}", if request["body"].is_null() { &Value::Null } else { &request["body"] })
}

fn compared(name: &str, wanted: &[String], got: &[String]) -> String {
    let mut lines = vec![name.to_string()];
    for n in 0..wanted.len().max(got.len()) {
        let (wanted, got) = (wanted.get(n), got.get(n));
        if wanted == got {
            lines.extend(wanted.map(|line| format!("    {line}")));
            continue;
        }
        lines.extend(wanted.map(|line| format!("  - {line}")));
        lines.extend(got.map(|line| format!("  + {line}")));
        if let (Some(wanted), Some(got)) = (wanted, got) {
            let (wanted, got) = (wanted.split(' '), got.split(' '));
            let words = wanted.zip(got).filter(|(wanted, got)| wanted != got);
            let words: Vec<_> = words.map(|(wanted, got)| format!("{wanted} | {got}")).collect();
            lines.push(format!("      {}", words.join("   ")));
        }
    }
    lines.join("\n") + "\n"
}
