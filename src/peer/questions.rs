//! What is asked at the admin port and the metrics port.
//!
//! Not here: the answers (admin), and what a server shows for them (shown.rs).

use super::core::Peer;
use super::io::Output;
use super::leaving::Asker;
use super::role::Role;
use super::shown::ShownPeer;
use crate::admin::{AdminEvent, Answer, Command, Health, Membership, Question, Stopping};
use crate::admin::{answer_command, live, metrics, ready, safe_to_stop};
use crate::base::{Now, ServerId};
use crate::storage::DirSizes;

impl Peer {
    pub(super) fn on_admin_event(&mut self, now: Now, event: AdminEvent) {
        let (number, question) = match event {
            AdminEvent::Asked { number, question } => (number, question),
            AdminEvent::IntervalEnded => return self.end_interval(now),
        };
        match question {
            Question::Page(question) => return self.on_page_question(now, number, question),
            Question::Snapshot(question) => {
                return self.on_snapshot_question(now, number, &question);
            }
            Question::TxnLog { from, proof } => {
                return self.on_txn_log_question(number, from, &proof);
            }
            Question::SetTraceMask(mask) => self.words.set_trace_mask(Some(mask)),
            Question::Command(Command::ConnectionStatReset) => {
                self.service.reset_connection_stats();
            }
            Question::Command(Command::StatReset) => self.reset_stats(),
            Question::Command(Command::HandOver) => {
                return self.hand_over(now, Some(Asker::Command(number)));
            }
            Question::Command(command) if command.tells_sizes() && self.service.is_serving() => {
                self.words.let_command_wait(number, command);
                return self.disk.ask_sizes(&mut self.queue);
            }
            _ => {}
        }
        self.answer_question(now, number, question, DirSizes::default());
    }

    pub(super) fn answer_question(
        &mut self,
        now: Now,
        number: u64,
        question: Question,
        sizes: DirSizes,
    ) {
        let answer = self.answer_to(now, question, sizes);
        self.answer_command(number, answer);
    }

    pub(super) fn answer_command(&mut self, number: u64, answer: Answer) {
        self.queue.push(Output::AdminAnswer { number, answer });
    }

    fn answer_to(&self, now: Now, question: Question, sizes: DirSizes) -> Answer {
        let shown = ShownPeer { peer: self, now, sizes };
        match question {
            Question::Live => live(),
            Question::Ready => ready(&self.health()),
            Question::SafeToStop { server } => {
                let server = server.unwrap_or(self.config.my_id);
                safe_to_stop(&self.health(), self.stopping(now, server))
            }
            Question::Metrics => metrics(&shown),
            Question::SetTraceMask(_) => self.answer_to_command(Command::SetTraceMask, &shown),
            Question::Snapshot(_) => self.answer_to_command(Command::Snapshot, &shown),
            Question::TxnLog { .. } => self.answer_to_command(Command::TxnLog, &shown),
            Question::Command(command) => self.answer_to_command(command, &shown),
            Question::Page(_) => unreachable!("answered when it came"),
        }
    }

    fn answer_to_command(&self, command: Command, shown: &ShownPeer<'_>) -> Answer {
        let membership = Membership {
            config: &self.config,
            leader: self.whose_epoch(),
            last_zxid: self.db.last_logged(),
            zab_state: self.zab_state(),
        };
        answer_command(command, shown, &membership)
    }

    fn health(&self) -> Health {
        Health {
            serves: self.service.is_serving(),
            turns_away: self.service.turns_away(),
            reads_only: self.service.is_read_only(),
            leader: self.whose_epoch(),
            me: self.config.my_id,
            is_alone: matches!(self.role, Role::Standalone(_)),
        }
    }

    /// Who leads this server, itself included.
    pub(super) fn whose_epoch(&self) -> Option<ServerId> {
        match &self.role {
            Role::Leading(_) => Some(self.config.my_id),
            Role::Learning(learner) => Some(learner.leader()),
            _ => None,
        }
    }

    fn stopping(&self, now: Now, server: ServerId) -> Stopping {
        let quorum_stays = match &self.role {
            Role::Leading(leading) => leading.leader().has_quorum_without(now, server),
            _ => false,
        };
        Stopping { server, is_voter: self.verifier.is_voter(server), quorum_stays }
    }

    /// `zabstate`. (QuorumPeer.ZabState)
    fn zab_state(&self) -> &'static str {
        match &self.role {
            Role::Leading(_) | Role::Learning(_) if self.service.is_serving() => "broadcast",
            Role::Leading(leading) => leading.leader().zab_state(),
            Role::Learning(learner) => learner.zab_state(),
            _ => "election",
        }
    }
}
