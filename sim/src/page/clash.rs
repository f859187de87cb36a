//! The two events a violation is about.
//!
//! The first is known: it is the fact at which a checker found it. What it clashes with is known
//! only as a server, or not at all; the likeliest event is looked for here. It says nothing new: it
//! is where a reader would look next.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::recording::{Event, Party, Recording, Value, Violated, What};

/// Notes that count somebody: a second one of the same voter is worth showing.
const COUNTS: [&str; 4] = ["VoteCounted", "EpochAckCounted", "NewLeaderAckCounted", "AckCounted"];

/// Places of events: what broke the property, then what it clashes with, as far as there are any.
pub(super) fn events(recording: &Recording, violated: &Violated) -> Vec<u32> {
    let all = &recording.events;
    let Some(first) = violated.events.first().copied() else { return Vec::new() };
    let Some(before) = all.get(..first as usize) else { return Vec::new() };
    let event = &all[first as usize];
    let other = match violated.servers.get(1) {
        Some(server) => likeliest(before, Party::Server(*server), event)
            .or_else(|| violated.events.get(1).map(|place| *place as usize)),
        None => counted_twice(before, event)
            .or_else(|| named(before, event, &violated.words))
            .or_else(|| likeliest(before, event.by, event))
            .or_else(|| anybody(before, event)),
    };
    let other = other.filter(|place| *place < all.len()).map(|place| place as u32);
    [first].into_iter().chain(other).collect()
}

/// The newest event of this server that says the same of the same zxid or epoch; then the newest
/// that names it.
fn likeliest(before: &[Event], by: Party, event: &Event) -> Option<usize> {
    let about = subjects(event);
    let is_about =
        |other: &Event| other.by == by && subjects(other).iter().any(|s| about.contains(s));
    let same = before.iter().rposition(|other| name(other) == name(event) && is_about(other));
    same.or_else(|| before.iter().rposition(is_about))
}

/// Where a server that rests on voters last counted one of them again; if it did not, where it last
/// counted one. Whom a vote names does not matter: a voter has one.
fn counted_twice(before: &[Event], event: &Event) -> Option<usize> {
    let voters = fields(event).iter().find_map(|(_, value)| match value {
        Value::Servers(voters) => Some(voters),
        _ => None,
    })?;
    let (mut seen, mut newest, mut again) = (BTreeSet::new(), None, None);
    for (n, other) in before.iter().enumerate().filter(|(_, other)| other.by == event.by) {
        if matches!(other.what, What::Role { .. } | What::Life(_)) {
            // A tally does not outlive its role.
            seen.clear();
            (newest, again) = (None, None);
        }
        let from = fields(other).iter().find_map(|(name, value)| match value {
            Value::Server(from) if name == "from" => Some(*from),
            _ => None,
        });
        if !COUNTS.contains(&name(other)) || from.is_none_or(|from| !voters.contains(&from)) {
            continue;
        }
        newest = Some(n);
        let vote: Vec<_> = fields(other).iter().filter(|(name, _)| name != "leader").collect();
        if !seen.insert(format!("{} {vote:?}", name(other))) {
            again = Some(n);
        }
    }
    again.or(newest)
}

/// The newest event about another zxid that the violation's words name: of the same server, else of
/// any. The zxids are read from the words, because checkers name them nowhere else.
fn named(before: &[Event], event: &Event, words: &str) -> Option<usize> {
    let words = words.split(|c: char| !c.is_ascii_alphanumeric());
    let zxids = words.filter_map(|word| i64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
    let named: Vec<Value> = zxids.filter(|zxid| *zxid > 0).map(Value::Zxid).collect();
    let own = subjects(event);
    let is_about =
        |other: &Event| subjects(other).iter().any(|s| named.contains(s) && !own.contains(s));
    let same = before.iter().rposition(|other| other.by == event.by && is_about(other));
    same.or_else(|| before.iter().rposition(is_about))
}

/// The newest event of anybody about the same.
fn anybody(before: &[Event], event: &Event) -> Option<usize> {
    let about = subjects(event);
    before.iter().rposition(|other| subjects(other).iter().any(|s| about.contains(s)))
}

fn name(event: &Event) -> &str {
    match &event.what {
        What::Note { name, .. } => name,
        What::Role { .. } => "Role",
        _ => "",
    }
}

fn fields(event: &Event) -> &[(Cow<'static, str>, Value)] {
    match &event.what {
        What::Note { fields, .. } => fields,
        _ => &[],
    }
}

/// The zxids and epochs a note names; the empty history says nothing.
fn subjects(event: &Event) -> Vec<&Value> {
    let names = |value: &&Value| {
        matches!(value, Value::Zxid(zxid) if *zxid > 0)
            || matches!(value, Value::Epoch(epoch) if *epoch > 0)
    };
    fields(event).iter().map(|(_, value)| value).filter(names).collect()
}
