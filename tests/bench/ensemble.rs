//! Three servers in one process. What they write to each other arrives in whole rows, what they log
//! is durable at their next turn. A turn is like one of the pump: inputs in the order in which they
//! came, then what may be applied.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use quorate::base::{ConnId, LinkId, Mono, Note, Now, ServerId};
use quorate::config::{ServerConfig, ServerSpec};
use quorate::election::driver::ElectionEvent;
use quorate::jute::client::{
    ConnectRequest, CreateRequest, PathWatchRequest, ReplyHeader, RequestHeader, SetDataRequest,
    code, op,
};
use quorate::jute::data::Acl;
use quorate::jute::quorum::{KnownIds, QuorumPacket};
use quorate::jute::{Jute, Reader};
use quorate::peer::{Input, Output, Peer};
use quorate::runtime::HostPort;
use quorate::server::Seeds;
use quorate::server::driver::ClientEvent;
use quorate::zab::driver::QuorumEvent;

use super::disk::Disk;
use super::{counted_packets, counted_step, packets};

const SERVERS: i64 = 3;
const NODES: u64 = 1_000;
const DATA_BYTES: usize = 100;
const SESSIONS: u64 = 4;
/// Requests that a session sends in one piece.
const PIPELINED: u64 = 4;

/// The two ports that servers connect to. Each numbers its links.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Port {
    Election,
    Quorum,
}

/// One end of a connection between two servers.
type End = (Port, ServerId, LinkId);

pub(crate) struct Ensemble {
    servers: BTreeMap<ServerId, Server>,
    now: Now,
    /// From each end to the other one.
    links: BTreeMap<End, End>,
    last_link: u64,
    /// Whose work is counted.
    counted: Option<ServerId>,
    /// Whom the clients ask.
    asked: ServerId,
    last_xid: i32,
    /// Of the choice of nodes.
    random: u64,
    /// Nodes there are.
    nodes: u64,
}

struct Server {
    peer: Peer,
    disk: Disk,
    inputs: Vec<Input>,
    /// Packets that came over the quorum links.
    rows: BTreeMap<LinkId, (BytesMut, KnownIds)>,
    outputs: Vec<Output>,
    listens: bool,
    serves: bool,
    leads: bool,
    /// Answers to requests.
    answered: u64,
    /// Connections whose session is open.
    open: Vec<ConnId>,
}

pub(crate) fn config(me: ServerId, servers: i64) -> ServerConfig {
    let mut config = ServerConfig::defaults(me);
    for sid in 1..=servers {
        let at = |port| HostPort::new(format!("h{sid}"), port);
        config.servers.insert(ServerId(sid), ServerSpec::participant(at(2888), at(3888)));
    }
    config
}

impl Ensemble {
    /// Up to the moment when all of them serve, under this leader.
    pub(crate) fn establish(leader: ServerId) -> Ensemble {
        let now = Now { mono: Mono(1_000_000_000), wall_ms: 1_000_000 };
        let new = |sid| (ServerId(sid), Server::new(now, config(ServerId(sid), SERVERS)));
        let mut ensemble = Ensemble {
            servers: (1..=SERVERS).map(new).collect(),
            now,
            links: BTreeMap::new(),
            last_link: 1,
            counted: None,
            asked: leader,
            last_xid: 0,
            random: 1,
            nodes: 0,
        };
        ensemble.run();
        for _ in 0..100 {
            if ensemble.servers.values().all(|server| server.serves) {
                assert!(ensemble.servers[&leader].leads, "another server leads");
                return ensemble;
            }
            ensemble.wait(Duration::from_millis(100));
        }
        panic!("no leader was established");
    }

    /// From here on the work of this server is counted.
    pub(crate) fn count(&mut self, server: ServerId) {
        self.counted = Some(server);
    }

    pub(crate) fn open_sessions(&mut self, asked: ServerId) {
        self.asked = asked;
        for conn in (1..=SESSIONS).map(ConnId) {
            let greeting = ConnectRequest {
                timeout_ms: 30_000,
                password: Some(Bytes::from_static(&[0; 16])),
                read_only: Some(false),
                ..ConnectRequest::default()
            };
            let peer = format!("10.0.0.{}:4000", conn.0);
            let body = greeting.to_jute().into();
            let inputs = &mut self.server(asked).inputs;
            inputs.push(Input::Client(ClientEvent::Accepted { conn, peer, subject: None }));
            inputs.push(Input::Client(ClientEvent::Frame { conn, body }));
        }
        self.run();
        assert_eq!(self.server(asked).open.len() as u64, SESSIONS, "sessions that opened");
    }

    pub(crate) fn create_nodes(&mut self) {
        for node in 0..NODES {
            let conn = ConnId(1 + node % SESSIONS);
            let request = self.request(op::CREATE);
            self.send(conn, op::CREATE, &[request]);
            self.run();
        }
        assert_eq!(self.server(self.asked).answered, NODES, "nodes that were created");
    }

