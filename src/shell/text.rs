//! Answers as Apache's shell prints them, line by line. (StatPrinter, AclParser, ByteBufUtil)

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::base::java_date;
use crate::jute::data::{Acl, Id, Stat, perms};

/// Which letter stands for which permission, in the order in which they are printed.
const PERMISSIONS: [(char, i32); 5] = [
    ('c', perms::CREATE),
    ('d', perms::DELETE),
    ('r', perms::READ),
    ('w', perms::WRITE),
    ('a', perms::ADMIN),
];

pub(super) fn stat_lines(stat: &Stat) -> String {
    format!(
        "cZxid = 0x{:x}\nctime = {}\nmZxid = 0x{:x}\nmtime = {}\npZxid = 0x{:x}\ncversion = {}\n\
         dataVersion = {}\naclVersion = {}\nephemeralOwner = 0x{:x}\ndataLength = {}\nnumChildren = {}",
        stat.czxid.0,
        java_date(stat.ctime),
        stat.mzxid.0,
        java_date(stat.mtime),
        stat.pzxid.0,
        stat.cversion,
        stat.version,
        stat.aversion,
        stat.ephemeral_owner,
        stat.data_length,
        stat.num_children
    )
}

/// Zxids and the owner as text in hex, times in milliseconds since 1970.
pub(super) fn stat_json(stat: &Stat) -> Value {
    json!({
        "cZxid": format!("0x{:x}", stat.czxid.0),
        "ctime": stat.ctime,
        "mZxid": format!("0x{:x}", stat.mzxid.0),
        "mtime": stat.mtime,
        "pZxid": format!("0x{:x}", stat.pzxid.0),
        "cversion": stat.cversion,
        "dataVersion": stat.version,
        "aclVersion": stat.aversion,
        "ephemeralOwner": format!("0x{:x}", stat.ephemeral_owner),
        "dataLength": stat.data_length,
        "numChildren": stat.num_children,
    })
}

pub(super) fn permissions(perms: i32) -> String {
    PERMISSIONS.iter().filter(|(_, bit)| perms & bit != 0).map(|(letter, _)| *letter).collect()
}

/// A letter that stands for none is the error.
pub(super) fn parse_permissions(letters: &str) -> Result<i32, char> {
    let bit = |letter| PERMISSIONS.iter().find(|(known, _)| *known == letter).map(|(_, bit)| *bit);
    letters.chars().try_fold(0, |perms, letter| Ok(perms | bit(letter).ok_or(letter)?))
}

pub(super) fn acl_lines(acl: &[Acl]) -> String {
    let line =
        |acl: &Acl| format!("'{},'{}\n: {}", acl.id.scheme, acl.id.id, permissions(acl.perms));
    acl.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub(super) fn acl_json(acl: &[Acl]) -> Value {
    let entry = |acl: &Acl| {
        json!({
            "scheme": acl.id.scheme, "id": acl.id.id, "perms": permissions(acl.perms),
        })
    };
    acl.iter().map(entry).collect()
}

/// `scheme:id:perms`, with commas between them, and what could not be read of it.
pub(super) fn parse_acl(text: &str) -> (Vec<Acl>, Vec<String>) {
    let (mut acl, mut complaints) = (Vec::new(), Vec::new());
    // An id may have colons of its own, as one of scheme digest has.
    for entry in text.split(',') {
        let parts = entry.split_once(':').and_then(|(scheme, rest)| {
            rest.rsplit_once(':').map(|(id, letters)| (scheme, id, letters))
        });
        let Some((scheme, id, letters)) = parts else {
            complaints.push(format!("{entry} does not have the form scheme:id:perm"));
            continue;
        };
        let mut perms = 0;
        for letter in letters.chars() {
            match PERMISSIONS.iter().find(|(known, _)| *known == letter) {
                Some((_, bit)) => perms |= bit,
                None => complaints.push(format!("Unknown perm type: {letter}")),
            }
        }
        acl.push(Acl { perms, id: Id { scheme: scheme.into(), id: id.into() } });
    }
    (acl, complaints)
}

/// A path or data as one line of a terminal: what would move the cursor or turn the text round is escaped.
pub(super) fn shown(text: &str) -> String {
    let is_hostile = |c: char| {
        let turns = '\u{200e}'..='\u{200f}';
        let breaks = '\u{2028}'..='\u{202e}';
        let isolates = '\u{2066}'..='\u{2069}';
        c.is_control()
            || [turns, breaks, isolates].iter().any(|range| range.contains(&c))
            || c == '\u{feff}'
    };
    if !text.contains(is_hostile) {
        return text.to_owned();
    }
    let escaped = |c: char| match is_hostile(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

/// `[a, b]`
pub(super) fn list(names: &[String]) -> String {
    format!("[{}]", names.join(", "))
}

/// Sixteen bytes a line, in hex and as ASCII; nothing for no bytes.
pub(super) fn hex_dump(data: &[u8]) -> String {
    if data.is_empty() {
        return String::new();
    }
    let rule = "+--------+-------------------------------------------------+----------------+";
    let mut out = String::from(
        "         +-------------------------------------------------+\n\
         \x20        |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n",
    );
    out.push_str(rule);
    for (row, bytes) in data.chunks(16).enumerate() {
        let hex: String = bytes.iter().map(|byte| format!(" {byte:02x}")).collect();
        let ascii: String = bytes
            .iter()
            .map(|byte| if matches!(byte, 0x20..=0x7e) { char::from(*byte) } else { '.' })
            .collect();
        let _ = write!(out, "\n|{:08x}|{hex:<48} |{ascii:<16}|", row * 16);
    }
    out.push('\n');
    out.push_str(rule);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acl_is_read_as_it_is_printed() {
        let (acl, complaints) = parse_acl("world:anyone:cdrwa,digest:bob:x=:ra,ip:10.0.0.1:");
        assert!(complaints.is_empty());
        assert_eq!(
            acl_lines(&acl),
            "'world,'anyone\n: cdrwa\n'digest,'bob:x=\n: ra\n'ip,'10.0.0.1\n: "
        );
        let (acl, complaints) = parse_acl("nope,world:anyone:rx");
        assert_eq!(
            complaints,
            ["nope does not have the form scheme:id:perm", "Unknown perm type: x"]
        );
        assert_eq!(acl.len(), 1);
    }

    #[test]
    fn what_would_spoil_a_terminal_is_escaped() {
        assert_eq!(shown("/a b/\u{fc}\u{4e2d}"), "/a b/\u{fc}\u{4e2d}");
        assert_eq!(shown("a\n\u{1b}[2J\u{9b}\u{202e}b"), "a\\n\\u{1b}[2J\\u{9b}\\u{202e}b");
    }

    #[test]
    fn a_dump_is_that_of_apache() {
        let dump = hex_dump(b"0123456789abcdef\x00~\x7f");
        let lines: Vec<&str> = dump.lines().collect();
        assert_eq!(lines.len(), 6);
        assert_eq!(
            lines[3],
            "|00000000| 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 |0123456789abcdef|"
        );
        assert_eq!(
            lines[4],
            "|00000010| 00 7e 7f                                        |.~.             |"
        );
        assert_eq!(hex_dump(b""), "");
    }
}
