//! What a server has been, and why that ended: its last changes of role.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::base::{Epoch, GaveUp, RoleName, ServerId};

/// Changes that are remembered.
const CHANGES_MAX: usize = 48;
/// Characters of a reason: part of it may be what another machine has said.
const WORDS_MAX: usize = 300;

/// The last changes of role, the newest last.
#[derive(Clone, Debug, Default)]
pub struct Changes(VecDeque<Change>);

/// One change, and when it was (in milliseconds since 1970).
#[derive(Clone, PartialEq, Eq, Debug)]
struct Change {
    at_ms: i64,
    what: Turn,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Turn {
    /// An election took so long, and named this leader.
    Elected { leader: ServerId, took_ms: u64 },
    /// Clients are served from now on, for the first time since `unserved_ms`.
    Serves { role: RoleName, leader: ServerId, epoch: Epoch, unserved_ms: u64 },
    /// The role ended; `why` is the word under which it is counted, `words` a sentence.
    Ended { role: RoleName, lasted_ms: u64, why: &'static str, words: String },
}

impl Turn {
    pub fn ended(role: RoleName, lasted_ms: u64, why: &GaveUp) -> Turn {
        let words = why.to_string().chars().take(WORDS_MAX).collect();
        Turn::Ended { role, lasted_ms, why: why.name(), words }
    }
}

impl Changes {
    pub fn push(&mut self, at_ms: i64, what: Turn) {
        if self.0.len() == CHANGES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Change { at_ms, what });
    }

    /// Roles that ended behind this moment.
    pub(super) fn ended_behind(&self, at_ms: i64) -> usize {
        let is_end =
            |change: &&Change| change.at_ms > at_ms && matches!(change.what, Turn::Ended { .. });
        self.0.iter().filter(is_end).count()
    }

    /// The newest first.
    pub(super) fn to_json(&self) -> Value {
        self.0.iter().rev().map(Change::to_json).collect()
    }
}

impl Change {
    fn to_json(&self) -> Value {
        let at_ms = self.at_ms;
        match &self.what {
            Turn::Elected { leader, took_ms } => {
                json!({ "at_ms": at_ms, "what": "elected", "leader": leader.0, "took_ms": took_ms })
            }
            Turn::Serves { role, leader, epoch, unserved_ms } => json!({
                "at_ms": at_ms,
                "what": "serves",
                "role": role_word(*role),
                "leader": leader.0,
                "epoch": epoch.0,
                "took_ms": unserved_ms,
            }),
            Turn::Ended { role, lasted_ms, why, words } => json!({
                "at_ms": at_ms,
                "what": "ended",
                "role": role_word(*role),
                "took_ms": lasted_ms,
                "why": why,
                "words": words,
            }),
        }
    }
}

/// As the page calls it.
pub(super) fn role_word(role: RoleName) -> &'static str {
    match role {
        RoleName::Looking => "looking",
        RoleName::Following => "following",
        RoleName::Leading => "leading",
        RoleName::Observing => "observing",
        RoleName::Standalone => "standalone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_reasons_have_an_end() {
        let mut changes = Changes::default();
        for n in 0..100 {
            let why = GaveUp::LeaderLost { error: "x".repeat(5000) };
            changes.push(n, Turn::ended(RoleName::Following, 1, &why));
        }
        let shown = changes.to_json();
        let shown = shown.as_array().expect("a list");
        assert_eq!((shown.len(), &shown[0]["at_ms"]), (CHANGES_MAX, &99.into()));
        assert_eq!(shown[0]["why"], "leader_lost");
        assert_eq!(shown[0]["words"].as_str().map(str::len), Some(WORDS_MAX));
        assert_eq!(changes.ended_behind(90), 9);
    }
}
