//! What a server is doing, and which change of that is legal.
//!
//! - PE-5  a role follows another only as `MOVES` says.

use serde::{Deserialize, Serialize};

use super::leading::Leading;
use crate::base::invariant::invariant;
use crate::base::{Mono, ServerId};
use crate::zab::learner::Learner;

/// At most one of leader and learner exists.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Role {
    /// Reading the disk.
    Loading(AfterLoad),
    /// The role ended; what is on its way to the log must arrive first.
    Draining(Draining),
    Looking,
    Leading(Leading),
    Learning(Learner),
    Standalone(Leading),
    /// The process is about to end.
    Halted,
}

/// What the disk is read for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum AfterLoad {
    /// The first start: write snapshot.0 if there is no snapshot, then look or serve.
    Begin,
    /// What the role left half done is gone; look again.
    Look,
}

/// Between a role and the next election.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Draining {
    /// No election begins before.
    pub(super) rest_until: Mono,
    /// The role left something half done: the disk is read again first.
    pub(super) reload: bool,
    /// The ensemble served in it.
    pub(super) after_term: bool,
    /// To whom this server has handed its leadership over.
    pub(super) successor: Option<ServerId>,
}

/// A role without what belongs to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Loading,
    Draining,
    Looking,
    Leading,
    Learning,
    Standalone,
    Halted,
}

/// Every legal change of role. The museum's server that goes on after its log failed
/// (ZOOKEEPER-4882) may drain before it has looked.
const MOVES: [(Kind, &[Kind]); 7] = [
    (Kind::Loading, &[Kind::Looking, Kind::Standalone, Kind::Draining, Kind::Halted]),
    (Kind::Draining, &[Kind::Loading, Kind::Looking, Kind::Halted]),
    (Kind::Looking, &[Kind::Leading, Kind::Learning, Kind::Halted]),
    (Kind::Leading, &[Kind::Draining, Kind::Halted]),
    (Kind::Learning, &[Kind::Draining, Kind::Halted]),
    (Kind::Standalone, &[Kind::Draining, Kind::Halted]),
    (Kind::Halted, &[]),
];

impl Role {
    /// The only place where a role changes.
    pub(super) fn become_next(&mut self, next: Role) {
        let (from, to) = (self.kind(), next.kind());
        let is_legal = MOVES.iter().any(|(role, next)| *role == from && next.contains(&to));
        invariant!(is_legal, "PE-5", "{from:?} becomes {to:?}");
        *self = next;
    }

    fn kind(&self) -> Kind {
        match self {
            Role::Loading(_) => Kind::Loading,
            Role::Draining(_) => Kind::Draining,
            Role::Looking => Kind::Looking,
            Role::Leading(_) => Kind::Leading,
            Role::Learning(_) => Kind::Learning,
            Role::Standalone(_) => Kind::Standalone,
            Role::Halted => Kind::Halted,
        }
    }
}

/// How the role came to be.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Course {
    /// When it began.
    pub(super) since: Mono,
    /// Since when no client was served; `None` while this server serves.
    pub(super) unavailable_since: Option<Mono>,
    /// Learners in a row that ended before they served.
    pub(super) fruitless: u32,
}

impl Course {
    pub(super) fn new(now: Mono) -> Course {
        let unavailable_since = Some(now);
        Course { since: now, unavailable_since, fruitless: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::invariant::testing::fires;
    use crate::config::ServerConfig;
    use crate::database::Database;
    use crate::metrics::Metrics;

    #[test]
    fn every_role_stands_in_the_table_and_all_but_halted_lead_somewhere() {
        let mut roles: Vec<Kind> = MOVES.iter().map(|(role, _)| *role).collect();
        roles.dedup();
        assert_eq!(roles.len(), MOVES.len());
        for (role, next) in MOVES {
            assert_eq!(next.is_empty(), role == Kind::Halted, "{role:?}");
            assert!(!next.contains(&role), "{role:?} follows itself");
        }
    }

    #[test]
    fn a_server_of_an_ensemble_does_not_become_standalone() {
        let config = ServerConfig::defaults(ServerId(1));
        let alone = Leading::alone(&config, &Database::empty(10), Metrics::default());
        fires("PE-5", || Role::Looking.become_next(Role::Standalone(alone)));
    }
}
