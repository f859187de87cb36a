//! What Apache ZooKeeper 3.8 is known to do otherwise than 3.9, and Quorate with it. Streams
//! against 3.8 keep off it; against 3.9 there is nothing to keep off.
//!
//! | what                                      | 3.8                              | 3.9                |
//! |-------------------------------------------|----------------------------------|--------------------|
//! | zxid of a watch event                     | -1                               | the transaction's  |
//! | watches of one connection on one path     | one mode: the last one wins      | all modes at once  |
//! | checkWatches, removeWatches of type 4, 5  | -5                               | known              |
//! | create2 in a multi                        | answered as create               | with its Stat      |
//! | deleteContainer of a client               | -8                               | done               |
//! | check alone                               | carried out, then no restart     | -6, closed         |
//! | a write whose record ends too soon        | takes a zxid                     | takes none         |
//! | checkWatches                              | sees watches of others, too      | its own            |
//! | nulls and wrong flags in a multi          | an error of their own            | -5 for the whole   |
//! | exists                                    | needs no permission              | READ               |
//! | events of nodes that may not be read      | told in some releases            | not told           |

use quorate::jute::client::{add_watch_mode, op, watcher_type};

use crate::random::Random;
use crate::request::{AclEntry, Field, Request};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rules {
    /// One of the two is 3.8.
    As38,
    /// Nothing may differ.
    Alike,
}

impl Rules {
    pub(crate) fn hides_event_zxids(self) -> bool {
        self == Rules::As38
    }

    pub(crate) fn has_delete_container(self) -> bool {
        self == Rules::Alike
    }

    pub(crate) fn refuses_lone_check(self) -> bool {
        self == Rules::Alike
    }

    /// The only mode of watch that this connection may have: `None` is the plain one.
    fn mode_of(conn: usize) -> Option<i32> {
        match conn {
            1 => Some(add_watch_mode::PERSISTENT),
            2 => Some(add_watch_mode::PERSISTENT_RECURSIVE),
            _ => None,
        }
    }

    pub(crate) fn may_watch_once(self, conn: usize) -> bool {
        self == Rules::Alike || Rules::mode_of(conn).is_none()
    }

    /// Of addWatch. A connection that may have plain watches alone asks for a mode there is not.
    pub(crate) fn watch_mode(self, conn: usize, random: &mut Random) -> i32 {
        match self {
            Rules::Alike => random.below(2) as i32,
            Rules::As38 => Rules::mode_of(conn).unwrap_or(9),
        }
    }

    pub(crate) fn watcher_type(self, conn: usize, random: &mut Random) -> i32 {
        match self {
            Rules::Alike => 1 + random.below(5) as i32,
            Rules::As38 if Rules::mode_of(conn).is_some() => watcher_type::ANY,
            Rules::As38 => 1 + random.below(3) as i32,
        }
    }

    /// `lists` of setWatches2: data, exist, child, persistent, recursive.
    pub(crate) fn keep_to_mode(self, conn: usize, lists: &mut [Field]) {
        if self == Rules::Alike {
            return;
        }
        let kept = match Rules::mode_of(conn) {
            None => 0..3,
            Some(add_watch_mode::PERSISTENT) => 3..4,
            Some(_) => 4..5,
        };
        for (n, list) in lists.iter_mut().enumerate() {
            if !kept.contains(&n) {
                *list = Field::Texts(Vec::new());
            }
        }
    }

    /// Whether records may end too soon.
    pub(crate) fn may_cut(self, op: i32) -> bool {
        let reads = [op::EXISTS, op::GET_DATA, op::GET_CHILDREN, op::GET_CHILDREN2, op::GET_ACL];
        self == Rules::Alike || reads.contains(&op)
    }

    pub(crate) fn has_check_watches(self) -> bool {
        self == Rules::Alike
    }

    /// Nodes that everybody may read.
    pub(crate) fn acl(self, entries: &[AclEntry]) -> Vec<AclEntry> {
        let mut acl = entries.to_vec();
        if self == Rules::As38 && !acl.is_empty() {
            acl.push((1, "world", "anyone"));
        }
        acl
    }

    /// An operation as it may stand in a multi.
    pub(crate) fn part(self, mut part: Request) -> Option<Request> {
        if self == Rules::Alike {
            return Some(part);
        }
        if part.op == op::CREATE2 {
            part.op = op::CREATE;
        }
        let creates = part.op == op::CREATE;
        let is_odd = part.fields.iter().enumerate().any(|(n, field)| match field {
            Field::Text(None) | Field::Acl(None) => true,
            Field::Int(flags) => creates && n == 3 && !(0..4).contains(flags),
            _ => false,
        });
        (!is_odd && part.op != op::CREATE_CONTAINER && part.op != op::CREATE_TTL).then_some(part)
    }
}
