//! Whatever comes over the quorum port, to a whole leader and to a whole follower: neither ends,
//! and what was logged is read again at a start.
//!
//! The input is a story: a byte that says which packet, one that says over which link, under which
//! zxid and for which session, one that says which operation or server, two bytes of length and a
//! body. A packet of the story is put together so far that it means something; a leader has one
//! follower that is what it says, so that it is established.
#![no_main]

mod common;

use std::collections::BTreeMap;

use bytes::Bytes;
use common::Disk;
use quorate::base::{Epoch, LinkId, Mono, Note, Now, ServerId, Zxid};
use quorate::config::{ServerConfig, ServerSpec};
use quorate::election::driver::ElectionEvent;
use quorate::election::packet::{Form, NOTIFICATION_VERSION};
use quorate::election::{Notification, PeerState};
use quorate::jute::quorum::{LearnerInfo, PROTOCOL_VERSION, QuorumPacket};
use quorate::jute::{Jute, Reader};
use quorate::peer::{Input, Output, Peer};
use quorate::runtime::HostPort;
use quorate::server::Seeds;
use quorate::zab::Packet;
use quorate::zab::driver::QuorumEvent;

/// Of clients, in a request or a transaction.
const OPS: [i32; 20] =
    [1, 2, 4, 5, 7, 9, 13, 14, 15, 16, 19, 20, 21, 100, 105, 106, 107, -1, -10, -11];
/// Types of packets: one each, and more of those that have most within.
const KINDS: [i32; 32] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 1, 1, 1, 1, 1, 1, 2, 2,
    8, 8, 3, 4,
];
/// The follower that is what it says, and the link whose other end the story is.
const HONEST: LinkId = LinkId(101);
const STRANGER: LinkId = LinkId(103);

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for me in [ServerId(3), ServerId(1)] {
        let mut server = Server::new(me);
        server.establish();
        assert!(server.serves, "the story is about a server that serves");
        let mut rest = data;
        while let [what, how, whose, high, low, more @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
            let (body, after) = more.split_at(length);
            server.act([*what, *how, *whose], body);
            rest = after;
        }
        server.restart();
    }
});

struct Server {
    me: ServerId,
    peer: Peer,
    now: Now,
    disk: Disk,
    /// The link to our leader.
    leader: LinkId,
    /// The newest dial to each election port.
    dialled: BTreeMap<String, LinkId>,
    /// How often it was established: the epochs of the leader that a follower has.
    times: i64,
    /// A leader was established, or a follower brought up to date, and the link that this hangs on
    /// is still there.
    serves: bool,
}

impl Server {
    fn new(me: ServerId) -> Server {
        let now = Now { mono: Mono(1_000_000_000), wall_ms: 1_000_000 };
        let peer = Peer::new(now, config(me), Seeds::default());
        let mut server = Server {
            me,
            peer,
            now,
            disk: Disk::default(),
            leader: LinkId(0),
            dialled: BTreeMap::new(),
            times: 0,
            serves: false,
        };
        server.step(Input::Begin);
        server
    }

    fn act(&mut self, head: [u8; 3], body: &[u8]) {
        let [what, how, _] = head;
        if !self.serves {
            self.restart();
            self.establish();
        }
        let stranger = if self.leads() { STRANGER } else { self.leader };
        let link = if how & 1 == 0 { stranger } else { HONEST };
        match what {
            255 => self.restart(),
            254 => self.waits(u64::from(how) * 20),
            253 => {
                let body = Bytes::copy_from_slice(body);
                self.step(Input::Quorum(QuorumEvent::Snapshot { link, body: body.into() }));
            }
            252 => {
                self.serves = false;
                self.step(Input::Quorum(QuorumEvent::Lost { link, why: "it went".into() }));
            }
            251 => {
                let peer = "10.0.0.2:4000".into();
                self.step(Input::Quorum(QuorumEvent::Accepted { link, peer }));
            }
            _ => self.packet(link, &self.made(head, body)),
        }
    }

    /// A packet with the beginning of a body that its kind has.
    fn made(&self, head: [u8; 3], body: &[u8]) -> QuorumPacket {
        let [what, how, whose] = head.map(usize::from);
        let last = self.disk.last;
        let zxids = [
            last,
            Zxid(last.0.wrapping_add(1)),
            Zxid::ZERO,
            Zxid::new(last.epoch().next(), 0),
            Zxid::new(Epoch(i64::from(i32::MAX) - 1), 0),
            Zxid(-1),
            Zxid::new(Epoch(self.times), 1),
            Zxid(i64::MIN),
        ];
        let zxid = zxids[(how >> 1) % zxids.len()];
        let kind = KINDS[what % KINDS.len()];
        let session = [0_i64, 1, 1 << 56, -1][(how >> 4) % 4];
        let op = OPS[whose % OPS.len()];
        let mut data = Vec::new();
        match kind {
            1 => {
                data.extend_from_slice(&session.to_be_bytes());
                data.extend_from_slice(&7_i32.to_be_bytes());
                data.extend_from_slice(&op.to_be_bytes());
            }
            2 | 8 => {
                data.extend_from_slice(&session.to_be_bytes());
                data.extend_from_slice(&7_i32.to_be_bytes());
                data.extend_from_slice(&zxid.0.to_be_bytes());
                data.extend_from_slice(&1_000_i64.to_be_bytes());
                data.extend_from_slice(&op.to_be_bytes());
            }
            11 | 16 => {
                let server_id = ServerId([2, 1, 3, 0, -1, 77][whose % 6]);
                let (protocol_version, config_version) = (PROTOCOL_VERSION, 0);
                data = LearnerInfo { server_id, protocol_version, config_version }.to_jute();
            }
            _ => {}
        }
        data.extend_from_slice(body);
        QuorumPacket { kind, zxid, data: Some(data.into()), authinfo: None }
    }

