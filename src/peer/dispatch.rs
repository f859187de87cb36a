//! The one loop that performs the outputs of all cores, and what each output means.
//!
//! - PE-4  every output is performed. What a role puts out is performed while the role lasts:
//!   GiveUp is its last output (LD-1, LN-1), and what else ends a role comes at the beginning of
//!   a step, when nothing waits in the queue. Of clients, whose connections end with the role,
//!   what waited behind its end is passed over.
//!
//! Not here: what the cores decide; a change of role (roles.rs).

use bytes::Bytes;

use super::core::Peer;
use super::disk::ForWhom;
use super::io::Output;
use super::leading::Leading;
use super::queue::Effect;
use super::role::Role;
use crate::base::invariant::broken;
use crate::base::{Epoch, GaveUp, LinkId, Mono, Now, SessionId};
use crate::election;
use crate::jute::quorum::QuorumPacket;
use crate::metrics::Counter;
use crate::prepare::{DecodedBody, Request};
use crate::runtime::{Halt, Label, LabelKind};
use crate::server;
use crate::storage::{EpochKind, HistoryRequest, LogRequest};
use crate::zab::driver::QuorumEvent;
use crate::zab::leader::SessionAt;
use crate::zab::{Packet, leader, learner};

impl Peer {
    /// Performs outputs, and what they cause, until none is left.
    pub(super) fn dispatch(&mut self, now: Now) {
        while let Some(effect) = self.queue.next() {
            match effect {
                Effect::Election(output) => self.on_election(now, output),
                Effect::Links(output) => self.elections.on_links(now, output, &mut self.queue),
                Effect::Leader(output) => self.on_leader(now, output),
                Effect::Learner(output) => self.on_learner(now, output),
                Effect::Service(output) => self.on_service(now, output),
                Effect::Note(note) => self.note(note),
            }
        }
    }

    fn on_election(&mut self, now: Now, output: election::core::Output) {
        use election::core::Output as E;
        use election::links::Input;
        match output {
            E::Send { to, body } => {
                self.elections.step_links(Input::Send { to, body }, &mut self.queue);
            }
            E::ConnectAll => self.elections.step_links(Input::ConnectAll, &mut self.queue),
            E::Connect { to } => {
                self.elections.step_links(Input::Connect { to }, &mut self.queue);
            }
            E::Decided { leader, role, .. } => self.on_decided(now, leader, role),
            E::ConfigVersion(version) => self.on_config_version(now, version),
            E::MembersChanged(why) => self.end_over_members(&why),
            E::WakeAt(at) => self.elections.set_wake_at(at),
            E::Note(note) => self.note(note),
        }
    }

    fn on_leader(&mut self, now: Now, output: leader::Output) {
        use leader::Output as L;
        match output {
            L::Send(link, packet) => self.send_packet(link, &packet),
            L::SendSnapshot(link, bytes) => {
                let label = Label { kind: LabelKind::SnapshotStream, zxid: None };
                self.queue.push(Output::QuorumWrite { link, bytes, label });
            }
            L::NotifyDrained(link) => self.queue.push(Output::QuorumNotifyDrained { link }),
            L::Close(link, why) => {
                tracing::info!(%link, %why, "closing a learner's link");
                self.queue.push(Output::QuorumClose { link });
            }
            L::WriteEpoch(which, epoch) => self.write_epoch(which, epoch),
            L::Append(proposal) => self.append(proposal),
            L::ReadHistory { link, from, up_to, begin, is_bounded } => {
                let bytes_max = if is_bounded { self.history_budget() } else { u64::MAX };
                let portion_bytes = self.config.sync.slice_bytes as u64;
                let request = HistoryRequest { from, up_to, begin, portion_bytes, bytes_max };
                self.disk.ask_history(link, request, &mut self.queue);
            }
            L::Serve => self.on_established(now),
            L::Committed(zxid) => self.on_committed(now, zxid),
            L::Request { link, session, cxid, op, body, auth } => {
                let decoded = DecodedBody::default();
                let request = Request { session, cxid, op, body, decoded, auth, origin: link.0 };
                let (leading, db, queue) = self.leading();
                leading.on_request(now, link, &request, db, queue);
            }
            L::Touch { session, timeout_ms } => {
                let (leading, _, queue) = self.leading();
                leading.touch(now, session, timeout_ms, queue);
            }
            L::Revalidate { link, session, timeout_ms } => {
                self.on_revalidate(now, link, session, timeout_ms);
            }
            L::SessionOver { session } => {
                self.step_service(now, server::Input::Revalidated { session, valid: false });
            }
            L::SyncDone { conn, zxid } => {
                self.step_service(now, server::Input::SyncDone { conn, zxid });
            }
            L::GiveUp(why) => self.become_draining(now, why),
            L::Note(note) => self.note(note),
        }
    }

