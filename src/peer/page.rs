//! What the page for an operator is told of this server and its ensemble.
//!
//! Not here: nodes and sessions (page_tree.rs), the answers (admin/page).

use std::time::Duration;

use super::core::Peer;
use super::role::Role;
use crate::admin::Answer;
use crate::admin::page::{self, PageQuestion, Turn};
use crate::admin::page::{BusyClient, Clients, Counts, Figures, Glance, Interval, Learner};
use crate::admin::page::{Member, State};
use crate::base::{GaveUp, Now, ServerId};
use crate::config::{LearnerType, ServerSpec};
use crate::metrics::{Counter, Summary};
use crate::runtime::HostPort;

/// Clients that wait are told of by name, so many of them.
const WORST_CLIENTS: usize = 5;

impl Peer {
    pub(super) fn on_page_question(&mut self, now: Now, number: u64, question: PageQuestion) {
        let answer = match question {
            PageQuestion::Glance => {
                self.metrics.forget_old(now.mono);
                page::glance(&self.glance(now))
            }
            PageQuestion::History { behind_ms } => page::history(&self.page.history, behind_ms),
            question => self.answer_bounded(now, question),
        };
        self.answer_command(number, answer);
    }

    /// What takes its time, and is asked for by whoever reaches the port: not too often.
    fn answer_bounded(&mut self, now: Now, question: PageQuestion) -> Answer {
        if !self.page.allowance.take(now.mono, page::Cost::Question) {
            return page::refused(page::Refusal::TooOften);
        }
        match question {
            PageQuestion::Sessions { from } => page::sessions(&self.sessions_from(from)),
            PageQuestion::Session { id, list, behind } => {
                let (paths, more) = self.paths_of(id, list, behind.as_deref());
                page::session_paths(&paths, more)
            }
            PageQuestion::Node(question) => self.answer_node(now, &question),
            PageQuestion::Glance | PageQuestion::History { .. } => unreachable!("answered before"),
        }
    }

    /// Ten seconds are over.
    pub(super) fn end_interval(&mut self, now: Now) {
        self.metrics.forget_old(now.mono);
        let (counts, figures) = (self.counts(now), self.figures());
        let lags = self.learners(now).into_iter().filter_map(|(_, learner)| learner.unacked_ms);
        let lag_ms = matches!(self.role, Role::Leading(_)).then(|| lags.max().unwrap_or(0));
        let (serves, metrics, seen) = (self.serves(), &self.metrics, &mut self.page.seen);
        let since = counts.since(&std::mem::replace(&mut seen.counts, counts));
        let interval = Interval {
            at_ms: now.wall_ms,
            took_ms: since.mono_ms,
            reads: since.reads,
            writes: since.writes,
            txns: since.txns,
            latency_ms: metrics.requests_since(&mut seen.requests),
            fsync_us: metrics.since(Summary::FsyncLatency, &mut seen.fsyncs),
            commit_us: metrics.since(Summary::CommitLatency, &mut seen.commits),
            outstanding: figures.outstanding,
            log_waiting_bytes: figures.log_waiting_bytes,
            connections: figures.connections,
            sessions: figures.sessions + figures.local_sessions,
            nodes: figures.nodes,
            data_bytes: figures.data_bytes,
            lag_ms,
            serves,
        };
        self.page.history.push(interval);
    }

    pub(super) fn note_elected(&mut self, now: Now, leader: ServerId) {
        let took_ms = millis(now.mono.since(self.course.since));
        self.page.changes.push(now.wall_ms, Turn::Elected { leader, took_ms });
    }

    /// Clients are served from now on.
    pub(super) fn note_serving(&mut self, now: Now) {
        let Some(since) = self.course.unavailable_since else { return };
        let turn = Turn::Serves {
            role: self.role_name(),
            leader: self.whose_epoch().unwrap_or(self.config.my_id),
            epoch: self.db.current_epoch(),
            unserved_ms: millis(now.mono.since(since)),
        };
        self.page.changes.push(now.wall_ms, turn);
    }

    pub(super) fn note_role_ended(&mut self, now: Now, why: &GaveUp) {
        let lasted_ms = millis(now.mono.since(self.course.since));
        self.page.changes.push(now.wall_ms, Turn::ended(self.role_name(), lasted_ms, why));
    }