    fn leads(&self) -> bool {
        self.me == ServerId(3)
    }

    /// Everybody votes for server 3; then discovery and synchronisation as they ought to be.
    fn establish(&mut self) {
        self.times += 1;
        let me = self.me;
        for sid in [1, 2, 3].into_iter().filter(|sid| ServerId(*sid) != me) {
            let link = self.election_link(sid);
            let body = self.vote_of(sid).encode();
            self.step(Input::Election(ElectionEvent::Frame { link, body }));
        }
        self.waits(300);
        if self.leads() { self.gain_a_follower() } else { self.find_the_leader() }
    }

    /// The larger sid dials.
    fn election_link(&mut self, sid: i64) -> LinkId {
        if ServerId(sid) > self.me {
            let (link, address) = (LinkId(2 * sid as u64 + 1), format!("h{sid}:3888"));
            self.step(Input::Election(ElectionEvent::Accepted { link, sid, address }));
            return link;
        }
        let link = self.dialled.get(&format!("h{sid}")).copied().unwrap_or(LinkId(0));
        self.step(Input::Election(ElectionEvent::Connected { link }));
        link
    }

    fn vote_of(&self, sid: i64) -> Notification {
        let state = match (self.leads(), sid) {
            (true, _) => PeerState::Looking,
            (false, 3) => PeerState::Leading,
            (false, _) => PeerState::Following,
        };
        Notification {
            state,
            leader: ServerId(3),
            zxid: if self.leads() { self.disk.last } else { Zxid::ZERO },
            election_epoch: self.times,
            peer_epoch: self.disk.current.unwrap_or(self.disk.last.epoch()),
            version: NOTIFICATION_VERSION,
            config: None,
            form: Form::Current,
            trailing: Bytes::new(),
        }
    }

    fn gain_a_follower(&mut self) {
        let (peer, link) = ("10.0.0.1:4000".into(), HONEST);
        self.step(Input::Quorum(QuorumEvent::Accepted { link, peer }));
        let accepted_epoch = Epoch(0);
        let (protocol_version, config_version) = (PROTOCOL_VERSION, 0);
        let info = LearnerInfo { server_id: ServerId(1), protocol_version, config_version };
        self.says(HONEST, &Packet::FollowerInfo { accepted_epoch, info });
        let ack = QuorumPacket {
            kind: 18,
            zxid: self.disk.last,
            data: Some(Bytes::from_static(&[0, 0, 0, 0])),
            authinfo: None,
        };
        self.packet(HONEST, &ack);
        let epoch = self.disk.accepted.unwrap_or(Epoch(1));
        self.says(HONEST, &Packet::Ack { zxid: Zxid::new(epoch, 0) });
        let (peer, link) = ("10.0.0.2:4000".into(), STRANGER);
        self.step(Input::Quorum(QuorumEvent::Accepted { link, peer }));
    }

    fn find_the_leader(&mut self) {
        let link = self.leader;
        self.step(Input::Quorum(QuorumEvent::Connected { link }));
        let epoch = Epoch(self.times);
        self.says(link, &Packet::LeaderInfo { epoch });
        self.says(link, &Packet::Diff { zxid: self.disk.last });
        self.says(link, &Packet::NewLeader { zxid: Zxid::new(epoch, 0), config: None });
        self.says(link, &Packet::UpToDate);
    }

    fn says(&mut self, link: LinkId, packet: &Packet) {
        let record = QuorumPacket::decode(&mut Reader::new(packet.encode()));
        self.packet(link, &record.expect("a packet of ours"));
    }

    fn packet(&mut self, link: LinkId, packet: &QuorumPacket) {
        let packet = packet.clone();
        self.step(Input::Quorum(QuorumEvent::Packet { link, packet }));
    }

    fn waits(&mut self, millis: u64) {
        self.now.mono = Mono(self.now.mono.0 + millis * 1_000_000);
        self.now.wall_ms += millis as i64;
        for _ in 0..100 {
            if self.peer.wake_at() > self.now.mono {
                break;
            }
            self.step(Input::Timer);
        }
    }

    /// Reads the disk as a new process does. A log behind a snapshot is left alone: snapshots are
    /// not kept here.
    fn restart(&mut self) {
        if !self.disk.has_snapshot {
            self.peer = Peer::new(self.now, config(self.me), Seeds::default());
            self.serves = false;
            self.step(Input::Begin);
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
                Err(Output::QuorumDial { link, .. }) => {
                    self.leader = link;
                    continue;
                }
                Err(Output::ElectionDial { link, to, .. }) => {
                    self.dialled.insert(to.host, link);
                    continue;
                }
                Err(Output::Note(Note::Established { .. } | Note::Serving { .. })) => {
                    self.serves = true;
                    continue;
                }
                Err(Output::QuorumClose { link }) => {
                    self.serves &= link != HONEST && link != self.leader;
                    continue;
                }
                // A reconfiguration: the server says so, and ends as Apache's do.
                Err(Output::Halt(halt)) if halt.exit_code == 13 => continue,
                Err(Output::Halt(halt)) => panic!("the server ended: {}", halt.why),
                Err(_) => continue,
            };
            let outputs = self.peer.step(self.now, input);
            self.carry_out(outputs);
        }
    }
}

fn config(me: ServerId) -> ServerConfig {
    let mut config = ServerConfig::defaults(me);
    for sid in [1, 2, 3] {
        let at = |port| HostPort { host: format!("h{sid}"), port };
        let spec = ServerSpec::participant(at(2888), at(3888));
        config.servers.insert(ServerId(sid), spec);
    }
    config
}