    fn on_learner(&mut self, now: Now, output: learner::Output) {
        use learner::Output as L;
        match output {
            L::Dial(link, leader) => {
                self.leader_dials.dial(link, leader, &self.verifier, &mut self.queue);
            }
            L::Send(link, packet) => self.send_packet(link, &packet),
            L::Close(link) => self.leader_dials.close(link, &mut self.queue),
            L::WriteEpoch(which, epoch) => self.write_epoch(which, epoch),
            L::Append(proposal) => {
                self.count_proposal_received(now, &proposal);
                self.append(proposal);
            }
            L::Truncate { to } => {
                let request = LogRequest::Truncate { to };
                self.disk.ask_log(ForWhom::Replace, request, &mut self.queue);
            }
            L::InstallSnapshot { zxid, body } => self.install_snapshot(now, zxid, body),
            L::Serve => self.on_established(now),
            L::Committed(zxid) => {
                self.count_commit_received();
                self.on_committed(now, zxid);
            }
            L::SyncDone { conn, zxid } => {
                self.step_service(now, server::Input::SyncDone { conn, zxid });
            }
            L::Revalidated { session, valid } => {
                self.step_service(now, server::Input::Revalidated { session, valid });
            }
            L::ConfigVersion(version) => self.on_config_version(now, version),
            L::GiveUp(GaveUp::MembersChanged(why)) => self.end_over_members(&why),
            L::GiveUp(why) => self.become_draining(now, why),
            L::Note(note) => self.note(note),
        }
    }

    fn on_service(&mut self, now: Now, output: server::Output) {
        use server::Output as S;
        match output {
            S::Write(conn, bytes) => self.queue.push(Output::ClientWrite { conn, bytes }),
            S::Close(conn) => self.queue.push(Output::ClientClose { conn }),
            S::Pause(conn) => self.queue.push(Output::ClientPause { conn }),
            S::Resume(conn) => self.queue.push(Output::ClientResume { conn }),
            S::NotifyDrained(conn) => self.queue.push(Output::ClientNotifyDrained { conn }),
            S::Submit(request) => self.submit(now, request),
            S::Sync { conn, session, cxid, body } => {
                self.submit_sync(now, conn, session, cxid, body);
            }
            S::Revalidate { session, timeout_ms } => self.revalidate(now, session, timeout_ms),
            S::Touch { session, timeout_ms } => self.touch(now, session, timeout_ms),
        }
    }

    /// Events of the quorum port are of one link. A role that ends closes its links: what is said
    /// of them when no role, or the other one, is there means nothing to anybody.
    pub(super) fn on_quorum_event(&mut self, now: Now, event: QuorumEvent) {
        match event {
            QuorumEvent::Accepted { link, .. } if matches!(self.role, Role::Leading(_)) => {
                self.step_leader(now, leader::Input::Accepted(link));
            }
            QuorumEvent::Accepted { link, .. } if self.is_between_roles() => {
                self.early_learners.on_accepted(now, link, &mut self.queue);
            }
            QuorumEvent::Accepted { link, .. } => self.queue.push(Output::QuorumClose { link }),
            QuorumEvent::Connected { link } => {
                self.leader_dials.connected(link);
                self.step_learner(now, learner::Input::Connected(link));
            }
            QuorumEvent::DialFailed { link, why } => {
                self.step_learner(now, learner::Input::DialFailed(link, why.clone()));
                let next = match &self.role {
                    Role::Learning(learner) => learner.next_dial(),
                    _ => Mono::FAR,
                };
                self.leader_dials.failed(now, link, &why, next);
            }
            QuorumEvent::Packet { link, packet } => self.on_quorum_packet(now, link, packet),
            QuorumEvent::Packets { link, packets } => {
                for packet in packets {
                    if matches!(self.role, Role::Halted) {
                        return;
                    }
                    self.on_quorum_packet(now, link, packet);
                    self.dispatch(now);
                }
            }
            QuorumEvent::Progress { link } => {
                self.step_learner(now, learner::Input::Progress(link));
            }
            QuorumEvent::Snapshot { link, body } => {
                self.step_learner(now, learner::Input::Snapshot(link, body));
            }
            QuorumEvent::Lost { link, why } => {
                self.early_learners.on_lost(link);
                self.step_leader(now, leader::Input::Lost(link));
                self.step_learner(now, learner::Input::Lost(link, why));
            }
            // It is tried again when this server leads.
            QuorumEvent::BindFailed { why } if !matches!(self.role, Role::Leading(_)) => {
                tracing::warn!("cannot open the quorum port yet: {why}");
                self.early_learners.on_bind_failed();
            }
            QuorumEvent::BindFailed { why } => {
                let why = format!("cannot open the quorum port: {why}");
                // ExitCode.UNABLE_TO_BIND_QUORUM_PORT
                self.become_halted(Halt::new(14, why));
            }
            QuorumEvent::Drained { link } => self.step_leader(now, leader::Input::Drained(link)),
        }
    }

