//! What this server shows to the four-letter words. (ServerStats, ZooKeeperServer's dumps)
//!
//! Not here: which word shows what (admin), when it is answered (words.rs).

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use super::core::Peer;
use super::role::Role;
use crate::admin::{
    ClientLine, Conf, Dump, ExpiryBucket, LastOp, LeaderStats, Mode, ObserverLine, QuorumConf,
    ServerStats, SessionLine, SessionsDump, Shown, WatchSummary,
};
use crate::base::{Mono, Now, RoleName, SessionId, Zxid, paths};
use crate::config::LearnerType;
use crate::metrics::{Counter, Family, Kind, Value};
use crate::runtime::{Environment, HostPort};
use crate::server::{self, ConnectionLine};
use crate::session::SessionTracker;
use crate::storage::DirSizes;

/// A server at one moment. `sizes` are of the words that tell them.
pub(super) struct ShownPeer<'a> {
    pub(super) peer: &'a Peer,
    pub(super) now: Now,
    pub(super) sizes: DirSizes,
}

impl Shown for ShownPeer<'_> {
    fn is_serving(&self) -> bool {
        self.peer.service.is_serving() || self.is_read_only()
    }

    fn is_read_only(&self) -> bool {
        self.peer.service.is_read_only()
    }

    fn stats(&self) -> ServerStats {
        self.peer.server_stats(self.now)
    }

    fn families(&self) -> Vec<Family> {
        self.peer.metrics.forget_old(self.now.mono);
        let mut families = self.peer.metrics.families();
        families.extend(self.peer.quota_families());
        families
    }

    fn conf(&self) -> Conf {
        let config = &self.peer.config;
        let port = |address: Option<&HostPort>| address.map(|address| address.port);
        let tls = config.client_tls.as_ref().and_then(|tls| tls.listen.as_ref());
        Conf {
            client_port: port(config.client.as_ref()),
            secure_client_port: port(tls),
            data_dir: self.version_2(&config.data_dir),
            data_dir_bytes: self.sizes.data,
            data_log_dir: self.version_2(&config.data_log_dir),
            data_log_bytes: self.sizes.log,
            tick_time_ms: config.tick_time.as_millis() as u64,
            max_client_cnxns: config.max_client_cnxns,
            listen_backlog: config.client_sockets.backlog,
            session_timeout_min_ms: config.session_timeout_min.as_millis() as u64,
            session_timeout_max_ms: config.session_timeout_max.as_millis() as u64,
            server_id: if config.is_standalone() { 0 } else { config.my_id.0 },
            quorum: self.quorum_conf(),
        }
    }

    fn environment(&self) -> &Environment {
        self.peer.words.environment()
    }

    fn trace_mask(&self) -> i64 {
        self.peer.words.trace_mask()
    }

    fn dump(&self) -> Dump<'_> {
        let tree = self.peer.db.tree();
        let ephemerals = tree.ephemeral_owners();
        let connections = self.peer.service.connection_expiry();
        Dump {
            sessions: self.sessions(),
            ephemerals: ephemerals.map(|id| (id, tree.ephemerals(id).collect())).collect(),
            connections: self.in_buckets(connections.map(|(at, peer, id)| (at, (peer, id)))),
        }
    }

    fn watch_summary(&self) -> WatchSummary {
        let server::Watching { connections, paths, watches } = self.peer.service.watching();
        WatchSummary { connections, paths, watches }
    }

    fn watches_by_session(&self) -> Vec<(SessionId, Vec<&str>)> {
        self.peer.service.watches_by_session().collect()
    }

    fn watches_by_path(&self) -> Vec<(&str, Vec<SessionId>)> {
        self.peer.service.watches_by_path().collect()
    }

    fn digests(&self) -> Vec<(Zxid, i64)> {
        self.peer.db.digests().collect()
    }

    fn last_snapshot(&self) -> Option<(Zxid, Option<i64>)> {
        self.peer.snapshots.last()
    }

    fn observers(&self) -> Vec<ObserverLine> {
        let Role::Leading(leading) = &self.peer.role else { return Vec::new() };
        let line = |(sid, since, last_zxid)| ObserverLine {
            sid,
            established_ms: self.wall_ms(since),
            last_zxid,
        };
        leading.leader().observers().map(line).collect()
    }
}

