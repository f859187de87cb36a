//! What the four-letter words, and the commands of the admin port, need from one step to another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::admin::{Command, TRACE_MASK, Word};
use crate::base::ConnId;
use crate::base::limits::WORD_ANSWERS_BYTES_MAX;
use crate::runtime::Environment;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Words {
    /// Apache logs by it; here it is a number that is kept.
    trace_mask: i64,
    /// What the world said at the start.
    #[serde(skip)]
    environment: Environment,
    /// What the world said when somebody asked last.
    #[serde(skip)]
    file_descriptors: Option<(u64, u64)>,
    /// Who waits for the sizes of the directories.
    wait_for_sizes: BTreeMap<ConnId, Word>,
    /// And which commands of the admin port, by the numbers of the questions.
    commands_wait: BTreeMap<u64, Command>,
    /// Long answers that were written to connections which have not ended, in bytes.
    long_answers: BTreeMap<ConnId, usize>,
    long_bytes: usize,
}

impl Words {
    pub(super) fn new() -> Words {
        Words {
            trace_mask: TRACE_MASK,
            environment: Environment::default(),
            file_descriptors: None,
            wait_for_sizes: BTreeMap::new(),
            commands_wait: BTreeMap::new(),
            long_answers: BTreeMap::new(),
            long_bytes: 0,
        }
    }

    pub(super) fn trace_mask(&self) -> i64 {
        self.trace_mask
    }

    pub(super) fn set_trace_mask(&mut self, mask: Option<i64>) {
        self.trace_mask = mask.unwrap_or(self.trace_mask);
    }

    pub(super) fn set_environment(&mut self, environment: Environment) {
        self.environment = environment;
    }

    pub(super) fn set_file_descriptors(&mut self, open_and_allowed: Option<(u64, u64)>) {
        self.file_descriptors = open_and_allowed;
    }

    pub(super) fn file_descriptors(&self) -> Option<(u64, u64)> {
        self.file_descriptors
    }

    pub(super) fn wait_for_sizes(&mut self, conn: ConnId, word: Word) {
        self.wait_for_sizes.insert(conn, word);
    }

    /// Everybody who waits for the sizes.
    pub(super) fn take_waiting(&mut self) -> BTreeMap<ConnId, Word> {
        std::mem::take(&mut self.wait_for_sizes)
    }

    pub(super) fn let_command_wait(&mut self, number: u64, command: Command) {
        self.commands_wait.insert(number, command);
    }

    pub(super) fn take_waiting_commands(&mut self) -> BTreeMap<u64, Command> {
        std::mem::take(&mut self.commands_wait)
    }

    /// No other long answer is to be given now.
    pub(super) fn are_too_much(&self) -> bool {
        self.long_bytes >= WORD_ANSWERS_BYTES_MAX
    }

    #[cfg(test)]
    pub(super) fn long_bytes(&self) -> usize {
        self.long_bytes
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The connection has ended.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.wait_for_sizes.remove(&conn);
        self.long_bytes -= self.long_answers.remove(&conn).unwrap_or(0);
    }

    pub(super) fn note_answer(&mut self, conn: ConnId, word: Word, bytes: usize) {
        if word.may_be_long() {
            self.long_bytes += bytes;
            self.long_bytes -= self.long_answers.insert(conn, bytes).unwrap_or(0);
        }
    }
}
