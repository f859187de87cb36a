//! One newtype for each number that ZooKeeper names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A transaction id: epoch in the high 32 bits, counter in the low 32 (Zab paper, section 4).
///
/// Signed as in Apache: `Zxid::UNINITIALISED` (-1) is an empty server that may not vote.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Zxid(pub i64);

impl Zxid {
    pub const ZERO: Zxid = Zxid(0);
    /// An empty data directory without consent to vote (`initialize`, `db.autocreate`).
    pub const UNINITIALISED: Zxid = Zxid(-1);
    /// Below every log and in none: any leader answers it with SNAP.
    pub const IN_NO_HISTORY: Zxid = Zxid(1);
    pub const MAX: Zxid = Zxid(i64::MAX);

    pub const fn new(epoch: Epoch, counter: u32) -> Zxid {
        Zxid((epoch.0 << 32) | counter as i64)
    }

    pub const fn epoch(self) -> Epoch {
        Epoch(self.0 >> 32)
    }

    pub const fn counter(self) -> u32 {
        self.0 as u32
    }

    /// The zxid after this one in the same epoch.
    pub const fn next(self) -> Zxid {
        Zxid(self.0 + 1)
    }

    /// Whether a history may go on from this zxid to `next`: the next one of the epoch, or the
    /// first of a later one (S-14).
    pub fn is_followed_by(self, next: Zxid) -> bool {
        next == self.next() || (next.epoch() > self.epoch() && next.counter() == 1)
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Debug for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $format:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[derive(Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

number!(
    /// The number of a leadership. `acceptedEpoch` and `currentEpoch` are of this type.
    Epoch, i64, "{}"
);
number!(
    /// A server's `myid`.
    ServerId, i64, "{}"
);
number!(
    /// A client session. Its password is a pure function of it (`session/password.rs`).
    SessionId, i64, "0x{:x}"
);
number!(
    /// One TCP connection between two servers, as its owner numbers it. Never reused by a process.
    LinkId, u64, "link{}"
);
number!(
    /// One client connection, as the server numbers it. Never reused by a process.
    ConnId, u64, "conn{}"
);

impl ServerId {
    /// What non-voters vote for: nobody (`Long.MIN_VALUE` in Apache's FastLeaderElection).
    pub const NOBODY: ServerId = ServerId(i64::MIN);
}

impl Epoch {
    pub const fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}
