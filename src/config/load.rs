//! Reading zoo.cfg and the files beside it, before there is a runtime to read files with.

use std::fs;
use std::io;
use std::path::Path;

use super::ServerConfig;
use super::client_keys::JAAS_KEY;
use super::error::ConfigError;
use super::parse::{Beside, Loaded, parse_beside};
use super::properties::{Entry, latin1, read_jvm_flags, read_properties};
use super::tls_keys::KEY_PASSWORD_PATH;

impl ServerConfig {
    /// Reads a zoo.cfg, the `myid` in its `dataDir`, the file that `dynamicConfigFile` names, and
    /// SERVER_JVMFLAGS. Nothing is written; relative paths are relative to the working directory.
    pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
        let file = path.display().to_string();
        let text = read(path)?.ok_or_else(|| ConfigError::Unreadable {
            file: file.clone(),
            why: "there is no such file".into(),
        })?;
        let entries = read_properties(&text, &file)?;
        let last = |key| entries.iter().rev().find(|e| e.key == key).map(|e| e.value.as_str());
        let myid = match last("dataDir") {
            Some(data_dir) => read_myid(&Path::new(data_dir).join("myid"))?,
            None => None,
        };
        let dynamic = match last("dynamicConfigFile") {
            Some(name) => read(Path::new(name))?.map(|text| (name, text)),
            None => None,
        };
        let jvm_flags = std::env::var("SERVER_JVMFLAGS").ok();
        let flags = read_jvm_flags(jvm_flags.as_deref().unwrap_or_default());
        let names_jaas = |key: &str| key.strip_prefix("zookeeper.").unwrap_or(key) == JAAS_KEY;
        let jaas = entries.iter().rev().chain(flags.iter()).find(|e| names_jaas(&e.key));
        let jaas = match jaas.map(|entry| entry.value.as_str()) {
            Some(name) => read(Path::new(name))?.map(|text| (name, text)),
            None => None,
        };
        let key_password = match password_path(&entries).or_else(|| password_path(&flags)) {
            Some(name) => read(Path::new(name))?,
            None => None,
        };
        let beside = Beside {
            myid: myid.as_deref(),
            jaas: jaas.as_ref().map(|(name, text)| (*name, text.as_str())),
            jvm_flags: jvm_flags.as_deref(),
            dynamic: dynamic.as_ref().map(|(name, text)| (*name, text.as_str())),
            key_password: key_password.as_deref(),
        };
        parse_beside(&text, &file, beside)
    }
}

/// The file with the password of the TLS key.
fn password_path(entries: &[Entry]) -> Option<&str> {
    let named = |entry: &&Entry| {
        entry.key.strip_prefix("zookeeper.").unwrap_or(&entry.key) == KEY_PASSWORD_PATH
    };
    let entry = entries.iter().rev().find(named)?;
    Some(entry.value.as_str()).filter(|name| !name.is_empty())
}

/// `None` if there is no such file.
fn read_myid(path: &Path) -> Result<Option<String>, ConfigError> {
    read(path).map_err(|error| match error {
        ConfigError::Unreadable { file, why } => ConfigError::NoAccess { file, why },
        other => other,
    })
}

/// `None` if there is no such file.
fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(latin1(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConfigError::Unreadable {
            file: path.display().to_string(),
            why: error.to_string(),
        }),
    }
}
