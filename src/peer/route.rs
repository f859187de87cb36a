//! Carries the outputs of one core to the next. No decision is made here.

use std::time::Duration;

use bytes::Bytes;

use super::core::{ForWhom, Output, Peer, Role};
use crate::base::{Epoch, LinkId, Mono, Now, ServerId, Zxid};
use crate::election::driver::ElectionEvent;
use crate::election::{self, Notification};
use crate::jute::quorum::QuorumPacket;
use crate::runtime::{Halt, HostPort, Label, LabelKind};
use crate::storage::{EpochKind, LogRequest};
use crate::zab::driver::QuorumEvent;
use crate::zab::{Packet, leader, learner};

impl Peer {
    pub(super) fn on_election_event(&mut self, now: Now, event: ElectionEvent) {
        use election::links::Input;
        let input = match event {
            ElectionEvent::Accepted { link, sid, address } => {
                self.election_reach.heard_of(ServerId(sid));
                Input::Accepted { link, sid, address }
            }
            ElectionEvent::Connected { link } => {
                self.election_reach.connected(link);
                Input::Connected { link }
            }
            ElectionEvent::DialFailed { link, why } => {
                let next = wait_until(now, self.election_wake);
                self.election_reach.failed(link, &why, next);
                Input::DialFailed { link }
            }
            ElectionEvent::Frame { link, body } => Input::Frame { link, body },
            ElectionEvent::Lost { link, .. } => Input::Lost { link },
        };
        self.step_links(now, input);
    }

    pub(super) fn step_links(&mut self, now: Now, input: election::links::Input) {
        use election::links::Output as L;
        let mut outputs = Vec::new();
        self.election_links.step(input, &mut outputs);
        for output in outputs {
            match output {
                L::Dial { link, sid, to, handshake } => {
                    self.election_reach.dialling(link, sid, to.clone());
                    self.out.push(Output::ElectionDial { link, to, handshake });
                }
                L::Write { link, body } => self.out.push(Output::ElectionWrite { link, body }),
                L::Close { link } => {
                    self.election_reach.given_up(link);
                    self.out.push(Output::ElectionClose { link });
                }
                L::Deliver { from, body } => match Notification::decode(body) {
                    Ok(notification) => {
                        let input = election::core::Input::Notification { from, notification };
                        self.step_election(now, input);
                    }
                    Err(error) => {
                        tracing::warn!(%from, %error, "dropping a notification that does not decode");
                    }
                },
            }
        }
    }

    pub(super) fn step_election(&mut self, now: Now, input: election::core::Input) {
        use election::core::Output as E;
        let mut outputs = Vec::new();
        self.election.step(now, input, &mut outputs);
        for output in outputs {
            match output {
                E::Send { to, body } => {
                    self.step_links(now, election::links::Input::Send { to, body });
                }
                E::ConnectAll => self.step_links(now, election::links::Input::ConnectAll),
                E::Decided { leader, role, .. } => self.on_decided(now, leader, role),
                E::WakeAt(at) => self.election_wake = at,
                E::Note(note) => self.note(note),
            }
        }
    }

    pub(super) fn on_quorum_event(&mut self, now: Now, event: QuorumEvent) {
        match event {
            QuorumEvent::Accepted { link, .. } => match self.role {
                Role::Leading(_) => self.step_leader(now, leader::Input::Accepted(link)),
                _ => self.out.push(Output::QuorumClose { link }),
            },
            QuorumEvent::Connected { link } => {
                self.leader_reach.connected(link);
                self.step_learner(now, learner::Input::Connected(link));
            }
            QuorumEvent::DialFailed { link, why } => {
                self.step_learner(now, learner::Input::DialFailed(link, why.clone()));
                let next = match &self.role {
                    Role::Learning(learner) => wait_until(now, learner.next_dial()),
                    _ => None,
                };
                self.leader_reach.failed(link, &why, next);
            }
            QuorumEvent::Packet { link, packet } => self.on_quorum_packet(now, link, &packet),
            QuorumEvent::Snapshot { link, body } => {
                self.step_learner(now, learner::Input::Snapshot(link, body));
            }
            QuorumEvent::Lost { link, why } => {
                self.step_leader(now, leader::Input::Lost(link));
                self.step_learner(now, learner::Input::Lost(link, why));
            }
            QuorumEvent::BindFailed { why } => {
                let why = format!("cannot open the quorum port: {why}");
                // ExitCode.UNABLE_TO_BIND_QUORUM_PORT
                self.halt(Halt { exit_code: 14, why });
            }
            QuorumEvent::Drained { link } => self.step_leader(now, leader::Input::Drained(link)),
        }
    }

    fn on_quorum_packet(&mut self, now: Now, link: LinkId, packet: &QuorumPacket) {
        let from_leader = matches!(self.role, Role::Learning(_));
        match Packet::decode(packet, from_leader) {
            Ok(packet) if from_leader => {
                self.step_learner(now, learner::Input::Packet(link, packet));
            }
            Ok(packet) => self.step_leader(now, leader::Input::Packet(link, packet)),
            Err(error) => {
                tracing::warn!(%link, %error, "closing a quorum link: a packet does not decode");
                self.out.push(Output::QuorumClose { link });
                self.step_learner(now, learner::Input::Lost(link, error.to_string()));
                self.step_leader(now, leader::Input::Lost(link));
            }
        }
    }

