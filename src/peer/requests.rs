//! A client's request on its way: to the leader, and back when its transaction is applied.
//!
//! - PE-7  what a client asks is passed over only where no role serves any more.

use std::rc::Rc;

use bytes::Bytes;

use super::core::Peer;
use super::disk::ForWhom;
use super::role::Role;
use crate::base::invariant::invariant;
use crate::base::{ConnId, Note, Now, SessionId, Zxid};
use crate::jute::client::op;
use crate::jute::txn::{Proposal, Txn};
use crate::metrics::Counter;
use crate::prepare::Request;
use crate::runtime::Halt;
use crate::server;
use crate::server::driver::ClientEvent;
use crate::storage::LogRequest;
use crate::zab::leader;
use crate::zab::leader::{SessionAt, SyncOrigin};
use crate::zab::learner;

impl Peer {
    pub(super) fn on_client_event(&mut self, now: Now, event: ClientEvent) {
        use server::Input as S;
        let input = match event {
            ClientEvent::Accepted { conn, peer, subject } => S::Accepted { conn, peer, subject },
            ClientEvent::Frame { conn, body } => S::Frame { conn, body },
            ClientEvent::Lost { conn } => {
                self.words.forget(conn);
                self.on_closed(conn);
                S::Lost { conn }
            }
            ClientEvent::Drained { conn } => S::Drained { conn },
            ClientEvent::Word { conn, word, mask } => {
                return self.answer_word(now, conn, word, mask);
            }
            ClientEvent::BindFailed { why } => {
                let why = format!("cannot open the client port: {why}");
                return self.become_halted(Halt::unexpected(why));
            }
        };
        self.step_service(now, input);
    }

    /// To the leader: here, or by a REQUEST.
    pub(super) fn submit(&mut self, now: Now, request: Request) {
        match &mut self.role {
            Role::Leading(leading) | Role::Standalone(leading) => {
                leading.propose(now, &request, &mut self.db, &mut self.queue);
            }
            Role::Learning(_) => {
                let Request { session, cxid, op, body, auth, .. } = request;
                let is_session = matches!(op, op::CREATE_SESSION | op::CLOSE_SESSION);
                let auth = if is_session { None } else { Some(auth) };
                self.step_learner(now, learner::Input::Request { session, cxid, op, body, auth });
            }
            Role::Loading(_) | Role::Draining(_) | Role::Looking | Role::Halted => {
                self.pass_over("a request");
            }
        }
    }

    pub(super) fn submit_sync(
        &mut self,
        now: Now,
        conn: ConnId,
        session: SessionId,
        cxid: i32,
        body: Bytes,
    ) {
        match &self.role {
            Role::Leading(_) | Role::Standalone(_) => {
                self.step_leader(now, leader::Input::Sync(SyncOrigin::Local(conn)));
            }
            Role::Learning(_) => {
                self.step_learner(now, learner::Input::Sync { conn, session, cxid, body });
            }
            Role::Loading(_) | Role::Draining(_) | Role::Looking | Role::Halted => {
                self.pass_over("a sync");
            }
        }
    }

    /// A session wants to go on at this server: the leader knows whether it lives.
    pub(super) fn revalidate(&mut self, now: Now, session: SessionId, timeout_ms: i32) {
        match &mut self.role {
            Role::Leading(leading) | Role::Standalone(leading) => {
                let (at, db, queue) = (SessionAt::Here, &mut self.db, &mut self.queue);
                if leading.take_over(now, session, timeout_ms, at, db, queue) {
                    self.step_service(now, server::Input::Revalidated { session, valid: true });
                }
            }
            Role::Learning(_) => {
                self.step_learner(now, learner::Input::Revalidate { session, timeout_ms });
            }
            Role::Loading(_) | Role::Draining(_) | Role::Looking | Role::Halted => {
                self.pass_over("a session that wants to go on");
            }
        }
    }

    pub(super) fn touch(&mut self, now: Now, session: SessionId, timeout_ms: i32) {
        match &mut self.role {
            Role::Leading(leading) | Role::Standalone(leading) => {
                leading.touch(now, session, timeout_ms, &mut self.queue);
            }
            Role::Learning(_) => {
                self.step_learner(now, learner::Input::Touch { session, timeout_ms });
            }
            Role::Loading(_) | Role::Draining(_) | Role::Looking | Role::Halted => {
                self.pass_over("a touch");
            }
        }
    }

    /// The client asked while the role lasted, and was sent away with it (PE-7).
    fn pass_over(&self, what: &str) {
        let serves = self.service.is_serving() && !matches!(self.role, Role::Halted);
        invariant!(!serves, "PE-7", "{what} of a client, and the role is {:?}", self.role);
    }

    pub(super) fn append(&mut self, proposal: Rc<Proposal>) {
        let noted = || Note::Appended { zxid: proposal.zxid(), hash: proposal.hash() };
        self.queue.note_routine(noted);
        self.metrics.count(Counter::SyncProcessorRequestQueued);
        self.disk.ask_log(ForWhom::Role, LogRequest::Append(proposal), &mut self.queue);
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
        let Some((proposal, applied)) = self.db.apply_next() else {
            return; // A change of role applied it since this input was asked for.
        };
        self.queue.note_routine(|| Note::Applied {
            zxid: proposal.zxid(),
            hash: proposal.hash(),
            state_digest: self.db.state_digest(),
        });
        self.count_applied(now, &proposal);
        match (&mut self.role, &proposal.txn) {
            (Role::Leading(leading) | Role::Standalone(leading), _) => leading.applied(&proposal),
            (Role::Learning(_), Txn::CloseSession(_)) => {
                let session = proposal.header.client_id;
                self.step_learner(now, learner::Input::SessionClosed(session));
            }
            _ => {} // A learner remembers nothing else that could end here.
        }
        self.step_service(now, server::Input::Applied { proposal, applied });
        self.disk.on_applied(self.service.is_serving(), &self.db, &mut self.queue);
    }
}