    /// Every session sends a few requests, and waits for all answers.
    pub(crate) fn ask(&mut self, op: i32, times: u64) {
        let before = self.server(self.asked).answered;
        for _ in 0..times / (SESSIONS * PIPELINED) {
            for conn in (1..=SESSIONS).map(ConnId) {
                let bodies: Vec<_> = (0..PIPELINED).map(|_| self.request(op)).collect();
                self.send(conn, op, &bodies);
            }
            self.run();
            self.wait(Duration::from_millis(1));
        }
        assert_eq!(self.server(self.asked).answered - before, times, "requests that were answered");
    }

    fn request(&mut self, op: i32) -> Vec<u8> {
        if op == op::CREATE {
            let path = path(self.nodes);
            self.nodes += 1;
            let data = Some(Bytes::from_static(&[0; DATA_BYTES]));
            return CreateRequest { path, data, acl: Some(Acl::open()), flags: 0 }.to_jute();
        }
        // Knuth's MMIX, whose upper half is random enough.
        self.random =
            self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let path = path((self.random >> 33) % NODES);
        match op {
            op::GET_DATA => PathWatchRequest { path, watch: false }.to_jute(),
            _ => {
                let data = Some(vec![self.random as u8; DATA_BYTES].into());
                SetDataRequest { path, data, version: -1 }.to_jute()
            }
        }
    }

    /// In one piece, out of which the driver cuts the frames.
    fn send(&mut self, conn: ConnId, op: i32, bodies: &[Vec<u8>]) {
        let (mut piece, mut lengths) = (Vec::new(), Vec::new());
        for body in bodies {
            self.last_xid += 1;
            let header = RequestHeader { xid: self.last_xid, op }.to_jute();
            lengths.push(header.len() + body.len());
            piece.put_u32((header.len() + body.len()) as u32);
            piece.extend([header.as_slice(), body].concat());
        }
        let mut piece = Bytes::from(piece);
        for length in lengths {
            let body = piece.split_to(4 + length).slice(4..);
            let frame = Input::Client(ClientEvent::Frame { conn, body });
            self.server(self.asked).inputs.push(frame);
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now.mono = self.now.mono + time;
        self.now.wall_ms += time.as_millis() as i64;
        for sid in (1..=SERVERS).map(ServerId) {
            let (now, server) = (self.now, self.server(sid));
            if server.peer.wake_at() <= now.mono {
                // Never counted: it is no part of an operation.
                server.step(now, Input::Timer, false);
                self.carry_out(sid);
            }
        }
        self.run();
    }

    fn server(&mut self, sid: ServerId) -> &mut Server {
        self.servers.get_mut(&sid).expect("a server of the ensemble")
    }

    /// Until nobody has anything to do.
    fn run(&mut self) {
        while self.servers.values().any(Server::has_work) {
            for sid in (1..=SERVERS).map(ServerId) {
                self.turn(sid);
            }
        }
    }

    fn turn(&mut self, sid: ServerId) {
        let (now, is_counted) = (self.now, self.counted == Some(sid));
        let server = self.server(sid);
        let inputs = server.take_inputs(is_counted);
        for input in inputs {
            self.server(sid).step(now, input, is_counted);
            self.carry_out(sid);
        }
        while self.server(sid).peer.has_work_to_apply() {
            self.server(sid).step(now, Input::Apply, is_counted);
            self.carry_out(sid);
        }
    }

    /// What a step gave out.
    fn carry_out(&mut self, from: ServerId) {
        let mut outputs = std::mem::take(&mut self.server(from).outputs);
        for output in outputs.drain(..) {
            match self.server(from).disk.carry_out(output) {
                Ok(stored) => self.server(from).inputs.push(stored),
                Err(output) => self.perform(from, output),
            }
        }
        self.server(from).outputs = outputs;
    }

    fn perform(&mut self, from: ServerId, output: Output) {
        match output {
            Output::ElectionDial { link, to, .. } => {
                let (to, at) = self.connect((Port::Election, from, link), &to);
                let address = format!("h{}:3888", from.0);
                let accepted = ElectionEvent::Accepted { link: at, sid: from.0, address };
                self.server(to).inputs.push(Input::Election(accepted));
                let connected = ElectionEvent::Connected { link };
                self.server(from).inputs.push(Input::Election(connected));
            }
            Output::ElectionWrite { link, body } => {
                if let Some((_, to, link)) = self.links.get(&(Port::Election, from, link)).copied()
                {
                    let frame = ElectionEvent::Frame { link, body };
                    self.server(to).inputs.push(Input::Election(frame));
                }
            }
            Output::ElectionClose { link } => self.close((Port::Election, from, link)),
            Output::QuorumListen(_) => self.server(from).listens = true,
            Output::QuorumUnlisten => self.server(from).listens = false,
            Output::QuorumDial { link, to } => self.dial_leader(from, link, &to),
            Output::QuorumWrite { link, bytes, .. } => {
                if let Some((_, to, link)) = self.links.get(&(Port::Quorum, from, link)).copied() {
                    let row = self.server(to).rows.entry(link).or_default();
                    row.0.extend_from_slice(&bytes);
                }
            }
            Output::QuorumNotifyDrained { link } => {
                self.server(from).inputs.push(Input::Quorum(QuorumEvent::Drained { link }));
            }
            Output::QuorumClose { link } => self.close((Port::Quorum, from, link)),
            Output::ClientWrite { conn, bytes } => self.server(from).answer(conn, bytes),
            Output::ClientNotifyDrained { conn } => {
                self.server(from).inputs.push(Input::Client(ClientEvent::Drained { conn }));
            }
            Output::Note(note) => self.server(from).hear(&note),
            Output::ClientUnlisten
            | Output::ClientWords { .. }
            | Output::ClientPause { .. }
            | Output::ClientResume { .. }
            | Output::AdminAnswer { .. } => {}
            Output::ClientClose { conn } => panic!("{from} sent the client {conn} away"),
            Output::Halt(halt) => panic!("{from} ended: {}", halt.why),
            Output::Log(..) | Output::Snapshot(..) | Output::History(..) => {
                unreachable!("the disk has carried it out")
            }
        }
    }

    fn dial_leader(&mut self, from: ServerId, link: LinkId, to: &HostPort) {
        let event = if self.server(sid_at(to)).listens {
            let (to, at) = self.connect((Port::Quorum, from, link), to);
            let peer = format!("10.0.1.{}:4000", from.0);
            let accepted = QuorumEvent::Accepted { link: at, peer };
            self.server(to).inputs.push(Input::Quorum(accepted));
            QuorumEvent::Connected { link }
        } else {
            QuorumEvent::DialFailed { link, why: "nobody listens".into() }
        };
        self.server(from).inputs.push(Input::Quorum(event));
    }

    fn connect(&mut self, from: End, to: &HostPort) -> (ServerId, LinkId) {
        self.last_link += 2;
        let (to, link) = (sid_at(to), LinkId(self.last_link));
        self.links.insert(from, (from.0, to, link));
        self.links.insert((from.0, to, link), from);
        (to, link)
    }

    fn close(&mut self, end: End) {
        let Some((port, other, link)) = self.links.remove(&end) else { return };
        self.links.remove(&(port, other, link));
        let why = "closed by the other side".into();
        self.server(other).inputs.push(match port {
            Port::Election => Input::Election(ElectionEvent::Lost { link, why }),
            Port::Quorum => Input::Quorum(QuorumEvent::Lost { link, why }),
        });
    }
}

fn path(node: u64) -> String {
    format!("/node-{node:04}")
}

/// The server at `h2:3888` is 2.
fn sid_at(at: &HostPort) -> ServerId {
    ServerId(at.host[1..].parse().expect("a name of config()"))
}

/// As the driver of the quorum port tells it.
fn of_one_read(link: LinkId, mut packets: Vec<QuorumPacket>) -> Option<QuorumEvent> {
    match packets.len() {
        0 => None,
        1 => Some(QuorumEvent::Packet { link, packet: packets.remove(0) }),
        _ => Some(QuorumEvent::Packets { link, packets }),
    }
}

impl Server {
    fn new(now: Now, config: ServerConfig) -> Server {
        Server {
            peer: Peer::new(now, config, Seeds::default()),
            disk: Disk::default(),
            inputs: vec![Input::Begin],
            rows: BTreeMap::new(),
            outputs: Vec::new(),
            listens: false,
            serves: false,
            leads: false,
            answered: 0,
            open: Vec::new(),
        }
    }

