//! What is wrong with a scenario file: file, line, column, and what was expected there.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::grammar::unknown_word;

/// A mistake in a scenario file. Lines and columns count from 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    pub file: PathBuf,
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.file.display(), self.message);
        }
        write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)
    }
}

impl std::error::Error for FileError {}

/// A file's text, to turn byte offsets into lines and columns.
#[derive(Clone, Debug)]
pub struct Source {
    pub file: PathBuf,
    pub text: String,
}

impl Source {
    pub fn read(file: &Path) -> Result<Source, FileError> {
        let text = std::fs::read_to_string(file).map_err(|error| FileError {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: format!("cannot be read: {error}"),
        })?;
        Ok(Source { file: file.to_owned(), text })
    }

    pub fn error(&self, at: usize, message: impl Into<String>) -> FileError {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        FileError {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
        }
    }

    /// The position in the file of byte `offset` of a string value that stands at `span`.
    /// Exact where the string has no escapes, which no timeline needs.
    pub fn inside(&self, span: &Range<usize>, offset: usize) -> usize {
        let raw = self.text.get(span.clone()).unwrap_or("");
        let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") { 3 } else { 1 };
        (span.start + quotes + offset).min(span.end)
    }

    /// The error of the TOML reader in this module's words, with the nearest key where a key
    /// is not known.
    pub fn toml_error(&self, error: &toml::de::Error) -> FileError {
        let at = error.span().map_or(0, |span| span.start);
        self.error(at, improve(error.message()))
    }
}

/// `unknown field `x`, expected one of `a`, `b`` becomes a sentence with the nearest key. The names
/// are read from the message of serde: an error of the TOML reader tells its kind nowhere else.
fn improve(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return message.trim_end().to_owned();
    };
    let mut quoted = rest.split('`');
    let unknown = quoted.next().unwrap_or("");
    let known: Vec<&str> = quoted.skip(1).step_by(2).collect();
    unknown_word("key", unknown, &known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        let message = improve("unknown field `obsevers`, expected one of `voters`, `observers`");
        assert!(message.contains("did you mean `observers`"), "{message}");
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        let source = Source { file: "x.toml".into(), text: "a\n\u{e4}b = 1".into() };
        let error = source.error(4, "here");
        assert_eq!((error.line, error.column), (2, 2));
    }
}
