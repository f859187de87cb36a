//! Server 1 of three, and what it hears of the configuration.

use bytes::Bytes;

use crate::base::{Epoch, LinkId, Now, ServerId, Zxid};
use crate::config::{ServerConfig, ServerSpec};
use crate::election::driver::ElectionEvent;
use crate::election::packet::{Form, NOTIFICATION_VERSION};
use crate::election::{Notification, PeerState};
use crate::jute::quorum::{LearnerInfo, PROTOCOL_VERSION, QuorumPacket};
use crate::jute::{Jute, Reader};
use crate::peer::core::Peer;
use crate::peer::io::{Input, Output};
use crate::peer::leading::Leading;
use crate::peer::role::Role;
use crate::runtime::Halt;
use crate::server::Seeds;
use crate::storage::{EpochKind, Loaded, LogRequest, Outcome};
use crate::zab::Packet;
use crate::zab::driver::QuorumEvent;

const VERSION: i64 = 0x1_0000_0000;
const NEWLEADER: Zxid = Zxid(0x2_0000_0000);

/// One server, and the links to the others: election link 2n + 1 to server n.
struct Bench {
    peer: Peer,
    now: Now,
}

/// Servers 1 to `count`, as Apache writes them.
fn members(count: i64) -> String {
    let line = |sid| format!("server.{sid}=h{sid}:2888:3888:participant;0.0.0.0:2181\n");
    (1..=count).map(line).collect()
}

fn text(count: i64, version: i64) -> Bytes {
    format!("{}version={version:x}", members(count)).into()
}

/// What server `from` says of itself: it follows or leads under 3.
fn in_role(state: PeerState, config: Bytes) -> Notification {
    Notification {
        state,
        leader: ServerId(3),
        zxid: Zxid::ZERO,
        election_epoch: 1,
        peer_epoch: Epoch(2),
        version: NOTIFICATION_VERSION,
        config: Some(config),
        form: Form::Current,
        trailing: Bytes::new(),
    }
}

impl Bench {
    /// LOOKING, with an empty directory.
    fn looking() -> Bench {
        let mut config = ServerConfig::defaults(ServerId(1));
        for sid in [1, 2, 3] {
            config.servers.insert(ServerId(sid), ServerSpec::test(sid));
        }
        let now = Now::default();
        let mut bench = Bench { peer: Peer::new(now, config, Seeds::default()), now };
        let ticket = bench.step(Input::Begin).into_iter().find_map(|output| match output {
            Output::Log(ticket, LogRequest::Load) => Some(ticket),
            _ => None,
        });
        let loaded = Loaded {
            accepted_epoch: Some(Epoch(0)),
            current_epoch: Some(Epoch(0)),
            last_logged: Zxid::UNINITIALISED,
            ..Loaded::default()
        };
        let loaded = Outcome::Loaded(Box::new(loaded));
        bench.step(Input::Stored(ticket.expect("it asks for its disk"), Ok(loaded)));
        for sid in [2, 3] {
            let (link, address) = (LinkId(2 * sid + 1), format!("h{sid}:3888"));
            let sid = sid as i64;
            bench.step(Input::Election(ElectionEvent::Accepted { link, sid, address }));
        }
        bench
    }

    fn step(&mut self, input: Input) -> Vec<Output> {
        self.peer.step(self.now, input)
    }

    fn hear(&mut self, from: u64, notification: &Notification) -> Vec<Output> {
        let (link, body) = (LinkId(2 * from + 1), notification.encode());
        self.step(Input::Election(ElectionEvent::Frame { link, body }))
    }

    /// Finds that server 3 leads and is followed by 2, whose configuration is this one; connects.
    fn connect(&mut self, config: &Bytes) -> (LinkId, Vec<Output>) {
        self.hear(2, &in_role(PeerState::Following, config.clone()));
        let out = self.hear(3, &in_role(PeerState::Leading, config.clone()));
        let link = out.iter().find_map(|output| match output {
            Output::QuorumDial { link, .. } => Some(*link),
            _ => None,
        });
        let link = link.expect("it dials the leader");
        (link, self.step(Input::Quorum(QuorumEvent::Connected { link })))
    }