    fn has_work(&self) -> bool {
        let is_written = self.rows.values().any(|(row, _)| !row.is_empty());
        is_written || !self.inputs.is_empty() || self.peer.has_work_to_apply()
    }

    /// What waits, and the packets of each link behind it.
    fn take_inputs(&mut self, is_counted: bool) -> Vec<Input> {
        let mut inputs = std::mem::take(&mut self.inputs);
        for (link, (row, known)) in &mut self.rows {
            let (link, row) = (*link, Bytes::copy_from_slice(&row.split()));
            let mut decoded: Vec<QuorumPacket> = Vec::with_capacity(row.len() / 20);
            if is_counted {
                counted_packets(row, known, &mut decoded);
            } else {
                packets(row, known, &mut decoded);
            }
            inputs.extend(of_one_read(link, decoded).map(Input::Quorum));
        }
        inputs
    }

    fn step(&mut self, now: Now, input: Input, is_counted: bool) {
        if is_counted {
            counted_step(&mut self.peer, now, input, &mut self.outputs);
        } else {
            self.peer.step_into(now, input, &mut self.outputs);
        }
    }

    /// The first thing that a client hears is that its session is open.
    fn answer(&mut self, conn: ConnId, bytes: Bytes) {
        if !self.open.contains(&conn) {
            return self.open.push(conn);
        }
        let reply = ReplyHeader::decode(&mut Reader::new(bytes.slice(4..)));
        assert_eq!(reply.expect("a reply of ours").err, code::OK);
        self.answered += 1;
    }

    fn hear(&mut self, note: &Note) {
        match note {
            Note::Established { .. } => (self.serves, self.leads) = (true, true),
            Note::Serving { .. } => self.serves = true,
            _ => {}
        }
    }
}
