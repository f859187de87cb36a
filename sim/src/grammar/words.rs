//! Words for kinds of messages, roles and files, and the small things a line is made of.

use quorate::base::{Epoch, RoleName, SyncMode, Zxid};
use quorate::runtime::LabelKind;

use super::lexer::{Mistake, Words, zxid};
use super::nearest::unknown_word;

/// Words for the kinds of frames, as ZooKeeper writes them.
pub const KINDS: [(&str, LabelKind); 21] = [
    ("HANDSHAKE", LabelKind::Handshake),
    ("NOTIFICATION", LabelKind::Notification),
    ("REQUEST", LabelKind::Request),
    ("PROPOSAL", LabelKind::Proposal),
    ("ACK", LabelKind::Ack),
    ("COMMIT", LabelKind::Commit),
    ("PING", LabelKind::Ping),
    ("REVALIDATE", LabelKind::Revalidate),
    ("SYNC", LabelKind::Sync),
    ("INFORM", LabelKind::Inform),
    ("NEWLEADER", LabelKind::NewLeader),
    ("FOLLOWERINFO", LabelKind::FollowerInfo),
    ("UPTODATE", LabelKind::UpToDate),
    ("DIFF", LabelKind::Diff),
    ("TRUNC", LabelKind::Trunc),
    ("SNAP", LabelKind::Snap),
    ("SNAPSHOT", LabelKind::SnapshotStream),
    ("OBSERVERINFO", LabelKind::ObserverInfo),
    ("LEADERINFO", LabelKind::LeaderInfo),
    ("ACKEPOCH", LabelKind::AckEpoch),
    ("CLIENT", LabelKind::Client),
];

pub fn kind_word(kind: LabelKind) -> &'static str {
    KINDS.iter().find(|(_, k)| *k == kind).map_or("?", |(word, _)| word)
}

pub const ROLES: [(&str, RoleName); 4] = [
    ("looking", RoleName::Looking),
    ("following", RoleName::Following),
    ("leading", RoleName::Leading),
    ("observing", RoleName::Observing),
];

pub fn role_word(role: RoleName) -> &'static str {
    ROLES.iter().find(|(_, r)| *r == role).map_or("standalone", |(word, _)| word)
}

pub fn mode_word(mode: SyncMode) -> &'static str {
    match mode {
        SyncMode::Diff => "DIFF",
        SyncMode::Trunc => "TRUNC",
        SyncMode::Snap => "SNAP",
    }
}

/// How names of files in a data directory begin.
pub const FILES: [&str; 6] =
    ["log", "snapshot", "currentEpoch", "acceptedEpoch", "quorate.guard", "quorate.floor"];

/// The beginning of a file's name, if the next word is one.
pub fn a_file(words: &mut Words<'_>) -> Option<String> {
    let file = words.peek().filter(|word| FILES.iter().any(|known| word.starts_with(known)))?;
    words.take_next();
    Some(file.to_owned())
}

/// Whether an action ends here.
pub fn ends(words: &Words<'_>) -> bool {
    matches!(words.peek(), None | Some(";"))
}

pub fn named<T: Copy>(
    words: &mut Words<'_>,
    what: &str,
    known: &[(&str, T)],
) -> Result<T, Mistake> {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let Some(word) = words.peek() else {
        return Err(words.expected(&format!("a {what}: {}", names.join(", "))));
    };
    let Some((_, value)) = known.iter().find(|(name, _)| *name == word) else {
        return Err(Mistake::new(words.at(), unknown_word(what, word, &names)));
    };
    words.take_next();
    Ok(*value)
}

pub fn any_word(words: &mut Words<'_>, what: &str) -> Result<String, Mistake> {
    match words.peek() {
        Some(word) if word != ";" && word != "," => {
            words.take_next();
            Ok(word.to_owned())
        }
        _ => Err(words.expected(what)),
    }
}

pub fn a_path(words: &mut Words<'_>) -> Result<String, Mistake> {
    match words.peek() {
        Some(word) if word.starts_with('/') => any_word(words, "a path"),
        _ => Err(words.expected("a path that begins with `/`")),
    }
}

pub fn data(words: &mut Words<'_>) -> String {
    if ends(words) { String::new() } else { any_word(words, "data").unwrap_or_default() }
}

pub fn a_zxid(words: &mut Words<'_>) -> Result<Zxid, Mistake> {
    let value = words.peek().and_then(zxid);
    let value = value.ok_or_else(|| words.expected("a zxid such as `0x100000004`"))?;
    words.take_next();
    Ok(value)
}

pub fn an_epoch(words: &mut Words<'_>) -> Result<Epoch, Mistake> {
    let value = words.peek().and_then(|word| word.parse::<i64>().ok());
    let value = value.ok_or_else(|| words.expected("an epoch such as `1`"))?;
    words.take_next();
    Ok(Epoch(value))
}
