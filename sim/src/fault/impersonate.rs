//! `impersonate`: a stranger says that it is one of the servers, and follows a leader.
//!
//! It acks whatever it is sent and keeps nothing, or says who it is and no more (`silent`). When its connection ends it comes again, for as
//! long as the line says. It has no vote in elections: it knows the quorum port alone.

use std::fmt;
use std::time::Duration;

use quorate::base::{Epoch, ServerId, Stamp, Zxid};
use quorate::jute::quorum::{LearnerInfo, PROTOCOL_VERSION, QuorumPacket, kind};
use quorate::jute::{Jute, Reader};
use quorate::runtime::{HostPort, Label, Runtime, Stream};
use quorate::zab::Packet;
use quorate::zab::driver::{PacketScanner, SnapshotScanner};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Entry, Heal, Kind, Word};
use crate::grammar::show_duration;
use crate::grammar::words::an_epoch;
use crate::world::{SimRuntime, SimStream, World, server_name};

/// It is turned away, or the leader does not listen: it rests so long.
const REST: Duration = Duration::from_millis(50);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const QUORUM_PORT: u16 = 2888;
const FIELD_BYTES_MAX: usize = 4 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Impersonate {
    /// Whom it says it is.
    posing_as: ServerId,
    /// Whom it follows: one server.
    leader: Vec<ServerId>,
    /// What it says it has accepted.
    epoch: Epoch,
    silent: bool,
    lasts: Duration,
}

pub(super) const ENTRY: Entry = Entry {
    words: &[Word {
        text: "impersonate",
        read: |names, words| {
            let posing_as = names.server(words)?;
            if !words.take("->") {
                return Err(words.expected("`->` and whom it follows"));
            }
            let leader = vec![names.server(words)?];
            let epoch = if words.take("epoch") { an_epoch(words)? } else { Epoch(0) };
            let silent = words.take("silent");
            let lasts = names.time(words, "how long: `5s`")?;
            Ok(Impersonate { posing_as, leader, epoch, silent, lasts }.into())
        },
    }],
    classes: &[],
    heal: Heal::Nothing,
};

impl Kind for Impersonate {
    fn apply(&self, world: &World) {
        let rt = world.client_runtime(&format!("stranger{}", self.posing_as));
        let until = world.now() + self.lasts;
        for leader in self.leader.iter().copied() {
            let (own, stranger, begins) = (rt.clone(), self.clone(), world.now());
            rt.spawn("stranger", async move { stranger.run(own, leader, begins, until).await });
        }
    }

    fn servers(&self) -> &[ServerId] {
        &self.leader
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        Some(&mut self.leader)
    }

    fn round(&mut self, to: &dyn Fn(Duration) -> Duration) {
        self.lasts = to(self.lasts);
    }
}

impl Impersonate {
    async fn run(&self, rt: SimRuntime, leader: ServerId, begins: Stamp, until: Stamp) {
        let to = HostPort::new(server_name(leader), QUORUM_PORT);
        let mut at = begins;
        while at < until {
            let (connected, stream) = rt.connect(at, &to, CONNECT_TIMEOUT).await;
            at = match stream {
                Ok(stream) => self.follow(&rt, connected, until, stream).await,
                Err(_) => connected,
            };
            at = at + REST;
            rt.sleep_until(at).await;
        }
    }

    /// Answers until the connection or its time ends, and says when.
    async fn follow(
        &self,
        rt: &SimRuntime,
        connected: Stamp,
        until: Stamp,
        mut stream: SimStream,
    ) -> Stamp {
        let mut at = connected;
        let info = LearnerInfo {
            server_id: self.posing_as,
            protocol_version: PROTOCOL_VERSION,
            config_version: 0,
        };
        let mut answers = vec![Packet::FollowerInfo { accepted_epoch: self.epoch, info }];
        let (mut buf, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
        let mut snapshot = None;
        loop {
            for packet in answers.drain(..) {
                stream.begin_write(at, Label::CLIENT);
                if stream.write_all(&packet.encode()).await.is_err() {
                    return at;
                }
            }
            let read = tokio::select! {
                biased;
                read = stream.read(&mut chunk) => read,
                () = rt.sleep_until(until + rt.settle()) => return until,
            };
            at = at.max(stream.read_at());
            match read {
                Ok(len) if len > 0 => buf.extend_from_slice(&chunk[..len]),
                _ => return at,
            }
            while let Some(answer) = take(&mut buf, &mut snapshot) {
                answers.extend(answer.filter(|_| !self.silent));
            }
        }
    }
}

/// What it answers to the first whole packet, or to the snapshot that follows one.
fn take(buf: &mut Vec<u8>, snapshot: &mut Option<SnapshotScanner>) -> Option<Option<Packet>> {
    if let Some(scanner) = snapshot {
        let len = scanner.scan(buf).ok()??;
        buf.drain(..len);
        *snapshot = None;
        return Some(None);
    }
    let len = PacketScanner::new(FIELD_BYTES_MAX).scan(buf).ok()??;
    let bytes: Vec<u8> = buf.drain(..len).collect();
    let packet = QuorumPacket::decode(&mut Reader::new(bytes.into())).ok()?;
    if packet.kind == kind::SNAP {
        *snapshot = Some(SnapshotScanner::new(FIELD_BYTES_MAX));
    }
    let zxid = packet.zxid;
    Some(match packet.kind {
        kind::LEADER_INFO => {
            Some(Packet::AckEpoch { last_zxid: Zxid::ZERO, current_epoch: Some(Epoch(0)) })
        }
        kind::NEW_LEADER | kind::PROPOSAL => Some(Packet::Ack { zxid }),
        kind::PING => Some(Packet::PingReply { zxid, touches: Vec::new() }),
        _ => None,
    })
}

impl fmt::Display for Impersonate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Impersonate { posing_as, leader, epoch, silent, lasts } = self;
        write!(f, "impersonate {posing_as} ->")?;
        leader.iter().try_for_each(|leader| write!(f, " {leader}"))?;
        if *epoch != Epoch(0) {
            write!(f, " epoch {epoch}")?;
        }
        if *silent {
            f.write_str(" silent")?;
        }
        write!(f, " {}", show_duration(*lasts))
    }
}
