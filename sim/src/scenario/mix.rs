//! What the clients of a workload ask for, by weight: `[workload.mix]`.

/// A kind of thing a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A child of a shared node, or a shared node that was deleted.
    Create,
    /// A sequential child, every third of them ephemeral.
    Sequential,
    Ephemeral,
    Set,
    /// On condition of the version last seen.
    SetVersion,
    Delete,
    Multi,
    SetAcl,
    Get,
    Exists,
    Children,
    GetAcl,
    /// A sync, and then a read.
    Sync,
    AddWatch,
    /// The session ends, and the client opens a new one.
    Close,
    /// The connection ends, and the client goes on at another server.
    Reconnect,
    /// The client is silent until its session is over.
    Lapse,
}

/// The words of a scenario file for them.
pub const MIX_WORDS: [(&str, Kind); 17] = [
    ("create", Kind::Create),
    ("sequential", Kind::Sequential),
    ("ephemeral", Kind::Ephemeral),
    ("set", Kind::Set),
    ("set_version", Kind::SetVersion),
    ("delete", Kind::Delete),
    ("multi", Kind::Multi),
    ("set_acl", Kind::SetAcl),
    ("get", Kind::Get),
    ("exists", Kind::Exists),
    ("children", Kind::Children),
    ("get_acl", Kind::GetAcl),
    ("sync", Kind::Sync),
    ("add_watch", Kind::AddWatch),
    ("close", Kind::Close),
    ("reconnect", Kind::Reconnect),
    ("lapse", Kind::Lapse),
];

/// Kinds by weight, and how many of the reads leave a watch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mix {
    weights: Vec<(Kind, u64)>,
    /// The share of get, exists and children that leaves a one-shot watch.
    pub watches: f64,
}

impl Mix {
    /// In the order of [`MIX_WORDS`]; `None` if no weight is above 0.
    pub fn new(weights: Vec<(Kind, u64)>, watches: f64) -> Option<Mix> {
        let total: u64 = weights.iter().map(|(_, weight)| weight).sum();
        (total > 0).then_some(Mix { weights, watches })
    }

    /// The kind a draw falls on.
    pub fn kind(&self, draw: u64) -> Kind {
        let total: u64 = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut place = draw % total;
        for (kind, weight) in &self.weights {
            if place < *weight {
                return *kind;
            }
            place -= weight;
        }
        Kind::Get
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_has_its_share() {
        let mix = Mix::new(vec![(Kind::Get, 3), (Kind::Close, 0), (Kind::Multi, 2)], 0.0);
        let mix = mix.expect("weights above 0");
        let drawn: Vec<Kind> = (0..5).map(|draw| mix.kind(draw)).collect();
        assert_eq!(drawn[..3], [Kind::Get; 3]);
        assert_eq!(drawn[3..], [Kind::Multi; 2]);
        assert_eq!(Mix::new(vec![(Kind::Get, 0)], 0.5), None);
    }
}
