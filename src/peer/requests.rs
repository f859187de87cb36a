//! A client's write on its way: prepared by the leader, proposed, committed, applied, answered.

use std::rc::Rc;

use bytes::Bytes;

use super::core::{ForWhom, Output, Peer, Role};
use crate::base::{ConnId, LinkId, Note, Now, SessionId, Zxid};
use crate::jute::client::op;
use crate::jute::data::Id;
use crate::jute::txn::{Proposal, Txn};
use crate::prepare::Request;
use crate::server;
use crate::server::driver::ClientEvent;
use crate::session::LOCAL_OWNER;
use crate::storage::LogRequest;
use crate::zab::leader::{self, SyncOrigin};
use crate::zab::learner;

impl Peer {
    pub(super) fn on_client_event(&mut self, now: Now, event: ClientEvent) {
        use server::Input as S;
        let input = match event {
            ClientEvent::Accepted { conn, peer, subject } => S::Accepted { conn, peer, subject },
            ClientEvent::Frame { conn, body } => S::Frame { conn, body },
            ClientEvent::Lost { conn } => S::Lost { conn },
            ClientEvent::Drained { conn } => S::Drained { conn },
            ClientEvent::Word { conn, word } => return self.answer_word(now, conn, word),
            ClientEvent::BindFailed { why } => {
                let why = format!("cannot open the client port: {why}");
                return self.halt(crate::runtime::Halt::unexpected(why));
            }
        };
        self.step_service(now, input);
    }

    pub(super) fn step_service(&mut self, now: Now, input: server::Input) {
        let mut outputs = Vec::new();
        self.service.step(now, input, &self.db, &mut outputs);
        self.route_service(now, outputs);
    }

    fn route_service(&mut self, now: Now, outputs: Vec<server::Output>) {
        use server::Output as S;
        for output in outputs {
            match output {
                S::Write(conn, bytes) => self.out.push(Output::ClientWrite { conn, bytes }),
                S::Close(conn) => self.out.push(Output::ClientClose { conn }),
                S::Pause(conn) => self.out.push(Output::ClientPause { conn }),
                S::Resume(conn) => self.out.push(Output::ClientResume { conn }),
                S::NotifyDrained(conn) => self.out.push(Output::ClientNotifyDrained { conn }),
                S::Submit(request) => self.submit(now, request),
                S::Sync { conn, session, cxid, body } => {
                    self.submit_sync(now, conn, session, cxid, body);
                }
                S::Revalidate { session, timeout_ms } => {
                    self.revalidate_here(now, session, timeout_ms);
                }
                S::Touch { session, timeout_ms } => match &self.role {
                    Role::Learning(_) => {
                        self.step_learner(now, learner::Input::Touch { session, timeout_ms });
                    }
                    _ => self.touch(now, session, timeout_ms),
                },
            }
        }
    }

    /// To the leader: by a call, or by a REQUEST.
    fn submit(&mut self, now: Now, request: Request) {
        match &self.role {
            Role::Leading(_) | Role::Standalone(_) => self.propose(now, request),
            Role::Learning(_) => {
                let Request { session, cxid, op, body, auth, .. } = request;
                let is_session = matches!(op, op::CREATE_SESSION | op::CLOSE_SESSION);
                let auth = if is_session { None } else { Some(auth) };
                let input = learner::Input::Request { session, cxid, op, body, auth };
                self.step_learner(now, input);
            }
            _ => {}
        }
    }

    /// Prepares a request against everything proposed before it, and proposes it.
    fn propose(&mut self, now: Now, request: Request) {
        let (Role::Leading(leader) | Role::Standalone(leader)) = &mut self.role else { return };
        let Some(tracker) = self.tracker.as_mut() else { return };
        let zxid = leader.next_zxid();
        let proposal = self.prepare.prepare(&request, zxid, now, self.db.tree(), tracker);
        let proposal = Rc::new(proposal);
        self.proposal_sizes.add(proposal.bytes().len());
        self.step_leader(now, leader::Input::Propose(proposal));
    }

    #[allow(clippy::too_many_arguments)] // the fields of a REQUEST
    pub(super) fn on_learner_request(
        &mut self,
        now: Now,
        link: LinkId,
        session: SessionId,
        cxid: i32,
        op: i32,
        body: Bytes,
        auth: Vec<Id>,
    ) {
        let timeout_ms = self.tracker.as_ref().and_then(|tracker| tracker.timeout_ms(session));
        self.touch(now, session, timeout_ms.unwrap_or(0));
        if op == op::SYNC {
            return self.step_leader(now, leader::Input::Sync(SyncOrigin::Learner(link)));
        }
        // Whatever it is, somebody waits for the answer: what is no record becomes an error
        // transaction.
        let request = Request { session, cxid, op, body, auth, origin: link.0 };
        self.propose(now, request);
    }

    fn submit_sync(&mut self, now: Now, conn: ConnId, session: SessionId, cxid: i32, body: Bytes) {
        match &self.role {
            Role::Leading(_) | Role::Standalone(_) => {
                self.step_leader(now, leader::Input::Sync(SyncOrigin::Local(conn)));
            }
            Role::Learning(_) => {
                self.step_learner(now, learner::Input::Sync { conn, session, cxid, body });
            }
            _ => {}
        }
    }

