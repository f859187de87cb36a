//! The operations of a workload with a mix: everything a client may ask for, on a small tree, so
//! that clients meet.
//!
//!     /k0 .. /kN      shared; deleted now and then, and created anew. /k0 never has children
//!     /kI/c0 .. c3    children anybody creates, sets and deletes
//!     /kI/e0 .. e2    ephemeral children of whoever comes first
//!     /kI/s-NNN       sequential children; their maker deletes them again
//!     /kI/mC-N        made and deleted by a multi of client C
//!
//! Each draw has a purpose and a number of its own: another kind of operation moves none of them.

use bytes::Bytes;
use quorate::jute::data::perms;

use super::memory::Memory;
use super::op::{Create, Op};
use super::values::ValueSizes;
use crate::draw::Draws;
use crate::scenario::mix::{Kind, Mix};

/// What a client does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Ask(Op),
    /// Leaves the server and goes on at another one.
    Reconnect,
    /// Leaves the server and is silent for longer than the session lives.
    Lapse,
}

/// Sequential nodes a client lets stand before it deletes its oldest one.
const SEQUENTIAL_KEPT: usize = 6;
/// Permissions that setACL gives. ADMIN is always among them, so that it can be taken back.
const PERMS: [i32; 8] = [
    perms::ALL,
    perms::ALL,
    perms::ALL,
    perms::ALL,
    perms::ALL & !perms::READ,
    perms::ALL & !perms::WRITE,
    perms::ALL & !(perms::CREATE | perms::DELETE),
    perms::ADMIN | perms::READ,
];

/// The draws of one operation, or of one part of a multi.
struct Dice<'a> {
    draws: &'a Draws,
    client: u64,
    n: u64,
    part: u64,
    nodes: u64,
    sizes: ValueSizes,
    memory: &'a Memory,
}

/// The `n`-th thing a client does.
pub(super) fn draw(
    draws: &Draws,
    client: u64,
    n: u64,
    mix: &Mix,
    nodes: u32,
    sizes: ValueSizes,
    memory: &Memory,
) -> Act {
    let dice = Dice { draws, client, n, part: 0, nodes: nodes.into(), sizes, memory };
    // The first client begins by creating what all of them work on.
    if client == 1 && n < u64::from(nodes) {
        return Act::Ask(Op::create(format!("/k{n}"), dice.data()));
    }
    let kind_of = |n| mix.kind(draws.u64("mix kind", client, n));
    let after_sync = n > u64::from(nodes) && kind_of(n - 1) == Kind::Sync;
    let watch = draws.unit("mix watch", client, n) < mix.watches;
    Act::Ask(match kind_of(n) {
        _ if after_sync => Op::Get { path: dice.shared(), watch },
        Kind::Reconnect => return Act::Reconnect,
        Kind::Lapse => return Act::Lapse,
        Kind::Create => dice.create(),
        Kind::Sequential => dice.sequential(),
        Kind::Ephemeral => dice.ephemeral(),
        Kind::Set => Op::Set { path: dice.shared_or_child(), data: dice.data(), version: -1 },
        Kind::SetVersion => dice.set_version(),
        Kind::Delete => dice.delete(),
        Kind::Multi => Op::Multi(dice.multi()),
        Kind::SetAcl => dice.set_acl(),
        Kind::Get => Op::Get { path: dice.any(), watch },
        Kind::Exists => Op::Exists { path: dice.any(), watch },
        Kind::Children => Op::List { path: dice.shared(), watch },
        Kind::GetAcl => Op::GetAcl { path: dice.shared() },
        Kind::Sync => Op::Sync { path: "/".into() },
        Kind::AddWatch => dice.add_watch(),
        Kind::Close => Op::Close,
    })
}

impl<'a> Dice<'a> {
    fn below(&self, what: &str, bound: u64) -> u64 {
        self.draws.below(what, self.client, self.n << 3 | self.part, bound)
    }

    fn data(&self) -> Bytes {
        self.sizes.data(self.draws, self.client, self.n)
    }

    fn shared(&self) -> String {
        format!("/k{}", self.below("mix node", self.nodes))
    }

    fn parent(&self) -> String {
        format!("/k{}", 1 + self.below("mix parent", self.nodes.max(2) - 1))
    }

    /// The one that can be deleted, because nobody puts anything below it, or any other.
    fn fickle(&self) -> String {
        if self.below("mix fickle", 4) > 0 { "/k0".into() } else { self.shared() }
    }

    fn child(&self) -> String {
        format!("{}/c{}", self.parent(), self.below("mix child", 4))
    }

    fn ephemeral_path(&self) -> String {
        format!("{}/e{}", self.parent(), self.below("mix ephemeral", 3))
    }

    fn shared_or_child(&self) -> String {
        if self.below("mix depth", 3) == 0 { self.child() } else { self.shared() }
    }

    fn any(&self) -> String {
        match self.below("mix any", 5) {
            0 | 1 => self.shared(),
            2 | 3 => self.child(),
            _ => self.ephemeral_path(),
        }
    }