    pub(super) fn step_leader(&mut self, now: Now, input: leader::Input) {
        let mut outputs = Vec::new();
        if let Role::Leading(leader) | Role::Standalone(leader) = &mut self.role {
            leader.step(now, input, &mut self.db, &mut outputs);
        }
        self.route_leader(now, outputs);
    }

    pub(super) fn route_leader(&mut self, now: Now, outputs: Vec<leader::Output>) {
        use leader::Output as L;
        for output in outputs {
            match output {
                L::Send(link, packet) => self.send_packet(link, &packet),
                L::SendSnapshot(link, bytes) => {
                    let label = Label { kind: LabelKind::SnapshotStream, zxid: None };
                    self.out.push(Output::QuorumWrite { link, bytes, label });
                }
                L::NotifyDrained(link) => self.out.push(Output::QuorumNotifyDrained { link }),
                L::Close(link, why) => {
                    tracing::info!(%link, %why, "closing a learner's link");
                    self.out.push(Output::QuorumClose { link });
                }
                L::WriteEpoch(which, epoch) => self.write_epoch(which, epoch),
                L::Append(proposal) => self.append(proposal),
                L::ReadLog { link, after, up_to } => self.read_log(link, after, up_to),
                L::Serve => self.on_established(now),
                L::Committed(zxid) => self.on_committed(now, zxid),
                L::Request { link, session, cxid, op, body, auth } => {
                    self.on_learner_request(now, link, session, cxid, op, body, auth);
                }
                L::Touch { session, timeout_ms } => self.touch(now, session, timeout_ms),
                L::Revalidate { link, session, timeout_ms } => {
                    self.on_revalidate(now, link, session, timeout_ms);
                }
                L::SyncDone { conn, zxid } => self.on_sync_done(now, conn, zxid),
                L::GiveUp(why) => return self.become_looking(now, why),
                L::Note(note) => self.note(note),
            }
        }
    }

    pub(super) fn step_learner(&mut self, now: Now, input: learner::Input) {
        let mut outputs = Vec::new();
        if let Role::Learning(learner) = &mut self.role {
            learner.step(now, input, &mut self.db, &mut outputs);
        }
        self.route_learner(now, outputs);
    }

    pub(super) fn route_learner(&mut self, now: Now, outputs: Vec<learner::Output>) {
        use learner::Output as L;
        for output in outputs {
            match output {
                L::Dial(link, leader) => {
                    self.next_link = self.next_link.max(link.0 + 2);
                    let to = self.verifier.servers().get(&leader).map(|s| s.quorum.clone());
                    let to = to.unwrap_or_else(|| HostPort::new("", 0));
                    self.leader_reach.dialling(link, leader, to.clone());
                    self.out.push(Output::QuorumDial { link, to });
                }
                L::Send(link, packet) => self.send_packet(link, &packet),
                L::Close(link) => {
                    self.leader_reach.given_up(link);
                    self.out.push(Output::QuorumClose { link });
                }
                L::WriteEpoch(which, epoch) => self.write_epoch(which, epoch),
                L::Append(proposal) => self.append(proposal),
                L::Truncate { to } => {
                    self.ask_log(ForWhom::Replace, LogRequest::Truncate { to });
                }
                L::InstallSnapshot { zxid, body } => self.install_snapshot(now, zxid, body),
                L::Serve => self.on_established(now),
                L::Committed(zxid) => self.on_committed(now, zxid),
                L::SyncDone { conn, zxid } => self.on_sync_done(now, conn, zxid),
                L::Revalidated { session, valid } => self.on_revalidated(now, session, valid),
                L::GiveUp(why) => return self.become_looking(now, why),
                L::Note(note) => self.note(note),
            }
        }
    }

    fn send_packet(&mut self, link: LinkId, packet: &Packet) {
        let (bytes, label): (Bytes, Label) = (packet.encode(), packet.label());
        self.out.push(Output::QuorumWrite { link, bytes, label });
    }

    fn write_epoch(&mut self, which: EpochKind, epoch: Epoch) {
        self.ask_log(ForWhom::Role, LogRequest::WriteEpoch { which, epoch });
    }

    /// Budget of Apache's txn log sync: a share of what a snapshot would cost.
    fn read_log(&mut self, link: LinkId, after: Zxid, up_to: Zxid) {
        let snapshot_bytes = self.db.tree().approximate_data_size() as f64;
        let bytes_max = (snapshot_bytes * self.config.snapshot_size_factor) as u64;
        let request = LogRequest::ReadLog { after, up_to, bytes_max };
        self.ask_log(ForWhom::LearnerSync(link), request);
    }

    fn on_established(&mut self, now: Now) {
        self.begin_serving(now);
        // Members answer later joiners with one and the same epoch (ZOOKEEPER-1732).
        let epoch = self.db.current_epoch();
        self.step_election(now, election::core::Input::Established { epoch });
    }

    pub(super) fn close_quorum_links(&mut self, now: Now) {
        if matches!(self.role, Role::Leading(_)) {
            self.out.push(Output::QuorumUnlisten);
        }
        self.step_leader(now, leader::Input::Stop);
        self.step_learner(now, learner::Input::Stop);
    }

    pub(super) fn take_link(&mut self) -> LinkId {
        let link = LinkId(self.next_link);
        self.next_link += 2;
        link
    }
}

/// How long it is until `at`; `None` if that is never.
fn wait_until(now: Now, at: Mono) -> Option<Duration> {
    (at != Mono::FAR).then(|| at.since(now.mono))
}