    pub(super) fn on_sync_done(&mut self, now: Now, conn: ConnId, zxid: Zxid) {
        self.step_service(now, server::Input::SyncDone { conn, zxid });
    }

    /// A session wants to go on at this server: the leader knows whether it lives.
    fn revalidate_here(&mut self, now: Now, session: SessionId, timeout_ms: i32) {
        match &self.role {
            Role::Learning(_) => {
                self.step_learner(now, learner::Input::Revalidate { session, timeout_ms });
            }
            _ => {
                let valid = self.take_over(now, session, timeout_ms, LOCAL_OWNER);
                self.on_revalidated(now, session, valid);
            }
        }
    }

    /// A session wants to go on at that learner.
    pub(super) fn on_revalidate(
        &mut self,
        now: Now,
        link: LinkId,
        session: SessionId,
        timeout_ms: i32,
    ) {
        let valid = self.take_over(now, session, timeout_ms, link.0);
        if valid {
            self.step_service(now, server::Input::SessionMoved { session });
        }
        self.step_leader(now, leader::Input::Revalidated { link, session, valid });
    }

    fn take_over(&mut self, now: Now, session: SessionId, timeout_ms: i32, owner: u64) -> bool {
        let Some(tracker) = self.tracker.as_mut() else { return false };
        let alive = tracker.touch(session, timeout_ms, now.mono);
        if alive {
            tracker.set_owner(session, owner);
            self.note(Note::SessionTouched { session });
        }
        alive
    }

    pub(super) fn on_revalidated(&mut self, now: Now, session: SessionId, valid: bool) {
        self.step_service(now, server::Input::Revalidated { session, valid });
    }

    pub(super) fn touch(&mut self, now: Now, session: SessionId, timeout_ms: i32) {
        if let Some(tracker) = self.tracker.as_mut()
            && tracker.touch(session, timeout_ms, now.mono)
        {
            self.note(Note::SessionTouched { session });
        }
    }

    pub(super) fn close_expired_sessions(&mut self, now: Now) {
        let Some(tracker) = self.tracker.as_mut() else { return };
        if tracker.next_expiry().is_none_or(|at| now.mono < at) {
            return;
        }
        let expired = tracker.expire_sessions(now.mono);
        let with_timeout = |session| (session, tracker.timeout_ms(session).unwrap_or(0));
        let expired: Vec<(SessionId, i32)> = expired.into_iter().map(with_timeout).collect();
        for (session, timeout) in expired {
            let timeout_ms = u32::try_from(timeout).unwrap_or(0);
            self.note(Note::SessionExpired { session, timeout_ms });
            self.propose(
                now,
                Request {
                    session,
                    cxid: 0,
                    op: op::CLOSE_SESSION,
                    body: Bytes::new(),
                    auth: Vec::new(),
                    origin: LOCAL_OWNER,
                },
            );
        }
    }

    pub(super) fn reap_containers(&mut self, now: Now) {
        while let Some(reaper) = self.reaper.as_mut()
            && let Some(request) = reaper.reap(now, self.db.tree())
        {
            self.propose(now, request);
        }
    }

    pub(super) fn on_service_timer(&mut self, now: Now) {
        if now.mono >= self.service.next_deadline() {
            self.step_service(now, server::Input::Timer);
        }
    }

    pub(super) fn append(&mut self, proposal: Rc<Proposal>) {
        self.note(Note::Appended { zxid: proposal.zxid(), hash: proposal.hash() });
        self.ask_log(ForWhom::Role, LogRequest::Append(proposal));
    }

    /// Transactions wait to be applied: in turn while we serve, at once while we do not yet. Then
    /// no further than to `zxid`: what the same step committed behind it has its own turn (S-15).
    pub(super) fn on_committed(&mut self, now: Now, zxid: Zxid) {
        if !self.service.is_serving() {
            while self.db.next_to_apply().is_some_and(|next| next <= zxid) {
                self.apply_one(now);
            }
        }
    }

    /// Applies one committed transaction, fires watches and answers clients.
    pub(super) fn apply_one(&mut self, now: Now) {
        let Some((proposal, applied)) = self.db.apply_next() else { return };
        let state_digest = self.db.state_digest();
        self.note(Note::Applied { zxid: proposal.zxid(), hash: proposal.hash(), state_digest });
        self.prepare.applied(proposal.zxid());
        if let (Some(tracker), Txn::CloseSession(_)) = (self.tracker.as_mut(), &proposal.txn) {
            tracker.remove(proposal.header.client_id);
        }
        if let Txn::CloseSession(_) = &proposal.txn {
            self.step_learner(now, learner::Input::SessionClosed(proposal.header.client_id));
        }
        self.step_service(now, server::Input::Applied { proposal, applied });
        self.count_for_snapshot();
    }
}

impl super::core::ProposalSizes {
    fn add(&mut self, bytes: usize) {
        self.last = bytes;
        self.max = self.max.max(bytes);
        self.min = if self.min == 0 { bytes } else { self.min.min(bytes) };
    }
}
