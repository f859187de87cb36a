//! How it ends when a server is asked to hand its leadership over: the word `hand`, the command `hand_over`.

use std::fmt;

use serde_json::json;

use super::answer::Answer;
use super::commands::{Command, finish};
use crate::base::ServerId;

/// What the server says of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandOver {
    /// It has given its leadership up, in favour of this voter.
    Done(ServerId),
    /// No other voter had everything in time: it still leads.
    NobodyLevel,
    /// There is nothing to hand over: another server leads.
    LedBy(ServerId),
    /// Nobody else could lead.
    Alone,
    /// It does not lead, and knows nobody who does; or the leadership ended over something else.
    NotLeading,
}

impl HandOver {
    /// JSON as that of the other commands: `to` is the successor, `error` why there is none.
    pub fn to_answer(self) -> Answer {
        let (to, error) = match self {
            HandOver::Done(to) => (Some(to.0), None),
            refused => (None, Some(refused.to_string())),
        };
        finish(json!({ "to": to }), Command::HandOver, error.as_deref())
    }
}

impl fmt::Display for HandOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandOver::Done(to) => write!(f, "handed over to server {to}"),
            HandOver::NobodyLevel => {
                f.write_str("not handed over: no other voter had everything within a tick")
            }
            HandOver::LedBy(leader) => write!(f, "not handed over: server {leader} leads"),
            HandOver::Alone => f.write_str("not handed over: there is no other voter"),
            HandOver::NotLeading => f.write_str("not handed over: this server does not lead"),
        }
    }
}
