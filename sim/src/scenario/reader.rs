//! The values of a scenario file, one by one: each is what it must be, or a mistake with its place.
//!
//! What the values of a section mean stands beside the section's type: `ensemble.rs`, `workload.rs`,
//! `chaos.rs`, `swarm`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use quorate::base::Zxid;
use toml::{Spanned, Value};

use super::error::{FileError, Source};
use crate::grammar::lexer::{duration, duration_range, zxid};
use crate::grammar::sizes::{byte_rate, bytes, size_range};
use crate::grammar::{Mistake, unknown_word};

pub(super) type Text = Spanned<String>;
/// A section whose keys are looked at one by one.
pub(super) type Section = BTreeMap<Spanned<String>, Spanned<Value>>;

/// Reads the values of one file.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
}

impl Reader<'_> {
    pub(super) fn wrong(
        &self,
        text: &Text,
        offset: usize,
        message: impl Into<String>,
    ) -> FileError {
        self.source.error(self.source.inside(&text.span(), offset), message)
    }

    pub(super) fn at(&self, span: &Range<usize>, message: impl Into<String>) -> FileError {
        self.source.error(span.start, message)
    }

    pub(super) fn duration(&self, text: &Text) -> Result<Duration, FileError> {
        duration(text.get_ref())
            .ok_or_else(|| self.wrong(text, 0, "expected a time such as `200ms` or `10s`"))
    }

    pub(super) fn optional(&self, text: Option<&Text>) -> Result<Option<Duration>, FileError> {
        text.map(|text| self.duration(text)).transpose()
    }

    /// A key that a table must have.
    pub(super) fn missing(&self, table: &str, key: &str) -> FileError {
        let text = &self.source.text;
        let at = text.find(&format!("[{table}]")).or_else(|| text.find("[swarm]")).unwrap_or(0);
        self.at(&(at..at), format!("expected `{key}` in [{table}]"))
    }

    pub(super) fn range(
        &self,
        text: Option<&Text>,
        default_ms: (u64, u64),
    ) -> Result<(Duration, Duration), FileError> {
        let Some(text) = text else {
            let (low, high) = default_ms;
            return Ok((Duration::from_millis(low), Duration::from_millis(high)));
        };
        duration_range(text.get_ref())
            .ok_or_else(|| self.wrong(text, 0, "expected a time or a range such as `1ms..5ms`"))
    }

    /// A number of bytes above 0.
    pub(super) fn bytes(&self, text: Option<&Text>) -> Result<Option<u64>, FileError> {
        self.size(text, bytes, "expected a number of bytes such as `64KB`")
    }

    /// Two numbers of bytes above 0.
    pub(super) fn byte_range(&self, text: Option<&Text>) -> Result<Option<(u64, u64)>, FileError> {
        let Some(text) = text else { return Ok(None) };
        let range = size_range(text.get_ref(), bytes).filter(|(low, _)| *low > 0);
        let expected = "expected bytes or a range such as `1KB..64KB`";
        range.map(Some).ok_or_else(|| self.wrong(text, 0, expected))
    }

    /// Bytes a second, above 0.
    pub(super) fn byte_rate(&self, text: Option<&Text>) -> Result<Option<u64>, FileError> {
        self.size(text, byte_rate, "expected bytes a second such as `10MB/s`")
    }

    fn size(
        &self,
        text: Option<&Text>,
        read: fn(&str) -> Option<u64>,
        expected: &str,
    ) -> Result<Option<u64>, FileError> {
        let Some(text) = text else { return Ok(None) };
        let size = read(text.get_ref()).filter(|size| *size > 0);
        size.map(Some).ok_or_else(|| self.wrong(text, 0, expected))
    }

    pub(super) fn zxid(&self, text: &Text) -> Result<Zxid, FileError> {
        zxid(text.get_ref())
            .ok_or_else(|| self.wrong(text, 0, "expected a zxid such as `0x100000004`"))
    }

    pub(super) fn mistake(&self, text: &Text, mistake: &Mistake) -> FileError {
        self.wrong(text, mistake.at, mistake.message.clone())
    }

    pub(super) fn one_of(&self, text: &Text, known: &[&str]) -> Result<(), FileError> {
        if known.contains(&text.get_ref().as_str()) {
            return Ok(());
        }
        Err(self.wrong(text, 0, unknown_word("value", text.get_ref(), known)))
    }

    pub(super) fn text(&self, value: &Spanned<Value>) -> Result<Text, FileError> {
        match value.get_ref() {
            Value::String(text) => Ok(Spanned::new(value.span(), text.clone())),
            _ => Err(self.at(&value.span(), "expected a text such as `\"10s\"`")),
        }
    }

    pub(super) fn number(&self, value: &Spanned<Value>) -> Result<f64, FileError> {
        match value.get_ref() {
            Value::Float(number) => Ok(*number),
            Value::Integer(number) => Ok(*number as f64),
            _ => Err(self.at(&value.span(), "expected a number")),
        }
    }
}
