//! `[workload]`: clients that work by themselves, and what they ask for.

use std::time::Duration;

use super::error::FileError;
use super::frame;
use super::mix::{MIX_WORDS, Mix};
use super::reader::Reader;
use crate::grammar::unknown_word;

/// Clients that work by themselves.
#[derive(Clone, Debug)]
pub struct Workload {
    pub clients: usize,
    pub ops_per_second: f64,
    /// The share of operations that write.
    pub writes: f64,
    pub session_timeout: Duration,
    pub from: Duration,
    pub until: Duration,
    /// How long values are; without it, a few bytes.
    pub value_bytes: Option<(u64, u64)>,
    /// Bytes of nodes that a client creates first of all, and how long each is.
    pub ballast: Option<u64>,
    pub ballast_value: (u64, u64),
    /// How many znodes the clients share.
    pub nodes: u32,
    /// The share of clients that take a server that only reads.
    pub read_only: f64,
    /// What the clients ask for; without one, reads and `writes` alone.
    pub mix: Option<Mix>,
}

impl Reader<'_> {
    /// `length`: how long the longest case lasts.
    pub(super) fn workload(
        &self,
        frame: &frame::Workload,
        length: Duration,
    ) -> Result<Workload, FileError> {
        Ok(Workload {
            clients: match frame.clients {
                Some(clients) => clients,
                None => return Err(self.missing("workload", "clients")),
            },
            ops_per_second: frame.ops_per_second.unwrap_or(25.0),
            writes: frame.writes.unwrap_or(0.5).clamp(0.0, 1.0),
            session_timeout: self
                .optional(frame.session_timeout.as_ref())?
                .unwrap_or(Duration::from_secs(10)),
            from: self.optional(frame.from.as_ref())?.unwrap_or_default(),
            until: self.optional(frame.until.as_ref())?.unwrap_or(length),
            value_bytes: self.byte_range(frame.value_bytes.as_ref())?,
            ballast: self.bytes(frame.ballast.as_ref())?,
            ballast_value: self
                .byte_range(frame.ballast_value.as_ref())?
                .unwrap_or((10_000, 100_000)),
            nodes: frame.nodes.unwrap_or(8).max(1),
            read_only: frame.read_only.unwrap_or(0.0).clamp(0.0, 1.0),
            mix: self.mix(frame)?,
        })
    }

    fn mix(&self, frame: &frame::Workload) -> Result<Option<Mix>, FileError> {
        let Some(weights) = &frame.mix else { return Ok(None) };
        let words: Vec<&str> = MIX_WORDS.iter().map(|(word, _)| *word).collect();
        for word in weights.keys() {
            if !words.contains(&word.get_ref().as_str()) {
                let known = unknown_word("kind of operation", word.get_ref(), &words);
                return Err(self.at(&word.span(), known));
            }
        }
        let weight = |word: &str| {
            weights.iter().find(|(name, _)| name.get_ref() == word).map_or(0, |(_, weight)| *weight)
        };
        let weights = MIX_WORDS.iter().map(|(word, kind)| (*kind, weight(word))).collect();
        let watches = frame.watches.unwrap_or(0.0).clamp(0.0, 1.0);
        Ok(Mix::new(weights, watches))
    }
}