    fn version_of(&self, path: &str) -> i32 {
        self.memory.versions.get(path).copied().unwrap_or(0)
    }

    fn made(&self, path: String, ephemeral: bool, sequential: bool) -> Op {
        let with_stat = self.below("mix create2", 2) == 0;
        Op::Create(Create { path, data: self.data(), ephemeral, sequential, with_stat })
    }

    fn create(&self) -> Op {
        let path = match self.below("mix create", 10) {
            0..3 => self.fickle(),
            // An ephemeral may have no children.
            3 => format!("{}/x", self.ephemeral_path()),
            _ => self.child(),
        };
        self.made(path, false, false)
    }

    fn sequential(&self) -> Op {
        if self.memory.sequential.len() > SEQUENTIAL_KEPT
            && let Some(oldest) = self.memory.sequential.front()
        {
            return Op::Delete { path: oldest.clone(), version: -1 };
        }
        let ephemeral = self.below("mix sequential", 3) == 0;
        self.made(format!("{}/s-", self.parent()), ephemeral, true)
    }

    fn ephemeral(&self) -> Op {
        self.made(self.ephemeral_path(), true, false)
    }

    fn set_version(&self) -> Op {
        let path = self.shared_or_child();
        let version = self.version_of(&path);
        Op::Set { path, data: self.data(), version }
    }

    fn delete(&self) -> Op {
        let path = match self.below("mix delete", 10) {
            0..2 => self.fickle(),
            2..4 => self.ephemeral_path(),
            _ => self.child(),
        };
        let exact = self.below("mix delete version", 4) == 0;
        let version = if exact { self.version_of(&path) } else { -1 };
        Op::Delete { path, version }
    }

    fn set_acl(&self) -> Op {
        let path = self.shared_or_child();
        let perms = PERMS[self.below("mix perms", PERMS.len() as u64) as usize];
        let version = if self.below("mix aversion", 4) == 0 { 1 } else { -1 };
        Op::SetAcl { path, perms, version }
    }

    fn add_watch(&self) -> Op {
        let recursive = self.below("mix recursive", 2) == 0;
        let path = match self.below("mix watched", 6) {
            0 if recursive => "/".into(),
            1 => self.child(),
            _ => self.shared(),
        };
        Op::AddWatch { path, recursive }
    }

    /// Two to four parts, some of which see what those before them did.
    fn multi(&self) -> Vec<Op> {
        let part = |part| Dice { part, ..*self };
        let data = self.data();
        match self.below("mix multi", 10) {
            0..4 => {
                (0..2 + self.below("mix multi length", 3)).map(|n| part(n + 1).part()).collect()
            }
            4..7 => {
                let path = format!("{}/m{}-{}", self.parent(), self.client, self.n);
                vec![
                    self.made(path.clone(), false, false),
                    Op::Set { path: path.clone(), data, version: 0 },
                    Op::Check { path: path.clone(), version: 1 },
                    Op::Delete { path, version: 1 },
                ]
            }
            _ => (1..=2)
                .map(|n| Op::Set { path: part(n).shared(), data: data.clone(), version: -1 })
                .collect(),
        }
    }

    fn part(&self) -> Op {
        match self.below("mix part", 6) {
            0 => self.made(self.child(), false, false),
            1 => self.made(format!("{}/s-", self.parent()), false, true),
            2 => Op::Delete { path: self.child(), version: -1 },
            3 => {
                let path = self.shared();
                let version = self.version_of(&path);
                Op::Check { path, version }
            }
            _ => Op::Set { path: self.shared_or_child(), data: self.data(), version: -1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(seed: u64, kind: Kind) -> Vec<Act> {
        let mix = Mix::new(vec![(kind, 1)], 0.5).expect("a weight above 0");
        let (draws, memory) = (Draws::new(seed), Memory::default());
        (0..200).map(|n| draw(&draws, 2, n, &mix, 4, ValueSizes::default(), &memory)).collect()
    }

    #[test]
    fn multis_are_of_every_shape() {
        let multis = all(1, Kind::Multi);
        let holds = |wanted: fn(&Op) -> bool| {
            multis.iter().any(|act| match act {
                Act::Ask(Op::Multi(parts)) => parts.iter().any(wanted),
                _ => false,
            })
        };
        assert!(holds(|op| matches!(op, Op::Check { .. })));
        assert!(holds(|op| matches!(op, Op::Create(create) if create.sequential)));
        assert!(holds(|op| matches!(op, Op::Delete { .. })));
    }

    #[test]
    fn a_read_follows_a_sync() {
        let acts = all(1, Kind::Sync);
        assert!(matches!(acts[9], Act::Ask(Op::Get { .. })), "{:?}", acts[9]);
        // The first of them all has nothing before it.
        assert!(matches!(acts[0], Act::Ask(Op::Sync { .. })), "{:?}", acts[0]);
    }
}