    fn glance(&self, now: Now) -> Glance<'_> {
        let (config, metrics) = (&self.config, &self.metrics);
        let servers = self.members(now);
        Glance {
            me: config.my_id,
            at_ms: now.wall_ms,
            role: self.role_name(),
            serves: self.service.is_serving(),
            reads_only: self.service.is_read_only(),
            leader: self.whose_epoch(),
            epoch: self.db.current_epoch(),
            applied: self.shown_zxid(),
            durable: self.db.durable(),
            since_ms: millis(now.mono.since(self.course.since)),
            unserved_ms: self.course.unavailable_since.map(|at| millis(now.mono.since(at))),
            leader_heard_ms: match &self.role {
                Role::Learning(learner) => learner.heard_ago(now.mono).map(millis),
                _ => None,
            },
            sync_timeout: config.sync_timeout(),
            tick: config.tick_time,
            fsync_warning: config.fsync_warning,
            can_lose_one: self.can_lose_one(now, &servers),
            servers,
            counts: self.counts(now),
            figures: self.figures(),
            latency_ms: metrics.latency(),
            fsync_us: metrics.digest(Summary::FsyncLatency),
            commit_us: metrics.digest(Summary::CommitLatency),
            quorum_wait_us: metrics.digest(Summary::QuorumWait),
            clients: self.waiting_clients(),
            history: &self.page.history,
            changes: &self.page.changes,
            shows_tree: config.admin.page_tree_enabled,
        }
    }

    fn members(&self, now: Now) -> Vec<Member> {
        let learners = self.learners(now);
        let member = |(sid, spec): (&ServerId, &ServerSpec)| {
            let learner = learners.iter().find(|(known, _)| known == sid);
            Member {
                sid: *sid,
                votes: spec.learner_type == LearnerType::Participant,
                quorum: spec.quorum.to_string(),
                client: spec.client.as_ref().map(HostPort::to_string),
                page: self.config.admin.page_servers.get(sid).map(HostPort::to_string),
                state: match (&self.role, learner) {
                    _ if *sid == self.config.my_id => State::Itself,
                    (_, Some((_, learner))) => State::Learns(learner.clone()),
                    (Role::Leading(_), None) => State::Absent,
                    (Role::Learning(learner), None) if learner.leader() == *sid => State::Leads,
                    _ => State::Unknown,
                },
            }
        };
        self.config.servers.iter().map(member).collect()
    }

    /// What a leader knows of those it leads.
    fn learners(&self, now: Now) -> Vec<(ServerId, Learner)> {
        let Role::Leading(leading) = &self.role else { return Vec::new() };
        let learners = leading.leader().learners(now.mono, &self.db);
        let shown = learners.map(|figures| {
            let learner = Learner {
                is_observer: figures.is_observer,
                serves: figures.serves,
                phase: figures.phase,
                heard_ms: millis(figures.heard),
                acked: figures.acked,
                unacked: figures.unacked as u64,
                unacked_ms: figures.oldest_unacked.map(millis),
                sync: figures.sync.map(|sync| (sync.percent, sync.sent_bytes)),
                acks_ms: self.metrics.ack_latency(figures.sid),
            };
            (figures.sid, learner)
        });
        shown.collect()
    }

    /// Whether a quorum stays whichever voter goes next.
    fn can_lose_one(&self, now: Now, members: &[Member]) -> bool {
        let Role::Leading(leading) = &self.role else { return false };
        let others = members.iter().filter(|m| m.votes && matches!(m.state, State::Learns(_)));
        others.into_iter().all(|member| leading.leader().has_quorum_without(now, member.sid))
    }

    fn counts(&self, now: Now) -> Counts {
        let (reads, writes) = self.metrics.answered();
        let txns = self.metrics.counted(Counter::RequestCommitQueued);
        Counts { mono_ms: now.mono.millis(), reads, writes, txns }
    }

    fn figures(&self) -> Figures {
        let (service, tree, waiting) = (&self.service, self.db.tree(), self.disk.waiting());
        let stats = service.stats();
        Figures {
            connections: service.connections().count() as u64,
            sessions: self.db.sessions().len() as u64,
            local_sessions: service.local_session_count() as u64,
            watches: service.watch_count() as u64,
            nodes: tree.node_count() as u64,
            ephemerals: tree.ephemerals_count() as u64,
            data_bytes: tree.approximate_data_size().max(0) as u64,
            outstanding: service.outstanding_count() as u64,
            outstanding_max: self.config.limits.outstanding_max.into(),
            log_waiting_txns: waiting.txns as u64,
            log_waiting_bytes: waiting.bytes as u64,
            unsent_bytes: service.unsent_bytes() as u64,
            descriptors: self.words.file_descriptors(),
            drop_chance: service.drop_chance(),
            slow_fsyncs: self.metrics.counted(Counter::FsyncThresholdExceedCount),
            received: stats.received,
            sent: stats.sent,
            snapshot: self.snapshots.last(),
        }
    }

    fn waiting_clients(&self) -> Clients {
        let waiting = self.service.waiting_connections(WORST_CLIENTS);
        let worst = waiting.worst.iter().filter_map(|(_, conn)| {
            let (line, flow) = self.service.connection(*conn)?;
            Some(BusyClient {
                address: line.peer,
                session: line.session.map(|session| session.session.to_string()),
                unread_bytes: flow.unread_bytes as u64,
                queued: line.queued as u64,
            })
        });
        Clients {
            paused: waiting.paused as u64,
            unread: waiting.unread as u64,
            worst: worst.collect(),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
