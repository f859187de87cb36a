//! The Java properties syntax of zoo.cfg, with positions. (java.util.Properties.load)
//!
//! Bytes are Latin-1 characters. A line is `key`, then `=`, `:` or blanks, then the value; `#` and
//! `!` begin a comment only as the first character of a line; a backslash at the end of a line
//! joins it with the next one, and elsewhere escapes a character (`\t`, `\\`, `\u0041`).
//! Not here: what keys mean (`keys.rs`).

use std::fmt;

use super::error::{At, ConfigError};

/// One key with its value, trimmed, and where both begin.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) key_at: At,
    /// Where the value begins; where it would, if it is empty.
    pub(super) value_at: At,
}

/// Without a secret: a password is no part of any message.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={:?} at {}", self.key, self.shown_value(), self.value_at)
    }
}

impl Entry {
    /// The key without `zookeeper.`, which zoo.cfg may have and leave out.
    pub(super) fn name(&self) -> &str {
        self.key.strip_prefix("zookeeper.").unwrap_or(&self.key)
    }

    /// The value, unless it is a secret.
    fn shown_value(&self) -> &str {
        let is_secret = ["password", "superDigest"].iter().any(|end| self.key.ends_with(end));
        if is_secret { "(not shown)" } else { &self.value }
    }

    /// The place of the character `offset` of the value. Exact where the value spans one line
    /// and holds no escapes.
    pub(super) fn at(&self, offset: usize) -> At {
        At { column: self.value_at.column + offset, ..self.value_at.clone() }
    }

    /// The error of a value that is wrong from the character `offset` on.
    pub(super) fn mistyped(&self, offset: usize, expected: &str) -> ConfigError {
        ConfigError::Mistyped {
            at: self.at(offset),
            key: self.key.clone(),
            value: self.shown_value().into(),
            expected: expected.into(),
        }
    }
}

/// One character of a logical line: what it is, whether an escape made it, and where it stood.
#[derive(Clone, Copy)]
struct Spot {
    ch: char,
    escaped: bool,
    line: usize,
    column: usize,
}

/// Java's blanks inside a line.
fn is_blank(ch: char) -> bool {
    matches!(ch, ' ' | '\t' | '\u{c}')
}

/// Reads a whole file, in order.
pub(super) fn read_properties(text: &str, file: &str) -> Result<Vec<Entry>, ConfigError> {
    let mut entries = Vec::new();
    // `\r`, `\n` and `\r\n` all end a line.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = text.split('\n').enumerate().map(|(n, line)| (n + 1, line));
    while let Some((number, line)) = lines.next() {
        let start = line.trim_start_matches(is_blank);
        if start.is_empty() || start.starts_with(['#', '!']) {
            continue;
        }
        let mut spots = Vec::new();
        let mut joined = push_line(&mut spots, number, line, file)?;
        while joined {
            match lines.next() {
                Some((number, line)) => joined = push_line(&mut spots, number, line, file)?,
                None => break,
            }
        }
        entries.extend(split_entry(&spots, file));
    }
    Ok(entries)
}

/// Adds one natural line, without its leading blanks. Answers whether the next one continues it.
fn push_line(
    spots: &mut Vec<Spot>,
    line: usize,
    text: &str,
    file: &str,
) -> Result<bool, ConfigError> {
    let mut chars = text.chars().enumerate().map(|(n, ch)| (n + 1, ch)).peekable();
    while chars.next_if(|(_, ch)| is_blank(*ch)).is_some() {}
    while let Some((column, ch)) = chars.next() {
        if ch != '\\' {
            spots.push(Spot { ch, escaped: false, line, column });
            continue;
        }
        let Some((_, escaped)) = chars.next() else {
            return Ok(true);
        };
        let ch = match escaped {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\u{c}',
            'u' => {
                let digits: String = chars.by_ref().take(4).map(|(_, ch)| ch).collect();
                let code = (digits.len() == 4).then(|| u32::from_str_radix(&digits, 16).ok());
                code.flatten().and_then(char::from_u32).ok_or_else(|| ConfigError::Syntax {
                    at: At { file: file.into(), line, column },
                    what: "\\u needs four hexadecimal digits (write \\\\ for a backslash)",
                })?
            }
            other => other,
        };
        spots.push(Spot { ch, escaped: true, line, column });
    }
    Ok(false)
}

