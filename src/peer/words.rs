//! The four-letter words: what this server shows, what they change, and which of them have to wait.
//!
//!     conf, dirs         wait for the disk, which is asked how much lies there
//!     srst, crst, stmk   change something before they are answered
//!     hand               is answered when the leadership is handed over, or stays
//!     long answers       are refused while too many of others are on their way
//!
//! Not here: the texts (admin), what is kept from one step to another (word_state.rs).

use bytes::Bytes;

use super::core::Peer;
use super::io::Output;
use super::leaving::Asker;
use super::role::Role;
use super::shown::ShownPeer;
use crate::admin::{Question, Word, admit, answer, is_too_much};
use crate::base::{ConnId, Now};
use crate::runtime::Environment;
use crate::server;
use crate::storage::DirSizes;

impl Peer {
    /// Where this server runs, for `envi` and the audit log.
    pub fn set_environment(&mut self, environment: Environment) {
        self.service.set_process_user(environment.user_name.clone());
        self.words.set_environment(environment);
    }

    /// Open file descriptors and how many there may be, for who wants all numbers.
    pub fn set_file_descriptors(&mut self, open_and_allowed: Option<(u64, u64)>) {
        self.words.set_file_descriptors(open_and_allowed);
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
            Word::Hand => return self.hand_over(now, Some(Asker::Word(conn))),
            Word::Stmk => self.words.set_trace_mask(mask),
            Word::Srst if is_serving => self.reset_stats(),
            Word::Crst if is_serving => self.service.reset_connection_stats(),
            _ if is_serving && admitted.tells_sizes() => {
                self.words.wait_for_sizes(conn, admitted);
                return self.disk.ask_sizes(&mut self.queue);
            }
            _ => {}
        }
        self.answer_now(now, conn, admitted, DirSizes::default());
    }

    /// The disk has said how much lies in the directories.
    pub(super) fn on_measured(&mut self, now: Now, sizes: DirSizes) {
        for (conn, word) in self.words.take_waiting() {
            self.answer_now(now, conn, word, sizes);
        }
        for (number, command) in self.words.take_waiting_commands() {
            self.answer_question(now, number, Question::Command(command), sizes);
        }
    }

    fn answer_now(&mut self, now: Now, conn: ConnId, word: Word, sizes: DirSizes) {
        let text = match word.may_be_long() && self.words.are_too_much() {
            true => is_too_much(word),
            false => answer(word, &ShownPeer { peer: self, now, sizes }),
        };
        self.words.note_answer(conn, word, text.len());
        self.write_answer(conn, text);
    }

    pub(super) fn write_answer(&mut self, conn: ConnId, text: String) {
        self.service.count_word_answer();
        self.queue.push(Output::ClientWrite { conn, bytes: Bytes::from(text) });
        self.queue.push(Output::ClientClose { conn });
    }

    /// What Apache counts anew: packets, latencies, sizes of proposals, and all metrics.
    pub(super) fn reset_stats(&mut self) {
        self.service.reset_stats();
        self.metrics.reset();
        if let Role::Leading(leading) | Role::Standalone(leading) = &mut self.role {
            leading.reset_sizes();
        }
    }
}

#[cfg(test)]
#[path = "words_test.rs"]
mod tests;
