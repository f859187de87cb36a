//! Historic bugs as switches, to prove that the checkers catch them.
//!
//! Without the feature `museum` the type is zero-sized, `on` is always false, and the compiler
//! removes every exhibit: a shipped binary holds none of them.

/// A deliberate bug. The name is what a scenario file writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exhibit {
    /// A proposal is acked before its log record is durable (S-18).
    AckBeforeFlush,
    /// A vote is counted once for each time it is heard (S-20).
    VoteCountedTwice,
    /// A learner with transactions the leader lacks gets DIFF and keeps them (ZOOKEEPER-1154).
    DiffWithoutTrunc,
}

impl Exhibit {
    pub const ALL: [Exhibit; 3] =
        [Exhibit::AckBeforeFlush, Exhibit::VoteCountedTwice, Exhibit::DiffWithoutTrunc];
}

/// Which exhibits are switched on in one server.
#[derive(Clone, Copy, Default, Debug)]
pub struct Museum {
    #[cfg(feature = "museum")]
    switches: u64,
}

#[cfg(not(feature = "museum"))]
impl Museum {
    #[inline(always)]
    pub fn on(&self, _: Exhibit) -> bool {
        false
    }
}

#[cfg(feature = "museum")]
impl Museum {
    pub fn on(&self, exhibit: Exhibit) -> bool {
        self.switches & (1 << exhibit as u8) != 0
    }

    #[must_use]
    pub fn with(mut self, exhibit: Exhibit) -> Museum {
        self.switches |= 1 << exhibit as u8;
        self
    }

    /// The exhibit of this name, as scenario files write it.
    pub fn named(name: &str) -> Option<Exhibit> {
        match name {
            "ack_before_flush" => Some(Exhibit::AckBeforeFlush),
            "vote_counted_twice" => Some(Exhibit::VoteCountedTwice),
            "diff_without_trunc" => Some(Exhibit::DiffWithoutTrunc),
            _ => None,
        }
    }
}
