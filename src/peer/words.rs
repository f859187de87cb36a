//! The numbers behind the four-letter words.

use bytes::Bytes;

use super::core::Peer;
use super::io::Output;
use super::role::Role;
use crate::admin::{ClientLine, LeaderStats, Mode, ServerStats, answer};
use crate::base::{ConnId, Now, RoleName};
use crate::server::{self, ConnectionLine};

impl Peer {
    pub(super) fn answer_word(&mut self, now: Now, conn: ConnId, word: [u8; 4]) {
        self.step_service(now, server::Input::Word { conn });
        let stats = self.server_stats(now);
        let text = answer(word, &stats, &self.config.four_letter_words);
        self.queue.push(Output::ClientWrite { conn, bytes: Bytes::from(text) });
        self.queue.push(Output::ClientClose { conn });
    }

    fn mode(&self) -> Mode {
        match self.role_name() {
            RoleName::Standalone => Mode::Standalone,
            // No member of a quorum for now: it shows neither its size nor a peer state.
            _ if self.service.is_read_only() => Mode::Standalone,
            RoleName::Leading => Mode::Leader,
            RoleName::Observing => Mode::Observer,
            RoleName::Following | RoleName::Looking => Mode::Follower,
        }
    }

    pub(super) fn server_stats(&self, now: Now) -> ServerStats {
        let service = self.service.stats();
        let tree = self.db.tree();
        let millis = |since| now.mono.since(since).as_millis() as u64;
        ServerStats {
            serving: self.service.is_serving() || self.service.is_read_only(),
            read_only: self.service.is_read_only(),
            mode: self.mode(),
            latency_min_ms: service.latency_min_ms,
            latency_avg_ms: service.latency_sum_ms as f64 / service.latency_count.max(1) as f64,
            latency_max_ms: service.latency_max_ms,
            received: service.received,
            sent: service.sent,
            outstanding: self.service.outstanding_count() as u64,
            zxid: self.shown_zxid(),
            node_count: tree.node_count() as u64,
            watch_count: self.service.watch_count() as u64,
            ephemerals_count: tree.ephemerals_count() as u64,
            approximate_data_size: tree.approximate_data_size().max(0) as u64,
            global_sessions: self.db.sessions().len() as u64,
            local_sessions: self.service.local_session_count() as u64,
            uptime_ms: millis(self.course.since),
            election_ms: (!self.config.is_standalone())
                .then_some(self.course.last_election.as_millis() as u64),
            slow_steps: self.slow_steps.count,
            slow_step_max_ms: self.slow_steps.longest.as_millis() as u64,
            file_descriptors: None,
            quorum_size: if self.mode() == Mode::Standalone {
                0
            } else {
                self.verifier.voters().count() as u64
            },
            leader: self.leader_stats(now),
            observer_master: match &self.role {
                Role::Learning(learner) if self.mode() == Mode::Observer => Some(learner.leader()),
                _ => None,
            },
            clients: self.client_lines(),
        }
    }

    /// A leader that has proposed nothing yet shows the beginning of its epoch, as Apache does.
    fn shown_zxid(&self) -> crate::base::Zxid {
        let applied = self.db.last_applied();
        match &self.role {
            Role::Leading(leading) if leading.leader().is_established() => {
                applied.max(crate::base::Zxid::new(leading.leader().epoch(), 0))
            }
            _ => applied,
        }
    }

    fn leader_stats(&self, now: Now) -> Option<LeaderStats> {
        let Role::Leading(leading) = &self.role else { return None };
        let (learners, followers, observers) = leading.leader().learner_counts();
        let syncs: Vec<_> = leading.leader().syncs(&self.db).collect();
        let sizes = leading.sizes();
        Some(LeaderStats {
            proposal_sizes: (sizes.max > 0).then_some((
                sizes.last as u64,
                sizes.min as u64,
                sizes.max as u64,
            )),
            learners: learners as u64,
            synced_followers: followers as u64,
            synced_observers: observers as u64,
            syncing_learners: syncs.len() as u64,
            syncing_bytes: syncs.iter().map(|sync| sync.sent_bytes).sum(),
            syncing_percent: syncs.iter().map(|sync| sync.percent).min(),
            pending_syncs: 0,
            uptime_ms: now.mono.since(self.course.since).as_millis() as u64,
        })
    }

    fn client_lines(&self) -> Vec<ClientLine> {
        let line = |line: ConnectionLine| ClientLine {
            address: line.peer,
            has_session: line.has_session,
            queued: line.queued as u64,
            received: line.received,
            sent: line.sent,
        };
        self.service.connection_lines().map(line).collect()
    }
}
