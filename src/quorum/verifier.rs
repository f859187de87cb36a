//! Majority and weighted (hierarchical) quorums over a fixed membership.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::base::ServerId;
use crate::config::{LearnerType, ServerConfig, ServerSpec};
use crate::runtime::HostPort;

/// The membership of one configuration, its version, and its rule for quorums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumVerifier {
    pub(super) servers: Rc<BTreeMap<ServerId, ServerSpec>>,
    /// How many of them vote.
    pub(super) voter_count: usize,
    pub(super) hierarchical: bool,
    pub(super) version: i64,
}

impl QuorumVerifier {
    pub fn new(config: &ServerConfig) -> QuorumVerifier {
        let (hierarchical, version) = (config.hierarchical, config.config_version);
        QuorumVerifier::of(Rc::new(config.servers.clone()), hierarchical, version)
    }

    pub(super) fn of(
        servers: Rc<BTreeMap<ServerId, ServerSpec>>,
        hierarchical: bool,
        version: i64,
    ) -> QuorumVerifier {
        let votes = |spec: &&ServerSpec| spec.learner_type == LearnerType::Participant;
        let voter_count = servers.values().filter(votes).count();
        QuorumVerifier { servers, voter_count, hierarchical, version }
    }

    /// A standalone server's: itself is the quorum.
    pub fn alone(sid: ServerId) -> QuorumVerifier {
        let nowhere = HostPort::new("", 0);
        let spec = ServerSpec::participant(nowhere.clone(), nowhere);
        let servers = Rc::new(BTreeMap::from([(sid, spec)]));
        QuorumVerifier::of(servers, false, 0)
    }

    pub fn version(&self) -> i64 {
        self.version
    }

    /// The configuration of these members has this version by now. It never falls.
    pub fn learn_version(&mut self, version: i64) {
        self.version = self.version.max(version);
    }

    pub fn servers(&self) -> &BTreeMap<ServerId, ServerSpec> {
        &self.servers
    }

    pub fn voters(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.servers
            .iter()
            .filter(|(_, spec)| spec.learner_type == LearnerType::Participant)
            .map(|(sid, _)| *sid)
    }

    pub fn is_voter(&self, sid: ServerId) -> bool {
        self.servers.get(&sid).is_some_and(|s| s.learner_type == LearnerType::Participant)
    }

    pub fn is_observer(&self, sid: ServerId) -> bool {
        self.servers.get(&sid).is_some_and(|s| s.learner_type == LearnerType::Observer)
    }

    /// 0 for observers and strangers.
    pub fn weight(&self, sid: ServerId) -> i64 {
        match self.servers.get(&sid) {
            Some(spec) if spec.learner_type == LearnerType::Participant => spec.weight,
            _ => 0,
        }
    }

    /// Whether these distinct servers are a quorum: more than half of the voters, or, with groups, more
    /// than half of the weight in more than half of the groups that have any weight.
    pub fn contains_quorum(&self, acks: &[ServerId]) -> bool {
        if self.hierarchical {
            return self.contains_hierarchical_quorum(acks);
        }
        let half = self.voter_count / 2;
        // Each ack of a transaction asks, and the first is never enough.
        acks.len() > half && acks.iter().filter(|sid| self.is_voter(**sid)).count() > half
    }

    fn contains_hierarchical_quorum(&self, acks: &[ServerId]) -> bool {
        let mut groups: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for sid in self.voters() {
            let spec = &self.servers[&sid];
            let (acked, total) = groups.entry(spec.group.unwrap_or(0)).or_default();
            *total += spec.weight;
            if acks.contains(&sid) {
                *acked += spec.weight;
            }
        }
        groups.retain(|_, (_, total)| *total > 0);
        let won = groups.values().filter(|(acked, total)| acked * 2 > *total).count();
        won * 2 > groups.len()
    }

    /// The configuration as notifications and NEWLEADER carry it (facts 2.4): one line a server,
    /// then groups and weights, then `version=` in hex without a newline.
    pub fn config_text(&self) -> String {
        format!("{}version={:x}", self.members_text(), self.version)
    }

    /// The same without the version, as in a file.
    pub(super) fn members_text(&self) -> String {
        let mut text = String::new();
        for (sid, spec) in self.servers.iter() {
            let role = match spec.learner_type {
                LearnerType::Participant => "participant",
                LearnerType::Observer => "observer",
            };
            let _ = write!(text, "server.{sid}={}:{}:{role}", spec.quorum, spec.election.port);
            if let Some(client) = &spec.client {
                let _ = write!(text, ";{client}");
            }
            text.push('\n');
        }
        if self.hierarchical {
            self.write_groups(&mut text);
        }
        text
    }

    fn write_groups(&self, text: &mut String) {
        let mut groups: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for (sid, spec) in self.servers.iter() {
            if let Some(group) = spec.group {
                groups.entry(group).or_default().push(sid.to_string());
            }
        }
        for (group, members) in groups {
            let _ = writeln!(text, "group.{group}={}", members.join(":"));
        }
        for (sid, spec) in self.servers.iter() {
            let _ = writeln!(text, "weight.{sid}={}", spec.weight);
        }
    }
}