    fn packet(&mut self, link: LinkId, packet: &Packet) -> Vec<Output> {
        let packet = decoded(&packet.encode());
        self.step(Input::Quorum(QuorumEvent::Packet { link, packet }))
    }

    /// The disk has written the epoch that this step asked for.
    fn epoch_written(&mut self, out: Vec<Output>) -> Vec<Output> {
        let asked = out.into_iter().find_map(|output| match output {
            Output::Log(ticket, LogRequest::WriteEpoch { which, epoch }) => {
                Some((ticket, which, epoch))
            }
            _ => None,
        });
        let (ticket, which, epoch) = asked.expect("an epoch to write");
        self.step(Input::Stored(ticket, Ok(Outcome::EpochWritten { which, epoch })))
    }

    /// Up to the leader's DIFF, in epoch 2.
    fn syncing(&mut self, config: &Bytes) -> LinkId {
        let (link, _) = self.connect(config);
        let out = self.packet(link, &Packet::LeaderInfo { epoch: Epoch(2) });
        self.epoch_written(out);
        self.packet(link, &Packet::Diff { zxid: Zxid::ZERO });
        link
    }
}

fn decoded(bytes: &Bytes) -> QuorumPacket {
    QuorumPacket::decode(&mut Reader::new(bytes.clone())).expect("a packet of ours")
}

fn halt(out: &[Output]) -> Option<&Halt> {
    out.iter().find_map(|output| match output {
        Output::Halt(halt) => Some(halt),
        _ => None,
    })
}

/// The server's sentence at its end.
#[track_caller]
fn assert_ends_over_members(out: &[Output]) {
    let halt = halt(out).expect("the server ends");
    assert_eq!(halt.exit_code, 13);
    assert!(halt.why.contains("the ensemble was reconfigured: server 3"), "{}", halt.why);
    assert!(halt.why.ends_with(members(4).trim_end()), "{}", halt.why);
    let speaks = |output: &&Output| {
        matches!(output, Output::ElectionWrite { .. } | Output::QuorumWrite { .. })
            || matches!(output, Output::Log(..))
    };
    let said: Vec<_> = out.iter().filter(speaks).collect();
    assert!(said.is_empty(), "no vote and no ack: {said:?}");
}

/// The versions in the packets that go out.
fn reported(out: &[Output]) -> Vec<i64> {
    let version = |output: &Output| match output {
        Output::QuorumWrite { bytes, .. } => {
            let packet = decoded(bytes);
            match Packet::decode(packet, false) {
                Ok(Packet::FollowerInfo { info, .. }) => Some(info.config_version),
                _ => None,
            }
        }
        _ => None,
    };
    out.iter().filter_map(version).collect()
}

/// The versions in the notifications that go out.
fn told(out: &[Output]) -> Vec<String> {
    let version = |output: &Output| match output {
        Output::ElectionWrite { body, .. } => {
            let config = Notification::decode(body.clone()).expect("a notification").config;
            let text = String::from_utf8(config.expect("a configuration").to_vec()).expect("text");
            text.lines().last().map(String::from)
        }
        _ => None,
    };
    out.iter().filter_map(version).collect()
}

#[test]
fn a_version_heard_in_the_election_is_reported_to_the_leader() {
    let mut bench = Bench::looking();
    let (_, out) = bench.connect(&text(3, VERSION));
    assert_eq!(reported(&out), [VERSION]);
    let asks =
        Notification { state: PeerState::Looking, ..in_role(PeerState::Looking, text(3, 0)) };
    assert_eq!(told(&bench.hear(2, &asks)), ["version=100000000"]);
}

