//! The four-letter words: what this server shows, what they change, and which of them have to wait.
//!
//!     conf, dirs         wait for the disk, which is asked how much lies there
//!     srst, crst, stmk   change something before they are answered
//!     long answers       are refused while too many of others are on their way
//!
//! Not here: the texts (admin).

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::core::Peer;
use super::io::Output;
use super::role::Role;
use super::shown::ShownPeer;
use crate::admin::{TRACE_MASK, Word, admit, answer, is_too_much};
use crate::base::limits::WORD_ANSWERS_BYTES_MAX;
use crate::base::{ConnId, Now};
use crate::runtime::Environment;
use crate::server;
use crate::storage::DirSizes;

/// What the words need from one step to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Words {
    /// Apache logs by it; here it is a number that is kept.
    trace_mask: i64,
    /// What the world said at the start.
    #[serde(skip)]
    environment: Environment,
    /// Who waits for the sizes of the directories.
    wait_for_sizes: BTreeMap<ConnId, Word>,
    /// Long answers that were written to connections which have not ended, in bytes.
    long_answers: BTreeMap<ConnId, usize>,
    long_bytes: usize,
}

impl Words {
    pub(super) fn new() -> Words {
        Words {
            trace_mask: TRACE_MASK,
            environment: Environment::default(),
            wait_for_sizes: BTreeMap::new(),
            long_answers: BTreeMap::new(),
            long_bytes: 0,
        }
    }

    pub(super) fn trace_mask(&self) -> i64 {
        self.trace_mask
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The connection has ended.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.wait_for_sizes.remove(&conn);
        self.long_bytes -= self.long_answers.remove(&conn).unwrap_or(0);
    }

    fn note_answer(&mut self, conn: ConnId, word: Word, bytes: usize) {
        if word.may_be_long() {
            self.long_bytes += bytes;
            self.long_bytes -= self.long_answers.insert(conn, bytes).unwrap_or(0);
        }
    }
}

impl Peer {
    /// Where this server runs, for `envi`.
    pub fn set_environment(&mut self, environment: Environment) {
        self.words.environment = environment;
    }

    /// `mask`: what follows the word `stmk`.
    pub(super) fn answer_word(&mut self, now: Now, conn: ConnId, word: [u8; 4], mask: Option<i64>) {
        self.step_service(now, server::Input::Word { conn });
        let admitted = match admit(word, &self.config.four_letter_words) {
            Ok(admitted) => admitted,
            Err(text) => return self.write_answer(conn, text),
        };
        let is_serving = self.service.is_serving() || self.service.is_read_only();
        match admitted {
            Word::Stmk => self.words.trace_mask = mask.unwrap_or(self.words.trace_mask),
            Word::Srst if is_serving => self.reset_stats(),
            Word::Crst if is_serving => self.service.reset_connection_stats(),
            _ if is_serving && admitted.tells_sizes() => {
                self.words.wait_for_sizes.insert(conn, admitted);
                return self.disk.ask_sizes(&mut self.queue);
            }
            _ => {}
        }
        self.answer_now(now, conn, admitted, DirSizes::default());
    }

    /// The disk has said how much lies in the directories.
    pub(super) fn on_measured(&mut self, now: Now, sizes: DirSizes) {
        for (conn, word) in std::mem::take(&mut self.words.wait_for_sizes) {
            self.answer_now(now, conn, word, sizes);
        }
    }

    fn answer_now(&mut self, now: Now, conn: ConnId, word: Word, sizes: DirSizes) {
        let is_full = self.words.long_bytes >= WORD_ANSWERS_BYTES_MAX;
        let text = match word.may_be_long() && is_full {
            true => is_too_much(word),
            false => answer(word, &ShownPeer { peer: self, now, sizes }),
        };
        self.words.note_answer(conn, word, text.len());
        self.write_answer(conn, text);
    }

    fn write_answer(&mut self, conn: ConnId, text: String) {
        self.queue.push(Output::ClientWrite { conn, bytes: Bytes::from(text) });
        self.queue.push(Output::ClientClose { conn });
    }

    /// What Apache counts anew: packets, latencies, sizes of proposals, and all metrics.
    fn reset_stats(&mut self) {
        self.service.reset_stats();
        self.slow_steps = Default::default();
        if let Role::Leading(leading) | Role::Standalone(leading) = &mut self.role {
            leading.reset_sizes();
        }
    }
}
