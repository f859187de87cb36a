//! A record, over the whole run, of what leaders did. It checks nothing itself; the client contract
//! (`workload::contract`) asks it at the end of the run:
//!
//! - what the leader of each epoch had committed, and when; and in which epoch each server served
//!   at any moment. C-3 needs both: a client's sync is answered by the leader of its server's epoch
//! - which sessions a leader let expire, whether that was committed or not. C-5 needs it: a client
//!   may be told that its session is over as soon as a leader has decided so
//! - what each server has logged, committed or not. C-10 needs it: a server that only reads shows
//!   its log

use std::collections::{BTreeMap, BTreeSet};

use quorate::base::{Epoch, Note, RoleName, ServerId, SessionId, Stamp, Zxid};

use super::{Event, Fact};

#[derive(Clone, Debug, Default)]
pub struct LeaderDeeds {
    commits: BTreeMap<Epoch, Vec<(Stamp, Zxid)>>,
    serves: BTreeMap<ServerId, Vec<(Stamp, Option<Epoch>)>>,
    logged: BTreeMap<ServerId, BTreeSet<Zxid>>,
    /// The first time each was.
    expired: BTreeMap<SessionId, Stamp>,
}

impl LeaderDeeds {
    pub(super) fn take(&mut self, fact: &Fact) {
        let epoch = match &fact.event {
            Event::Note(Note::Established { epoch, history_end, .. }) => {
                self.commits.entry(*epoch).or_default().push((fact.at, *history_end));
                Some(*epoch)
            }
            Event::Note(Note::Serving { epoch, .. }) => Some(*epoch),
            Event::Note(Note::Committed { zxid, .. }) => {
                if let Some(epoch) = self.epoch_at(fact.server, fact.at) {
                    self.commits.entry(epoch).or_default().push((fact.at, *zxid));
                }
                return;
            }
            Event::Note(Note::Appended { zxid, .. }) => {
                self.logged.entry(fact.server).or_default().insert(*zxid);
                return;
            }
            Event::Note(Note::SessionExpired { session, .. }) => {
                self.expired.entry(*session).or_insert(fact.at);
                return;
            }
            Event::Note(Note::Role { role: RoleName::Looking, .. }) | Event::Died => None,
            _ => return,
        };
        self.serves.entry(fact.server).or_default().push((fact.at, epoch));
    }

    /// Whether this server has ever logged the transaction.
    pub fn has_logged(&self, server: ServerId, zxid: Zxid) -> bool {
        self.logged.get(&server).is_some_and(|logged| logged.contains(&zxid))
    }

    /// The epoch a server served in at a moment.
    fn epoch_at(&self, server: ServerId, at: Stamp) -> Option<Epoch> {
        let serves = self.serves.get(&server)?;
        let count = serves.partition_point(|(since, _)| *since <= at);
        serves[..count].last()?.1
    }

    /// Whether a leader had let this session expire by then.
    pub fn let_expire(&self, session: SessionId, at: Stamp) -> bool {
        self.expired.get(&session).is_some_and(|when| *when <= at)
    }

    /// What the leader of this server's epoch had committed before a moment; 0 if the server did
    /// not serve then.
    pub fn committed(&self, server: ServerId, before: Stamp) -> Zxid {
        let Some(epoch) = self.epoch_at(server, before) else { return Zxid::ZERO };
        let commits = self.commits.get(&epoch).map(Vec::as_slice).unwrap_or_default();
        let count = commits.partition_point(|(at, _)| *at < before);
        commits[..count].last().map_or(Zxid::ZERO, |(_, zxid)| *zxid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{FactScript, s, z};

    #[test]
    fn a_commit_counts_from_its_moment_and_for_its_own_epoch() {
        let mut script = FactScript::healthy();
        let early = script.now();
        script.write(3, &[1], z(1, 3));
        let late = script.now();
        let deeds = &script.checkers.deeds;
        // 2 serves in the epoch and has not applied it: the leader's word counts.
        assert_eq!(deeds.committed(s(2), early), z(1, 2));
        assert_eq!(deeds.committed(s(2), late), z(1, 3));
        assert_eq!(deeds.committed(s(9), late), Zxid::ZERO);
        script.event(2, Event::Died);
        script.wait(std::time::Duration::from_millis(5));
        let later = script.now();
        assert_eq!(script.checkers.deeds.committed(s(2), later), Zxid::ZERO);
    }
}
