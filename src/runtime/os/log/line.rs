//! One event of the log as one line, whatever stands in it.
//!
//! Much of what is logged was sent by strangers. A line break or a control character in it would
//! forge lines, or move the cursor of whoever reads them, so both are written as escapes (`\n`,
//! `\u{1b}`; in JSON as its own). What is longer than a line should be is cut, with its whole length behind it.
//!
//! A line of the audit has Apache's form: `name=value` between tabs, values as they are. (AuditEvent)
//! In JSON it is an object as all others.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::base::AUDIT_TARGET;
use crate::runtime::LogFormat;

/// Bytes of one field.
const FIELD_BYTES_MAX: usize = 200;
/// The same in a line of the audit.
const AUDIT_FIELD_BYTES_MAX: usize = 2000;
/// Bytes of the sentence of a line, which is ours; what it was made of may be a stranger's.
const MESSAGE_BYTES_MAX: usize = 1000;
/// The same of a last word, and of lines that somebody has asked for by their level.
const LONG_MESSAGE_BYTES_MAX: usize = 8192;

/// ` WARN quorate::server: sentence field=value`, without time and line break. In JSON the beginning,
/// `{"timestamp":"...",`, and the end, `"}`, are not there: what ends a line belongs to its sentence.
pub(super) fn text_of(event: &Event<'_>, format: LogFormat) -> String {
    let metadata = event.metadata();
    let (message, fields) = (String::new(), String::new());
    let is_audit = metadata.target() == AUDIT_TARGET;
    let mut words = Words { format, level: *metadata.level(), is_audit, message, fields };
    event.record(&mut words);
    spell(format, *metadata.level(), metadata.target(), &words.message, &words.fields)
}

/// The same of words that are escaped already.
pub(super) fn spell(
    format: LogFormat,
    level: Level,
    target: &str,
    message: &str,
    fields: &str,
) -> String {
    let level = level.as_str();
    match format {
        LogFormat::Text => format!("{level:>5} {target}: {message}{fields}"),
        LogFormat::Json => format!(
            r#""level":"{level}","target":"{target}","fields":{{{fields}}},"message":"{message}"#
        ),
    }
}

/// Sentence and fields as they are told one by one.
struct Words {
    format: LogFormat,
    level: Level,
    is_audit: bool,
    message: String,
    fields: String,
}

impl Words {
    /// A name is ours; there is nothing to escape.
    fn begin_field(&mut self, name: &str) {
        let _ = match self.format {
            LogFormat::Text => write!(self.fields, " {name}="),
            LogFormat::Json => {
                let comma = if self.fields.is_empty() { "" } else { "," };
                write!(self.fields, r#"{comma}"{name}":"#)
            }
        };
    }

    /// What is the same in both formats.
    fn push_bare(&mut self, name: &str, value: impl fmt::Display) {
        self.begin_field(name);
        let _ = write!(self.fields, "{value}");
    }
}

impl Visit for Words {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push_bare(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push_bare(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push_bare(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match self.format {
            LogFormat::Text => self.record_debug(field, &value),
            LogFormat::Json => self.record_debug(field, &format_args!("{value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let is_long = !matches!(self.level, Level::WARN | Level::INFO);
            let max = if is_long { LONG_MESSAGE_BYTES_MAX } else { MESSAGE_BYTES_MAX };
            cut(&mut self.message, self.format, max, format_args!("{value:?}"));
        } else if self.is_audit && self.format == LogFormat::Text {
            let tab = if self.fields.is_empty() { "" } else { "\t" };
            let _ = write!(self.fields, "{tab}{}=", field.name());
            cut(&mut self.fields, self.format, AUDIT_FIELD_BYTES_MAX, format_args!("{value:?}"));
        } else {
            self.begin_field(field.name());
            let quote = if self.format == LogFormat::Json { "\"" } else { "" };
            self.fields.push_str(quote);
            let max = if self.is_audit { AUDIT_FIELD_BYTES_MAX } else { FIELD_BYTES_MAX };
            cut(&mut self.fields, self.format, max, format_args!("{value:?}"));
            self.fields.push_str(quote);
        }
    }
}

/// Writes at most `max` bytes of a value, on one line.
fn cut(out: &mut String, format: LogFormat, max: usize, value: fmt::Arguments<'_>) {
    let mut line = Line { out, format, room: max, bytes: 0, is_cut: false };
    // Only the value's own formatting could fail, and what it has written by then stands there.
    let _ = line.write_fmt(value);
    if line.is_cut {
        let bytes = line.bytes;
        let _ = write!(out, "... ({bytes} bytes)");
    }
}

struct Line<'a> {
    out: &'a mut String,
    format: LogFormat,
    room: usize,
    /// Of the whole value, before anything is escaped or cut.
    bytes: usize,
    is_cut: bool,
}

impl Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes += text.len();
        for c in text.chars() {
            if self.is_cut {
                break;
            }
            let before = self.out.len();
            match self.format {
                LogFormat::Json => push_json(self.out, c),
                LogFormat::Text if is_harmless(c) => self.out.push(c),
                LogFormat::Text => self.out.extend(c.escape_default()),
            }
            match self.room.checked_sub(self.out.len() - before) {
                Some(room) => self.room = room,
                None => {
                    self.out.truncate(before);
                    self.is_cut = true;
                }
            }
        }
        Ok(())
    }
}

/// A character of a string. None of those that do harm has more than 16 bits. (RFC 8259, section 7)
fn push_json(out: &mut String, c: char) {
    match c {
        '"' | '\\' => out.extend(['\\', c]),
        '\n' => out.push_str("\\n"),
        c if is_harmless(c) => out.push(c),
        c => {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
    }
}

/// Whether a character stays on its line and shows what it is: no control character, none that
/// separates lines or turns the direction of writing.
pub(super) fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(max: usize, value: &str) -> String {
        let mut out = String::new();
        cut(&mut out, LogFormat::Text, max, format_args!("{value}"));
        out
    }

    #[test]
    fn what_would_begin_a_line_or_steer_a_terminal_is_escaped() {
        assert_eq!(shown(99, "a\nb\r\tc"), r"a\nb\r\tc");
        assert_eq!(shown(99, "\u{1b}[2J\u{7f}\u{9b}"), r"\u{1b}[2J\u{7f}\u{9b}");
        assert_eq!(shown(99, "\u{2028}\u{202e}x\u{2069}"), r"\u{2028}\u{202e}x\u{2069}");
        assert_eq!(shown(99, "/gr\u{fc}n \u{4e2d} \\n"), "/gr\u{fc}n \u{4e2d} \\n");
    }

    #[test]
    fn what_is_too_long_is_cut_between_two_characters_with_its_length_behind_it() {
        assert_eq!(shown(4, "1234"), "1234");
        assert_eq!(shown(4, "12345"), "1234... (5 bytes)");
        assert_eq!(shown(4, "123\u{fc}5"), "123... (6 bytes)");
        assert_eq!(shown(4, "123\n5"), "123... (5 bytes)", "an escape is whole or not there");
        let pieces = format_args!("{}{}", "ab", "cd").to_string();
        assert_eq!(shown(3, &pieces), "abc... (4 bytes)");
    }
}
