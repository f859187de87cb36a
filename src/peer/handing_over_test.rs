//! Servers that are asked to hand over and cannot.

use super::*;
use crate::admin::{AdminEvent, Command, Question};
use crate::base::{ConnId, ServerId};
use crate::config::{ServerConfig, ServerSpec};
use crate::peer::{Input, Output};
use crate::server::Seeds;
use crate::server::driver::ClientEvent;

fn ask_by_word(words: &[&str], servers: i64) -> String {
    let mut config = ServerConfig::defaults(ServerId(1));
    config.four_letter_words = words.iter().map(ToString::to_string).collect();
    for sid in 1..=servers {
        config.servers.insert(ServerId(sid), ServerSpec::test(sid));
    }
    let mut peer = Peer::new(Now::default(), config, Seeds::default());
    let asked = ClientEvent::Word { conn: ConnId(1), word: *b"hand", mask: None };
    let out = peer.step(Now::default(), Input::Client(asked));
    let [Output::ClientWrite { bytes, .. }, Output::ClientClose { .. }] = &out[..] else {
        panic!("{out:?}")
    };
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn the_word_is_answered_only_where_it_is_named() {
    let refused = "hand is not executed because it is not in the whitelist.\n";
    assert_eq!(ask_by_word(&["*"], 3), refused);
    assert_eq!(ask_by_word(&["srvr"], 3), refused);
    assert_eq!(
        ask_by_word(&["*", "hand"], 3),
        "not handed over: this server does not lead\n",
        "it still reads its disk"
    );
}

#[test]
fn the_command_says_in_json_why_not() {
    let config = ServerConfig::defaults(ServerId(1));
    let mut peer = Peer::new(Now::default(), config, Seeds::default());
    let question = Question::Command(Command::HandOver);
    let asked = AdminEvent::Asked { number: 5, question };
    let out = peer.step(Now::default(), Input::Admin(asked));
    let [Output::AdminAnswer { number: 5, answer }] = &out[..] else { panic!("{out:?}") };
    let text = String::from_utf8(answer.bytes().to_vec()).expect("text");
    let fields: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(fields["error"], "not handed over: this server does not lead");
    assert_eq!(
        (&fields["to"], &fields["command"]),
        (&serde_json::Value::Null, &"hand_over".into())
    );
}
