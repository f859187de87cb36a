//! What is asked at the admin port and the metrics port.

use super::core::Peer;
use super::io::Output;
use super::role::Role;
use crate::admin::{AdminEvent, Answer, Health, Question, Report, Stopping};
use crate::admin::{answer_command, live, metrics, ready, safe_to_stop};
use crate::base::{Now, ServerId};

impl Peer {
    pub(super) fn on_admin_event(&mut self, now: Now, event: AdminEvent) {
        let AdminEvent::Asked { number, question } = event;
        let answer = self.answer_question(now, question);
        self.queue.push(Output::AdminAnswer { number, answer });
    }

    fn answer_question(&self, now: Now, question: Question) -> Answer {
        match question {
            Question::Live => live(),
            Question::Ready => ready(&self.health()),
            Question::SafeToStop { server } => {
                let server = server.unwrap_or(self.config.my_id);
                safe_to_stop(&self.health(), self.stopping(now, server))
            }
            Question::Metrics => metrics(&self.server_stats(now)),
            Question::Command(command) => {
                let report = Report {
                    stats: &self.server_stats(now),
                    config: &self.config,
                    leader: self.whose_epoch(),
                    last_zxid: self.db.last_logged(),
                    zab_state: self.zab_state(),
                };
                answer_command(command, &report)
            }
        }
    }

    fn health(&self) -> Health {
        Health {
            serves: self.service.is_serving(),
            reads_only: self.service.is_read_only(),
            leader: self.whose_epoch(),
            me: self.config.my_id,
            is_alone: matches!(self.role, Role::Standalone(_)),
        }
    }

    /// Who leads this server, itself included.
    fn whose_epoch(&self) -> Option<ServerId> {
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
