//! A note as its name and fields, for recordings.

use std::borrow::Cow;

use quorate::base::{AckKind, Epoch, GaveUp, Note, RoleName, ServerId, SessionId, SyncMode, Zxid};

use super::{Role, Value, What};
use crate::checkers::Rebuilt;
use crate::grammar::words::mode_word;

type Fields = Vec<(Cow<'static, str>, Value)>;

/// What a recording holds of a note. Roles have a form of their own.
pub(crate) fn what(note: &Note) -> What {
    if let Note::Role { role: new, epoch } = note {
        return What::Role { role: role(*new), epoch: epoch.0 };
    }
    let (name, fields) = split(note);
    What::Note { name: Cow::Borrowed(name), fields }
}

pub(crate) fn role(role: RoleName) -> Role {
    match role {
        RoleName::Looking => Role::Looking,
        RoleName::Following => Role::Following,
        RoleName::Leading => Role::Leading,
        RoleName::Observing => Role::Observing,
        RoleName::Standalone => Role::Standalone,
    }
}

/// Collects fields under the names they have in the note.
macro_rules! fields {
    ($($name:ident),*) => { vec![$((Cow::Borrowed(stringify!($name)), value($name))),*] };
}

/// A field's value by its type; `&u64` alone does not say what it counts.
trait AsValue {
    fn value(&self) -> Value;
}

fn value(of: &impl AsValue) -> Value {
    of.value()
}

macro_rules! as_value {
    ($($type:ty, $me:ident => $value:expr;)*) => {
        $(impl AsValue for $type {
            fn value(&self) -> Value {
                let $me = self;
                $value
            }
        })*
    };
}

as_value! {
    Zxid, zxid => Value::Zxid(zxid.0);
    Epoch, epoch => Value::Epoch(epoch.0);
    ServerId, server => Value::Server(server.0);
    Vec<ServerId>, servers => Value::Servers(servers.iter().map(|server| server.0).collect());
    SessionId, session => Value::Session(session.0);
    u64, number => Value::Number(*number);
    u32, number => Value::Number(u64::from(*number));
    SyncMode, mode => Value::Text(mode_word(*mode).to_owned());
    AckKind, kind => Value::Text(format!("{kind:?}"));
    GaveUp, why => Value::Text(why.to_string());
    String, text => Value::Text(text.clone());
    &'static str, text => Value::Text((*text).to_owned());
    Hash, hash => Value::Hash(hash.0);
}

struct Hash(u64);

/// What a copy of a disk came to.
pub(crate) fn rebuilt(rebuilt: &Rebuilt) -> What {
    let Rebuilt { durable, last_applied, digest, replayed: (once, twice) } = rebuilt;
    let (digest, once, twice) = (&Hash(*digest), &Hash(*once), &Hash(*twice));
    let of = &if *durable { "what was durable" } else { "all that was written" };
    What::Note {
        name: Cow::Borrowed("Rebuilt"),
        fields: fields![of, last_applied, digest, once, twice],
    }
}

/// A frame that was long on its way.
pub(crate) fn heard_late(from: ServerId) -> What {
    let from = &from;
    What::Note { name: Cow::Borrowed("HeardLate"), fields: fields![from] }
}

fn split(note: &Note) -> (&'static str, Fields) {
    match note {
        Note::Recovered { last_logged, last_applied, accepted, current, tree_digest } => {
            let tree_digest = &Hash(*tree_digest);
            ("Recovered", fields![last_logged, last_applied, accepted, current, tree_digest])
        }
        Note::Role { epoch, .. } => ("Role", fields![epoch]),
        Note::Vote { round, leader, zxid, epoch } => ("Vote", fields![round, leader, zxid, epoch]),
        Note::VoteCounted { round, from, leader } => ("VoteCounted", fields![round, from, leader]),
        Note::Elected { round, leader, voters } => ("Elected", fields![round, leader, voters]),
        Note::EpochOffered { epoch, voters } => ("EpochOffered", fields![epoch, voters]),
        Note::EpochAckCounted { epoch, from, current, zxid } => {
            ("EpochAckCounted", fields![epoch, from, current, zxid])
        }
        Note::AcceptedEpochDurable { epoch } => ("AcceptedEpochDurable", fields![epoch]),
        Note::CurrentEpochDurable { epoch } => ("CurrentEpochDurable", fields![epoch]),
        Note::SyncChosen { learner, mode, peer, to } => {
            ("SyncChosen", fields![learner, mode, peer, to])
        }
        Note::SyncProgress { learner, sent_bytes, percent, took_ms } => {
            ("SyncProgress", fields![learner, sent_bytes, percent, took_ms])
        }
        Note::SnapshotSent { learner, upto } => ("SnapshotSent", fields![learner, upto]),
        Note::NewLeaderAckCounted { epoch, from } => ("NewLeaderAckCounted", fields![epoch, from]),
        Note::Established { epoch, voters, history_end } => {
            ("Established", fields![epoch, voters, history_end])
        }
        Note::QuorumAlive { voters } => ("QuorumAlive", fields![voters]),
        Note::SessionTouched { session } => ("SessionTouched", fields![session]),
        Note::SessionExpired { session, timeout_ms } => {
            ("SessionExpired", fields![session, timeout_ms])
        }
        Note::SlowStep { took_ms } => ("SlowStep", fields![took_ms]),
        Note::GaveUp { why } => ("GaveUp", fields![why]),
        Note::Broken { id, what } => ("Broken", fields![id, what]),
        of_the_log => split_log(of_the_log),
    }
}

/// What a server says of its log, its snapshots and its tree.
fn split_log(note: &Note) -> (&'static str, Fields) {
    match note {
        Note::Proposed { zxid, hash } => {
            let hash = &Hash(*hash);
            ("Proposed", fields![zxid, hash])
        }
        Note::Appended { zxid, hash } => {
            let hash = &Hash(*hash);
            ("Appended", fields![zxid, hash])
        }
        Note::Durable { zxid } => ("Durable", fields![zxid]),
        Note::Truncated { to } => ("Truncated", fields![to]),
        Note::SnapshotDurable { zxid } => ("SnapshotDurable", fields![zxid]),
        Note::SnapshotInstalled { zxid, tree_digest } => {
            let tree_digest = &Hash(*tree_digest);
            ("SnapshotInstalled", fields![zxid, tree_digest])
        }
        Note::AckSent { kind, zxid } => ("AckSent", fields![kind, zxid]),
        Note::AckCounted { zxid, from } => ("AckCounted", fields![zxid, from]),
        Note::Committed { zxid, voters } => ("Committed", fields![zxid, voters]),
        Note::Applied { zxid, hash, state_digest } => {
            let (hash, state_digest) = (&Hash(*hash), &Hash(*state_digest));
            ("Applied", fields![zxid, hash, state_digest])
        }
        Note::FastForwarded { to, state_digest } => {
            let state_digest = &Hash(*state_digest);
            ("FastForwarded", fields![to, state_digest])
        }
        Note::Serving { epoch, zxid } => ("Serving", fields![epoch, zxid]),
        // A note this list does not know yet keeps its own words.
        other => ("Other", vec![(Cow::Borrowed("words"), Value::Text(format!("{other:?}")))]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_the_names_and_types_of_the_note() {
        let note = Note::Committed { zxid: Zxid(7), voters: vec![ServerId(1), ServerId(3)] };
        let fields = vec![
            (Cow::Borrowed("zxid"), Value::Zxid(7)),
            (Cow::Borrowed("voters"), Value::Servers(vec![1, 3])),
        ];
        assert_eq!(what(&note), What::Note { name: "Committed".into(), fields });
    }

    #[test]
    fn a_role_is_a_role() {
        let note = Note::Role { role: RoleName::Leading, epoch: Epoch(3) };
        assert_eq!(what(&note), What::Role { role: Role::Leading, epoch: 3 });
    }
}
