//! Whatever clients send, to a whole standalone server with every feature on: it never ends, and
//! its tree stays what its transactions made it.
//!
//! The input is a story: a byte that says who does what, then two bytes of length and a frame.
//! Two clients have sessions from the beginning; a frame's header is put before it, since a
//! random one is rarely an operation.
#![no_main]

mod common;

use bytes::Bytes;
use common::Disk;
use quorate::base::{ConnId, Mono, Now, ServerId};
use quorate::config::{ConnectionThrottle, ServerConfig};
use quorate::jute::Jute;
use quorate::jute::client::{ConnectRequest, RequestHeader};
use quorate::peer::{Input, Output, Peer};
use quorate::server::Seeds;
use quorate::server::driver::ClientEvent;

/// Every operation there is, some that are not, and the first message of a connection.
const OPS: [i32; 34] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 100, 101, 102, 103,
    104, 105, 106, 107, -10, -11, 14, 14, 102,
];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut server = Server::new();
    for client in [1, 2] {
        server.connects(client);
        server.frame(client, ConnectRequest { timeout_ms: 9000, ..greeting() }.to_jute());
    }
    let mut rest = data;
    while let [what, high, low, more @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (body, after) = more.split_at(length);
        server.act(*what, body);
        rest = after;
    }
    server.waits(60_000);
    server.check();
});

fn greeting() -> ConnectRequest {
    ConnectRequest { password: Some(Bytes::from_static(&[0; 16])), ..Default::default() }
}

struct Server {
    peer: Peer,
    now: Now,
    xid: i32,
    disk: Disk,
}

impl Server {
    fn new() -> Server {
        let mut config = ServerConfig::defaults(ServerId(1));
        config.extended_types = true;
        config.enforce_quota = true;
        config.snap_count = 50;
        config.containers.check_interval = std::time::Duration::from_millis(500);
        config.access.super_digest = Some("super:abc".into());
        config.access.sasl_users = Some([("bob".to_string(), "pw".to_string())].into());
        config.limits.large_request_threshold = Some(2000);
        config.limits.throttle_requests_max = 3;
        config.limits.connection_throttle =
            ConnectionThrottle { tokens_max: 50, ..ConnectionThrottle::default() };
        let now = Now { mono: Mono(1_000_000_000), wall_ms: 1_000_000 };
        let mut peer = Peer::new(now, config, Seeds::default());
        let begun = peer.step(now, Input::Begin);
        let mut server = Server { peer, now, xid: 0, disk: Disk::default() };
        server.carry_out(begun);
        server
    }

    fn act(&mut self, what: u8, body: &[u8]) {
        let client = u64::from(what & 3) + 1;
        match what >> 2 {
            63 => self.step(Input::Client(ClientEvent::Lost { conn: ConnId(client) })),
            62 => self.connects(client),
            61 => self.waits(u64::from(body.first().copied().unwrap_or(1)) * 50),
            60 => self.frame(client, body.to_vec()),
            59 => {
                let word = body.first_chunk().copied().unwrap_or(*b"mntr");
                self.step(Input::Client(ClientEvent::Word { conn: ConnId(client), word, mask: None }));
            }
            op => {
                self.xid += 1;
                let op = OPS[usize::from(op) % OPS.len()];
                let mut frame = RequestHeader { xid: self.xid, op }.to_jute();
                frame.extend_from_slice(body);
                self.frame(client, frame);
            }
        }
    }

    fn connects(&mut self, client: u64) {
        self.step(Input::Client(ClientEvent::Lost { conn: ConnId(client) }));
        let peer = format!("10.0.0.{client}:4000");
        let subject = (client == 2).then(|| "CN=two".to_string());
        self.step(Input::Client(ClientEvent::Accepted { conn: ConnId(client), peer, subject }));
    }

    fn frame(&mut self, client: u64, body: Vec<u8>) {
        let conn = ConnId(client);
        self.step(Input::Client(ClientEvent::Frame { conn, body: body.into() }));
    }

    fn waits(&mut self, millis: u64) {
        self.now.mono = Mono(self.now.mono.0 + millis * 1_000_000);
        self.now.wall_ms += millis as i64;
        while self.peer.wake_at() <= self.now.mono {
            let before = self.peer.wake_at();
            self.step(Input::Timer);
            if self.peer.wake_at() == before {
                break;
            }
        }
    }

    fn step(&mut self, input: Input) {
        let outputs = self.peer.step(self.now, input);
        self.carry_out(outputs);
        while self.peer.has_work_to_apply() {
            let outputs = self.peer.step(self.now, Input::Apply);
            self.carry_out(outputs);
        }
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            let input = match self.disk.carry_out(output) {
                Ok(stored) => stored,
                Err(Output::Halt(halt)) => panic!("the server ended: {}", halt.why),
                Err(Output::ClientClose { conn }) => Input::Client(ClientEvent::Lost { conn }),
                Err(_) => continue,
            };
            let outputs = self.peer.step(self.now, input);
            self.carry_out(outputs);
        }
    }

    fn check(&self) {
        let tree = self.peer.tree();
        let (digest, _) = tree.audit_digests();
        assert_eq!(digest, tree.digest(), "the tree's digest is not that of its nodes");
    }
}
