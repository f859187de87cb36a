//! The entries of a zoo.cfg while they are read, and how a value is taken from one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::{At, ConfigError};
use super::properties::Entry;
use super::server_line::ServerLine;

/// Java's Integer.MAX_VALUE.
pub(super) const INT_MAX: i64 = i32::MAX as i64;

/// The entries, sorted by what they are about.
#[derive(Default, Debug)]
pub(super) struct Draft {
    pub(super) file: String,
    pub(super) settings: BTreeMap<&'static str, Entry>,
    pub(super) super_users: Vec<Entry>,
    pub(super) servers: BTreeMap<i64, (Entry, ServerLine)>,
    pub(super) groups: BTreeMap<i64, Entry>,
    pub(super) weights: BTreeMap<i64, Entry>,
    pub(super) warnings: Vec<String>,
    pub(super) key_password_text: Option<String>,
}

impl Draft {
    pub(super) fn warn_at(&mut self, at: &At, text: &str) {
        self.warnings.push(format!("{at}: {text}"));
    }

    /// The entry of a supported key.
    pub(super) fn setting(&self, key: &str) -> Option<&Entry> {
        self.settings.get(key)
    }

    /// A whole number within these bounds, of this unit.
    pub(super) fn number(
        &self,
        key: &str,
        min: i64,
        max: i64,
        unit: &str,
    ) -> Result<Option<i64>, ConfigError> {
        let Some(entry) = self.setting(key) else { return Ok(None) };
        let number = entry.value.parse::<i64>().ok().filter(|n| (min..=max).contains(n));
        number.map(Some).ok_or_else(|| {
            entry.mistyped(0, &format!("a whole number of {unit} from {min} to {max}"))
        })
    }

    /// A time in milliseconds, from `min` on; -1 is "as if it were not there".
    pub(super) fn millis(&self, key: &str, min: i64) -> Result<Option<Duration>, ConfigError> {
        let number = self.number(key, min, INT_MAX, "milliseconds")?;
        Ok(number.and_then(|n| u64::try_from(n).ok()).map(Duration::from_millis))
    }

    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        let Some(entry) = self.setting(key) else { return Ok(None) };
        match entry.value.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(entry.mistyped(0, "true or false")),
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.setting(key).map(|entry| entry.value.as_str()).filter(|value| !value.is_empty())
    }

    /// Apache raises these instead of refusing them.
    pub(super) fn at_least(&mut self, key: &str, given: i64, floor: i64) -> i64 {
        if given < floor
            && let Some(at) = self.setting(key).map(|entry| entry.value_at.clone())
        {
            self.warn_at(&at, &format!("{key} is {given}; {floor}, the least, is used"));
        }
        given.max(floor)
    }

    pub(super) fn whole_file(&self) -> At {
        At { file: self.file.clone(), line: 1, column: 1 }
    }
}