#[test]
fn a_version_heard_from_the_leader_is_told_from_uptodate_on() {
    let mut bench = Bench::looking();
    let link = bench.syncing(&text(3, 0));
    let config = Some(text(3, VERSION));
    let out = bench.packet(link, &Packet::NewLeader { zxid: NEWLEADER, config });
    bench.epoch_written(out);
    let asks = in_role(PeerState::Looking, text(3, 0));
    assert_eq!(told(&bench.hear(2, &asks)), ["version=0"]);
    bench.packet(link, &Packet::UpToDate);
    assert_eq!(told(&bench.hear(2, &asks)), ["version=100000000"]);
}

#[test]
fn a_voter_of_other_members_ends_a_server_that_looks() {
    let mut bench = Bench::looking();
    let out = bench.hear(3, &in_role(PeerState::Leading, text(4, VERSION)));
    assert_ends_over_members(&out);
    assert!(bench.hear(2, &in_role(PeerState::Looking, text(3, 0))).is_empty(), "it has ended");
}

#[test]
fn a_leader_of_other_members_ends_its_follower_before_the_ack() {
    let mut bench = Bench::looking();
    let link = bench.syncing(&text(3, 0));
    let config = Some(text(4, VERSION));
    let out = bench.packet(link, &Packet::NewLeader { zxid: NEWLEADER, config });
    assert_ends_over_members(&out);
}

#[test]
fn older_members_end_nobody() {
    let mut bench = Bench::looking();
    let link = bench.syncing(&text(4, 0));
    let config = Some(text(4, 0));
    let out = bench.packet(link, &Packet::NewLeader { zxid: NEWLEADER, config });
    assert!(halt(&out).is_none());
    let asks = |output: &Output| match output {
        Output::Log(_, LogRequest::WriteEpoch { which, .. }) => *which == EpochKind::Current,
        _ => false,
    };
    assert!(out.iter().any(asks), "{out:?}");
}

#[test]
fn a_leader_takes_a_follower_whose_version_it_heard_in_the_election() {
    let mut bench = Bench::looking();
    let (verifier, peer) = (bench.peer.verifier.clone(), &mut bench.peer);
    let (now, config, queue) = (bench.now, peer.config.clone(), &mut peer.queue);
    peer.role = Role::Leading(Leading::begin(
        now,
        &config,
        verifier,
        &peer.db,
        peer.metrics.clone(),
        queue,
    ));
    peer.dispatch(now);
    bench.hear(2, &in_role(PeerState::Looking, text(3, VERSION)));
    let (link, peer) = (LinkId(7), "10.0.0.2:4711".to_string());
    bench.step(Input::Quorum(QuorumEvent::Accepted { link, peer }));
    let (server_id, protocol_version) = (ServerId(2), PROTOCOL_VERSION);
    let info = LearnerInfo { server_id, protocol_version, config_version: VERSION };
    let out = bench.packet(link, &Packet::FollowerInfo { accepted_epoch: Epoch(0), info });
    let closes = |output: &Output| matches!(output, Output::QuorumClose { .. });
    assert!(!out.iter().any(closes), "{out:?}");
    bench.epoch_written(out);
}

#[test]
fn an_election_link_ends_with_a_notification_that_does_not_decode() {
    let mut bench = Bench::looking();
    let link = LinkId(7);
    let notification = |body| Input::Election(ElectionEvent::Frame { link, body });
    let closes = |out: &[Output]| {
        out.iter().any(|output| matches!(output, Output::ElectionClose { link: of } if *of == link))
    };
    let sound = in_role(PeerState::Looking, text(3, 0)).encode();
    assert!(!closes(&bench.step(notification(sound.clone()))));
    assert!(closes(&bench.step(notification(Bytes::from_static(b"no notification")))));
    let out = bench.step(notification(sound));
    assert!(!closes(&out), "it is closed already: {out:?}");
}