/// Key, separator, value. `None` for a line that is empty once joined.
fn split_entry(spots: &[Spot], file: &str) -> Option<Entry> {
    let first = spots.first()?;
    let at = |spot: &Spot| At { file: file.into(), line: spot.line, column: spot.column };
    let ends_key = |s: &Spot| !s.escaped && (is_blank(s.ch) || matches!(s.ch, '=' | ':'));
    let key_len = spots.iter().position(ends_key).unwrap_or(spots.len());
    let blank = |s: &Spot| !s.escaped && is_blank(s.ch);
    let mut rest = &spots[key_len..];
    rest = &rest[rest.iter().take_while(|s| blank(s)).count()..];
    if rest.first().is_some_and(|s| !s.escaped && matches!(s.ch, '=' | ':')) {
        rest = &rest[1..];
        rest = &rest[rest.iter().take_while(|s| blank(s)).count()..];
    }
    // ZooKeeper trims values on top of what the format does.
    while rest.last().is_some_and(|s| s.ch.is_whitespace()) {
        rest = &rest[..rest.len() - 1];
    }
    while rest.first().is_some_and(|s| s.ch.is_whitespace()) {
        rest = &rest[1..];
    }
    let value_at = match (rest.first(), spots.last()) {
        (Some(spot), _) => at(spot),
        (None, Some(last)) => At { file: file.into(), line: last.line, column: last.column + 1 },
        (None, None) => return None,
    };
    Some(Entry {
        key: spots[..key_len].iter().map(|s| s.ch).collect(),
        value: rest.iter().map(|s| s.ch).collect(),
        key_at: at(first),
        value_at,
    })
}

/// The `-Dkey=value` flags in an environment variable, whose value begins at `begin`, in order; other
/// flags are the JVM's own. Blanks part them, and quotes mean nothing: zkServer.sh has the shell
/// split the value and do no more.
pub(super) fn read_jvm_flags(flags: &str, begin: &At) -> Vec<Entry> {
    let mut entries = Vec::new();
    let at = |column| At { column: begin.column + column, ..begin.clone() };
    let mut column = 0;
    for word in flags.split_inclusive(char::is_whitespace) {
        let start = column + 2;
        column += word.chars().count();
        let Some(flag) = word.trim_end().strip_prefix("-D") else { continue };
        let (key, value) = flag.split_once('=').unwrap_or((flag, ""));
        entries.push(Entry {
            key: key.into(),
            value: value.into(),
            key_at: at(start),
            value_at: at(start + key.chars().count() + 1),
        });
    }
    entries
}

/// Latin-1, as Java reads a properties file: each byte is the character of that number.
pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let entries = read_properties(text, "zoo.cfg").expect("the text is well formed");
        entries.into_iter().map(|e| (e.key, e.value)).collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.into(), value.into())
    }

    #[test]
    fn equals_colon_and_blanks_separate() {
        let text = "a=1\nb:2\nc 3\nd = 4 \n\te\t:\t5\nf==6\ng";
        let expected = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5"), ("f", "=6")];
        let mut expected: Vec<_> = expected.iter().map(|(k, v)| pair(k, v)).collect();
        expected.push(pair("g", ""));
        assert_eq!(pairs(text), expected);
    }

    #[test]
    fn comments_are_lines_of_their_own() {
        assert_eq!(pairs("# a=1\n  ! b=2\n\nc=3 # d"), [pair("c", "3 # d")]);
    }

    #[test]
    fn a_backslash_joins_lines_and_escapes() {
        assert_eq!(pairs("a=one\\\n   two"), [pair("a", "onetwo")]);
        assert_eq!(pairs("a\\ b=c\\\\d\\t\\u0041"), [pair("a b", "c\\d\tA")]);
        assert_eq!(pairs("a=1\\"), [pair("a", "1")]);
    }

    #[test]
    fn carriage_returns_end_lines() {
        assert_eq!(pairs("a=1\r\nb=2\rc=3"), [pair("a", "1"), pair("b", "2"), pair("c", "3")]);
    }

    #[test]
    fn a_broken_unicode_escape_says_where() {
        let error = read_properties("ok=1\nbad=\\uXY", "zoo.cfg").expect_err("not hexadecimal");
        assert!(error.to_string().starts_with("zoo.cfg:2:5: \\u needs four"), "{error}");
    }

    #[test]
    fn positions_are_those_of_the_file() {
        let entries = read_properties("\n  key = \\\n    value\nempty=", "f").expect("well formed");
        let place = |at: &At| (at.line, at.column);
        assert_eq!((place(&entries[0].key_at), place(&entries[0].value_at)), ((2, 3), (3, 5)));
        assert_eq!((place(&entries[1].key_at), place(&entries[1].value_at)), ((4, 1), (4, 7)));
    }

    #[test]
    fn jvm_flags_are_read_with_their_columns() {
        let begin = At { file: "JVMFLAGS".into(), line: 1, column: 1 };
        let flags = read_jvm_flags("-Xmx1g  -Dzookeeper.snapCount=10 -Dflag", &begin);
        assert_eq!(flags.len(), 2);
        assert_eq!((flags[0].key.as_str(), flags[0].value.as_str()), ("zookeeper.snapCount", "10"));
        assert_eq!((flags[0].key_at.column, flags[0].value_at.column), (11, 31));
        assert_eq!((flags[1].key.as_str(), flags[1].value.as_str()), ("flag", ""));
    }
}
