//! A standalone server that is told to end.

use std::collections::VecDeque;

use bytes::Bytes;

use super::*;
use crate::base::{ServerId, Zxid};
use crate::config::ServerConfig;
use crate::jute::Jute;
use crate::jute::client::{ConnectRequest, PathWatchRequest, RequestHeader, SetDataRequest, op};
use crate::peer::Input;
use crate::runtime::Order;
use crate::server::Seeds;
use crate::server::driver::ClientEvent;
use crate::storage::{Loaded, LogPosition, LogRequest, Outcome, SnapshotData, Ticket};
use crate::tree::SnapshotCursor;

const CLIENT: ConnId = ConnId(1);

struct Bench {
    peer: Peer,
    now: Now,
    /// Appends that the disk has not answered.
    appends: VecDeque<(Ticket, Zxid)>,
    said: Vec<String>,
}

impl Bench {
    /// It serves, and has a client with a session.
    fn serving() -> Bench {
        let config = ServerConfig::defaults(ServerId(1));
        let peer = Peer::new(Now::default(), config, Seeds::default());
        let (appends, said) = (VecDeque::new(), Vec::new());
        let mut bench = Bench { peer, now: Now::default(), appends, said };
        bench.step(Input::Begin);
        let accepted =
            ClientEvent::Accepted { conn: CLIENT, peer: "10.0.0.1:4711".into(), subject: None };
        bench.step(Input::Client(accepted));
        let hello = ConnectRequest { timeout_ms: 10_000, ..ConnectRequest::default() };
        bench.frame(hello.to_jute());
        bench.disk_answers();
        bench.said.clear();
        bench
    }

    fn step(&mut self, input: Input) {
        let mut outputs = VecDeque::from(self.peer.step(self.now, input));
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Log(ticket, LogRequest::Load) => {
                    let nodes = crate::database::Database::empty(10);
                    let nodes = nodes.tree().snapshot_slice(&mut SnapshotCursor::new(), 100);
                    let snapshot =
                        Some(SnapshotData { nodes: nodes.into(), ..SnapshotData::default() });
                    let loaded = Loaded { snapshot, initialised: true, ..Loaded::default() };
                    let loaded = Ok(Outcome::Loaded(Box::new(loaded)));
                    outputs.extend(self.peer.step(self.now, Input::Stored(ticket, loaded)));
                }
                Output::Log(ticket, LogRequest::Append(proposal)) => {
                    self.appends.push_back((ticket, proposal.zxid()));
                }
                Output::ClientUnlisten => self.said.push("unlisten".into()),
                Output::ClientWrite { .. } => self.said.push("write".into()),
                Output::ClientClose { .. } => self.said.push("close".into()),
                Output::Halt(halt) => self.said.push(format!("halt {}", halt.exit_code)),
                _ => {}
            }
        }
    }

    fn frame(&mut self, body: Vec<u8>) {
        let (conn, body) = (CLIENT, Bytes::from(body));
        self.step(Input::Client(ClientEvent::Frame { conn, body }));
    }

    fn ask(&mut self, op: i32, record: &[u8]) {
        let mut body = RequestHeader { xid: 1, op }.to_jute();
        body.extend(record);
        self.frame(body);
    }

    fn set(&mut self) {
        let data = Some(Bytes::from("x"));
        let record = SetDataRequest { path: "/zookeeper".into(), data, version: -1 };
        self.ask(op::SET_DATA, &record.to_jute());
    }

    fn get(&mut self) {
        let record = PathWatchRequest { path: "/".into(), watch: false };
        self.ask(op::GET_DATA, &record.to_jute());
    }

    fn disk_answers(&mut self) {
        while let Some((ticket, zxid)) = self.appends.pop_front() {
            let at = LogPosition { log: Zxid(1), offset: 0 };
            self.step(Input::Stored(
                ticket,
                Ok(Outcome::Durable { zxid, at, time_ms: 0, batch: None }),
            ));
            while self.peer.has_work_to_apply() {
                self.step(Input::Apply);
            }
        }
    }

    fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }
}

#[test]
fn what_was_asked_is_answered_and_has_left_before_the_process_ends() {
    let mut bench = Bench::serving();
    bench.set();
    bench.step(Input::Order(Order::Stop));
    assert_eq!(bench.said(), ["unlisten"]);
    bench.get();
    assert!(bench.said().is_empty(), "what comes now is held");
    bench.disk_answers();
    assert_eq!(bench.said(), ["write", "close"], "of two requests one came in time");
    bench.step(Input::Client(ClientEvent::Lost { conn: CLIENT }));
    assert_eq!(bench.said(), ["halt 0"]);
    assert_eq!(bench.peer.db.sessions().len(), 1, "the session goes on");
}

#[test]
fn a_server_that_nobody_uses_is_not_held_up_by_the_bound() {
    let mut bench = Bench::serving();
    bench.step(Input::Client(ClientEvent::Lost { conn: CLIENT }));
    bench.said();
    bench.step(Input::Order(Order::Stop));
    assert_eq!(bench.said(), ["unlisten"]);
    assert!(bench.peer.wake_at() <= bench.now.mono, "{:?}", bench.peer.wake_at());
    bench.step(Input::Timer);
    assert_eq!(bench.said(), ["halt 0"]);
}

#[test]
fn who_takes_nothing_is_waited_for_until_the_bound() {
    let mut bench = Bench::serving();
    bench.step(Input::Order(Order::Stop));
    assert_eq!(bench.said(), ["unlisten", "close"]);
    let until = bench.now.mono + bench.peer.config.stop_timeout;
    assert_eq!(bench.peer.wake_at(), until);
    bench.now.mono = until;
    bench.step(Input::Timer);
    assert_eq!(bench.said(), ["halt 0"]);
}

#[test]
fn a_disk_that_does_not_answer_is_waited_for_until_the_bound() {
    let mut bench = Bench::serving();
    bench.set();
    bench.step(Input::Order(Order::Stop));
    bench.step(Input::Order(Order::Stop));
    assert_eq!(bench.said(), ["unlisten"], "the second time changes nothing");
    bench.now.mono = bench.now.mono + bench.peer.config.stop_timeout;
    bench.step(Input::Timer);
    assert_eq!(bench.said(), ["halt 0"]);
}

#[test]
fn a_server_that_does_not_serve_yet_ends_at_once() {
    let config = ServerConfig::defaults(ServerId(1));
    let mut peer = Peer::new(Now::default(), config, Seeds::default());
    peer.step(Now::default(), Input::Begin);
    let out = peer.step(Now::default(), Input::Order(Order::Stop));
    assert!(matches!(out.last(), Some(Output::Halt(halt)) if halt.exit_code == 0), "{out:?}");
}