impl ShownPeer<'_> {
    /// Absolute, as Java's getAbsolutePath.
    fn version_2(&self, dir: &Path) -> String {
        let working_dir = self.environment().user_dir.as_deref().unwrap_or_default();
        Path::new(working_dir).join(dir).join("version-2").display().to_string()
    }

    fn quorum_conf(&self) -> Option<QuorumConf> {
        let config = &self.peer.config;
        let me = config.servers.get(&config.my_id)?;
        Some(QuorumConf {
            init_limit: config.init_limit,
            sync_limit: config.sync_limit,
            election_port: me.election.port,
            quorum_port: me.quorum.port,
            is_observer: me.learner_type == LearnerType::Observer,
            membership: (!self.is_read_only()).then(|| self.peer.verifier.config_text()),
        })
    }

    fn sessions(&self) -> SessionsDump {
        let tracked = |tracker: &SessionTracker| {
            let sessions =
                tracker.buckets().flat_map(|(at, ids)| ids.iter().map(move |id| (at, *id)));
            (tracker.len(), self.in_buckets(sessions))
        };
        let local = self.peer.service.local_sessions().map(tracked);
        let leading = match &self.peer.role {
            Role::Leading(leading) | Role::Standalone(leading) => leading.sessions(),
            _ => None,
        };
        match leading {
            Some(global) => SessionsDump::Tracked { local, global: tracked(global) },
            None => SessionsDump::Known { local, global: self.peer.db.sessions().iter().collect() },
        }
    }

    /// What expires at the same time, together; it comes in the order of these times.
    fn in_buckets<T>(&self, members: impl Iterator<Item = (Mono, T)>) -> Vec<ExpiryBucket<T>> {
        let mut buckets: Vec<(Mono, Vec<T>)> = Vec::new();
        for (at, member) in members {
            match buckets.last_mut() {
                Some((last, members)) if *last == at => members.push(member),
                _ => buckets.push((at, vec![member])),
            }
        }
        let bucket = |(at, members)| ExpiryBucket { at_ms: self.wall_ms(at), members };
        buckets.into_iter().map(bucket).collect()
    }

    /// When the wall clock shows what the monotonic one will show then.
    fn wall_ms(&self, at: Mono) -> i64 {
        let ahead = |later: Mono, earlier: Mono| later.since(earlier).as_millis() as i64;
        let now = self.now.mono;
        self.now.wall_ms.saturating_add(ahead(at, now)).saturating_sub(ahead(now, at))
    }
}

impl Peer {
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

    fn server_stats(&self, now: Now) -> ServerStats {
        let service = self.service.stats();
        let latency = self.metrics.latency();
        let waiting = self.disk.waiting();
        let tree = self.db.tree();
        let millis = |since| now.mono.since(since).as_millis() as u64;
        ServerStats {
            read_only: self.service.is_read_only(),
            mode: self.mode(),
            latency_min_ms: latency.min,
            latency_avg_ms: latency.average(),
            latency_max_ms: latency.max,
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
            auth_failed: self.metrics.counted(Counter::AuthFailedCount),
            non_mtls: (
                self.metrics.counted(Counter::NonMtlsRemoteConnCount),
                self.metrics.counted(Counter::NonMtlsLocalConnCount),
            ),
            connection_drop_chance: self.service.drop_chance(),
            response_sizes: self
                .metrics
                .response_sizes()
                .map(|sizes| (sizes.last, sizes.min, sizes.max)),
            unsent_bytes: self.service.unsent_bytes() as u64,
            fsync_threshold_exceeded: self.metrics.counted(Counter::FsyncThresholdExceedCount),
            log_waiting_txns: waiting.txns as u64,
            log_waiting_bytes: waiting.bytes as u64,
            file_descriptors: self.words.file_descriptors(),
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

    /// What subtrees may hold and do hold, summed over each namespace. (QuotaMetricsUtils)
    fn quota_families(&self) -> Vec<Family> {
        let mut sums = [const { BTreeMap::<Rc<str>, i64>::new() }; 4];
        for (path, limits, usage) in self.db.tree().quotas() {
            let Some(namespace) = paths::namespace(path) else { continue };
            let hard_or = |hard: i64, soft: i64| if hard > -1 { hard } else { soft };
            let limits = limits.map(|limits| {
                (
                    hard_or(limits.count_hard_limit(), limits.count()),
                    hard_or(limits.byte_hard_limit(), limits.bytes()),
                )
            });
            let usage = usage.map(|usage| (usage.count(), usage.bytes()));
            let both =
                [limits.map(|l| l.0), limits.map(|l| l.1), usage.map(|u| u.0), usage.map(|u| u.1)];
            for (sums, value) in sums.iter_mut().zip(both) {
                if let Some(value) = value {
                    *sums.entry(namespace.into()).or_default() += value;
                }
            }
        }
        let names = [
            "quota_count_limit_per_namespace",
            "quota_bytes_limit_per_namespace",
            "quota_count_usage_per_namespace",
            "quota_bytes_usage_per_namespace",
        ];
        let number = |(key, sum): (Rc<str>, i64)| (key, Value::Number(sum.into()));
        let family = |(name, sums): (_, BTreeMap<_, _>)| {
            Family::keyed(name, Kind::Gauge, sums.into_iter().map(number))
        };
        names.into_iter().zip(sums).map(family).collect()
    }

    /// A leader that has proposed nothing yet shows the beginning of its epoch, as Apache does.
    pub(super) fn shown_zxid(&self) -> Zxid {
        let applied = self.db.last_applied();
        match &self.role {
            Role::Leading(leading) if leading.leader().is_established() => {
                applied.max(Zxid::new(leading.leader().epoch(), 0))
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
            queued: line.queued as u64,
            received: line.received,
            sent: line.sent,
            session: line.session.as_ref().map(session_line),
        };
        self.service.connection_lines().map(line).collect()
    }
}

fn session_line(line: &server::SessionLine) -> SessionLine {
    SessionLine {
        id: line.session,
        timeout_ms: line.timeout_ms,
        established_ms: line.established_ms,
        last_op: match line.last_op {
            server::LastOp::Nothing => LastOp::Nothing,
            server::LastOp::NotAvailable => LastOp::NotAvailable,
            server::LastOp::Op(op) => LastOp::Op(op),
        },
        last_cxid: (line.last_cxid >= 0).then_some(line.last_cxid),
        last_zxid: line.last_zxid,
        last_response_ms: line.last_response.millis(),
        last_latency_ms: line.last_latency_ms,
        latency_min_ms: line.latency_min_ms,
        latency_avg_ms: line.latency_avg_ms,
        latency_max_ms: line.latency_max_ms,
    }
}
