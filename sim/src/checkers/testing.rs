//! Facts of a small ensemble in which everything is right. A test adds one fact that is wrong, and
//! asserts that the checker finds it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use quorate::base::{AckKind, Epoch, Mono, Note, RoleName, ServerId, Stamp, Zxid};

use super::{Checkers, Event, Fact};
use crate::scenario::Scenario;

/// Builds facts for the checkers, a millisecond apart.
#[derive(Debug)]
pub(crate) struct FactScript {
    pub(crate) checkers: Checkers,
    now: Duration,
}

pub(crate) fn z(epoch: i64, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

pub(crate) fn s(id: i64) -> ServerId {
    ServerId(id)
}

/// The hash of the transaction at a zxid.
pub(crate) fn h(zxid: Zxid) -> u64 {
    zxid.0 as u64 ^ 0xabcd
}

pub(crate) fn digest(zxid: Zxid) -> u64 {
    zxid.0 as u64 ^ 0x1234
}

impl FactScript {
    /// Voters 1 2 3 and observer 9, nothing on their disks.
    pub(crate) fn new() -> FactScript {
        FactScript::of("[ensemble]\nvoters = [1, 2, 3]\nobservers = [9]\n")
    }

    pub(crate) fn of(text: &str) -> FactScript {
        let text = format!("about = \"a test\"\n{text}");
        let scenario = Scenario::parse(Path::new("test.toml"), &text).expect("a scenario");
        let disks: BTreeMap<ServerId, Vec<(Zxid, u64)>> = scenario
            .ensemble
            .disks
            .iter()
            .map(|(id, disk)| (*id, disk.log.iter().map(|zxid| (*zxid, h(*zxid))).collect()))
            .collect();
        let mut script =
            FactScript { checkers: Checkers::new(&scenario.ensemble, &disks), now: Duration::ZERO };
        for server in scenario.ensemble.servers() {
            script.event(server.0, Event::Started);
            let disk = scenario.ensemble.disks.get(&server).cloned().unwrap_or_default();
            let last = if disk.uninitialised { Zxid::UNINITIALISED } else { disk.last() };
            script.note(
                server.0,
                Note::Recovered {
                    last_logged: last,
                    last_applied: disk.last(),
                    accepted: disk.accepted_epoch,
                    current: disk.current_epoch,
                    tree_digest: digest(disk.last()),
                },
            );
        }
        script
    }

    /// The moment of the next fact.
    pub(crate) fn now(&self) -> Stamp {
        Stamp((self.now + Duration::from_millis(1)).as_nanos() as u64)
    }

    pub(crate) fn wait(&mut self, by: Duration) {
        self.now += by;
    }

    pub(crate) fn event(&mut self, server: i64, event: Event) {
        self.now += Duration::from_millis(1);
        let nanos = self.now.as_nanos() as u64;
        let fact = Fact { at: Stamp(nanos), mono: Mono(nanos), server: s(server), event };
        self.checkers.take(&fact);
    }

    pub(crate) fn note(&mut self, server: i64, note: Note) {
        self.event(server, Event::Note(note));
    }

    /// Votes, until these voters agree on a leader, who thinks to lead.
    pub(crate) fn elect(&mut self, leader: i64, voters: &[i64], round: u64) {
        for id in voters {
            self.note(*id, Note::Role { role: RoleName::Looking, epoch: Epoch(0) });
            let ghost = self.checkers.ghost.server(s(*id));
            let (zxid, epoch) = (ghost.log.last(), ghost.current);
            self.note(*id, Note::Vote { round, leader: s(*id), zxid, epoch });
        }
        let ghost = self.checkers.ghost.server(s(leader));
        let (zxid, epoch) = (ghost.log.last(), ghost.current);
        for id in voters {
            if *id != leader {
                self.note(*id, Note::Vote { round, leader: s(leader), zxid, epoch });
            }
            for from in voters {
                self.note(*id, Note::VoteCounted { round, from: s(*from), leader: s(leader) });
            }
            let voters = voters.iter().map(|id| s(*id)).collect();
            self.note(*id, Note::Elected { round, leader: s(leader), voters });
            let role = if *id == leader { RoleName::Leading } else { RoleName::Following };
            self.note(*id, Note::Role { role, epoch: Epoch(0) });
        }
    }

    /// Discovery and synchronisation of voters whose logs are equal.
    pub(crate) fn establish(&mut self, leader: i64, followers: &[i64], epoch: i64) {
        let mut voters = vec![s(leader)];
        voters.extend(followers.iter().map(|id| s(*id)));
        let epoch = Epoch(epoch);
        self.note(leader, Note::AcceptedEpochDurable { epoch });
        self.note(leader, Note::EpochOffered { epoch, voters: voters.clone() });
        for id in followers {
            self.note(*id, Note::AcceptedEpochDurable { epoch });
            let ghost = self.checkers.ghost.server(s(*id));
            let (zxid, current) = (ghost.log.last(), ghost.current);
            self.note(*id, Note::AckSent { kind: AckKind::Epoch, zxid });
            self.note(leader, Note::EpochAckCounted { epoch, from: s(*id), current, zxid });
        }
        self.note(leader, Note::CurrentEpochDurable { epoch });
        let history_end = self.checkers.ghost.server(s(leader)).log.last();
        for id in followers {
            self.note(*id, Note::CurrentEpochDurable { epoch });
            let zxid = Zxid::new(epoch, 0);
            self.note(*id, Note::AckSent { kind: AckKind::NewLeader, zxid });
            self.note(leader, Note::NewLeaderAckCounted { epoch, from: s(*id) });
        }
        self.note(leader, Note::Established { epoch, voters, history_end });
        for id in followers {
            self.note(*id, Note::Serving { epoch, zxid: history_end });
        }
    }

    pub(crate) fn log(&mut self, server: i64, zxid: Zxid) {
        self.note(server, Note::Appended { zxid, hash: h(zxid) });
        self.note(server, Note::Durable { zxid });
    }

    pub(crate) fn apply(&mut self, server: i64, zxid: Zxid) {
        self.note(server, Note::Applied { zxid, hash: h(zxid), state_digest: digest(zxid) });
    }

    /// One transaction, proposed, logged and acked by these, committed and applied.
    pub(crate) fn write(&mut self, leader: i64, followers: &[i64], zxid: Zxid) {
        self.note(leader, Note::Proposed { zxid, hash: h(zxid) });
        self.log(leader, zxid);
        self.note(leader, Note::AckCounted { zxid, from: s(leader) });
        let mut voters = vec![s(leader)];
        for id in followers {
            self.log(*id, zxid);
            self.note(*id, Note::AckSent { kind: AckKind::Proposal, zxid });
            self.note(leader, Note::AckCounted { zxid, from: s(*id) });
            voters.push(s(*id));
        }
        self.note(leader, Note::Committed { zxid, voters });
        self.apply(leader, zxid);
        for id in followers {
            self.apply(*id, zxid);
        }
    }

    /// 3 leads 1 and 2 in epoch 1, with two transactions.
    pub(crate) fn healthy() -> FactScript {
        let mut script = FactScript::new();
        script.elect(3, &[1, 2, 3], 1);
        script.establish(3, &[1, 2], 1);
        script.write(3, &[1, 2], z(1, 1));
        script.write(3, &[1, 2], z(1, 2));
        script
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> =
            self.checkers.violations().iter().map(|violation| violation.id.clone()).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    pub(crate) fn assert_holds(&self) {
        assert!(self.checkers.violations().is_empty(), "{:#?}", self.checkers.violations());
    }

    pub(crate) fn assert_quiet(&self, id: &str) {
        assert!(!self.ids().iter().any(|found| found == id), "{id} is in {:?}", self.ids());
    }

    pub(crate) fn assert_violates(&self, id: &str) {
        assert!(self.ids().iter().any(|found| found == id), "{id} is not in {:?}", self.ids());
    }
}

#[test]
fn a_healthy_ensemble_violates_nothing() {
    let mut script = FactScript::healthy();
    // The leader dies, 2 takes over with 1, and 3 comes back as a follower.
    script.event(3, Event::Died);
    script.elect(2, &[1, 2], 2);
    script.establish(2, &[1], 2);
    script.write(2, &[1], z(2, 1));
    script.event(3, Event::Started);
    script.note(
        3,
        Note::Recovered {
            last_logged: z(1, 2),
            last_applied: z(1, 2),
            accepted: Epoch(1),
            current: Epoch(1),
            tree_digest: digest(z(1, 2)),
        },
    );
    script.note(3, Note::Role { role: RoleName::Looking, epoch: Epoch(0) });
    let voters = vec![s(1), s(2)];
    script.note(3, Note::Elected { round: 2, leader: s(2), voters });
    script.note(3, Note::Role { role: RoleName::Following, epoch: Epoch(0) });
    script.note(3, Note::AcceptedEpochDurable { epoch: Epoch(2) });
    script.log(3, z(2, 1));
    script.note(3, Note::CurrentEpochDurable { epoch: Epoch(2) });
    script.note(2, Note::NewLeaderAckCounted { epoch: Epoch(2), from: s(3) });
    script.note(3, Note::Serving { epoch: Epoch(2), zxid: z(2, 1) });
    script.write(2, &[1, 3], z(2, 2));
    script.assert_holds();
    assert_eq!(script.checkers.ghost.committed.last(), z(2, 2));
    assert_eq!(script.checkers.ghost.leader(), Some((Epoch(2), s(2))));
}
