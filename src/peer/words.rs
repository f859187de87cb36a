//! The numbers behind the four-letter words.

use bytes::Bytes;

use super::core::{Output, Peer, Role};
use crate::admin::words::{ClientLine, LeaderStats, ServerStats, answer};
use crate::base::{ConnId, Now, RoleName};

impl Peer {
    pub(super) fn answer_word(&mut self, now: Now, conn: ConnId, word: [u8; 4]) {
        let text = answer(word, &self.server_stats(now), &self.config.four_letter_words);
        self.out.push(Output::ClientWrite { conn, bytes: Bytes::from(text) });
        self.out.push(Output::ClientClose { conn });
    }

    fn mode(&self) -> &'static str {
        match self.role_name() {
            RoleName::Looking => "looking",
            RoleName::Following => "follower",
            RoleName::Leading => "leader",
            RoleName::Observing => "observer",
            RoleName::Standalone => "standalone",
        }
    }
}
