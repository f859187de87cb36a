//! One of the two servers: plays streams and notes its answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use quorate::base::{SessionId, Zxid};
use quorate::jute::Jute;
use quorate::jute::Reader;
use quorate::jute::client::{
    ConnectRequest, ConnectResponse, RequestHeader, code, op, op_name, xid,
};

use crate::admin::Admin;
use crate::request::Request;
use crate::step::{CONNECTIONS, Frame, Greeting, Step};
use crate::wire::{Heard, Line, Names, in_words, is_event, reply_err, reply_xid};

/// The answers to each step, in words, in their order on each connection.
pub(crate) type Answers = Vec<Vec<String>>;

pub(crate) struct Side {
    address: SocketAddr,
    hides_event_zxids: bool,
    patience: Duration,
    admin: Admin,
    /// How often each operation was answered with each code; events stand under operation 0.
    pub(crate) reached: Reached,
}

pub(crate) type Reached = BTreeMap<(i32, i32), u64>;

/// A session and, while it has one, its connection.
#[derive(Default)]
struct Slot {
    line: Option<Line>,
    session: i64,
    password: Option<Bytes>,
    xid: i32,
}

impl Side {
    pub(crate) fn new(address: SocketAddr, hides_event_zxids: bool) -> Side {
        let patience = Duration::from_secs(5);
        let admin = Admin::new(address);
        Side { address, hides_event_zxids, patience, admin, reached: Reached::new() }
    }

    /// How long an answer is waited for.
    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Plays a stream below `root`, and leaves nothing behind.
    pub(crate) fn play(&mut self, steps: &[Step], root: &str) -> Answers {
        let mut names = Names::count_from(self.admin.last_zxid()).with_root(root);
        if self.hides_event_zxids {
            names = names.without_event_zxids();
        }
        let slots = (0..CONNECTIONS).map(|_| Slot::default()).collect();
        let (address, patience) = (self.address, self.patience);
        let reached = std::mem::take(&mut self.reached);
        let mut play = Play { address, patience, root: root.into(), names, slots, reached };
        let mut answers: Answers = steps.iter().map(|step| play.step(step)).collect();
        answers.push(play.fence_all());
        play.end();
        self.reached = play.reached;
        self.admin.clear_up();
        answers
    }
}

/// One stream on one server.
struct Play {
    address: SocketAddr,
    patience: Duration,
    root: String,
    names: Names,
    slots: Vec<Slot>,
    reached: Reached,
}

impl Play {
    fn step(&mut self, step: &Step) -> Vec<String> {
        let mut said = Vec::new();
        match step {
            Step::Ask(conn, request) => self.ask(*conn, std::slice::from_ref(request), &mut said),
            Step::Burst(conn, requests) => self.ask(*conn, requests, &mut said),
            Step::CloseSession(conn) => self.close_session(*conn, &mut said),
            Step::Drop(conn) => {
                self.reach(*conn, &mut said);
                self.fence(*conn, &mut said);
                if let Some(line) = self.slots[*conn].line.take() {
                    // Apache takes a session for nobody's when the end of an older connection
                    // comes late.
                    line.end();
                }
                self.reach(*conn, &mut said);
            }
            Step::Move(conn) => self.take_over(*conn, &mut said),
            Step::WrongPassword(conn) => self.try_wrong_password(*conn, &mut said),
            Step::Greet(greeting) => self.greet(greeting, &mut said),
            Step::Stray(frames) => self.stray(frames, &mut said),
        }
        said
    }

    /// Opens the connection of a slot if it has none, with its session if it has one.
    fn reach(&mut self, conn: usize, said: &mut Vec<String>) {
        // The second time without the session that the server does not know any more.
        for _ in 0..2 {
            if self.slots[conn].line.as_ref().is_some_and(|line| !line.is_closed()) {
                return;
            }
            let slot = &self.slots[conn];
            let mut greeting = Greeting { session: slot.session, ..Greeting::plain() };
            if let Some(password) = &slot.password {
                greeting.password = Some(password.to_vec());
            }
            let (line, response) = self.open(&greeting, said);
            let slot = &mut self.slots[conn];
            if slot.session != response.session.0 {
                slot.xid = 0;
            }
            slot.line = (response.session.0 != 0).then_some(line).flatten();
            slot.session = response.session.0;
            slot.password = response.password.filter(|_| slot.session != 0);
        }
    }

