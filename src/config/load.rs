//! Reading zoo.cfg and the files beside it, before there is a runtime to read files with.

use std::fs;
use std::io;
use std::path::Path;

use super::ServerConfig;
use super::client_config::ClientConfig;
use super::client_keys::JAAS_KEY;
use super::draft::Draft;
use super::environment::Environment;
use super::error::ConfigError;
use super::loaded::{Beside, Loaded, Passwords};
use super::mistakes::Mistakes;
use super::parse::parse_beside;
use super::properties::{latin1, read_properties};
use crate::runtime::tls::Store;

impl ServerConfig {
    /// Reads a zoo.cfg, the `myid` in its `dataDir`, the files that it names, and the flags of the JVM
    /// in the environment. Nothing is written; relative paths are relative to the working directory.
    pub fn load(path: &Path, environment: &Environment) -> Result<Loaded, Mistakes> {
        let file = path.display().to_string();
        let text = read(path)?.ok_or_else(|| ConfigError::Unreadable {
            file: file.clone(),
            why: "there is no such file".into(),
        })?;
        // What cannot be read now is told later, with all that is wrong.
        let entries = read_properties(&text, &file).unwrap_or_default();
        let flags = environment.jvm_flags();
        let last =
            |key: &str| entries.iter().rev().find(|e| e.name() == key).map(|e| e.value.as_str());
        let last_or_flag = |key: &str| {
            let flagged = || flags.iter().find(|e| e.name() == key).map(|e| e.value.as_str());
            last(key).or_else(flagged).filter(|value| !value.is_empty())
        };
        let mut no_access = Vec::new();
        let myid = last("dataDir").and_then(|data_dir| {
            read_myid(&Path::new(data_dir).join("myid")).unwrap_or_else(|error| {
                no_access.push(error);
                None
            })
        });
        let beside_file = |name: Option<&'_ str>| -> Result<Option<(String, String)>, ConfigError> {
            let Some(name) = name else { return Ok(None) };
            Ok(read(Path::new(name))?.map(|text| (name.to_owned(), text)))
        };
        let dynamic = beside_file(last("dynamicConfigFile"))?;
        let jaas = beside_file(last_or_flag(JAAS_KEY))?;
        let password = |store: Store| match last_or_flag(store.password_path_key()) {
            Some(file) => read_password(Path::new(file)),
            None => Ok(None),
        };
        let passwords =
            Passwords { key_store: password(Store::Key)?, trust_store: password(Store::Trust)? };
        let beside = Beside {
            myid: myid.as_deref(),
            jaas: jaas.as_ref().map(|(name, text)| (name.as_str(), text.as_str())),
            flags: &flags,
            dynamic: dynamic.as_ref().map(|(name, text)| (name.as_str(), text.as_str())),
            passwords: Passwords {
                key_store: passwords.key_store.as_deref(),
                trust_store: passwords.trust_store.as_deref(),
            },
        };
        let mut loaded = parse_beside(&text, &file, beside);
        if !no_access.is_empty() {
            let (rest, errors) = match loaded {
                Ok(loaded) => (Some(Box::new(loaded)), Vec::new()),
                Err(Mistakes { errors, rest }) => (rest, errors),
            };
            let missing = |error: &ConfigError| matches!(error, ConfigError::MissingMyid { .. });
            no_access.extend(errors.into_iter().filter(|error| !missing(error)));
            return Err(Mistakes { errors: no_access, rest });
        }
        if let Ok(loaded) = &mut loaded {
            loaded.warnings.splice(0..0, environment.warnings().iter().cloned());
        }
        loaded
    }
}

impl ClientConfig {
    /// Reads the file of `-client-configuration`, the flags of the JVM in the environment, and the files
    /// that either names.
    pub fn load(
        file: Option<&Path>,
        environment: &Environment,
    ) -> Result<ClientConfig, ConfigError> {
        let name = file.map_or("the flags of the JVM".into(), |file| file.display().to_string());
        let there = |name: &str, why: &str| -> Result<String, ConfigError> {
            let missing = ConfigError::Unreadable { file: name.into(), why: why.into() };
            read(Path::new(name))?.ok_or(missing)
        };
        let entries = match file {
            None => Vec::new(),
            Some(_) => read_properties(&there(&name, "there is no such file")?, &name)?,
        };
        let mut draft = Draft::of_client(&name, environment.client_jvm_flags(), entries);
        let password = |store: Store| match draft.text(store.password_path_key()) {
            Some(file) => read_password(Path::new(file)),
            None => Ok(None),
        };
        draft.passwords =
            Passwords { key_store: password(Store::Key)?, trust_store: password(Store::Trust)? };
        let jaas = match draft.text(JAAS_KEY).map(String::from) {
            None => None,
            Some(file) => {
                let text = there(&file, "java.security.auth.login.config names it")?;
                Some((file, text))
            }
        };
        draft.into_client(jaas.as_ref().map(|(file, text)| (file.as_str(), text.as_str())))
    }
}

impl Environment {
    /// That of this process, changed by the files of shell that zkServer.sh runs: `zookeeper-env.sh` and
    /// `java.env` in this directory, or in the one that the former puts into ZOOCFGDIR.
    pub fn of_process(config_dir: &Path) -> Result<Environment, Mistakes> {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        let mut environment = Environment::new(variables);
        environment.set("ZOOCFGDIR", config_dir.display().to_string());
        for name in ["zookeeper-env.sh", "java.env"] {
            let dir = environment.get("ZOOCFGDIR").unwrap_or_default();
            let path = Path::new(dir).join(name);
            if let Some(text) = read(&path)? {
                environment.assign_all(&path.display().to_string(), &text);
            }
        }
        Ok(environment)
    }
}

fn read_myid(path: &Path) -> Result<Option<String>, ConfigError> {
    read(path).map_err(|error| match error {
        ConfigError::Unreadable { file, why } => ConfigError::NoAccess { file, why },
        other => other,
    })
}

/// `None` if there is no such file. In UTF-8, unlike zoo.cfg. (SecretUtils)
fn read_password(path: &Path) -> Result<Option<String>, ConfigError> {
    Ok(read_bytes(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// `None` if there is no such file.
fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    Ok(read_bytes(path)?.map(|bytes| latin1(&bytes)))
}

fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConfigError::Unreadable {
            file: path.display().to_string(),
            why: error.to_string(),
        }),
    }
}
