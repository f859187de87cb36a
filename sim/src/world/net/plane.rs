//! What connections are for.

/// What a connection is for, by the port it goes to. Faults name it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Plane {
    Election,
    Quorum,
    /// Client ports, and every port that is nothing else.
    Client,
    /// In a fault: each of them.
    All,
}

impl Plane {
    const EACH: [Plane; 3] = [Plane::Election, Plane::Quorum, Plane::Client];

    pub(super) fn covers(self, other: Plane) -> bool {
        self == Plane::All || self == other
    }

    pub(super) fn each(self) -> impl Iterator<Item = usize> {
        Plane::EACH.into_iter().filter(move |plane| self.covers(*plane)).map(|plane| plane as usize)
    }
}