    /// A new connection, greeted. The response is empty if there is none.
    fn open(
        &mut self,
        greeting: &Greeting,
        said: &mut Vec<String>,
    ) -> (Option<Line>, ConnectResponse) {
        let Ok(mut line) = Line::open(self.address, self.patience) else {
            said.push("no connection".into());
            return (None, ConnectResponse::default());
        };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(greeting.seen.map_or(0, |count| self.names.zxid_at(count))),
            timeout_ms: greeting.timeout_ms,
            session: SessionId(greeting.session),
            password: greeting.password.clone().map(Bytes::from),
            read_only: greeting.read_only,
        };
        line.send_frame(&request.to_jute());
        let heard = line.hear();
        said.push(self.words(&heard, None));
        let response = match heard {
            Heard::Frame(frame) => ConnectResponse::decode(&mut Reader::new(frame)),
            _ => Ok(ConnectResponse::default()),
        };
        (Some(line), response.unwrap_or_default())
    }

    fn words(&mut self, heard: &Heard, asked: Option<i32>) -> String {
        match heard {
            Heard::Frame(frame) => {
                let what = match (asked, reply_err(frame)) {
                    (Some(_), _) if is_event(frame) => (op::NOTIFICATION, 0),
                    (Some(op), Some(err)) => (op, err),
                    _ => (op::CREATE_SESSION, 0),
                };
                *self.reached.entry(what).or_default() += 1;
                in_words(frame, asked, &mut self.names)
            }
            Heard::Closed => "closed".into(),
            Heard::Silence => "silence".into(),
        }
    }

    fn ask(&mut self, conn: usize, requests: &[Request], said: &mut Vec<String>) {
        self.reach(conn, said);
        let mut bytes = Vec::new();
        for request in requests {
            let slot = &mut self.slots[conn];
            slot.xid += 1;
            let body = request.body(slot.xid, &self.root, &self.names);
            bytes.extend(crate::wire::framed(&body));
        }
        let Some(mut line) = self.slots[conn].line.take() else { return };
        line.send(&bytes);
        for request in requests {
            if !self.hear_reply(&mut line, request.op, said) {
                return;
            }
        }
        self.slots[conn].line = Some(line);
    }

    /// Events and then a reply. False when the connection is of no more use.
    fn hear_reply(&mut self, line: &mut Line, op: i32, said: &mut Vec<String>) -> bool {
        loop {
            let heard = line.hear();
            said.push(self.words(&heard, Some(op)));
            match heard {
                Heard::Frame(frame) if is_event(&frame) => {}
                Heard::Frame(frame) => {
                    let ends = match reply_err(&frame) {
                        Some(code::AUTH_FAILED) => true,
                        Some(code::UNIMPLEMENTED) => is_no_operation(op),
                        _ => false,
                    };
                    if ends {
                        // Asked nothing more: what comes before the end is a matter of luck.
                        let end = line.hear();
                        said.push(self.words(&end, Some(op)));
                    }
                    return !ends;
                }
                Heard::Closed | Heard::Silence => return false,
            }
        }
    }

    /// The events that have come until now.
    fn fence(&mut self, conn: usize, said: &mut Vec<String>) {
        let Some(mut line) = self.slots[conn].line.take() else { return };
        line.send_fence();
        loop {
            let heard = line.hear();
            if matches!(&heard, Heard::Frame(frame) if reply_xid(frame) == Some(xid::PING)) {
                self.slots[conn].line = Some(line);
                return;
            }
            let words = self.words(&heard, Some(op::PING));
            said.push(format!("{conn}: {words}"));
            if !matches!(heard, Heard::Frame(_)) {
                return;
            }
        }
    }

    fn fence_all(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        for conn in 0..CONNECTIONS {
            self.fence(conn, &mut said);
        }
        said
    }

    /// In which order the ephemerals of a session go is nobody's promise: events that come of it
    /// are told apart from others, and sorted.
    fn close_session(&mut self, conn: usize, said: &mut Vec<String>) {
        self.reach(conn, said);
        said.extend(self.fence_all());
        let Some(mut line) = self.slots[conn].line.take() else { return };
        let slot = std::mem::take(&mut self.slots[conn]);
        let header = RequestHeader { xid: slot.xid + 1, op: op::CLOSE_SESSION };
        line.send_frame(&header.to_jute());
        let mut own = Vec::new();
        if self.hear_reply(&mut line, op::CLOSE_SESSION, &mut own) {
            own.push(end_of(&mut line).into());
        }
        let events = own.iter().filter(|words| words.starts_with("event")).count();
        own[..events].sort();
        said.extend(own);
        for other in 0..CONNECTIONS {
            let mut events = Vec::new();
            self.fence(other, &mut events);
            events.sort();
            said.extend(events);
        }
    }

    fn take_over(&mut self, conn: usize, said: &mut Vec<String>) {
        self.reach(conn, said);
        self.fence(conn, said);
        let Some(mut old) = self.slots[conn].line.take() else { return };
        self.reach(conn, said);
        said.push(format!("the first connection: {}", end_of(&mut old)));
    }

    fn try_wrong_password(&mut self, conn: usize, said: &mut Vec<String>) {
        self.reach(conn, said);
        self.fence(conn, said);
        let session = self.slots[conn].session;
        let greeting = Greeting { session, password: Some(vec![0x11; 16]), ..Greeting::plain() };
        if let (Some(mut line), _) = self.open(&greeting, said) {
            said.push(end_of(&mut line).into());
        }
        if let Some(line) = &mut self.slots[conn].line {
            said.push(format!("the first connection: {}", end_of(line)));
        }
    }

    fn greet(&mut self, greeting: &Greeting, said: &mut Vec<String>) {
        let (line, response) = self.open(greeting, said);
        if let Some(mut line) = line {
            if response.session.0 == 0 {
                said.push(end_of(&mut line).into());
            }
            self.bury(Some(line), &response);
        }
    }

    fn stray(&mut self, frames: &[Frame], said: &mut Vec<String>) {
        let (line, response) = self.open(&Greeting::plain(), said);
        let Some(mut line) = line else { return };
        for (n, frame) in frames.iter().enumerate() {
            let (bytes, op) = match frame {
                Frame::Bytes(bytes) => (bytes.clone(), op::PING),
                Frame::Request(request) => {
                    let body = request.body(n as i32 + 1, &self.root, &self.names);
                    (crate::wire::framed(&body), request.op)
                }
            };
            line.send(&bytes);
            if !self.hear_reply(&mut line, op, said) {
                break;
            }
        }
        if !line.is_closed() {
            said.push(ending(&mut line).into());
        }
        self.bury(Some(line), &response);
    }

    /// Closes a session however it stands with its connection: none may expire later, between
    /// steps that count zxids.
    fn bury(&mut self, line: Option<Line>, session: &ConnectResponse) {
        if session.session.0 == 0 {
            return;
        }
        let close = RequestHeader { xid: i32::MAX, op: op::CLOSE_SESSION }.to_jute();
        if let Some(mut line) = line.filter(|line| !line.is_closed()) {
            line.send_frame(&close);
            while let Heard::Frame(frame) = line.hear() {
                if reply_xid(&frame) == Some(i32::MAX) {
                    return;
                }
            }
        }
        let greeting = Greeting {
            session: session.session.0,
            password: session.password.as_ref().map(|password| password.to_vec()),
            ..Greeting::plain()
        };
        if let (Some(mut line), _) = self.open(&greeting, &mut Vec::new()) {
            line.send_frame(&close);
            while let Heard::Frame(_) = line.hear() {}
        }
    }

    fn end(&mut self) {
        for slot in std::mem::take(&mut self.slots) {
            let (session, password) = (SessionId(slot.session), slot.password);
            self.bury(slot.line, &ConnectResponse { session, password, ..Default::default() });
        }
    }
}

/// What no client may ask ends its connection.
fn is_no_operation(op: i32) -> bool {
    op_name(op) == "unknown" || op == op::NOTIFICATION || op == op::CHECK
}

/// What comes of a connection that the server has to end.
fn end_of(line: &mut Line) -> &'static str {
    match line.hear() {
        Heard::Closed => "closed",
        Heard::Frame(_) => "goes on",
        Heard::Silence => "silence",
    }
}

/// Whether the other end has closed the connection, or goes on answering.
fn ending(line: &mut Line) -> &'static str {
    line.send_fence();
    match line.hear() {
        Heard::Closed => "closed",
        Heard::Frame(_) => "still open",
        Heard::Silence => "silence",
    }
}