    fn on_quorum_packet(&mut self, now: Now, link: LinkId, packet: QuorumPacket) {
        let from_leader = matches!(self.role, Role::Learning(_));
        match Packet::decode(packet, from_leader) {
            Ok(packet) if from_leader => {
                self.step_learner(now, learner::Input::Packet(link, packet));
            }
            Ok(packet) if self.is_between_roles() => {
                self.early_learners.on_packet(link, packet, &mut self.queue);
            }
            Ok(packet) => self.step_leader(now, leader::Input::Packet(link, packet)),
            Err(error) => {
                tracing::warn!(%link, %error, "closing a quorum link: a packet does not decode");
                self.early_learners.on_lost(link);
                self.queue.push(Output::QuorumClose { link });
                self.step_learner(now, learner::Input::Lost(link, error.to_string()));
                self.step_leader(now, leader::Input::Lost(link));
            }
        }
    }

    /// Whether the next thing that this server becomes is not decided.
    fn is_between_roles(&self) -> bool {
        matches!(self.role, Role::Loading(_) | Role::Draining(_) | Role::Looking)
    }

    /// For the leader, if this server is one.
    pub(super) fn step_leader(&mut self, now: Now, input: leader::Input) {
        if let Role::Leading(leading) | Role::Standalone(leading) = &mut self.role {
            leading.step(now, input, &mut self.db, &mut self.queue);
        }
    }

    /// For the learner, if this server is one.
    pub(super) fn step_learner(&mut self, now: Now, input: learner::Input) {
        if let Role::Learning(learner) = &mut self.role {
            self.queue.of_learner(|out| learner.step(now, input, &mut self.db, out));
        }
    }

    pub(super) fn step_service(&mut self, now: Now, input: server::Input) {
        self.queue.of_service(|out| self.service.step(now, input, &self.db, out));
    }

    /// Of a leader's outputs, while it leads (PE-4).
    fn leading(
        &mut self,
    ) -> (&mut Leading, &mut crate::database::Database, &mut super::queue::Queue) {
        match &mut self.role {
            Role::Leading(leading) | Role::Standalone(leading) => {
                (leading, &mut self.db, &mut self.queue)
            }
            other => broken("PE-4", format!("an output of a leader while the role is {other:?}")),
        }
    }

    fn send_packet(&mut self, link: LinkId, packet: &Packet) {
        let (bytes, label): (Bytes, Label) = (packet.encode(), packet.label());
        self.queue.push(Output::QuorumWrite { link, bytes, label });
    }

    fn write_epoch(&mut self, which: EpochKind, epoch: Epoch) {
        let request = LogRequest::WriteEpoch { which, epoch };
        self.disk.ask_log(ForWhom::Role, request, &mut self.queue);
    }

    /// Bytes of Apache's txn log sync: a share of what a snapshot would cost.
    fn history_budget(&self) -> u64 {
        let snapshot_bytes = self.db.tree().approximate_data_size() as f64;
        (snapshot_bytes * self.config.sync.snapshot_size_factor) as u64
    }

    /// A session wants to go on at that learner.
    fn on_revalidate(&mut self, now: Now, link: LinkId, session: SessionId, timeout_ms: i32) {
        self.metrics.count(Counter::RevalidateCount);
        let (leading, db, queue) = self.leading();
        if leading.take_over(now, session, timeout_ms, SessionAt::Learner(link), db, queue) {
            self.step_service(now, server::Input::SessionMoved { session });
            self.step_leader(now, leader::Input::Revalidated { link, session });
        }
    }
}

#[cfg(test)]
#[path = "dispatch_test.rs"]
mod tests;
