//! The entries of a zoo.cfg while they are read, and how a value is taken from one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::{At, ConfigError};
use super::loaded::Passwords;
use super::properties::Entry;
use super::server_line::{ANY_ADDRESS, ServerLine, bare_host};
use crate::runtime::HostPort;

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
    pub(super) passwords: Passwords<String>,
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

    /// Where clients connect, by these two keys; port 0 is "not set".
    pub(super) fn address(
        &self,
        port_key: &'static str,
        host_key: &'static str,
        why: &'static str,
    ) -> Result<Option<HostPort>, ConfigError> {
        let port = self.number(port_key, 0, 65_535, "a port")?.filter(|port| *port > 0);
        match (port, self.setting(host_key).filter(|entry| !entry.value.is_empty())) {
            (Some(port), None) => Ok(Some(HostPort::new(ANY_ADDRESS, port as u16))),
            (Some(port), Some(entry)) => {
                let host = bare_host(&entry.value);
                if host.is_empty() || host.contains(|c: char| "[]/ ".contains(c)) {
                    return Err(
                        entry.mistyped(0, "a host name, or an address such as 10.0.0.1 or [::1]")
                    );
                }
                Ok(Some(HostPort::new(host, port as u16)))
            }
            (None, Some(_)) => {
                Err(ConfigError::MissingKey { file: self.file.clone(), key: port_key, why })
            }
            (None, None) => Ok(None),
        }
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
